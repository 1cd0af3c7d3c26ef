//! Thundering herds: who wakes for a task, by one policy after the other.

use super::chain::scenario::{count, own_name, refused, tables};
use super::report::nanos;
use super::scenario::{lacks, read_service, time};
use crate::config::section::{Section, Value, string, whole, wrong_type};
use crate::config::units::show_short;
use crate::config::{self, units};
use crate::diagnostic::{Diagnostic, Result, Source, suggest};
use crate::exit::Exit;
use crate::table::Table;
use divvy::Instant;
use divvy::hash::Xxh3;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::Arrivals;
use divvy::sim::herd::{Config, Herd, Policy, Summary};
use divvy::storage::Heap;
use serde_json::json;
use toml::de::DeValue;

/// Workers, tasks, and the policies to compare.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    about: String,
    config: Config,
    workers: u32,
    tasks: u64,
    policies: Vec<(String, Policy)>,
}

/// What one policy came to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    policy: String,
    summary: Summary,
    digest: u64,
}

const FORM: &str = "[herd] and [[policy]] are its sections";
const HERD: [&str; 9] = ["name", "about", "workers", "tasks", "first", "rate", "service", "wake", "look"];

pub(crate) fn parse(source: &Source, name: String) -> Result<Scenario> {
    let text = source.text.clone();
    let table = config::toml(source, &text, FORM)?;
    let top = Section { source, name: String::new(), table: table.get_ref(), span: table.span() };
    top.only(&["herd", "policy"])?;
    let Some(herd) = top.section("herd")? else {
        return Err(source.error(0..0, "the scenario has no herd").help("add:\n[herd]\nworkers = 10_000"));
    };
    herd.only(&HERD)?;
    let text = |key: &str, default: String| match herd.get(key) {
        Some(value) => string(source, key, value).map(|text| text.trim().to_owned()),
        None => Ok(default),
    };
    let workers = count(&herd, "workers", 1, 1 << 20)?.unwrap_or(10_000);
    let tasks = u64::from(count(&herd, "tasks", 1, 10_000_000)?.unwrap_or(1));
    let mut config = Config::new().tasks(tasks);
    let period = |key: &str| herd.get(key).map(|value| time(source, key, value)).transpose();
    if let Some(first) = period("first")? {
        config = config.at(Instant::ZERO.saturating_add(first));
    }
    if let Some(wake) = period("wake")? {
        config = config.wake(wake);
    }
    if let Some(look) = period("look")? {
        config = config.look(look);
    }
    if let Some(value) = herd.get("service") {
        config = config.service(read_service(source, value)?);
    }
    if let Some(value) = herd.get("rate") {
        let text = string(source, "rate", value)?;
        let gap = units::rate(text).map(|(count, per)| per / count.get()).filter(|gap| !gap.is_zero());
        let gap = gap.ok_or_else(|| {
            source
                .error(value.span(), format!("`{text}` is not a rate"))
                .help("write tasks per time: \"900/s\"")
        })?;
        config = config.arrivals(Arrivals::Poisson { gap });
    }
    let mut policies: Vec<(String, Policy)> = vec![];
    for section in tables(&top, "policy", "name = \"one\"\nwake = \"one\"")? {
        section.only(&["name", "wake"])?;
        let taken: Vec<String> = policies.iter().map(|(name, _)| name.clone()).collect();
        let name = own_name(&section, &taken)?;
        let wanted = "\"one\", \"all\", a number of workers, or { poll = \"100ms\" }";
        let value = section.get("wake").ok_or_else(|| {
            source
                .error(section.span.clone(), "who wakes by this policy?")
                .help(format!("add `wake`: {wanted}"))
        })?;
        let policy = read_wake(&section, value, wanted)?;
        Herd::<Heap>::with_capacity(config.policy(policy), 1)
            .map_err(|error| refused(source, value.span(), &error))?;
        policies.push((name, policy));
    }
    let name = text("name", name)?;
    Ok(Scenario { name, about: text("about", String::new())?, config, workers, tasks, policies })
}

