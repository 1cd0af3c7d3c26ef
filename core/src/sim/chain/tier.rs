//! A service of the chain: its workers, its queue, and what goes wrong with it.

use core::fmt;
use core::time::Duration;

use super::link::LinkError;
use crate::Instant;
use crate::fixed::Q32;
use crate::limit::{Codel, LoadShed};
use crate::sim::service::Service;

/// What is wrong with a service.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// Alive, but so many times slower: the work that begins takes `factor` times as long.
    Slow {
        /// How many times as long.
        factor: Q32,
    },
    /// It fails this share of what it works on, besides what it fails anyway.
    Failing {
        /// From 0 to 1.
        share: Q32,
    },
    /// It begins no work, though it takes requests into its queue.
    Stopped,
    /// It turns every request away at once. What it works on already is finished.
    Down,
}

impl Fault {
    pub(super) const fn check(&self) -> Result<(), TierError> {
        match self {
            Self::Slow { factor } if factor.to_bits() == 0 => Err(TierError::Factor),
            Self::Failing { share } if share.to_bits() > Q32::ONE.to_bits() => Err(TierError::Share),
            _ => Ok(()),
        }
    }

    pub(super) const fn words(&self) -> [u64; 2] {
        match self {
            Self::Slow { factor } => [1, factor.to_bits()],
            Self::Failing { share } => [2, share.to_bits()],
            Self::Stopped => [3, 0],
            Self::Down => [4, 0],
        }
    }
}

/// A fault that comes and goes by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outage {
    /// When it begins.
    pub from: Instant,
    /// When it is over; [`Instant::MAX`] for never.
    pub until: Instant,
    /// What is wrong.
    pub fault: Fault,
}

/// Who of those who wait goes next.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Discipline {
    /// Who came first.
    #[default]
    Fifo,
    /// Who came last: some are answered in time where all would be late.
    Lifo,
    /// Who came first, and who came last while [CoDel](Tier::codel) says that the queue stands.
    Adaptive,
}

/// One service of a [`Chain`](super::Chain), as setters of one value.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sim::Service;
/// use divvy::sim::chain::Tier;
///
/// // Sixteen workers of 5 ms each: 3,200 requests a second, of which 100 may wait.
/// let tier = Tier::new().workers(16).queue(100).service(Service::exponential(Duration::from_millis(5)));
/// # let _ = tier;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Tier {
    pub(super) workers: u32,
    pub(super) queue: u32,
    pub(super) discipline: Discipline,
    pub(super) service: Service,
    pub(super) failures: Q32,
    pub(super) codel: Option<Codel>,
    pub(super) shed: Option<LoadShed>,
    pub(super) outage: Option<Outage>,
}

impl Default for Tier {
    fn default() -> Self {
        Self::new()
    }
}

impl Tier {
    /// One worker that takes a millisecond on average, exponentially distributed, and a queue without a bound.
    pub const fn new() -> Self {
        Self {
            workers: 1,
            queue: u32::MAX,
            discipline: Discipline::Fifo,
            service: Service::exponential(Duration::from_millis(1)),
            failures: Q32::ZERO,
            codel: None,
            shed: None,
            outage: None,
        }
    }

    /// How many requests it works on at a time. A worker is held while it waits for the next service.
    pub const fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// How many may wait for a worker; the next one is turned away.
    pub const fn queue(mut self, places: u32) -> Self {
        self.queue = places;
        self
    }

    /// Who of those who wait goes next.
    pub const fn discipline(mut self, discipline: Discipline) -> Self {
        self.discipline = discipline;
        self
    }

    /// How long its own work takes.
    pub const fn service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// It fails this share of the requests, after its own work.
    pub const fn failures(mut self, share: Q32) -> Self {
        self.failures = share;
        self
    }

    /// It drops what waited too long in a queue that stands.
    pub const fn codel(mut self, codel: Codel) -> Self {
        self.codel = Some(codel);
        self
    }

    /// It turns requests away by priority. Those of [low priority](super::Config::low_priority) are
    /// [sheddable](crate::limit::Criticality), the others critical; its load is what it works on and what waits, over its
    /// workers and the places of its queue, so give that a bound.
    pub const fn shed(mut self, shed: LoadShed) -> Self {
        self.shed = Some(shed);
        self
    }

    /// Something goes wrong with it for a while.
    pub const fn outage(mut self, outage: Outage) -> Self {
        self.outage = Some(outage);
        self
    }

    pub(super) const fn check(&self) -> Result<(), TierError> {
        if self.workers == 0 {
            return Err(TierError::NoWorkers);
        }
        if self.failures.to_bits() > Q32::ONE.to_bits() {
            return Err(TierError::Share);
        }
        if let Some(outage) = &self.outage {
            if outage.until.as_nanos() < outage.from.as_nanos() {
                return Err(TierError::Outage);
            }
            return outage.fault.check();
        }
        Ok(())
    }
}

/// Why a service was refused. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TierError {
    /// It has no workers, and would answer nothing. Remedy: one at least.
    NoWorkers,
    /// A share is above 1. Remedy: one between 0 and 1.
    Share,
    /// It would be infinitely fast. Remedy: a factor above 0; above 1 is slower.
    Factor,
    /// Its outage ends before it begins. Remedy: exchange the two.
    Outage,
    /// There is no room for another service, or it was added after the first event. Remedy: a larger capacity; all services
    /// first.
    Full,
    /// There is no such service. Remedy: an index below the number of services.
    Unknown,
    /// How it is called has no meaning.
    Link(LinkError),
}

impl fmt::Display for TierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoWorkers => "a service without workers answers nothing; give it one at least",
            Self::Share => "a share must be from 0 to 1",
            Self::Factor => "a service cannot be infinitely fast; use a factor above 0",
            Self::Outage => "an outage ends before it begins; exchange the two",
            Self::Full => {
                "no room for another service; choose a larger capacity, and add all before the first event"
            }
            Self::Unknown => "no such service; use an index below the number of services",
            Self::Link(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for TierError {}
