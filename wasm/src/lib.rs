//! The divvy core for browsers: its simulations as typed classes, and the conformance digests.
//!
//! Nothing is decided here. Numbers that come from JavaScript are checked and become the core's types; what the core
//! answers becomes numbers, strings and typed arrays. Times are milliseconds, exact to the nanosecond.

mod choice;
mod conformance;
mod dispatch;
mod hot;
mod number;
mod ring;
mod stealing;
mod told;
mod traffic;

pub use choice::{RunTimes, Take, Victim};
pub use conformance::{digests, golden_digests};
pub use dispatch::{DispatchSim, policies};
pub use hot::HotPartition;
pub use ring::{RingPlan, ring_algorithms};
pub use stealing::{ActivityKind, EventKind, Place, StealingSim};
pub use traffic::Traffic;
