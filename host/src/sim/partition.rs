//! Hot partitions: most requests go to few keys, and to whichever parts have them.

use super::report::{nanos, number, share};
use super::scenario::{fraction, time};
use crate::config::section::{Section, string};
use crate::config::units::show_short;
use crate::config::{self};
use crate::diagnostic::{Diagnostic, Result, Source};
use crate::exit::Exit;
use crate::table::Table;
use divvy::fixed::Q32;
use divvy::hash::{Xxh3, xxh3_64};
use divvy::limit::{Admit, Crowded, Keyed, Quota};
use divvy::partition::{HotKeys, Place};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sim::{Arrivals, Service};
use divvy::sketch::Histogram;
use divvy::storage::Heap;
use divvy::{Instant, partition};
use serde_json::json;
use std::num::NonZeroU32;
use std::time::Duration;

/// Parts, keys, and how hot some of them are.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    about: String,
    parts: NonZeroU32,
    keys: u32,
    hot_keys: u32,
    hot: Q32,
    requests: u32,
    service: Duration,
    load: Q32,
    /// Over the rate of all requests to one part of the parts.
    limit: Q32,
}

/// What one way to place requests came to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    way: &'static str,
    loads: Vec<u64>,
    skew: Q32,
    mean: Duration,
    p99: Duration,
    refused: u64,
    split: u64,
    digest: u64,
}

const FORM: &str = "[partition] is its section";
const KEYS: [&str; 10] =
    ["name", "about", "parts", "keys", "hot_keys", "hot", "requests", "service", "load", "limit"];

pub(crate) fn parse(source: &Source, name: String) -> Result<Scenario> {
    let text = source.text.clone();
    let table = config::toml(source, &text, FORM)?;
    let top = Section { source, name: String::new(), table: table.get_ref(), span: table.span() };
    top.only(&["partition"])?;
    let Some(section) = top.section("partition")? else {
        return Err(source
            .error(0..0, "the scenario has no partition")
            .help("add:\n[partition]\nparts = 16"));
    };
    section.only(&KEYS)?;
    let text = |key: &str, default: String| match section.get(key) {
        Some(value) => string(source, key, value).map(|text| text.trim().to_owned()),
        None => Ok(default),
    };
    let count = |key: &str, most: u64, default: u32| {
        super::chain::scenario::count(&section, key, 1, most).map(|count| count.unwrap_or(default))
    };
    let part = |key: &str, most: u32, default: (u64, u64)| match section.get(key) {
        Some(value) => fraction(source, key, value, most),
        None => Ok(Q32::from_ratio(default.0, default.1).unwrap_or(Q32::ONE)),
    };
    let keys = count("keys", 10_000_000, 1_000)?;
    let hot_keys = count("hot_keys", 10_000_000, (keys / 100).max(1))?;
    if hot_keys > keys {
        let at = section.get("hot_keys").map_or(section.span.clone(), |value| value.span());
        return Err(source
            .error(at, format!("{hot_keys} of {keys} keys cannot be hot"))
            .help("use fewer hot keys, or more keys"));
    }
    let load = part("load", 10, (7, 10))?;
    if load == Q32::ZERO {
        let at = section.get("load").map_or(section.span.clone(), |value| value.span());
        return Err(source.error(at, "this load comes to no traffic at all").help("use a load above 0"));
    }
    let service = section.get("service").map(|value| time(source, "service", value)).transpose()?;
    Ok(Scenario {
        name: text("name", name)?,
        about: text("about", String::new())?,
        parts: NonZeroU32::new(count("parts", 1_000, 16)?).unwrap_or(NonZeroU32::MIN),
        keys,
        hot_keys,
        hot: part("hot", 1, (9, 10))?,
        requests: count("requests", 10_000_000, 200_000)?,
        service: service.unwrap_or(Duration::from_millis(1)),
        load,
        limit: part("limit", 100, (1, 2))?,
    })
}

/// How requests are placed.
#[derive(Clone, Copy, Debug)]
enum Way {
    Hash,
    Limit,
    Split,
}

const WAYS: [(&str, Way); 3] = [
    ("by hash", Way::Hash),
    ("by hash, a limit for each key", Way::Limit),
    ("hot keys found and split", Way::Split),
];

pub(crate) fn race(scenario: &Scenario, seed: u64) -> Result<Vec<Row>> {
    WAYS.iter().map(|(name, way)| run(scenario, name, *way, seed)).collect()
}

