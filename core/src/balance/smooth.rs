//! Weighted turns in the order of nginx.

use super::among::{self, Entry};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::storage::{Inline, List, Storage};
use crate::{Instant, Rng};
use core::fmt;

/// Turns in proportion to weight, spread as evenly as nginx spreads them, in exactly its order.
///
/// Before each choice every member's standing rises by its weight; the highest standing (of equals the lowest slot)
/// is chosen and falls by the sum of all weights. Weights 5, 1, 1 give a, a, b, a, c, a, a. Over as many choices as
/// the weights add up to, each member gets exactly its weight.
///
/// A turn that falls on a member which the request avoids lapses. When members come, go or change weight, the others
/// keep their standing and a new one begins in the middle, so that nobody gets a burst however often it happens; a
/// member that is down or outside a subset for a while keeps its standing as well. Changes do not add up, not even those in
/// step with the turns.
///
/// *When not to use it:* with hundreds of different weights [`LowDiscrepancy`](super::LowDiscrepancy) is faster and
/// spreads better; where requests differ in cost, weights alone say too little: take a policy that looks at load.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, Pick, Refusal, Request, SmoothWeighted};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<4>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, SmoothWeighted::<Inline<4>>::new());
/// for (name, weight) in [("a", 5), ("b", 1), ("c", 1)] {
///     balancer.fleet_mut().insert(now, Member::new(name.as_bytes()).weight(weight))?;
/// }
/// let order = [(); 7].map(|()| match balancer.pick(now, &Request::new(), &mut rng) {
///     Pick::Member { member, .. } => ["a", "b", "c"][member.slot() as usize],
///     Pick::None { .. } => "nobody",
/// });
/// assert_eq!(order, ["a", "a", "b", "a", "c", "a", "a"]);
/// // Nobody is left to a request that avoids them all:
/// let none = balancer.pick(now, &Request::new().avoid(&[0, 1, 2]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(different weights) per choice, however many members share each; *O*(n log n) at the first choice after a change
/// of the candidates. 56 bytes per member.
///
/// # References
///
/// The order: nginx, `ngx_http_upstream_round_robin.c`. How far it can stray from the exact share: at most the
/// n-th harmonic number (Coppersmith, Nowicki, Paleologo, Tresser, Wu, *The optimality of the online greedy algorithm
/// in carpool and chairman assignment problems*, 2011); with weights as they occur less than 1.35.
pub struct SmoothWeighted<S: Storage> {
    /// The candidates, those of one weight together and there in the order of their turns; then those who wait
    /// outside.
    places: S::List<Place>,
    classes: S::List<Class>,
    /// The candidates' epoch that the classes are made for.
    epoch: Option<u32>,
    /// The sum of the candidates' weights, in units of standings.
    total: i64,
    /// What the candidates' standings add up to, which only lapsed turns change.
    drift: i128,
}

/// A member.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: u32,
    generation: u32,
    weight: u32,
    candidate: bool,
    /// In a class: how far it stands above the next in its class. The gaps around a class add up to the sum of all
    /// weights, since a chosen one goes to the end and stands that much lower; so they never change.
    /// Outside, and while classes are made: its standing in turns × 2⁻⁴⁸.
    gap: i64,
}

/// Members of one weight, none more than a round behind the first. Their standings rise together, so that their order is
/// fixed, and only the first of them can be the next.
#[derive(Clone, Copy, Debug)]
struct Class {
    /// The standing of the first.
    standing: i64,
    /// In units of standings.
    weight: i64,
    /// The slot of the first.
    slot: u32,
    /// Where the class begins and ends among the places, and where its first is.
    start: u32,
    end: u32,
    first: u32,
}

/// The standing of a place that has none yet.
const NEW: i64 = i64::MAX;
/// How many bits of a turn a standing outside the classes has.
const TURN: u32 = 48;
/// How far from the middle a standing may be when a round begins: two turns.
const LIMIT: i128 = 2 << TURN;
/// Standings are moved up when lapsed turns have brought one down here.
const FLOOR: i64 = -1 << 56;

impl Entry for Place {
    fn slot(&self) -> u32 {
        self.slot
    }
    fn generation(&self) -> u32 {
        self.generation
    }
    fn is_candidate(&self) -> bool {
        self.candidate
    }
    fn set_candidate(&mut self, candidate: bool) {
        self.candidate = candidate;
    }
}

impl<const N: usize> SmoothWeighted<Inline<N>> {
    /// For a fleet of up to `N` members.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: heapless::Vec::new(), classes: heapless::Vec::new(), epoch: None, total: 0, drift: 0 }
    }
}

impl<const N: usize> Default for SmoothWeighted<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl SmoothWeighted<crate::storage::Heap> {
    /// For a fleet of up to `members`, allocated now.
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        use crate::storage::HeapList;
        Self {
            places: HeapList::with_capacity(members as usize),
            classes: HeapList::with_capacity(members as usize),
            epoch: None,
            total: 0,
            drift: 0,
        }
    }
}

