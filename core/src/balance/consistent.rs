//! By the key, so that few keys move.

use super::outcome::Report;
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::fixed::Q32;
use crate::ring::{ChangeError, Node, Ring};
use crate::storage::Storage;
use crate::{Instant, Rng};

/// Each key to its owner on a ring; a key moves only when its owner changes.
///
/// Any [`Ring`] will do. It is kept in step with the candidates: a member that is not ready drains (and has its keys
/// back when it returns), one that is gone is removed, and nothing else is touched. A request that avoids the owner goes
/// to the key's next member, and to the same one each time. A request without a key goes to a member drawn by chance,
/// with probabilities in proportion to the weights.
///
/// The hash that places is the request's: for a ring that hashes keys in a way of its own (ketama), give it
/// [`Request::key_hash`] of [`Ring::hash`]. Where a ring cannot do what the fleet did, it does what comes closest: one
/// of 32-bit keys (ketama) gets half of each name's hash, so that members are where their names put them but not where
/// nginx would; one without weights gives equal shares, one that cannot re-weight a node keeps the weight that it was inserted with, and
/// one that can only remove the last node leaves others drained until their slots are needed, then begins anew.
///
/// With a [`bound`](Self::bound) no member gets more than so many times its fair share of all calls that are out; who
/// is full is passed over for the key's next member.
///
/// *When not to use it:* when a member keeps nothing for its keys. Any other policy spreads load better.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Consistent, Fleet, Member, Pick, Refusal, Request, Why};
/// use divvy::ring::Rendezvous;
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<8>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, Consistent::new(Rendezvous::<Inline<8>>::new()));
/// for name in [b"a", b"b", b"c"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// let request = Request::new().key(b"user:17");
/// let Pick::Member { member: owner, why: Why::Key, .. } = balancer.pick(now, &request, &mut rng) else { panic!() };
/// let avoid = [owner.slot()];
/// let Pick::Member { member: next, why: Why::Successor, .. } = balancer.pick(now, &request.avoid(&avoid), &mut rng)
/// else { panic!() };
/// // When the owner is away the key is with the same successor:
/// balancer.fleet_mut().drain(owner)?;
/// assert!(matches!(balancer.pick(now, &request, &mut rng), Pick::Member { member, .. } if member == next));
/// // With every member avoided there is nobody left:
/// let none = balancer.pick(now, &request.avoid(&[0, 1, 2]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// As the ring's owner; with a bound or where the owner is avoided, as its walk. After a change of membership
/// *O*(members) and as many changes of the ring as members changed. With a bound, *O*(candidates) for the sum of loads
/// where members report theirs or the candidates are only a part of the fleet. 24 bytes and the ring's.
///
/// # References
///
/// Karger et al., STOC 1997; for the bound Mirrokni, Thorup, Zadimoghaddam, SODA 2018. That an avoided owner's keys go
/// on to the next member: Envoy issue 38815.
#[derive(Clone, Copy, Debug)]
pub struct Consistent<R> {
    ring: R,
    slack: Option<Q32>,
    /// Whether the ring takes keys of 32 bits only.
    narrow: bool,
    /// The view that the ring follows, and whether the ring holds exactly its candidates.
    step: Step,
    /// Whether any member reported a load of its own.
    reported: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// The ring follows no view yet.
    Never,
    /// The ring's nodes with weight are the candidates of this epoch.
    At(u32),
    /// The ring cannot hold the candidates of this epoch.
    TooSmall(u32),
}

/// How many nodes are inserted at a time.
const BATCH: usize = 32;

impl<R: Ring> Consistent<R> {
    /// Owners by `ring`, without a bound. Nodes that it has already and that are not members are removed.
    #[must_use]
    pub const fn new(ring: R) -> Self {
        Self { ring, slack: None, narrow: false, step: Step::Never, reported: false }
    }

    /// With a bound: no member gets more than `slack` (1 at least; 1.25 is usual) times its fair share, rounded up.
    #[must_use]
    pub const fn bound(mut self, slack: Q32) -> Self {
        self.slack = Some(slack);
        self
    }

