//! Windows of several lengths and quotas, under a clock that stands still, runs, and jumps either way.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, SlidingLog};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x1065);
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    for (cells, window) in [(1, 10), (7, 100), (32, 1_000), (33, 1_000), (5, 0), (16, u64::MAX)] {
        let Ok(mut limit) = SlidingLog::<Inline<32>>::new(count(cells), Duration::from_nanos(window)) else {
            digest.feed(u64::MAX);
            continue;
        };
        let mut now = Instant::from_secs(1);
        for _ in 0..1_000 {
            let step = u64::from(rng.below(40)) * window.min(1_000) / (10 * u64::from(cells));
            now = match rng.below(40) {
                0 => now.saturating_sub(Duration::from_nanos(10 * step)),
                1 => now.saturating_add(Duration::from_nanos(20 * step)),
                2..8 => now,
                _ => now.saturating_add(Duration::from_nanos(step)),
            };
            if rng.below(100) == 0 {
                let set = limit.set(count(1 + rng.below(40)), Duration::from_nanos(window.min(1_000)));
                digest.feed(set.is_ok().into());
            }
            let n = count(1 + rng.below(4));
            digest.feed_option(limit.next_free_n(now, n).ok().map(Instant::as_nanos));
            match limit.admit_n(now, n) {
                Ok(Admit::Yes) => digest.feed(0),
                Ok(Admit::No { retry_at }) => digest.feed(retry_at.as_nanos()),
                Err(over) => digest.feed(over.burst.into()),
            }
            digest.feed(limit.len(now).into());
        }
    }
    digest.finish()
}
