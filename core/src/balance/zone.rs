//! Near by first, without overloading who is near.

use super::among;
use super::outcome::{Ended, Report};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::fixed::Q32;
use crate::rng::SplitMix64;
use crate::storage::{Full, Inline, List, Storage};
use crate::{Instant, Rng};
use core::fmt;

/// Any policy, kept to the members in the request's own zone as far as they can carry it.
///
/// A zone whose share of the members' weight is at least its share of the traffic keeps all of its own. A smaller one
/// keeps what its members can take, and the rest goes to the zones that have room, in proportion to it. So in all every
/// member gets what its weight says, wherever the requests come from, and none of a small zone is left without. A keyed
/// request goes to the same zone each time.
///
/// The zone of a request is [`Request::zone`], or else this balancer's own. How much traffic each zone has is said with
/// [`share`](Self::share) or [`counted`](Self::counted); without either, every zone is taken to have the same.
///
/// Zones do not count, and everybody is a candidate: while fewer than [`min_members`](Self::min_members) are ready in
/// all; for a zone with fewer than [`min_in_zone`](Self::min_in_zone) ready; for one in which the ready ones are less than
/// [`panic_below`](Self::panic_below) of the members' weight; for one without members; and when the request avoids all
/// in the zone.
///
/// *When not to use it:* where zones cost nothing. The policy inside sees now one zone, now another:
/// [`RoundRobin`](super::RoundRobin) loses its place by that and may pass somebody over for good, and one that derives a
/// structure from its candidates ([`SmoothWeighted`](super::SmoothWeighted), consistent hashing) makes it anew each time.
/// [`P2c`](super::P2c) and chance suffer neither.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, P2c, Pick, Refusal, Request, Why, ZoneAware};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<8>, Inline<64>>::new(Duration::from_secs(10));
/// let policy = ZoneAware::<P2c, Inline<8>>::new(1, P2c::new());
/// let mut balancer = Balancer::new(fleet, policy);
/// for (name, zone) in [(b"a", 1), (b"b", 1), (b"c", 1), (b"d", 2), (b"e", 2), (b"f", 2)] {
///     balancer.fleet_mut().insert(now, Member::new(name).zone(zone))?;
/// }
/// for _ in 0..20 {
///     let pick = balancer.pick(now, &Request::new(), &mut rng);
///     assert!(matches!(pick, Pick::Member { member, why: Why::SameZone, .. } if member.slot() < 3));
/// }
/// // A retry may leave the zone, and with everybody avoided there is nobody:
/// let other = balancer.pick(now, &Request::new().avoid(&[0, 1, 2]), &mut rng);
/// assert!(matches!(other, Pick::Member { why: Why::OtherZone, .. }));
/// let none = balancer.pick(now, &Request::new().avoid(&[0, 1, 2, 3, 4, 5]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(zones) and the policy inside per choice; *O*(n × zones) at the first choice after a change of the candidates. 56
/// bytes per member and what the policy inside takes.
///
/// # References
///
/// The law is that of Envoy's zone aware routing, with weights for its numbers of hosts
/// ([envoy#41992](https://github.com/envoyproxy/envoy/issues/41992)) and a least number for each zone
/// ([envoy#38561](https://github.com/envoyproxy/envoy/issues/38561)).
pub struct ZoneAware<P, S: Storage> {
    inner: P,
    /// The zones with members, ascending.
    zones: S::List<Zone>,
    /// The candidates by zone, ascending in each.
    slots: S::List<u32>,
    shares: S::List<(u16, u32)>,
    own: u16,
    counted: bool,
    min_members: u32,
    min_in_zone: u32,
    panic_below: Q32,
    /// The weight of all candidates.
    weight: u64,
    epoch: Option<u32>,
    /// The epoch, for the policy inside, of all candidates together; those of the zones follow.
    inner_epoch: u32,
    /// The zone whose members the policy inside chose among last.
    last: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Zone {
    /// The weight of its candidates, and of all its members.
    weight: u64,
    members: u64,
    /// Its traffic, in units of its own.
    traffic: u32,
    start: u32,
    len: u32,
    name: u16,
}

/// Counts of traffic are halved when one gets here.
const MOST: u32 = 1 << 16;

impl<P, const N: usize> ZoneAware<P, Inline<N>> {
    /// For a fleet of up to `N` members and a caller in zone `own`, with `inner` to choose in a zone; zones count from 6
    /// ready members on, and while half of a zone is ready.
    #[must_use]
    pub const fn new(own: u16, inner: P) -> Self {
        Self {
            inner,
            zones: heapless::Vec::new(),
            slots: heapless::Vec::new(),
            shares: heapless::Vec::new(),
            own,
            counted: false,
            min_members: 6,
            min_in_zone: 1,
            panic_below: HALF,
            weight: 0,
            epoch: None,
            inner_epoch: 0,
            last: None,
        }
    }
}

/// ½
const HALF: Q32 = Q32::from_bits(1 << 31);

#[cfg(feature = "alloc")]
impl<P> ZoneAware<P, crate::storage::Heap> {
    /// As [`new`](ZoneAware::new), for a fleet of up to `members`, allocated now.
    #[must_use]
    pub fn with_capacity(members: u32, own: u16, inner: P) -> Self {
        use crate::storage::HeapList;
        let members = members as usize;
        Self {
            inner,
            zones: HeapList::with_capacity(members),
            slots: HeapList::with_capacity(members),
            shares: HeapList::with_capacity(members),
            own,
            counted: false,
            min_members: 6,
            min_in_zone: 1,
            panic_below: HALF,
            weight: 0,
            epoch: None,
            inner_epoch: 0,
            last: None,
        }
    }
}

impl<P, S: Storage> ZoneAware<P, S> {
    /// With zones that count only from this many ready members on, in all.
    #[must_use]
    pub fn min_members(mut self, members: u32) -> Self {
        self.min_members = members;
        self
    }

