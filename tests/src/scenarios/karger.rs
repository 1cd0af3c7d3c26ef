//! A ring of virtual nodes with room for all, and one where points are short; owners under a bound on load.

use super::membership::{change, feed_owners};
use crate::Digest;
use core::num::NonZeroU32;
use divvy::fixed::Q32;
use divvy::ring::{Karger, Ring};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const EIGHT: NonZeroU32 = NonZeroU32::new(8).expect("eight is not zero");
const SLACK: Q32 = Q32::from_bits(5 << 30);

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x4A26);
    let mut tight = Karger::<Inline<4>, Inline<40>>::new().virtual_nodes(EIGHT);
    let mut ample = Karger::<Inline<10>, Inline<96>>::new().virtual_nodes(NonZeroU32::MIN);
    for total in 0..150 {
        change(&mut digest, &mut tight, &mut rng);
        feed_owners(&mut digest, &tight, &mut rng);
        change(&mut digest, &mut ample, &mut rng);
        feed_owners(&mut digest, &ample, &mut rng);
        let bounded = ample.owner_bounded(rng.next_u64(), SLACK, total, |id| u64::from(id) * total / 45);
        digest.feed_option(bounded.map(u64::from));
    }
    digest.finish()
}
