//! One event that one thread waits for.
#![allow(
    unsafe_code,
    reason = "the latch may be gone as soon as it is set: the order of each access is said"
)]

use super::seat::Target;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

const PENDING: u32 = 0;
/// The waiter wrote `target` and may sleep.
const WAITING: u32 = 1;
const SET: u32 = 2;

/// Set once, by one thread; waited for by one other.
pub(super) struct Latch {
    state: AtomicU32,
    /// Written by the waiter before `WAITING`, read by the setter after that.
    target: UnsafeCell<MaybeUninit<Target>>,
}

// SAFETY: `target` is written by the one waiter while the state is `PENDING`, and read by the one setter after the
// state became `WAITING` (Release and Acquire).
unsafe impl Sync for Latch {}

impl Latch {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { state: AtomicU32::new(PENDING), target: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `set`: what was done before is seen.
        self.state.load(Ordering::Acquire) == SET
    }

    /// The waiter says how to wake it, the first time that it wants to sleep. It asks `is_set` after that.
    pub(super) fn announce(&self, target: impl FnOnce() -> Target) {
        if self.state.load(Ordering::Relaxed) != PENDING {
            return;
        }
        // SAFETY: the state is `PENDING` as far as this thread has said, so the setter does not read the target.
        unsafe { (*self.target.get()).write(target()) };
        // Ordering: Release publishes the target to the setter.
        if self.state.compare_exchange(PENDING, WAITING, Ordering::Release, Ordering::Relaxed).is_err() {
            // SAFETY: the latch was set meanwhile, and the setter did not read the target: it is still this thread's.
            unsafe { (*self.target.get()).assume_init_drop() };
        }
    }

    /// Sets the latch, and wakes who waits for it.
    ///
    /// # Safety
    ///
    /// `this` is alive, and nobody else sets it. When this returns it may be gone.
    pub(super) unsafe fn set(this: *const Self) {
        // SAFETY: the waiter does not leave before the state is `SET`.
        let state = unsafe { &(*this).state };
        // Ordering: Release publishes what was done; Acquire on refusal, to see the target.
        if state.compare_exchange(PENDING, SET, Ordering::Release, Ordering::Acquire).is_ok() {
            return;
        }
        // SAFETY: the state is `WAITING`: the target was written, and is this thread's to read.
        let target = unsafe { (*(*this).target.get()).assume_init_read() };
        // Ordering: Release, as above. After this the latch may be gone.
        state.store(SET, Ordering::Release);
        target.wake();
    }
}
