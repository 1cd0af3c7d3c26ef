//! Which tasks come, and who wakes for them.

use core::fmt;
use core::time::Duration;

use crate::sim::arrivals::{Arrivals, ArrivalsError};
use crate::sim::service::Service;
use crate::{Instant, Rng};

/// Who wakes when a task comes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Policy {
    /// Nobody: each worker wakes by itself every so often and looks, at times spread over the interval.
    Poll {
        /// The time between two looks.
        every: Duration,
    },
    /// All that sleep.
    All,
    /// One that sleeps.
    One,
    /// So many that sleep.
    Some {
        /// How many.
        workers: u32,
    },
}

/// Tasks and workers, as setters of one value.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Config {
    pub(super) policy: Policy,
    pub(super) arrivals: Arrivals,
    pub(super) at: Instant,
    pub(super) tasks: u64,
    pub(super) service: Service,
    pub(super) wake: Duration,
    pub(super) look: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// One task after half a second, which takes a millisecond and wakes one worker. To wake up takes 50 µs, to look at the
    /// queue 1 µs.
    pub const fn new() -> Self {
        Self {
            policy: Policy::One,
            arrivals: Arrivals::Constant { gap: Duration::from_millis(1) },
            at: Instant::from_millis(500),
            tasks: 1,
            service: Service::constant(Duration::from_millis(1)),
            wake: Duration::from_micros(50),
            look: Duration::from_micros(1),
        }
    }

    /// Who wakes when a task comes.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How the tasks after the first arrive.
    pub const fn arrivals(mut self, arrivals: Arrivals) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// When the first task comes.
    pub const fn at(mut self, at: Instant) -> Self {
        self.at = at;
        self
    }

    /// How many tasks come.
    pub const fn tasks(mut self, tasks: u64) -> Self {
        self.tasks = tasks;
        self
    }

    /// How long a task takes.
    pub const fn service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// How long a worker takes to wake up.
    pub const fn wake(mut self, time: Duration) -> Self {
        self.wake = time;
        self
    }

    /// How long a worker holds the queue's lock to look for a task.
    pub const fn look(mut self, time: Duration) -> Self {
        self.look = time;
        self
    }

    pub(super) const fn check(&self) -> Result<(), ConfigError> {
        if let Err(error) = self.arrivals.check() {
            return Err(ConfigError::Arrivals(error));
        }
        match self.policy {
            Policy::Poll { every: Duration::ZERO } => Err(ConfigError::Poll),
            Policy::Some { workers: 0 } => Err(ConfigError::Nobody),
            _ => Ok(()),
        }
    }

    /// The first task.
    pub(super) fn first(&self) -> Option<(Instant, u64)> {
        (self.tasks > 0).then_some((self.at, 0))
    }

    /// The task after that of this number, which came at `last`.
    pub(super) fn next(&self, last: Instant, task: u64, rng: &mut impl Rng) -> Option<(Instant, u64)> {
        let next = task + 1;
        if next >= self.tasks {
            return None;
        }
        self.arrivals.next(last, rng.next_u64()).map(|at| (at, next))
    }
}

/// Why a configuration has no meaning.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The arrivals.
    Arrivals(ArrivalsError),
    /// Workers would look without any time between. Remedy: a time above 0.
    Poll,
    /// Nobody would ever be woken. Remedy: one worker at least.
    Nobody,
    /// There are no workers, or more than 2²⁰. Remedy: a number between.
    Capacity,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrivals(error) => error.fmt(f),
            Self::Poll => f.write_str("workers must sleep for some time between looks; use a time above 0"),
            Self::Nobody => f.write_str("a task that wakes nobody is never begun; wake one worker at least"),
            Self::Capacity => f.write_str("workers must be from 1 to 1,048,576"),
        }
    }
}

impl core::error::Error for ConfigError {}