impl<S: Storage> SmoothWeighted<S> {
    /// Makes the classes for these candidates.
    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        if view.slots().len() > self.places.capacity() {
            return Err(Refusal::PolicyTooSmall);
        }
        self.lay_down();
        let fresh = |slot, generation| Place { slot, generation, weight: 0, candidate: true, gap: NEW };
        let len = among::enrol(&mut self.places, view, fresh)?;
        // All standings together are 0, wherever they wait; what somebody took along for good is shared by the others.
        let known = || self.places.iter().filter(|place| place.gap != NEW).map(|place| i128::from(place.gap));
        let middle = known().sum::<i128>().checked_div(known().count() as i128).unwrap_or(0) as i64;
        for place in &mut *self.places {
            place.gap = if place.gap == NEW { 0 } else { place.gap - middle };
        }
        let places = &mut self.places[..len];
        let mut total = 0u64;
        for place in &mut *places {
            place.weight = view.fleet().weight(place.slot).max(1);
            total += u64::from(place.weight);
        }
        // The fleet keeps the sum of the weights below 2³². Scaled to 47 or 48 bits it is fine enough for any standing,
        // however few the weights add up to: what is rounded off at a change is 2⁻⁴⁸ of a turn.
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        let scale = total.leading_zeros() + 16;
        self.total = i64::from(total) << scale;
        let total = self.total;
        for place in &mut *places {
            let standing = i128::from(place.gap) * i128::from(total) + (1 << (TURN - 1));
            place.gap = (standing >> TURN) as i64;
        }
        places.sort_unstable_by_key(|place| (core::cmp::Reverse(place.weight), -place.gap, place.slot));
        let mut start = 0;
        while let Some(&head) = places.get(start) {
            // One that is more than a round behind the first of its weight is in a class of its own.
            let fits = |place: &Place| place.weight == head.weight && head.gap - place.gap <= total;
            let len = places[start..].iter().take_while(|place| fits(place)).count();
            let class = &mut places[start..start + len];
            for at in 0..len {
                let below = class.get(at + 1).map_or(head.gap - total, |next| next.gap);
                class[at].gap -= below;
            }
            // No more classes than places: this cannot be refused.
            let _ = self.classes.push(Class {
                standing: head.gap,
                weight: i64::from(head.weight) << scale,
                slot: head.slot,
                start: start as u32,
                end: (start + len) as u32,
                first: start as u32,
            });
            start += len;
        }
        self.epoch = Some(view.epoch());
        Ok(())
    }

    /// Takes the classes apart: each place knows its own standing, without what lapsed turns did to all.
    fn lay_down(&mut self) {
        let mut len = 0;
        for class in &*self.classes {
            let places = &mut self.places[class.start as usize..class.end as usize];
            places.rotate_left((class.first - class.start) as usize);
            let mut standing = class.standing;
            for place in places {
                len += 1;
                standing -= core::mem::replace(&mut place.gap, standing);
            }
        }
        self.classes.clear();
        self.epoch = None;
        let middle = core::mem::take(&mut self.drift).checked_div(len).unwrap_or(0);
        for place in &mut self.places[..len as usize] {
            let bits = ((i128::from(place.gap) - middle) << TURN) / i128::from(self.total.max(1));
            place.gap = bits.clamp(-LIMIT, LIMIT) as i64;
        }
    }

    /// The class whose first stands highest.
    fn highest(&self) -> Option<usize> {
        let mut best: Option<(usize, &Class)> = None;
        for (at, class) in self.classes.iter().enumerate() {
            if best.is_none_or(|(_, best)| class.is_before(best)) {
                best = Some((at, class));
            }
        }
        best.map(|(at, _)| at)
    }

    /// The first of the class has had its turn.
    fn served(&mut self, at: usize) {
        let class = &mut self.classes[at];
        class.standing -= self.places[class.first as usize].gap;
        class.first += 1;
        if class.first == class.end {
            class.first = class.start;
        }
        class.slot = self.places[class.first as usize].slot;
        if class.standing < FLOOR {
            for class in &mut *self.classes {
                class.standing -= FLOOR;
                self.drift -= i128::from(FLOOR) * i128::from(class.end - class.start);
            }
        }
    }
}

impl Class {
    fn is_before(&self, other: &Self) -> bool {
        self.standing > other.standing || self.standing == other.standing && self.slot < other.slot
    }
}

