//! Balancers on a virtual clock: requests that come, dispatchers that place them, servers that take their time, queue, fail
//! and go away.
//!
//! The dispatchers hold [`Balancer`]s, the same code that places real requests; traffic, servers and clock are the
//! simulation's.

mod agenda;
mod calls;
mod changes;
mod config;
mod engine;
mod error;
mod event;
mod figures;
mod inform;
mod keys;
mod line;
mod series;
mod server;
#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the means and the spread are checked in floats")]
mod tests;

use core::fmt;
use core::time::Duration;

pub use self::config::{Config, ConfigError, Information};
pub use self::error::{ChangeError, PushError};
pub use self::event::{End, Event, Unplaced, What};
pub use self::figures::{ServerStats, Summary};
pub use self::keys::{Keys, KeysError};
pub use self::series::{Series, Window};
pub use self::server::{Change, Fault, Outage, Server, ServerError};
pub use super::arrivals::{Arrivals, ArrivalsError};
pub use super::service::{Service, ServiceError};

use self::agenda::{Agenda, Fifo};
use self::calls::{Call, Calls};
use self::engine::Arrival;
use self::figures::{Figures, ratio};
use self::keys::Drawer;
use self::line::{Line, NONE};
use self::server::{Station, Traits};
use crate::Instant;
use crate::balance::{Balancer, Member, MemberId, Policy};
use crate::sketch::Histogram;
use crate::storage::{Full, Inline, List, Storage};
use crate::time::saturating_nanos;

/// A discrete-event simulation of requests, dispatchers and servers.
///
/// Shows what a policy does to traffic: how long requests take, how evenly the servers are loaded, and what becomes of it
/// all when servers are slow, fail, leave and join, or when what a dispatcher knows of their load is old.
///
/// *When not to use it:* to predict the microseconds of a real service. It knows queues and service times, but no caches,
/// no connections and no contention.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, RoundRobin};
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::sim::dispatch::{Arrivals, Config, Dispatch, Server, ServerError};
/// use divvy::storage::Inline;
///
/// let milli = Duration::from_millis(1);
/// let config = Config::new().arrivals(Arrivals::Poisson { gap: milli }).requests(1_000);
/// let mut sim = Dispatch::<RoundRobin, Inline<1>, Inline<2>, Inline<64>>::new(config)?;
/// let fleet = Fleet::new(Duration::from_secs(60));
/// sim.insert_dispatcher(Balancer::new(fleet, RoundRobin::new())).expect("there is room for one");
/// sim.insert(Server::new())?;
/// sim.insert(Server::new())?;
///
/// let mut rng = Xoshiro256PlusPlus::seed(7);
/// while let Some(_event) = sim.step(&mut rng) {}
/// let summary = sim.summary();
/// assert_eq!(summary.succeeded, 1_000);
/// // Each of the servers is busy half of the time, so that requests wait now and then:
/// assert!(summary.mean > milli && summary.mean < 3 * milli);
/// // There is room for two:
/// assert_eq!(sim.insert(Server::new()), Err(ServerError::Full));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Complexity
///
/// An event is *O*(log requests) and one decision of the policy; a snapshot is *O*(dispatchers × servers), a fault that
/// loses requests *O*(requests). Nothing is allocated after construction: for each request that is in the simulation at once
/// about 200 bytes, and 48 more in the fleet of each dispatcher.
///
/// # Time
///
/// The clock starts at [`Instant::ZERO`] and moves only in [`Dispatch::step`]. At one instant, changes of servers come
/// first, then requests on their way, callers that give up, probes, snapshots, and new requests last; each kind in the
/// order in which it was due to happen.
///
/// # Concurrency
///
/// One owner.
///
/// # References
///
/// Mitzenmacher: *The power of two choices in randomized load balancing*, 1996; *How useful is old information?*, 2000.
pub struct Dispatch<
    P: Policy,
    D: Storage = Inline<1>,
    M: Storage = Inline<8>,
    R: Storage = Inline<64>,
    H: Storage = Inline<0>,
> {
    config: Config,
    keys: Drawer,
    now: Instant,
    dispatchers: D::List<Balancer<P, M, R>>,
    /// For each dispatcher that there may be: which server has which place in its fleet.
    maps: D::List<Map<M>>,
    stations: M::List<Station>,
    calls: Calls<R>,
    agenda: Agenda<u32, R>,
    plans: Agenda<(u32, Change), R>,
    probes: Fifo<Probe, R>,
    pushed: Line,
    last_pushed: Instant,
    /// The next request that the configuration's arrivals bring.
    arrival: Option<Arrival>,
    /// How many servers requests avoid.
    avoided: u32,
    /// Requests that came so far.
    number: u64,
    snapshot_at: Option<Instant>,
    /// Which server had a key last, by the key's hash modulo the length.
    owners: R::List<(u64, u32)>,
    figures: Figures<H>,
}

