//! What the threads of a pool share, and where a worker finds work.

use super::Policy;
use super::context::Context;
use super::error::PoolError;
use super::injector::Injector;
use super::job::JobRef;
use super::seat::Seat;
use super::sync::{AtomicBool, AtomicU8, AtomicU32};
use super::task::Depot;
use divvy::sched::EventCount;
use divvy::storage::Heap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// How many jobs a worker takes from its own deque before it looks into the injector first.
const FAIRNESS: u32 = 61;

/// Work comes.
pub(super) const OPEN: u8 = 0;
/// No more work comes: what there is is finished.
pub(super) const FINISH: u8 = 1;
/// No more work comes: what did not begin is dropped, except what others wait for.
pub(super) const DISCARD: u8 = 2;

pub(super) struct Shared {
    pub(super) policy: Policy,
    pub(super) seats: Box<[Seat]>,
    /// Blocks for the tasks of scopes.
    pub(super) depot: Arc<Depot>,
    pub(super) injector: Injector,
    pub(super) events: EventCount<Heap>,
    /// Low half: how many occupants sleep (or are about to). High half: how many look for work.
    pub(super) idle: AtomicU32,
    /// A fork became public while somebody slept.
    pub(super) forked: AtomicBool,
    /// Whether workers leave when there is no work, and what they do with what is queued.
    pub(super) phase: AtomicU8,
    /// How many threads have not ended.
    pub(super) alive: Mutex<usize>,
    pub(super) ended: Condvar,
    pub(super) began: Instant,
}

impl Shared {
    pub(super) fn new(policy: Policy, threads: usize, deque: usize, queue: usize) -> Result<Self, PoolError> {
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

    /// The next job for whoever occupies the seat of `cx`.
    pub(super) fn find(&self, cx: &mut Context<'_>) -> Option<JobRef> {
        let seat = cx.seat();
        let tick = seat.tick.get().wrapping_add(1);
        seat.tick.set(tick);
        if tick.is_multiple_of(FAIRNESS)
            && let Some(job) = self.injector.pop(tick / FAIRNESS)
        {
            return Some(job);
        }
        self.injector
            .pop_urgent()
            .or_else(|| seat.worker().pop())
            .or_else(|| self.take_in(seat))
            .or_else(|| self.steal(seat))
    }

    /// The next job from outside. A few behind it of the same importance come to this worker's deque: they cost less
    /// together, and others can take them from there.
    fn take_in(&self, seat: &Seat) -> Option<JobRef> {
        let (job, more) = self.injector.pop_some(seat.worker(), self.seats.len());
        if more {
            self.notify_unfenced();
        }
        job
    }

    /// Whether there is something in a queue.
    pub(super) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.seats.iter().any(|seat| !seat.stealer().is_empty())
    }

    /// Nanoseconds since the pool began.
    pub(super) fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}
