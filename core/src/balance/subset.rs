//! A few members for each caller, so that nobody holds a connection to all.

use super::outcome::{Ended, Report};
use super::policy::{Choice, Policy, Refusal, View};
use super::request::Request;
use crate::Instant;
use crate::hash::xxh3_64_seeded;
use crate::rng::{Rng, SplitMix64};
use crate::storage::{Inline, List, Storage};
use core::fmt;

/// Any policy over a part of the members, chosen by the number of this caller.
///
/// * [`even`](Self::even): the members are shuffled and dealt out like cards, `size` to each caller, deck after deck. If
///   the callers are numbered from 0 on without gaps, every member serves as many of them as any other, or one more.
///   All callers must know the same members, by the same names. Members that come or go change most subsets.
/// * [`rendezvous`](Self::rendezvous): the `size` ready members whose names score highest together with the caller's
///   number. A member that goes is replaced by one other, and only with the callers that had it; but by chance some serve
///   twice as many callers as others. It needs no numbering without gaps.
///
/// Even subsets are cut from all members, so that one that is down for a while moves nobody; the policy then chooses among
/// the rest of the subset, and among all candidates if none of it is ready.
///
/// *When not to use it:* when every caller can afford a connection to every member. Under another decorator that narrows
/// the candidates, such as [`ZoneAware`](super::ZoneAware): put that one inside.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, Pick, Refusal, Request, RoundRobin, Subset};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let mut served = [0; 6];
/// for caller in 0..4 {
///     let fleet = Fleet::<Inline<8>, Inline<16>>::new(Duration::from_secs(10));
///     let policy = Subset::<RoundRobin, Inline<8>>::even(caller, 3, RoundRobin::new());
///     let mut balancer = Balancer::new(fleet, policy);
///     let none = balancer.pick(now, &Request::new(), &mut rng);
///     assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Empty });
///     for name in 0..6u8 {
///         balancer.fleet_mut().insert(now, Member::new(&[name]))?;
///     }
///     for _ in 0..9 {
///         let Pick::Member { member, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
///         served[member.slot() as usize] += 1;
///     }
/// }
/// // Each caller has three of the six, each member two of the four callers:
/// assert_eq!(served, [6; 6]);
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// As the policy inside, and *O*(n log n) at the first choice after a change of the members. 24 bytes per member.
///
/// # References
///
/// *Site Reliability Engineering*, O'Reilly 2016, chapter 20, deals each deck to whole callers and leaves its rest
/// unused; dealt on across decks, no member is left out. Rendezvous: Thaler, Ravishankar 1998, as in gRPC's proposal A68.
pub struct Subset<P, S: Storage> {
    inner: P,
    caller: u32,
    size: u32,
    rendezvous: bool,
    /// The members to be dealt out, by the hash of their names.
    cards: S::List<Card>,
    /// The slots of the subset that are candidates, ascending.
    slots: S::List<u32>,
    /// The last cards of a deck, while the next is laid out.
    last: S::List<u32>,
    epoch: Option<u32>,
    /// The epoch of the narrowed candidates, for the policy inside.
    inner_epoch: u32,
}

/// A member by its name's hash, or by its score for this caller.
type Card = (u64, u32);

impl<P, const N: usize> Subset<P, Inline<N>> {
    /// Evenly dealt subsets of `size` members, at least 1, for a fleet of up to `N`: the one of this `caller`, with
    /// `inner` to choose in it.
    #[must_use]
    pub const fn even(caller: u32, size: u32, inner: P) -> Self {
        Self::inline(caller, size, inner, false)
    }

    /// The `size` members, at least 1, that rendezvous hashing gives this `caller` in a fleet of up to `N`, with `inner`
    /// to choose among them.
    #[must_use]
    pub const fn rendezvous(caller: u32, size: u32, inner: P) -> Self {
        Self::inline(caller, size, inner, true)
    }

