//! What both learning policies do.

use super::arms::{quotient, root};
use super::*;
use crate::balance::{Balancer, Config, Fleet, Member, Outcome, Pick, Policy, Request, Why};
use crate::fixed::Q32;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::storage::Inline;
use crate::time::Instant;
use core::time::Duration;
use proptest::prelude::*;

type Five<P> = Balancer<P, Inline<5>, Inline<32>>;

fn five<P: Policy>(policy: P) -> Five<P> {
    let mut fleet = Fleet::new(Duration::from_secs(1_000));
    fleet.configure(Config::new().penalty(Duration::from_secs(1))).expect("it is good");
    for name in 0..5u8 {
        fleet.insert(Instant::ZERO, Member::new(&[name])).expect("there is room");
    }
    Balancer::new(fleet, policy)
}

/// Calls one after the other, each member's taking its own time give or take a fifth; how many each got.
fn play<P: Policy>(balancer: &mut Five<P>, rounds: u32, millis: [u64; 5], seed: u64) -> [u32; 5] {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut counts = [0; 5];
    for _ in 0..rounds {
        let now = balancer.advance(Instant::ZERO);
        let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
            panic!()
        };
        let slot = member.slot() as usize;
        counts[slot] += 1;
        let took = Duration::from_micros(millis[slot] * (800 + u64::from(rng.below(401))));
        balancer.complete(now.saturating_add(took), lease, Outcome::Success).expect("in time");
    }
    counts
}

fn finds_the_cheapest_and_follows_a_change<P: Policy>(policy: impl Fn() -> P) {
    let mut balancer = five(policy());
    let counts = play(&mut balancer, 2_000, [30, 20, 10, 25, 15], 1);
    assert!(counts[2] > 1_900 && counts.iter().all(|count| *count >= 1), "{counts:?}");
    // Now another one is the cheapest, and it was dear before.
    let counts = play(&mut balancer, 2_000, [10, 20, 30, 25, 15], 2);
    assert!(counts[0] > 1_000, "{counts:?}");
    let counts = play(&mut balancer, 2_000, [10, 20, 30, 25, 15], 3);
    assert!(counts[0] > 1_800, "{counts:?}");
}

#[test]
fn ucb_finds_the_cheapest_and_follows_a_change() {
    finds_the_cheapest_and_follows_a_change(|| Ucb::<Inline<5>>::new().half_life(200));
}

#[test]
fn thompson_finds_the_cheapest_and_follows_a_change() {
    finds_the_cheapest_and_follows_a_change(|| Thompson::<Inline<5>>::new().half_life(200));
}

/// A member that fails at once costs the penalty, and gets next to nothing.
fn a_black_hole_attracts_nothing<P: Policy>(policy: P) {
    let mut balancer = five(policy);
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut hole = 0;
    for _ in 0..1_000 {
        let now = balancer.advance(Instant::ZERO);
        let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
            panic!()
        };
        let (took, outcome) = match member.slot() {
            4 => (0, Outcome::Failure),
            _ => (10, Outcome::Success),
        };
        hole += u32::from(member.slot() == 4);
        balancer.complete(now.saturating_add(Duration::from_millis(took)), lease, outcome).expect("in time");
    }
    assert!((1..200).contains(&hole), "{hole}");
}

#[test]
fn failing_fast_is_dear() {
    a_black_hole_attracts_nothing(Ucb::<Inline<5>>::new());
    a_black_hole_attracts_nothing(Thompson::<Inline<5>>::new());
}

/// While nothing has come back, calls are spread; a member of which nothing is known and that is free goes first.
fn a_burst_is_spread<P: Policy>(policy: P) {
    let mut balancer = five(policy);
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut counts = [0; 5];
    for _ in 0..10 {
        let pick = balancer.pick(Instant::ZERO, &Request::new(), &mut rng);
        let Pick::Member { member, why: Why::Untested, .. } = pick else { panic!("{pick:?}") };
        counts[member.slot() as usize] += 1;
    }
    assert_eq!(counts, [2; 5]);
}

