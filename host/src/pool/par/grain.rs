//! How long a block should be, as the clock has it.

use std::time::Instant;

/// A block takes about this long: a look at the clock and at who is idle (some 50 ns) is then under a hundredth of it,
/// and whoever is idle waits no longer.
const BLOCK_NANOS: u64 = 10_000;
/// What is left is worth waking a sleeping thread if it takes this long: about what rousing it takes.
const WAKE_NANOS: u64 = 20_000;
/// What is left is worth giving half away, to somebody who is awake or will be, if it takes this long.
const SPLIT_NANOS: u64 = 2_000;
/// A measurement below this says little about one item: it is the clock's own time.
const TRUSTED_NANOS: u64 = 1_000;
/// A block is at most one part in so many of what is left, where others may wait for that, ...
const SHARE: usize = 16;
/// ... but for that alone it does not become shorter than by this factor.
const SHORTER: usize = 8;
/// The next block is at most so many times longer than the one that was measured.
const GROWTH: usize = 8;

/// The length of the next block, and what is known of an item.
#[derive(Clone, Copy)]
pub(super) struct Grain {
    block: usize,
    /// The newest block that was measured.
    items: usize,
    nanos: u64,
}

impl Grain {
    /// Nothing is known: one item might take a second.
    pub(super) fn new() -> Self {
        Self { block: 1, items: 0, nanos: 0 }
    }

    /// How many of the `left` items the next block takes.
    pub(super) fn next(&self, left: usize) -> usize {
        self.block.min(left)
    }

    /// The same where others may wait for what is left: the items to come may be much longer than those before, so a block
    /// is a small part of what is left, unless that makes it too short to pay.
    pub(super) fn next_of_shared(&self, left: usize) -> usize {
        self.block.min((left / SHARE).max(self.block / SHORTER)).max(1).min(left)
    }

    /// Runs a block of so many items, and learns from the time it takes.
    pub(super) fn measure<R>(&mut self, items: usize, run: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = run();
        self.observe(items, start.elapsed().as_nanos() as u64);
        result
    }

    fn observe(&mut self, items: usize, nanos: u64) {
        (self.items, self.nanos) = (items, nanos);
        let fitting = (items as u64).saturating_mul(BLOCK_NANOS) / nanos.max(1);
        self.block = (fitting as usize).clamp(1, items.saturating_mul(GROWTH));
    }

    /// How long `left` more items would take; nothing known is nothing.
    fn nanos_for(&self, left: usize) -> u64 {
        if self.items == 0 { 0 } else { (left as u64).saturating_mul(self.nanos) / self.items as u64 }
    }

    /// Whether to call the pool for the `left` items.
    pub(super) fn is_worth_waking(&self, left: usize) -> bool {
        self.nanos >= TRUSTED_NANOS && self.nanos_for(left) >= WAKE_NANOS
    }

    /// Whether to give half of the `left` items to somebody who is idle.
    pub(super) fn is_worth_splitting(&self, left: usize) -> bool {
        left > 1 && self.nanos_for(left) >= SPLIT_NANOS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that takes so many nanoseconds for an item, on a clock that takes 25 itself.
    fn measured(grain: &mut Grain, left: usize, nanos_per_item: u64) -> usize {
        let items = grain.next(left);
        grain.observe(items, 25 + items as u64 * nanos_per_item);
        items
    }

    #[test]
    fn blocks_grow_to_their_time_within_a_few_and_follow_a_change() {
        let mut grain = Grain::new();
        for _ in 0..6 {
            measured(&mut grain, usize::MAX, 1);
        }
        assert!((9_000..=10_000).contains(&grain.block), "{}", grain.block);
        measured(&mut grain, usize::MAX, 1_000);
        assert_eq!(measured(&mut grain, usize::MAX, 1_000), 9);
        measured(&mut grain, usize::MAX, u64::from(u32::MAX));
        assert_eq!(grain.block, 1, "never less than one");
    }

    #[test]
    fn a_thousand_cheap_items_wake_nobody_and_a_few_dear_ones_do() {
        let (mut grain, mut left) = (Grain::new(), 1_000);
        while left > 0 {
            assert!(!grain.is_worth_waking(left));
            left -= measured(&mut grain, left, 1);
        }
        let mut grain = Grain::new();
        assert!(!grain.is_worth_waking(usize::MAX), "nothing is known yet");
        measured(&mut grain, 40, 1_000);
        assert!(grain.is_worth_waking(39) && !grain.is_worth_waking(10));
        assert!(grain.is_worth_splitting(2) && !grain.is_worth_splitting(1));
    }

    #[test]
    fn the_end_of_a_shared_range_is_cut_finer() {
        let grain = Grain { block: 800, items: 800, nanos: 10_000 };
        let lengths = [1_000_000, 12_800, 8_000, 1_000, 50, 1].map(|left| grain.next_of_shared(left));
        assert_eq!(lengths, [800, 800, 500, 100, 50, 1]);
        assert_eq!(Grain::new().next_of_shared(5), 1);
    }

    #[test]
    fn extreme_lengths_and_times_do_not_overflow() {
        let mut grain = Grain::new();
        grain.observe(usize::MAX, u64::MAX);
        assert_eq!(grain.block, 1);
        grain.observe(1 << 20, u64::MAX);
        assert!(grain.is_worth_waking(usize::MAX));
        grain.observe(1 << 60, 0);
        assert!(grain.block >= 1);
    }
}
