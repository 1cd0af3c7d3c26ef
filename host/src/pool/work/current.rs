//! Which seats the current thread occupies.
#![allow(unsafe_code, reason = "a thread-local pointer to what stands on the same thread's stack")]

use crate::pool::shared::Shared;
use crate::pool::shared::seat::Seat;
use crate::pool::sync::Cell;
use std::ptr;
use std::sync::Arc;

/// One seat of this thread. A worker that calls into another pool may occupy a seat there too: the entries form a
/// chain, the newest first.
pub(in crate::pool) struct Entry<'a> {
    shared: &'a Arc<Shared>,
    seat: &'a Seat,
    before: *const Entry<'static>,
}

#[cfg(not(divvy_loom))]
thread_local! {
    static CURRENT: Cell<*const Entry<'static>> = const { Cell::new(ptr::null()) };
}
#[cfg(divvy_loom)]
loom::thread_local! {
    static CURRENT: Cell<*const Entry<'static>> = Cell::new(ptr::null());
}

/// Runs `body` as the occupant of `seat`.
pub(in crate::pool) fn occupy<R>(shared: &Arc<Shared>, seat: &Seat, body: impl FnOnce() -> R) -> R {
    /// Puts the entry before back, also when unwinding.
    struct Leave(*const Entry<'static>);
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.with(|current| current.set(self.0));
        }
    }
    let before = CURRENT.with(Cell::get);
    let entry = Entry { shared, seat, before };
    CURRENT.with(|current| current.set((&raw const entry).cast()));
    let _leave = Leave(before);
    body()
}

/// The seat of this thread in the pool `shared`, if it has one, for the length of `body`.
pub(in crate::pool) fn seat_in<R>(shared: &Arc<Shared>, body: impl FnOnce(Option<&Seat>) -> R) -> R {
    let mut entry = CURRENT.with(Cell::get);
    // SAFETY: each entry stands in a frame of `occupy` below this one on the same stack, and is unlinked before that
    // frame ends. `body` is given the seat for its own length only.
    while let Some(found) = unsafe { entry.as_ref() } {
        if Arc::ptr_eq(found.shared, shared) {
            return body(Some(found.seat));
        }
        entry = found.before;
    }
    body(None)
}

/// The newest seat of this thread, in whichever pool, for the length of `body`.
pub(in crate::pool) fn newest<R>(body: impl FnOnce(Option<(&Arc<Shared>, &Seat)>) -> R) -> R {
    // SAFETY: as in `seat_in`.
    body(unsafe { CURRENT.with(Cell::get).as_ref() }.map(|entry| (entry.shared, entry.seat)))
}
