//! The fleet and its balancer against a plain model, and what both promise at the edges.

use crate::Instant;
use crate::balance::*;
use crate::fixed::Q32;
use crate::lease::{Lease, Stale};
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::storage::Inline;
use core::time::Duration;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

const TIMEOUT: u64 = 20;
const NAMES: [&[u8]; 6] = [b"a", b"b", b"c", b"d", b"e", b"f"];

#[derive(Clone, Debug)]
enum Op {
    Insert(usize, u32),
    Remove(usize),
    Sync(Vec<usize>),
    State(usize, u8),
    Weigh(usize, u32),
    Pick(Vec<u32>),
    Complete(usize, u8),
    Report(usize, u32),
    Clock(u64),
    Advance,
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES.len();
    prop_oneof![
        2 => (name.clone(), 0u32..4).prop_map(|(name, weight)| Op::Insert(name, weight)),
        1 => name.clone().prop_map(Op::Remove),
        1 => prop::collection::vec(0..NAMES.len(), 0..6).prop_map(Op::Sync),
        1 => (name.clone(), 0u8..4).prop_map(|(name, state)| Op::State(name, state)),
        1 => (name.clone(), prop_oneof![0u32..4, Just(u32::MAX)]).prop_map(|(name, weight)| Op::Weigh(name, weight)),
        6 => prop::collection::vec(0u32..5, 0..3).prop_map(Op::Pick),
        4 => (0usize..64, 0u8..3).prop_map(|(call, outcome)| Op::Complete(call, outcome)),
        1 => (name, 0u32..9).prop_map(|(name, load)| Op::Report(name, load)),
        3 => prop_oneof![0u64..60, Just(u64::MAX)].prop_map(Op::Clock),
        1 => Just(Op::Advance),
    ]
}

/// What the model knows of a name.
#[derive(Clone, Debug, Default)]
struct Known {
    id: Option<MemberId>,
    weight: u32,
    up: bool,
    others: u32,
}

struct Call {
    lease: Lease,
    name: usize,
    ends: u64,
    out: bool,
}

