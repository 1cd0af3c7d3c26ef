use super::*;
use crate::balance::{Balancer, Fleet, Member, Outcome, Pick};
use crate::rng::{SplitMix64, Xoshiro256PlusPlus};
use core::time::Duration;
use proptest::prelude::*;
use std::vec::Vec;

type Many = Balancer<Hierarchical<Inline<64>>, Inline<64>, Inline<512>>;

fn many(policy: Hierarchical<Inline<64>>, members: u8) -> Many {
    let mut balancer = Balancer::new(Fleet::new(Duration::from_secs(1)), policy);
    for who in 0..members {
        balancer.fleet_mut().insert(Instant::ZERO, Member::new(&[who])).expect("there is room");
    }
    balancer
}

fn loads(balancer: &Many) -> Vec<u32> {
    balancer.fleet().ready().iter().map(|slot| balancer.fleet().load(*slot)).collect()
}

#[test]
fn a_full_tree_is_level_after_every_pick() {
    for fan_out in [2, 4, 8, 64, 100] {
        let mut balancer = many(Hierarchical::new(fan_out), 64);
        let mut rng = SplitMix64::seed(5);
        for _ in 0..300 {
            assert!(matches!(balancer.pick(Instant::ZERO, &Request::new(), &mut rng), Pick::Member { .. }));
            let loads = loads(&balancer);
            let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            assert!(most - least <= 1, "{fan_out}: {loads:?}");
        }
    }
}

#[test]
fn two_at_random_do_nearly_as_well() {
    let mut balancer = many(Hierarchical::new(8).select(Select::LowerOfTwo), 64);
    let mut rng = SplitMix64::seed(5);
    for _ in 0..512 {
        assert!(matches!(balancer.pick(Instant::ZERO, &Request::new(), &mut rng), Pick::Member { .. }));
    }
    let most = loads(&balancer).into_iter().max().unwrap();
    // The mean is 8. Two of all 64 leave about 10; thrown by chance it would be 16.
    assert!((9..=11).contains(&most), "{most}");
}

#[test]
fn the_complete_tree_fits_its_storage() {
    fn groups<const N: usize>(fan_out: u32) -> usize {
        let mut tree = Tree::<Inline<N>>::new(fan_out);
        assert!(tree.rebuild(N as u32, core::iter::empty()).is_ok());
        tree.group_count()
    }
    assert_eq!((groups::<1>(2), groups::<2>(2), groups::<3>(2), groups::<5>(2)), (1, 1, 3, 5));
    assert_eq!((groups::<64>(2), groups::<64>(8), groups::<65>(8), groups::<7>(0)), (63, 9, 11, 7));
}

#[test]
fn what_is_no_tree_is_refused() {
    let mut policy = Hierarchical::<Inline<4>>::new(2);
    for (parents, group_of, error) in [
        (&[][..], &[][..], TreeError::Order),
        (&[1], &[], TreeError::Order),
        (&[0, 1], &[], TreeError::Order),
        (&[0, 0, 1, 0], &[], TreeError::Order),
        (&[0, 0], &[2], TreeError::Unknown),
        (&[0; 5], &[], TreeError::TooMany),
        (&[0], &[0; 5], TreeError::TooMany),
    ] {
        assert_eq!(policy.groups(parents, group_of), Err(error), "{parents:?} {group_of:?}");
    }
    assert_eq!(policy.groups(&[0, 0, 1, 1], &[0, 1, 2, 3]), Ok(()));
}

#[test]
fn a_policy_smaller_than_the_fleet_says_so() {
    let mut fleet = Fleet::<Inline<4>, Inline<4>>::new(Duration::from_secs(1));
    fleet.insert(Instant::ZERO, Member::new(b"a")).unwrap();
    let mut policy = Hierarchical::<Inline<2>>::new(2);
    let choice = policy.choose(Instant::ZERO, View::of(&fleet), &Request::new(), &mut SplitMix64::seed(1));
    assert_eq!(choice, Err(Refusal::PolicyTooSmall));
}

proptest! {
    /// Whatever comes, the sums are those of the fleet's loads, the choice is a candidate that is not avoided, and it is
    /// refused only where there is none.
    #[test]
    fn the_sums_follow_the_fleet(
        seed: u64,
        fan_out in 2u32..6,
        own_tree: bool,
        steps in prop::collection::vec((0u32..8, 0u8..16, 0u32..4), 1..120),
    ) {
        let mut policy = Hierarchical::<Inline<16>>::new(fan_out);
        if own_tree {
            policy.groups(&[0, 0, 0, 1, 1, 2], &[3, 3, 3, 4, 4, 5, 2, 2, 1, 0, 5]).unwrap();
        }
        if seed % 2 == 0 {
            policy = policy.select(Select::LowerOfTwo);
        }
        let fleet = Fleet::<Inline<16>, Inline<32>>::new(Duration::from_nanos(40));
        let mut balancer = Balancer::new(fleet, policy);
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let (mut now, mut leases, mut members) = (0, Vec::new(), Vec::new());
        for (what, who, weight) in steps {
            now += 1;
            let at = Instant::from_nanos(now);
            match what {
                0 => members.extend(balancer.fleet_mut().insert(at, Member::new(&[who]).weight(weight))),
                1 if !members.is_empty() => {
                    let id = members.swap_remove(who as usize % members.len());
                    balancer.fleet_mut().remove(at, id).unwrap();
                }
                2 if !members.is_empty() => {
                    let id = members[who as usize % members.len()];
                    balancer.fleet_mut().set_weight(id, weight).unwrap();
                }
                3 if !leases.is_empty() => {
                    let lease = leases.swap_remove(who as usize % leases.len());
                    let _ = balancer.complete(at, lease, Outcome::Success);
                }
                _ => {
                    let avoid = [u32::from(who), weight];
                    let free = balancer.fleet().ready().iter().any(|slot| !avoid.contains(slot));
                    match balancer.pick(at, &Request::new().avoid(&avoid), &mut rng) {
                        Pick::Member { member, lease, .. } => {
                            prop_assert!(!avoid.contains(&member.slot()));
                            leases.push(lease);
                        }
                        Pick::None { why, .. } => prop_assert!(!free || why == Refusal::TooManyCalls),
                    }
                    let policy = balancer.policy();
                    if policy.epoch == Some(balancer.fleet().epoch()) {
                        for (kept, exact) in policy.tree.sums() {
                            prop_assert_eq!(kept, exact);
                        }
                        let all: u64 =
                            balancer.fleet().ready().iter().map(|slot| u64::from(balancer.fleet().load(*slot))).sum();
                        prop_assert_eq!(policy.tree.sums()[0].0.load, all);
                    }
                }
            }
        }
    }
}
