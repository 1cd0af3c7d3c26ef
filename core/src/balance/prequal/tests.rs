use super::*;
use crate::balance::{Balancer, Fleet, Member, MemberId, Outcome, Pick, Why};
use crate::rng::{SplitMix64, Xoshiro256PlusPlus};
use crate::storage::Inline;
use core::time::Duration;
use proptest::prelude::*;
use std::vec::Vec;

type Many = Balancer<Prequal, Inline<64>, Inline<256>>;

fn balancer(members: u32, config: PrequalConfig) -> (Many, Vec<MemberId>) {
    let mut fleet = Fleet::<Inline<64>, Inline<256>>::new(Duration::from_secs(5));
    let ids = (0..members)
        .map(|name| fleet.insert(Instant::ZERO, Member::new(&name.to_le_bytes())).expect("there is room"))
        .collect();
    (Balancer::new(fleet, Prequal::with(config).expect("the parameters are right")), ids)
}

fn report(in_flight: u32, millis: u64) -> Report {
    Report { in_flight, latency: Duration::from_millis(millis) }
}

#[derive(Clone, Debug)]
enum Step {
    Pick(Vec<u32>),
    Report(u32, u32, u64),
    Probe,
    Complete,
    Replace(u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0u32..20, 0..3).prop_map(Step::Pick),
        8 => (0u32..20, 0u32..12, 1u64..9).prop_map(|(slot, load, millis)| Step::Report(slot, load, millis)),
        2 => Just(Step::Probe),
        3 => Just(Step::Complete),
        1 => (0u32..20).prop_map(Step::Replace),
        2 => (0u64..700).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Q18, after every step, by the words of the paper and not by the code's order.
    #[test]
    fn the_laws_hold(
        steps in prop::collection::vec(step(), 1..300), seed: u64, size in 1u32..=16, quantile in 0u32..=4,
    ) {
        let quantile = Q32::from_ratio(u64::from(quantile), 4).unwrap();
        let config = PrequalConfig::new().pool(size).quantile(quantile);
        let (mut balancer, mut ids) = balancer(20, config);
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let (mut now, mut calls, mut replaced) = (Instant::ZERO, Vec::new(), 100u32);
        for step in steps {
            match step {
                Step::Pick(avoid) => {
                    let hot = balancer.policy().hot_above();
                    let alive = |probe: &&Probe| now.saturating_duration_since(probe.at()) < Duration::from_secs(1);
                    let usable: Vec<Probe> = balancer.policy().pool().iter().filter(alive).copied()
                        .filter(|probe| !avoid.contains(&probe.slot())).collect();
                    let cold = || usable.iter().filter(|probe| probe.in_flight() <= hot);
                    match balancer.pick(now, &Request::new().avoid(&avoid), &mut rng) {
                        Pick::Member { member, lease, why } => {
                            let slot = member.slot();
                            prop_assert!(!avoid.contains(&slot));
                            calls.push(lease);
                            let probe = usable.iter().find(|probe| probe.slot() == slot);
                            match why {
                                Why::Cold => {
                                    let least = cold().map(Probe::latency).min();
                                    prop_assert_eq!(probe.map(Probe::latency), least);
                                    prop_assert!(probe.unwrap().in_flight() <= hot);
                                }
                                Why::Hot => {
                                    prop_assert_eq!(cold().count(), 0);
                                    let least = usable.iter().map(Probe::in_flight).min();
                                    prop_assert_eq!(probe.map(Probe::in_flight), least);
                                }
                                _ => prop_assert!(usable.len() < 2, "{usable:?}"),
                            }
                            // What was sent counts on top of what was heard.
                            let after = balancer.policy().pool().iter().find(|probe| probe.slot() == slot);
                            if let (Some(before), Some(after)) = (probe, after) {
                                prop_assert_eq!(after.in_flight(), before.in_flight() + 1);
                            }
                        }
                        Pick::None { why, .. } => prop_assert_eq!(why, Refusal::TooManyCalls),
                    }
                }
                Step::Report(slot, load, millis) => {
                    let _ = balancer.report(now, ids[slot as usize], &report(load, millis));
                    let newest = balancer.policy().pool().last().unwrap();
                    prop_assert_eq!((newest.slot(), newest.in_flight()), (slot, load));
                }
                Step::Probe => {
                    balancer.probe(now, &mut rng);
                }
                Step::Complete => {
                    let _ = calls.pop().map(|lease| balancer.complete(now, lease, Outcome::Success));
                }
                Step::Replace(slot) => {
                    // Its calls run out first, so that the next one gets its slot.
                    now = now.saturating_add(Duration::from_secs(6));
                    while balancer.fleet().calls() > 0 {
                        balancer.advance(now);
                    }
                    balancer.fleet_mut().remove(now, ids[slot as usize]).unwrap();
                    replaced += 1;
                    let new = balancer.fleet_mut().insert(now, Member::new(&replaced.to_le_bytes())).unwrap();
                    ids[slot as usize] = new;
                    prop_assert_eq!(new.slot(), slot);
                }
                Step::Wait(millis) => now = now.saturating_add(Duration::from_millis(millis)),
            }
            let pool = balancer.policy().pool();
            prop_assert!(pool.len() as u32 <= size);
            prop_assert!(pool.is_sorted_by_key(Probe::at));
            let mut slots: Vec<u32> = pool.iter().map(Probe::slot).collect();
            slots.sort_unstable();
            slots.dedup();
            prop_assert_eq!(slots.len(), pool.len());
        }
    }

