//! The divvy core for browsers: its simulations as typed classes, and the conformance digests.
//!
//! Nothing is decided here. Numbers that come from JavaScript are checked and become the core's types; what the core
//! answers becomes numbers, strings and typed arrays. Times are milliseconds, exact to the nanosecond.

#[cfg(feature = "conformance")]
mod conformance;
#[cfg(any(feature = "protection", feature = "scenes"))]
mod number;
#[cfg(feature = "protection")]
mod protection;
#[cfg(feature = "scenes")]
mod scenes;

#[cfg(feature = "conformance")]
pub use conformance::{digests, golden_digests};
#[cfg(any(feature = "protection", feature = "scenes"))]
pub use number::Wrong;
#[cfg(feature = "protection")]
pub use protection::{BreakerSim, ChainPlan, ChainSim, Coming, Deed, HedgingSim, HerdSim, LimiterSim};
#[cfg(feature = "scenes")]
pub use scenes::{
    ActivityKind, DispatchSim, EventKind, HotPartition, Place, RingPlan, RunTimes, StealingSim, Take,
    Traffic, Victim, policies, ring_algorithms,
};
