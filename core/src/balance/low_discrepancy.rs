//! Weighted turns, never a whole turn from the exact share.

use super::among::{self, Entry};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::heap::{Order, sift_down, sift_up};
use crate::storage::{Inline, List, Storage};
use crate::{Instant, Rng};
use core::fmt;

/// Turns in proportion to weight that never stray from it by a whole turn: Tijdeman's chairman assignment.
///
/// After any number of choices, each of `n` members has had its exact share so far, ± at most 1 − 1/(2n − 2). No order
/// can promise less. Of the members that another turn would not bring above the bound, the one is chosen that would
/// fall below it first without (of equals, the lowest slot). Over as many choices as the weights add up to, each member
/// gets exactly its weight.
///
/// The bound holds from the first choice and until members come, go or change weight. From then on everyone keeps what
/// it is ahead or behind, less than a turn, and a new member begins with nothing, so that nobody gets a burst however
/// often it happens. Changes do not add up, not even those in step with the turns. A member that a request avoids when
/// it would be its turn keeps that turn, but never more than one.
///
/// *When not to use it:* with few different weights [`SmoothWeighted`](super::SmoothWeighted) takes less memory and is
/// as fast; where requests differ in cost, weights alone say too little: take a policy that looks at load.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, LowDiscrepancy, Member, Pick, Refusal, Request};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<4>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, LowDiscrepancy::<Inline<4>>::new());
/// for (name, weight) in [("a", 5), ("b", 1), ("c", 1)] {
///     balancer.fleet_mut().insert(now, Member::new(name.as_bytes()).weight(weight))?;
/// }
/// let order = [(); 7].map(|()| match balancer.pick(now, &Request::new(), &mut rng) {
///     Pick::Member { member, .. } => ["a", "b", "c"][member.slot() as usize],
///     Pick::None { .. } => "nobody",
/// });
/// assert_eq!(order, ["a", "a", "b", "a", "a", "c", "a"]);
/// // Nobody is left to a request that avoids them all:
/// let none = balancer.pick(now, &Request::new().avoid(&[0, 1, 2]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(log n) per choice, amortised: every turn is released once and chosen once. *O*(n) where the next in turn is
/// avoided, *O*(n log n) at the first choice after a change of the candidates. 72 bytes per member; up to 2²⁴ members.
///
/// # References
///
/// Tijdeman, *The chairman assignment problem*, Discrete Mathematics 32, 1980. Earliest deadline first meets every set
/// of unit jobs with whole release times and deadlines that can be met.
pub struct LowDiscrepancy<S: Storage> {
    /// The candidates, ascending by slot, then those who wait outside.
    seats: S::List<Seat>,
    /// Whose next turn may come: (the last choice at which it must have come, which seat), packed.
    open: S::List<u64>,
    /// Whose next turn may not come yet: (the first choice at which it may, which seat), packed.
    early: S::List<u64>,
    /// The candidates' epoch that the heaps are made for.
    epoch: Option<u32>,
    /// Which choice is next.
    turn: u64,
    /// 2n − 2 for the `n` candidates of that epoch.
    span: u64,
}

/// A member. Its turns come every `step` choices, each within a window that opens at `opens` and closes before the next
/// one opens. Times are whole choices and a rest in units of 1 / (weight × span), and finer: see [`Seat::sit_down`].
#[derive(Clone, Copy, Debug)]
struct Seat {
    slot: u32,
    generation: u32,
    candidate: bool,
    /// A request avoided it since its last turn.
    avoided: bool,
    /// The sum of the weights ÷ its own, rounded down.
    step: u32,
    /// How much of `step` the window takes.
    window: u32,
    step_rest: u64,
    window_rest: u64,
    /// weight × (2n − 2), scaled.
    unit: u64,
    /// When its next turn may come. Outside: what it is owed, in turns × 2⁻³².
    opens: u64,
    opens_rest: u64,
}

