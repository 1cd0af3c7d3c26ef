//! Items of known cost to parts, the longest first: ties, few items, many, and costs that do not fit.

use crate::Digest;
use core::num::NonZeroU32;
use divvy::partition::{AssignError, Assignment};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x197);
    let mut assignment = Assignment::<Inline<32>>::new();
    let mut costs = [0u64; 33];
    for (items, parts, most) in [
        (0, 1, 1),
        (5, 2, 3),
        (32, 7, 4),
        (32, 16, 1 << 40),
        (30, 32, 1_000),
        (33, 2, 10),
        (10, 33, 10),
        (10, 3, u64::MAX),
    ] {
        for cost in &mut costs[..items] {
            *cost = rng.below_u64(most);
        }
        let parts = NonZeroU32::MIN.saturating_add(parts - 1);
        match assignment.longest_first(&costs[..items], parts) {
            Ok(()) => assignment.parts_of_items().for_each(|part| digest.feed(part.into())),
            Err(error) => digest.feed(match error {
                AssignError::TooManyItems => 1,
                AssignError::TooManyParts => 2,
                _ => 3,
            }),
        }
        // What was assigned before stays when the new is refused.
        assignment.loads().for_each(|load| digest.feed(load));
        digest.feed(assignment.makespan());
        digest.feed(assignment.lower_bound());
        digest.feed_option(assignment.skew().map(|skew| skew.to_bits()));
    }
    digest.finish()
}
