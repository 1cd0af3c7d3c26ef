//! The policies that look at loads, against plain searches.

use super::fixture::{self, member};
use super::*;
use crate::Instant;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::storage::Inline;
use core::time::Duration;
use std::vec;
use std::vec::Vec;

type Large = Fleet<Inline<48>, Inline<256>>;

fn fleet(members: u32, weight: impl Fn(u32) -> u32) -> Large {
    fixture::fleet((0..members).map(|name| member(name.into()).weight(weight(name)))).0
}

/// Picks, completions, reports and changes by chance; each choice must have the lowest `cost` of all candidates.
fn always_lowest(members: u32, policy: impl Policy, cost: impl Fn(&Large, u32) -> u128) {
    let mut balancer = Balancer::new(fleet(members, |name| 1 + name % 7), policy);
    let mut rng = Xoshiro256PlusPlus::seed(members.into());
    let mut out = Vec::new();
    for _ in 0..4_000 {
        let now = Instant::ZERO;
        let some = balancer.fleet().id(rng.below(members)).expect("nobody leaves");
        match rng.below(20) {
            0 => balancer.fleet_mut().mark_down(some).expect("known"),
            1..3 => balancer.fleet_mut().resume(some).expect("known"),
            3 => {
                let report = Report { in_flight: rng.below(9), latency: Duration::ZERO };
                balancer.report(now, some, &report).expect("known");
            }
            4..10 if !out.is_empty() => {
                let lease = out.swap_remove(rng.below(out.len() as u32) as usize);
                balancer.complete(now, lease, Outcome::Success).expect("in time");
            }
            _ => {
                let avoid = [rng.below(members), rng.below(members)];
                let request = Request::new().avoid(&avoid[..rng.below(3) as usize]);
                let allowed = balancer.fleet().ready().iter().filter(|slot| !request.avoids(**slot));
                let lowest = allowed.map(|slot| cost(balancer.fleet(), *slot)).min();
                let costs: Vec<u128> = (0..members).map(|slot| cost(balancer.fleet(), slot)).collect();
                match balancer.pick(now, &request, &mut rng) {
                    Pick::Member { member, lease, .. } => {
                        assert!(!request.avoids(member.slot()));
                        assert_eq!(Some(costs[member.slot() as usize]), lowest);
                        out.push(lease);
                    }
                    Pick::None { why, .. } => assert!(lowest.is_none() || why == Refusal::TooManyCalls),
                }
            }
        }
    }
}

#[test]
fn the_least_loaded_is_chosen_with_and_without_an_index() {
    for members in [1, 2, 9, 32, 33, 48] {
        always_lowest(members, LeastLoaded::<Inline<48>>::new(), |fleet, slot| fleet.load(slot).into());
        always_lowest(members, WeightedLeastLoaded::<Inline<48>>::new(), |fleet, slot| {
            // Exact: 420 is a multiple of every weight.
            420 * (u128::from(fleet.load(slot)) + 1) / u128::from(fleet.weight(slot))
        });
    }
}

/// A pick whose call ends at once.
fn pick_and_complete<P: Policy>(
    balancer: &mut Balancer<P, Inline<48>, Inline<256>>,
    request: &Request<'_>,
    rng: &mut impl Rng,
) {
    let Pick::Member { lease, .. } = balancer.pick(Instant::ZERO, request, rng) else { panic!("nobody") };
    balancer.complete(Instant::ZERO, lease, Outcome::Success).expect("in time");
}

fn takes_turns(members: u32, policy: impl Policy) {
    let mut balancer = Balancer::new(fleet(members, |_| 1), policy);
    let mut rng = Xoshiro256PlusPlus::seed(1);
    for _ in 0..10 * members {
        pick_and_complete(&mut balancer, &Request::new(), &mut rng);
    }
    assert!((0..members).all(|slot| balancer.fleet().picks(slot) == 10), "{members}");
    // For a while there are too few for an index.
    let absent: Vec<MemberId> =
        (0..10).filter_map(|slot| balancer.fleet().id(slot)).take(members as usize / 3).collect();
    for id in &absent {
        balancer.fleet_mut().mark_down(*id).expect("known");
    }
    pick_and_complete(&mut balancer, &Request::new(), &mut rng);
    for id in &absent {
        balancer.fleet_mut().resume(*id).expect("known");
    }
    for _ in 0..10 * members {
        pick_and_complete(&mut balancer, &Request::new(), &mut rng);
    }
    let counts: Vec<u32> = (0..members).map(|slot| balancer.fleet().picks(slot)).collect();
    assert!(counts.iter().all(|count| (19..=21).contains(count)), "{counts:?}");
    // Those that may be chosen are not those whose turn it is.
    let others: Vec<u32> = (0..members).filter(|slot| ![1, 5].contains(slot)).collect();
    for _ in 0..100 {
        pick_and_complete(&mut balancer, &Request::new().avoid(&others), &mut rng);
    }
    for slot in [1, 5] {
        assert_eq!(balancer.fleet().picks(slot), counts[slot as usize] + 50, "{members} {slot}");
    }
}

