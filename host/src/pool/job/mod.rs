//! What is queued: a pointer to a job, which knows how to execute itself.
#![allow(
    unsafe_code,
    reason = "a job is reached through a pointer without a type; who may follow it is said at each"
)]

pub(in crate::pool) mod blocks;
pub(in crate::pool) mod fork;
pub(in crate::pool) mod forks;

use std::ptr::NonNull;

/// The first field of each kind of job (all are `repr(C)`).
pub(in crate::pool) struct Header(pub(in crate::pool) &'static Kind);

/// Who executes a job: a `Context`, of which queues and what lies in them know nothing.
pub(in crate::pool) enum Caller {}

/// What can be done with a kind of job, given its header.
pub(in crate::pool) struct Kind {
    /// The caller is a `Context` of the pool that the job belongs to, and the job's for the length of the call.
    pub(in crate::pool) execute: unsafe fn(NonNull<Header>, NonNull<Caller>),
    /// Drops it instead, where that is possible: nobody's stack waits for it.
    pub(in crate::pool) discard: Option<unsafe fn(NonNull<Header>)>,
}

/// A job that waits in a queue. Whoever takes it out executes it, once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::pool) struct JobRef(NonNull<Header>);

// SAFETY: what a job captures is `Send`: each constructor demands it. The pointer itself has no thread.
unsafe impl Send for JobRef {}

impl JobRef {
    /// # Safety
    ///
    /// `header` is the first field of a job that stays where it is until it was executed, or until this reference is
    /// known to be in no queue.
    pub(in crate::pool) const unsafe fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// # Safety
    ///
    /// Whoever calls this took the reference out of the queue that it was put in, and calls this once, with a caller as
    /// [`Kind::execute`] wants it.
    #[inline]
    pub(in crate::pool) unsafe fn execute(self, caller: NonNull<Caller>) {
        // SAFETY: the job is alive until it was executed (`JobRef::new`), which happens here and nowhere else.
        unsafe { (self.0.as_ref().0.execute)(self.0, caller) }
    }

    /// Drops the job without executing it. `false` if somebody's stack waits for it, so that it must be executed.
    ///
    /// # Safety
    ///
    /// The caller took this reference out of the queue that it was put in; after `true` it is used up.
    pub(in crate::pool) unsafe fn discard(self) -> bool {
        // SAFETY: as in `execute`.
        match unsafe { self.0.as_ref().0.discard } {
            // SAFETY: as in `execute`.
            Some(discard) => unsafe { discard(self.0) },
            None => return false,
        }
        true
    }
}
