//! Fork and join.
#![allow(
    unsafe_code,
    reason = "a fork lives on the stack of its worker, which does not leave before it is done"
)]

use crate::pool::call::stack::StackJob;
use crate::pool::job::JobRef;
use crate::pool::job::fork::WorkerLatch;
use crate::pool::work::context::Context;
use std::mem;
use std::panic::resume_unwind;

impl<'w> Context<'w> {
    /// Calls `a` and `b`, possibly at the same time, and returns when both have returned.
    ///
    /// This worker calls `a` at once; another one may call `b` meanwhile. If none did, this worker calls it after `a`.
    /// Nothing is allocated, and no thread-local variable is read.
    ///
    /// # Panics
    ///
    /// As `a` or `b` did, after both have ended. If both panic, the panic of `a` is passed on. If `a` panics before
    /// anybody began `b`, then `b` is dropped without being called.
    ///
    /// # Complexity
    ///
    /// With [`Policy::Heartbeat`](crate::pool::Policy::Heartbeat), a few stores and a load beside the calls. While it waits
    /// for `b`, the worker does other work: what that is may be as long as any job, and stands on this stack.
    #[inline(always)]
    pub fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Context<'_>) -> RA + Send,
        B: FnOnce(&mut Context<'_>) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        let job = StackJob::new(WorkerLatch::new(), b);
        // SAFETY: `guard` closes the fork before the job is gone if `a` panics, and the lines after that otherwise.
        unsafe { self.seat.forks.open(job.as_fork(), || self.attend()) };
        let guard = Guard { cx: self, job: &job };
        let ra = a(guard.cx);
        let Guard { cx, .. } = &mut *mem::ManuallyDrop::new(guard);
        // SAFETY: it was opened above, and what `a` opened was closed.
        if unsafe { cx.seat.forks.close(job.as_fork()) } {
            // SAFETY: nobody else ever knew of the job.
            let b = unsafe { job.take() };
            return (ra, b(cx));
        }
        let rb = cx.settle(&job);
        (ra, rb)
    }

    /// The fork was public: takes it back and calls it, or waits for who took it.
    #[cold]
    fn settle<F, R>(&mut self, job: &StackJob<WorkerLatch, F, R>) -> R
    where
        F: FnOnce(&mut Context<'_>) -> R + Send,
        R: Send,
    {
        // SAFETY: it is compared, and not executed.
        if self.reclaim(unsafe { job.as_ref() }) {
            // SAFETY: the job was taken back from the queue, so nobody else can execute it.
            return unsafe { job.take() }(self);
        }
        self.shared.work_until(self, job.latch());
        // SAFETY: the latch is set, and this is the only place that takes the result.
        match unsafe { job.result() } {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// `a` panicked: drops `b`, or waits for who took it.
    #[cold]
    #[inline(never)]
    fn abandon<F, R>(&mut self, job: &StackJob<WorkerLatch, F, R>)
    where
        F: FnOnce(&mut Context<'_>) -> R + Send,
        R: Send,
    {
        // SAFETY: what `a` opened was closed while unwinding; the reference is compared, and not executed.
        if unsafe { self.seat.forks.close(job.as_fork()) || self.reclaim(job.as_ref()) } {
            // SAFETY: the job is in no queue, and nobody executed it.
            drop(unsafe { job.take() });
            return;
        }
        self.shared.work_until(self, job.latch());
        // SAFETY: the latch is set. A second panic is dropped: the first one is on its way.
        drop(unsafe { job.result() });
    }

    /// Takes a public job back from the deque. What is on top of it is executed. `false` if somebody took it.
    fn reclaim(&mut self, job: JobRef) -> bool {
        // What is public is gone, or will be: the next fork looks after it.
        self.seat.forks.ask();
        while let Some(top) = self.seat.worker().pop() {
            if top == job {
                return true;
            }
            self.execute(top);
        }
        false
    }
}

/// Closes a fork when `a` panics.
struct Guard<'a, 'w, F, R>
where
    F: FnOnce(&mut Context<'_>) -> R + Send,
    R: Send,
{
    cx: &'a mut Context<'w>,
    job: &'a StackJob<WorkerLatch, F, R>,
}

impl<F, R> Drop for Guard<'_, '_, F, R>
where
    F: FnOnce(&mut Context<'_>) -> R + Send,
    R: Send,
{
    // Inlined, so that the guard itself need not be in memory.
    #[inline(always)]
    fn drop(&mut self) {
        self.cx.abandon(self.job);
    }
}
