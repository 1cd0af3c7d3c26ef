//! How threads sleep as workers of the core's scheduler.

use divvy::Instant;
use divvy::sched::Park;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time;

/// Threads as workers: each sleeps on a lock of its own until it is woken, and costs nothing meanwhile.
///
/// *When not to use it:* for a pool of threads there is [`Pool`](crate::pool::Pool); this is for the
/// [`Scheduler`](divvy::sched::Scheduler) of the core, with tasks that are plain values.
///
/// # Examples
///
/// ```
/// use divvy::{rng::SplitMix64, sched::Scheduler, storage::Inline};
/// use divvy_host::worker::ThreadPark;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static SCHED: Scheduler<u32, Inline<2>, Inline<16>, Inline<16>> = Scheduler::new();
/// let (park, sum) = (ThreadPark::new(2), AtomicU32::new(0));
/// std::thread::scope(|scope| {
///     for index in 0..2 {
///         let (park, sum) = (&park, &sum);
///         scope.spawn(move || {
///             let mut worker = SCHED.worker(index).expect("each index is used once");
///             worker.run(park, &mut SplitMix64::seed(index.into()), |_, task| {
///                 sum.fetch_add(task, Ordering::Relaxed);
///             });
///         });
///     }
///     for task in 1..=10 {
///         SCHED.submit(task).expect("there is room for 16").deliver(&park);
///     }
///     SCHED.close().deliver(&park);
/// });
/// assert_eq!(sum.into_inner(), 55);
/// assert!(SCHED.submit(11).is_err());
/// ```
///
/// # Concurrency
///
/// A wake-up that comes before its sleep is kept, whichever thread the worker runs on then. Waking a worker that does
/// not exist does nothing.
#[derive(Debug)]
pub struct ThreadPark {
    beds: Box<[Bed]>,
    start: time::Instant,
}

#[derive(Debug, Default)]
struct Bed {
    /// Whether somebody called since the last sleep.
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Bed {
    /// A flag cannot be left half written, so a thread that panicked here leaves nothing to mend.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThreadPark {
    /// For workers 0 to `workers` - 1. The clock of their idle time starts now.
    #[must_use]
    pub fn new(workers: u32) -> Self {
        Self { beds: (0..workers).map(|_| Bed::default()).collect(), start: time::Instant::now() }
    }
}

impl Park for ThreadPark {
    /// A worker that does not exist returns at once.
    fn park(&self, worker: u32) {
        let Some(bed) = self.beds.get(worker as usize) else { return };
        let mut woken = bed.lock();
        while !*woken {
            woken = bed.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }

    fn unpark(&self, worker: u32) {
        let Some(bed) = self.beds.get(worker as usize) else { return };
        *bed.lock() = true;
        // After the lock is free: the sleeper wakes into an open door.
        bed.changed.notify_one();
    }

    fn now(&self) -> Option<Instant> {
        Some(Instant::ZERO.saturating_add(self.start.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_wake_up_before_the_sleep_ends_it_and_several_are_one() {
        let park = ThreadPark::new(1);
        park.unpark(0);
        park.unpark(0);
        park.park(0);
        assert!(!*park.beds[0].lock(), "the second sleep lasts until somebody calls");
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| park.park(0));
            park.unpark(0);
            sleeper.join().expect("it was woken");
        });
    }

    #[test]
    fn workers_that_do_not_exist_neither_sleep_nor_wake() {
        let park = ThreadPark::new(1);
        park.unpark(1);
        park.park(1);
        ThreadPark::new(0).park(0);
    }

    #[test]
    fn the_clock_goes_forward() {
        let park = ThreadPark::new(1);
        let first = park.now();
        assert!(first.is_some() && park.now() >= first);
    }
}
