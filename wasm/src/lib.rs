//! The divvy core for browsers: its simulations as typed classes, and the conformance digests.
//!
//! Nothing is decided here. Numbers that come from JavaScript are checked and become the core's types; what the core
//! answers becomes numbers, strings and typed arrays. Times are milliseconds, exact to the nanosecond.

#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "scenes")]
mod scenes;

#[cfg(feature = "conformance")]
pub use conformance::{digests, golden_digests};
#[cfg(feature = "scenes")]
pub use scenes::{
    ActivityKind, BreakerSim, ChainPlan, ChainSim, Coming, Deed, DispatchSim, EventKind, HedgingSim,
    HotPartition, LimiterSim, Place, RingPlan, RunTimes, StealingSim, Take, Traffic, Victim, policies,
    ring_algorithms,
};
