//! Who runs what: a scheduler for a fixed number of workers, be they threads, cores or harts.
//!
//! # The wake-up contract
//!
//! *N* workers sleep and one task comes: exactly one worker is woken. In general:
//!
//! * Each task that is submitted or pushed chooses one sleeping worker, if there is one; each sleeper is chosen
//!   once. *k* tasks wake at most *k* workers.
//! * A worker that takes a task while more is visible (it brought home half of another's deque, or the injector holds
//!   another one) chooses one more, unless somebody who was chosen before is still on the way: that one will see it, and
//!   choose the next. So nobody sleeps on while work lies in reach, and there is no herd.
//! * An idle worker costs nothing: it sleeps until it is chosen. No timer, no polling.
//! * Where only some of the workers shall be awake ([`Scheduler::set_awake`]), all this holds among those.
//! * A worker that announces its sleep and then sees no work is seen by every task that comes later. No wake-up is
//!   lost; loom explores the orders in which it might be.
//!
//! The core itself wakes nobody: each call that makes work answers a [`Wake`], and the caller does what the platform
//! needs (`Thread::unpark`, an inter-processor interrupt, `SEV`).
//!
//! What is not promised: that a task starts before a thread goes on that was stopped between making it visible and
//! waking someone for it; and an order among tasks beyond what [`Deque`](crate::queue::Deque) and [`Mpmc`](crate::queue::Mpmc) say.

pub mod bottleneck;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub mod cancel;
pub mod capacity;
pub mod consolidate;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod event_count;
mod park;
pub mod realtime;
pub mod redistribute;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod stealing;

#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use cancel::{CancelError, CancelScope, CancelToken, CancelTree, Cancelled};
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use event_count::{EventCount, Waiter, Wake};
pub use park::Park;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use stealing::{
    Groups, GroupsError, Next, Parking, Scheduler, Source, StealPolicy, SubmitError, Take, Victim, Worker,
    WorkerStats,
};
