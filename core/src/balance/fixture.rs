//! What the tests of policies share.

use super::{Fleet, Member, MemberId, Policy, Refusal, Request, View, Why};
use crate::Instant;
use crate::rng::SplitMix64;
use crate::storage::{Inline, Storage};
use core::time::Duration;
use std::vec;
use std::vec::Vec;

/// A fleet for policies that look at weights.
pub(super) type Small = Fleet<Inline<64>, Inline<4>>;

/// The member whose name is this number.
pub(super) fn member(name: u64) -> Member {
    Member::new(&name.to_le_bytes())
}

/// A fleet of these members.
pub(super) fn fleet<const M: usize, const L: usize>(
    members: impl IntoIterator<Item = Member>,
) -> (Fleet<Inline<M>, Inline<L>>, Vec<MemberId>) {
    let mut fleet = Fleet::<Inline<M>, Inline<L>>::new(Duration::from_secs(10));
    let mut insert = |member| fleet.insert(Instant::ZERO, member).expect("there is room");
    let ids = members.into_iter().map(&mut insert).collect();
    (fleet, ids)
}

/// A fleet of members with these weights.
pub(super) fn weighing(weights: &[u32]) -> Small {
    fleet((0..).zip(weights).map(|(name, weight)| member(name).weight(*weight))).0
}

/// Whom a policy without chance chooses.
pub(super) fn choose<M: Storage, L: Storage>(
    policy: &mut impl Policy,
    fleet: &Fleet<M, L>,
    request: &Request<'_>,
) -> Result<u32, Refusal> {
    let choice = policy.choose(Instant::ZERO, View::of(fleet), request, &mut SplitMix64::seed(0));
    choice.map(|choice| choice.slot)
}

/// How often each is chosen of two groups of weights 3, 1, 1 and 2, 2, 1 that are candidates by turns, 250 times each.
pub(super) fn two_groups_by_turns(mut policy: impl Policy) -> [i32; 6] {
    let fleet = weighing(&[3, 1, 1, 2, 2, 1]);
    let mut counts = [0; 6];
    for turn in 0..500u32 {
        let slots = if turn % 2 == 0 { [0, 1, 2] } else { [3, 4, 5] };
        let view = View::of(&fleet).narrow(&slots, turn % 2);
        let rng = &mut SplitMix64::seed(0);
        let choice = policy.choose(Instant::ZERO, view, &Request::new(), rng).expect("three candidates");
        counts[choice.slot as usize] += 1;
    }
    counts
}

/// The last member goes down and comes back, or is `replaced` by another of its weight, in turns, every `stretch` choices.
/// Answers the most that anybody was ever away from its share at such a change, and what a turn is: both count in the two
/// sums of weights multiplied, so that all shares are whole. One that is another each time does not count.
pub(super) fn farthest_from_its_share(
    mut policy: impl Policy,
    weights: &[u32],
    changes: u32,
    stretch: u32,
    replaced: bool,
) -> (i64, i64) {
    let (mut fleet, at) = (weighing(weights), weights.len() - 1);
    let mut last = fleet.id(at as u32).unwrap();
    let all: u32 = weights.iter().sum();
    let turn = i64::from(all) * i64::from(all - weights[at]);
    let (mut owed, mut farthest) = (vec![0i64; weights.len()], 0);
    for round in 0..changes {
        match (round % 2, replaced) {
            (0, true) => fleet.remove(Instant::ZERO, last).unwrap(),
            (_, true) => {
                let next = member(1_000 + u64::from(round)).weight(weights[at]);
                last = fleet.insert(Instant::ZERO, next).unwrap();
            }
            (0, false) => fleet.mark_down(last).unwrap(),
            (_, false) => fleet.resume(last).unwrap(),
        }
        let total: u32 = fleet.ready().iter().map(|slot| fleet.weight(*slot)).sum();
        for slot in fleet.ready() {
            let share = i64::from(fleet.weight(*slot)) * (turn / i64::from(total));
            owed[*slot as usize] += i64::from(stretch) * share;
        }
        for _ in 0..stretch {
            owed[choose(&mut policy, &fleet, &Request::new()).unwrap() as usize] -= turn;
        }
        let counted = if replaced { &owed[..at] } else { &owed[..] };
        farthest = counted.iter().map(|owed| owed.abs()).fold(farthest, i64::max);
    }
    (farthest, turn)
}

/// Changes in step with the turns: they must not add up, for weights and stretches of which each once did.
pub(super) fn stays_with_its_share_through_5_000_changes<P: Policy>(policy: impl Fn() -> P) {
    for (weights, stretch) in [(&[1, 1, 5][..], 11), (&[1, 1, 6], 9), (&[1, 2, 7], 13), (&[8, 1, 1, 1, 8], 5)]
    {
        let (farthest, turn) = farthest_from_its_share(policy(), weights, 5_000, stretch, false);
        assert!(farthest < 2 * turn, "{weights:?}: {farthest} of {turn}");
    }
}

/// How many turns of one period a member gets that was avoided for `periods` before.
pub(super) fn turns_after_it_was_avoided(
    mut policy: impl Policy,
    weights: &[u32],
    avoid: u32,
    periods: u32,
) -> u32 {
    let fleet = weighing(weights);
    let total: u32 = weights.iter().sum();
    for _ in 0..periods * total {
        let slot = choose(&mut policy, &fleet, &Request::new().avoid(&[avoid]));
        assert!(slot.is_ok_and(|slot| slot != avoid), "{slot:?}");
    }
    (0..total).map(|_| u32::from(choose(&mut policy, &fleet, &Request::new()) == Ok(avoid))).sum()
}

/// A policy by turns that has room for two members must refuse what it should.
pub(super) fn refuses_what_does_not_fit_or_is_not_there(mut policy: impl Policy) {
    let rng = &mut SplitMix64::seed(0);
    let mut choose = |weights: &[u32], request: &Request<'_>| {
        let fleet = weighing(weights);
        policy.choose(Instant::ZERO, View::of(&fleet), request, rng).map(|choice| (choice.slot, choice.why))
    };
    assert_eq!(choose(&[], &Request::new()), Err(Refusal::Empty));
    assert_eq!(choose(&[0, 0], &Request::new()), Err(Refusal::NoneReady));
    assert_eq!(choose(&[1], &Request::new()), Ok((0, Why::Only)));
    assert_eq!(choose(&[1], &Request::new().avoid(&[0])), Err(Refusal::Avoided));
    assert_eq!(choose(&[1, 1, 1], &Request::new()), Err(Refusal::PolicyTooSmall));
    assert_eq!(choose(&[u32::MAX - 1, 1], &Request::new()), Ok((0, Why::Turn)));
    assert_eq!(choose(&[1, 1], &Request::new().avoid(&[1, 0, 1])), Err(Refusal::Avoided));
}