fn check(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let fleet = Fleet::<Inline<4>, Inline<7>>::new(Duration::from_nanos(TIMEOUT));
    let mut balancer = Balancer::new(fleet, P2c::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut known = vec![Known::default(); NAMES.len()];
    let mut calls: Vec<Call> = Vec::new();
    let (mut clock, mut latest) = (0u64, 0u64);
    for op in ops {
        let now = Instant::from_nanos(clock);
        let in_flight =
            |calls: &[Call], name| calls.iter().filter(|call| call.out && call.name == name).count();
        match op {
            Op::Insert(name, weight) => {
                latest = latest.max(clock);
                let result = balancer.fleet_mut().insert(now, Member::new(NAMES[name]).weight(weight));
                let slots = (0..NAMES.len()).filter(|n| known[*n].id.is_some() || in_flight(&calls, *n) > 0);
                let room = slots.clone().count() < 4 || slots.into_iter().any(|n| n == name);
                let total: u64 = known.iter().filter(|k| k.id.is_some()).map(|k| u64::from(k.weight)).sum();
                if known[name].id.is_some() {
                    prop_assert_eq!(result, Err(FleetError::Duplicate));
                } else if total + u64::from(weight) > u32::MAX.into() {
                    prop_assert_eq!(result, Err(FleetError::TooHeavy));
                } else if !room {
                    prop_assert_eq!(result, Err(FleetError::Full));
                } else {
                    known[name] = Known { id: Some(result.unwrap()), weight, up: true, others: 0 };
                }
            }
            Op::Remove(name) => {
                if let Some(id) = known[name].id.take() {
                    latest = latest.max(clock);
                    prop_assert_eq!(balancer.fleet_mut().remove(now, id), Ok(()));
                    prop_assert_eq!(balancer.fleet_mut().remove(now, id), Err(FleetError::Unknown));
                }
            }
            Op::Sync(names) => {
                latest = latest.max(clock);
                let list: Vec<_> = names.iter().map(|name| Member::new(NAMES[*name])).collect();
                let held = |n: usize| names.contains(&n) || in_flight(&calls, n) > 0;
                let result = balancer.fleet_mut().sync(now, &list);
                if (1..names.len()).any(|at| names[..at].contains(&names[at])) {
                    prop_assert_eq!(result, Err(FleetError::Duplicate));
                } else if (0..NAMES.len()).filter(|n| held(*n)).count() > 4 {
                    prop_assert_eq!(result, Err(FleetError::Full));
                } else {
                    prop_assert!(result.is_ok());
                    for (name, known) in known.iter_mut().enumerate() {
                        let id = balancer.fleet().find_name(NAMES[name]);
                        prop_assert_eq!(id.is_some(), names.contains(&name));
                        match known.id {
                            Some(_) if id.is_some() => {
                                prop_assert_eq!(known.id, id, "who stays keeps its slot");
                                known.weight = 1;
                            }
                            _ => *known = Known { id, weight: 1, up: true, others: 0 },
                        }
                    }
                }
            }
            Op::State(name, state) => {
                if let Some(id) = known[name].id {
                    let fleet = balancer.fleet_mut();
                    let changed = match state {
                        0 => fleet.drain(id),
                        1 => fleet.mark_down(id),
                        2 => fleet.eject(id),
                        _ => fleet.resume(id),
                    };
                    prop_assert_eq!(changed, Ok(()));
                    known[name].up = state == 3;
                }
            }
            Op::Weigh(name, weight) => {
                if let Some(id) = known[name].id {
                    let others = known.iter().enumerate().filter(|(n, k)| *n != name && k.id.is_some());
                    let total: u64 = others.map(|(_, k)| u64::from(k.weight)).sum();
                    let fits = total + u64::from(weight) <= u32::MAX.into();
                    let result = balancer.fleet_mut().set_weight(id, weight);
                    prop_assert_eq!(result.is_ok(), fits);
                    if fits {
                        known[name].weight = weight;
                    }
                }
            }
            Op::Pick(avoid) => {
                latest = latest.max(clock);
                let picked = balancer.pick(now, &Request::new().avoid(&avoid), &mut rng);
                reclaim(&mut calls, latest, 4);
                let candidates: Vec<usize> = (0..NAMES.len())
                    .filter(|n| known[*n].up && known[*n].weight > 0)
                    .filter(|n| known[*n].id.is_some_and(|id| !avoid.contains(&id.slot())))
                    .collect();
                let full = calls.iter().filter(|call| call.out).count() == 7;
                match picked {
                    Pick::Member { member, lease, why } => {
                        let name = known.iter().position(|known| known.id == Some(member));
                        let name = name.expect("a member that is there");
                        prop_assert!(!full && candidates.contains(&name));
                        prop_assert_eq!(why == Why::Only, candidates.len() == 1);
                        let ends = latest.saturating_add(TIMEOUT);
                        prop_assert_eq!(lease.deadline(), Instant::from_nanos(ends));
                        calls.push(Call { lease, name, ends, out: true });
                    }
                    Pick::None { why: Refusal::TooManyCalls, .. } => prop_assert!(full),
                    Pick::None { .. } => prop_assert!(!full && candidates.is_empty()),
                }
            }
            Op::Complete(at, outcome) if !calls.is_empty() => {
                latest = latest.max(clock);
                let at = at % calls.len();
                let call = &mut calls[at];
                let outcome = [Outcome::Success, Outcome::Failure, Outcome::Ignored][usize::from(outcome)];
                let result = balancer.complete(now, call.lease, outcome);
                let expected = match (call.out, call.ends > latest) {
                    (true, true) => Ok(()),
                    (true, false) => Err(Stale::Expired),
                    (false, _) => Err(Stale::Unknown),
                };
                prop_assert_eq!(result, expected);
                call.out &= result.is_err();
            }
            Op::Report(name, load) => {
                if let Some(id) = known[name].id {
                    latest = latest.max(clock);
                    let report = Report { in_flight: load, latency: Duration::ZERO };
                    prop_assert_eq!(balancer.report(now, id, &report), Ok(()));
                    known[name].others = load.saturating_sub(in_flight(&calls, name) as u32);
                }
            }
            Op::Clock(to) => clock = to,
            Op::Advance => {
                latest = latest.max(clock);
                balancer.advance(now);
                reclaim(&mut calls, latest, 4);
            }
            Op::Complete(..) => {}
        }
        let fleet = balancer.fleet();
        let out = calls.iter().filter(|call| call.out);
        prop_assert_eq!(fleet.calls() as usize, out.clone().count());
        prop_assert_eq!(fleet.next_deadline(), out.map(|call| Instant::from_nanos(call.ends)).min());
        prop_assert_eq!(fleet.len() as usize, known.iter().filter(|known| known.id.is_some()).count());
        let mut ready = Vec::new();
        for (name, known) in known.iter().enumerate() {
            let Some(id) = known.id else { continue };
            let in_flight = in_flight(&calls, name) as u32;
            prop_assert_eq!(fleet.id(id.slot()), Some(id));
            prop_assert_eq!(fleet.find_name(NAMES[name]), Some(id));
            prop_assert_eq!((fleet.in_flight(id.slot()), fleet.weight(id.slot())), (in_flight, known.weight));
            prop_assert_eq!(fleet.load(id.slot()), in_flight + known.others);
            ready.extend((known.up && known.weight > 0).then_some(id.slot()));
        }
        ready.sort_unstable();
        prop_assert_eq!(fleet.ready(), &ready[..]);
    }
    Ok(())
}

/// What the balancer takes back at `latest`: the oldest first, `most` at most.
fn reclaim(calls: &mut [Call], latest: u64, most: usize) {
    for call in calls.iter_mut().filter(|call| call.out && call.ends <= latest).take(most) {
        call.out = false;
    }
}

proptest! {
    /// Whatever happens, each call counts for its member exactly until it is completed in time or its deadline has
    /// passed, whether the member leaves, comes back or goes by another weight, and wherever the clock jumps.
    #[test]
    fn every_call_counts_once_until_it_ends(ops in prop::collection::vec(op(), 1..150)) {
        check(ops)?;
    }
}

type Small = Fleet<Inline<8>, Inline<64>>;

fn fleet(members: u32) -> Small {
    let mut fleet = Small::new(Duration::from_secs(10));
    for name in 0..members {
        fleet.insert(Instant::ZERO, Member::new(&name.to_le_bytes())).expect("there is room");
    }
    fleet
}

/// Picks and completes at once, and says who it was.
fn serve<P: Policy>(
    balancer: &mut Balancer<P, Inline<8>, Inline<64>>,
    now: Instant,
    request: &Request<'_>,
    rng: &mut impl Rng,
) -> u32 {
    let Pick::Member { member, lease, .. } = balancer.pick(now, request, rng) else { panic!("nobody") };
    balancer.complete(now, lease, Outcome::Success).expect("in time");
    member.slot()
}

#[test]
fn lost_calls_are_failures_and_no_call_takes_back_more_than_four() {
    let mut balancer = Balancer::new(fleet(1), RoundRobin::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    for _ in 0..10 {
        assert!(matches!(balancer.pick(Instant::ZERO, &Request::new(), &mut rng), Pick::Member { .. }));
    }
    let late = Instant::from_secs(10);
    balancer.advance(late);
    assert_eq!((balancer.fleet().calls(), balancer.fleet().error_rate(0)), (6, Q32::ONE));
    assert_eq!(balancer.fleet().next_deadline(), Some(late), "there is more to do");
    balancer.advance(late);
    balancer.advance(late);
    assert_eq!((balancer.fleet().calls(), balancer.fleet().next_deadline()), (0, None));
}

#[test]
fn a_failure_costs_the_penalty_and_an_ignored_call_nothing() {
    let mut fleet = fleet(1);
    fleet.configure(Config::new().penalty(Duration::from_secs(2)).alpha(Q32::ONE)).unwrap();
    let mut balancer = Balancer::new(fleet, RoundRobin::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut call = |millis, outcome| {
        let now = balancer.advance(Instant::ZERO);
        let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
        let later = now.saturating_add(Duration::from_millis(millis));
        balancer.complete(later, lease, outcome).unwrap();
        (balancer.fleet().latency(0), balancer.fleet().peak_latency(later, 0))
    };
    assert_eq!(call(3, Outcome::Ignored), (None, None));
    let [quick, failed, slow] = [5, 2_000, 3_000].map(Duration::from_millis).map(Some);
    assert_eq!(call(5, Outcome::Success), (quick, quick));
    assert_eq!(call(1, Outcome::Failure), (failed, failed));
    assert_eq!(call(3_000, Outcome::Failure), (slow, slow));
    let (latency, peak) = call(5, Outcome::Success);
    assert!(latency == quick && peak > failed, "the peak remembers: {peak:?}");
}

#[test]
fn a_peak_decays_while_nothing_comes() {
    let mut balancer = Balancer::new(fleet(1), RoundRobin::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let Pick::Member { lease, .. } = balancer.pick(Instant::ZERO, &Request::new(), &mut rng) else {
        panic!()
    };
    let then = Instant::from_secs(1);
    balancer.complete(then, lease, Outcome::Success).unwrap();
    let peak =
        |secs| balancer.fleet().peak_latency(then.saturating_add(Duration::from_secs(secs)), 0).unwrap();
    assert_eq!(peak(0), Duration::from_secs(1));
    // 1/e after ten seconds.
    assert!(
        peak(10).abs_diff(Duration::from_nanos(367_879_441)) < Duration::from_nanos(10),
        "{:?}",
        peak(10)
    );
    assert_eq!(peak(1_000), Duration::ZERO);
    assert_eq!(
        balancer.fleet().peak_latency(Instant::ZERO, 0),
        Some(Duration::from_secs(1)),
        "time stood still"
    );
}

#[test]
fn a_report_says_what_others_have_there() {
    let mut balancer = Balancer::new(fleet(2), LeastLoaded::<Inline<8>>::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let now = Instant::ZERO;
    let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
    let report = Report { in_flight: 4, latency: Duration::ZERO };
    balancer.report(now, member, &report).unwrap();
    assert_eq!(balancer.fleet().load(member.slot()), 4);
    // Three of the four are not ours, and the other member gets the next three.
    balancer.complete(now, lease, Outcome::Success).unwrap();
    assert_eq!(balancer.fleet().load(member.slot()), 3);
    for _ in 0..3 {
        let Pick::Member { member: other, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
            panic!()
        };
        assert_ne!(other, member);
    }
    balancer.fleet_mut().remove(now, member).unwrap();
    assert_eq!(balancer.report(now, member, &report), Err(FleetError::Unknown));
}

#[test]
fn when_too_few_are_up_all_are_used() {
    let mut fleet = fleet(4);
    let half = Q32::from_bits(1 << 31);
    fleet.configure(Config::new().panic_below(half)).unwrap();
    let id = |fleet: &Small, slot| fleet.id(slot).unwrap();
    for slot in 0..2 {
        fleet.mark_down(id(&fleet, slot)).unwrap();
    }
    assert_eq!((fleet.ready(), fleet.is_panicking()), (&[2, 3][..], false));
    fleet.eject(id(&fleet, 2)).unwrap();
    assert_eq!((fleet.ready(), fleet.is_panicking()), (&[0, 1, 2, 3][..], true));
    // Who is draining is neither used nor counted.
    fleet.drain(id(&fleet, 0)).unwrap();
    assert_eq!((fleet.ready(), fleet.is_panicking()), (&[1, 2, 3][..], true));
    fleet.resume(id(&fleet, 2)).unwrap();
    assert_eq!((fleet.ready(), fleet.is_panicking()), (&[2, 3][..], false));
    fleet.configure(Config::new()).unwrap();
    for slot in [2, 3] {
        fleet.mark_down(id(&fleet, slot)).unwrap();
    }
    assert_eq!((fleet.ready(), fleet.is_panicking()), (&[][..], false), "without a threshold nobody panics");
}

#[test]
fn a_starting_member_gets_its_share_and_a_key_that_came_stays() {
    let window = Duration::from_secs(100);
    let mut fleet = fleet(4);
    fleet.configure(Config::new().slow_start(SlowStart::new(window).minimum(Q32::ZERO))).unwrap();
    let start = Instant::from_secs(1_000);
    let new = fleet.insert(start, Member::new(b"new")).unwrap().slot();
    let mut balancer = Balancer::new(fleet, HashKey::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut on_new = vec![false; 2_000];
    for percent in [10u64, 25, 50, 75, 100] {
        let now = start.saturating_add(Duration::from_secs(percent));
        let mut count = 0;
        for (key, was) in on_new.iter_mut().enumerate() {
            let request = Request::new().key(&(key as u32).to_le_bytes());
            let is = serve(&mut balancer, now, &request, &mut rng) == new;
            assert!(is || !*was, "key {key} left at {percent} %");
            *was = is;
            count += u64::from(is);
        }
        // A fifth of the keys are its own; four standard deviations around that share of them.
        let expected = 2_000 * percent / 500;
        assert!(count.abs_diff(expected) < 4 * expected.isqrt(), "{count} of {expected}");
    }
}

#[test]
fn a_lone_starting_member_still_serves() {
    let mut fleet = Small::new(Duration::from_secs(1));
    let slow = SlowStart::new(Duration::from_secs(100)).minimum(Q32::ZERO);
    fleet.configure(Config::new().slow_start(slow)).unwrap();
    fleet.insert(Instant::ZERO, Member::new(b"only")).unwrap();
    let mut balancer = Balancer::new(fleet, Random::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    for _ in 0..100 {
        assert_eq!(serve(&mut balancer, Instant::ZERO, &Request::new(), &mut rng), 0);
    }
}

#[test]
fn health_falls_with_failures_latency_and_load() {
    let mut fleet = fleet(1);
    let targets =
        Config::new().latency_target(Duration::from_millis(10)).load_target(1).penalty(Duration::ZERO);
    fleet.configure(targets).unwrap();
    let mut balancer = Balancer::new(fleet, RoundRobin::new());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut now = Instant::ZERO;
    assert_eq!(balancer.fleet().health(0), Q32::ONE);
    let mut call = |balancer: &mut Balancer<RoundRobin, Inline<8>, Inline<64>>, millis, outcome| {
        let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
        now = now.saturating_add(Duration::from_millis(millis));
        balancer.complete(now, lease, outcome).unwrap();
        balancer.fleet().health(0)
    };
    assert_eq!(call(&mut balancer, 20, Outcome::Success), Q32::from_bits(1 << 31), "twice the target");
    let failed = call(&mut balancer, 1, Outcome::Failure);
    assert!(failed < Q32::from_bits((1 << 30) + (1 << 26)), "and half of them failed: {failed}");
    let load = Report { in_flight: 2, latency: Duration::ZERO };
    let id = balancer.fleet().id(0).unwrap();
    balancer.report(now, id, &load).unwrap();
    let loaded = balancer.fleet().health(0);
    assert!(loaded.to_bits().abs_diff(failed.to_bits() / 2) < 4, "and twice the load: {loaded}");
    assert_eq!(balancer.fleet().factor(now, 0), Q32::ONE, "nobody said to shed");
    balancer.fleet_mut().configure(targets.shed(true)).unwrap();
    assert_eq!(balancer.fleet().factor(now, 0), loaded);
}

#[test]
fn capacity_is_found_at_any_load() {
    // One call after the other, 4 ms each, in a queue of 1 or of 8: 250 a second.
    for depth in [1usize, 8] {
        let mut balancer = Balancer::new(fleet(1), RoundRobin::new());
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let mut out = std::collections::VecDeque::new();
        let mut now = Instant::ZERO;
        for _ in 0..400 {
            while out.len() < depth {
                let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
                    panic!()
                };
                out.push_back(lease);
            }
            now = now.saturating_add(Duration::from_millis(4));
            balancer.complete(now, out.pop_front().unwrap(), Outcome::Success).unwrap();
        }
        let capacity = balancer.fleet().capacity_estimate(0).unwrap();
        assert!((249..=251).contains(&capacity.floor()), "{capacity}");
    }
}
