//! Limits that learn from a server whose capacity and speed change, whose calls vary, and which refuses now and then.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Aimd, Bounds, ConcurrencyLimit, Gradient, LimitError, Sample, Vegas};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

pub(super) fn aimd() -> u64 {
    learn(|bounds| Aimd::new(bounds).timeout(Duration::from_millis(40)))
}

pub(super) fn vegas() -> u64 {
    learn(Vegas::new)
}

pub(super) fn gradient() -> u64 {
    learn(Gradient::new)
}

fn learn<L: ConcurrencyLimit>(new: impl Fn(Bounds) -> L) -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xC04C);
    let bounds: Result<Bounds, LimitError> = Bounds::new(1, 500);
    let Ok(bounds) = bounds else { return 0 };
    let mut limit = new(bounds);
    let mut now = Instant::from_secs(5);
    for n in 0..8_000u32 {
        let (capacity, service) = match n / 2_000 {
            0 => (40u64, 10_000_000u64),
            1 => (15, 10_000_000),
            2 => (15, 25_000_000),
            _ => (90, 4_000_000),
        };
        let out = limit.limit();
        // What is beyond the capacity waits; a call takes from half to one and a half times its mean.
        let mean = service * u64::from(out).max(capacity) / capacity;
        let latency = Duration::from_nanos(mean / 2 + rng.below_u64(mean));
        let step = Duration::from_nanos(mean / u64::from(out));
        now = match rng.below(500) {
            0 => now.saturating_sub(latency),
            1 => now.saturating_add(Duration::from_secs(2)),
            _ => now.saturating_add(step),
        };
        let sample = Sample { latency, in_flight: out, dropped: rng.below(700) == 0 };
        limit.observe(now, sample);
        digest.feed(limit.limit().into());
    }
    digest.finish()
}
