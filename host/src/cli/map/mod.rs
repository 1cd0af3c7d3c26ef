//! `divvy map`.

mod feed;
mod values;

use super::{Exit, complain, print};
use crate::config::units;
use crate::diagnostic::{Diagnostic, Result};
use crate::map::engine::{Engine, Feed, Mode, Options, Work};
use crate::map::halt::Halt;
use crate::map::items::Next;
use crate::map::joblog::{Joblog, Known, Resume};
use crate::map::pressure::Pressure;
use crate::map::report::Report;
use crate::map::template::{How, Template, Values, pieces};
use crate::map::timeout::Timeout;
use crate::process::leftover;
use crate::process::output::Outputs;
use crate::store;
use divvy::retry::Backoff;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use values::{Separator, backoff, character, columns, jobs, load, size, time};

/// Run one command for each item, many at a time, as xargs -P and GNU parallel do.
///
/// Items are the lines of standard input, the words after `:::`, or the lines of the files after `::::` or -a. Several
/// sources are combined, all with all; `:::+` and `::::+` link a source to the one before it. Outputs never mix. What a
/// joblog has recorded is not run again with --resume, even if the items were reordered or others came between.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "divvy map [OPTIONS] [COMMAND]... [::: ITEM]... [:::: FILE]...",
    max_term_width = 80,
    after_help = SHORT
)]
pub(super) struct Args {
    /// The command, with places for the items; then ::: and items
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    words: Vec<OsString>,

    /// How many jobs run at the same time: N, 50%, +1 or -1 (of cores); 0 is all cores
    #[arg(short, long, visible_short_alias = 'P', value_name = "N", value_parser = jobs, allow_hyphen_values = true, default_value = "0", hide_default_value = true)]
    jobs: usize,

    /// Read items from the lines of FILE; several are combined. `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    arg_file: Vec<PathBuf>,

    /// Items end with a zero byte, as find -print0 writes them
    #[arg(short = '0', long, conflicts_with = "delimiter")]
    null: bool,

    /// Items end with this character (\n, \t, \0 and \xHH are understood)
    #[arg(short, long, value_name = "C", value_parser = character, allow_hyphen_values = true)]
    delimiter: Option<u8>,

    /// Cut each item at this text into {1}, {2}, ... (\t is understood)
    #[arg(long, value_name = "TEXT", value_parser = columns, allow_hyphen_values = true)]
    colsep: Option<Separator>,

    /// Give up to N items to each job
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), visible_short_alias = 'N')]
    max_args: Option<u32>,

    /// Give as many items to each job as a command line takes
    #[arg(short = 'X', long)]
    xargs: bool,

    /// The text that stands for the item instead of {}
    #[arg(short = 'I', long, value_name = "TEXT", allow_hyphen_values = true)]
    replace: Option<OsString>,

    /// Start the command as it is given, never through a shell
    #[arg(short, long)]
    quote: bool,

    /// The shell that runs commands which need one
    #[arg(long, value_name = "PROGRAM", default_value = "/bin/sh")]
    shell: OsString,

    /// Run the jobs in a random order (all items are read first)
    #[arg(long)]
    shuf: bool,

    /// Cut standard input into blocks of whole lines, one for each job to read
    #[arg(long, conflicts_with_all = ["arg_file", "colsep", "max_args", "xargs", "shuf"])]
    pipe: bool,

    /// With --pipe: how large a block is
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1MiB", requires = "pipe")]
    block: u64,

    /// Show outputs in the order of the items
    #[arg(short, long)]
    keep_order: bool,

    /// Show whole lines while a job runs, not all it printed at its end
    #[arg(long, visible_alias = "lb", conflicts_with_all = ["keep_order", "json", "results"])]
    line_buffer: bool,

    /// Jobs print directly; their outputs may mix
    #[arg(short, long, conflicts_with_all = ["keep_order", "json", "line_buffer", "tag", "tagstring", "results"])]
    ungroup: bool,

    /// Put the items and a tab in front of each line of output
    #[arg(long, conflicts_with = "json")]
    tag: bool,

    /// Put this text (with {} and the like) and a tab in front of each line
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["tag", "json"], allow_hyphen_values = true)]
    tagstring: Option<OsString>,

    /// Also keep outputs in files: DIR/1/ITEM/stdout, stderr and seq
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// Record each job that ended, in the columns of GNU parallel
    #[arg(long, value_name = "FILE")]
    joblog: Option<PathBuf>,

    /// Leave out jobs that the joblog has: same command, same items
    #[arg(long, requires = "joblog")]
    resume: bool,

    /// The same, but run those again that failed
    #[arg(long, requires = "joblog")]
    resume_failed: bool,

    /// Try a failed job up to N times more
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    retries: u32,

    /// The waits before these: random, from 0 to BASE, doubled up to CAP
    #[arg(long, value_name = "BASE[,CAP]", value_parser = backoff, default_value = "1s,1m")]
    backoff: Backoff,

    /// End a job after this time: seconds, 2m, or 200% of the median
    #[arg(long, value_name = "TIME")]
    timeout: Option<Timeout>,

    /// How long jobs that are asked to end may take before they are killed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    grace: Duration,

    /// When to end early: never (the default), or soon or now, then ,fail=N
    ///
    /// `soon` starts nothing more and lets running jobs finish; `now` ends them too. Instead of fail, success or done;
    /// instead of N, N%: of all jobs if their number is known, else of those that ended, from the tenth on.
    #[arg(long, value_name = "POLICY", default_value = "never", hide_default_value = true)]
    halt: Halt,

    /// Start nothing while less memory is free; under half, kill the youngest
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memfree: Option<u64>,

    /// Start nothing while the load is over N, or N% of the cores
    #[arg(long, value_name = "N", value_parser = load)]
    load: Option<f64>,

    /// Wait so long between two starts
    #[arg(long, value_name = "TIME", default_value = "0", hide_default_value = true, value_parser = time)]
    delay: Duration,

    /// Run everything with this niceness
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(i32).range(-20..=19))]
    nice: Option<i32>,

    /// Print the commands, run nothing
    #[arg(long, visible_alias = "dryrun")]
    dry_run: bool,

    /// Draw a bar on the terminal; elsewhere a line every five seconds
    #[arg(long, visible_aliases = ["bar", "eta"])]
    progress: bool,

    /// Print each event as one line of JSON on standard output
    #[arg(long)]
    json: bool,

    /// Say nothing if there is no item
    #[arg(short = 'r', long)]
    no_run_if_empty: bool,

    /// Where outputs are kept while jobs run [default: TMPDIR, or /tmp]
    #[arg(long, value_name = "DIR")]
    tmpdir: Option<PathBuf>,

    /// What --shuf and the waits between tries are drawn from
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

