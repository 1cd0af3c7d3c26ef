//! What users ask of the chain.

use core::fmt;
use core::time::Duration;

use crate::Instant;
use crate::fixed::Q32;
use crate::sim::arrivals::{Arrivals, ArrivalsError};

/// Other arrivals for a while: a peak, a campaign, a game that ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Surge {
    /// When it begins.
    pub from: Instant,
    /// When it is over.
    pub until: Instant,
    /// How requests arrive while it lasts.
    pub arrivals: Arrivals,
}

/// The requests of the users, as setters of one value.
///
/// When a request comes, its priority, and for each of its attempts the work and the luck that it has, follow from the
/// [`seed`](Self::seed) and the request's number alone. So chains that differ in their protection have the same requests to
/// answer.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::sim::Arrivals;
/// use divvy::sim::chain::Config;
///
/// let config = Config::new()
///     .arrivals(Arrivals::Poisson { gap: Duration::from_millis(2) })
///     .until(Instant::from_secs(60))
///     .warm_up(Duration::from_secs(5));
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Config {
    pub(super) seed: u64,
    pub(super) arrivals: Arrivals,
    pub(super) requests: u64,
    pub(super) until: Instant,
    pub(super) surge: Option<Surge>,
    pub(super) low: Q32,
    pub(super) warm_up: Instant,
    pub(super) deadlines: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// A request every 10 milliseconds on average, independently of each other and without end, all of one priority.
    /// Services do not know how long their callers wait.
    pub const fn new() -> Self {
        Self {
            seed: 1,
            arrivals: Arrivals::Poisson { gap: Duration::from_millis(10) },
            requests: u64::MAX,
            until: Instant::MAX,
            surge: None,
            low: Q32::ZERO,
            warm_up: Instant::ZERO,
            deadlines: false,
        }
    }

    /// What the requests follow from.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How requests arrive.
    pub const fn arrivals(mut self, arrivals: Arrivals) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// How many arrive. Then the simulation goes on until all have ended.
    pub const fn requests(mut self, requests: u64) -> Self {
        self.requests = requests;
        self
    }

    /// None arrives from `until` on. Then the simulation goes on until all have ended.
    pub const fn until(mut self, until: Instant) -> Self {
        self.until = until;
        self
    }

    /// Requests arrive otherwise for a while.
    pub const fn surge(mut self, surge: Surge) -> Self {
        self.surge = Some(surge);
        self
    }

    /// This share of the requests has a low priority: services that [shed](super::Tier::shed) turn them away first.
    pub const fn low_priority(mut self, share: Q32) -> Self {
        self.low = share;
        self
    }

    /// The figures are those of requests that arrive from `warm_up` on.
    pub const fn warm_up(mut self, warm_up: Duration) -> Self {
        self.warm_up = Instant::ZERO.saturating_add(warm_up);
        self
    }

    /// Whether each call carries the time at which its caller gives up: a service then starts no work, no retry and no call
    /// that could only be late.
    pub const fn deadlines(mut self, deadlines: bool) -> Self {
        self.deadlines = deadlines;
        self
    }

    pub(super) const fn check(&self) -> Result<(), ConfigError> {
        if let Err(error) = self.arrivals.check() {
            return Err(ConfigError::Arrivals(error));
        }
        if let Some(Surge { from, until, arrivals }) = &self.surge {
            if let Err(error) = arrivals.check() {
                return Err(ConfigError::Arrivals(error));
            }
            if until.as_nanos() < from.as_nanos() {
                return Err(ConfigError::Surge);
            }
        }
        if self.low.to_bits() > Q32::ONE.to_bits() {
            return Err(ConfigError::Share);
        }
        Ok(())
    }

    /// When the request after that of `last` comes, for the uniformly random `u`.
    pub(super) fn next(&self, last: Instant, u: u64) -> Option<Instant> {
        let at = match self.surge {
            Some(Surge { from, until, arrivals }) if last >= from && last < until => {
                // What would come after its end comes as it does without it, from its end on.
                match arrivals.next(last, u).filter(|at| *at < until) {
                    Some(at) => Some(at),
                    None => self.arrivals.next(until, u),
                }
            }
            Some(Surge { from, until, arrivals }) if last < from && until > from => {
                match self.arrivals.next(last, u).filter(|at| *at < from) {
                    Some(at) => Some(at),
                    None => arrivals.next(from, u),
                }
            }
            _ => self.arrivals.next(last, u),
        };
        at.filter(|at| *at < self.until)
    }
}

/// Why a configuration has no meaning.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The arrivals.
    Arrivals(ArrivalsError),
    /// The surge ends before it begins. Remedy: exchange the two.
    Surge,
    /// The share of low priority is above 1. Remedy: one between 0 and 1.
    Share,
    /// The capacities do not fit 32 bits or are 0. Remedy: others.
    Capacity,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrivals(error) => error.fmt(f),
            Self::Surge => f.write_str("a surge ends before it begins; exchange the two"),
            Self::Share => f.write_str("the share of low priority must be from 0 to 1"),
            Self::Capacity => f.write_str("capacities must be from 1 to 4,294,967,294"),
        }
    }
}

impl core::error::Error for ConfigError {}
