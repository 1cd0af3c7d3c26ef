//! To whoever is idle.

use super::among;
use super::outcome::{Ended, Report};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::storage::{Inline, List, Storage};
use crate::{Instant, Rng};
use core::fmt;

/// To the member that has been idle longest; while nobody is idle, to one by chance.
///
/// A member joins the queue of the idle when its last call ends or when it reports that it holds none, and once when
/// it becomes a candidate without load. Choosing looks at nobody else: no scan, no probe on the way of a request. One
/// that is no longer idle when its place comes up loses it and joins again when it is.
///
/// *When not to use it:* near saturation, where nobody is idle and all is chance (power of two choices does better from
/// a load of about 0.95 on), or where a call in flight says little about load. Weights count for nothing.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, JoinIdleQueue, Member, Pick, Refusal, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<4>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, JoinIdleQueue::<Inline<4>>::new());
/// let none = balancer.pick(now, &Request::new(), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Empty });
///
/// for name in [b"a", b"b"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// let why = [(); 3].map(|()| match balancer.pick(now, &Request::new(), &mut rng) {
///     Pick::Member { why, .. } => Some(why),
///     Pick::None { .. } => None,
/// });
/// // Both were idle, each for one request:
/// assert_eq!(why, [Some(Why::Idle), Some(Why::Idle), Some(Why::Chance)]);
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) amortised while all members are candidates. Otherwise *O*(log n) for each member that is idle, no candidate
/// and ahead of the chosen one, and *O*(n) at the first choice after a change of the candidates. 8 bytes per member.
///
/// # References
///
/// Lu, Xie, Kliot, Geller, Larus, Greenberg, *Join-Idle-Queue: a novel load balancing algorithm for dynamically scalable
/// web services*, Performance Evaluation 68(11), 2011. Its limits near saturation: Mitzenmacher, arXiv 1606.01833.
pub struct JoinIdleQueue<S: Storage> {
    /// For each slot, its neighbours in the queue.
    links: S::List<Link>,
    /// Who has been idle longest and shortest, or [`NONE`].
    oldest: u32,
    newest: u32,
    epoch: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    /// [`NONE`] at the oldest, [`OUT`] outside the queue.
    older: u32,
    newer: u32,
}

const NONE: u32 = u32::MAX;
const OUT: u32 = u32::MAX - 1;

impl<const N: usize> JoinIdleQueue<Inline<N>> {
    /// For a fleet of up to `N` members.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N < OUT as usize, "slots are numbered in 32 bits") };
        Self { links: heapless::Vec::new(), oldest: NONE, newest: NONE, epoch: None }
    }
}

impl<const N: usize> Default for JoinIdleQueue<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl JoinIdleQueue<crate::storage::Heap> {
    /// For a fleet of up to `members`, allocated now.
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        let links = crate::storage::HeapList::with_capacity(members.min(OUT) as usize);
        Self { links, oldest: NONE, newest: NONE, epoch: None }
    }
}

impl<S: Storage> JoinIdleQueue<S> {
    fn link(&self, slot: u32) -> Option<Link> {
        self.links.get(slot as usize).copied().filter(|link| link.older != OUT)
    }

    /// Puts `slot` last, unless it is in the queue or beyond the capacity.
    fn join(&mut self, slot: u32) {
        while self.links.len() <= slot as usize {
            if self.links.push(Link { older: OUT, newer: NONE }).is_err() {
                return;
            }
        }
        if self.links[slot as usize].older != OUT {
            return;
        }
        self.links[slot as usize] = Link { older: self.newest, newer: NONE };
        match self.links.get_mut(self.newest as usize) {
            Some(newest) => newest.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    fn leave(&mut self, slot: u32) {
        let Some(Link { older, newer }) = self.link(slot) else { return };
        self.links[slot as usize].older = OUT;
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => self.oldest = newer,
        }
        match self.links.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => self.newest = older,
        }
    }

    /// Lets the candidates that have no load join: some may be new.
    fn admit<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        if view.slots().last().is_some_and(|last| *last as usize >= self.links.capacity()) {
            return Err(Refusal::PolicyTooSmall);
        }
        for &slot in view.slots() {
            if view.fleet().load(slot) == 0 {
                self.join(slot);
            }
        }
        self.epoch = Some(view.epoch());
        Ok(())
    }

    /// The one that has been idle longest among those that may have the request.
    fn idle<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, request: &Request<'_>) -> Option<u32> {
        let mut slot = self.oldest;
        while let Some(link) = self.link(slot) {
            if view.fleet().load(slot) > 0 {
                self.leave(slot);
            } else if among::contains(view.slots(), slot) && !request.avoids(slot) {
                return Some(slot);
            } else if view.fleet().id(slot).is_none() {
                self.leave(slot);
            }
            slot = link.newer;
        }
        None
    }
}

impl<S: Storage> Policy for JoinIdleQueue<S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        if self.epoch != Some(view.epoch()) {
            self.admit(view)?;
        }
        match self.idle(view, request) {
            Some(slot) => {
                self.leave(slot);
                // Last again at once, in case the choice comes to nothing; if it does not, its load takes it out.
                self.join(slot);
                Ok(Choice { slot, why: Why::Idle })
            }
            None => among::chance(view, request, rng).map(|(slot, why)| Choice { slot, why }),
        }
    }

    fn started<M: Storage, L: Storage>(&mut self, _now: Instant, _view: View<'_, M, L>, slot: u32) {
        self.leave(slot);
    }

    fn ended<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, ended: &Ended) {
        if view.fleet().load(ended.slot) == 0 {
            self.join(ended.slot);
        }
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        _report: &Report,
    ) {
        match view.fleet().load(slot) {
            0 => self.join(slot),
            _ => self.leave(slot),
        }
    }
}