/// How many turns a member is owed, or owes, at most: what a change of the candidates finds is about 2.
const MOST: i128 = 4;
/// How many bits name the seat in an entry of a heap; the others are the time.
const SEAT: u32 = 24;
/// Turns are counted from here, so that one may have come due before the first.
const FIRST: u64 = 1 << 34;
/// Turns are counted down by [`FIRST`] less than this when they reach it: times stay below 2⁴⁰.
const LAST: u64 = 1 << 39;

/// Earliest first.
struct Earliest;

impl Order<u64> for Earliest {
    fn before(&self, a: &u64, b: &u64) -> bool {
        a < b
    }
}

impl Entry for Seat {
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

impl Seat {
    /// The first choice at which its next turn may come.
    const fn earliest(&self) -> u64 {
        self.opens + (self.opens_rest > 0) as u64
    }

    /// The last choice at which its next turn must have come.
    const fn latest(&self) -> u64 {
        let carry = self.opens_rest >= self.unit - self.window_rest;
        self.opens + self.window as u64 + carry as u64 + 1
    }

    /// It has its turn at choice `turn`: the next one opens a step later.
    fn advance(&mut self, turn: u64) {
        let carry = self.opens_rest >= self.unit - self.step_rest;
        self.opens += self.step as u64 + carry as u64;
        self.opens_rest = match carry {
            true => self.opens_rest - (self.unit - self.step_rest),
            false => self.opens_rest + self.step_rest,
        };
        // Only a turn that came too late, as the member was avoided, moves those after it.
        if core::mem::take(&mut self.avoided) && self.opens + 1 < turn {
            self.opens = turn - 1;
        }
    }

    /// What it is owed before choice `turn`, in turns × 2⁻³²: negative if it is ahead.
    fn owed(&self, turn: u64, span: u64) -> i64 {
        let unit = i128::from(self.unit);
        // A step is the sum of the weights × span, and a window opens when another turn would be just on the bound:
        // when 1 / span of a turn is owed.
        let step = i128::from(self.step) * unit + i128::from(self.step_rest);
        let off = (i128::from(self.opens) - i128::from(turn) + 1) * unit + i128::from(self.opens_rest);
        let owed = step / i128::from(span.max(1)) - off;
        // The nearest; a step is below 2^62.
        let most = step * MOST;
        let bits = ((owed.clamp(-most, most) << 33) / step.max(1) + 1) >> 1;
        bits as i64
    }

    /// Takes a place among candidates whose weights add up to `total`, with what it is owed before choice `turn`.
    ///
    /// However few the weights add up to, a step is from 2⁶¹ to 2⁶² units, so that what is owed is rounded by next to
    /// nothing: with units of 1 / (weight × span), it would be by a quarter of a turn where two members of weight 1 are left.
    fn sit_down(&mut self, weight: u64, total: u64, span: u64, turn: u64) {
        let scale = (total * span).leading_zeros() - 2;
        self.unit = (weight * span) << scale;
        self.step = (total / weight) as u32;
        self.step_rest = (total % weight * span) << scale;
        let window = (total * (span - 2)) << scale;
        self.window = (window / self.unit) as u32;
        self.window_rest = window % self.unit;
        let step = i128::from((total * span) << scale);
        let off = i128::from(total << scale) - ((i128::from(self.opens as i64) * step + (1 << 31)) >> 32);
        let unit = i128::from(self.unit);
        self.opens = (i128::from(turn) - 1 + off.div_euclid(unit)) as u64;
        self.opens_rest = off.rem_euclid(unit) as u64;
    }
}

impl<const N: usize> LowDiscrepancy<Inline<N>> {
    /// For a fleet of up to `N` members.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N < 1 << SEAT, "seats are numbered in 24 bits") };
        Self {
            seats: heapless::Vec::new(),
            open: heapless::Vec::new(),
            early: heapless::Vec::new(),
            epoch: None,
            turn: FIRST,
            span: 0,
        }
    }
}

