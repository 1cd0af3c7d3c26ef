//! The oldest fork is public, and no other before somebody asks.
//!
//! After Acar, Charguéraud, Guatto, Rainey, Sieczkowski: *Heartbeat scheduling: provable efficiency for nested
//! parallelism*, PLDI 2018, with the request of a thief in the place of the clock.

use crate::pool::context::Context;

/// At a fork of a worker that has nothing public any more: publishes its oldest forks, one for each idle worker, and at
/// least one.
pub(in crate::pool) fn attend(cx: &Context<'_>) {
    let seat = cx.seat();
    // Before the look: a thief that takes something after it asks again.
    seat.forks.answer();
    if !seat.stealer().is_empty() || seat.publish_oldest() {
        cx.shared.notify_fork(seat);
    }
}
