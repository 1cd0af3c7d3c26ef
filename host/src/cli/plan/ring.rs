//! `divvy plan ring`.

use crate::diagnostic::{Diagnostic, Result, suggest};
use crate::exit::Exit;
use crate::plan::keys::Keys;
use crate::plan::nodes::Nodes;
use crate::plan::{report, ring};
use crate::table;
use divvy::ring::Algorithm;
use std::path::PathBuf;

/// Which node owns which share of the keys, and which keys move when nodes come or go.
#[derive(Debug, clap::Args)]
#[command(after_help = EXITS, after_long_help = LONG)]
pub(in crate::cli) struct Args {
    /// The nodes, separated by commas; without a weight it is 1, and it may have decimals
    ///
    /// What follows the last colon is the weight, so a name with a port needs one behind it: host:80:1.
    #[arg(long, short, value_name = "NAME:WEIGHT,...", value_delimiter = ',', required = true)]
    nodes: Vec<String>,

    /// Nodes that go
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    remove: Vec<String>,

    /// Nodes that come, after the others went
    #[arg(long, value_name = "NAME:WEIGHT,...", value_delimiter = ',')]
    add: Vec<String>,

    /// Your keys: a file with one on each line, or - for standard input [default: sampled ones]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sample", "seed"])]
    keys: Option<PathBuf>,

    /// How many keys are sampled
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    sample: u32,

    /// What they are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// karger, ketama, multi-probe, rendezvous, maglev, anchor, jump-back, or `all` side by side
    #[arg(long, short, value_name = "NAME", default_value = "karger")]
    algorithm: String,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXITS: &str = "\
Exit codes:
  0  the answer is printed
  2  the command line is wrong
  3  the file of keys cannot be used";

const LONG: &str = "\
Exit codes:
  0  the answer is printed
  2  the command line is wrong
  3  the file of keys cannot be used

Examples:
  divvy plan ring --nodes a:1,b:2,c:0.5                           who owns how much
  divvy plan ring --nodes a,b,c --remove b --add d:2 --keys keys  which of your keys move
  divvy plan ring --nodes a,b,c --remove b --algorithm all        by which ring the fewest

host/docs/plan.md says what the columns and the JSON mean.";

pub(super) fn run(args: Args) -> Result<Exit> {
    let algorithm = algorithm(&args.algorithm)?;
    let nodes = Nodes::read(&args.nodes, &args.add, &args.remove)?;
    let keys = match &args.keys {
        Some(path) => Keys::read(path)?,
        None => Keys::sampled(args.sample, args.seed),
    };
    let algorithms = algorithm.map_or(Algorithm::ALL.to_vec(), |one| vec![one]);
    let studies: Vec<_> = algorithms.iter().map(|algorithm| ring::study(*algorithm, &nodes, &keys)).collect();
    if let ([study], Some(_)) = (&studies[..], algorithm) {
        let refusal = match (&study.spread, &study.change) {
            (Err(refusal), _) => Some((refusal, "place these nodes")),
            (_, Some(Err(refusal))) => Some((refusal, "make this change")),
            _ => None,
        };
        if let Some((refusal, what)) = refusal {
            let message = format!("{} cannot {what}: {}", study.algorithm, report::why(*refusal));
            return Err(Diagnostic::new(Exit::Usage, message).help("`--algorithm all` shows which ones can"));
        }
    }
    if args.json {
        crate::cli::print(report::json(&studies, &nodes, &keys).as_bytes());
        return Ok(Exit::Done);
    }
    table::print(&match (&studies[..], algorithm) {
        ([study], Some(_)) => report::one(study, &nodes, &keys),
        _ => report::all(&studies, &nodes, &keys),
    });
    Ok(Exit::Done)
}

/// The algorithm of this name, `None` for all of them.
fn algorithm(name: &str) -> Result<Option<Algorithm>> {
    if name == "all" {
        return Ok(None);
    }
    name.parse().map(Some).map_err(|_| {
        let known = Algorithm::ALL.map(Algorithm::name).into_iter().chain(["all"]);
        Diagnostic::new(Exit::Usage, format!("there is no ring algorithm `{name}`"))
            .help(suggest(name, known))
    })
}
