//! Chains of services on a virtual clock: each calls the next and waits, and what one of them does to the others.
//!
//! The breakers, budgets, limits and the other protections between the services are the real ones; the users, the services
//! and the clock are the simulation's.

mod config;
mod edge;
mod engine;
mod event;
mod figures;
mod jobs;
mod link;
mod series;
#[cfg(all(test, feature = "alloc", not(divvy_loom)))]
#[allow(clippy::float_arithmetic, reason = "the figures are checked in floats")]
mod tests;
mod tier;

use core::fmt;
use core::time::Duration;

pub use self::config::{Config, ConfigError, Surge};
pub use self::event::{End, Event, Failure, What};
pub use self::figures::{Level, Requests, Summary, TierStats};
pub use self::link::{Adaptive, Fallback, Link, LinkError};
pub use self::series::{Series, Window};
pub use self::tier::{Discipline, Fault, Outage, Tier, TierError};

use self::edge::Edge;
use self::engine::Arrival;
use self::figures::Counts;
use self::jobs::{Jobs, Line};
use crate::Instant;
use crate::fixed::Q32;
use crate::sketch::Histogram;
use crate::storage::{Inline, List, Storage};

/// A discrete-event simulation of services that call each other in a row: users call the first, the first the second, and
/// so on.
///
/// A service has workers and a queue before them. A worker does its own work, then calls the next service, and is held
/// until that answers: so one slow service holds the workers of all before it, which is how a fault travels upwards. A
/// caller that gives up frees its own worker, but the work it asked for is done all the same, and if it tries again, done
/// twice. Between the services stand the protections that a [`Link`] names, and they are the real ones.
///
/// *When not to use it:* to predict the microseconds of a real service. It knows queues, workers and patience, but no
/// network, no caches and no contention. For what a balancer does with equal servers, use
/// [`Dispatch`](crate::sim::Dispatch).
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::fixed::Q32;
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::sim::chain::{Chain, Config, Fault, Link, Outage, Tier, TierError};
/// use divvy::sim::{Arrivals, Service};
/// use divvy::storage::Inline;
///
/// let milli = Duration::from_millis(1);
/// let config = Config::new().arrivals(Arrivals::Poisson { gap: milli }).until(Instant::from_secs(2));
/// let mut chain = Chain::<Inline<2>, Inline<512>, Inline<0>>::new(config)?;
/// // Forty workers of 10 ms: four times what comes. The service behind them is twenty times slower than it should be.
/// let front = Tier::new().workers(40).queue(40).service(Service::constant(10 * milli));
/// let slow = Outage { from: Instant::ZERO, until: Instant::MAX, fault: Fault::Slow { factor: Q32::from_int(20) } };
/// let back = Tier::new().workers(40).queue(40).service(Service::constant(10 * milli)).outage(slow);
/// chain.insert(front, Link::new())?;
/// chain.insert(back, Link::new())?;
/// assert_eq!(chain.insert(Tier::new(), Link::new()), Err(TierError::Full));
///
/// let mut rng = Xoshiro256PlusPlus::seed(7);
/// while let Some(_event) = chain.step(&mut rng) {}
/// let summary = chain.summary();
/// // All workers of the first service wait for the second, and four of five users are turned away:
/// assert_eq!(chain.stats(0).map(|front| front.longest_queue), Some(40));
/// assert!(summary.all.success_rate() < Q32::from_ratio(1, 3).expect("a share"));
/// assert_eq!(summary.all.unfinished(), 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Complexity
///
/// An event is *O*(log jobs) and what the protections take. Nothing is allocated after construction: 250 bytes for each
/// job, and a request is one, and one more for each attempt that is under way; 2 KiB and two histograms a service.
///
/// # Time
///
/// The clock starts at [`Instant::ZERO`] and moves only in [`Chain::step`]. At one instant, changes of services come
/// first, then answers, then calls, then callers that give up, and new requests last.
///
/// # Concurrency
///
/// One owner.
///
/// # References
///
/// Bronson, Aghayev, Charapko, Zhu: *Metastable failures in distributed systems*, HotOS 2021. Beyer et al.: *Site
/// Reliability Engineering*, 2016, chapters 21 and 22.
pub struct Chain<S: Storage = Inline<5>, R: Storage = Inline<256>, H: Storage = Inline<0>> {
    config: Config,
    now: Instant,
    stations: S::List<Station<R, H>>,
    jobs: Jobs<R>,
    arrival: Option<Arrival>,
    /// When an outage begins or ends next.
    change_at: Option<Instant>,
    /// The last event.
    touched: Instant,
    all: Requests,
    important: Requests,
    no_room: u64,
}