    const fn inline(caller: u32, size: u32, inner: P, rendezvous: bool) -> Self {
        Self {
            inner,
            caller,
            size,
            rendezvous,
            cards: heapless::Vec::new(),
            slots: heapless::Vec::new(),
            last: heapless::Vec::new(),
            epoch: None,
            inner_epoch: 0,
        }
    }
}

#[cfg(feature = "alloc")]
impl<P> Subset<P, crate::storage::Heap> {
    /// As [`even`](Subset::even), for a fleet of up to `members`, allocated now.
    #[must_use]
    pub fn even_with_capacity(members: u32, caller: u32, size: u32, inner: P) -> Self {
        Self::allocated(members, caller, size, inner, false)
    }

    /// As [`rendezvous`](Subset::rendezvous), for a fleet of up to `members`, allocated now.
    #[must_use]
    pub fn rendezvous_with_capacity(members: u32, caller: u32, size: u32, inner: P) -> Self {
        Self::allocated(members, caller, size, inner, true)
    }

    fn allocated(members: u32, caller: u32, size: u32, inner: P, rendezvous: bool) -> Self {
        use crate::storage::HeapList;
        let members = members as usize;
        Self {
            inner,
            caller,
            size,
            rendezvous,
            cards: HeapList::with_capacity(members),
            slots: HeapList::with_capacity(members),
            last: HeapList::with_capacity(members),
            epoch: None,
            inner_epoch: 0,
        }
    }
}

impl<P, S: Storage> Subset<P, S> {
    /// The policy inside.
    #[must_use]
    pub const fn inner(&self) -> &P {
        &self.inner
    }

    /// The candidates that requests went to lately: the subset as far as it is ready.
    #[must_use]
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        if view.slots().len() > self.slots.capacity() {
            return Err(Refusal::PolicyTooSmall);
        }
        let (fleet, size) = (view.fleet(), self.size.max(1));
        self.cards.clear();
        let mut fits = true;
        let mut add = |key, slot| fits &= self.cards.push((key, slot)).is_ok();
        if self.rendezvous {
            for &slot in view.slots() {
                add(xxh3_64_seeded(&fleet.key(slot).to_le_bytes(), self.caller.into()), slot);
            }
        } else {
            for slot in (0..fleet.capacity()).filter(|slot| fleet.id(*slot).is_some()) {
                add(fleet.key(slot), slot);
            }
        }
        if !fits {
            return Err(Refusal::PolicyTooSmall);
        }
        self.slots.clear();
        // The slot decides between equal hashes, which are two names in 2³² members.
        self.cards.sort_unstable();
        let all = self.cards.len() as u64;
        let size = u64::from(size).min(all);
        // Of more than half the cards, those are dealt that a caller does not get, so that no hand is more than half.
        let rest = size * 2 > all && !self.rendezvous;
        let hand = if rest { all - size } else { size };
        let slots = &mut self.slots;
        if self.rendezvous {
            for (_, slot) in &self.cards[(all - hand) as usize..] {
                let _ = slots.push(*slot);
            }
        } else if hand > 0 {
            let mut table = Table { cards: &mut self.cards, all, hand };
            table.deal(self.caller, &mut self.last, |slot| {
                let _ = slots.push(slot);
            });
        }
        slots.sort_unstable();
        // The candidates that are, or are not, in the hand.
        self.last.clear();
        for slot in view.slots().iter().filter(|slot| slots.binary_search(slot).is_ok() != rest) {
            let _ = self.last.push(*slot);
        }
        let left = if self.last.is_empty() { view.slots() } else { &self.last };
        slots.clear();
        for slot in left {
            let _ = slots.push(*slot);
        }
        self.epoch = Some(view.epoch());
        self.inner_epoch = self.inner_epoch.wrapping_add(1);
        Ok(())
    }

    /// The subset as the candidates, or all of them before the first choice.
    fn narrow<'a, M: Storage, L: Storage>(&'a mut self, view: View<'a, M, L>) -> (&'a mut P, View<'a, M, L>) {
        let view = match self.epoch {
            Some(_) => view.narrow(&self.slots, self.inner_epoch),
            None => view,
        };
        (&mut self.inner, view)
    }
}