impl<S: Storage> Policy for SmoothWeighted<S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        _rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        if let Some(slot) = among::only(view, request) {
            return Ok(Choice { slot, why: Why::Only });
        }
        if !among::any_left(view, request) {
            return Err(view.refusal());
        }
        if self.epoch != Some(view.epoch()) {
            self.rebuild(view)?;
        }
        let mut best = 0;
        let mut highest = Class { standing: i64::MIN, weight: 0, slot: u32::MAX, start: 0, end: 0, first: 0 };
        for (at, class) in self.classes.iter_mut().enumerate() {
            class.standing += class.weight;
            if class.is_before(&highest) {
                (best, highest) = (at, *class);
            }
        }
        // Every lapse brings an avoided one down by a round, below one that is not avoided.
        while request.avoids(self.classes[best].slot) {
            self.served(best);
            self.drift -= i128::from(self.total);
            best = self.highest().ok_or_else(|| view.refusal())?;
        }
        let slot = self.classes[best].slot;
        self.served(best);
        Ok(Choice { slot, why: Why::Turn })
    }
}

impl<S: Storage> fmt::Debug for SmoothWeighted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmoothWeighted")
            .field("classes", &&*self.classes)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::fixture::{
        choose, farthest_from_its_share, refuses_what_does_not_fit_or_is_not_there,
        stays_with_its_share_through_5_000_changes, turns_after_it_was_avoided, two_groups_by_turns,
        weighing,
    };
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// The rule as nginx states it, over all members one by one.
    struct Nginx {
        weights: Vec<i64>,
        standings: Vec<i64>,
    }

    impl Nginx {
        fn new(weights: &[u32]) -> Self {
            let weights: Vec<_> = weights.iter().map(|weight| i64::from(*weight)).collect();
            Self { standings: vec![0; weights.len()], weights }
        }

        fn next(&mut self) -> u32 {
            let mut best = 0;
            for at in 0..self.weights.len() {
                self.standings[at] += self.weights[at];
                if self.standings[at] > self.standings[best] {
                    best = at;
                }
            }
            self.standings[best] -= self.weights.iter().sum::<i64>();
            best as u32
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_nginx(weights in prop::collection::vec(1u32..9, 2..64), heavy in 1u32..1000) {
            let mut weights = weights;
            weights[0] *= heavy;
            let fleet = weighing(&weights);
            let (mut policy, mut nginx) = (SmoothWeighted::<Inline<64>>::new(), Nginx::new(&weights));
            let period: u32 = weights.iter().sum();
            let mut counts = vec![0u32; weights.len()];
            for _ in 0..2 * period {
                let slot = choose(&mut policy, &fleet, &Request::new());
                prop_assert_eq!(slot, Ok(nginx.next()));
                counts[slot.unwrap() as usize] += 1;
            }
            prop_assert!(counts.iter().zip(&weights).all(|(count, weight)| *count == 2 * weight));
        }

        /// Whatever changes, and however often, everyone's share of what follows is right to a few turns.
        #[test]
        fn changes_cost_nobody_more_than_a_few_turns(
            weights in prop::collection::vec(1u32..9, 3..12), rounds in 1u32..40, stretch in 1u32..20,
        ) {
            let policy = SmoothWeighted::<Inline<64>>::new();
            let (farthest, turn) = farthest_from_its_share(policy, &weights, rounds, stretch, false);
            prop_assert!(farthest < 2 * turn, "{farthest} of {turn}");
        }

        #[test]
        fn an_avoided_turn_lapses(weights in prop::collection::vec(1u32..50, 2..12), avoid in 0u32..12) {
            let avoid = avoid % weights.len() as u32;
            let count = turns_after_it_was_avoided(SmoothWeighted::<Inline<64>>::new(), &weights, avoid, 100);
            // It has not saved up turns: a period gives it its share and one more at most.
            prop_assert!(count <= weights[avoid as usize] + 1, "{count}");
        }
    }

    #[test]
    fn changes_in_step_with_the_turns_do_not_add_up() {
        stays_with_its_share_through_5_000_changes(SmoothWeighted::<Inline<64>>::new);
    }

    #[test]
    fn two_groups_of_candidates_by_turns_take_nobody_s_turn() {
        let counts = two_groups_by_turns(SmoothWeighted::<Inline<64>>::new());
        assert_eq!(counts, [150, 50, 50, 100, 100, 50]);
    }

    #[test]
    fn what_does_not_fit_or_is_not_there_is_refused() {
        refuses_what_does_not_fit_or_is_not_there(SmoothWeighted::<Inline<2>>::new());
    }

    #[test]
    fn lapsed_turns_never_overflow() {
        let fleet = weighing(&[1 << 31, 1 << 30]);
        let mut policy = SmoothWeighted::<Inline<64>>::new();
        assert_eq!(choose(&mut policy, &fleet, &Request::new()), Ok(0));
        for class in &mut policy.classes {
            class.standing += FLOOR + (1 << 49);
        }
        for _ in 0..1_000 {
            assert_eq!(choose(&mut policy, &fleet, &Request::new().avoid(&[0])), Ok(1));
        }
        assert!(policy.classes.iter().all(|class| class.standing > FLOOR));
        let counts = (0..300).filter(|_| choose(&mut policy, &fleet, &Request::new()) == Ok(0)).count();
        assert!((198..=202).contains(&counts), "{counts}");
    }
}