impl<const N: usize> Default for LowDiscrepancy<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl LowDiscrepancy<crate::storage::Heap> {
    /// For a fleet of up to `members` and at most 2²⁴ − 1, allocated now.
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        use crate::storage::HeapList;
        let members = members.min((1 << SEAT) - 1) as usize;
        Self {
            seats: HeapList::with_capacity(members),
            open: HeapList::with_capacity(members),
            early: HeapList::with_capacity(members),
            epoch: None,
            turn: FIRST,
            span: 0,
        }
    }
}

impl<S: Storage> LowDiscrepancy<S> {
    /// Makes the heaps for these candidates, of which there are at least two.
    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        let fleet = view.fleet();
        if view.slots().len() > self.seats.capacity() {
            return Err(Refusal::PolicyTooSmall);
        }
        if self.epoch.take().is_some() {
            for seat in self.seats.iter_mut().filter(|seat| seat.candidate) {
                seat.opens = seat.owed(self.turn, self.span) as u64;
            }
        }
        self.open.clear();
        self.early.clear();
        let fresh = |slot, generation| Seat {
            slot,
            generation,
            candidate: true,
            avoided: false,
            step: 0,
            window: 0,
            step_rest: 0,
            window_rest: 0,
            unit: 1,
            opens: 0,
            opens_rest: 0,
        };
        let len = among::enrol(&mut self.seats, view, fresh)?;
        // The fleet keeps the sum of the weights below 2³².
        let total: u64 = view.slots().iter().map(|slot| u64::from(fleet.weight(*slot).max(1))).sum();
        let total = total.min(u64::from(u32::MAX));
        self.span = 2 * len as u64 - 2;
        self.turn = FIRST + 1;
        for seat in &mut self.seats[..len] {
            let weight = u64::from(fleet.weight(seat.slot).max(1));
            seat.sit_down(weight, total, self.span, self.turn);
        }
        for at in 0..len {
            // As many places as seats: this cannot be refused.
            let _ = self.early.push(self.seats[at].earliest() << SEAT | at as u64);
            sift_up(&mut self.early, at, &mut Earliest);
        }
        self.epoch = Some(view.epoch());
        Ok(())
    }

    /// Moves the turns that may come now to where they are chosen from.
    fn release(&mut self) {
        while let Some(&entry) = self.early.first() {
            if entry >> SEAT > self.turn {
                break;
            }
            pop(&mut self.early, 0);
            self.admit(entry);
        }
    }

    fn admit(&mut self, entry: u64) {
        let at = entry & ((1 << SEAT) - 1);
        let entry = self.seats[at as usize].latest() << SEAT | at;
        let _ = self.open.push(entry);
        let last = self.open.len() - 1;
        sift_up(&mut self.open, last, &mut Earliest);
    }

    /// The seat in `entry`, which is in no heap now, has its turn.
    fn serve(&mut self, entry: u64) -> u32 {
        let at = entry & ((1 << SEAT) - 1);
        let seat = &mut self.seats[at as usize];
        seat.advance(self.turn);
        let slot = seat.slot;
        let _ = self.early.push(seat.earliest() << SEAT | at);
        let last = self.early.len() - 1;
        sift_up(&mut self.early, last, &mut Earliest);
        self.turn += 1;
        if self.turn >= LAST {
            self.count_down();
        }
        slot
    }

    /// Subtracts the same from every time.
    fn count_down(&mut self) {
        let by = LAST - FIRST;
        self.turn -= by;
        for seat in self.seats.iter_mut().filter(|seat| seat.candidate) {
            seat.opens = seat.opens.saturating_sub(by);
        }
        for entry in self.open.iter_mut().chain(&mut *self.early) {
            *entry = entry.saturating_sub(by << SEAT);
        }
    }

    /// Remembers who is avoided: of the turns that it misses it keeps one.
    fn note_avoided(&mut self, request: &Request<'_>) {
        if !request.avoids_any() {
            return;
        }
        // Every candidate is in one of the heaps.
        let candidates = self.open.len() + self.early.len();
        let seats = &mut self.seats[..candidates];
        for slot in request.all_avoided() {
            if let Ok(at) = seats.binary_search_by_key(&slot, Entry::slot) {
                seats[at].avoided = true;
            }
        }
    }

    /// The first of a heap that `request` does not avoid.
    fn first_of(&self, heap: &[u64], request: &Request<'_>) -> Option<usize> {
        if !request.avoids_any() {
            return (!heap.is_empty()).then_some(0);
        }
        let slot = |entry: u64| self.seats[(entry & ((1 << SEAT) - 1)) as usize].slot;
        let left = heap.iter().enumerate().filter(|(_, entry)| !request.avoids(slot(**entry)));
        left.min_by_key(|(_, entry)| **entry).map(|(at, _)| at)
    }
}