/// Which server has which place in a fleet.
struct Map<M: Storage> {
    servers: M::List<u32>,
    members: M::List<Option<MemberId>>,
    zone: Option<u16>,
}

/// A probe on its way, or its answer.
#[derive(Clone, Copy, Debug)]
struct Probe {
    at: Instant,
    dispatcher: u32,
    server: u32,
    /// Whether it was at the server, and is on the way back with what follows.
    answered: bool,
    in_flight: u32,
    latency: u64,
}

impl<P: Policy, const D: usize, const M: usize, const R: usize, const H: usize>
    Dispatch<P, Inline<D>, Inline<M>, Inline<R>, Inline<H>>
{
    /// A simulation of up to `D` dispatchers, `M` servers and `R` requests at once, whose latencies go into `H` buckets.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if D == 0 || M == 0 || R == 0 {
            return Err(ConfigError::Capacity);
        }
        let mut maps = heapless::Vec::new();
        for _ in 0..D {
            let map = Map { servers: heapless::Vec::new(), members: heapless::Vec::new(), zone: None };
            // As many places as dispatchers: this cannot be refused.
            let _ = List::push(&mut maps, map);
        }
        let mut owners = heapless::Vec::new();
        owners.resize(R, (0, NONE)).map_err(|_| ConfigError::Capacity)?;
        Ok(Self {
            keys: config.check()?,
            config,
            now: Instant::ZERO,
            dispatchers: heapless::Vec::new(),
            maps,
            stations: heapless::Vec::new(),
            calls: Calls::<Inline<R>>::new(),
            agenda: Agenda::<_, Inline<R>>::new(),
            plans: Agenda::<_, Inline<R>>::new(),
            probes: Fifo::<_, Inline<R>>::new(),
            pushed: Line::new(),
            last_pushed: Instant::ZERO,
            arrival: Arrival::after(&config, Instant::ZERO, 0),
            avoided: 0,
            number: 0,
            snapshot_at: config.snapshot_after(Instant::ZERO),
            owners,
            figures: Figures::new(Histogram::<Inline<H>>::new()),
        })
    }
}

#[cfg(feature = "alloc")]
impl<P: Policy>
    Dispatch<P, crate::storage::Heap, crate::storage::Heap, crate::storage::Heap, crate::storage::Heap>
{
    /// A simulation of up to so many dispatchers, servers and requests at once, allocated now. Latencies are told apart
    /// over their whole range.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn with_capacity(
        config: Config,
        dispatchers: u32,
        servers: u32,
        requests: u32,
    ) -> Result<Self, ConfigError> {
        use crate::storage::{Heap, HeapList};
        if [dispatchers, servers, requests].iter().any(|capacity| [0, NONE].contains(capacity)) {
            return Err(ConfigError::Capacity);
        }
        let (servers, requests) = (servers as usize, requests as usize);
        let mut maps = HeapList::with_capacity(dispatchers as usize);
        for _ in 0..dispatchers {
            let map = Map {
                servers: HeapList::with_capacity(servers),
                members: HeapList::with_capacity(servers),
                zone: None,
            };
            // As many places as dispatchers: this cannot be refused.
            let _ = maps.push(map);
        }
        // Twice as many places as keys, within reason, so that few keys share one.
        let owners = config.keys.count().clamp(1 << 10, 1 << 16) * 2;
        let mut list = HeapList::with_capacity(owners as usize);
        for _ in 0..owners {
            let _ = list.push((0, NONE));
        }
        Ok(Self {
            keys: config.check()?,
            config,
            now: Instant::ZERO,
            dispatchers: HeapList::with_capacity(dispatchers as usize),
            maps,
            stations: HeapList::with_capacity(servers),
            calls: Calls::<Heap>::with_capacity(requests),
            agenda: Agenda::<_, Heap>::with_capacity(requests),
            plans: Agenda::<_, Heap>::with_capacity(requests.max(4 * servers)),
            probes: Fifo::<_, Heap>::with_capacity(requests),
            pushed: Line::new(),
            last_pushed: Instant::ZERO,
            arrival: Arrival::after(&config, Instant::ZERO, 0),
            avoided: 0,
            number: 0,
            snapshot_at: config.snapshot_after(Instant::ZERO),
            owners: list,
            figures: Figures::new(Histogram::<Heap>::with_highest(u64::MAX)),
        })
    }
}

