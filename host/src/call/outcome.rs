//! How a call ended.

use divvy::breaker::{Outcome, Rejection};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What an answer means, as the caller judges it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// The answer is good.
    Success,
    /// The answer is good, and came too slowly by the caller's own measure. The breaker counts it as slow.
    Slow,
    /// A failure that may pass: it counts, and the call may be tried again.
    Transient,
    /// A failure that will not pass: it counts, and the call is not tried again.
    Permanent,
    /// It says nothing about who was called (not found, not allowed, cancelled): it counts nowhere, and the call is not
    /// tried again.
    Ignored,
}

impl Class {
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Success => Outcome::Success,
            Self::Slow => Outcome::Slow,
            Self::Transient | Self::Permanent => Outcome::Failure,
            Self::Ignored => Outcome::Ignored,
        }
    }

    /// Success for `Ok`, a transient failure for `Err`.
    pub(super) fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Success } else { Self::Transient }
    }
}

/// Which protection refused an attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// The breaker.
    Breaker(Rejection),
    /// The bulkhead: as many attempts as may be are under way.
    Bulkhead,
    /// The rate limit.
    Rate,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker(why) => why.fmt(f),
            Self::Bulkhead => {
                f.write_str("as many calls as may be are under way; come back when one has ended")
            }
            Self::Rate => f.write_str("the rate limit is reached; come back later"),
        }
    }
}

impl Error for Refusal {}

/// An attempt that was not made. Nothing was spent on it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Refused {
    /// Who refused it.
    pub why: Refusal,
    /// After how long time alone may change the answer; `None` if only the end of another call can, or a person.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after {
            Some(after) => write!(f, "{} (at the earliest in {after:?})", self.why),
            None => self.why.fmt(f),
        }
    }
}

impl Error for Refused {}

/// Why there was no further attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Stop {
    /// All that a call may have were made.
    Attempts,
    /// Retries and hedges have spent their budget.
    Budget,
    /// The next one would have begun after the call's time-out.
    Time,
    /// The next one was refused.
    Refused(Refusal),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempts => f.write_str("no attempt is left"),
            Self::Budget => f.write_str("the budget of retries is spent"),
            Self::Time => f.write_str("the time is over"),
            Self::Refused(why) => why.fmt(f),
        }
    }
}

/// Why a call has no good answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CallError<E> {
    /// It was never made. Remedy: answer from elsewhere, or come back after [`Refused::retry_after`].
    Refused(Refused),
    /// It failed in a way that is not tried again, or nothing is tried again.
    Failed(E),
    /// Its only attempt had no answer in time.
    TimedOut,
    /// It was tried again, or would have been, and then given up.
    GaveUp {
        /// How many attempts were made, hedges not counted.
        attempts: u32,
        /// Why there were no more.
        why: Stop,
        /// How the last one failed; `None` if it had no answer in time.
        last: Option<E>,
    },
}

impl<E> CallError<E> {
    /// The error of the attempt that failed last, if one did and had an answer.
    #[must_use]
    pub fn into_last(self) -> Option<E> {
        match self {
            Self::Failed(last) => Some(last),
            Self::GaveUp { last, .. } => last,
            Self::Refused(_) | Self::TimedOut => None,
        }
    }
}

impl<E> From<Refused> for CallError<E> {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => write!(f, "not called: {refused}"),
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::GaveUp { attempts, why, last } => {
                let plural = if *attempts == 1 { "" } else { "s" };
                write!(f, "given up after {attempts} attempt{plural}, because {why}; the last one: ")?;
                match last {
                    Some(error) => error.fmt(f),
                    None => f.write_str("no answer in time"),
                }
            }
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Failed(error) | Self::GaveUp { last: Some(error), .. } => Some(error),
            Self::TimedOut | Self::GaveUp { last: None, .. } => None,
        }
    }
}