const SHORT: &str = "\
Replacement strings:
  {}    the item; without any, items are put at the end of the command
  {.}   without its extension      {/}   its last component
  {//}  its folder                 {/.}  last component without extension
  {2}   the second of several      {2.}  {2/}  {2//}  {2/.}  parts of it
  {-1}  the last of several        {#}   number of the job
  {%}   number of its slot, from 1 to --jobs

Examples:
  divvy map gzip -9 ::: *.log
  find . -name '*.png' -print0 | divvy map -0 -j4 'pngcrush {} {.}.small.png'
  divvy map --joblog log --resume ./simulate ::: 1 2 3 ::: fast slow

Exit codes:
  0    every job is done
  1    a job failed, or did not run because others failed
  2    the command line is wrong
  3    items cannot be read
  4    the joblog cannot be used
  5    another divvy map has the joblog
  6    the machine refused something divvy needs
  129  ended by a hangup, 130 by Ctrl-C, 143 by SIGTERM, 141: nobody read on";

pub(super) fn run(args: Args) -> Result<Exit> {
    let (command, sources) = feed::words(&args.words);
    let how = How {
        quote: args.quote,
        replace: args.replace.as_ref().map(|text| text.as_bytes()),
        pipe: args.pipe,
    };
    if how.replace.is_some_and(<[u8]>::is_empty) {
        return Err(usage("-I needs a text to replace").help("such as -I % or -I ITEM"));
    }
    let template = Template::parse(&command, how, args.shell.as_bytes())?;
    let tag = match (&args.tagstring, args.tag) {
        (Some(text), _) => Some(pieces(text.as_bytes(), None)?),
        (None, true) => Some(pieces(b"{}", None)?),
        (None, false) => None,
    };
    if crate::process::find_program(&args.shell, None, Path::new("")).is_none() {
        return Err(usage(format!("the shell `{}` is not an executable program", args.shell.display()))
            .help("--shell takes a program that understands -c SCRIPT"));
    }
    if args.pipe && (command.is_empty() || !sources.is_empty()) {
        return Err(usage("--pipe gives blocks of standard input to a command")
            .help("divvy map --pipe --block 1MiB 'sort | uniq -c' < FILE; leave ::: out"));
    }
    let seed = args.seed.unwrap_or_else(store::entropy);
    let feed = feed::feed(&args, &sources, &template, seed)?;
    let pressure = pressure(&args)?;
    if let Some(nice) = args.nice {
        rustix::process::nice(nice).map_err(|error| {
            usage(format!("cannot run with the niceness {nice}: {error}"))
                .help("a user without rights can only raise it")
        })?;
    }
    if args.dry_run {
        return dry_run(&args, &template, feed);
    }
    let resume = resume(&args);
    let joblog = args.joblog.as_ref().map(|path| Joblog::open(path, resume)).transpose()?;
    let mut killed = 0;
    if let Some(mark) = joblog.as_ref().and_then(Joblog::mark) {
        if resume != Resume::No {
            killed = end_leftovers(&mark)?;
        }
        crate::process::set_mark(&mark);
    }
    let mode = match (args.line_buffer, args.ungroup) {
        (true, _) => Mode::Lines,
        (_, true) => Mode::Mixed,
        _ => Mode::Group,
    };
    let options = Options {
        jobs: slots(args.jobs, mode),
        keep_order: args.keep_order,
        mode,
        tag,
        retries: args.retries,
        backoff: args.backoff,
        timeout: args.timeout,
        grace: args.grace,
        halt: args.halt,
        delay: args.delay,
        results: args.results.clone(),
        tmpdir: args.tmpdir.clone().unwrap_or_else(std::env::temp_dir),
        shell: args.shell.clone(),
        seed,
    };
    let report = Report::new(args.json, args.progress, args.no_run_if_empty);
    let (exit, problem) = Engine::new(options, &template, feed, joblog, pressure, report)?.run(killed);
    if let Some(problem) = problem {
        complain(&problem);
    }
    Ok(exit)
}

fn usage(message: impl Into<String>) -> Box<Diagnostic> {
    Diagnostic::new(Exit::Usage, message)
}

fn resume(args: &Args) -> Resume {
    match (args.resume, args.resume_failed) {
        (_, true) => Resume::Good,
        (true, _) => Resume::Ended,
        _ => Resume::No,
    }
}

/// Ends what a killed run of the same joblog left running.
fn end_leftovers(mark: &str) -> Result<usize> {
    match leftover::kill(mark) {
        (killed, true) => Ok(killed),
        (_, false) => Err(Diagnostic::new(
            Exit::System,
            "jobs of an earlier run, which was killed, are still running and cannot be ended",
        )
        .help(format!(
            "end the processes that have DIVVY_RUN={mark} in their environment, then start again"
        ))),
    }
}

fn note(text: &str) {
    use std::io::Write;
    _ = writeln!(std::io::stderr(), "divvy map: {text}");
}

/// How many jobs can run with the files that the process may open.
fn slots(jobs: usize, mode: Mode) -> usize {
    let each = if mode == Mode::Mixed { 1 } else { 2 };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let most = (most.saturating_sub(64) / each).max(1);
    if jobs > most {
        note(&format!(
            "the limit of open files allows {most} jobs at the same time, not {jobs}; raise it with ulimit -n"
        ));
    }
    jobs.min(most)
}

fn pressure(args: &Args) -> Result<Pressure> {
    // Tests put other figures there.
    let root = std::env::var_os("DIVVY_PROC").map_or_else(|| "/proc".into(), PathBuf::from);
    let pressure = Pressure::new(args.memfree, args.load, root);
    if let (Some(wanted), Some(total)) = (args.memfree, pressure.total_memory())
        && wanted > total
    {
        return Err(usage(format!(
            "--memfree asks for {} of free memory, and the machine has {} in all",
            units::show_bytes(wanted),
            units::show_bytes(total)
        ))
        .help("ask for less, or nothing would ever start"));
    }
    Ok(pressure)
}

/// Prints what would run.
fn dry_run(args: &Args, template: &Template, mut feed: Feed) -> Result<Exit> {
    let resume = resume(args);
    let mut joblog = match (&args.joblog, resume) {
        (Some(path), Resume::Ended | Resume::Good) if path.exists() => Some(Joblog::open(path, resume)?),
        _ => None,
    };
    let mut files = Outputs::new(&args.tmpdir.clone().unwrap_or_else(std::env::temp_dir));
    let mut seq = 0;
    loop {
        let (items, key) = match feed.next(&mut files)? {
            Next::Item(Work::Items(args)) => {
                let key = template.key(&args.items);
                (args.items, key)
            }
            Next::Item(Work::Block(block)) => {
                let key = template.key(&[block.hash.to_le_bytes().to_vec()]);
                files.give_back(block.file, block.len, false);
                (Vec::new(), key)
            }
            Next::Wait => {
                feed.readable();
                continue;
            }
            Next::End => return Ok(Exit::Done),
        };
        seq += 1;
        if joblog.as_mut().is_some_and(|joblog| joblog.claim(key) == Known::Done) {
            continue;
        }
        let command = template.fill(Values { items: &items, seq, slot: 1 }).show();
        if args.json {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let items: Vec<String> = items.iter().map(|item| text(item)).collect();
            let line =
                serde_json::json!({ "event": "plan", "job": seq, "items": items, "command": text(&command) });
            print(format!("{line}\n").as_bytes());
        } else {
            print(&[command.as_slice(), b"\n"].concat());
        }
    }
}
