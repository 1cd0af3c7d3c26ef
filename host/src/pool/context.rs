//! What a job is given: the worker that it runs on.

use super::Policy;
use super::job::JobRef;
use super::policy;
use super::seat::Seat;
use super::shared::{DISCARD, Shared};
use super::sync::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// The worker that runs this code: through it, a fork costs almost nothing.
///
/// [`Pool::run`](super::Pool::run) gives one out, and [`Context::join`] passes it on. The lifetime ties it to the call
/// that it was given to; nobody has to name it.
pub struct Context<'w> {
    pub(super) shared: &'w Arc<Shared>,
    pub(super) seat: &'w Seat,
    /// No other thread, and no other context, may take this one's place.
    _this: PhantomData<Tied<'w>>,
}

/// To one thread, and to one call: the lifetime neither grows nor shrinks.
type Tied<'w> = (*const (), fn(&'w ()) -> &'w ());

impl<'w> Context<'w> {
    /// The current thread occupies `seat`, and does so as long as this context is in use.
    pub(super) const fn new(shared: &'w Arc<Shared>, seat: &'w Seat) -> Self {
        Self { shared, seat, _this: PhantomData }
    }

    #[inline(always)]
    pub(super) const fn seat(&self) -> &'w Seat {
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

    /// Something was asked of this worker, or nothing of its forks is public.
    #[cold]
    #[inline(never)]
    pub(super) fn attend(&self) {
        match self.shared.policy {
            Policy::Heartbeat => policy::heartbeat::attend(self),
            Policy::Eager => policy::eager::attend(self),
        }
    }

    /// Executes a job that was taken out of a queue.
    #[inline]
    pub(super) fn execute(&mut self, job: JobRef) {
        self.go_on_with(job);
        self.report();
    }

    /// Reports the tasks of scopes that this worker finished: they may be waited for.
    #[inline]
    pub(super) fn report(&self) {
        self.seat.finished.report(|seat| self.shared.wake(seat));
    }

    /// As `execute`, where `report` is called before anything but the next job.
    #[inline]
    pub(super) fn go_on_with(&mut self, job: JobRef) {
        if self.shared.phase.load(Ordering::Relaxed) == DISCARD && super::join::discard(job) {
            return;
        }
        self.seat.counts.processed.add(1);
        super::join::execute(self, job);
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
