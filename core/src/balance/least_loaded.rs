//! The one with the least load.

use super::policy::{Choice, Ended, Policy, Refusal, Report, View, Why};
use super::request::Request;
use super::tournament::{Rank, Tournament};
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};

/// Up to this many candidates are looked at one by one.
pub(super) const SCAN: usize = 32;

/// The candidate with the lowest [`Fleet::load`](super::Fleet::load); of several, the one that has waited longest.
///
/// *When not to use it:* with several dispatchers, which do not see each other's calls: all of them run to the same
/// member. [`P2c`](super::P2c) does not.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, LeastLoaded, Member, Outcome, Pick, Refusal, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<2>, Inline<2>>::new(Duration::from_secs(1));
/// let mut balancer = Balancer::new(fleet, LeastLoaded::<Inline<2>>::new());
/// let a = balancer.fleet_mut().insert(now, Member::new(b"a"))?;
/// let b = balancer.fleet_mut().insert(now, Member::new(b"b"))?;
/// let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_eq!(member, a);
/// let next = balancer.pick(now, &Request::new(), &mut rng);
/// assert!(matches!(next, Pick::Member { member, why: Why::LeastLoaded, .. } if member == b));
/// // The fleet accounts for two calls; a third has to wait until one ends.
/// let Pick::None { why, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_eq!(why, Refusal::TooManyCalls);
/// balancer.complete(now, lease, Outcome::Success).expect("it is in time");
/// assert!(matches!(balancer.pick(now, &Request::new(), &mut rng), Pick::Member { member, .. } if member == a));
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// Up to 32 candidates *O*(candidates); above, a choice is *O*(1) and a call that begins or ends *O*(log slots), where a
/// choice that must avoid the least loaded is *O*(candidates). 12 bytes a slot.
///
/// # References
///
/// Also called least connections, least request, join the shortest queue. That ties must not go to the first: Envoy pull
/// request 31146.
#[derive(Debug)]
pub struct LeastLoaded<S: Storage> {
    index: Tournament<Load, S>,
    /// The epoch of the candidates in the index.
    built: Option<u32>,
    /// Turns given so far, modulo 2³²; while the candidates are looked at one by one, the slot after the last choice.
    turn: u32,
}

impl<const N: usize> LeastLoaded<Inline<N>> {
    /// For a fleet of up to `N` members.
    #[must_use]
    pub const fn new() -> Self {
        Self { index: Tournament::<Load, Inline<N>>::new(), built: None, turn: 0 }
    }
}

impl<const N: usize> Default for LeastLoaded<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl LeastLoaded<crate::storage::Heap> {
    /// For a fleet of up to `members`, allocated now.
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        Self { index: Tournament::<Load, crate::storage::Heap>::with_capacity(members), built: None, turn: 0 }
    }
}

/// Load, and among equals who was chosen longest ago: one number.
#[derive(Clone, Copy, Debug)]
struct Load(u64);

impl Load {
    const fn new(load: u32, turn: u32) -> Self {
        // The greatest load is that of the absent.
        let load = if load == u32::MAX { load - 1 } else { load };
        Self((load as u64) << 32 | turn as u64)
    }

    const fn turn(self) -> u32 {
        self.0 as u32
    }
}

impl Rank for Load {
    const ABSENT: Self = Self(u64::MAX);

    fn before(&self, other: &Self) -> bool {
        self.0 < other.0
    }

    fn is_absent(&self) -> bool {
        self.0 >> 32 == u64::from(u32::MAX)
    }
}

impl<S: Storage> LeastLoaded<S> {
    /// The load of `slot` is another now.
    fn changed<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, slot: u32, chosen: bool) {
        if self.built != Some(view.epoch()) {
            return;
        }
        let rank = self.index.rank(slot);
        if rank.is_absent() {
            return;
        }
        let mut turn = rank.turn();
        if chosen {
            self.turn = self.turn.wrapping_add(1);
            turn = self.turn;
        }
        self.index.set(slot, Load::new(view.fleet().load(slot), turn));
    }

    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        let fleet = view.fleet();
        let slots = fleet.capacity();
        if self.index.capacity() < slots {
            return Err(Refusal::PolicyTooSmall);
        }
        let mut candidates = view.slots().iter().copied().peekable();
        self.index.rebuild(slots, |slot, old| match candidates.next_if_eq(&slot) {
            Some(_) => Load::new(fleet.load(slot), if old.is_absent() { 0 } else { old.turn() }),
            None => Load::ABSENT,
        });
        self.built = Some(view.epoch());
        Ok(())
    }
}

impl<S: Storage> Policy for LeastLoaded<S> {
    #[inline(always)]
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
        let slot = scan(view, request, self.turn, |slot| view.fleet().load(slot))?;
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

/// The candidate of the lowest `measure` that is not avoided; of several, the first from slot `next` on.
#[inline]
pub(super) fn scan<M: Storage, L: Storage, K: Ord>(
    view: View<'_, M, L>,
    request: &Request<'_>,
    next: u32,
    mut measure: impl FnMut(u32) -> K,
) -> Result<u32, Refusal> {
    let slots = view.slots();
    let (before, after) = slots.split_at(match slots.get(next as usize) {
        // Nearly always the candidates are all slots from 0 on.
        Some(slot) if *slot == next => next as usize,
        _ => slots.partition_point(|slot| *slot < next),
    });
    let allowed = after.iter().chain(before).copied().filter(|slot| !request.avoids(*slot));
    allowed.min_by_key(|slot| measure(*slot)).ok_or_else(|| view.refusal())
}
