//! The traffic of a simulation, and what its dispatchers know.

use core::fmt;
use core::time::Duration;

use super::keys::{Drawer, Keys, KeysError};
use crate::Instant;
use crate::sim::arrivals::{Arrivals, ArrivalsError};
use crate::sim::service::Service;

/// How a dispatcher learns about the load that others put on the servers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Information {
    /// Not at all: it knows what it sent itself, and what came back.
    #[default]
    Own,
    /// Every `every`, each server's requests are reported to each dispatcher. Whether it adds what it sends in between
    /// is the policy's affair.
    Snapshot {
        /// The time between two.
        every: Duration,
    },
    /// Each answer carries the number of requests that the server then has.
    Answers,
}

/// What comes, and how much of it, as setters of one value.
///
/// The traffic is a function of the configuration: when a request comes, its key, its work and whether a server that fails
/// sometimes fails it follow from the [`seed`](Self::seed) and the request's number alone. So policies that are compared
/// have the same requests to place, however differently they draw from the generator that
/// [`step`](super::Dispatch::step) is given.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sim::dispatch::{Arrivals, Config, Keys, Service};
///
/// let milli = Duration::from_millis(1);
/// let config = Config::new()
///     .arrivals(Arrivals::Poisson { gap: milli / 8 })
///     .service(Service::exponential(milli))
///     .keys(Keys::Uniform { keys: 1_000 })
///     .requests(10_000)
///     .warm_up(1_000);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Config {
    pub(super) seed: u64,
    pub(super) arrivals: Arrivals,
    pub(super) requests: u64,
    pub(super) warm_up: u64,
    pub(super) service: Service,
    pub(super) keys: Keys,
    pub(super) information: Information,
    pub(super) timeout: Option<Duration>,
    pub(super) network: Duration,
    pub(super) probe_network: Duration,
    pub(super) idle_reports: bool,
    pub(super) work_known: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Pushed requests of a millisecond on average, exponentially distributed, without keys; dispatchers that know only
    /// what they do themselves; no network between; callers that wait for ever.
    pub const fn new() -> Self {
        Self {
            seed: 1,
            arrivals: Arrivals::Pushed,
            requests: u64::MAX,
            warm_up: 0,
            service: Service::exponential(Duration::from_millis(1)),
            keys: Keys::None,
            information: Information::Own,
            timeout: None,
            network: Duration::ZERO,
            probe_network: Duration::ZERO,
            idle_reports: false,
            work_known: false,
        }
    }

    /// What the traffic follows from.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How requests arrive.
    pub const fn arrivals(mut self, arrivals: Arrivals) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// How many arrive, pushed ones apart. Then the simulation goes on until all have ended.
    pub const fn requests(mut self, requests: u64) -> Self {
        self.requests = requests;
        self
    }

    /// The figures begin with the arrival of the request of this number; what came before counts nowhere.
    pub const fn warm_up(mut self, requests: u64) -> Self {
        self.warm_up = requests;
        self
    }

    /// How much work a request is, on a server of speed 1.
    pub const fn service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// Which keys requests have.
    pub const fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// How dispatchers learn about the load that others put on the servers.
    pub const fn information(mut self, information: Information) -> Self {
        self.information = information;
        self
    }

    /// Callers give up after `timeout`. The server does the work all the same.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A request takes `delay` to its server, and the answer as long back; probes and their answers as well.
    pub const fn network(mut self, delay: Duration) -> Self {
        self.network = delay;
        self.probe_network = delay;
        self
    }

    /// Probes and their answers take `delay` each way, whatever requests take.
    pub const fn probe_network(mut self, delay: Duration) -> Self {
        self.probe_network = delay;
        self
    }

    /// A server that runs out of work reports so to one dispatcher, by chance: join-idle-queue's other half.
    pub const fn idle_reports(mut self, reports: bool) -> Self {
        self.idle_reports = reports;
        self
    }

    /// Balancers are told each request's work, in microseconds, as its one feature: what a learning policy estimates run times
    /// from.
    pub const fn work_known(mut self, known: bool) -> Self {
        self.work_known = known;
        self
    }

    /// When the snapshot after one at `last` is taken, if any is.
    pub(super) const fn snapshot_after(&self, last: Instant) -> Option<Instant> {
        match self.information {
            Information::Snapshot { every } => last.checked_add(every),
            _ => None,
        }
    }

    pub(super) fn check(&self) -> Result<Drawer, ConfigError> {
        self.arrivals.check().map_err(ConfigError::Arrivals)?;
        if matches!(self.information, Information::Snapshot { every: Duration::ZERO }) {
            return Err(ConfigError::Snapshot);
        }
        if self.timeout == Some(Duration::ZERO) {
            return Err(ConfigError::Timeout);
        }
        Drawer::new(self.keys).map_err(ConfigError::Keys)
    }
}

/// Why a configuration has no meaning.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The arrivals.
    Arrivals(ArrivalsError),
    /// The keys.
    Keys(KeysError),
    /// Snapshots would follow each other without any time between. Remedy: a time above 0.
    Snapshot,
    /// Callers would give up at once. Remedy: a time above 0.
    Timeout,
    /// The capacities do not fit 32 bits or are 0. Remedy: others.
    Capacity,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrivals(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::Snapshot => f.write_str("snapshots must be some time apart; use a time above 0"),
            Self::Timeout => f.write_str("callers must wait for some time; use a time above 0"),
            Self::Capacity => f.write_str("capacities must be from 1 to 4,294,967,294"),
        }
    }
}

impl core::error::Error for ConfigError {}