    #[test]
    fn the_quantile_is_that_of_the_last_loads(
        notes in prop::collection::vec((0u32..40, 0u32..9), 1..200), share in 0u64..=100, gone in 0u32..40,
    ) {
        let mut loads = Loads::new();
        // The plain form: the last load of each of those that have a place; the places are taken by turns.
        let (mut heard, mut next): (Vec<(u32, u32)>, usize) = (Vec::new(), 0);
        for (nth, (slot, load)) in notes.iter().enumerate() {
            if nth == 150 {
                loads.retain(|slot| slot != gone);
                if heard.iter().any(|(slot, _)| *slot == gone) {
                    heard.retain(|(slot, _)| *slot != gone);
                    next = 0;
                }
            }
            loads.note(*slot, *load);
            match heard.iter().position(|(other, _)| other == slot) {
                Some(at) => heard[at].1 = *load,
                None if heard.len() < 32 => heard.push((*slot, *load)),
                None => {
                    next = (next + 1) % 32;
                    heard[next] = (*slot, *load);
                }
            }
            let mut sorted: Vec<u32> = heard.iter().map(|(_, load)| *load).collect();
            sorted.sort_unstable();
            let rank = (share as usize * sorted.len()).div_ceil(100).max(1);
            // Not a hair above the share, which would be the next rank.
            let share = Q32::from_ratio(share, 100).unwrap();
            prop_assert_eq!(loads.quantile(share), sorted[rank - 1]);
        }
    }
}

#[test]
fn the_reuse_budget_is_the_paper_s() {
    let reuse = |members| PrequalConfig::new().reuse(members);
    // 2 / (3 (1 − 16/n) − 1), to a millionth
    for (members, over, under) in
        [(48, 2, 1), (100, 200, 152), (1_000, 2_000, 1_952), (10_000, 20_000, 19_952)]
    {
        let exact = Q32::from_ratio(over, under).unwrap();
        assert!(reuse(members).unwrap().to_bits().abs_diff(exact.to_bits()) < 4_295, "{members}");
    }
    assert!(reuse(u32::MAX) >= Some(Q32::ONE));
    // Probes no longer make up for removals: no budget would keep the pool filled. Grouped wrongly, as
    // (1 − 16/24) × (3 − 1), there would be one of 3.
    for members in [0, 1, 16, 24] {
        assert_eq!(reuse(members), None);
    }
    // Never below once.
    let many = PrequalConfig::new().probes(Q32::from_int(8));
    assert_eq!(many.reuse(1_000_000), Some(Q32::ONE));
}

#[test]
fn a_fraction_of_a_use_is_drawn_by_chance() {
    let mut rng = Xoshiro256PlusPlus::seed(9);
    let mut policy = Prequal::new();
    let uses: Vec<u32> = (0..10_000).map(|_| policy.uses(100, &mut rng)).collect();
    assert!(uses.iter().all(|uses| [1, 2].contains(uses)));
    // 1 / 0.76 of a use, ± 0.02, 10,000 times
    let uses: u32 = uses.iter().sum();
    assert!(uses.abs_diff(13_158) < 200, "{uses}");
    assert_eq!(policy.uses(20, &mut rng), u32::MAX);
}

#[test]
fn a_probe_is_used_up() {
    // Two members in 64 by name: pool 2, so that net growth is high and every probe serves once.
    let config = PrequalConfig::new().pool(3).removals(Q32::ZERO).growth(Q32::ZERO);
    let (mut balancer, ids) = balancer(64, config);
    let rng = &mut SplitMix64::seed(1);
    for (slot, millis) in [(0, 1), (1, 2), (2, 3)] {
        balancer.report(Instant::ZERO, ids[slot], &report(1, millis)).unwrap();
    }
    let mut picks = [(); 2].map(|()| match balancer.pick(Instant::ZERO, &Request::new(), rng) {
        Pick::Member { member, why, .. } => (member.slot(), why),
        Pick::None { .. } => panic!("there is somebody"),
    });
    picks.sort_by_key(|pick| pick.0);
    assert_eq!(picks, [(0, Why::Cold), (1, Why::Cold)]);
    // One probe is left, which is too few.
    assert_eq!(balancer.policy().pool().len(), 1);
    let pick = balancer.pick(Instant::ZERO, &Request::new(), rng);
    assert!(matches!(pick, Pick::Member { why: Why::Chance, .. }));
}

