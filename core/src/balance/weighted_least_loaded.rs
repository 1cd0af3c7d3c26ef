//! The one with the least load for its weight.

use super::least_loaded::{SCAN, scan};
use super::policy::{Choice, Ended, Policy, Refusal, Report, View, Why};
use super::request::Request;
use super::tournament::{Rank, Tournament};
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};
use core::cmp::Ordering;

/// The candidate whose load would be lowest for its weight with this call: the lowest (load + 1) / weight, compared
/// exactly; of several, the one that has waited longest.
///
/// *When not to use it:* with several dispatchers, which do not see each other's calls; and for weights alone,
/// [`SmoothWeighted`](super::SmoothWeighted) needs no loads.
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
pub struct WeightedLeastLoaded<S: Storage> {
    index: Tournament<Relative, S>,
    /// The epoch of the candidates in the index.
    built: Option<u32>,
    /// Turns given so far, modulo 2³²; while the candidates are looked at one by one, the slot after the last choice.
    turn: u32,
}

impl<const N: usize> WeightedLeastLoaded<Inline<N>> {
    /// For a fleet of up to `N` members.
    #[must_use]
    pub const fn new() -> Self {
        Self { index: Tournament::<Relative, Inline<N>>::new(), built: None, turn: 0 }
    }
}

impl<const N: usize> Default for WeightedLeastLoaded<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl WeightedLeastLoaded<crate::storage::Heap> {
    /// For a fleet of up to `members`, allocated now.
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        Self {
            index: Tournament::<Relative, crate::storage::Heap>::with_capacity(members),
            built: None,
            turn: 0,
        }
    }
}

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

impl<S: Storage> WeightedLeastLoaded<S> {
    /// The load of `slot` is another now.
    fn changed<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, slot: u32, chosen: bool) {
        if self.built != Some(view.epoch()) || self.index.rank(slot).is_absent() {
            return;
        }
        let mut turn = self.index.rank(slot).turn;
        if chosen {
            self.turn = self.turn.wrapping_add(1);
            turn = self.turn;
        }
        self.index.set(slot, Relative::of(view, slot, turn));
    }

    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        let slots = view.fleet().capacity();
        if self.index.capacity() < slots {
            return Err(Refusal::PolicyTooSmall);
        }
        let mut candidates = view.slots().iter().copied().peekable();
        self.index.rebuild(slots, |slot, old| match candidates.next_if_eq(&slot) {
            Some(_) => Relative::of(view, slot, old.turn),
            None => Relative::ABSENT,
        });
        self.built = Some(view.epoch());
        Ok(())
    }
}

impl<S: Storage> Policy for WeightedLeastLoaded<S> {
    #[inline]
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        _rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        if view.slots().len() > SCAN {
            if self.built != Some(view.epoch()) {
                self.rebuild(view)?;
            }
            if let Some(slot) = self.index.first()
                && !request.avoids(slot)
            {
                return Ok(Choice { slot, why: Why::LeastLoaded });
            }
        } else {
            self.built = None;
        }
        let slot = scan(view, request, self.turn, |slot| Relative::of(view, slot, 0))?;
        if self.built.is_none() {
            self.turn = slot.wrapping_add(1);
        }
        Ok(Choice { slot, why: Why::LeastLoaded })
    }

    #[inline]
    fn started<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, slot: u32) {
        self.changed(view, slot, true);
    }

    #[inline]
    fn ended<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, ended: &Ended) {
        self.changed(view, ended.slot, false);
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        _report: &Report,
    ) {
        self.changed(view, slot, false);
    }
}
