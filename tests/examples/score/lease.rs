//! Leases under holders who come late and twice: no claim ends more than once.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::lease::{Lease, Leases};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(crate) fn figures() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(0x1EA5);
    let mut leases = Leases::<Inline<16>>::new();
    // By claim: every lease that its holder was given, and how often the claim ended.
    let mut claims: Vec<(Vec<Lease>, u32)> = Vec::new();
    let (mut now, mut latest) = (Instant::ZERO, Instant::ZERO);
    let mut late = 0;
    for _ in 0..200_000 {
        now = match rng.below(100) {
            0 => now.saturating_sub(Duration::from_millis(200)),
            _ => now.saturating_add(Duration::from_millis(rng.below(8).into())),
        };
        latest = latest.max(now);
        let ttl = Duration::from_millis(rng.below(200).into());
        // Holders long gone come back too.
        let back = rng.below(64).min(claims.len() as u32) as usize;
        let claim = claims.len() - back;
        match rng.below(4) {
            0 => claims.extend(leases.claim(now, ttl).ok().map(|lease| (vec![lease], 0))),
            1 if back > 0 => {
                let (held, _) = &mut claims[claim];
                let which = rng.below(held.len() as u32) as usize;
                held.extend(leases.renew(now, held[which], ttl));
            }
            2 if back > 0 => {
                let (held, ends) = &mut claims[claim];
                let which = rng.below(held.len() as u32) as usize;
                if leases.complete(now, held[which]).is_ok() {
                    *ends += 1;
                    // Each renewal moves the deadline of all that the holder was given before.
                    late += u32::from(held.last().is_some_and(|lease| lease.deadline() <= latest));
                }
            }
            _ => {
                while let Some(expired) = leases.reclaim(now) {
                    let same = |lease: &Lease| {
                        (lease.slot(), lease.generation()) == (expired.slot(), expired.generation())
                    };
                    let claim = claims.iter_mut().rev().find(|(held, _)| held.iter().any(same));
                    claim.expect("what expires was claimed").1 += 1;
                }
            }
        }
    }
    let twice = claims.iter().filter(|(_, ends)| *ends > 1).count();
    let never = claims.iter().filter(|(_, ends)| *ends == 0).count();
    let source = "a stale lease is refused, a lost one is reclaimed: `lease`";
    vec![
        Figure::new(
            format!("lease: claims that ended twice, of {} with late and repeated completions", claims.len()),
            twice as f64,
            Bound::Exactly(0.0),
            source,
        ),
        Figure::new(
            "lease: completions that counted after the deadline",
            f64::from(late),
            Bound::Exactly(0.0),
            source,
        ),
        Figure::new(
            "lease: claims that never ended, less those still held",
            never as f64 - leases.len() as f64,
            Bound::Exactly(0.0),
            source,
        ),
    ]
}