#[test]
fn what_is_untested_is_tested_by_all_alike() {
    a_burst_is_spread(Ucb::<Inline<5>>::new());
    a_burst_is_spread(Thompson::<Inline<5>>::new());
}

#[test]
fn with_load_the_slower_ones_get_their_part() {
    // Ten calls are always out; a member of 10 ms ought to have about twice the calls of one of 20 ms.
    let mut balancer = five(Ucb::<Inline<5>>::new().with_load());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut out = std::collections::VecDeque::new();
    for nth in 0..2_000u64 {
        let now = Instant::from_millis(nth);
        if out.len() == 10 {
            let (lease, end) = out.pop_front().expect("there are ten");
            balancer.complete(now.max(end), lease, Outcome::Success).expect("in time");
        }
        let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
            panic!()
        };
        out.push_back((lease, now.saturating_add(Duration::from_millis(10 + u64::from(member.slot())))));
    }
    for slot in 0..5 {
        assert!(balancer.fleet().picks(slot) > 250, "{slot}: {}", balancer.fleet().picks(slot));
    }
}

proptest! {
    #[test]
    fn the_quotient_is_the_ratio(n: u64, over: u64, small in 0u32..64, smaller in 0u32..64) {
        let (n, over) = (n >> small, over >> smaller);
        let exact = match over {
            0 => u128::from(if n == 0 { 0 } else { u64::MAX }),
            _ => ((u128::from(n) << 32) / u128::from(over)).min(u64::MAX.into()),
        };
        let quick = u128::from(quotient(n, over).to_bits());
        prop_assert!(quick.abs_diff(exact) <= 1 + (exact >> 30), "{quick} {exact}");
    }

    #[test]
    fn the_root_is_the_root(bits: u64) {
        let exact = (u128::from(bits) << 32).isqrt();
        let root = u128::from(root(Q32::from_bits(bits)).to_bits());
        prop_assert!(root <= exact && exact - root <= 1 + (exact >> 31), "{root} {exact}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Against sums added up in full: the mean is the discounted one.
    #[test]
    fn the_mean_is_the_discounted_mean(
        half_life in 1u32..50,
        calls in prop::collection::vec((0u32..3, 0u64..1_000_000), 1..400),
    ) {
        use super::arms::Arms;
        use crate::balance::{Ended, View};
        let mut fleet = Fleet::<Inline<3>, Inline<1>>::new(Duration::from_secs(1_000));
        for name in 0..3u8 {
            fleet.insert(Instant::ZERO, Member::new(&[name])).expect("there is room");
        }
        let mut arms = Arms::<Inline<3>>::new();
        arms.half_life(half_life);
        for (slot, nanos) in &calls {
            let ended = Ended { slot: *slot, outcome: Outcome::Success, latency: Duration::from_nanos(*nanos) };
            arms.note(View::of(&fleet), &ended);
        }
        for slot in 0..3 {
            let (mut weights, mut costs) = (0.0, 0.0);
            for (age, (of, nanos)) in calls.iter().rev().enumerate() {
                if *of == slot {
                    let weight = (-(age as f64 + 1.0) / f64::from(half_life)).exp2();
                    (weights, costs) = (weights + weight, costs + weight * *nanos as f64);
                }
            }
            match arms.known(View::of(&fleet), slot) {
                Some(known) => {
                    let mean = known.mean as f64 / 256.0;
                    let count = known.count.to_bits() as f64 / 2f64.powi(32);
                    prop_assert!((mean - costs / weights).abs() < 20.0, "{mean} {}", costs / weights);
                    prop_assert!((count - weights).abs() < 1e-3 + weights * 1e-3, "{count} {weights}");
                }
                None => prop_assert!(weights < 0.016, "{weights}"),
            }
        }
    }
}
