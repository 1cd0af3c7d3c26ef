//! Every fork is public.

use crate::pool::context::Context;

/// At each fork: it goes to the deque. If that is full, the fork stays with its worker.
pub(in crate::pool) fn attend(cx: &Context<'_>) {
    if cx.seat().publish_newest() {
        cx.shared.notify_fork(cx.seat());
    }
}
