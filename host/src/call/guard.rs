//! What an attempt holds, and gives back however it ends.

use super::{Call, Class};
use divvy::breaker::{Outcome, Pass};
use divvy::limit::Permit;
use std::fmt;

/// Leave to make one attempt: a pass of the breaker and a place in the bulkhead.
///
/// [`complete`](Self::complete) says how it went. Dropped without that, it gives both back: an attempt whose future was
/// dropped counts as [`Call::when_dropped`] says, one that panicked as [`Call::when_panicked`] says. So nothing that
/// happens to a caller leaves a breaker waiting or a place taken.
#[must_use = "the attempt is over when this is dropped"]
pub struct Guard<'a> {
    call: &'a Call,
    pass: Option<Pass>,
    _place: Option<Permit<'a>>,
    /// Whether the caller's own code runs: a drop now is its panic.
    inside: bool,
    over: bool,
}

impl<'a> Guard<'a> {
    pub(super) fn new(call: &'a Call, pass: Option<Pass>, place: Option<Permit<'a>>) -> Self {
        call.counters.attempts.count();
        Self { call, pass, _place: place, inside: false, over: false }
    }

    /// The attempt is over, and this is what its answer means.
    pub fn complete(self, class: Class) {
        self.end(class.outcome());
    }

    pub(super) fn end(mut self, outcome: Outcome) {
        self.over = true;
        self.tell(outcome);
    }

    /// Runs the caller's own code.
    pub(super) fn run<R>(&mut self, code: impl FnOnce() -> R) -> R {
        self.inside = true;
        let result = code();
        self.inside = false;
        result
    }

    fn tell(&mut self, outcome: Outcome) {
        if let (Some(breaker), Some(pass)) = (&self.call.breaker, self.pass.take()) {
            // A pass that is stale was accounted for when it became so.
            let _ = breaker.complete(self.call.clock.now(), pass, outcome);
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let outcome = if self.inside {
            self.call.counters.panicked.count();
            self.call.panicked
        } else {
            self.call.counters.dropped.count();
            self.call.dropped
        };
        self.tell(outcome);
    }
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("pass", &self.pass).finish_non_exhaustive()
    }
}
