//! A ring with many probes, with room for all and where points are short.

use super::membership::{change, feed_owners};
use crate::Digest;
use divvy::ring::MultiProbe;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x3B21);
    let (mut tight, mut ample) = (MultiProbe::<Inline<5>>::new(), MultiProbe::<Inline<40>>::new());
    for _ in 0..25 {
        change(&mut digest, &mut tight, &mut rng);
        feed_owners(&mut digest, &tight, &mut rng);
        change(&mut digest, &mut ample, &mut rng);
        feed_owners(&mut digest, &ample, &mut rng);
    }
    digest.finish()
}
