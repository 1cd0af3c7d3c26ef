//! The divvy core for browsers: its simulations as typed classes, and the conformance digests.
//!
//! Nothing is decided here. Numbers that come from JavaScript are checked and become the core's types; what the core
//! answers becomes numbers, strings and typed arrays. Times are milliseconds, exact to the nanosecond.

#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "deadlines")]
mod deadlines;
#[cfg(any(feature = "deadlines", feature = "protection", feature = "scenes", feature = "threads"))]
#[allow(dead_code, reason = "each module of the page uses some of it")]
mod number;
#[cfg(feature = "protection")]
mod protection;
#[cfg(feature = "scenes")]
mod scenes;
#[cfg(feature = "threads")]
mod threads;

#[cfg(feature = "conformance")]
pub use conformance::{digests, golden_digests};
#[cfg(feature = "deadlines")]
pub use deadlines::{DeadlineSim, Order};
#[cfg(any(feature = "deadlines", feature = "protection", feature = "scenes", feature = "threads"))]
pub use number::Wrong;
#[cfg(feature = "protection")]
pub use protection::{BreakerSim, ChainPlan, ChainSim, Coming, Deed, HedgingSim, HerdSim, LimiterSim};
#[cfg(feature = "scenes")]
pub use scenes::{
    ActivityKind, DispatchSim, EventKind, HotPartition, Place, RingPlan, RunTimes, StealingSim, Take,
    Traffic, Victim, policies, ring_algorithms,
};
#[cfg(feature = "threads")]
pub use threads::{account, deal, hash_rounds, work};
