//! A fork: what the worker that made it knows of its job, and the latch that it waits for if the job became public.
#![allow(
    unsafe_code,
    reason = "a fork is reached through pointers, and its latch has no value before it is armed"
)]

use crate::pool::job::{Header, JobRef};
use crate::pool::sync::{AtomicU64, Cell, Frame, Ordering, UnsafeCell, const_fn};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// How each `StackJob<WorkerLatch, _, _>` begins: what the worker that forked knows of it.
#[repr(C)]
pub(in crate::pool) struct Fork {
    _header: Header,
    latch: WorkerLatch,
}

impl Fork {
    /// The fork that was opened before this one; the worker's.
    #[inline(always)]
    pub(in crate::pool) const fn link(&self) -> &Cell<*const Self> {
        self.latch.link()
    }

    /// Makes the latch ready to be set, before others know of the job.
    ///
    /// # Safety
    ///
    /// `this` points to the beginning of a `StackJob<WorkerLatch, _, _>` that is alive and in no queue.
    #[inline]
    pub(in crate::pool) unsafe fn arm(this: NonNull<Self>) -> JobRef {
        // SAFETY: it is alive, and nobody else looks at it.
        unsafe { this.as_ref() }.latch.arm();
        // SAFETY: as the caller says, and the header comes first.
        unsafe { JobRef::new(this.cast()) }
    }
}

const PENDING: u64 = 0;
const SET: u64 = 1;
/// The waiter may sleep: this, and its seat.
const WAITING: u64 = 2;

/// Waited for by a worker of the same pool. Its state has no value before it is armed: most forks never are public, and
/// to each of them a store counts.
#[repr(C)]
pub(in crate::pool) struct WorkerLatch {
    /// The waiter's: the fork that it opened before.
    link: Cell<*const Fork>,
    state: UnsafeCell<MaybeUninit<AtomicU64>>,
    frame: Frame,
}

// SAFETY: `link` is the waiter's alone. `state` is written when nobody else knows of the latch, and is an atomic after
// that.
unsafe impl Sync for WorkerLatch {}

impl WorkerLatch {
    const_fn! {
        #[inline(always)]
        pub(in crate::pool) const fn new() -> Self {
            let state = UnsafeCell::new(MaybeUninit::uninit());
            Self { link: Cell::new(ptr::null()), state, frame: Frame::new() }
        }
    }

    #[inline(always)]
    pub(in crate::pool) const fn link(&self) -> &Cell<*const Fork> {
        &self.link
    }

    /// Makes it ready, before others know of it.
    #[inline]
    pub(in crate::pool) fn arm(&self) {
        // SAFETY: nobody else knows of it: its job is in no queue.
        self.state.with_mut(|state| unsafe { (*state).write(AtomicU64::new(PENDING)) });
    }

    /// Called for jobs that were public only.
    #[inline]
    fn state(&self) -> &AtomicU64 {
        self.frame.touch();
        // SAFETY: the job was public, so its latch was armed.
        self.state.with(|state| unsafe { (*state).assume_init_ref() })
    }

    /// What was done before is seen by who finds it set.
    #[inline]
    pub(in crate::pool) fn is_set(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `open`.
        self.state().load(Ordering::Acquire) == SET
    }

    /// Sets it, which opens the latch. The answer is the waiter's seat, if it may sleep.
    ///
    /// # Safety
    ///
    /// `this` is alive. When this returns it may be gone.
    #[inline]
    pub(in crate::pool) unsafe fn open(this: *const Self) -> Option<u32> {
        // SAFETY: the waiter does not leave before the state is `SET`.
        let state = unsafe { &*this }.state();
        // Ordering: Release: what was done is seen by the waiter. SeqCst, with the fence in `sleep`: the waiter sees
        // `SET`, or it is seen here. After this the latch may be gone.
        match state.swap(SET, Ordering::SeqCst) {
            PENDING => None,
            waiting => Some((waiting - WAITING) as u32),
        }
    }

    /// The waiter, on this seat, may sleep from now on.
    pub(in crate::pool) fn announce(&self, seat: u32) {
        let waiting = WAITING + u64::from(seat);
        // Ordering: SeqCst, as in `open`. If it fails, the latch is set, or the seat is known.
        let _ = self.state().compare_exchange(PENDING, waiting, Ordering::SeqCst, Ordering::Relaxed);
    }
}
