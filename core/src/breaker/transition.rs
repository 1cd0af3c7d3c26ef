//! The states of a breaker, and what moves it from one to the other.

use crate::fixed::Q32;
use crate::time::Instant;
use core::fmt;

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// Lets all through and counts.
    Closed,
    /// Lets none through until then.
    Open {
        /// When it becomes half-open.
        until: Instant,
    },
    /// Lets a few through, to see.
    HalfOpen,
    /// Lets none through, by hand.
    ForcedOpen,
    /// Lets all through and counts, but never trips, by hand.
    ForcedClosed,
    /// Lets all through and counts nothing, by hand.
    Disabled,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Open { until } => write!(f, "open until {until}"),
            Self::HalfOpen => f.write_str("half-open"),
            Self::ForcedOpen => f.write_str("forced open"),
            Self::ForcedClosed => f.write_str("forced closed"),
            Self::Disabled => f.write_str("disabled"),
        }
    }
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// Too large a share of the window's calls failed.
    Failures,
    /// Too many calls failed one after the other.
    Consecutive,
    /// Too large a share of the window's calls was slow.
    SlowCalls,
    /// As many probes failed as it takes, the last of them by its own report.
    ProbeFailed,
    /// As many probes failed as it takes, the last of them by never reporting.
    ProbeLost,
    /// As many probes succeeded as it takes.
    ProbesSucceeded,
    /// The open time is over.
    TimeOver,
    /// By hand: forced open, forced closed or disabled.
    Forced,
    /// By hand: reset.
    Reset,
}

impl Cause {
    pub(super) const COUNT: usize = Self::Reset as usize + 1;
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failures => "too many calls failed",
            Self::Consecutive => "too many calls failed in a row",
            Self::SlowCalls => "too many calls were slow",
            Self::ProbeFailed => "a probe failed",
            Self::ProbeLost => "a probe was lost",
            Self::ProbesSucceeded => "the probes succeeded",
            Self::TimeOver => "the open time is over",
            Self::Forced => "forced by hand",
            Self::Reset => "reset by hand",
        })
    }
}

/// How many calls, and how many of them went wrong in which way.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counts {
    /// All that count: successes, failures and slow ones.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that were slow, whether they failed or not.
    pub slow: u32,
}

impl Counts {
    /// No call yet.
    pub const NONE: Self = Self { calls: 0, failures: 0, slow: 0 };

    /// The share that failed; 0 of none.
    #[must_use]
    pub const fn error_rate(&self) -> Q32 {
        share(self.failures, self.calls)
    }

    /// The share that was slow; 0 of none.
    #[must_use]
    pub const fn slow_rate(&self) -> Q32 {
        share(self.slow, self.calls)
    }
}

const fn share(part: u32, calls: u32) -> Q32 {
    match Q32::from_ratio(part as u64, calls as u64) {
        Some(share) => share,
        None => Q32::ZERO,
    }
}

/// One change of a breaker's state, with its reason.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transition {
    /// When it took effect: an open time or a probe ends at its deadline, however late somebody looks.
    pub at: Instant,
    /// The state before.
    pub from: State,
    /// The state since.
    pub to: State,
    /// Why.
    pub why: Cause,
    /// What was counted: in the window, or of the probes.
    pub counts: Counts,
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { calls, failures, slow } = self.counts;
        write!(f, "{}: {} to {}, {}", self.at, self.from, self.to, self.why)?;
        write!(f, " ({failures} failed and {slow} slow of {calls})")
    }
}
