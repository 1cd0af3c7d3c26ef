//! The divvy core for browsers: its simulations as typed classes, and the conformance digests.
//!
//! Nothing is decided here. Numbers that come from JavaScript are checked and become the core's types; what the core
//! answers becomes numbers, strings and typed arrays. Times are milliseconds, exact to the nanosecond.

mod choice;
mod conformance;
mod number;
mod stealing;

pub use choice::{Take, Victim};
pub use conformance::{digests, golden_digests};
pub use stealing::{ActivityKind, EventKind, Place, StealingSim};