fn run(scenario: &Scenario, way_name: &'static str, way: Way, seed: u64) -> Result<Row> {
    let unfit = |error: &dyn std::fmt::Display| {
        Diagnostic::new(Exit::File, format!("the scenario cannot run: {error}"))
            .help("use a longer service time, or less load")
    };
    let parts = scenario.parts;
    // A part does one request at a time, each in the same time.
    let gap = match Arrivals::poisson_at_load(scenario.service, parts.get(), scenario.load) {
        Some(Arrivals::Poisson { gap }) if !gap.is_zero() => gap,
        _ => return Err(unfit(&"requests come less than a nanosecond apart")),
    };
    let between = Service::exponential(gap);
    // What one part can do, times the limit, is what one key may ask for.
    let second = 1_000_000_000u128 * u128::from(scenario.limit.to_bits());
    let rate = (second / scenario.service.as_nanos().max(1)) >> 32;
    let rate = NonZeroU32::new(u32::try_from(rate).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
    let burst = NonZeroU32::MIN.saturating_add(rate.get() / 100);
    let quota = Quota::new(rate, Duration::from_secs(1)).and_then(|quota| quota.burst(burst));
    let quota = quota.map_err(|error| unfit(&error))?;
    let mut limits = Keyed::<Heap>::with_capacity(scenario.keys, quota, Crowded::Evict);
    let counters = 4 * parts.get() as usize;
    let mut hot = HotKeys::<Heap>::with_capacity(parts, counters.max(64));
    let hash = partition::HashPartition::new(parts);

    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut free_at = vec![Instant::ZERO; parts.get() as usize];
    let mut loads = vec![0u64; parts.get() as usize];
    let mut latencies = Histogram::<Heap>::with_highest(u64::MAX);
    let (mut now, mut refused, mut split, mut log) = (Instant::ZERO, 0, 0, Xxh3::new());
    for _ in 0..scenario.requests {
        now = now.saturating_add(between.sample(&mut rng));
        let is_hot = rng.next_u64() >> 32 < scenario.hot.to_bits();
        let key = rng.below(if is_hot { scenario.hot_keys } else { scenario.keys });
        let bytes = key.to_le_bytes();
        let part = match way {
            Way::Hash => hash.owner(&bytes),
            Way::Limit => {
                if limits.admit(now, xxh3_64(&bytes)) != Admit::Yes {
                    refused += 1;
                    log.update(&u32::MAX.to_le_bytes());
                    continue;
                }
                hash.owner(&bytes)
            }
            Way::Split => {
                let place = hot.assign(&bytes);
                split += u64::from(matches!(place, Place::Split { .. }));
                place.part()
            }
        };
        log.update(&part.to_le_bytes());
        let at = part as usize;
        loads[at] += 1;
        free_at[at] = free_at[at].max(now).saturating_add(scenario.service);
        latencies.record(nanos(free_at[at].saturating_duration_since(now)));
    }
    Ok(Row {
        way: way_name,
        skew: partition::skew(&loads).unwrap_or(Q32::ZERO),
        loads,
        mean: Duration::from_nanos(latencies.mean().unwrap_or(0)),
        p99: Duration::from_nanos(latencies.quantile(99, 100).unwrap_or(0)),
        refused,
        split,
        digest: log.digest(),
    })
}

/// The table for people: at most 80 columns.
pub(crate) fn table(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let mut out = format!(
        "{}: {} parts, {} keys, {} requests, seed {seed}\n",
        scenario.name, scenario.parts, scenario.keys, scenario.requests
    );
    if !scenario.about.is_empty() {
        out += &format!("{}\n", scenario.about);
    }
    let mut table = Table::new(["requests go", "skew", "busiest", "mean", "p99", "refused", "split"]);
    for row in rows {
        let all: u64 = row.loads.iter().sum();
        let requests = u64::from(scenario.requests);
        table.row([
            row.way.to_owned(),
            format!("{:.2}", number(row.skew)),
            share(row.loads.iter().copied().max().unwrap_or(0), all),
            show_short(row.mean),
            show_short(row.p99),
            share(row.refused, requests),
            share(row.split, requests),
        ]);
    }
    out + "\n"
        + &table.render()
        + "\nskew: requests of the busiest part over the mean; busiest: its share of all\n\
           refused: by the limit of their key; split: went to one of several parts\n"
}

/// One object for programs. Times are nanoseconds, shares numbers from 0 to 1.
pub(crate) fn json(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let ways: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "way": row.way,
                "digest": format!("{:016x}", row.digest),
                "skew": number(row.skew),
                "loads": row.loads,
                "mean_ns": nanos(row.mean),
                "p99_ns": nanos(row.p99),
                "refused": row.refused,
                "split": row.split,
            })
        })
        .collect();
    let whole = json!({
        "scenario": scenario.name,
        "seed": seed,
        "requests": scenario.requests,
        "ways": ways,
    });
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

/// One line a way: the digest of every choice, and whose it is.
pub(crate) fn digests(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |out, row| out + &format!("{:016x}  {}\n", row.digest, row.way))
}
