//! More keys than slots, crowded out one way and the other, with popular keys and a change of quota.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, Crowded, Keyed, Quota};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x4E1D);
    for crowded in [Crowded::Evict, Crowded::Refuse] {
        let mut limit = Keyed::<Inline<41>>::new(quota(3, 100, 4), crowded);
        let mut now = Instant::from_secs(1);
        for step in 0..4_000 {
            now = match rng.below(40) {
                0 => now.saturating_sub(Duration::from_nanos(rng.below(100).into())),
                _ => now.saturating_add(Duration::from_nanos(rng.below(10).into())),
            };
            // Small keys are popular.
            let among = 1 + rng.below(120);
            let key = u64::from(rng.below(among));
            if step == 2_000 {
                limit.set_quota(now, quota(5, 70, 3));
            }
            digest.feed(limit.next_free(now, key).as_nanos());
            let n = NonZeroU32::MIN.saturating_add(rng.below(5) / 3);
            match limit.admit_n(now, key, n) {
                Ok(Admit::Yes) => digest.feed(0),
                Ok(Admit::No { retry_at }) => digest.feed(retry_at.as_nanos()),
                Err(over) => digest.feed(over.burst.into()),
            }
            if step % 500 == 0 {
                digest.feed(limit.reset(now, key).into());
                for (key, next) in limit.iter(now) {
                    digest.feed(key);
                    digest.feed(next.as_nanos());
                }
            }
        }
        let stats = limit.stats();
        for count in [stats.admitted, stats.refused, stats.evicted, stats.crowded] {
            digest.feed(count);
        }
    }
    digest.finish()
}

fn quota(cells: u32, per: u64, burst: u32) -> Quota {
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    let quota =
        Quota::new(count(cells), Duration::from_nanos(per)).and_then(|quota| quota.burst(count(burst)));
    quota.expect("the quotas of the scenario are valid")
}