    /// The ring: its nodes are the fleet's slots.
    #[must_use]
    pub const fn ring(&self) -> &R {
        &self.ring
    }

    /// Makes the ring's nodes the candidates, if they are not.
    fn follow<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        let epoch = view.epoch();
        if self.step == Step::At(epoch) {
            return Ok(());
        }
        if self.step == Step::TooSmall(epoch) {
            return Err(Refusal::PolicyTooSmall);
        }
        let fitted = self.change(view).or_else(|_| {
            // Some ring cannot take out a node in the middle, is full of drained ones, or wants other keys: begin anew.
            while let Some(last) = self.ring.nodes().last().map(Node::id) {
                self.ring.remove(last)?;
            }
            self.change(view)
        });
        self.step = if fitted.is_ok() { Step::At(epoch) } else { Step::TooSmall(epoch) };
        fitted.map_err(|_| Refusal::PolicyTooSmall)
    }

    /// Changes those nodes that differ from the candidates.
    fn change<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), ChangeError> {
        let fleet = view.fleet();
        // Whoever goes or gets lighter first, so that the sum of the weights fits at every step.
        let mut at = 0;
        while let Some(node) = self.ring.nodes().get(at).copied() {
            let slot = node.id();
            if fleet.id(slot).is_none() || self.key(view, slot) != node.key() {
                self.take_out(node)?;
                at += usize::from(self.ring.nodes().get(at).is_some_and(|node| node.id() == slot));
                continue;
            }
            at += 1;
            if view.slots().binary_search(&slot).is_err() {
                if !node.is_draining() {
                    self.ring.drain(slot)?;
                }
            } else if !node.is_draining() && fleet.weight(slot) < node.share() {
                self.weigh(slot, fleet.weight(slot))?;
            }
        }
        let mut known = 0;
        for at in 0..self.ring.nodes().len() {
            let node = self.ring.nodes()[at];
            let slot = node.id();
            if self.key(view, slot) != node.key() || view.slots().binary_search(&slot).is_err() {
                continue;
            }
            known += 1;
            if node.is_draining() {
                self.weigh(slot, fleet.weight(slot))?;
                self.ring.resume(slot)?;
            } else if fleet.weight(slot) > node.share() {
                self.weigh(slot, fleet.weight(slot))?;
            }
        }
        if known == view.slots().len() {
            return Ok(());
        }
        // Some at a time, because some rings build a table for each change.
        let mut fresh = heapless::Vec::<Node, BATCH>::new();
        for &slot in view.slots() {
            let node = Node::from_key(slot, self.key(view, slot));
            if self.ring.nodes().iter().any(|old| old.id() == slot && old.key() == node.key()) {
                continue;
            }
            if fresh.push(node.weight(fleet.weight(slot))).is_err() {
                self.insert(&fresh)?;
                fresh.clear();
                // There is room again.
                let _ = fresh.push(node.weight(fleet.weight(slot)));
            }
        }
        self.insert(&fresh)
    }

    /// Adds all of `nodes`, with equal weights on a ring that knows none.
    fn insert(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        match self.ring.extend(nodes) {
            Err(ChangeError::Unsupported) if !self.narrow => {
                self.narrow = true;
                Err(ChangeError::Unsupported)
            }
            Err(ChangeError::Unsupported) => {
                nodes.iter().try_for_each(|node| match self.ring.insert(*node) {
                    Err(ChangeError::Unsupported) => self.ring.insert(node.weight(1)),
                    inserted => inserted,
                })
            }
            inserted => inserted,
        }
    }

    /// The key by which the ring knows the member in `slot`.
    fn key<M: Storage, L: Storage>(&self, view: View<'_, M, L>, slot: u32) -> u64 {
        let key = view.fleet().key(slot);
        if self.narrow { key & u64::from(u32::MAX) } else { key }
    }

    /// Removes `node`, or drains it where the ring cannot remove it now.
    fn take_out(&mut self, node: Node) -> Result<(), ChangeError> {
        match self.ring.remove(node.id()) {
            Err(ChangeError::Unsupported) if node.is_draining() => Ok(()),
            Err(ChangeError::Unsupported) => self.ring.drain(node.id()),
            removed => removed.map(|_| ()),
        }
    }

    /// Gives a node another weight, unless the ring knows none.
    fn weigh(&mut self, slot: u32, weight: u32) -> Result<(), ChangeError> {
        match self.ring.set_weight(slot, weight) {
            Err(ChangeError::Unsupported) => Ok(()),
            changed => changed,
        }
    }

    /// The load of all candidates together.
    fn total<M: Storage, L: Storage>(&self, view: View<'_, M, L>) -> u64 {
        let fleet = view.fleet();
        if !self.reported && view.slots().len() == fleet.ready().len() {
            return fleet.calls().into();
        }
        view.slots().iter().map(|slot| u64::from(fleet.load(*slot))).sum()
    }
}

