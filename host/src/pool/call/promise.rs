//! A task of its own: first its call and then its result, between a queue and a handle, with one word to say which.
#![allow(unsafe_code, reason = "who may reach what is said by the bits of one word")]

use crate::pool::error::JoinError;
use crate::pool::job::{Caller, Header, JobRef, Kind};
use crate::pool::sync::{AtomicU32, Frame, Ordering, UnsafeCell};
use crate::pool::work::context::Context;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::Waker;

/// Somebody took the call: nobody else does.
const STARTED: u32 = 1;
/// The result is there, and the handle's.
const DONE: u32 = 2;
/// A waiter is there, and belongs to whoever sets `DONE`.
const WAITER: u32 = 4;
/// The queue's reference is used up.
const QUEUE_LEFT: u32 = 8;
/// The handle is gone.
const HANDLE_LEFT: u32 = 16;

/// The handle's reference to a task. Its owner registers waiters and takes the result; anyone asks and cancels.
pub(in crate::pool) struct Promised<R>(NonNull<dyn Outcome<R>>);

// SAFETY: what a task captures and returns is `Send`: `promise` demands it. What more than one thread may call at once
// is settled by the word.
unsafe impl<R: Send> Send for Promised<R> {}
// SAFETY: as above; shared, it gives out no result.
unsafe impl<R: Send> Sync for Promised<R> {}

/// A task, with a reference to it for a queue. If that is neither executed nor discarded, the task leaks.
pub(in crate::pool) fn promise<F, R>(call: F) -> (Promised<R>, JobRef)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let promise = Promise::new(call);
    // SAFETY: the header is the first field, and the task stays there until both references are used up.
    (Promised(promise), unsafe { JobRef::new(promise.cast()) })
}

/// As `promise`, if `push` takes the reference; the call comes back otherwise.
pub(in crate::pool) fn promise_if<F, R>(call: F, push: impl FnOnce(JobRef) -> bool) -> Result<Promised<R>, F>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let promise = Promise::new(call);
    // SAFETY: as in `promise`.
    if push(unsafe { JobRef::new(promise.cast()) }) {
        return Ok(Promised(promise));
    }
    // SAFETY: nobody else knows of the task.
    let promise = unsafe { Box::from_raw(promise.as_ptr()) };
    Err(promise.start().expect("nobody began it"))
}

impl<R> Promised<R> {
    fn outcome(&self) -> &dyn Outcome<R> {
        // SAFETY: the task is there as long as one of its two references.
        unsafe { self.0.as_ref() }
    }

    /// Whether there is a result, or was.
    #[inline]
    pub(in crate::pool) fn is_done(&self) -> bool {
        // Ordering: Acquire pairs with the Release of `DONE`: the result is seen.
        self.outcome().state().load(Ordering::Acquire) & DONE != 0
    }

    /// Drops the call, if nobody took it. `true` if so.
    pub(in crate::pool) fn cancel(&self) -> bool {
        self.outcome().cancel()
    }

    /// `true` if it is done already, and nobody is woken.
    ///
    /// # Safety
    ///
    /// The caller owns the handle, or has it for itself.
    pub(in crate::pool) unsafe fn wake_when_done(&self, waiter: Waker) -> bool {
        let outcome = self.outcome();
        let state = outcome.state();
        // Ordering: Acquire as in `is_done`; AcqRel below: the waiter goes over with its bit, and comes back with it.
        let before = state.load(Ordering::Acquire);
        if before & DONE != 0
            || before & WAITER != 0 && state.fetch_and(!WAITER, Ordering::AcqRel) & DONE != 0
        {
            return true;
        }
        // SAFETY: the bit is not set, so the waiter is this thread's.
        drop(outcome.waiter().with_mut(|place| unsafe { (*place).replace(waiter) }));
        state.fetch_or(WAITER, Ordering::AcqRel) & DONE != 0
    }

    /// The result, once, when it is done.
    ///
    /// # Safety
    ///
    /// As `wake_when_done`.
    pub(in crate::pool) unsafe fn take(&self) -> Option<Result<R, JoinError>> {
        // SAFETY: it is done, so what is left of the task is the handle's.
        if self.is_done() { unsafe { self.outcome().take_result() } } else { None }
    }
}

