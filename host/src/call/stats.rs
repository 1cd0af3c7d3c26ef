//! What there is to count.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`Call`](super::Call) has seen so far. Each count is taken on its own while others go on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CallStats {
    /// Attempts that were made: first ones, retries and hedges.
    pub attempts: u64,
    /// Of them, those that were made again after a failure.
    pub retries: u64,
    /// Of them, those that were made beside one that took long.
    pub hedges: u64,
    /// Attempts that were refused, and not made.
    pub refused: u64,
    /// Attempts that had no answer in time.
    pub timed_out: u64,
    /// Attempts whose future was dropped before it had an answer, losers of a hedge among them.
    pub dropped: u64,
    /// Attempts that panicked.
    pub panicked: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) attempts: Counter,
    pub(super) retries: Counter,
    pub(super) hedges: Counter,
    pub(super) refused: Counter,
    pub(super) timed_out: Counter,
    pub(super) dropped: Counter,
    pub(super) panicked: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) {
        // Ordering: a figure; nothing else depends on it.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn stats(&self) -> CallStats {
        CallStats {
            attempts: self.attempts.get(),
            retries: self.retries.get(),
            hedges: self.hedges.get(),
            refused: self.refused.get(),
            timed_out: self.timed_out.get(),
            dropped: self.dropped.get(),
            panicked: self.panicked.get(),
        }
    }
}