/// Takes the entry at `at` out of a heap.
fn pop(heap: &mut impl List<u64>, at: usize) -> Option<u64> {
    let entry = heap.swap_remove(at)?;
    if at < heap.len() {
        sift_down(heap, at, &mut Earliest);
        sift_up(heap, at, &mut Earliest);
    }
    Some(entry)
}

impl<S: Storage> Policy for LowDiscrepancy<S> {
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
        self.release();
        self.note_avoided(request);
        let entry = match self.first_of(&self.open, request) {
            Some(at) => pop(&mut self.open, at),
            None => {
                let entry = self.first_of(&self.early, request).and_then(|at| pop(&mut self.early, at));
                // After a change of the members all of them may be ahead: the first then comes early. But where the open
                // turns are all avoided, the choices until the next one opens lapse, so that nobody saves them up.
                if !self.open.is_empty() {
                    self.turn = self.turn.max(entry.map_or(0, |entry| entry >> SEAT));
                }
                entry
            }
        };
        let entry = entry.ok_or_else(|| view.refusal())?;
        let slot = self.serve(entry);
        Ok(Choice { slot, why: Why::Turn })
    }
}

impl<S: Storage> fmt::Debug for LowDiscrepancy<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LowDiscrepancy")
            .field("seats", &&*self.seats)
            .field("turn", &self.turn)
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

    /// Makes `turns` choices and checks Tijdeman's bound in whole numbers after each of them.
    fn keeps_the_bound(weights: &[u32], turns: u64) -> Result<(), std::string::String> {
        let fleet = weighing(weights);
        let mut policy = LowDiscrepancy::<Inline<64>>::new();
        let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        let span = 2 * weights.len() as i128 - 2;
        let mut counts = vec![0i128; weights.len()];
        for turn in 1..=i128::from(turns) {
            let slot = choose(&mut policy, &fleet, &Request::new()).map_err(|why| std::format!("{why}"))?;
            counts[slot as usize] += 1;
            for (count, weight) in counts.iter().zip(weights) {
                let stray = (count * total - turn * i128::from(*weight)).abs();
                if stray * span > (span - 1) * total {
                    return Err(std::format!("{weights:?} after {turn}: {counts:?}"));
                }
            }
            if turn % total == 0 {
                let exact = weights.iter().map(|weight| i128::from(*weight) * turn / total);
                assert!(counts.iter().copied().eq(exact), "{counts:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_bound_holds_for_all_small_weights() {
        let mut weights = [1u32; 4];
        for case in 0..9u32.pow(4) {
            for (nth, weight) in weights.iter_mut().enumerate() {
                *weight = case / 9u32.pow(nth as u32) % 9 + 1;
            }
            for len in 2..=4 {
                // Shorter lists once each: those in which the rest is at its least.
                if weights[len..].iter().all(|weight| *weight == 1) {
                    let weights = &weights[..len];
                    keeps_the_bound(weights, 2 * u64::from(weights.iter().sum::<u32>())).unwrap();
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_bound_holds_for_any_weights(
            weights in prop::collection::vec(prop_oneof![1u32..20, 1u32..3_000, 1u32..60_000_000], 2..40),
        ) {
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            if let Err(stray) = keeps_the_bound(&weights, (2 * total).min(1_500)) {
                return Err(TestCaseError::fail(stray));
            }
        }

        #[test]
        fn the_bound_holds_for_the_extremes(lights in 1usize..20, light in 1u32..3) {
            let mut weights = vec![light; lights];
            weights.push(u32::MAX - light * lights as u32);
            if let Err(stray) = keeps_the_bound(&weights, 500) {
                return Err(TestCaseError::fail(stray));
            }
        }

        /// Whatever changes, and however often, everyone's share of what follows is right to a few turns.
        #[test]
        fn changes_cost_nobody_more_than_a_few_turns(
            weights in prop::collection::vec(1u32..9, 3..12), rounds in 1u32..40, stretch in 1u32..20, goes: bool,
        ) {
            let policy = LowDiscrepancy::<Inline<64>>::new();
            let (farthest, turn) = farthest_from_its_share(policy, &weights, rounds, stretch, goes);
            let allowed = if goes { 2 + i64::from(rounds) } else { 2 };
            prop_assert!(farthest < allowed * turn, "{farthest} of {turn}");
        }

        #[test]
        fn an_avoided_member_keeps_one_turn_at_most(
            weights in prop::collection::vec(1u32..50, 2..12), avoid in 0u32..12,
        ) {
            let avoid = avoid % weights.len() as u32;
            let count = turns_after_it_was_avoided(LowDiscrepancy::<Inline<64>>::new(), &weights, avoid, 20);
            prop_assert!(count <= weights[avoid as usize] + 2, "{count}");
        }
    }

    #[test]
    fn changes_in_step_with_the_turns_do_not_add_up() {
        stays_with_its_share_through_5_000_changes(LowDiscrepancy::<Inline<64>>::new);
    }

    /// What slow start takes out of a choice is named in another list than what the caller avoids.
    #[test]
    fn who_is_thinned_out_is_not_chosen_either() {
        let fleet = weighing(&[5, 1, 1]);
        let mut policy = LowDiscrepancy::<Inline<64>>::new();
        for _ in 0..50 {
            assert_ne!(choose(&mut policy, &fleet, &Request::new().thin(&[0])), Ok(0));
        }
    }

    #[test]
    fn two_groups_of_candidates_by_turns_take_nobody_s_turn() {
        let counts = two_groups_by_turns(LowDiscrepancy::<Inline<64>>::new());
        for (count, exact) in counts.iter().zip([150, 50, 50, 100, 100, 50]) {
            assert!((count - exact).abs() <= 1, "{counts:?}");
        }
    }

    #[test]
    fn counting_down_changes_nothing() {
        let fleet = weighing(&[7, 3, 2, 100]);
        let (mut policy, mut late) =
            (LowDiscrepancy::<Inline<64>>::new(), LowDiscrepancy::<Inline<64>>::new());
        assert_eq!(choose(&mut policy, &fleet, &Request::new()), choose(&mut late, &fleet, &Request::new()));
        let by = LAST - FIRST - 50;
        late.turn += by;
        for seat in &mut late.seats {
            seat.opens += by;
        }
        for entry in late.open.iter_mut().chain(&mut late.early) {
            *entry += by << SEAT;
        }
        for _ in 0..200 {
            assert_eq!(
                choose(&mut policy, &fleet, &Request::new()),
                choose(&mut late, &fleet, &Request::new())
            );
        }
        assert!(late.turn < policy.turn && policy.turn < LAST);
    }

    #[test]
    fn what_does_not_fit_or_is_not_there_is_refused() {
        refuses_what_does_not_fit_or_is_not_there(LowDiscrepancy::<Inline<2>>::new());
    }
}
