//! How to wake somebody who waits for a task, or for room.

use crate::pool::shared::Shared;
use crate::pool::sync::{self, Thread};
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Wakes the current thread, which is no worker.
pub(in crate::pool) fn this_thread() -> Waker {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Waker::from(Arc::new(Unpark(sync::current())))
}

/// Wakes whoever occupies a seat.
pub(in crate::pool) fn occupant(shared: &Arc<Shared>, index: u32) -> Waker {
    struct Occupant(Arc<Shared>, u32);
    impl Wake for Occupant {
        fn wake(self: Arc<Self>) {
            self.0.wake(self.1);
        }
    }
    Waker::from(Arc::new(Occupant(Arc::clone(shared), index)))
}
