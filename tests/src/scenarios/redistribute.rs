//! Plans for uneven queues: every move, with and without weights and budgets.

use crate::Digest;
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::redistribute::{Plan, Rules};
use divvy::storage::Inline;

const WORKERS: usize = 12;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x0BA1_A9CE);
    let mut plan = Plan::<Inline<WORKERS>>::new();
    for _ in 0..40 {
        let mut lengths: [u32; WORKERS] = core::array::from_fn(|_| rng.below(200));
        let weights: [u32; WORKERS] = core::array::from_fn(|_| 1 + rng.below(8));
        let costs: [u32; WORKERS] = core::array::from_fn(|_| rng.below(5));
        let five_fourths = Q32::from_bits(5 << 30);
        let budget = Rules::new().weights(&weights).costs(&costs).max_moves(90).max_cost(150);
        for rules in [Rules::new(), Rules::new().weights(&weights).tolerance(five_fourths), budget, budget] {
            let Ok(summary) = plan.plan(&lengths, rules) else { continue };
            digest.feed(summary.moved);
            digest.feed(summary.cost);
            digest.feed(summary.before.to_bits());
            digest.feed(summary.after.to_bits());
            digest.feed(summary.end as u64);
            for step in plan.moves() {
                digest.feed(u64::from(step.from) << 40 | u64::from(step.to) << 32 | u64::from(step.count));
                lengths[step.from as usize] -= step.count;
                lengths[step.to as usize] += step.count;
            }
        }
    }
    digest.finish()
}
