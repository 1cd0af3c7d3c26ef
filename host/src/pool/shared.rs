//! What the threads of a pool share, and where a worker finds work.

use super::Policy;
use super::context::Context;
use super::error::PoolError;
use super::injector::Injector;
use super::job::JobRef;
use super::seat::Seat;
use super::sync::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use divvy::queue::Steal;
use divvy::sched::EventCount;
use divvy::storage::Heap;
use std::sync::{Condvar, Mutex};
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
        Ok(Self {
            policy,
            seats: (0..threads as u32).map(|index| Seat::new(index, deque)).collect(),
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
            .or_else(|| self.injector.pop(1))
            .or_else(|| self.steal(seat))
    }

    /// Looks at each other seat once, from a random one on, and again at those that were at it.
    fn steal(&self, thief: &Seat) -> Option<JobRef> {
        let count = self.seats.len();
        if count == 1 {
            return None;
        }
        for _ in 0..2 {
            let mut again = false;
            let start = below(thief, count);
            for index in (start..count).chain(0..start).filter(|&index| index != thief.index as usize) {
                let victim = &self.seats[index];
                if victim.stealer().is_empty() {
                    continue;
                }
                thief.counts.attempts.add(1);
                let taken = if victim.bulk.load(Ordering::Relaxed) {
                    match victim.stealer().steal_half(thief.worker()) {
                        Steal::Success((job, more)) => {
                            thief.counts.stolen.add(u64::from(more));
                            thief.bulk.store(true, Ordering::Relaxed);
                            Steal::Success(job)
                        }
                        Steal::Empty => Steal::Empty,
                        Steal::Retry => Steal::Retry,
                    }
                } else {
                    victim.stealer().steal_one()
                };
                match taken {
                    Steal::Success(job) => {
                        // What was public is gone: the victim gives more, if it has more.
                        victim.forks.ask();
                        thief.counts.stolen.add(1);
                        return Some(job);
                    }
                    Steal::Retry => again = true,
                    Steal::Empty => {}
                }
            }
            if !again {
                return None;
            }
            std::hint::spin_loop();
        }
        None
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

/// A number below `count`, from the seat's own generator (xorshift: it only has to spread the thieves).
fn below(seat: &Seat, count: usize) -> usize {
    let mut x = seat.random.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    seat.random.set(x);
    (((x >> 32) * count as u64) >> 32) as usize
}