impl<R> Drop for Promised<R> {
    #[inline]
    fn drop(&mut self) {
        if leave(self.outcome().state(), HANDLE_LEFT, QUEUE_LEFT) {
            // SAFETY: both references are used up.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

/// One of the two references is used up. `true` if the other one is, too.
#[inline]
fn leave(state: &AtomicU32, own: u32, other: u32) -> bool {
    // Ordering: AcqRel: what either did with the task is over when the last one frees it. A load is enough for the last one.
    state.load(Ordering::Acquire) & other != 0 || state.fetch_or(own, Ordering::AcqRel) & other != 0
}

/// What a handle sees of its task, whose call has no name.
trait Outcome<R> {
    fn state(&self) -> &AtomicU32;
    fn waiter(&self) -> &UnsafeCell<Option<Waker>>;
    fn cancel(&self) -> bool;
    /// # Safety
    ///
    /// It is done, and the caller owns the handle.
    unsafe fn take_result(&self) -> Option<Result<R, JoinError>>;
}

#[repr(C)]
struct Promise<F, R> {
    header: Header,
    state: AtomicU32,
    /// Of who took the call from `STARTED` on, of the handle from `DONE` on.
    stage: UnsafeCell<Stage<F, R>>,
    /// Of the handle without `WAITER`, of who sets `DONE` with it.
    waiter: UnsafeCell<Option<Waker>>,
    frame: Frame,
}

enum Stage<F, R> {
    Waiting(F),
    Running,
    Done(Result<R, JoinError>),
}

impl<F, R> Promise<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    const KIND: Kind = Kind { execute: Self::execute, discard: Some(Self::discard) };

    fn new(call: F) -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Self {
            header: Header(&Self::KIND),
            state: AtomicU32::new(0),
            stage: UnsafeCell::new(Stage::Waiting(call)),
            waiter: UnsafeCell::new(None),
            frame: Frame::new(),
        })))
    }

    /// The call, for one of those who ask.
    fn start(&self) -> Option<F> {
        // Ordering: Relaxed: the call was there before anybody knew of the task.
        if self.state.fetch_or(STARTED, Ordering::Relaxed) & STARTED != 0 {
            return None;
        }
        // SAFETY: this thread set the bit, so the stage is its own.
        match self.stage.with_mut(|stage| unsafe { mem::replace(&mut *stage, Stage::Running) }) {
            Stage::Waiting(call) => Some(call),
            Stage::Running | Stage::Done(_) => None,
        }
    }

    /// # Safety
    ///
    /// The caller has the call from `start`, and calls this once.
    unsafe fn put(&self, result: Result<R, JoinError>) {
        self.frame.touch();
        // SAFETY: the caller's.
        self.stage.with_mut(|stage| unsafe { *stage = Stage::Done(result) });
    }

    /// # Safety
    ///
    /// The caller `put` the result.
    unsafe fn done(&self) -> Option<Waker> {
        // Ordering: AcqRel: the result goes to the handle, the waiter comes here.
        let before = self.state.fetch_or(DONE, Ordering::AcqRel);
        // SAFETY: the bit was there, so the waiter is this thread's.
        if before & WAITER == 0 { None } else { self.waiter.with_mut(|place| unsafe { (*place).take() }) }
    }

    /// # Safety
    ///
    /// As [`JobRef::execute`]; `header` is the first field of a `Self` that `promise` made.
    unsafe fn execute(header: NonNull<Header>, caller: NonNull<Caller>) {
        // SAFETY: it is a context, and this job's for now.
        unsafe { Context::of(caller) }.report();
        let this = header.cast::<Self>();
        // SAFETY: the queue's reference, which is used up below.
        let promise = unsafe { this.as_ref() };
        let mut waiter = None;
        if let Some(call) = promise.start() {
            let result = catch_unwind(AssertUnwindSafe(call)).map_err(JoinError::Panicked);
            // SAFETY: the call was this thread's.
            unsafe { promise.put(result) };
            // Without a waiter, one step does for both: it is done, and the queue's reference is used up.
            let before = promise.state.load(Ordering::Relaxed);
            let after = before | DONE | QUEUE_LEFT;
            // Ordering: AcqRel as in `done` and `leave`.
            if before & WAITER == 0
                && promise.state.compare_exchange(before, after, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                if before & HANDLE_LEFT != 0 {
                    // SAFETY: both references are used up.
                    drop(unsafe { Box::from_raw(this.as_ptr()) });
                }
                return;
            }
            // SAFETY: the result was put there above.
            waiter = unsafe { promise.done() };
        }
        if leave(&promise.state, QUEUE_LEFT, HANDLE_LEFT) {
            // SAFETY: both references are used up.
            drop(unsafe { Box::from_raw(this.as_ptr()) });
        }
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// # Safety
    ///
    /// As `execute`.
    unsafe fn discard(header: NonNull<Header>) {
        let this = header.cast::<Self>();
        // SAFETY: as in `execute`.
        let promise = unsafe { this.as_ref() };
        promise.cancel();
        if leave(&promise.state, QUEUE_LEFT, HANDLE_LEFT) {
            // SAFETY: both references are used up.
            drop(unsafe { Box::from_raw(this.as_ptr()) });
        }
    }
}

impl<F, R> Outcome<R> for Promise<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn state(&self) -> &AtomicU32 {
        &self.state
    }

    fn waiter(&self) -> &UnsafeCell<Option<Waker>> {
        &self.waiter
    }

    fn cancel(&self) -> bool {
        let Some(call) = self.start() else { return false };
        // What it captured may do anything when dropped, and must not unwind past the end of the task.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(call)));
        // SAFETY: the call was this thread's.
        let waiter = unsafe {
            self.put(Err(JoinError::Cancelled));
            self.done()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        true
    }

    unsafe fn take_result(&self) -> Option<Result<R, JoinError>> {
        // SAFETY: the caller's.
        match self.stage.with_mut(|stage| unsafe { mem::replace(&mut *stage, Stage::Running) }) {
            Stage::Done(result) => Some(result),
            Stage::Waiting(_) | Stage::Running => None,
        }
    }
}
