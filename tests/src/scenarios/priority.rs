//! The priority queue with aging, filled and emptied under a clock that now and then goes back.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::queue::PriorityQueue;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xA6E);
    for aging in [Duration::ZERO, Duration::from_millis(10), Duration::from_secs(1), Duration::MAX] {
        let mut queue = PriorityQueue::<u32, Inline<24>>::new(aging);
        let mut now = Instant::from_secs(5);
        for item in 0..1_000 {
            now = match rng.below(30) {
                0 => now.saturating_sub(Duration::from_millis(50)),
                _ => now.saturating_add(Duration::from_millis(rng.below(20).into())),
            };
            // As many come as go, so that it is full at times and empty at others.
            if rng.below(2) == 0 {
                let priority = rng.below(if item % 5 == 0 { 256 } else { 4 }) as u8;
                digest.feed(queue.push(now, priority, item).is_ok().into());
            } else {
                digest.feed_option(queue.peek().copied().map(u64::from));
                digest.feed_option(queue.pop().map(u64::from));
            }
            digest.feed(queue.len() as u64);
        }
        while let Some(item) = queue.pop() {
            digest.feed(item.into());
        }
    }
    digest.finish()
}
