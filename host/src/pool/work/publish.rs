//! When a fork becomes public, so that another worker may take it.

use crate::pool::shared::policy::Policy;
use crate::pool::work::context::Context;

impl Context<'_> {
    /// Something was asked of this worker, or nothing of its forks is public.
    #[cold]
    #[inline(never)]
    pub(in crate::pool) fn attend(&self) {
        match self.shared.policy {
            Policy::Heartbeat => self.publish_oldest(),
            Policy::Eager => self.publish_newest(),
        }
    }

    /// [`Policy::Heartbeat`], at a fork of a worker that has nothing public any more: publishes its oldest forks, one for
    /// each idle worker, and at least one. No other becomes public before somebody asks.
    ///
    /// After Acar, Charguéraud, Guatto, Rainey, Sieczkowski: *Heartbeat scheduling: provable efficiency for nested
    /// parallelism*, PLDI 2018, with the request of a thief in the place of the clock.
    fn publish_oldest(&self) {
        // Before the look: a thief that takes something after it asks again.
        self.seat.forks.answer();
        if !self.seat.stealer().is_empty() || self.seat.publish_oldest() {
            self.shared.notify_fork(self.seat);
        }
    }

    /// [`Policy::Eager`], at each fork: it goes to the deque. If that is full, the fork stays with its worker.
    fn publish_newest(&self) {
        if self.seat.publish_newest() {
            self.shared.notify_fork(self.seat);
        }
    }
}
