//! Runs each protection against the same requests.

use super::scenario::{Protection, Scenario};
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use divvy::Instant;
use divvy::hash::Xxh3;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::Chain;
use divvy::sim::chain::{Summary, TierStats};
use divvy::storage::Heap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What one protection came to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) protection: String,
    pub(crate) summary: Summary,
    pub(crate) tiers: Vec<TierStats>,
    /// Of every event, in order.
    pub(crate) digest: u64,
}

/// How many requests and attempts there may be at once.
const AT_ONCE: u32 = 200_000;

/// Who has no answer so long after the last request came will not get one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every protection against the same requests, on as many threads as there are cores; the rows in their order.
pub(crate) fn race(scenario: &Scenario, seed: u64) -> Result<Vec<Row>> {
    let protections = &scenario.protections;
    let rows: Vec<Mutex<Option<Result<Row>>>> = protections.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get()).min(protections.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(protection) = protections.get(at) else { break };
                    let row = run(scenario, protection, seed);
                    if let Ok(mut place) = rows[at].lock() {
                        *place = Some(row);
                    }
                }
            });
        }
    });
    let done = rows.into_iter().map(|row| row.into_inner().ok().flatten());
    done.map(|row| row.unwrap_or_else(|| Err(Diagnostic::new(Exit::System, "a simulation did not end"))))
        .collect()
}

fn run(scenario: &Scenario, protection: &Protection, seed: u64) -> Result<Row> {
    let unfit = |error: &dyn std::fmt::Display| {
        let text = error.to_string();
        let (message, help) = text.split_once("; ").unwrap_or((text.as_str(), "change the scenario"));
        let message = format!("the protection `{}` cannot run: {message}", protection.name);
        Diagnostic::new(Exit::File, message).help(help)
    };
    let config = scenario.config.seed(seed).deadlines(protection.deadlines);
    let tiers = protection.tiers.len() as u32;
    let mut chain =
        Chain::<Heap, Heap, Heap>::with_capacity(config, tiers, AT_ONCE).map_err(|e| unfit(&e))?;
    for (tier, link) in &protection.tiers {
        chain.insert(*tier, *link).map_err(|error| unfit(&error))?;
    }
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut log = Xxh3::new();
    let end: Instant = scenario.until.saturating_add(PATIENCE);
    while chain.next_event_at().is_some_and(|at| at < end) {
        let Some(event) = chain.step(&mut rng) else { break };
        event.words().iter().for_each(|word| log.update(&word.to_le_bytes()));
    }
    Ok(Row {
        protection: protection.name.clone(),
        summary: chain.summary(),
        tiers: (0..tiers).filter_map(|tier| chain.stats(tier)).collect(),
        digest: log.digest(),
    })
}
