//! The calls that a breaker judges by: the last so many, or those of the last so long.

mod count;
mod time;

pub use count::CountWindow;
pub use time::TimeWindow;

use core::fmt;

/// The verbs of a window, for the breaker alone.
pub(super) mod sealed {
    use crate::breaker::Counts;
    use crate::time::Instant;

    pub trait Window {
        /// Counts a call that went well and was not slow. Times never go back.
        fn success(&mut self, now: Instant);
        /// Counts a call that went wrong in at least one way.
        fn bad(&mut self, now: Instant, failed: bool, slow: bool);
        /// What counts at `now`.
        fn counts(&self, now: Instant) -> Counts;
        /// From how many calls on a rate means something, where the caller asked for `asked`.
        fn minimum(&self, asked: Option<u32>) -> u32;
        /// Forgets every call.
        fn clear(&mut self);
    }
}

/// A window of calls: [`CountWindow`] or [`TimeWindow`]. Sealed: the two are all there are.
pub trait Window: sealed::Window {}

/// Why a window was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WindowError {
    /// It would hold nothing. Remedy: 100 calls or 10 seconds are usual.
    Zero,
    /// It has more calls than there is room for. Remedy: a larger capacity, 32 calls to a word.
    TooMany,
    /// It does not fit 64 bits of nanoseconds (584 years). Remedy: a shorter one.
    TooLong,
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "a window must hold something; 100 calls or 10 seconds are usual",
            Self::TooMany => "a window has room for 32 calls to a word; choose a larger capacity",
            Self::TooLong => "a window of time must be below 584 years",
        })
    }
}

impl core::error::Error for WindowError {}