/// Where the decks are dealt: `all` cards each, `hand` to a caller, at most half of them.
struct Table<'a> {
    cards: &'a mut [Card],
    all: u64,
    hand: u64,
}

impl Table<'_> {
    /// Calls `take` with the cards of `caller`. `last` has room for them.
    fn deal(&mut self, caller: u32, last: &mut impl List<u32>, mut take: impl FnMut(u32)) {
        let first = u64::from(caller) * self.hand;
        let (deck, from) = (first / self.all, first % self.all);
        let here = self.hand.min(self.all - from);
        self.lay_out(deck, last);
        for (_, slot) in &self.cards[from as usize..(from + here) as usize] {
            take(*slot);
        }
        if here < self.hand {
            self.lay_out(deck + 1, last);
            for (_, slot) in &self.cards[..(self.hand - here) as usize] {
                take(*slot);
            }
        }
    }

    /// Puts the cards into the order of `deck`. A caller that gets the first of them on top of the last of the deck before
    /// shall not get one twice, so those are exchanged for others further back. The last cards stay where the shuffle
    /// left them: then a deck depends on the one before, but not on those before that.
    fn lay_out(&mut self, deck: u64, last: &mut impl List<u32>) {
        let dealt = deck * self.all;
        let first = (dealt.div_ceil(self.hand) * self.hand - dealt) as usize;
        last.clear();
        if first > 0 {
            self.shuffle(deck - 1);
            let begin = self.cards.len() - (self.hand as usize - first);
            for (_, slot) in &self.cards[begin..] {
                // No more than a hand: this cannot be refused.
                let _ = last.push(*slot);
            }
            last.sort_unstable();
        }
        self.shuffle(deck);
        let mut others = first..self.cards.len() - self.hand as usize;
        for at in 0..first {
            if last.binary_search(&self.cards[at].1).is_ok() {
                // With a hand of at most half the cards there are enough others.
                if let Some(other) = others.find(|other| last.binary_search(&self.cards[*other].1).is_err()) {
                    self.cards.swap(at, other);
                }
            }
        }
    }

    fn shuffle(&mut self, deck: u64) {
        self.cards.sort_unstable();
        SplitMix64::seed(deck).shuffle(self.cards);
    }
}

impl<P: Policy, S: Storage> Policy for Subset<P, S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        if view.slots().is_empty() {
            return Err(view.refusal());
        }
        if self.epoch != Some(view.epoch()) {
            self.rebuild(view)?;
        }
        let (inner, view) = self.narrow(view);
        inner.choose(now, view, request, rng)
    }

    fn started<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, slot: u32) {
        let (inner, view) = self.narrow(view);
        inner.started(now, view, slot);
    }

    fn ended<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, ended: &Ended) {
        let (inner, view) = self.narrow(view);
        inner.ended(now, view, ended);
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        report: &Report,
    ) {
        let (inner, view) = self.narrow(view);
        inner.reported(now, view, slot, report);
    }

    fn probe<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        rng: &mut impl Rng,
    ) -> Option<u32> {
        if !view.slots().is_empty() && self.epoch != Some(view.epoch()) {
            self.rebuild(view).ok()?;
        }
        let (inner, view) = self.narrow(view);
        inner.probe(now, view, rng)
    }
}

