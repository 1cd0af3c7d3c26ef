//! Runs each policy over the same traffic.

use super::scenario::{Named, Scenario};
use super::trace::Request;
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use divvy::balance::{AnyPolicy, Balancer, Fleet, Kind, SlowStart};
use divvy::hash::Xxh3;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::Dispatch;
use divvy::sim::dispatch::{Arrivals, Config, Event, PushError, ServerStats, Summary};
use divvy::storage::Heap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

type Sim = Dispatch<AnyPolicy, Heap, Heap, Heap, Heap>;

/// What one policy came to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) policy: String,
    pub(crate) summary: Summary,
    pub(crate) servers: Vec<ServerStats>,
    /// Of every event, in order.
    pub(crate) digest: u64,
}

/// Where requests come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Traffic<'a> {
    /// As the scenario says.
    Drawn,
    /// As they really came.
    Trace(&'a [Request]),
}

/// How many requests may be on their way or wait at once. A policy under which more pile up refuses the rest, and the table
/// shows it.
const AT_ONCE: u32 = 200_000;

/// A ring has 150 points or more for each unit of weight.
const MOST_POINTS: u64 = 20_000;

const DAY: Duration = Duration::from_secs(86_400);

/// Servers for a trace that comes without a scenario: `servers` of them, or as many as it keeps 70 % busy.
pub(crate) fn servers_for(requests: &[Request], servers: Option<u32>) -> Scenario {
    let work: Duration = requests.iter().map(|request| request.cost).sum();
    let (first, last) = (requests.first(), requests.last());
    let span =
        first.zip(last).map_or(Duration::ZERO, |(first, last)| last.at.saturating_duration_since(first.at));
    let busy = work.as_secs_f64() / span.as_secs_f64().max(1e-9) / 0.7;
    let count = servers.unwrap_or_else(|| (busy.ceil() as u32).clamp(1, 10_000));
    Scenario::plain((1..=count).map(|i| Named::plain(format!("server-{i}"))).collect())
}

/// Every policy over the same requests, on as many threads as there are cores; the rows in the order of `kinds`.
pub(crate) fn race(scenario: &Scenario, traffic: Traffic<'_>, kinds: &[Kind], seed: u64) -> Result<Vec<Row>> {
    let rows: Vec<Mutex<Option<Result<Row>>>> = kinds.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get()).min(kinds.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(kind) = kinds.get(at) else { break };
                    let row = run(scenario, traffic, *kind, seed);
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

fn run(scenario: &Scenario, traffic: Traffic<'_>, kind: Kind, seed: u64) -> Result<Row> {
    let unfit = |error: &dyn std::fmt::Display| {
        let text = error.to_string();
        let (message, help) =
            text.split_once("; ").map_or((text.as_str(), "change the scenario"), |(a, b)| (a, b));
        Diagnostic::new(Exit::File, format!("the scenario cannot run: {message}")).help(help)
    };
    let config = match traffic {
        Traffic::Drawn => scenario.config,
        Traffic::Trace(requests) => {
            let warm_up = (requests.len() / 10) as u64;
            scenario.config.arrivals(Arrivals::Pushed).requests(u64::MAX).warm_up(warm_up)
        }
    };
    let config = with_reports(config.seed(seed), kind);
    let count = scenario.servers.len() as u32;
    let mut sim =
        Sim::with_capacity(config, scenario.dispatchers, count, AT_ONCE).map_err(|error| unfit(&error))?;
    for named in &scenario.servers {
        sim.insert(named.server).map_err(|error| unfit(&error))?;
    }
    let weight: u64 = scenario.servers.iter().map(|named| u64::from(named.weight)).sum();
    let most = match kind {
        Kind::Consistent { .. } => MOST_POINTS,
        _ => u64::from(u32::MAX),
    };
    if weight > most {
        let message = format!("the weights come to {weight} together, too much for {kind}");
        return Err(Diagnostic::new(Exit::File, message)
            .help(format!("use smaller ones in the same proportion, {most} together at most")));
    }
    let weight = weight as u32;
    for _ in 0..scenario.dispatchers {
        let fleet = scenario.fleet(count).map_err(|error| unfit(&error))?;
        let policy = kind.policy_for(count, AT_ONCE, weight);
        sim.insert_dispatcher(Balancer::new(fleet, policy)).map_err(|_| unfit(&"too many dispatchers"))?;
    }

    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut log = Xxh3::new();
    let mut note = |event: Event| event.words().iter().for_each(|word| log.update(&word.to_le_bytes()));
    let mut waiting = match traffic {
        Traffic::Drawn => [].iter(),
        Traffic::Trace(requests) => requests.iter(),
    }
    .copied()
    .peekable();
    loop {
        // A little ahead of the clock is enough: what was pushed has a place until it ends.
        while let Some(request) = waiting.peek() {
            if sim.held() > AT_ONCE / 2 && sim.next_event_at().is_some_and(|next| next < request.at) {
                break;
            }
            match sim.push(request.at, request.key, Some(request.cost)) {
                Ok(()) => _ = waiting.next(),
                Err(PushError::Full) if sim.next_event_at().is_some() => break,
                Err(error) => return Err(unfit(&error)),
            }
        }
        match sim.step(&mut rng) {
            Some(event) => note(event),
            None if waiting.peek().is_none() => break,
            None => {}
        }
    }
    let servers = (0..count).filter_map(|server| sim.server(server)).collect();
    Ok(Row { policy: kind.to_string(), summary: sim.summary(), servers, digest: log.digest() })
}

/// Join-idle-queue is nothing without its other half.
fn with_reports(config: Config, kind: Kind) -> Config {
    if kind.name() == "jiq" { config.idle_reports(true) } else { config }
}

impl Scenario {
    /// A dispatcher's fleet. Its own deadline is for callers that vanish, and these do not: it lies above their patience. A
    /// failure counts as much as the patience, or as a hundred requests.
    fn fleet(&self, members: u32) -> std::result::Result<Fleet<Heap, Heap>, divvy::balance::ConfigError> {
        let penalty = self.patience.unwrap_or(self.mean * 100).max(Duration::from_nanos(1));
        let deadline = self.patience.map_or(DAY, |patience| patience * 2 + Duration::from_secs(1));
        let mut fleet = Fleet::with_capacity(deadline, members, AT_ONCE);
        let mut config = divvy::balance::Config::new().penalty(penalty);
        if let Some(window) = self.slow_start {
            config = config.slow_start(SlowStart::new(window));
        }
        fleet.configure(config)?;
        Ok(fleet)
    }

    /// Equal servers, and nothing else.
    fn plain(servers: Vec<Named>) -> Self {
        Self { servers, ..Self::empty(String::new()) }
    }
}
