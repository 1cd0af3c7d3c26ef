//! The rate limiters that cores share, by one of them: clocks that stand still, run, jump, and differ from share to share.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, OverBurst, Quota, SharedGcra32, SplitGcra};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x5A2D);
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    let second = Duration::from_secs(1);
    for (cells, per, burst) in [
        (5, second, 1),
        (3, second, 10),
        (1_000, second, 40),
        (999_983, second, 64),
        (7, Duration::from_nanos(100), 3),
        (1, Duration::from_secs(86_400), 5),
        (u32::MAX, second, 1_000_000),
        (1, Duration::from_nanos(u64::MAX), 1),
    ] {
        let Ok(quota) = Quota::new(count(cells), per).and_then(|quota| quota.burst(count(burst))) else {
            digest.feed(u64::MAX);
            continue;
        };
        let cell = (per / cells).max(Duration::from_nanos(1));
        let shared = SharedGcra32::new(quota);
        let split = SplitGcra::new(quota, count(3), count(8));
        let mut shares = [split.share(), split.share(), split.share()];
        let mut now = Instant::from_secs(1_000_000);
        for _ in 0..600 {
            now = match rng.below(60) {
                0 => now.saturating_sub(saturating(cell, rng.below(30))),
                1 => now.saturating_add(saturating(cell, rng.below(30))),
                2 => now.saturating_add(Duration::from_secs(rng.below(1_000_000).into())),
                3..20 => now,
                _ => now.saturating_add(saturating(cell / 8, rng.below(16))),
            };
            let n = count(1 + rng.below(3));
            digest.feed(shared.next_free(now).as_nanos());
            feed(&mut digest, shared.admit_n(now, n));
            if let Some(share) = &mut shares[rng.below(3) as usize] {
                digest.feed(share.next_free(now).as_nanos());
                feed(&mut digest, share.admit_n(now, n));
                digest.feed(share.in_hand().into());
                if rng.below(30) == 0 {
                    share.park(now);
                }
            }
        }
    }
    digest.finish()
}

fn saturating(time: Duration, times: u32) -> Duration {
    time.checked_mul(times).unwrap_or(Duration::MAX)
}

fn feed(digest: &mut Digest, answer: Result<Admit, OverBurst>) {
    match answer {
        Ok(Admit::Yes) => digest.feed_option(None),
        Ok(Admit::No { retry_at }) => digest.feed_option(Some(retry_at.as_nanos())),
        Err(over) => digest.feed(u64::MAX - u64::from(over.burst)),
    }
}
