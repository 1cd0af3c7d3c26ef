//! Where a worker finds its next job: in its own deque, outside, or with other workers.

use crate::pool::job::JobRef;
use crate::pool::shared::Shared;
use crate::pool::shared::seat::Seat;
use crate::pool::sync::Ordering;
use divvy::queue::Steal;

/// How many jobs a worker takes from its own deque before it looks into the injector first.
const FAIRNESS: u32 = 61;

impl Shared {
    /// The next job for whoever occupies `seat`.
    pub(in crate::pool) fn find(&self, seat: &Seat) -> Option<JobRef> {
        let tick = seat.tick.get().wrapping_add(1);
        seat.tick.set(tick);
        if tick.is_multiple_of(FAIRNESS)
            && let Some(job) = self.injector.pop(tick / FAIRNESS)
        {
            return Some(job);
        }
        self.injector
            .pop_urgent()
            .or_else(|| own(seat))
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

    /// Looks at each other seat once, from a random one on, and again at those that were at it.
    pub(in crate::pool) fn steal(&self, thief: &Seat) -> Option<JobRef> {
        let count = self.seats.len();
        if count == 1 || thief.thefts.rests(|| self.now()) {
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
                match take(thief, victim) {
                    Steal::Success((job, more)) => {
                        thief.counts.stolen.add(u64::from(more) + 1);
                        thief.thefts.took(more + 1, || self.now());
                        // What was public is gone: the victim gives more, if it has more.
                        victim.forks.ask();
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
}

/// The newest job of this worker's own. What it had public may be gone with it: its next fork looks after that.
fn own(seat: &Seat) -> Option<JobRef> {
    let job = seat.worker().pop()?;
    seat.forks.ask();
    Some(job)
}

/// The oldest job of the victim, or half of its jobs if it has them in numbers. The oldest is in the answer, with the number
/// of the others, which are the thief's now.
fn take(thief: &Seat, victim: &Seat) -> Steal<(JobRef, u32)> {
    if victim.bulk.load(Ordering::Relaxed) {
        let taken = victim.stealer().steal_half(thief.worker());
        if matches!(taken, Steal::Success(_)) && !thief.bulk.load(Ordering::Relaxed) {
            thief.bulk.store(true, Ordering::Relaxed);
        }
        return taken;
    }
    match victim.stealer().steal_one() {
        Steal::Success(job) => Steal::Success((job, 0)),
        Steal::Retry => Steal::Retry,
        Steal::Empty => Steal::Empty,
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
