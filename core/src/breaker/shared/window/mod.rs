//! The calls that a shared breaker judges by: the last so many, or those of the last so long.

mod count;
mod time;

pub use count::SharedCountWindow;
pub use time::SharedTimeWindow;

use crate::breaker::Counts;
use crate::time::Instant;
use core::fmt;

/// The verbs of a window, for the breaker alone. `lasts` tells whether the period is still the breaker's.
pub(in crate::breaker::shared) mod sealed {
    use super::{Counts, Instant};

    /// How a call went.
    #[derive(Clone, Copy, Debug)]
    pub struct Call {
        pub failed: bool,
        pub slow: bool,
    }

    pub trait SharedWindow {
        /// Counts a call; `false` if the period is over, so that it counts nowhere.
        fn record(&self, period: u32, now: Instant, call: Call, lasts: impl Fn() -> bool) -> bool;
        /// What counts in `period` at `now`.
        fn counts(&self, period: u32, now: Instant) -> Counts;
        /// From how many calls on a rate means something, where the caller asked for `asked`.
        fn minimum(&self, asked: Option<u32>) -> u32;
        /// Wipes off what earlier periods left, right after `period` began.
        fn clear(&self, period: u32, lasts: impl Fn() -> bool);
    }
}

/// A window of calls that threads share: [`SharedCountWindow`] or [`SharedTimeWindow`]. Sealed: the two are all there are.
pub trait SharedWindow: sealed::SharedWindow + fmt::Debug {}
