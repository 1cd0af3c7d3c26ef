//! What a breaker answers to a caller, and what the caller tells it afterwards.

use crate::time::Instant;
use core::fmt;

/// How a call ended, as its caller sees it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// Well. It still counts as slow if it took longer than [`Config::slow_rate`](super::Config::slow_rate) allows.
    Success,
    /// Badly, in a way that says something about who was called. It may be slow besides.
    Failure,
    /// Well, but too slowly by the caller's own measure.
    Slow,
    /// In a way that says nothing: the caller cancelled it, or asked for something that does not exist. Counts nowhere,
    /// and a probe's place is free again.
    Ignored,
}

/// Leave to call, until [`complete`](super::Breaker::complete) is told how it went.
///
/// A plain value: while the breaker is closed, losing it costs nothing; of a probe it is a lease, and losing it counts as
/// a failure at the probe's deadline.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "say how the call went: an unreported probe counts as a failure"]
pub struct Pass {
    pub(super) began: Instant,
    /// Above, the probe's slot or [`NO_PROBE`]; below, its lease's generation or the breaker's period. One word, so that a
    /// pass travels in two registers.
    pub(super) ticket: u64,
}

/// In place of a slot: not a probe.
pub(super) const NO_PROBE: u32 = u32::MAX;

impl Pass {
    #[inline]
    pub(super) const fn new(began: Instant, id: u32, slot: u32) -> Self {
        Self { began, ticket: ((slot as u64) << 32) | id as u64 }
    }

    /// The breaker's period; of a probe, its lease's generation.
    #[inline]
    pub(super) const fn id(&self) -> u32 {
        self.ticket as u32
    }

    /// The probe's slot, or [`NO_PROBE`].
    #[inline]
    pub(super) const fn slot(&self) -> u32 {
        (self.ticket >> 32) as u32
    }

    /// When the call was admitted.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Whether the call probes a breaker that is half-open.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.slot() != NO_PROBE
    }
}

/// May the call go?
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a call that was not admitted must not be made"]
pub enum Admit {
    /// Yes; hand the pass back when it is over.
    Yes(Pass),
    /// No.
    No {
        /// When time alone may change the answer; [`Instant::MAX`] if it cannot.
        retry_at: Instant,
        /// Why not.
        why: Rejection,
    },
}

/// Why a call was not admitted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Rejection {
    /// The breaker is open.
    Open,
    /// It is half-open, and as many probes as may be are under way.
    Probing,
    /// It is held open by hand.
    Forced,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the breaker is open; answer from elsewhere until it lets probes through",
            Self::Probing => "the breaker is half-open and every probe is under way; wait for their answers",
            Self::Forced => "the breaker is held open by hand; reset it to let calls through",
        })
    }
}

impl core::error::Error for Rejection {}

/// The pass no longer counts, so neither does the outcome; nothing else changed. Remedy: none is needed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Stale {
    /// The breaker changed its state since the call was admitted: what the call shows is about another time.
    Earlier,
    /// The probe's deadline has passed, and it was counted as lost then.
    Expired,
    /// The probe was completed before, or the breaker changed its state since.
    Unknown,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earlier => {
                "the breaker changed its state since this call was admitted; its outcome does not count"
            }
            Self::Expired => "the probe's deadline has passed; it was counted as lost",
            Self::Unknown => "the probe was completed before, or the breaker changed its state since",
        })
    }
}

impl core::error::Error for Stale {}