    /// With a zone that counts only from this many ready members of its own on.
    #[must_use]
    pub fn min_in_zone(mut self, members: u32) -> Self {
        self.min_in_zone = members;
        self
    }

    /// With a zone that counts only while at least this `share` of its members' weight is ready.
    #[must_use]
    pub fn panic_below(mut self, share: Q32) -> Self {
        self.panic_below = share;
        self
    }

    /// With each zone's traffic as the requests of each are counted here, the recent ones most: for a balancer that serves
    /// all zones.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.counted = true;
        self
    }

    /// Says that `zone` has this much `traffic`, against what is said of the others; a zone of which nothing is said has
    /// none. For a balancer that serves one of several zones.
    ///
    /// # Errors
    ///
    /// [`Full`]: more zones than members; nothing changed.
    pub fn share(&mut self, zone: u16, traffic: u32) -> Result<(), Full<u16>> {
        match self.shares.iter_mut().find(|(name, _)| *name == zone) {
            Some(share) => share.1 = traffic,
            None => self.shares.push((zone, traffic)).map_err(|_| Full(zone))?,
        }
        self.epoch = None;
        Ok(())
    }

    /// The policy inside.
    #[must_use]
    pub const fn inner(&self) -> &P {
        &self.inner
    }

    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        let fleet = view.fleet();
        if view.slots().len() > self.slots.capacity() {
            return Err(Refusal::PolicyTooSmall);
        }
        // Counts survive; zones without candidates go.
        let mut at = 0;
        while let Some(zone) = self.zones.get(at) {
            let name = zone.name;
            if view.slots().iter().any(|slot| fleet.zone(*slot) == name) {
                at += 1;
            } else {
                self.zones.swap_remove(at);
            }
        }
        for &slot in view.slots() {
            let name = fleet.zone(slot);
            if self.zones.iter().all(|zone| zone.name != name) {
                let zone = Zone { weight: 0, members: 0, traffic: 0, start: 0, len: 0, name };
                // No more zones than candidates: this cannot be refused.
                let _ = self.zones.push(zone);
            }
        }
        self.zones.sort_unstable_by_key(|zone| zone.name);
        self.slots.clear();
        self.weight = 0;
        for zone in &mut *self.zones {
            zone.start = self.slots.len() as u32;
            zone.weight = 0;
            for &slot in view.slots().iter().filter(|slot| fleet.zone(**slot) == zone.name) {
                let _ = self.slots.push(slot);
                zone.weight += u64::from(fleet.weight(slot).max(1));
            }
            zone.len = self.slots.len() as u32 - zone.start;
            self.weight += zone.weight;
            let members = (0..fleet.capacity()).filter(|slot| fleet.id(*slot).is_some());
            let members = members.filter(|slot| fleet.zone(*slot) == zone.name);
            zone.members = members.map(|slot| u64::from(fleet.weight(slot))).sum();
            if !self.counted {
                let said = self.shares.iter().find(|(name, _)| *name == zone.name);
                zone.traffic = if self.shares.is_empty() { 1 } else { said.map_or(0, |share| share.1) };
            }
        }
        // Together they fit 32 bits, so that a product with a weight fits 64.
        let traffic: u64 = self.zones.iter().map(|zone| u64::from(zone.traffic)).sum();
        let excess = 32 - (traffic >> 32).leading_zeros().saturating_sub(32);
        for zone in &mut *self.zones {
            zone.traffic = zone.traffic.checked_shr(excess).unwrap_or(0);
        }
        self.epoch = Some(view.epoch());
        self.inner_epoch = self.inner_epoch.wrapping_add(self.zones.len() as u32 + 1);
        self.last = None;
        Ok(())
    }

    /// The zone to choose in, or `None` for all.
    fn zone_for(&mut self, request: &Request<'_>, rng: &mut impl Rng) -> Option<usize> {
        let name = request.from_zone().unwrap_or(self.own);
        let home = self.zones.iter().position(|zone| zone.name == name)?;
        if self.counted {
            self.zones[home].traffic += 1;
            if self.zones[home].traffic >= MOST {
                for zone in &mut *self.zones {
                    zone.traffic = zone.traffic.div_ceil(2);
                }
            }
        }
        let zone = self.zones[home];
        let ready = u128::from(zone.weight) << 32
            >= u128::from(zone.members) * u128::from(self.panic_below.to_bits());
        if (self.slots.len() as u64) < u64::from(self.min_members) || zone.len < self.min_in_zone || !ready {
            return None;
        }
        let traffic: u64 = self.zones.iter().map(|zone| u64::from(zone.traffic)).sum();
        // Both shares over the common denominator weight × traffic, either of which fits 32 bits.
        let room = |zone: &Zone| {
            let (takes, has) = (zone.weight * traffic, u64::from(zone.traffic) * self.weight);
            (takes.saturating_sub(has), has.saturating_sub(takes))
        };
        let (_, over) = room(&zone);
        if over == 0 {
            return Some(home);
        }
        let has = u64::from(zone.traffic) * self.weight;
        // All room together is all that is over together. One key, the same draws.
        let all: u64 = self.zones.iter().map(|zone| room(zone).0).sum();
        let (stays, mut left) = match request.hash() {
            Some(hash) => {
                let mut draws = SplitMix64::seed(hash);
                (draws.below_u64(has) >= over, draws.below_u64(all))
            }
            None => (rng.below_u64(has) >= over, rng.below_u64(all)),
        };
        if stays {
            return Some(home);
        }
        self.zones.iter().position(|zone| {
            let (free, _) = room(zone);
            let here = left < free;
            left = left.saturating_sub(free);
            here
        })
    }

    /// The policy inside, and the candidates of the zone that it chose in last, or all.
    fn narrow<'a, M: Storage, L: Storage>(&'a mut self, view: View<'a, M, L>) -> (&'a mut P, View<'a, M, L>) {
        let zone = self.last.and_then(|at| self.zones.get(at as usize).map(|zone| (at, zone)));
        let view = match zone {
            Some((at, zone)) => {
                let slots = &self.slots[zone.start as usize..(zone.start + zone.len) as usize];
                view.narrow(slots, self.inner_epoch.wrapping_add(at + 1))
            }
            None => view.narrow(view.slots(), self.inner_epoch),
        };
        (&mut self.inner, view)
    }
}

