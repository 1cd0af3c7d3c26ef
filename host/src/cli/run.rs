//! `divvy run`.

use super::{Exit, complain, print};
use crate::config::units;
use crate::diagnostic::{Diagnostic, Result};
use crate::process::leftover;
use crate::run::engine::{Engine, Halt, Options};
use crate::run::explain;
use crate::run::files::Files;
use crate::run::pipeline::Pipeline;
use crate::run::plan::{self, Row};
use crate::run::work::Work;
use crate::run::{live, report};
use crate::store::{self, Loaded, Store};
use clap::ArgAction;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Run a pipeline of commands: in parallel, durable, going on where it stopped.
///
/// The pipeline file names tasks, their commands and what each needs. A task runs again only if its command, the
/// variables named in its `env`, its inputs or what comes before it changed; a run that was ended at any moment goes
/// on where it was. Progress and messages go to standard error, results to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = Exit::TABLE, after_long_help = format!("{}\n\n{LONG}", Exit::TABLE))]
pub(super) struct Args {
    /// The pipeline file (TOML). Its folder is where relative paths in it begin
    pipeline: PathBuf,

    /// Cores to share among the tasks, one each unless they say otherwise [default: those of the machine]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    jobs: Option<u64>,

    /// Go on with whatever does not need a failed task (the same as --halt never)
    #[arg(short, long, conflicts_with = "halt")]
    keep_going: bool,

    /// When failures end the run: never, soon or now, with ,fail=N or ,fail=N%
    ///
    /// `soon` (the default) starts nothing more and lets running commands finish; `now` ends them too. `fail` says
    /// how many failed tasks it takes (1), or which part of all tasks. A failed try that has retries left does not
    /// count.
    #[arg(long, value_name = "POLICY", default_value = "soon", hide_default_value = true)]
    halt: Halt,

    /// Run tasks again that failed in an earlier run
    #[arg(long)]
    retry_dead: bool,

    /// Show what would run and why; on a terminal, then ask whether to run exactly that
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// With --dry-run: run the plan without asking
    #[arg(short, long, requires = "dry_run")]
    yes: bool,

    /// Say why a task is not running, or why it would run again; also while it runs elsewhere
    #[arg(long, value_name = "TASK[:ITEM]", conflicts_with_all = ["dry_run", "output"])]
    explain: Option<String>,

    /// Print what a task printed when it last ended
    #[arg(long, value_name = "TASK[:ITEM]", conflicts_with = "dry_run")]
    output: Option<String>,

    /// Where the state is kept [default: .divvy/NAME.redb beside the pipeline file NAME.toml]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,

    /// Print each event as one line of JSON on standard output
    #[arg(long)]
    json: bool,

    /// How long commands that are asked to end may take before they are killed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = grace)]
    grace: Duration,

    /// What the random waits between retries are drawn from [default: from the system]
    #[arg(long, value_name = "NUMBER", action = ArgAction::Set)]
    seed: Option<u64>,
}

const LONG: &str = "\
Signals:
  Ctrl-C or SIGTERM: nothing more is started, running commands get SIGTERM and the
  time of --grace, then SIGKILL. A second one kills at once. What was interrupted
  runs again next time.