#[test]
fn the_oldest_and_the_worst_go_by_turns() {
    let config = PrequalConfig::new().probes(Q32::ONE);
    let (mut balancer, ids) = balancer(10, config);
    let rng = &mut SplitMix64::seed(1);
    // All of equal load; the slowest is in the middle. Reuse is unlimited: 10 members, 16 places.
    for (slot, id) in ids.iter().enumerate() {
        let millis = if slot == 5 { 90 } else { 10 + slot as u64 };
        balancer.report(Instant::ZERO, *id, &report(3, millis)).unwrap();
    }
    let mut left = || -> Vec<u32> {
        let _ = balancer.pick(Instant::ZERO, &Request::new(), rng);
        balancer.policy().pool().iter().map(Probe::slot).collect()
    };
    assert_eq!(left(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // The first pick sent to slot 0, the second to slot 1, which now is hot: the hottest is the worst.
    assert_eq!(left(), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(left(), [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn requests_ask_for_probes_of_different_members_at_the_rate() {
    for (rate, expected) in [(Q32::from_int(3), 300), (Q32::from_ratio(1, 2).unwrap(), 50)] {
        let (mut balancer, _) = balancer(10, PrequalConfig::new().probes(rate));
        let rng = &mut SplitMix64::seed(1);
        let mut count = 0;
        let mut drain = |balancer: &mut Many, rng: &mut SplitMix64| {
            let mut asked: Vec<_> = core::iter::from_fn(|| balancer.probe(Instant::ZERO, rng)).collect();
            count += asked.len();
            asked.sort_unstable_by_key(|id| id.slot());
            asked.dedup();
            asked.len() as u32
        };
        drain(&mut balancer, rng);
        for _ in 0..100 {
            let _ = balancer.pick(Instant::ZERO, &Request::new(), rng);
            assert!(drain(&mut balancer, rng) <= 3);
        }
        assert!((count as i32 - expected).abs() <= 3, "{count}");
    }
}

#[test]
fn a_caller_without_requests_probes_now_and_then() {
    let config = PrequalConfig::new().idle(Duration::from_millis(100));
    let (mut balancer, _) = balancer(3, config);
    let rng = &mut SplitMix64::seed(1);
    while balancer.probe(Instant::ZERO, rng).is_some() {}
    let sent =
        (0..1_000u64).filter(|millis| balancer.probe(Instant::from_millis(*millis), rng).is_some()).count();
    assert_eq!(sent, 9);
}

#[test]
fn a_cancelled_call_leaves_no_count_behind() {
    let (mut balancer, ids) = balancer(3, PrequalConfig::new());
    let rng = &mut SplitMix64::seed(1);
    for id in &ids {
        balancer.report(Instant::ZERO, *id, &report(0, 5)).unwrap();
    }
    for _ in 0..100 {
        // Nobody completes these.
        let _ = balancer.pick(Instant::ZERO, &Request::new(), rng);
    }
    let later = Instant::from_secs(6);
    while balancer.fleet().calls() > 0 {
        balancer.advance(later);
    }
    for id in &ids {
        balancer.report(later, *id, &report(0, 5)).unwrap();
        assert_eq!(balancer.fleet().load(id.slot()), 0);
    }
    assert!(balancer.policy().pool().iter().all(|probe| probe.in_flight() == 0));
}

#[test]
fn parameters_without_meaning_are_refused() {
    let refused = |config: PrequalConfig| Prequal::with(config).err();
    let new = PrequalConfig::new;
    assert_eq!(refused(new()), None);
    assert_eq!(refused(new().pool(0)), Some(PrequalError::Pool));
    assert_eq!(refused(new().pool(17)), Some(PrequalError::Pool));
    assert_eq!(refused(new().lifetime(Duration::ZERO)), Some(PrequalError::Lifetime));
    assert_eq!(refused(new().quantile(Q32::MAX)), Some(PrequalError::Quantile));
    assert_eq!(refused(new().probes(Q32::from_int(9))), Some(PrequalError::Rate));
    assert_eq!(refused(new().removals(Q32::MAX)), Some(PrequalError::Rate));
}

#[test]
fn it_takes_little_more_than_a_kibibyte() {
    assert!(size_of::<Prequal>() <= 1_104, "{}", size_of::<Prequal>());
}
