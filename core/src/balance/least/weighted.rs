//! The one with the least load for its weight.

use super::tournament::{Rank, Tournament};
use super::{Index, Least, policy};
use crate::balance::outcome::{Ended, Report};
use crate::balance::policy::{Choice, Policy, Refusal, View};
use crate::balance::request::Request;
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};
use core::cmp::Ordering;

/// The candidate whose load would be lowest for its weight with this call: the lowest (load + 1) / weight, compared
/// exactly; of several, the one that has waited longest.
///
/// *When not to use it:* with several dispatchers, which do not see each other's calls; and for weights alone,
/// [`SmoothWeighted`](crate::balance::SmoothWeighted) needs no loads.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, Member, Pick, Refusal, Request, WeightedLeastLoaded};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<2>, Inline<8>>::new(Duration::from_secs(1));
/// let mut balancer = Balancer::new(fleet, WeightedLeastLoaded::<Inline<2>>::new());
/// let big = balancer.fleet_mut().insert(now, Member::new(b"big").weight(3))?;
/// let small = balancer.fleet_mut().insert(now, Member::new(b"small"))?;
/// for _ in 0..8 {
///     assert!(matches!(balancer.pick(now, &Request::new(), &mut rng), Pick::Member { .. }));
/// }
/// let load = |member: divvy::balance::MemberId| balancer.fleet().load(member.slot());
/// assert_eq!((load(big), load(small)), (6, 2));
/// // The ninth does not fit the fleet's accounts:
/// let Pick::None { why, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_eq!(why, Refusal::TooManyCalls);
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// Up to 32 candidates *O*(candidates); above, a choice is *O*(1) and a call that begins or ends *O*(log slots), where a
/// choice that must avoid the first is *O*(candidates). 16 bytes a slot.
///
/// # References
///
/// The weighted least connections of the Linux Virtual Server and of Envoy's least request policy (with bias 1).
#[derive(Debug)]
pub struct WeightedLeastLoaded<S: Storage>(Least<Turns<S>>);

policy!(WeightedLeastLoaded, Turns);

/// (load + 1) / weight, and among equals who was chosen longest ago. Weight 0: absent.
#[derive(Clone, Copy, Debug)]
struct Relative {
    load: u32,
    weight: u32,
    turn: u32,
}

impl Relative {
    fn of<M: Storage, L: Storage>(view: View<'_, M, L>, slot: u32, turn: u32) -> Self {
        Self { load: view.fleet().load(slot), weight: view.fleet().weight(slot), turn }
    }

    /// Exact: each product is below 2⁶⁴.
    fn compare(&self, other: &Self) -> Ordering {
        let product = |load: u32, weight: u32| (u64::from(load) + 1) * u64::from(weight);
        product(self.load, other.weight).cmp(&product(other.load, self.weight))
    }
}

impl Rank for Relative {
    const ABSENT: Self = Self { load: 0, weight: 0, turn: 0 };

    fn before(&self, other: &Self) -> bool {
        // With weight 0 a side comes to 0 in the other's product, so who is absent is never before anybody.
        self.compare(other).then(self.turn.cmp(&other.turn)).is_lt() && self.weight > 0
    }

    fn is_absent(&self) -> bool {
        self.weight == 0
    }
}

impl PartialEq for Relative {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Relative {}

impl PartialOrd for Relative {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Relative {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

/// A tournament whose contestants know when they were last chosen.
#[derive(Debug)]
struct Turns<S: Storage> {
    tournament: Tournament<Relative, S>,
    /// Turns given so far.
    turn: u32,
}

impl<const N: usize> Turns<Inline<N>> {
    const fn new() -> Self {
        Self { tournament: Tournament::<Relative, Inline<N>>::new(), turn: 0 }
    }
}

#[cfg(feature = "alloc")]
impl Turns<crate::storage::Heap> {
    fn with_capacity(slots: u32) -> Self {
        Self { tournament: Tournament::<Relative, crate::storage::Heap>::with_capacity(slots), turn: 0 }
    }
}

impl<S: Storage> Turns<S> {
    /// The next turn. When they are used up, they begin anew, and all who wait are equal once.
    fn take(&mut self) -> u32 {
        if self.turn == u32::MAX {
            self.turn = 0;
            let slots = self.tournament.len();
            self.tournament.rebuild(slots, |_, old| Relative { turn: 0, ..old });
        }
        self.turn += 1;
        self.turn
    }
}

impl<S: Storage> Index for Turns<S> {
    fn capacity(&self) -> u32 {
        self.tournament.capacity()
    }

    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) {
        let mut candidates = view.slots().iter().copied().peekable();
        self.tournament.rebuild(view.fleet().capacity(), |slot, old| match candidates.next_if_eq(&slot) {
            Some(_) => Relative::of(view, slot, old.turn),
            None => Relative::ABSENT,
        });
    }

    #[inline]
    fn update<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, slot: u32, chosen: bool) {
        if self.tournament.rank(slot).is_absent() {
            return;
        }
        let turn = if chosen { self.take() } else { self.tournament.rank(slot).turn };
        self.tournament.set(slot, Relative::of(view, slot, turn));
    }

    #[inline]
    fn first<M: Storage, L: Storage>(&mut self, _view: View<'_, M, L>) -> Option<u32> {
        self.tournament.first()
    }

    #[inline]
    fn measure<M: Storage, L: Storage>(view: View<'_, M, L>, slot: u32) -> impl Ord {
        Relative::of(view, slot, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Balancer, Fleet, Member, Outcome, Pick};
    use crate::rng::SplitMix64;
    use core::time::Duration;

    #[test]
    fn turns_that_are_used_up_begin_anew() {
        let mut fleet = Fleet::<Inline<40>, Inline<1>>::new(Duration::from_secs(1));
        for name in 0..40u8 {
            fleet.insert(Instant::ZERO, Member::new(&[name])).expect("there is room");
        }
        let mut policy = WeightedLeastLoaded::<Inline<40>>::new();
        policy.0.index.turn = u32::MAX - 203;
        let mut balancer = Balancer::new(fleet, policy);
        let mut rng = SplitMix64::seed(1);
        for _ in 0..4_000 {
            let picked = balancer.pick(Instant::ZERO, &Request::new(), &mut rng);
            let Pick::Member { lease, .. } = picked else { panic!("nobody") };
            balancer.complete(Instant::ZERO, lease, Outcome::Success).expect("in time");
        }
        let picks = |slot| balancer.fleet().picks(slot);
        assert!(
            (0..40).all(|slot| (99..=101).contains(&picks(slot))),
            "{:?}",
            (0..40).map(picks).collect::<std::vec::Vec<_>>()
        );
        assert_eq!(balancer.policy().0.index.turn, 4_000 - 203);
    }
}
