//! `divvy measure`.

use super::Exit;
use crate::diagnostic::{Diagnostic, Result};
use crate::measure::report::Report;
use crate::measure::trial::{self, Subject};
use crate::measure::{fit, verdict};
use crate::table;
use std::ffi::OsString;

/// Is it worth distributing? Runs a command or a pipeline with more and more workers and says what is gained.
///
/// `{workers}` in the command becomes the number of workers; it is also in the variables DIVVY_WORKERS,
/// RAYON_NUM_THREADS, OMP_NUM_THREADS and GOMAXPROCS. A file that ends in .toml is run as a pipeline, all of it each
/// time, with that many --jobs. Amdahl's law and the universal scalability law are fitted to the times.
#[derive(Debug, clap::Args)]
#[command(after_help = EXITS, after_long_help = LONG)]
pub(super) struct Args {
    /// The command and its arguments; or one text for the shell; or a pipeline file
    #[arg(required = true, value_name = "COMMAND")]
    command: Vec<OsString>,

    /// The numbers of workers: a list such as 1,2,4 or a range such as 1..8 [default: up to twice the cores]
    #[arg(long, short, value_name = "NUMBERS", value_parser = workers)]
    workers: Option<Workers>,

    /// How many rounds; in each, every number of workers has its turn
    #[arg(long, short, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,

    /// Count the first round, too: without it, one more is run to warm up
    #[arg(long)]
    cold: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXITS: &str = "\
Exit codes:
  0  the table is printed
  1  a run of the command failed
  2  the command line is wrong, or the command cannot be started";

const LONG: &str = "\
Exit codes:
  0  the table is printed
  1  a run of the command failed
  2  the command line is wrong, or the command cannot be started

Examples:
  divvy measure -- sort --parallel={workers} big.txt
  divvy measure -- 'make clean && make -j{workers}'
  divvy measure -- divvy map -j{workers} gzip -kf ::: *.log
  divvy measure pipeline.toml --workers 1..6
  divvy measure --rounds 5 -- ./uses-rayon

host/docs/measure.md says what the laws mean and how the advice is found.";

/// Ascending, each once, the first is 1.
#[derive(Clone, Debug, PartialEq)]
struct Workers(Vec<u32>);

/// The most workers that make sense to ask for.
const MOST: u32 = 1_024;

fn workers(text: &str) -> std::result::Result<Workers, String> {
    let wrong = || format!("write numbers from 1 to {MOST}, such as 1,2,4 or 1..8");
    let number = |text: &str| {
        text.trim().parse::<u32>().ok().filter(|number| (1..=MOST).contains(number)).ok_or_else(wrong)
    };
    let mut numbers = match text.split_once("..") {
        Some((from, upto)) => {
            let (from, upto) = (number(from)?, number(upto.trim_start_matches('='))?);
            if from > upto {
                return Err(wrong());
            }
            (from..=upto).collect()
        }
        None => text.split(',').map(number).collect::<std::result::Result<Vec<u32>, _>>()?,
    };
    // Everything is compared with one worker.
    numbers.push(1);
    numbers.sort_unstable();
    numbers.dedup();
    Ok(Workers(numbers))
}

/// All up to 4, then 6, 8, 12, 16 and so on, up to twice the cores but at least 4.
fn default_workers(cores: u32) -> Vec<u32> {
    let upto = cores.saturating_mul(2).clamp(4, MOST);
    let doublings = (2..).flat_map(|bits| [1u32 << bits, 3 << (bits - 1)]).skip(1);
    (1..=4).chain(doublings.take_while(|workers| *workers <= upto)).collect()
}

pub(super) fn run(args: Args) -> Result<Exit> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let workers = args.workers.map_or_else(|| default_workers(cores), |workers| workers.0);
    if workers.len() < 2 {
        return Err(Diagnostic::new(Exit::Usage, "there is nothing to compare one worker with")
            .help("give more numbers: --workers 1,2,4"));
    }
    let subject = Subject::of(args.command);
    let runs = u64::from(args.rounds + u32::from(!args.cold)) * workers.len() as u64;
    let progress = indicatif::ProgressBar::new(runs).with_style(
        indicatif::ProgressStyle::with_template("measuring {bar:30} {pos} of {len} runs, {eta} left")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()),
    );
    let points = trial::measure(&subject, &workers, args.rounds, !args.cold, || progress.inc(1));
    progress.finish_and_clear();
    let points = points?;
    let pairs: Vec<(f64, f64)> =
        points.iter().map(|point| (f64::from(point.workers), point.wall().as_secs_f64().max(1e-9))).collect();
    let universal = fit::universal(&pairs);
    let amdahl = fit::amdahl(&pairs);
    let verdict = verdict::judge(&points, universal.as_ref().or(amdahl.as_ref()), cores);
    let report = Report { name: subject.name(), points, amdahl, universal, verdict, cores };
    table::print(&if args.json { report.json() } else { report.table() });
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_workers_are_lists_or_ranges_and_always_have_one() {
        assert_eq!(workers("1..4"), Ok(Workers(vec![1, 2, 3, 4])));
        assert_eq!(workers("2..=3"), Ok(Workers(vec![1, 2, 3])));
        assert_eq!(workers("8, 2,2"), Ok(Workers(vec![1, 2, 8])));
        for wrong in ["", "0", "1..", "4..2", "x", "1,,2", "5000", "-1"] {
            assert!(workers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn by_default_twice_the_cores_are_tried() {
        assert_eq!(default_workers(1), [1, 2, 3, 4]);
        assert_eq!(default_workers(2), [1, 2, 3, 4]);
        assert_eq!(default_workers(8), [1, 2, 3, 4, 6, 8, 12, 16]);
        assert_eq!(default_workers(12), [1, 2, 3, 4, 6, 8, 12, 16, 24]);
    }
}
