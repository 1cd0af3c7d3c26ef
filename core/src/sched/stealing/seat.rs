//! What a worker leaves where others can see it: its deque, and what it has done.

use core::time::Duration;

use crate::fixed::Q32;
use crate::queue::Deque;
use crate::storage::Storage;
use crate::sync::{AtomicU32, Ordering, array_of, const_fn};
use crate::time::saturating_nanos;

pub(super) struct Seat<T, D: Storage> {
    pub(super) deque: Deque<T, D>,
    /// Written by the seat's worker alone, read by anyone.
    counters: [AtomicU32; COUNTERS],
    idle: Nanos,
}

/// Which counter of a seat.
#[derive(Clone, Copy)]
pub(super) enum Counter {
    Processed,
    Injected,
    Stolen,
    Attempts,
    Steals,
    Parked,
    Wakes,
    Woken,
    Cancelled,
}

const COUNTERS: usize = Counter::Cancelled as usize + 1;

/// What a worker has done, each count modulo 2³².
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct WorkerStats {
    /// Tasks that [`Worker::next`](super::Worker::next) handed out.
    pub processed: u32,
    /// Of those, tasks from the injector.
    pub injected: u32,
    /// Of those, tasks that [`Worker::unless_cancelled`](super::Worker::unless_cancelled) found cancelled.
    pub cancelled: u32,
    /// Tasks taken out of other workers' deques, handed out at once or kept for later.
    pub stolen: u32,
    /// Times that it tried another worker's deque, with or without success.
    pub steal_attempts: u32,
    /// Times that such an attempt brought something.
    pub steals: u32,
    /// Times that it went to sleep.
    pub parked: u32,
    /// Times that it had a worker woken.
    pub wakes: u32,
    /// Times that it was itself chosen to be woken.
    pub woken: u32,
    /// Time without a task, where somebody told: see [`Worker::add_idle`](super::Worker::add_idle).
    pub idle: Duration,
}

impl WorkerStats {
    /// Which share of its attempts to steal brought something; `None` if there were none.
    pub const fn success_rate(&self) -> Option<Q32> {
        Q32::from_ratio(self.steals as u64, self.steal_attempts as u64)
    }
}

impl<T, D: Storage> Seat<T, D> {
    const_fn! {
        pub(super) const fn around(deque: Deque<T, D>) -> Self {
            Self { deque, counters: array_of!(AtomicU32::new(0)), idle: Nanos::new() }
        }
    }

    pub(super) fn stats(&self) -> WorkerStats {
        // Ordering: Relaxed, counters carry nothing else.
        let count = |counter: Counter| self.counters[counter as usize].load(Ordering::Relaxed);
        WorkerStats {
            processed: count(Counter::Processed),
            injected: count(Counter::Injected),
            cancelled: count(Counter::Cancelled),
            stolen: count(Counter::Stolen),
            steal_attempts: count(Counter::Attempts),
            steals: count(Counter::Steals),
            parked: count(Counter::Parked),
            wakes: count(Counter::Wakes),
            woken: count(Counter::Woken),
            idle: Duration::from_nanos(self.idle.get()),
        }
    }

    /// Only the seat's worker writes, so no read-modify-write is needed.
    pub(super) fn count(&self, counter: Counter, by: u32) {
        let counter = &self.counters[counter as usize];
        // Ordering: Relaxed, as above.
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    pub(super) fn add_idle(&self, more: Duration) {
        self.idle.add(saturating_nanos(more));
    }
}

/// A 64-bit sum with one writer, in words of 32 bits: it is written from the high word to the low one to a copy of the
/// high one, and read in the other direction.
///
/// Where the two high words that a reader sees are equal, the low one belongs to them. Where they differ, the sum passed
/// from one to the other during the read, and so it had the value between them.
struct Nanos {
    high: AtomicU32,
    low: AtomicU32,
    high_again: AtomicU32,
}

impl Nanos {
    const_fn! {
        const fn new() -> Self {
            Self { high: AtomicU32::new(0), low: AtomicU32::new(0), high_again: AtomicU32::new(0) }
        }
    }

    /// Adds `more`, at most up to `u64::MAX`. By the writer alone.
    fn add(&self, more: u64) {
        // Ordering: Relaxed, the writer reads what it wrote itself.
        let sum = (u64::from(self.high.load(Ordering::Relaxed)) << 32)
            | u64::from(self.low.load(Ordering::Relaxed));
        let sum = sum.saturating_add(more);
        // Ordering: Release of each word after the first: whoever sees it sees those before it.
        self.high.store((sum >> 32) as u32, Ordering::Relaxed);
        self.low.store(sum as u32, Ordering::Release);
        self.high_again.store((sum >> 32) as u32, Ordering::Release);
    }

    fn get(&self) -> u64 {
        // Ordering: Acquire pairs with the Release of each word in `add`, in the opposite order.
        let before = self.high_again.load(Ordering::Acquire);
        let low = self.low.load(Ordering::Acquire);
        let after = self.high.load(Ordering::Acquire);
        u64::from(after) << 32 | if before == after { u64::from(low) } else { 0 }
    }
}

#[cfg(all(test, not(divvy_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_sum_goes_past_32_bits_and_ends_at_64() {
        let nanos = Nanos::new();
        let mut expected = 0u64;
        for more in [5, u64::from(u32::MAX), 1, 1 << 40, 77] {
            nanos.add(more);
            expected += more;
            assert_eq!(nanos.get(), expected);
        }
        nanos.add(u64::MAX);
        assert_eq!(nanos.get(), u64::MAX);
    }

    #[test]
    fn a_success_rate_needs_attempts() {
        let stats = WorkerStats { steal_attempts: 8, steals: 2, ..WorkerStats::default() };
        assert_eq!(stats.success_rate(), Q32::from_ratio(1, 4));
        assert_eq!(WorkerStats::default().success_rate(), None);
    }
}

#[cfg(all(test, divvy_loom))]
mod loom_tests {
    use super::*;
    use crate::sync::model;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn loom_a_sum_never_goes_back_or_ahead() {
        model("nanoseconds, 1 writer, 1 reader", 4, 3, || {
            let nanos = Arc::new(Nanos::new());
            nanos.add((1 << 32) - 2);
            let writer = {
                let nanos = Arc::clone(&nanos);
                thread::spawn(move || {
                    nanos.add(5);
                    nanos.add(1);
                })
            };
            let seen = [nanos.get(), nanos.get()];
            assert!(seen[0] <= seen[1], "{seen:x?}");
            let allowed = [(1 << 32) - 2, 1 << 32, (1 << 32) + 3, (1 << 32) + 4];
            assert!(seen.iter().all(|sum| allowed.contains(sum)), "{seen:x?}");
            writer.join().unwrap();
        });
    }
}
