//! Back-off: the ceilings that grow to the cap, and full jitter below them.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::fixed::Q32;
use divvy::retry::{Backoff, Retry};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x8E78);
    for round in 0..100 {
        // Durations of every magnitude; some back-offs are refused.
        let mut nanos = || {
            let shift = rng.below(64);
            Duration::from_nanos(rng.next_u64() >> shift)
        };
        let (base, cap) = (nanos(), nanos());
        let factor = Q32::from_bits(Q32::ONE.to_bits() + (rng.next_u64() >> (29 + rng.below(8))));
        let attempts = NonZeroU32::MIN.saturating_add(rng.below(80));
        let built = Backoff::new(base, cap).and_then(|backoff| {
            // Half of them double, which is the default.
            if round % 2 == 0 { Ok(backoff) } else { backoff.factor(factor) }
        });
        let Ok(backoff) = built else {
            digest.feed(u64::MAX);
            continue;
        };
        let backoff = backoff.attempts(attempts);
        let mut now = Instant::from_nanos(rng.next_u64() >> rng.below(64));
        for attempt in (0..82).chain([u32::MAX - 1, u32::MAX]) {
            let ceiling = backoff.ceiling(attempt);
            digest.feed(ceiling.as_secs());
            digest.feed(ceiling.subsec_nanos().into());
            match backoff.next(now, attempt, &mut rng) {
                Retry::At(when) => {
                    digest.feed_option(Some(when.as_nanos()));
                    now = when;
                }
                Retry::GiveUp => digest.feed_option(None),
            }
        }
    }
    digest.finish()
}
