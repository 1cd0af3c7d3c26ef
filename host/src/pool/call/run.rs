//! Into the pool, from wherever one is.
#![allow(unsafe_code, reason = "a job on the stack of a thread that waits for it")]

use crate::pool::call::latch::ThreadLatch;
use crate::pool::call::stack::StackJob;
use crate::pool::job::JobRef;
use crate::pool::shared::injector::Priority;
use crate::pool::shared::seat::Seat;
use crate::pool::shared::waker;
use crate::pool::shared::{NAP, Shared};
use crate::pool::sync;
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use crate::pool::work::current;
use std::panic::resume_unwind;
use std::sync::Arc;

impl Pool {
    /// Calls `call` as a worker, and returns what it does.
    ///
    /// On a worker of this pool, that worker calls it in place. Elsewhere, if a worker sleeps, the calling thread takes
    /// its seat for the time being: a short call costs no wake-up. Otherwise the call is queued at normal priority, and
    /// the thread waits; if it is a worker of another pool, it does that pool's work meanwhile. So a call from pool A into pool B
    /// and back into A comes to an end, however few workers they have.
    ///
    /// # Panics
    ///
    /// As `call` does.
    pub fn run<F, R>(&self, call: F) -> R
    where
        F: FnOnce(&mut Context<'_>) -> R + Send,
        R: Send,
    {
        self.shared.run(call)
    }

    /// Calls `a` and `b`, possibly at the same time: [`Context::join`] where there is no context at hand.
    ///
    /// # Panics
    ///
    /// As [`Context::join`].
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.run(|cx| cx.join(|_| a(), |_| b()))
    }
}

impl Shared {
    pub(in crate::pool) fn run<F, R>(self: &Arc<Self>, call: F) -> R
    where
        F: FnOnce(&mut Context<'_>) -> R + Send,
        R: Send,
    {
        current::seat_in(self, |seat| match seat {
            Some(seat) => call(&mut Context::new(self, seat)),
            None => match self.borrow_seat() {
                Some(seat) => self.run_as_guest(seat, call),
                None => self.run_elsewhere(call),
            },
        })
    }

    fn run_as_guest<R>(self: &Arc<Self>, seat: &Seat, call: impl FnOnce(&mut Context<'_>) -> R) -> R {
        /// Gives the seat back, also when unwinding.
        struct Guest<'a>(&'a Shared, &'a Seat);
        impl Drop for Guest<'_> {
            fn drop(&mut self) {
                self.0.return_seat(self.1);
            }
        }
        let _guest = Guest(self, seat);
        current::occupy(self, seat, || call(&mut Context::new(self, seat)))
    }

    #[cold]
    pub(in crate::pool) fn run_elsewhere<F, R>(self: &Arc<Self>, call: F) -> R
    where
        F: FnOnce(&mut Context<'_>) -> R + Send,
        R: Send,
    {
        let seat = current::newest(|newest| newest.map(|(shared, seat)| (Arc::clone(shared), seat.index)));
        let job = StackJob::new(ThreadLatch::new(seat), call);
        // SAFETY: this thread leaves after the latch was set.
        let reference = unsafe { job.as_ref() };
        self.push_or_wait(Priority::Normal, reference);
        wait_for(job.latch());
        // SAFETY: the latch is set, and this is the only place that takes the result.
        unsafe { job.result() }.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Queues a job; while there is no room, this thread sleeps (or works, if it is a worker of another pool).
    pub(in crate::pool) fn push_or_wait(&self, priority: Priority, job: JobRef) {
        if self.injector.push(priority, job).is_err() {
            let own = waker::this_thread();
            loop {
                self.injector.wait_for_room(&own);
                if self.injector.push(priority, job).is_ok() {
                    break;
                }
                self.notify();
                current::newest(|newest| match newest {
                    Some((shared, seat)) => {
                        let mut cx = Context::new(shared, seat);
                        match shared.find(seat) {
                            Some(job) => cx.execute(job),
                            None => sync::park_timeout(NAP),
                        }
                    }
                    None => sync::park(),
                });
            }
        }
        self.notify();
    }
}

/// Waits for a latch; a worker of any pool works meanwhile.
fn wait_for(latch: &ThreadLatch) {
    current::newest(|newest| match newest {
        Some((shared, seat)) => shared.work_until(&mut Context::new(shared, seat), latch),
        None => {
            while !latch.is_set() {
                sync::park();
            }
        }
    });
}
