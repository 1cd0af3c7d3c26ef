//! What is queued: a pointer to a job, which knows how to execute itself.
#![allow(
    unsafe_code,
    reason = "a job is reached through a pointer without a type; who may follow it is said at each"
)]

use super::context::Context;
use super::latch::{Latch, WorkerLatch};
use super::sync::{Cell, UnsafeCell, const_fn};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread;

/// The first field of each kind of job (all are `repr(C)`).
pub(super) struct Header(pub(super) &'static Kind);

/// What can be done with a kind of job, given its header.
pub(super) struct Kind {
    pub(super) execute: unsafe fn(NonNull<Header>, &mut Context<'_>),
    /// Drops it instead, where that is possible: nobody's stack waits for it.
    pub(super) discard: Option<unsafe fn(NonNull<Header>)>,
}

/// A job that waits in a queue. Whoever takes it out executes it, once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct JobRef(NonNull<Header>);

// SAFETY: what a job captures is `Send`: each constructor demands it. The pointer itself has no thread.
unsafe impl Send for JobRef {}

impl JobRef {
    /// # Safety
    ///
    /// `header` is the first field of a job that stays where it is until it was executed, or until this reference is
    /// known to be in no queue.
    pub(super) const unsafe fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// # Safety
    ///
    /// The caller took this reference out of the queue that it was put in, and calls this once.
    #[inline]
    pub(super) unsafe fn execute(self, cx: &mut Context<'_>) {
        // SAFETY: the job is alive until it was executed (`JobRef::new`), which happens here and nowhere else.
        unsafe { (self.0.as_ref().0.execute)(self.0, cx) }
    }

    /// Drops the job without executing it. `false` if somebody's stack waits for it, so that it must be executed.
    ///
    /// # Safety
    ///
    /// The caller took this reference out of the queue that it was put in; after `true` it is used up.
    pub(super) unsafe fn discard(self) -> bool {
        // SAFETY: as in `execute`.
        match unsafe { self.0.as_ref().0.discard } {
            // SAFETY: as in `execute`.
            Some(discard) => unsafe { discard(self.0) },
            None => return false,
        }
        true
    }
}

/// How each `StackJob<WorkerLatch, _, _>` begins: what the worker that forked knows of it.
#[repr(C)]
pub(super) struct Fork {
    header: Header,
    latch: WorkerLatch,
}

impl Fork {
    /// The fork that was opened before this one; the worker's.
    #[inline(always)]
    pub(super) const fn link(&self) -> &Cell<*const Self> {
        self.latch.link()
    }

    /// Makes the latch ready to be set, before others know of the job.
    ///
    /// # Safety
    ///
    /// `this` points to the beginning of a `StackJob<WorkerLatch, _, _>` that is alive and in no queue.
    #[inline]
    pub(super) unsafe fn arm(this: NonNull<Self>) -> JobRef {
        // SAFETY: it is alive, and nobody else looks at it.
        unsafe { this.as_ref() }.latch.arm();
        JobRef(this.cast())
    }
}

impl<F, R> StackJob<WorkerLatch, F, R> {
    /// How the job begins. The pointer may reach the whole of it.
    #[inline(always)]
    pub(super) const fn as_fork(&self) -> *const Fork {
        std::ptr::from_ref(self).cast()
    }
}

/// A job that lives on the stack of whoever waits for it.
#[repr(C)]
pub(super) struct StackJob<L, F, R> {
    header: Header,
    /// Set when `result` is there.
    latch: L,
    /// Taken by whoever executes the job, or by its owner, who has it back from all queues.
    call: UnsafeCell<ManuallyDrop<F>>,
    /// Written by whoever executes the job before the latch is set, read by the owner after that.
    result: UnsafeCell<MaybeUninit<thread::Result<R>>>,
}

impl<L, F, R> StackJob<L, F, R>
where
    L: Latch,
    F: FnOnce(&mut Context<'_>) -> R + Send,
    R: Send,
{
    const KIND: Kind = Kind { execute: Self::execute, discard: None };

    const_fn! {
        #[inline(always)]
        pub(super) const fn new(latch: L, call: F) -> Self {
            Self {
                header: Header(&Self::KIND),
                latch,
                call: UnsafeCell::new(ManuallyDrop::new(call)),
                result: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }

    pub(super) const fn latch(&self) -> &L {
        &self.latch
    }

    /// # Safety
    ///
    /// The job stays where it is until its latch is set, or until the reference was taken back.
    #[inline(always)]
    pub(super) unsafe fn as_ref(&self) -> JobRef {
        // SAFETY: the header is the first field, and the pointer may reach the whole job; the rest is the caller's.
        unsafe { JobRef::new(NonNull::from(self).cast()) }
    }

    /// The call, by the owner.
    ///
    /// # Safety
    ///
    /// The job is in no queue, was not executed, and the call was not taken.
    #[inline(always)]
    pub(super) unsafe fn take(&self) -> F {
        // SAFETY: nobody else can reach the call, and it is still there.
        self.call.with_mut(|call| unsafe { ManuallyDrop::take(&mut *call) })
    }

    /// What the call came to, by the owner.
    ///
    /// # Safety
    ///
    /// The latch is set, and the result was not taken.
    pub(super) unsafe fn result(&self) -> thread::Result<R> {
        // SAFETY: the result was written before the latch was set, and nobody else reads it.
        self.result.with_mut(|result| unsafe { (*result).assume_init_read() })
    }

    /// # Safety
    ///
    /// As [`JobRef::execute`]; `header` is the first field of a `Self`.
    unsafe fn execute(header: NonNull<Header>, cx: &mut Context<'_>) {
        // SAFETY: the owner keeps the job until the latch is set.
        let job = unsafe { header.cast::<Self>().as_ref() };
        cx.report();
        // SAFETY: who executes a job has it from its queue, so it is the only one to take the call.
        let call = job.call.with_mut(|call| unsafe { ManuallyDrop::take(&mut *call) });
        let result = catch_unwind(AssertUnwindSafe(|| call(cx)));
        // SAFETY: the owner reads the result after the latch was set, and nobody else does.
        job.result.with_mut(|place| unsafe { (*place).write(result) });
        // SAFETY: the job, and the latch in it, is alive; after this it may be gone, and is not touched again.
        unsafe { L::set(&raw const job.latch, cx) };
    }
}
