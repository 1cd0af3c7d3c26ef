//! Small assignments annealed: the longest-first rule's worst cases, random costs, and costs near the largest ones.

use crate::Digest;
use core::num::NonZeroU32;
use divvy::partition::{Annealer, Assignment};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const ITEMS: usize = 14;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xA22E);
    let mut assignment = Assignment::<Inline<ITEMS>>::new();
    let mut annealer = Annealer::<Inline<ITEMS>, 4>::new();
    let worst = [9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 5];
    for (case, parts) in [5, 2, 3, 4, 3].into_iter().enumerate() {
        let mut costs = [0u64; ITEMS];
        let costs = match case {
            0 => &worst[..],
            _ => {
                costs.fill_with(|| rng.next_u64() >> if case == 4 { 5 } else { 40 });
                &costs
            }
        };
        let parts = NonZeroU32::MIN.saturating_add(parts - 1);
        if assignment.longest_first(costs, parts).is_err() {
            digest.feed(u64::MAX);
            continue;
        }
        if let Ok(gain) = annealer.anneal(&mut assignment, 40, &mut rng) {
            digest.feed(gain.before);
            digest.feed(gain.after);
            digest.feed(gain.optimal.into());
        }
        assignment.parts_of_items().for_each(|part| digest.feed(part.into()));
        // Where the search stood is in the generator.
        digest.feed(rng.next_u64());
    }
    digest.finish()
}
