//! What the threads of a pool share: one `seat` per worker, the `injector` for what comes from outside, and who sleeps, who
//! looks for work and who is woken (`wake`).

pub(in crate::pool) mod injector;
pub(in crate::pool) mod open;
pub(in crate::pool) mod policy;
pub(in crate::pool) mod seat;
pub(in crate::pool) mod stats;
pub(in crate::pool) mod thefts;
mod wake;
pub(in crate::pool) mod waker;

pub(in crate::pool) use wake::{LOOKER, NAP, SLEEPERS};

use crate::pool::error::PoolError;
use crate::pool::job::blocks::Depot;
use crate::pool::shared::injector::Injector;
use crate::pool::shared::policy::Policy;
use crate::pool::shared::seat::Seat;
use crate::pool::sync::{AtomicBool, AtomicU8, AtomicU32};
use divvy::sched::EventCount;
use divvy::storage::Heap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Work comes.
pub(in crate::pool) const OPEN: u8 = 0;
/// No more work comes: what there is is finished.
pub(in crate::pool) const FINISH: u8 = 1;
/// No more work comes: what did not begin is dropped, except what others wait for.
pub(in crate::pool) const DISCARD: u8 = 2;

pub(in crate::pool) struct Shared {
    pub(in crate::pool) policy: Policy,
    pub(in crate::pool) seats: Box<[Seat]>,
    /// Blocks for the tasks of scopes.
    pub(in crate::pool) depot: Arc<Depot>,
    pub(in crate::pool) injector: Injector,
    pub(in crate::pool) events: EventCount<Heap>,
    /// Low half: how many occupants sleep (or are about to). High half: how many look for work.
    pub(in crate::pool) idle: AtomicU32,
    /// A fork became public while somebody slept.
    pub(in crate::pool) forked: AtomicBool,
    /// Whether workers leave when there is no work, and what they do with what is queued.
    pub(in crate::pool) phase: AtomicU8,
    /// How many threads have not ended.
    pub(in crate::pool) alive: Mutex<usize>,
    pub(in crate::pool) ended: Condvar,
    pub(in crate::pool) began: Instant,
}

impl Shared {
    pub(in crate::pool) fn new(
        policy: Policy,
        threads: usize,
        deque: usize,
        queue: usize,
    ) -> Result<Self, PoolError> {
        let depot = Arc::new(Depot::default());
        let seat = |index| Seat::new(index, deque, Arc::clone(&depot));
        Ok(Self {
            policy,
            seats: (0..threads as u32).map(seat).collect(),
            depot,
            injector: Injector::new(queue)?,
            events: EventCount::with_capacity(threads).map_err(|_| PoolError::NoThreads)?,
            idle: AtomicU32::new(0),
            forked: AtomicBool::new(false),
            phase: AtomicU8::new(OPEN),
            alive: Mutex::new(0),
            ended: Condvar::new(),
            began: Instant::now(),
        })
    }

    /// Whether there is something in a queue.
    pub(in crate::pool) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.seats.iter().any(|seat| !seat.stealer().is_empty())
    }

    /// Nanoseconds since the pool began.
    pub(in crate::pool) fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}