#[test]
fn equals_are_chosen_by_turns() {
    for members in [8, 40] {
        takes_turns(members, LeastLoaded::<Inline<48>>::new());
        takes_turns(members, WeightedLeastLoaded::<Inline<48>>::new());
    }
}

#[test]
fn an_index_that_is_too_small_says_so() {
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut few = Balancer::new(fleet(32, |_| 1), LeastLoaded::<Inline<8>>::new());
    assert!(matches!(few.pick(Instant::ZERO, &Request::new(), &mut rng), Pick::Member { .. }));
    let mut many = Balancer::new(fleet(33, |_| 1), WeightedLeastLoaded::<Inline<8>>::new());
    let none = many.pick(Instant::ZERO, &Request::new(), &mut rng);
    assert_eq!(none, Pick::None { retry_at: None, why: Refusal::PolicyTooSmall });
}

#[test]
fn every_pair_is_as_likely_as_any_other() {
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut counts = vec![0u32; 25];
    for _ in 0..100_000 {
        let (a, b) = p2c::pair(5, &mut rng);
        counts[(5 * a + b) as usize] += 1;
    }
    for (at, count) in counts.into_iter().enumerate() {
        // 5,000 each, with a standard deviation of 69; none with itself.
        let expected = if at % 6 == 0 { 0..1 } else { 4_650..5_350 };
        assert!(expected.contains(&count), "{at}: {count}");
    }
}

#[test]
fn bad_members_are_ejected_longer_each_time_and_never_too_many() {
    let mut balancer = Balancer::new(fleet(10, |_| 1), RoundRobin::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let config = OutlierConfig::new()
        .interval(Duration::from_secs(1))
        .requests(10)
        .ejection(Duration::from_secs(1))
        .longest(Duration::from_millis(2_500))
        .share(crate::fixed::Q32::from_bits(3 << 30 >> 1));
    let mut outlier = Outlier::<Inline<48>>::new(config);
    outlier.advance(Instant::ZERO, balancer.fleet_mut());
    let mut lengths = Vec::new();
    for second in 1..12u64 {
        for call in 0..400 {
            let now = Instant::from_millis(1_000 * second - 999 + call);
            let picked = balancer.pick(now, &Request::new(), &mut rng);
            let Pick::Member { member, lease, .. } = picked else { panic!("nobody") };
            let outcome = if member.slot() < 4 { Outcome::Failure } else { Outcome::Success };
            balancer.complete(now, lease, outcome).expect("in time");
        }
        let now = Instant::from_secs(second);
        let swept = outlier.advance(now, balancer.fleet_mut());
        let out = (0..10).filter(|slot| balancer.fleet().state(*slot) == State::Ejected).count();
        assert!(out <= 3, "three eighths of ten are three");
        if second == 1 {
            assert_eq!((swept.ejected, swept.spared), (3, 1));
        }
        if let (1.., Some(until)) = (swept.ejected, outlier.ejected_until(0)) {
            lengths.push(until.saturating_duration_since(now).as_millis());
        }
        assert!((4..10).all(|slot| balancer.fleet().state(slot) == State::Up));
    }
    lengths.dedup();
    assert!(lengths.starts_with(&[1_000]) && lengths.iter().all(|length| *length <= 2_500), "{lengths:?}");
    assert!(lengths.contains(&2_000), "{lengths:?}");
    // Whoever resumes a member by hand is not overruled.
    let id = balancer.fleet().id(0).expect("a member");
    balancer.fleet_mut().resume(id).expect("known");
    outlier.advance(Instant::from_secs(11), balancer.fleet_mut());
    assert_eq!((outlier.ejected_until(0), balancer.fleet().state(0)), (None, State::Up));
}

#[test]
fn a_slow_member_is_ejected_and_two_say_nothing() {
    for (members, expected) in [(2, 0), (4, 1)] {
        let mut balancer = Balancer::new(fleet(members, |_| 1), RoundRobin::new());
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let mut outlier = Outlier::<Inline<48>>::new(OutlierConfig::new());
        outlier.advance(Instant::ZERO, balancer.fleet_mut());
        let mut now = Instant::from_secs(1);
        for _ in 0..1_000 {
            let picked = balancer.pick(now, &Request::new(), &mut rng);
            let Pick::Member { member, lease, .. } = picked else { panic!("nobody") };
            let micros = if member.slot() == 0 { 5_000 } else { 1_000 } + u64::from(rng.below(200));
            now = now.saturating_add(Duration::from_micros(micros));
            balancer.complete(now, lease, Outcome::Success).expect("in time");
        }
        let swept = outlier.advance(Instant::from_secs(10), balancer.fleet_mut());
        assert_eq!(swept.ejected, expected);
    }
}