impl<P: Policy, D: Storage, M: Storage, R: Storage, H: Storage> Dispatch<P, D, M, R, H> {
    /// Adds a dispatcher, in no zone, and says its index. Requests come to each with the same probability. Its fleet gets
    /// the servers that are there; members that it has already get nothing from the simulation's point of view, so give
    /// it an empty one, with room for all servers and with a timeout above that of the callers.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room for it, or its fleet has none for the servers: here it is back.
    #[allow(clippy::result_large_err, reason = "the balancer comes back as it was, whatever its size")]
    pub fn insert_dispatcher(
        &mut self,
        mut balancer: Balancer<P, M, R>,
    ) -> Result<u32, Full<Balancer<P, M, R>>> {
        let index = self.dispatchers.len();
        let Some(map) = self.maps.get_mut(index) else { return Err(Full(balancer)) };
        map.members.clear();
        for (server, station) in (0..).zip(self.stations.iter()) {
            // As many places as servers.
            let _ = map.members.push(None);
            if station.present && map.join(&mut balancer, self.now, server, &station.spec).is_err() {
                return Err(Full(balancer));
            }
        }
        self.dispatchers.push(balancer)?;
        Ok(index as u32)
    }

    /// Puts a dispatcher into a zone: its requests come from there.
    pub fn set_zone(&mut self, dispatcher: u32, zone: Option<u16>) {
        if let Some(map) = self.maps.get_mut(dispatcher as usize) {
            map.zone = zone;
        }
    }

    /// Adds a server, and says its index.
    ///
    /// # Errors
    ///
    /// [`ServerError`]; nothing changed.
    pub fn insert(&mut self, server: Server) -> Result<u32, ServerError> {
        server.check()?;
        let outage = server.outage.map_or(0, |outage| 2 + 2 * usize::from(outage.noticed.is_some()));
        let now = server.joins_at <= self.now;
        let plans = usize::from(!now) + usize::from(server.leaves_at.is_some()) + outage;
        if self.plans.room() < plans {
            return Err(ServerError::Plans);
        }
        let index = self.stations.len() as u32;
        let mut station = Station::new(&server);
        station.counts.touched = self.now;
        self.stations.push(station).map_err(|_| ServerError::Full)?;
        for map in self.maps.iter_mut() {
            let _ = map.members.push(None);
        }
        if now && self.join(index).is_err() {
            self.leave(index);
            for map in self.maps.iter_mut() {
                map.members.pop();
            }
            self.stations.pop();
            return Err(ServerError::Fleet);
        }
        // The room was counted above.
        let mut plan = |at: Instant, change| {
            let _ = self.plans.insert(at.max(self.now), (index, change));
        };
        if !now {
            plan(server.joins_at, Change::Join);
        }
        if let Some(at) = server.leaves_at {
            plan(at, Change::Leave);
        }
        if let Some(outage) = server.outage {
            plan(outage.from, Change::Fail(outage.fault));
            plan(outage.until.max(outage.from), Change::Recover);
            if let Some(after) = outage.noticed {
                plan(outage.from.saturating_add(after), Change::MarkDown);
                plan(outage.until.max(outage.from).saturating_add(after), Change::MarkUp);
            }
        }
        Ok(index)
    }

    /// Brings a request at `at`, with the hash of its key if it has one, and its work on a server of speed 1; without
    /// that, it is drawn as the configuration says.
    ///
    /// # Errors
    ///
    /// [`PushError`]; nothing changed.
    pub fn push(&mut self, at: Instant, key: Option<u64>, work: Option<Duration>) -> Result<(), PushError> {
        if at < self.last_pushed.max(self.now) {
            return Err(PushError::Late);
        }
        let place = Call::new(0, at, key, work.map(saturating_nanos));
        let place = self.calls.insert(place).ok_or(PushError::Full)?;
        self.calls.enqueue(&mut self.pushed, place);
        self.last_pushed = at;
        Ok(())
    }

