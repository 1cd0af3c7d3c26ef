use super::*;
use crate::balance::{Balancer, Fleet, Member, Outcome, Pick, RoundRobin};
use crate::lease::Lease;
use crate::rng::SplitMix64;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec::Vec;

type Sticky<const N: usize> = Balancer<Affinity<RoundRobin, Inline<N>>, Inline<4>, Inline<64>>;

fn sticky<const N: usize>(policy: Affinity<RoundRobin, Inline<N>>) -> (Sticky<N>, Vec<MemberId>) {
    let mut balancer = Balancer::new(Fleet::new(Duration::from_secs(100)), policy);
    let ids = (0..4u8).map(|who| balancer.fleet_mut().insert(Instant::ZERO, Member::new(&[who]))).collect();
    (balancer, Result::expect(ids, "there is room"))
}

fn pick<const N: usize>(balancer: &mut Sticky<N>, secs: u64, request: Request<'_>) -> (u32, Why, Lease) {
    match balancer.pick(Instant::from_secs(secs), &request, &mut SplitMix64::seed(1)) {
        Pick::Member { member, why, lease } => (member.slot(), why, lease),
        Pick::None { why, .. } => panic!("{why}"),
    }
}

#[test]
fn a_key_moves_when_its_member_is_gone_away_or_avoided_and_stays_there() {
    let (mut balancer, ids) = sticky(Affinity::<_, Inline<8>>::new(RoundRobin::new()));
    let request = Request::new().key(b"k");
    assert_eq!(pick(&mut balancer, 0, request).0, 0);
    assert_eq!(pick(&mut balancer, 0, request.avoid(&[0])).0, 1);
    assert_eq!(pick(&mut balancer, 0, request).0, 1);
    balancer.fleet_mut().drain(ids[1]).unwrap();
    assert_eq!(pick(&mut balancer, 0, request).0, 2);
    balancer.fleet_mut().resume(ids[1]).unwrap();
    assert_eq!(pick(&mut balancer, 0, request).0, 2);
    // Another member in the same slot is not the one that the key knew.
    balancer.fleet_mut().remove(Instant::ZERO, ids[2]).unwrap();
    balancer.fleet_mut().insert(Instant::ZERO, Member::new(b"\x02")).unwrap();
    let (slot, why, _) = pick(&mut balancer, 0, request);
    assert_eq!((slot, why), (3, Why::Turn));
    let stats = balancer.policy().stats();
    assert_eq!((stats.hits, stats.misses, stats.moved), (2, 1, 3));
}

#[test]
fn an_unused_key_is_forgotten_and_a_used_one_is_not() {
    let policy = Affinity::<_, Inline<8>>::new(RoundRobin::new()).time_to_live(Duration::from_secs(10));
    let (mut balancer, _) = sticky(policy);
    let request = Request::new().key(b"k");
    assert_eq!(pick(&mut balancer, 0, request).1, Why::Turn);
    assert_eq!(pick(&mut balancer, 9, request).1, Why::Bound);
    assert_eq!(pick(&mut balancer, 18, request).1, Why::Bound);
    let (slot, why, _) = pick(&mut balancer, 28, request);
    assert_eq!((slot, why), (1, Why::Turn));
    assert_eq!(pick(&mut balancer, 28, request).0, 1);
}

#[test]
fn a_busy_member_is_spared_and_keeps_its_key() {
    let (mut balancer, _) = sticky(Affinity::<_, Inline<8>>::new(RoundRobin::new()).spill_at(2));
    let request = Request::new().key(b"k");
    let first = pick(&mut balancer, 0, request);
    assert_eq!(pick(&mut balancer, 0, request).0, first.0);
    assert_ne!(pick(&mut balancer, 0, request).0, first.0);
    balancer.complete(Instant::ZERO, first.2, Outcome::Success).unwrap();
    assert_eq!(pick(&mut balancer, 0, request).0, first.0);
    assert_eq!(balancer.policy().stats().spilled, 1);
}

proptest! {
    /// With room for every key and nobody leaving, a key never moves; with less room the stats add up.
    #[test]
    fn keys_stay_while_there_is_room(keys in prop::collection::vec(0u64..12, 1..60)) {
        let (mut roomy, _) = sticky(Affinity::<_, Inline<12>>::new(RoundRobin::new()));
        let (mut tight, _) = sticky(Affinity::<_, Inline<5>>::new(RoundRobin::new()));
        let mut homes = BTreeMap::new();
        for (nth, key) in keys.iter().enumerate() {
            let request = Request::new().key_hash(key << 60 | key);
            let (slot, why, _) = pick(&mut roomy, 0, request);
            prop_assert_eq!(why == Why::Bound, homes.contains_key(key));
            prop_assert_eq!(*homes.entry(*key).or_insert(slot), slot);
            pick(&mut tight, 0, request);
            let stats = tight.policy().stats();
            prop_assert_eq!(stats.hits + stats.misses, nth as u64 + 1);
            prop_assert_eq!(stats.misses - stats.evicted, tight.policy().len() as u64);
        }
    }
}
