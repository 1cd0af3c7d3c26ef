//! What each worker did.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one seat. Written by its occupant (`wakes`: by whoever wakes it), read by anyone.
#[derive(Default)]
pub(in crate::pool) struct Counts {
    pub(in crate::pool) processed: Counter,
    pub(in crate::pool) stolen: Counter,
    pub(in crate::pool) attempts: Counter,
    pub(in crate::pool) parks: Counter,
    pub(in crate::pool) wakes: AtomicU64,
}

/// A counter with one writer.
#[derive(Default)]
pub(in crate::pool) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(in crate::pool) fn add(&self, count: u64) {
        // One writer: no read-modify-write is needed.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(in crate::pool) fn read(&self) -> WorkerStats {
        WorkerStats {
            processed: self.processed.read(),
            stolen: self.stolen.read(),
            attempts: self.attempts.read(),
            parks: self.parks.read(),
            wakes: self.wakes.load(Ordering::Relaxed),
        }
    }
}

/// What one worker did since the pool began. A snapshot: the counters run on while it is taken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Jobs taken from a queue and executed: tasks, and forks that were public. A fork that its own worker took up
    /// again is not counted: most of them never were in a queue.
    pub processed: u64,
    /// Jobs taken from other workers.
    pub stolen: u64,
    /// Looks into another worker's deque, with success or without.
    pub attempts: u64,
    /// How often it went to sleep.
    pub parks: u64,
    /// How often another thread woke it.
    pub wakes: u64,
}
