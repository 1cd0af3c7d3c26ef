//! A job on the stack of whoever waits for it.
#![allow(unsafe_code, reason = "who may touch the call and the result is said at each function")]

use crate::pool::call::latch::Latch;
use crate::pool::job::fork::{Fork, WorkerLatch};
use crate::pool::job::{Caller, Header, JobRef, Kind};
use crate::pool::sync::{UnsafeCell, const_fn};
use crate::pool::work::context::Context;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread;

/// A job that lives on the stack of whoever waits for it.
#[repr(C)]
pub(in crate::pool) struct StackJob<L, F, R> {
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
        pub(in crate::pool) const fn new(latch: L, call: F) -> Self {
            Self {
                header: Header(&Self::KIND),
                latch,
                call: UnsafeCell::new(ManuallyDrop::new(call)),
                result: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }

    pub(in crate::pool) const fn latch(&self) -> &L {
        &self.latch
    }

    /// # Safety
    ///
    /// The job stays where it is until its latch is set, or until the reference was taken back.
    #[inline(always)]
    pub(in crate::pool) unsafe fn as_ref(&self) -> JobRef {
        // SAFETY: the header is the first field, and the pointer may reach the whole job; the rest is the caller's.
        unsafe { JobRef::new(NonNull::from(self).cast()) }
    }

    /// The call, by the owner.
    ///
    /// # Safety
    ///
    /// The job is in no queue, was not executed, and the call was not taken.
    #[inline(always)]
    pub(in crate::pool) unsafe fn take(&self) -> F {
        // SAFETY: nobody else can reach the call, and it is still there.
        self.call.with_mut(|call| unsafe { ManuallyDrop::take(&mut *call) })
    }

    /// What the call came to, by the owner.
    ///
    /// # Safety
    ///
    /// The latch is set, and the result was not taken.
    pub(in crate::pool) unsafe fn result(&self) -> thread::Result<R> {
        // SAFETY: the result was written before the latch was set, and nobody else reads it.
        self.result.with_mut(|result| unsafe { (*result).assume_init_read() })
    }

    /// # Safety
    ///
    /// As [`JobRef::execute`]; `header` is the first field of a `Self`.
    unsafe fn execute(header: NonNull<Header>, caller: NonNull<Caller>) {
        // SAFETY: it is a context, and this job's for now.
        let cx = unsafe { Context::of(caller) };
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

impl<F, R> StackJob<WorkerLatch, F, R> {
    /// How the job begins. The pointer may reach the whole of it.
    #[inline(always)]
    pub(in crate::pool) const fn as_fork(&self) -> *const Fork {
        std::ptr::from_ref(self).cast()
    }
}
