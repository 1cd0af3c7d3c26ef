//! How a worker sleeps, which differs from platform to platform.

use crate::time::Instant;

/// A platform's way to let a worker sleep and to wake it: futex, `wfe` and `sev`, an interrupt, `Atomics.wait`.
///
/// `park` and `unpark` are a token that a worker may find: an `unpark` that comes before the `park` ends it at once, and
/// several of them are one. Two cores with one event register each do that, and so do a thread's park token, a pending
/// software interrupt and a word of shared memory that is waited on.
///
/// *When not to use it:* where a worker's loop is written by hand around [`Worker::next`](super::Worker::next).
///
/// # Examples
///
/// ```
/// use core::cell::Cell;
/// use divvy::sched::{Park, Wake};
///
/// /// One core that naps until its flag is set.
/// #[derive(Default)]
/// struct Core(Cell<bool>);
///
/// impl Park for Core {
///     fn park(&self, _worker: u32) {
///         while !self.0.replace(false) {
///             // Wait for an interrupt here.
///         }
///     }
///     fn unpark(&self, _worker: u32) {
///         self.0.set(true);
///     }
/// }
///
/// let core = Core::default();
/// Wake::Worker(0).deliver(&core);
/// core.park(0); // It was woken before: it does not wait.
/// ```
pub trait Park {
    /// Lets the calling worker, number `worker`, sleep until someone unparks it. Returns at once if that happened
    /// since its last `park`, and may return early for no reason.
    fn park(&self, worker: u32);

    /// Ends the `park` of worker `worker`, or its next one.
    fn unpark(&self, worker: u32);

    /// As [`park`](Self::park), for a worker that will not be needed for some time: a platform with several depths of
    /// sleep takes a deeper one here.
    fn park_deep(&self, worker: u32) {
        self.park(worker);
    }

    /// What time it is, for the account of idle time; `None` where nobody wants to know.
    fn now(&self) -> Option<Instant> {
        None
    }
}
