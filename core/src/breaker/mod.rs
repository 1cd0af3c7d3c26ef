//! May it go now: not to somebody who fails.
//!
//! A [`Breaker`] stands before each service that can fail. Ask it before a call ([`Breaker::admit`]), tell it afterwards
//! how the call went ([`Breaker::complete`]). [`Config`] says what trips it; [`CountWindow`] and [`TimeWindow`] are what
//! it judges by. Where threads share one, it is a [`SharedBreaker`].

mod confidence;
mod config;
mod outcome;
mod plain;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod shared;
mod stats;
mod transition;
mod window;

#[cfg(test)]
mod tests;

pub use confidence::Confidence;
pub use config::{Config, ConfigError, Rules};
pub use outcome::{Admit, Outcome, Pass, Rejection, Stale};
pub use plain::Breaker;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use shared::{SharedBreaker, SharedCountWindow, SharedStats, SharedTimeWindow, SharedWindow};
pub use stats::Stats;
pub use transition::{Cause, Counts, State, Transition};
pub use window::{CountWindow, TimeWindow, Window, WindowError};
