//! The end of a pool.

use crate::pool::shared::injector::Priority;
use crate::pool::shared::{DISCARD, FINISH, OPEN, Shared};
use crate::pool::threads::Pool;
use crate::pool::work::context::discard;
use divvy::queue::Steal;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Workers that did not return in time. What did not begin was dropped all the same; they end when their task does, and
/// nobody waits for them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unfinished {
    /// How many.
    pub workers: usize,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} workers did not return in time; they are left to themselves", self.workers)
    }
}

impl std::error::Error for Unfinished {}

impl Pool {
    /// Drops the tasks that did not begin (their handles answer [`JoinError::Cancelled`](crate::pool::JoinError::Cancelled)),
    /// and waits at most so long for those that did.
    ///
    /// To finish all tasks instead, drop the pool: that waits as long as it takes, so a task that never returns keeps it
    /// waiting for ever.
    ///
    /// # Errors
    ///
    /// [`Unfinished`] if tasks run on: their threads are left to themselves.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Result<(), Unfinished> {
        let deadline = Instant::now().checked_add(timeout);
        self.shared.phase.store(DISCARD, Ordering::SeqCst);
        self.shared.discard_queued();
        self.shared.wake_all();
        let own = self.threads.iter().filter(|thread| thread.thread().id() == thread::current().id()).count();
        let mut alive = self.shared.alive.lock().unwrap_or_else(PoisonError::into_inner);
        while *alive > own {
            let Some(left) = deadline
                .map_or(Some(Duration::MAX), |deadline| deadline.checked_duration_since(Instant::now()))
            else {
                break;
            };
            alive = self.shared.ended.wait_timeout(alive, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let workers = *alive - own.min(*alive);
        drop(alive);
        if workers == 0 {
            return Ok(());
        }
        // What a stuck worker has in its deque, nobody else may have come by to drop.
        self.shared.discard_queued();
        self.threads.clear();
        Err(Unfinished { workers })
    }

    /// Ends the threads when nothing is left to do.
    fn close(&mut self) {
        let _ = self.shared.phase.compare_exchange(OPEN, FINISH, Ordering::SeqCst, Ordering::Relaxed);
        self.shared.wake_all();
        for thread in self.threads.drain(..) {
            // A task that owned the pool ends it from within: that thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Pool {
    /// Finishes what was spawned, then ends the threads. On a worker of this pool, that worker does so after the task
    /// that drops the pool.
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Drops what is queued, except what somebody's stack waits for.
    fn discard_queued(&self) {
        let mut kept = Vec::new();
        while let Some(job) = self.injector.pop(0) {
            if !discard(job) {
                kept.push(job);
            }
        }
        for seat in &self.seats {
            loop {
                match seat.stealer().steal_one() {
                    Steal::Success(job) => {
                        if !discard(job) {
                            kept.push(job);
                        }
                    }
                    Steal::Retry => thread::yield_now(),
                    Steal::Empty => break,
                }
            }
        }
        // Whoever waits for these finds them here.
        for job in kept {
            self.push_or_wait(Priority::High, job);
        }
    }
}
