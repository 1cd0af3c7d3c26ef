//! Unsigned 32.32 fixed point: sums, products and ratios, also those that do not fit.

use crate::Digest;
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xF1D0);
    for _ in 0..1_000 {
        // Numbers of every magnitude, so that some results do not fit.
        let mut number = || {
            let shift = rng.below(64);
            rng.next_u64() >> shift
        };
        let (a, b, n) = (Q32::from_bits(number()), Q32::from_bits(number()), number());
        digest.feed_option(a.checked_add(b).map(Q32::to_bits));
        digest.feed_option(a.checked_mul(b).map(Q32::to_bits));
        digest.feed_option(a.checked_mul_int(n));
        digest.feed_option(Q32::from_ratio(n, number()).map(Q32::to_bits));
        digest.feed(a.saturating_add(b).to_bits());
        digest.feed(a.saturating_sub(b).to_bits());
        digest.feed(a.saturating_mul(b).to_bits());
        digest.feed(a.mul_int(n));
        digest.feed(a.floor().into());
    }
    digest.feed_option(Q32::from_ratio(1, 0).map(Q32::to_bits));
    digest.finish()
}