A pipeline file:
  [pipeline]
  name = \"words\"                      # default: the name of the file
  aging = \"10s\"                       # waiting so long is worth one level of priority

  [resources]                         # what tasks hold besides cores
  gpu = 1

  [limit]                             # rates of starts
  api = \"5/s\"

  [task.list]
  run = \"ls *.txt > files\"            # by sh -e -c; or argv = [\"program\", \"argument\"]
  outputs = [\"files\"]                 # must be there afterwards

  [task.count]
  needs = [\"list\"]                    # waits for all of these
  for_each = { lines = \"files\" }      # or { glob = \"*.txt\" } or { list = [\"a\", \"b\"] }
  run = \"wc -w {item} > {item}.n\"     # {item}, {item.name}, {item.stem}; {{item}} is literal
  inputs = [\"{item}\"]                 # files, folders or patterns; a change makes it run again
  outputs = [\"{item}.n\"]
  env = { LC_ALL = \"C\", HOME = true } # set, or taken along and counted; other variables do not count
  dir = \".\"
  priority = 0                        # -128 to 127, higher first among equally urgent ones
  retries = 2                         # more tries, after waits that grow
  backoff = { base = \"1s\", cap = \"1m\", factor = 2 }
  timeout = \"2m\"                      # for each try
  resources = { cores = 1, memory = \"1GiB\", gpu = 1 }
  limit = \"api\"                       # or a rate of its own: limit = \"5/s\"
  allow_failure = false               # true: others go on if it fails
  show = false                        # true: what it prints is shown at the end of every run";

fn grace(text: &str) -> std::result::Result<Duration, String> {
    units::duration(text).ok_or_else(|| "write a time with its unit, such as 10s or 500ms".to_owned())
}

pub(super) fn run(args: Args) -> Result<Exit> {
    let machine = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let jobs = args.jobs.unwrap_or(machine);
    let pipeline = Pipeline::load(&args.pipeline, jobs)?;
    let path = args.store.clone().unwrap_or_else(|| Store::default_path(&args.pipeline));
    if let Some(task) = &args.output {
        return show_output(&pipeline, &path, task);
    }
    if let Some(task) = &args.explain {
        return show_explanation(&args, &pipeline, &path, task);
    }
    let (store, loaded) = if args.dry_run {
        let store = Store::open(&path)?;
        let loaded = store.as_ref().map(Store::load).transpose()?.unwrap_or_default();
        (store, loaded)
    } else {
        let store = Store::create(&path)?;
        let loaded = store.load()?;
        (Some(store), loaded)
    };
    let unclean = loaded.unclean;
    let mut killed = 0;
    if let (false, true, Some(store)) = (args.dry_run, unclean, &store) {
        killed = end_leftovers(store)?;
    }
    let mut work = work(&pipeline, loaded)?;
    if args.dry_run {
        plan::decide(&mut work, args.retry_dead)?;
        let rows = plan::rows(&work);
        show_plan(&args, &pipeline, &rows);
        if unclean {
            note("the last run was killed; whatever it left running is ended before the next one starts");
        }
        if !(args.yes || ask()) {
            return Ok(Exit::Done);
        }
    }
    let store = match store {
        Some(store) => store,
        None => Store::create(&path)?,
    };
    if args.dry_run && unclean {
        killed = end_leftovers(&store)?;
        if killed > 0 {
            return Err(Diagnostic::new(
                Exit::Failed,
                format!("{killed} commands of the last run were still writing while the plan was made"),
            )
            .help("they are ended now; make the plan again"));
        }
    }
    let options = Options {
        jobs,
        halt: if args.keep_going { Halt::Never } else { args.halt },
        grace: args.grace,
        retry_dead: args.retry_dead,
        seed: args.seed.unwrap_or_else(store::entropy),
    };
    let engine = Engine::new(work, options, &store, report::choose(args.json))?;
    let (exit, problem) = engine.run(killed);
    if let Some(problem) = problem {
        complain(&problem);
    }
    Ok(exit)
}

fn work(pipeline: &Pipeline, loaded: Loaded) -> Result<Work<'_>> {
    Work::new(pipeline, loaded.records, Files::new(loaded.files))
}

/// Ends what a killed run left running.
fn end_leftovers(store: &Store) -> Result<usize> {
    let Some(mark) = store.last_mark()? else { return Ok(0) };
    match leftover::kill(&mark) {
        (killed, true) => Ok(killed),
        (_, false) => Err(Diagnostic::new(
            Exit::System,
            "commands of the last run, which was killed, are still running and cannot be ended",
        )
        .help(format!(
            "end the processes that have DIVVY_RUN={mark} in their environment, then start again"
        ))),
    }
}

fn note(text: &str) {
    _ = writeln!(std::io::stderr(), "note: {text}");
}

fn show_plan(args: &Args, pipeline: &Pipeline, rows: &[Row]) {
    if !args.json {
        print(plan::show(&pipeline.name, rows).as_bytes());
        return;
    }
    for row in rows {
        // A row has no map with keys other than text, so this cannot fail.
        let mut line = serde_json::to_value(row).unwrap_or_default();
        line["event"] = "plan".into();
        print(format!("{line}\n").as_bytes());
    }
}

/// Asks on a terminal; elsewhere the answer is no.
fn ask() -> bool {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return false;
    }
    let mut err = std::io::stderr();
    _ = write!(err, "Run it? [y/N] ");
    _ = err.flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

fn show_explanation(args: &Args, pipeline: &Pipeline, path: &std::path::Path, task: &str) -> Result<Exit> {
    let explanation = match Store::open(path) {
        Ok(store) => {
            let loaded = store.as_ref().map(Store::load).transpose()?.unwrap_or_default();
            let mut work = work(pipeline, loaded)?;
            plan::decide(&mut work, args.retry_dead)?;
            explain::explain(&work, task, None)?
        }
        Err(busy) if busy.exit() == Exit::Busy => match live::ask(path, task) {
            Some(Ok(explanation)) => explanation,
            Some(Err((message, help))) => return Err(Diagnostic::new(Exit::Usage, message).help(help)),
            None => return Err(busy),
        },
        Err(problem) => return Err(problem),
    };
    if args.json {
        // An explanation holds nothing but texts, so this cannot fail.
        print(format!("{}\n", serde_json::to_string(&explanation).unwrap_or_default()).as_bytes());
    } else {
        print(explanation.show().as_bytes());
    }
    Ok(Exit::Done)
}

fn show_output(pipeline: &Pipeline, path: &std::path::Path, task: &str) -> Result<Exit> {
    let name = task.split_once(':').map_or(task, |(name, _)| name);
    if pipeline.find(name).is_none() {
        let names: Vec<&str> = pipeline.tasks.iter().map(|task| task.name.as_str()).collect();
        return Err(Diagnostic::new(Exit::Usage, format!("there is no task `{name}`"))
            .help(crate::diagnostic::suggest(name, names)));
    }
    let store = Store::open(path)?;
    let ended =
        store.as_ref().map(Store::load).transpose()?.is_some_and(|loaded| loaded.records.contains_key(task));
    let output = store.map(|store| store.output(task)).transpose()?.flatten();
    match output {
        Some(output) => print(&output),
        None if ended => note(&format!("{task} printed nothing")),
        None => {
            return Err(Diagnostic::new(Exit::Usage, format!("there is no record of {task}"))
                .help("it has not run to an end yet; a task of a for_each is named TASK:ITEM"));
        }
    }
    Ok(Exit::Done)
}