impl<R: Ring> Policy for Consistent<R> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        if view.slots().is_empty() {
            return Err(view.refusal());
        }
        self.follow(view)?;
        let hash = request.hash();
        let (hash, by_key) = hash.map_or_else(|| (rng.next_u64(), false), |hash| (hash, true));
        let owner = self.ring.owner(hash);
        let slot = match self.slack {
            None if owner.is_some_and(|owner| !request.avoids(owner)) => owner,
            None => self.ring.owner_where(hash, |slot| !request.avoids(slot)),
            Some(slack) => {
                let fleet = view.fleet();
                let load = |slot| if request.avoids(slot) { u64::MAX } else { u64::from(fleet.load(slot)) };
                let bounded = self.ring.owner_bounded(hash, slack, self.total(view), load);
                // Where those that may take more are avoided, the bound yields.
                bounded.or_else(|| self.ring.owner_where(hash, |slot| !request.avoids(slot)))
            }
        };
        let slot = slot.ok_or_else(|| view.refusal())?;
        let why = match (by_key, owner == Some(slot)) {
            (false, _) => Why::Chance,
            (true, true) => Why::Key,
            (true, false) => Why::Successor,
        };
        Ok(Choice { slot, why })
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        _view: View<'_, M, L>,
        _slot: u32,
        _report: &Report,
    ) {
        self.reported = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Balancer, Fleet, Member, MemberId, Outcome, Pick};
    use crate::ring::{JumpBack, Rendezvous};
    use crate::rng::SplitMix64;
    use crate::storage::Inline;
    use core::time::Duration;
    use proptest::prelude::*;
    use std::vec::Vec;

    type Small = Fleet<Inline<6>, Inline<64>>;

    fn owner(policy: &mut impl Policy, fleet: &Small, key: u64) -> Result<u32, Refusal> {
        let request = Request::new().key_hash(key);
        policy
            .choose(Instant::ZERO, View::of(fleet), &request, &mut SplitMix64::seed(1))
            .map(|choice| choice.slot)
    }

    /// A ring of the candidates alone, made anew.
    fn fresh(fleet: &Small) -> Rendezvous<Inline<6>> {
        let mut ring = Rendezvous::<Inline<6>>::new();
        for &slot in fleet.ready() {
            let node = Node::from_key(slot, fleet.key(slot)).weight(fleet.weight(slot));
            ring.insert(node).expect("there is room");
        }
        ring
    }

    fn change(fleet: &mut Small, members: &mut Vec<MemberId>, what: u32, who: u8, weight: u32) {
        let now = Instant::ZERO;
        if what == 0 {
            if let Ok(id) = fleet.insert(now, Member::new(&[who]).weight(weight)) {
                members.push(id);
            }
        } else if !members.is_empty() {
            let at = who as usize % members.len();
            let id = members[at];
            match what {
                1 => {
                    members.swap_remove(at);
                    fleet.remove(now, id).expect("it is a member");
                }
                2 => fleet.drain(id).expect("it is a member"),
                3 => fleet.resume(id).expect("it is a member"),
                _ => fleet.set_weight(id, weight).expect("the weights are small"),
            }
        }
    }

    proptest! {
        #[test]
        fn the_ring_is_the_candidates_whatever_happened(
            changes in prop::collection::vec((0u32..5, 0u8..12, 0u32..4), 1..60),
        ) {
            let mut fleet = Small::new(Duration::from_secs(1));
            let mut members = Vec::new();
            let mut policy = Consistent::new(Rendezvous::<Inline<6>>::new());
            let mut jump = Consistent::new(JumpBack::<Inline<6>>::new());
            for (what, who, weight) in changes {
                change(&mut fleet, &mut members, what, who, weight);
                let expected = fresh(&fleet);
                for key in 0..20u64 {
                    let key = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    let slot = owner(&mut policy, &fleet, key);
                    prop_assert_eq!(slot.ok(), expected.owner(key));
                    // A ring that can do little still answers with a candidate.
                    let slot = owner(&mut jump, &fleet, key);
                    prop_assert_eq!(slot.is_ok(), !fleet.ready().is_empty());
                    prop_assert!(slot.is_err() || fleet.ready().contains(&slot.unwrap()));
                }
            }
        }

        #[test]
        fn nobody_gets_more_than_the_bound(
            weights in prop::collection::vec(1u32..5, 1..6),
            percent in 100u64..200,
            keys in prop::collection::vec(0u64..8, 1..60),
        ) {
            let slack = Q32::from_ratio(percent, 100).unwrap();
            let mut balancer = Balancer::new(
                Small::new(Duration::from_secs(1)),
                Consistent::new(Rendezvous::<Inline<6>>::new()).bound(slack),
            );
            let total: u32 = weights.iter().sum();
            for (who, weight) in weights.iter().enumerate() {
                let member = Member::new(&[who as u8]).weight(*weight);
                balancer.fleet_mut().insert(Instant::ZERO, member).unwrap();
            }
            let mut rng = SplitMix64::seed(1);
            let mut leases = Vec::new();
            for (nth, key) in keys.iter().enumerate() {
                let request = Request::new().key_hash(key.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                let Pick::Member { lease, .. } = balancer.pick(Instant::ZERO, &request, &mut rng) else {
                    panic!("there is always one that may take one more")
                };
                leases.push(lease);
                for (slot, weight) in weights.iter().enumerate() {
                    let share = u64::from(*weight) * (nth as u64 + 1) * percent;
                    let bound = share.div_ceil(u64::from(total) * 100);
                    prop_assert!(u64::from(balancer.fleet().load(slot as u32)) <= bound);
                }
            }
            for lease in leases {
                balancer.complete(Instant::ZERO, lease, Outcome::Success).unwrap();
            }
        }
    }

    #[test]
    fn a_ring_that_is_too_small_says_so_until_it_fits() {
        let mut fleet = Small::new(Duration::from_secs(1));
        let mut policy = Consistent::new(Rendezvous::<Inline<2>>::new());
        let ids: Vec<_> = (0..3u8)
            .map(|n| fleet.insert(Instant::ZERO, Member::new(&[n])).expect("there is room"))
            .collect();
        assert_eq!(owner(&mut policy, &fleet, 7), Err(Refusal::PolicyTooSmall));
        assert_eq!(owner(&mut policy, &fleet, 7), Err(Refusal::PolicyTooSmall));
        // A drained member need not be on the ring.
        fleet.drain(ids[1]).expect("it is a member");
        assert!(owner(&mut policy, &fleet, 7).is_ok());
    }

    #[test]
    fn without_a_key_weights_decide() {
        let mut fleet = Small::new(Duration::from_secs(1));
        for (who, weight) in [(0u8, 1), (1, 3)] {
            fleet.insert(Instant::ZERO, Member::new(&[who]).weight(weight)).expect("there is room");
        }
        let mut policy = Consistent::new(Rendezvous::<Inline<6>>::new());
        let mut rng = SplitMix64::seed(3);
        let mut counts = [0u32; 2];
        for _ in 0..4_000 {
            let choice = policy
                .choose(Instant::ZERO, View::of(&fleet), &Request::new(), &mut rng)
                .expect("two are ready");
            assert_eq!(choice.why, Why::Chance);
            counts[choice.slot as usize] += 1;
        }
        assert!((900..1_100).contains(&counts[0]), "{counts:?}");
    }
}
