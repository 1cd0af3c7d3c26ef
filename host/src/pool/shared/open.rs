//! How many tasks of a scope are open.
#![allow(unsafe_code, reason = "a scope is alive as long as a task of it is counted")]

use crate::pool::sync::{Apart, AtomicIsize, Cell, Frame, Ordering, const_fn};
use std::ptr;

/// The open tasks of one scope, in two parts, so that its owner counts without a read-modify-write. The sum of both is what
/// is open.
#[repr(C)]
pub(in crate::pool) struct Open {
    /// Tasks that the owner spawned, less those that it finished. The owner's.
    own: Cell<isize>,
    /// The seat where the scope was opened. Its occupant is the owner.
    seat: u32,
    /// What others write is on a line of its own.
    _apart: Apart,
    /// The same of all others, and what the owner carried over before it slept.
    others: AtomicIsize,
    /// What tasks use of the scope.
    frame: Frame,
}

// SAFETY: `own` is touched by the owner alone: each function that does is told who calls.
unsafe impl Sync for Open {}

impl Open {
    const_fn! {
        pub(in crate::pool) const fn new(seat: u32) -> Self {
            Self { own: Cell::new(0), seat, _apart: Apart, others: AtomicIsize::new(0), frame: Frame::new() }
        }
    }

    /// One more task, spawned by the occupant of a seat of this pool, or by another thread.
    #[inline]
    pub(in crate::pool) fn add(&self, seat: Option<u32>) {
        if seat == Some(self.seat) {
            self.own.set(self.own.get() + 1);
        } else {
            // Ordering: Relaxed: what spawns this one is open, so the sum does not touch zero.
            self.others.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether no task is open; the owner asks.
    #[inline]
    pub(in crate::pool) fn is_none(&self) -> bool {
        // Ordering: Acquire: what the tasks did is seen.
        self.own.get() + self.others.load(Ordering::Acquire) == 0
    }

    /// From now on, whoever reports the last task is told so. The owner's.
    pub(in crate::pool) fn carry_over(&self) {
        // Ordering: SeqCst, as in `Finished::report`.
        self.others.fetch_add(self.own.take(), Ordering::SeqCst);
    }
}

/// Tasks of one scope that the occupant of a seat finished and did not report yet. While it goes on with tasks of the same
/// scope, that scope cannot end: one report does for all of them.
pub(in crate::pool) struct Finished {
    of: Cell<*const Open>,
    count: Cell<isize>,
}

impl Finished {
    const_fn! {
        pub(in crate::pool) const fn new() -> Self {
            Self { of: Cell::new(ptr::null()), count: Cell::new(0) }
        }
    }

    /// The occupant of `seat` begins a task of a scope. `wake` as in `report`.
    #[inline]
    pub(in crate::pool) fn begin(&self, open: *const Open, wake: impl FnOnce(u32)) {
        if self.count.get() != 0 && !ptr::eq(self.of.get(), open) {
            self.report(wake);
        }
    }

    /// The occupant of `seat` finished a task of a scope. Unless that is the owner, it calls `report` before it does anything
    /// but tasks of this scope.
    ///
    /// # Safety
    ///
    /// The scope is alive: the task is counted.
    #[inline]
    pub(in crate::pool) unsafe fn add(&self, open: *const Open, seat: u32, wake: impl FnOnce(u32)) {
        // SAFETY: the caller's.
        let scope = unsafe { &*open };
        scope.frame.touch();
        if scope.seat == seat {
            scope.own.set(scope.own.get() - 1);
            return;
        }
        // What the task itself did meanwhile may have left the count of another scope here.
        self.begin(open, wake);
        self.of.set(open);
        self.count.set(self.count.get() + 1);
    }

    /// Reports what was finished. `wake` is called with the scope's seat if nothing is open any more and its owner may sleep.
    #[inline]
    pub(in crate::pool) fn report(&self, wake: impl FnOnce(u32)) {
        let count = self.count.get();
        if count != 0 {
            self.count.set(0);
            // SAFETY: tasks of it that were not reported are counted, so it is alive until they are taken off below.
            let scope = unsafe { &*self.of.get() };
            let seat = scope.seat;
            scope.frame.touch();
            // Ordering: Release: what the tasks did is seen by the owner, which reads the count with Acquire. SeqCst, with
            // `carry_over`: this thread sees that the owner wants to sleep, or the owner sees the count. After this the
            // scope may be gone.
            if scope.others.fetch_sub(count, Ordering::SeqCst) == count {
                wake(seat);
            }
        }
    }
}