/// A service at work.
struct Station<R: Storage, H: Storage> {
    spec: Tier,
    edge: Edge<R, H>,
    fault: Option<Fault>,
    /// How much of its outage has happened: it began, it ended.
    changes: u8,
    line: Line,
    working: u32,
    counts: Counts,
    latency: Histogram<H>,
}

impl<const S: usize, const R: usize, const H: usize> Chain<Inline<S>, Inline<R>, Inline<H>> {
    /// A chain of up to `S` services and `R` jobs at once, whose latencies go into `H` buckets.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if S == 0 || R == 0 {
            return Err(ConfigError::Capacity);
        }
        config.check()?;
        Ok(Self {
            config,
            now: Instant::ZERO,
            stations: heapless::Vec::new(),
            jobs: Jobs::<Inline<R>>::new(),
            arrival: Arrival::after(&config, Instant::ZERO, 0),
            change_at: None,
            touched: Instant::ZERO,
            all: Requests::default(),
            important: Requests::default(),
            no_room: 0,
        })
    }

    /// Adds a service at the end of the chain and the way in which it is called, and says its index.
    ///
    /// # Errors
    ///
    /// [`TierError`]; nothing changed.
    pub fn insert(&mut self, tier: Tier, link: Link) -> Result<u32, TierError> {
        let edge = Edge::<Inline<R>, Inline<H>>::new(&link).map_err(TierError::Link)?;
        self.add(tier, edge, Histogram::<Inline<H>>::new())
    }
}

#[cfg(feature = "alloc")]
impl Chain<crate::storage::Heap, crate::storage::Heap, crate::storage::Heap> {
    /// A chain of up to so many services and jobs at once, allocated now. Latencies are told apart over their whole range.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn with_capacity(config: Config, tiers: u32, jobs: u32) -> Result<Self, ConfigError> {
        use self::jobs::NONE;
        use crate::storage::{Heap, HeapList};
        if [0, NONE].contains(&tiers) || [0, NONE].contains(&jobs) {
            return Err(ConfigError::Capacity);
        }
        config.check()?;
        Ok(Self {
            config,
            now: Instant::ZERO,
            stations: HeapList::with_capacity(tiers as usize),
            jobs: Jobs::<Heap>::with_capacity(jobs as usize),
            arrival: Arrival::after(&config, Instant::ZERO, 0),
            change_at: None,
            touched: Instant::ZERO,
            all: Requests::default(),
            important: Requests::default(),
            no_room: 0,
        })
    }

    /// Adds a service at the end of the chain and the way in which it is called, and says its index.
    ///
    /// # Errors
    ///
    /// [`TierError`]; nothing changed.
    pub fn insert(&mut self, tier: Tier, link: Link) -> Result<u32, TierError> {
        use crate::storage::Heap;
        let edge = Edge::<Heap, Heap>::with_capacity(&link, self.jobs.capacity()).map_err(TierError::Link)?;
        self.add(tier, edge, Histogram::<Heap>::with_highest(u64::MAX))
    }
}

impl<S: Storage, R: Storage, H: Storage> Chain<S, R, H> {
    fn add(&mut self, tier: Tier, edge: Edge<R, H>, latency: Histogram<H>) -> Result<u32, TierError> {
        tier.check()?;
        if self.now > Instant::ZERO || self.jobs.len() > 0 {
            return Err(TierError::Full);
        }
        let index = self.stations.len() as u32;
        let station = Station {
            spec: tier,
            edge,
            fault: None,
            changes: 0,
            line: Line::new(),
            working: 0,
            counts: Counts::default(),
            latency,
        };
        self.stations.push(station).map_err(|_| TierError::Full)?;
        self.change_at = self.stations.iter().filter_map(Station::change_at).min();
        Ok(index)
    }