impl<P: fmt::Debug, S: Storage> fmt::Debug for Subset<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subset")
            .field("inner", &self.inner)
            .field("caller", &self.caller)
            .field("slots", &&*self.slots)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::fixture::{self, choose, member};
    use crate::balance::{Fleet, MemberId, RoundRobin};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec;
    use std::vec::Vec;

    type Many = Fleet<Inline<128>, Inline<1>>;
    type Part = Subset<RoundRobin, Inline<128>>;

    fn fleet(members: u32) -> (Many, Vec<MemberId>) {
        fixture::fleet((0..members.into()).map(member))
    }

    fn subset(mut policy: Part, fleet: &Many) -> BTreeSet<u32> {
        choose(&mut policy, fleet, &Request::new()).unwrap();
        let slots: BTreeSet<u32> = policy.slots().iter().copied().collect();
        assert_eq!(slots.len(), policy.slots().len());
        slots
    }

    proptest! {
        /// Q21, for every number of callers up to the last.
        #[test]
        fn every_member_serves_as_many_callers_or_one_more(members in 1u32..60, size in 1u32..60, callers in 1u32..40) {
            let (fleet, _) = fleet(members);
            let mut served = vec![0u32; members as usize];
            for caller in 0..callers {
                let slots = subset(Part::even(caller, size, RoundRobin::new()), &fleet);
                prop_assert_eq!(slots.len() as u32, size.min(members));
                for slot in slots {
                    served[slot as usize] += 1;
                }
                let spread = served.iter().max().unwrap() - served.iter().min().unwrap();
                prop_assert!(spread <= 1, "{served:?}");
            }
            if u64::from(callers) * u64::from(size.min(members)) % u64::from(members) == 0 {
                prop_assert!(served.iter().all(|count| *count == served[0]));
            }
        }

        #[test]
        fn rendezvous_replaces_only_the_one_that_went(members in 2u32..60, size in 1u32..20, gone in 0u32..60) {
            let gone = gone % members;
            let (mut fleet, ids) = fleet(members);
            for caller in 0..10 {
                let policy = || Part::rendezvous(caller, size, RoundRobin::new());
                let before = subset(policy(), &fleet);
                prop_assert_eq!(before.len() as u32, size.min(members));
                fleet.mark_down(ids[gone as usize]).unwrap();
                let after = subset(policy(), &fleet);
                let left: Vec<_> = before.difference(&after).copied().collect();
                prop_assert!(left.is_empty() || left == [gone]);
                prop_assert_eq!(left == [gone], before.contains(&gone));
                fleet.resume(ids[gone as usize]).unwrap();
                prop_assert_eq!(subset(policy(), &fleet), before);
            }
        }
    }

    #[test]
    fn the_order_in_which_members_came_does_not_matter() {
        let (one, _) = fleet(50);
        let (other, _): (Many, _) = fixture::fleet((0..50).rev().map(member));
        let part = |caller| Part::even(caller, 7, RoundRobin::new());
        let names = |fleet: &Many, slots: BTreeSet<u32>| -> BTreeSet<u64> {
            slots.into_iter().map(|slot| fleet.key(slot)).collect()
        };
        for caller in 0..40 {
            let (a, b) = (subset(part(caller), &one), subset(part(caller), &other));
            assert_eq!(names(&one, a), names(&other, b));
        }
    }

    #[test]
    fn one_that_is_down_moves_nobody() {
        let (mut fleet, ids) = fleet(12);
        let part = || Part::even(3, 4, RoundRobin::new());
        let all = subset(part(), &fleet);
        let first = *all.first().unwrap();
        fleet.mark_down(ids[first as usize]).unwrap();
        assert_eq!(subset(part(), &fleet), all.iter().copied().filter(|slot| *slot != first).collect());
        // With nobody left of the subset, everybody else is better than nobody.
        for slot in &all {
            fleet.mark_down(ids[*slot as usize]).unwrap();
        }
        assert_eq!(subset(part(), &fleet).len(), 8);
    }

    #[test]
    fn a_part_smaller_than_the_fleet_is_refused() {
        let (fleet, _) = fleet(3);
        let mut part = Subset::<RoundRobin, Inline<2>>::even(0, 1, RoundRobin::new());
        assert_eq!(choose(&mut part, &fleet, &Request::new()), Err(Refusal::PolicyTooSmall));
    }
}
