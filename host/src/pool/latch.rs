//! One event that one thread waits for.
#![allow(
    unsafe_code,
    reason = "the latch may be gone as soon as it is set: the order of each access is said"
)]

use super::context::Context;
use super::job::Fork;
use super::seat::Seat;
use super::shared::Shared;
use super::sleep::Goal;
use super::sync::{self, AtomicBool, AtomicU64, Cell, Frame, Ordering, Thread, UnsafeCell, const_fn};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

/// What is set when a job that lives on a stack was executed.
pub(super) trait Latch {
    /// Sets the latch, and wakes who waits for it.
    ///
    /// # Safety
    ///
    /// `this` is alive, and nobody else sets it. When this returns it may be gone.
    unsafe fn set(this: *const Self, cx: &Context<'_>);
}

const PENDING: u64 = 0;
const SET: u64 = 1;
/// The waiter may sleep: this, and its seat.
const WAITING: u64 = 2;

/// Waited for by a worker of the same pool. Its state has no value before it is armed: most forks never are public, and
/// to each of them a store counts.
#[repr(C)]
pub(super) struct WorkerLatch {
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
        pub(super) const fn new() -> Self {
            let state = UnsafeCell::new(MaybeUninit::uninit());
            Self { link: Cell::new(ptr::null()), state, frame: Frame::new() }
        }
    }

    #[inline(always)]
    pub(super) const fn link(&self) -> &Cell<*const Fork> {
        &self.link
    }

    /// Makes it ready, before others know of it.
    #[inline]
    pub(super) fn arm(&self) {
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
}

impl Latch for WorkerLatch {
    unsafe fn set(this: *const Self, cx: &Context<'_>) {
        // SAFETY: the waiter does not leave before the state is `SET`.
        let state = unsafe { &*this }.state();
        // Ordering: Release: what was done is seen by the waiter. SeqCst, with the fence in `sleep`: the waiter sees
        // `SET`, or it is seen here. After this the latch may be gone.
        let before = state.swap(SET, Ordering::SeqCst);
        if before != PENDING {
            cx.shared.wake((before - WAITING) as u32);
        }
    }
}

impl Goal for WorkerLatch {
    #[inline]
    fn is_reached(&self, _: &Shared, _: bool) -> bool {
        // Ordering: Acquire pairs with the Release in `set`: what was done before is seen.
        self.state().load(Ordering::Acquire) == SET
    }

    fn announce(&self, _: &Arc<Shared>, seat: &Seat) {
        let waiting = WAITING + u64::from(seat.index);
        // Ordering: SeqCst, as in `set`. If it fails, the latch is set, or the seat is known.
        let _ = self.state().compare_exchange(PENDING, waiting, Ordering::SeqCst, Ordering::Relaxed);
    }
}

/// Waited for by a thread that is no worker of the pool.
pub(super) struct ThreadLatch {
    set: AtomicBool,
    thread: Thread,
    /// The seat that the thread has in another pool, whose work it does meanwhile.
    seat: Option<(Arc<Shared>, u32)>,
    frame: Frame,
}

impl ThreadLatch {
    pub(super) fn new(seat: Option<(Arc<Shared>, u32)>) -> Self {
        Self { set: AtomicBool::new(false), thread: sync::current(), seat, frame: Frame::new() }
    }

    pub(super) fn is_set(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `set`.
        self.set.load(Ordering::Acquire)
    }
}

impl Latch for ThreadLatch {
    unsafe fn set(this: *const Self, _: &Context<'_>) {
        // SAFETY: the waiter does not leave before the latch is set, which is below.
        let (thread, seat) = unsafe { ((*this).thread.clone(), (*this).seat.clone()) };
        // SAFETY: as above.
        unsafe { (*this).frame.touch() };
        // SAFETY: as above. Ordering: SeqCst, as in `WorkerLatch::set`. After this the latch may be gone.
        unsafe { (*this).set.store(true, Ordering::SeqCst) };
        match seat {
            Some((shared, index)) => shared.wake(index),
            None => thread.unpark(),
        }
    }
}

impl Goal for ThreadLatch {
    fn is_reached(&self, _: &Shared, _: bool) -> bool {
        self.is_set()
    }

    fn announce(&self, _: &Arc<Shared>, _: &Seat) {}
}
