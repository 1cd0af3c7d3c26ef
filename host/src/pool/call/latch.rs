//! One event that one thread waits for.
#![allow(
    unsafe_code,
    reason = "the latch may be gone as soon as it is set: the order of each access is said"
)]

use crate::pool::job::fork::WorkerLatch;
use crate::pool::shared::Shared;
use crate::pool::shared::seat::Seat;
use crate::pool::sync::{self, AtomicBool, Frame, Ordering, Thread};
use crate::pool::work::context::Context;
use crate::pool::work::until::Goal;
use std::sync::Arc;

/// What is set when a job that lives on a stack was executed.
pub(in crate::pool) trait Latch {
    /// Sets the latch, and wakes who waits for it.
    ///
    /// # Safety
    ///
    /// `this` is alive, and nobody else sets it. When this returns it may be gone.
    unsafe fn set(this: *const Self, cx: &Context<'_>);
}

impl Latch for WorkerLatch {
    unsafe fn set(this: *const Self, cx: &Context<'_>) {
        // SAFETY: the caller's.
        if let Some(seat) = unsafe { Self::open(this) } {
            cx.shared.wake(seat);
        }
    }
}

impl Goal for WorkerLatch {
    #[inline]
    fn is_reached(&self, _: &Shared, _: bool) -> bool {
        self.is_set()
    }

    fn announce(&self, _: &Arc<Shared>, seat: &Seat) {
        self.announce(seat.index);
    }
}

/// Waited for by a thread that is no worker of the pool.
pub(in crate::pool) struct ThreadLatch {
    set: AtomicBool,
    thread: Thread,
    /// The seat that the thread has in another pool, whose work it does meanwhile.
    seat: Option<(Arc<Shared>, u32)>,
    frame: Frame,
}

impl ThreadLatch {
    pub(in crate::pool) fn new(seat: Option<(Arc<Shared>, u32)>) -> Self {
        Self { set: AtomicBool::new(false), thread: sync::current(), seat, frame: Frame::new() }
    }

    pub(in crate::pool) fn is_set(&self) -> bool {
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
