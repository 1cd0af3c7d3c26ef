//! Requests to a backend that is well, overloaded, down and well again, under a clock that jumps.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::fixed::Q32;
use divvy::limit::{Throttle, ThrottleConfig, Verdict};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x7407);
    for (k, window) in [(20, 120_000u64), (15, 10_000), (11, 1_000)] {
        let config = ThrottleConfig::new()
            .multiplier(Q32::from_ratio(k, 10).unwrap_or(Q32::ONE))
            .and_then(|config| config.window(Duration::from_millis(window)));
        let Ok(config) = config else { continue };
        let mut throttle = Throttle::<Inline<12>>::new(config);
        let mut now = Instant::from_secs(77);
        for n in 0..4_000u32 {
            now = match rng.below(400) {
                0 => now.saturating_sub(Duration::from_millis(window / 3)),
                1 => now.saturating_add(Duration::from_millis(window / 2)),
                _ => now.saturating_add(Duration::from_millis(window / 400)),
            };
            let of_ten = [10, 3, 0, 10][n as usize / 1_000];
            let verdict = throttle.admit(now, &mut rng);
            if verdict == Verdict::Run {
                throttle.observe(now, rng.below(10) < of_ten);
            }
            digest.feed(u64::from(verdict == Verdict::Drop));
            digest.feed(throttle.chance(now).to_bits());
        }
        let stats = throttle.stats();
        for count in [stats.requests, stats.accepts, stats.sent, stats.kept_back] {
            digest.feed(count);
        }
    }
    digest.finish()
}
