//! Places taken, given back, lost and too late, under a limit that moves and a clock that jumps.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admission, Bulkhead};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xB01C);
    for timeout in [Duration::ZERO, Duration::from_millis(3), Duration::MAX] {
        let mut bulkhead = Bulkhead::<Inline<6>>::new(4, timeout);
        let mut held = [None; 8];
        let mut now = Instant::from_secs(1_000);
        for _ in 0..1_500 {
            now = match rng.below(30) {
                0 => now.saturating_sub(Duration::from_millis(rng.below(5).into())),
                1 => now.saturating_add(Duration::from_millis(rng.below(5).into())),
                _ => now.saturating_add(Duration::from_micros(rng.below(400).into())),
            };
            let at = rng.below(8) as usize;
            match rng.below(12) {
                0 => bulkhead.set_limit(rng.below(8)),
                1 => digest.feed(bulkhead.advance(now).into()),
                2..7 => match bulkhead.admit(now) {
                    Admission::Yes(lease) => {
                        held[at] = Some(lease);
                        digest.feed(lease.slot().into());
                        digest.feed(lease.deadline().as_nanos());
                    }
                    Admission::No { retry_at } => digest.feed_option(retry_at.map(Instant::as_nanos)),
                },
                _ => {
                    if let Some(lease) = held[at] {
                        let sample = bulkhead.complete(now, lease).ok();
                        digest.feed_option(sample.map(|sample| sample.latency.as_nanos() as u64));
                    }
                }
            }
            digest.feed(bulkhead.in_flight().into());
        }
        let stats = bulkhead.stats();
        for count in [stats.admitted, stats.rejected, stats.completed, stats.expired, stats.most.into()] {
            digest.feed(count);
        }
    }
    digest.finish()
}
