//! What a job is given: the worker that it runs on.
#![allow(unsafe_code, reason = "a job is handed the context through a pointer without a type")]

use crate::pool::job::{Caller, JobRef};
use crate::pool::shared::policy::Policy;
use crate::pool::shared::seat::Seat;
use crate::pool::shared::{DISCARD, Shared};
use crate::pool::sync::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

/// The worker that runs this code: through it, a fork costs almost nothing.
///
/// [`Pool::run`](crate::pool::Pool::run) gives one out, and [`Context::join`] passes it on. The lifetime ties it to the call
/// that it was given to; nobody has to name it.
pub struct Context<'w> {
    pub(in crate::pool) shared: &'w Arc<Shared>,
    pub(in crate::pool) seat: &'w Seat,
    /// No other thread, and no other context, may take this one's place.
    _this: PhantomData<Tied<'w>>,
}

/// To one thread, and to one call: the lifetime neither grows nor shrinks.
type Tied<'w> = (*const (), fn(&'w ()) -> &'w ());

impl<'w> Context<'w> {
    /// The current thread occupies `seat`, and does so as long as this context is in use.
    pub(in crate::pool) const fn new(shared: &'w Arc<Shared>, seat: &'w Seat) -> Self {
        Self { shared, seat, _this: PhantomData }
    }

    #[inline(always)]
    pub(in crate::pool) const fn seat(&self) -> &'w Seat {
        self.seat
    }

    /// How many workers the pool has.
    #[inline]
    pub fn threads(&self) -> usize {
        self.shared.seats.len()
    }

    /// This worker's number, from 0.
    #[inline]
    pub fn worker(&self) -> usize {
        self.seat.index as usize
    }

    /// Whether it is time to give half of the rest away: somebody is idle, and nothing of this worker's is there to
    /// be taken. A loop asks this between blocks, and if so goes on in the two branches of a [`Context::join`].
    ///
    /// # Complexity
    ///
    /// A load where the worker has given something and it is still there; two otherwise.
    #[inline]
    pub fn should_split(&self) -> bool {
        match self.shared.policy {
            Policy::Heartbeat => self.seat.forks.is_asked() && self.shared.somebody_is_idle(),
            Policy::Eager => self.shared.somebody_is_idle() && self.seat.stealer().is_empty(),
        }
    }

    /// Executes a job that was taken out of a queue.
    #[inline]
    pub(in crate::pool) fn execute(&mut self, job: JobRef) {
        self.go_on_with(job);
        self.report();
    }

    /// Executes a job that this worker has for itself.
    #[inline]
    pub(in crate::pool) fn call(&mut self, job: JobRef) {
        // SAFETY: it came out of a queue, where it was once, or found no room there. The caller is this context.
        unsafe { job.execute(NonNull::from(self).cast()) }
    }

    /// The context that executes a job.
    ///
    /// # Safety
    ///
    /// `caller` was given to the job that asks, and the reference ends before its execution does.
    #[inline]
    pub(in crate::pool) unsafe fn of<'a>(caller: NonNull<Caller>) -> &'a mut Self {
        // SAFETY: `call` made it of a context that it has for itself until then.
        unsafe { caller.cast::<Self>().as_mut() }
    }

    /// Reports the tasks of scopes that this worker finished: they may be waited for.
    #[inline]
    pub(in crate::pool) fn report(&self) {
        self.seat.finished.report(|seat| self.shared.wake(seat));
    }

    /// As `execute`, where `report` is called before anything but the next job.
    #[inline]
    pub(in crate::pool) fn go_on_with(&mut self, job: JobRef) {
        if self.shared.phase.load(Ordering::Relaxed) == DISCARD && discard(job) {
            return;
        }
        self.seat.counts.processed.add(1);
        self.call(job);
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("worker", &self.worker())
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

/// Drops a job that the caller took out of a queue. `false` if somebody's stack waits for it.
pub(in crate::pool) fn discard(job: JobRef) -> bool {
    // SAFETY: as in `Context::call`.
    unsafe { job.discard() }
}
