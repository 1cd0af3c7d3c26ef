//! The forks that a worker has open.
#![allow(unsafe_code, reason = "a stack whose owner checks its end and a thief's wish in one comparison")]

use super::job::JobRef;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A stack of forks, oldest first, of which the first few are public: they are, or were, in the deque.
///
/// What a fork costs is what [`Forks::open`] and [`Forks::close`] cost: whoever wants the worker's attention sets the
/// limit of the stack to zero, so that the worker finds out where it would have looked anyway.
pub(super) struct Forks {
    /// How many there may be before the worker has to do something else first: make room, or [attend](Forks::open).
    /// Written by anyone.
    limit: AtomicUsize,
    /// The rest is the worker's.
    len: Cell<usize>,
    public: Cell<usize>,
    slots: UnsafeCell<Vec<JobRef>>,
}

impl Forks {
    pub(super) fn new() -> Self {
        Self {
            limit: AtomicUsize::new(0),
            len: Cell::new(0),
            public: Cell::new(0),
            slots: UnsafeCell::new(Vec::with_capacity(64)),
        }
    }

    /// Opens a fork that nobody else knows of. `attend` is called after that where somebody asked for it.
    #[inline(always)]
    pub(super) fn open(&self, job: JobRef, attend: impl FnOnce()) {
        let place = self.len.get();
        // Ordering: Relaxed: that somebody asked is all that is said.
        if place >= self.limit.load(Ordering::Relaxed) {
            self.open_attentively(job);
            attend();
        } else {
            // SAFETY: the worker alone touches the slots. The limit is at most their capacity.
            unsafe { (*self.slots.get()).as_mut_ptr().add(place).write(job) };
            self.len.set(place + 1);
        }
    }

    #[cold]
    fn open_attentively(&self, job: JobRef) {
        let len = self.len.get();
        // SAFETY: the worker alone touches the slots, and nothing in here calls back.
        let slots = unsafe { &mut *self.slots.get() };
        // SAFETY: the slots below `len` were written.
        unsafe { slots.set_len(len) };
        slots.push(job);
        self.len.set(len + 1);
        if self.limit.load(Ordering::Relaxed) != 0 {
            self.limit.store(slots.capacity(), Ordering::Relaxed);
        }
    }

    /// Closes the newest fork. `true` if nobody else ever knew of it. As forks are closed newest first, also when
    /// unwinding, the one that a frame closes is the one that it opened.
    #[inline(always)]
    pub(super) fn close(&self) -> bool {
        // It does not wrap: each call belongs to one of `open`.
        let place = self.len.get().wrapping_sub(1);
        self.len.set(place);
        if place >= self.public.get() {
            return true;
        }
        self.public.set(place);
        false
    }

    /// Whether somebody wants the worker to publish a fork.
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.limit.load(Ordering::Relaxed) == 0
    }

    /// Wants the worker's attention at its next fork. Anyone.
    #[inline]
    pub(super) fn ask(&self) {
        self.limit.store(0, Ordering::Relaxed);
    }

    /// The worker attends. Whoever asks after this is heard at the next fork.
    pub(super) fn answer(&self) {
        // SAFETY: the worker alone touches the slots.
        self.limit.store(unsafe { (*self.slots.get()).capacity() }, Ordering::Relaxed);
    }

    /// Makes the oldest fork that nobody knows of public. `false` if there is none, or `give` refuses.
    #[inline]
    pub(super) fn publish(&self, give: impl FnOnce(JobRef) -> bool) -> bool {
        let public = self.public.get();
        if public == self.len.get() {
            return false;
        }
        // SAFETY: the slots below `len` were written, and the worker alone touches them.
        let job = unsafe { (*self.slots.get()).as_ptr().add(public).read() };
        // SAFETY: it is a fork, and it is in no queue yet.
        unsafe { job.arm() };
        let given = give(job);
        if given {
            self.public.set(public + 1);
        }
        given
    }
}

impl fmt::Debug for Forks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forks").field("is_asked", &self.is_asked()).finish_non_exhaustive()
    }
}
