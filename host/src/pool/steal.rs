//! Taking work from other workers.

use super::job::JobRef;
use super::seat::Seat;
use super::shared::Shared;
use super::sync::{Cell, Ordering};
use divvy::queue::Steal;

/// A theft of fewer tasks says nothing about how long the next ones take.
const MANY: u32 = 16;
/// Stolen tasks that took less than this on average, in nanoseconds, were not worth stealing: each of them and what it
/// wrote goes from one core to another, and its owner waits for the lines on which it has to put the next one.
const TINY: u64 = 200;
/// How many times as long as such tasks took a worker steals nothing, and how long at most: others may follow them.
const REST: u64 = 8;
const LONGEST_REST: u64 = 250_000;

/// What a worker learns from its thefts. Times are in nanoseconds since the pool began.
#[derive(Default)]
pub(super) struct Thefts {
    /// How many tasks it took last, if it has not judged them yet.
    taken: Cell<u32>,
    taken_at: Cell<u64>,
    /// It steals nothing until then; 0 if it may.
    rests_until: Cell<u64>,
}

impl Shared {
    /// Whether a worker has reason to leave others' tasks to them. What it took last has been executed.
    pub(super) fn rests(&self, seat: &Seat) -> bool {
        let Thefts { taken, taken_at, rests_until } = &seat.thefts;
        let count = taken.take();
        if count >= MANY {
            let now = self.now();
            let spent = now.wrapping_sub(taken_at.get());
            if spent < u64::from(count) * TINY {
                rests_until.set(now + (REST * spent).min(LONGEST_REST));
                return true;
            }
        }
        if rests_until.get() > 0 {
            if self.now() < rests_until.get() {
                return true;
            }
            rests_until.set(0);
        }
        false
    }

    /// Looks at each other seat once, from a random one on, and again at those that were at it.
    pub(super) fn steal(&self, thief: &Seat) -> Option<JobRef> {
        let count = self.seats.len();
        if count == 1 || self.rests(thief) {
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
                        if more + 1 >= MANY {
                            thief.thefts.taken.set(more + 1);
                            thief.thefts.taken_at.set(self.now());
                        }
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
