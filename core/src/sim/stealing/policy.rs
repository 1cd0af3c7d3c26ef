//! What is simulated: the work that lands, and what workers without any do.

use core::fmt;
use core::time::Duration;

use crate::time::nanos;

/// How many tasks a successful steal takes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Take {
    /// Workers never steal: whoever has finished its own tasks stops.
    None,
    /// The oldest task of the victim.
    One,
    /// The older half of the victim's tasks, rounded up.
    Half,
}

/// Whom a worker without tasks turns to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Victim {
    /// Any other worker, each with the same probability, without looking at its deque first.
    Random,
    /// The worker with the longest deque (the lowest index among equals).
    Busiest,
}

/// What a worker without tasks does.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sim::stealing::{Policy, PolicyError, Take, Victim};
///
/// assert!(Policy::new(Take::Half, Victim::Random, Duration::from_micros(50)).is_ok());
/// // A steal that takes no time would let a thief try for ever in one instant:
/// assert_eq!(Policy::new(Take::One, Victim::Random, Duration::ZERO), Err(PolicyError::NoCost));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Policy {
    take: Take,
    victim: Victim,
    cost: u64,
}

impl Policy {
    /// Steals `take` from `victim`; each attempt, successful or not, lasts `cost`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], if `cost` is zero or longer than 64 bits of nanoseconds.
    pub const fn new(take: Take, victim: Victim, cost: Duration) -> Result<Self, PolicyError> {
        match nanos(cost) {
            Some(0) => Err(PolicyError::NoCost),
            Some(cost) => Ok(Self { take, victim, cost }),
            None => Err(PolicyError::CostTooLong),
        }
    }

    /// How many tasks a successful steal takes.
    pub const fn take(&self) -> Take {
        self.take
    }

    /// Whom a worker without tasks turns to.
    pub const fn victim(&self) -> Victim {
        self.victim
    }

    /// How long an attempt lasts.
    pub const fn cost(&self) -> Duration {
        Duration::from_nanos(self.cost)
    }
}

/// Why [`Policy::new`] refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PolicyError {
    /// The cost of an attempt is zero. Remedy: one nanosecond or more.
    NoCost,
    /// The cost of an attempt does not fit 64 bits of nanoseconds. Remedy: less than 584 years.
    CostTooLong,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCost => "a steal attempt must last some time; give it one nanosecond or more",
            Self::CostTooLong => "a steal attempt must last less than 584 years",
        })
    }
}

impl core::error::Error for PolicyError {}

/// A batch of tasks that lands unevenly: many on worker 0, the rest dealt one by one over the others.
///
/// The default is 100 tasks of 10 to 100 ms, 70 of them on worker 0.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Batch {
    /// How many tasks there are.
    pub tasks: u32,
    /// How many of them land on worker 0 (all, if there are fewer or if it is the only worker).
    pub on_first: u32,
    /// The shortest run time of a task. Run times are uniform, to the nanosecond.
    pub shortest: Duration,
    /// The longest run time of a task (the shortest, if that is longer).
    pub longest: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            tasks: 100,
            on_first: 70,
            shortest: Duration::from_millis(10),
            longest: Duration::from_millis(100),
        }
    }
}