fn read_wake(section: &Section<'_>, value: &Value<'_>, wanted: &str) -> Result<Policy> {
    let source = section.source;
    match value.get_ref() {
        DeValue::String(text) => match text.as_ref() {
            "one" => Ok(Policy::One),
            "all" => Ok(Policy::All),
            other => Err(source
                .error(value.span(), format!("nobody is called `{other}`"))
                .help(suggest(other, ["one", "all"]))),
        },
        DeValue::Integer(_) => Ok(Policy::Some { workers: whole(source, "wake", value, 1, 1 << 20)? as u32 }),
        DeValue::Table(_) => {
            let table = section.nested("wake", value, wanted)?;
            table.only(&["poll"])?;
            let every = table.get("poll").ok_or_else(|| lacks(source, value, "poll", wanted))?;
            Ok(Policy::Poll { every: time(source, "poll", every)? })
        }
        _ => Err(wrong_type(source, "wake", value, wanted)),
    }
}

pub(crate) fn race(scenario: &Scenario, seed: u64) -> Result<Vec<Row>> {
    let run = |(name, policy): &(String, Policy)| {
        let config = scenario.config.policy(*policy);
        let mut herd = Herd::<Heap>::with_capacity(config, scenario.workers)
            .map_err(|error| Diagnostic::new(Exit::File, format!("the scenario cannot run: {error}")))?;
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut log = Xxh3::new();
        while let Some(event) = herd.step(&mut rng) {
            event.words().iter().for_each(|word| log.update(&word.to_le_bytes()));
        }
        Ok(Row { policy: name.clone(), summary: herd.summary(), digest: log.digest() })
    };
    scenario.policies.iter().map(run).collect()
}

/// The table for people: at most 80 columns.
pub(crate) fn table(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let plural = if scenario.tasks == 1 { "" } else { "s" };
    let mut out = format!(
        "{}: {} workers asleep, {} task{plural}, seed {seed}\n",
        scenario.name, scenario.workers, scenario.tasks
    );
    if !scenario.about.is_empty() {
        out += &format!("{}\n", scenario.about);
    }
    let mut table = Table::new(["who wakes", "wakes", "a task", "useless", "lost", "delay", "overhead"]);
    for Row { policy, summary, .. } in rows {
        table.row([
            policy.clone(),
            summary.wakes.to_string(),
            format!("{:.2}", per_task(summary)),
            summary.useless.to_string(),
            summary.lost.to_string(),
            show_short(summary.mean_delay),
            show_short(summary.overhead),
        ]);
    }
    out + "\n"
        + &table.render()
        + "\na task: wakes for each task\n\
           lost: tasks that wait while everybody sleeps\n\
           delay: from a task's arrival to its beginning, on average\n\
           overhead: time of workers for waking up and looking\n"
}

fn per_task(summary: &Summary) -> f64 {
    summary.wakes as f64 / summary.begun.max(1) as f64
}

/// One object for programs. Times are nanoseconds.
pub(crate) fn json(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let policies: Vec<_> = rows
        .iter()
        .map(|Row { policy, summary, digest }| {
            json!({
                "policy": policy,
                "digest": format!("{digest:016x}"),
                "tasks": summary.tasks,
                "finished": summary.finished,
                "lost": summary.lost,
                "wakes": summary.wakes,
                "wakes_per_task": per_task(summary),
                "useless": summary.useless,
                "mean_delay_ns": nanos(summary.mean_delay),
                "overhead_ns": nanos(summary.overhead),
            })
        })
        .collect();
    let whole = json!({
        "scenario": scenario.name,
        "workers": scenario.workers,
        "seed": seed,
        "policies": policies,
    });
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

/// One line a policy: the digest of every event, and whose it is.
pub(crate) fn digests(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |out, row| out + &format!("{:016x}  {}\n", row.digest, row.policy))
}
