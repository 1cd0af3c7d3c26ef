//! How far turns by weight stray from the exact share.

use crate::figure::{Bound, Figure};
use divvy::Instant;
use divvy::balance::{Fleet, LowDiscrepancy, Member, Policy, Request, SmoothWeighted, View};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;
use std::time::Duration;

const MOST: usize = 64;
const SETS: u64 = 200;

pub(crate) fn figures() -> Vec<Figure> {
    let mut worst = [0.0f64; 3];
    let mut over = 0u32;
    let mut off = [0u64; 2];
    for set in 0..SETS {
        let weights = pareto(set);
        let bound = 1.0 - 1.0 / (2.0 * weights.len() as f64 - 2.0);
        let (smooth, smooth_off) = stray(&weights, &mut SmoothWeighted::<Inline<MOST>>::new());
        let (low, low_off) = stray(&weights, &mut LowDiscrepancy::<Inline<MOST>>::new());
        // The sums above are right to far less than this.
        over += u32::from(low > bound + 1e-9);
        let chance = chance(&weights, set);
        for (worst, stray) in worst.iter_mut().zip([low, smooth, chance]) {
            *worst = worst.max(stray);
        }
        off = [off[0] + low_off, off[1] + smooth_off];
    }
    let name = |what| format!("{what}, {SETS} sets of 2 to {MOST} weights, Pareto");
    let tijdeman = "Tijdeman 1980: 1 − 1/(2n − 2)";
    vec![
        Figure::new(
            name("low-discrepancy: furthest from the exact share, in turns"),
            worst[0],
            Bound::AtMost(1.0 - 1.0 / (2.0 * MOST as f64 - 2.0)),
            tijdeman,
        ),
        Figure::new(
            name("low-discrepancy: sets beyond the bound for their n"),
            over.into(),
            Bound::Exactly(0.0),
            tijdeman,
        ),
        Figure::new(
            name("smooth: furthest from the exact share, in turns"),
            worst[1],
            Bound::AtMost(1.35),
            "midpoint deadlines on such weights",
        ),
        Figure::new(name("– weighted by chance"), worst[2], Bound::None, ""),
        Figure::new(
            name("low-discrepancy: turns off the weights after one period"),
            off[0] as f64,
            Bound::Exactly(0.0),
            "definition",
        ),
        Figure::new(
            name("smooth: turns off the weights after one period"),
            off[1] as f64,
            Bound::Exactly(0.0),
            "definition",
        ),
    ]
}

/// Weights of which a few are heavy: 1/√u, at most 200.
fn pareto(seed: u64) -> Vec<u32> {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let len = 2 + rng.below(MOST as u32 - 1);
    let weight = |draw: u32| (f64::from(draw + 1) / 4_294_967_296.0).powf(-0.5).min(200.0).round() as u32;
    (0..len).map(|_| weight((rng.next_u64() >> 32) as u32)).collect()
}

/// The largest |count − exact share| over two periods, and by how much the counts are off at the end of the first.
fn stray(weights: &[u32], policy: &mut impl Policy) -> (f64, u64) {
    let mut fleet = Fleet::<Inline<MOST>, Inline<1>>::new(Duration::from_secs(1));
    for (nth, weight) in weights.iter().enumerate() {
        let member = Member::new(&nth.to_le_bytes()).weight(*weight);
        fleet.insert(Instant::ZERO, member).expect("there is room");
    }
    let mut rng = Xoshiro256PlusPlus::seed(0);
    let mut off = 0;
    let total = weights.iter().sum::<u32>();
    let stray = furthest(weights, |turn, counts| {
        if turn == total {
            off = weights.iter().zip(counts).map(|(weight, count)| u64::from(weight.abs_diff(*count))).sum();
        }
        let choice = policy.choose(Instant::ZERO, View::of(&fleet), &Request::new(), &mut rng);
        choice.expect("somebody is ready").slot as usize
    });
    (stray, off)
}

fn chance(weights: &[u32], seed: u64) -> f64 {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let total = weights.iter().sum::<u32>();
    furthest(weights, |_, _| {
        let mut left = rng.below(total);
        let drawn = weights.iter().position(|weight| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        drawn.expect("the draw is below the sum")
    })
}

fn furthest(weights: &[u32], mut next: impl FnMut(u32, &[u32]) -> usize) -> f64 {
    let total = weights.iter().sum::<u32>();
    let mut counts = vec![0u32; weights.len()];
    let mut furthest = 0.0f64;
    for turn in 0..2 * total {
        let slot = next(turn, &counts);
        counts[slot] += 1;
        for (count, weight) in counts.iter().zip(weights) {
            let exact = f64::from(turn + 1) * f64::from(*weight) / f64::from(total);
            furthest = furthest.max((f64::from(*count) - exact).abs());
        }
    }
    furthest
}
