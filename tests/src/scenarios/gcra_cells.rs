//! Several cells at once, reservations that are used and given back, and other quotas meanwhile.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, Gcra, Quota, Refund, Reservation};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

const QUOTAS: [(u32, Duration, u32); 6] = [
    (5, Duration::from_secs(1), 8),
    (3, Duration::from_secs(1), 10),
    (7, Duration::from_nanos(100), 30),
    (1, Duration::from_secs(3_600), 9),
    (u32::MAX, Duration::from_secs(1), u32::MAX),
    (1, Duration::from_secs(1 << 33), 2),
];

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xCE11);
    for start in 0..QUOTAS.len() {
        let mut quota = quota(start);
        let mut limit = Gcra::new(quota);
        let mut now = Instant::from_secs(1_000_000);
        let mut held: [Option<Reservation>; 4] = [const { None }; 4];
        for _ in 0..500 {
            let cell = quota.per() / quota.cells();
            now = match rng.below(40) {
                0 => now.saturating_sub(cell * rng.below(30)),
                1 => now.saturating_add(cell * rng.below(30)),
                2..8 => now,
                _ => now.saturating_add(cell / 4 * rng.below(16)),
            };
            let n = NonZeroU32::MIN.saturating_add(rng.below(10));
            match rng.below(10) {
                0 => {
                    quota = self::quota(rng.below(QUOTAS.len() as u32) as usize);
                    limit.set_quota(now, quota);
                }
                1..4 => {
                    let place = &mut held[rng.below(4) as usize];
                    if let Some(mut reservation) = place.take() {
                        digest.feed(reservation.spend(rng.below(4)).into());
                        digest.feed(match limit.release(now, reservation) {
                            Refund::All => 0,
                            Refund::Part => 1,
                            Refund::None => 2,
                        });
                    } else if let Ok(reservation) = limit.reserve(now, n) {
                        digest.feed(reservation.at().as_nanos());
                        *place = Some(reservation);
                    }
                }
                _ => match limit.admit_n(now, n) {
                    Ok(Admit::Yes) => digest.feed(0),
                    Ok(Admit::No { retry_at }) => digest.feed(retry_at.as_nanos()),
                    Err(over) => digest.feed(over.burst.into()),
                },
            }
            digest.feed(limit.next_free(now).as_nanos());
            digest.feed(limit.available(now).into());
        }
    }
    digest.finish()
}

fn quota(index: usize) -> Quota {
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    let (cells, per, burst) = QUOTAS[index];
    let quota = Quota::new(count(cells), per).and_then(|quota| quota.burst(count(burst)));
    quota.expect("the quotas of the scenario are valid")
}