    /// Changes a server at `at`.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    pub fn schedule(&mut self, at: Instant, server: u32, change: Change) -> Result<(), ChangeError> {
        self.check(server, change)?;
        if at < self.now {
            return Err(ChangeError::Late);
        }
        self.plans.insert(at, (server, change)).map_err(|_| ChangeError::Full)
    }

    /// Changes a server now.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    pub fn apply(&mut self, server: u32, change: Change) -> Result<Event, ChangeError> {
        self.check(server, change)?;
        self.change(server, change);
        Ok(Event { at: self.now, what: What::Changed { server, change } })
    }

    /// The clock: where the last step left it.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The traffic.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// A dispatcher's balancer.
    #[must_use]
    pub fn balancer(&self, dispatcher: u32) -> Option<&Balancer<P, M, R>> {
        self.dispatchers.get(dispatcher as usize)
    }

    /// How many dispatchers there are.
    #[must_use]
    pub fn dispatchers(&self) -> u32 {
        self.dispatchers.len() as u32
    }

    /// How many servers there are, those included that left or have not joined yet.
    #[must_use]
    pub fn servers(&self) -> u32 {
        self.stations.len() as u32
    }

    /// Requests that have a place: pushed ones that have not come yet, and all that have not ended, or whose callers
    /// gave up while a server still has them.
    #[must_use]
    pub const fn held(&self) -> u32 {
        self.calls.len()
    }

    /// The latencies of the requests that succeeded, in nanoseconds.
    pub const fn latencies(&self) -> &Histogram<H> {
        &self.figures.latency
    }

    /// What each server did, by index.
    pub fn stats(&self) -> impl ExactSizeIterator<Item = ServerStats> {
        self.stations.iter().map(|station| self.stats_of(station))
    }

    /// What a server did.
    #[must_use]
    pub fn server(&self, server: u32) -> Option<ServerStats> {
        Some(self.stats_of(self.stations.get(server as usize)?))
    }

    fn stats_of(&self, station: &Station) -> ServerStats {
        let mut accounted = *station;
        accounted.touch(self.figures.last.max(station.counts.touched));
        let counts = accounted.counts;
        let elapsed = self.elapsed().as_nanos();
        ServerStats {
            picked: counts.picked,
            served: counts.served,
            failed: counts.failed,
            rejected: counts.rejected,
            lost: counts.lost,
            waiting: station.waiting,
            serving: station.serving,
            peak: counts.peak,
            busy: Duration::from_nanos(u64::try_from(counts.busy).unwrap_or(u64::MAX)),
            utilisation: ratio(counts.busy, elapsed * u128::from(station.spec.slots)),
            mean_held: ratio(counts.held, elapsed),
            present: station.present,
            faulty: station.fault.is_some(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.figures.last.saturating_duration_since(self.figures.begun)
    }

    /// What it all came to.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let figures = &self.figures;
        let [succeeded, failed, rejected, lost, timed_out] = figures.ends;
        let ended: u64 = figures.ends.iter().sum();
        let quantile = |per_mille| figures.latency.quantile(per_mille, 1_000).unwrap_or(0);
        let elapsed = self.elapsed();
        let mut spread = figures.spread;
        spread.touch(figures.last.max(figures.begun));
        Summary {
            elapsed,
            arrived: figures.arrived,
            succeeded,
            failed,
            rejected,
            lost,
            timed_out,
            refused: figures.refused,
            unfinished: figures.arrived - figures.refused - ended,
            late: figures.late,
            mean: Duration::from_nanos(figures.latency.mean().unwrap_or(0)),
            p50: Duration::from_nanos(quantile(500)),
            p99: Duration::from_nanos(quantile(990)),
            p999: Duration::from_nanos(quantile(999)),
            max: Duration::from_nanos(figures.latency.max().unwrap_or(0)),
            mean_held: spread.mean_held(elapsed),
            spread: spread.deviation(),
            skew: self.skew(),
            utilisation: self.stats().map(|stats| stats.utilisation).max().unwrap_or_default(),
            repeated: figures.repeated,
            moved: figures.moved,
            probes: figures.probes,
            probes_dropped: figures.probes_dropped,
        }
    }

    /// The largest of requests per weight over the mean.
    fn skew(&self) -> crate::fixed::Q32 {
        let weighted = || self.stations.iter().filter(|station| station.spec.weight > 0);
        let (mut picked, mut weight) = (0, 0);
        for station in weighted() {
            picked += u128::from(station.counts.picked);
            weight += u128::from(station.spec.weight);
        }
        let share = |station: &Station| {
            let all = picked * u128::from(station.spec.weight);
            ratio(u128::from(station.counts.picked) * weight, all)
        };
        weighted().map(share).max().unwrap_or_default()
    }
}

impl<P: Policy, D: Storage, M: Storage, R: Storage, H: Storage> fmt::Debug for Dispatch<P, D, M, R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("now", &self.now)
            .field("dispatchers", &self.dispatchers.len())
            .field("servers", &self.stations.len())
            .field("held", &self.calls.len())
            .finish_non_exhaustive()
    }
}

impl<M: Storage> Map<M> {
    /// Puts a server into the fleet.
    fn join<P: Policy, R: Storage>(
        &mut self,
        balancer: &mut Balancer<P, M, R>,
        now: Instant,
        server: u32,
        spec: &Traits,
    ) -> Result<(), crate::balance::FleetError> {
        let member = Member::new(&server.to_le_bytes()).weight(spec.weight).zone(spec.zone);
        let id = balancer.fleet_mut().insert(now, member)?;
        self.members[server as usize] = Some(id);
        let slot = id.slot() as usize;
        while self.servers.len() <= slot {
            self.servers.push(NONE).map_err(|_| crate::balance::FleetError::Full)?;
        }
        self.servers[slot] = server;
        Ok(())
    }
}
