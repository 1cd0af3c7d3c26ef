//! `divvy sim`.

use super::Exit;
use crate::diagnostic::{Diagnostic, Result, suggest};
use crate::sim::builtin::{self, Kind as Loaded};
use crate::sim::race::{self, Traffic};
use crate::sim::scenario::Scenario;
use crate::sim::{chain, herd, partition, report, trace};
use crate::table;
use divvy::balance::Kind;
use std::path::PathBuf;

/// What happens to your traffic: the same requests against several policies or protections, on a virtual clock.
///
/// Servers or services and traffic come from a scenario: a file of yours, or one that comes with the command. With a
/// scenario of servers, policies are compared; requests may come from a trace of your own. With one of services that call
/// each other, protections are compared. Each gets exactly the same requests. The same seed gives the same answer on every
/// machine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXITS, after_long_help = LONG)]
pub(super) struct Args {
    /// The scenario file (TOML), or `cascade`, `retry-storm`,
    /// `thundering-herd`, `hot-partition` [default: ten servers, one of them slow]
    scenario: Option<PathBuf>,

    /// Requests that really came, from a CSV file with the columns arrival, key, cost
    ///
    /// They take the place of the scenario's traffic. Without a scenario there are as many equal servers as the trace
    /// keeps 70 % busy, or as --servers says.
    #[arg(long, value_name = "REQUESTS.csv")]
    trace: Option<PathBuf>,

    /// With --trace and without a scenario: how many servers there are
    #[arg(long, value_name = "N", requires = "trace", conflicts_with = "scenario",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    servers: Option<u32>,

    /// The policies, separated by commas, or `all` [default: random,round-robin,least-loaded,p2c,prequal]
    #[arg(long, short, value_name = "NAMES", value_delimiter = ',')]
    policies: Option<Vec<String>>,

    /// What traffic and chance are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Print only the digest of the decisions of each policy or protection
    #[arg(long, conflicts_with = "json")]
    digest: bool,
}

const EXITS: &str = "\
Exit codes:
  0  the table is printed
  2  the command line is wrong
  3  the scenario or the trace cannot be used";

const LONG: &str = "\
Exit codes:
  0  the table is printed
  2  the command line is wrong
  3  the scenario or the trace cannot be used

Examples:
  divvy sim                                       an example, five policies
  divvy sim mine.toml --policies p2c,prequal,jiq  your servers
  divvy sim --trace requests.csv --policies all   your requests
  divvy sim --digest --seed 7                     the same on every machine
  divvy sim cascade                               five services, one of them slow
  divvy sim retry-storm                           how many calls become of one
  divvy sim thundering-herd                       10,000 workers, one task: who wakes
  divvy sim hot-partition                         90 % of the requests to 1 % of the keys

host/docs/sim.md has every key of a scenario, and what the columns mean.";

pub(super) fn run(args: Args) -> Result<Exit> {
    let loaded = match &args.scenario {
        // Before the file is read: a name that is wrong is wrong with any.
        Some(_) if args.policies.as_ref().is_some_and(|names| kinds(names).is_err()) => None,
        Some(path) => Some(builtin::load(path)?),
        None => None,
    };
    let mut scenario = match loaded {
        Some(Loaded::Chain(scenario)) => {
            args.without_policies(&scenario.name)?;
            let rows = chain::race::race(&scenario, args.seed)?;
            args.show(
                || chain::report::digests(&rows),
                || chain::report::json(&scenario, &rows, args.seed),
                || chain::report::table(&scenario, &rows, args.seed),
            );
            return Ok(Exit::Done);
        }
        Some(Loaded::Herd(scenario)) => {
            args.without_policies(&scenario.name)?;
            let rows = herd::race(&scenario, args.seed)?;
            args.show(
                || herd::digests(&rows),
                || herd::json(&scenario, &rows, args.seed),
                || herd::table(&scenario, &rows, args.seed),
            );
            return Ok(Exit::Done);
        }
        Some(Loaded::Partition(scenario)) => {
            args.without_policies(&scenario.name)?;
            let rows = partition::race(&scenario, args.seed)?;
            args.show(
                || partition::digests(&rows),
                || partition::json(&scenario, &rows, args.seed),
                || partition::table(&scenario, &rows, args.seed),
            );
            return Ok(Exit::Done);
        }
        Some(Loaded::Servers(scenario)) => Some(*scenario),
        None => None,
    };
    let default = || DEFAULT.map(str::to_owned).to_vec();
    let kinds = kinds(&args.policies.clone().unwrap_or_else(default))?;
    let requests = args.trace.as_deref().map(trace::load).transpose()?;
    let mut scenario = match (scenario.take(), &requests) {
        (Some(scenario), _) => scenario,
        (None, Some(requests)) => race::servers_for(requests, args.servers),
        (None, None) => Scenario::example()?,
    };
    if let (Some(path), Some(_)) = (&args.trace, &requests) {
        scenario.name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    }
    let traffic = requests.as_deref().map_or(Traffic::Drawn, Traffic::Trace);
    let rows = race::race(&scenario, traffic, &kinds, args.seed)?;
    args.show(
        || report::digests(&rows),
        || report::json(&scenario, &rows, args.seed),
        || report::table(&scenario, &rows, args.seed),
    );
    Ok(Exit::Done)
}

impl Args {
    /// Prints what was asked for.
    fn show(
        &self,
        digests: impl FnOnce() -> String,
        json: impl FnOnce() -> String,
        people: impl FnOnce() -> String,
    ) {
        if self.digest {
            super::print(digests().as_bytes());
        } else if self.json {
            super::print(json().as_bytes());
        } else {
            table::print(&people());
        }
    }

    /// What is of use for servers alone was not given.
    fn without_policies(&self, scenario: &str) -> Result<()> {
        let given = [("--policies", self.policies.is_some()), ("--trace", self.trace.is_some())];
        let Some((option, _)) = given.iter().find(|(_, given)| *given) else { return Ok(()) };
        let message = format!("{option} is for scenarios of servers, and `{scenario}` has none");
        Err(Diagnostic::new(Exit::Usage, message).help("leave it out; the scenario says what is compared"))
    }
}

const DEFAULT: [&str; 5] = ["random", "round-robin", "least-loaded", "p2c", "prequal"];

/// The policies of these names, each once.
fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    let mut kinds = vec![];
    for name in names.iter().map(|name| name.trim()) {
        if name == "all" {
            kinds.extend(Kind::ALL.iter().copied());
            continue;
        }
        let kind = name.parse().map_err(|_| {
            let known = Kind::ALL.iter().map(|kind| kind.name()).chain(["all"]);
            Diagnostic::new(Exit::Usage, format!("there is no policy `{name}`")).help(suggest(name, known))
        })?;
        kinds.push(kind);
    }
    let mut seen = vec![];
    kinds.retain(|kind: &Kind| {
        let new = !seen.contains(kind);
        seen.push(*kind);
        new
    });
    Ok(kinds)
}