impl<S: Storage> fmt::Debug for JoinIdleQueue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinIdleQueue").field("oldest", &self.oldest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Balancer, Fleet, Member, Outcome, Pick};
    use crate::rng::Xoshiro256PlusPlus;
    use core::time::Duration;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec;
    use std::vec::Vec;

    #[derive(Clone, Debug)]
    enum Step {
        Pick(Vec<u32>),
        Complete(usize),
        Down(u32),
        Up(u32),
        Wait,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop::collection::vec(0u32..6, 0..3).prop_map(Step::Pick),
            4 => (0usize..8).prop_map(Step::Complete),
            1 => (0u32..6).prop_map(Step::Down),
            1 => (0u32..6).prop_map(Step::Up),
            1 => Just(Step::Wait),
        ]
    }

    proptest! {
        /// Against a plain queue that is searched from the front.
        #[test]
        fn the_longest_idle_is_chosen(steps in prop::collection::vec(step(), 0..200), seed: u64) {
            let mut rng = Xoshiro256PlusPlus::seed(seed);
            let mut now = Instant::ZERO;
            let fleet = Fleet::<Inline<6>, Inline<16>>::new(Duration::from_secs(1));
            let mut balancer = Balancer::new(fleet, JoinIdleQueue::<Inline<6>>::new());
            let ids: Vec<_> = (0..6u8)
                .map(|name| balancer.fleet_mut().insert(now, Member::new(&[name])).unwrap())
                .collect();
            // The first choice makes them all known.
            let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
            balancer.complete(now, lease, Outcome::Ignored).unwrap();
            let mut idle = VecDeque::from([1, 2, 3, 4, 5, 0]);
            let (mut loads, mut calls) = ([0; 6], VecDeque::new());
            for step in steps {
                match step {
                    Step::Pick(avoid) => {
                        let ready = balancer.fleet().ready().to_vec();
                        let may = |slot: u32| ready.contains(&slot) && !avoid.contains(&slot);
                        let expected = idle.iter().copied().find(|slot| may(*slot));
                        match balancer.pick(now, &Request::new().avoid(&avoid), &mut rng) {
                            Pick::Member { member, lease, why } => {
                                let slot = member.slot();
                                prop_assert!(may(slot));
                                match expected {
                                    Some(first) => prop_assert_eq!((slot, why), (first, Why::Idle)),
                                    None => prop_assert!(matches!(why, Why::Chance | Why::Only)),
                                }
                                idle.retain(|other| *other != slot);
                                loads[slot as usize] += 1;
                                calls.push_back((slot, lease));
                            }
                            Pick::None { why: Refusal::TooManyCalls, .. } => prop_assert_eq!(calls.len(), 16),
                            Pick::None { .. } => prop_assert!(!(0..6).any(may)),
                        }
                    }
                    Step::Complete(nth) if nth < calls.len() => {
                        let (slot, lease) = calls.remove(nth).unwrap();
                        prop_assert!(balancer.complete(now, lease, Outcome::Success).is_ok());
                        loads[slot as usize] -= 1;
                        if loads[slot as usize] == 0 {
                            idle.push_back(slot);
                        }
                    }
                    Step::Complete(_) => {}
                    Step::Down(slot) => {
                        balancer.fleet_mut().mark_down(ids[slot as usize]).unwrap();
                    }
                    Step::Up(slot) => {
                        balancer.fleet_mut().resume(ids[slot as usize]).unwrap();
                    }
                    Step::Wait => {
                        // Every lease runs out, the oldest first.
                        now = now.saturating_add(Duration::from_secs(2));
                        while balancer.fleet().calls() > 0 {
                            balancer.advance(now);
                        }
                        for (slot, _) in calls.drain(..) {
                            loads[slot as usize] -= 1;
                            if loads[slot as usize] == 0 {
                                idle.push_back(slot);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_policy_smaller_than_the_fleet_is_refused() {
        let mut fleet = Fleet::<Inline<3>, Inline<2>>::new(Duration::from_secs(1));
        for name in 0..3u8 {
            fleet.insert(Instant::ZERO, Member::new(&[name])).unwrap();
        }
        let mut policy = JoinIdleQueue::<Inline<2>>::new();
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let choice = policy.choose(Instant::ZERO, View::of(&fleet), &Request::new(), &mut rng);
        assert_eq!(choice, Err(Refusal::PolicyTooSmall));
    }

    #[test]
    fn chance_spares_the_avoided_and_nobody_else() {
        let mut fleet = Fleet::<Inline<9>, Inline<2>>::new(Duration::from_secs(1));
        for name in 0..9u8 {
            fleet.insert(Instant::ZERO, Member::new(&[name])).unwrap();
        }
        let mut rng = Xoshiro256PlusPlus::seed(5);
        for avoid in [&[4u32][..], &[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 5, 6, 7, 8]] {
            let mut counts = vec![0u32; 9];
            for _ in 0..9_000 {
                let request = Request::new().avoid(avoid);
                let (slot, _) = among::chance(View::of(&fleet), &request, &mut rng).unwrap();
                counts[slot as usize] += 1;
            }
            let mean = 9_000 / (9 - avoid.len() as u32);
            for (slot, count) in counts.into_iter().enumerate() {
                let expected =
                    if avoid.contains(&(slot as u32)) { 0..=0 } else { mean * 9 / 10..=mean * 11 / 10 };
                assert!(expected.contains(&count), "{slot}: {count}");
            }
        }
    }
}