impl<P: Policy, S: Storage> Policy for ZoneAware<P, S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        if !among::any_left(view, request) {
            return Err(view.refusal());
        }
        if self.epoch != Some(view.epoch()) {
            self.rebuild(view)?;
        }
        self.last = self.zone_for(request, rng).map(|at| at as u32);
        let zoned = self.last.is_some();
        let (inner, narrowed) = self.narrow(view);
        let choice = match inner.choose(now, narrowed, request, rng) {
            Err(Refusal::Avoided) if zoned => {
                self.last = None;
                let (inner, all) = self.narrow(view);
                inner.choose(now, all, request, rng)?
            }
            choice => choice?,
        };
        if !zoned {
            return Ok(choice);
        }
        let home = request.from_zone().unwrap_or(self.own);
        let same = view.fleet().zone(choice.slot) == home;
        Ok(Choice { why: if same { Why::SameZone } else { Why::OtherZone }, ..choice })
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
        if self.epoch != Some(view.epoch()) {
            self.rebuild(view).ok()?;
        }
        let (inner, view) = self.narrow(view);
        inner.probe(now, view, rng)
    }
}

impl<P: fmt::Debug, S: Storage> fmt::Debug for ZoneAware<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZoneAware")
            .field("inner", &self.inner)
            .field("own", &self.own)
            .field("zones", &&*self.zones)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use crate::balance::fixture::{self, member};
    use crate::balance::{Fleet, MemberId, RoundRobin, SmoothWeighted};
    use crate::rng::Xoshiro256PlusPlus;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    type Many = Fleet<Inline<32>, Inline<1>>;
    type Zones<P> = ZoneAware<P, Inline<32>>;

    fn fleet(zones: &[u16]) -> (Many, Vec<MemberId>) {
        fixture::fleet((0..).zip(zones).map(|(name, zone)| member(name).zone(*zone)))
    }

    /// How many requests `route` makes.
    const ROUTED: u32 = 20_000;

    /// How many requests from `from` stay in it, and how many each member gets.
    fn route<P: Policy>(
        policy: &mut Zones<P>,
        fleet: &Many,
        from: &mut impl FnMut(u32) -> u16,
    ) -> (u32, Vec<u32>) {
        let mut rng = Xoshiro256PlusPlus::seed(7);
        let (mut near, mut counts) = (0, vec![0; 32]);
        for nth in 0..ROUTED {
            let zone = from(nth);
            let request = Request::new().zone(zone);
            let choice = policy.choose(Instant::ZERO, View::of(fleet), &request, &mut rng).unwrap();
            near += u32::from(fleet.zone(choice.slot) == zone);
            counts[choice.slot as usize] += 1;
        }
        (near, counts)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Whatever the zones' sizes and traffic: every member gets its weight's share, and what can stay near does.
        #[test]
        fn every_member_gets_its_share(
            sizes in prop::collection::vec(1usize..6, 2..5), traffic in prop::collection::vec(1u32..5, 5),
        ) {
            let zones: Vec<u16> = sizes.iter().enumerate().flat_map(|(zone, size)| vec![zone as u16; *size]).collect();
            let (fleet, _) = fleet(&zones);
            let members = zones.len() as u32;
            let all: u32 = traffic[..sizes.len()].iter().sum();
            for counted in [false, true] {
                let mut policy = Zones::new(0, SmoothWeighted::<Inline<32>>::new()).min_members(0);
                if counted {
                    policy = policy.counted();
                } else {
                    for (zone, share) in traffic[..sizes.len()].iter().enumerate() {
                        policy.share(zone as u16, *share).unwrap();
                    }
                }
                let mut origins = Xoshiro256PlusPlus::seed(3);
                let mut from = |_| {
                    let mut left = origins.below(all);
                    let zone = traffic.iter().position(|share| {
                        let here = left < *share;
                        left = left.saturating_sub(*share);
                        here
                    });
                    zone.unwrap() as u16
                };
                let (near, counts) = route(&mut policy, &fleet, &mut from);
                for count in &counts[..zones.len()] {
                    prop_assert!((count * members).abs_diff(ROUTED) < ROUTED * 12 / 100, "{counted} {counts:?}");
                }
                // In members times all: of each zone's traffic, what its own members can carry.
                let best: u32 =
                    sizes.iter().zip(&traffic).map(|(size, share)| (*size as u32 * all).min(share * members)).sum();
                let whole = members * all;
                prop_assert!((near * whole).abs_diff(ROUTED * best) < ROUTED * 3 / 100 * whole, "{counted} {near} {best}");
            }
        }
    }

    #[test]
    fn zones_do_not_count_where_too_few_are_ready() {
        let (mut fleet, ids) = fleet(&[0, 0, 0, 0, 1, 1, 1, 1]);
        let near = |policy: Zones<RoundRobin>, fleet: &Many| {
            let mut policy = policy;
            route(&mut policy, fleet, &mut |_| 0).0
        };
        let zones = || Zones::new(0, RoundRobin::new());
        assert_eq!(near(zones(), &fleet), ROUTED);
        assert_eq!(near(zones().min_members(9), &fleet), ROUTED / 2);
        assert_eq!(near(zones().min_in_zone(5), &fleet), ROUTED / 2);
        // Two of four are just enough, and carry what two of six can: their zone has half of the traffic.
        for id in &ids[..2] {
            fleet.mark_down(*id).unwrap();
        }
        let about = |near: u32, exact: u32| near.abs_diff(exact) < ROUTED / 100;
        assert!(about(near(zones(), &fleet), ROUTED * 2 / 3));
        // One of four is not.
        fleet.mark_down(ids[2]).unwrap();
        assert!(about(near(zones().min_members(0), &fleet), ROUTED / 5));
        let calm = zones().min_members(0).panic_below(Q32::ZERO);
        assert!(about(near(calm, &fleet), ROUTED * 2 / 5));
    }

    #[test]
    fn a_policy_that_remembers_turns_loses_none_when_zones_change() {
        let (fleet, _) = fleet(&[0, 0, 0, 1, 1, 1]);
        let mut policy = Zones::new(0, SmoothWeighted::<Inline<32>>::new());
        let (_, counts) = route(&mut policy, &fleet, &mut |nth| (nth % 2) as u16);
        assert!(counts[..6].iter().all(|count| (6 * count).abs_diff(ROUTED) < 12), "{counts:?}");
    }

    #[test]
    fn a_key_stays_in_one_zone() {
        let (fleet, _) = fleet(&[0, 1, 1, 1, 1, 1, 1]);
        let mut policy = Zones::new(0, RoundRobin::new());
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let mut far = 0u32;
        for key in 0..1_000u64 {
            let request = Request::new().key(&key.to_le_bytes());
            let mut zone = || {
                let choice = policy.choose(Instant::ZERO, View::of(&fleet), &request, &mut rng).unwrap();
                fleet.zone(choice.slot)
            };
            let first = zone();
            assert!((0..5).all(|_| zone() == first));
            far += u32::from(first);
        }
        // A seventh of the members for half of the traffic: five sevenths leave.
        assert!((7 * far).abs_diff(5 * 1_000) < 7 * 50, "{far}");
    }

    #[test]
    fn huge_weights_and_shares_do_not_overflow() {
        let (fleet, _) =
            fixture::fleet([0, 1].map(|zone| member(zone.into()).weight(u32::MAX / 2).zone(zone)));
        let mut policy = Zones::new(0, RoundRobin::new()).min_members(0);
        policy.share(0, u32::MAX).unwrap();
        policy.share(1, u32::MAX / 3).unwrap();
        let (near, _) = route(&mut policy, &fleet, &mut |_| 0);
        assert!(near.abs_diff(ROUTED * 2 / 3) < ROUTED * 2 / 100, "{near}");
    }
}
