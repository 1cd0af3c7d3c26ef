//! Claims, renewals, completions that come too late or twice, and reclaims, under a clock that now and then jumps.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::lease::{Lease, Leases, Stale};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const SLOTS: usize = 12;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x1EA5E);
    let mut leases = Leases::<Inline<SLOTS>>::new();
    // Whoever was given a lease keeps it, also when it is over: the holder does not know.
    let mut held: [Option<Lease>; 2 * SLOTS] = [None; 2 * SLOTS];
    let mut now = Instant::from_secs(100);
    for _ in 0..3_000 {
        now = match rng.below(50) {
            0 => now.saturating_sub(Duration::from_millis(400)),
            1 => now.saturating_add(Duration::from_secs(2)),
            _ => now.saturating_add(Duration::from_millis(rng.below(30).into())),
        };
        let holder = &mut held[rng.below(2 * SLOTS as u32) as usize];
        let ttl = Duration::from_millis(rng.below(800).into());
        match (rng.below(5), *holder) {
            (0 | 1, _) => match leases.claim(now, ttl) {
                Ok(lease) => {
                    feed(&mut digest, lease);
                    *holder = Some(lease);
                }
                Err(_) => digest.feed(u64::MAX),
            },
            (2, Some(lease)) => match leases.renew(now, lease, ttl) {
                Ok(lease) => {
                    feed(&mut digest, lease);
                    *holder = Some(lease);
                }
                Err(stale) => digest.feed(code(stale)),
            },
            // The lease stays with its holder, who may complete it once more.
            (3, Some(lease)) => digest.feed(leases.complete(now, lease).map_or_else(code, |()| 0)),
            _ => {
                while let Some(lease) = leases.reclaim(now) {
                    feed(&mut digest, lease);
                }
            }
        }
        digest.feed(leases.len() as u64);
        digest.feed_option(leases.next_deadline().map(Instant::as_nanos));
    }
    digest.finish()
}

fn feed(digest: &mut Digest, lease: Lease) {
    digest.feed(lease.slot().into());
    digest.feed(lease.generation().into());
    digest.feed(lease.deadline().as_nanos());
}

fn code(stale: Stale) -> u64 {
    match stale {
        Stale::Expired => 1,
        Stale::Unknown => 2,
        _ => 3,
    }
}
