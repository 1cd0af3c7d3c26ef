//! What there is to see of a breaker.

use super::transition::{Cause, Counts, State};

/// A snapshot of a breaker.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// What it does with calls.
    pub state: State,
    /// What the window holds. While open, what tripped it fades only as time passes.
    pub window: Counts,
    /// What came of the probes so far, while half-open.
    pub probed: Counts,
    /// Probes under way.
    pub probes: u32,
    /// Calls that were completed and counted, from the start.
    pub calls: u64,
    /// Of these, those that failed.
    pub failures: u64,
    /// Of these, those that were slow.
    pub slow: u64,
    /// Calls that were completed and not counted, because their callers said so.
    pub ignored: u64,
    /// Calls that were not admitted.
    pub rejected: u64,
    /// Probes that never reported.
    pub lost: u64,
    /// How often it has opened since it was last closed: the next open time is that of one more.
    pub openings: u32,
    /// How often it changed its state, by cause.
    pub(super) causes: [u32; Cause::COUNT],
}

impl Stats {
    /// How often it changed its state, modulo 2³².
    #[must_use]
    pub fn transitions(&self) -> u32 {
        self.causes.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// How often it changed its state for this reason, modulo 2³².
    #[must_use]
    pub const fn caused_by(&self, cause: Cause) -> u32 {
        self.causes[cause as usize]
    }
}
