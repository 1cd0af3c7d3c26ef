//! What a worker learns from its thefts: whether they pay.

use crate::pool::sync::Cell;

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
pub(in crate::pool) struct Thefts {
    /// How many tasks it took last, if it has not judged them yet.
    taken: Cell<u32>,
    taken_at: Cell<u64>,
    /// It steals nothing until then; 0 if it may.
    rests_until: Cell<u64>,
}

impl Thefts {
    /// So many tasks were taken.
    pub(in crate::pool) fn took(&self, count: u32, now: impl FnOnce() -> u64) {
        if count >= MANY {
            self.taken.set(count);
            self.taken_at.set(now());
        }
    }

    /// Whether the worker has reason to leave others' tasks to them. What it took last has been executed.
    pub(in crate::pool) fn rests(&self, now: impl FnOnce() -> u64) -> bool {
        let taken = self.taken.take();
        if taken == 0 && self.rests_until.get() == 0 {
            return false;
        }
        let now = now();
        let spent = now.wrapping_sub(self.taken_at.get());
        if taken > 0 && spent < u64::from(taken) * TINY {
            self.rests_until.set(now + (REST * spent).min(LONGEST_REST));
        }
        if now < self.rests_until.get() {
            return true;
        }
        self.rests_until.set(0);
        false
    }
}

#[cfg(all(test, not(divvy_loom)))]
mod tests {
    use super::*;

    /// What a worker does that took so many tasks at 1,000 ns and executed them by `then`: how long it rests.
    fn rest(count: u32, then: u64) -> u64 {
        let thefts = Thefts::default();
        thefts.took(count, || 1000);
        if !thefts.rests(|| then) {
            return 0;
        }
        let end = thefts.rests_until.get();
        assert!(thefts.rests(|| end - 1), "until then");
        assert!(
            !thefts.rests(|| end)
                && !thefts.rests(|| panic!("nothing to judge, so the time is not asked for"))
        );
        end - then
    }

    #[test]
    fn a_worker_rests_after_many_tiny_tasks() {
        assert_eq!(rest(100, 1000 + 5000), 8 * 5000);
        assert_eq!(rest(100, 1000 + 19_999), 8 * 19_999);
    }

    #[test]
    fn tasks_that_were_worth_it_and_single_ones_are_no_reason_to_rest() {
        assert_eq!(rest(100, 1000 + 20_000), 0);
        assert_eq!(rest(15, 1001), 0);
        assert_eq!(rest(16, 1001), 8);
    }

    #[test]
    fn no_rest_is_longer_than_what_may_follow_can_wait() {
        assert_eq!(rest(8192, 1000 + 1_000_000), LONGEST_REST);
    }
}
