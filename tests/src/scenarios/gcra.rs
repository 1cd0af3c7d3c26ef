//! Admissions at several rates, under a clock that stands still, runs, and jumps either way.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, Gcra, Quota};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x6C8A);
    let second = Duration::from_secs(1);
    for (cells, per, burst) in [
        (5, second, 1),
        (3, second, 10),
        (7, Duration::from_nanos(100), 3),
        (1, Duration::from_secs(3_600), 2),
        (u32::MAX, second, 1_000),
        (1, Duration::MAX, 1),
        (1, Duration::ZERO, 1),
    ] {
        let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
        let Ok(quota) = Quota::new(count(cells), per).and_then(|quota| quota.burst(count(burst))) else {
            digest.feed(u64::MAX);
            continue;
        };
        let cell = per / cells;
        let mut limiter = Gcra::new(quota);
        let mut now = Instant::from_secs(1_000_000);
        for _ in 0..1_000 {
            now = match rng.below(40) {
                0 => now.saturating_sub(cell * rng.below(30)),
                1 => now.saturating_add(cell * rng.below(30)),
                2..8 => now,
                _ => now.saturating_add(cell / 8 * rng.below(16)),
            };
            digest.feed(limiter.next_free(now).as_nanos());
            digest.feed_option(match limiter.admit(now) {
                Admit::Yes => None,
                Admit::No { retry_at } => Some(retry_at.as_nanos()),
            });
        }
    }
    digest.finish()
}