    /// The clock: where the last step left it.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The requests of the users.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How many services there are.
    #[must_use]
    pub fn tiers(&self) -> u32 {
        self.stations.len() as u32
    }

    /// How many jobs there are: users' requests, and attempts along the chain, those included for which nobody waits.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.jobs.len()
    }

    /// How a service is now.
    #[must_use]
    pub fn level(&self, tier: u32) -> Option<Level> {
        self.stations.get(tier as usize).map(|station| station.level(self.now))
    }

    /// The latencies of the calls of a service that were answered, in nanoseconds. Those of service 0 are the users'.
    #[must_use]
    pub fn latencies(&self, tier: u32) -> Option<&Histogram<H>> {
        self.stations.get(tier as usize).map(|station| &station.latency)
    }

    /// What a service did.
    #[must_use]
    pub fn stats(&self, tier: u32) -> Option<TierStats> {
        let station = self.stations.get(tier as usize)?;
        let counts = &station.counts;
        let quantile =
            |per_mille| Duration::from_nanos(station.latency.quantile(per_mille, 1_000).unwrap_or(0));
        let elapsed = crate::time::saturating_nanos(self.elapsed());
        let answered = counts.calls.succeeded + counts.calls.degraded;
        let per_second = u128::from(answered) * 1_000_000_000;
        let workers = elapsed.saturating_mul(station.spec.workers.into());
        Some(TierStats {
            calls: counts.calls,
            failures: counts.failures,
            attempts: counts.attempts,
            turned_away: counts.turned_away,
            held_back: counts.held_back,
            retries: counts.retries,
            hedges: counts.hedges,
            unpaid: counts.unpaid,
            in_time: counts.in_time,
            late: counts.late,
            amplification: Q32::from_ratio(counts.attempts + counts.turned_away, self.all.arrived)
                .unwrap_or(Q32::ZERO),
            p50: quantile(500),
            p99: quantile(990),
            p999: quantile(999),
            goodput: Q32::from_ratio(u64::try_from(per_second).unwrap_or(u64::MAX), elapsed)
                .unwrap_or(Q32::ZERO),
            busy: Duration::from_nanos(counts.busy),
            wasted: Duration::from_nanos(counts.wasted),
            utilisation: Q32::from_ratio(counts.busy, workers).unwrap_or(Q32::ZERO),
            longest_queue: counts.longest_queue,
            opened: station.edge.opened(self.now),
            level: station.level(self.now),
        })
    }

    fn elapsed(&self) -> Duration {
        self.touched.saturating_duration_since(self.config.warm_up)
    }

    /// What it all came to.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let latency = self.stations.first().map(|station| &station.latency);
        let nanos = |nanos: Option<u64>| Duration::from_nanos(nanos.unwrap_or(0));
        let quantile = |per_mille| nanos(latency.and_then(|latency| latency.quantile(per_mille, 1_000)));
        let wasted = self.stations.iter().map(|station| station.counts.wasted);
        Summary {
            elapsed: self.elapsed(),
            all: self.all,
            important: self.important,
            no_room: self.no_room,
            mean: nanos(latency.and_then(Histogram::mean)),
            p50: quantile(500),
            p99: quantile(990),
            p999: quantile(999),
            max: nanos(latency.and_then(Histogram::max)),
            wasted: Duration::from_nanos(wasted.fold(0, u64::saturating_add)),
        }
    }
}

impl<R: Storage, H: Storage> Station<R, H> {
    fn level(&self, now: Instant) -> Level {
        Level {
            waiting: self.line.len(),
            working: self.working,
            workers: self.spec.workers,
            faulty: self.fault.is_some(),
            breaker: self.edge.breaker(now),
            limit: self.edge.limit(),
        }
    }
}

impl<S: Storage, R: Storage, H: Storage> fmt::Debug for Chain<S, R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("now", &self.now)
            .field("tiers", &self.stations.len())
            .field("held", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
