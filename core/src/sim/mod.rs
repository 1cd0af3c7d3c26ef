//! Simulations of the other modules on a virtual clock: the parts are the real ones, only time is made up.
//!
//! A simulation holds no clock and no generator. It knows when its next event is due
//! ([`Stealing::next_event_at`](stealing::Stealing::next_event_at)); the caller moves the clock there and gives the
//! randomness. So a run follows from its parameters and a seed, on every target, and can be stepped, paused and
//! replayed.

mod arrivals;
pub mod chain;
pub mod deadline;
pub mod dispatch;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub mod herd;
mod service;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub mod stealing;
mod windows;

pub use arrivals::{Arrivals, ArrivalsError};
pub use chain::Chain;
pub use deadline::Deadline;
pub use dispatch::Dispatch;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use herd::Herd;
pub use service::{Service, ServiceError};
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use stealing::Stealing;
