//! By response time and the cube of the queue.

use super::among;
use super::fleet::Fleet;
use super::outcome::Report;
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::fixed::Q32;
use crate::storage::{Inline, List, Storage};
use crate::time::saturating_nanos;
use crate::{Instant, Rng};
use core::fmt;

/// The candidate with the lowest C3 score: R − 1/μ + q̂³/μ, where q̂ = 1 + os × w + q.
///
/// R is the response time as this caller sees it ([`Fleet::latency`]), 1/μ the time that the member needs for one
/// request and q the length of its queue, both as averages of what it reports ([`Report::latency`] and
/// [`Report::in_flight`]); os are this caller's requests in flight there and w the number of callers like this one, each
/// of which may have sent as much at the same moment. The cube lets a fast member have the longer queue, but not one so
/// long that the callers which see it all rush there together. A member that reports nothing is scored with R for 1/μ
/// and no queue but the caller's own.
///
/// A member of which nothing is known gets one request, and the next when it has answered. The rate control of the paper
/// is not part of the score: put a limiter of [`limit`](crate::limit) per member in front.
///
/// *When not to use it:* over hundreds of candidates, since each is scored: it is meant for the few replicas of a key;
/// take a [`Subset`](super::Subset) or [`P2c`](super::P2c). Weights count for nothing.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, C3, Fleet, Member, Outcome, Pick, Refusal, Report, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (mut now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<4>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, C3::<Inline<4>>::new());
/// let ids = [b"a", b"b"].map(|name| balancer.fleet_mut().insert(now, Member::new(name)).unwrap());
/// for (id, in_flight) in ids.into_iter().zip([9, 0]) {
///     let Pick::Member { lease, why: Why::Untested, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
///     now = now.saturating_add(Duration::from_millis(5));
///     balancer.complete(now, lease, Outcome::Success)?;
///     balancer.report(now, id, &Report { in_flight, latency: Duration::from_millis(4) })?;
/// }
/// // Equally fast, but a queue of nine:
/// let pick = balancer.pick(now, &Request::new(), &mut rng);
/// assert!(matches!(pick, Pick::Member { member, why: Why::Score, .. } if member == ids[1]));
/// let none = balancer.pick(now, &Request::new().avoid(&[0, 1]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// *O*(candidates) with three 128-bit multiplications each; 24 bytes per member.
///
/// # References
///
/// Suresh, Canini, Schmid, Feldmann, *C3: cutting tail latency in cloud data stores via adaptive replica selection*,
/// NSDI 2015.
pub struct C3<S: Storage> {
    reports: S::List<Reports>,
    alpha: Q32,
    callers: u32,
    /// The slot after the one that was last chosen: where the search for the lowest score begins.
    next: u32,
}

/// The averages of what a member said.
#[derive(Clone, Copy, Debug)]
struct Reports {
    /// In 2⁻⁸ ns.
    service: u64,
    /// In 2⁻¹⁶ requests.
    queue: u64,
    generation: u32,
    heard: bool,
}

/// Fraction bits of queues, and of service times.
const QUEUE: u32 = 16;
const SERVICE: u32 = 8;
/// The longest queue that is told apart from a longer one: 2²⁰ requests.
const LONGEST: u64 = 1 << (20 + QUEUE);
/// The longest service time: 2⁴² ns, more than an hour.
const SLOWEST: u64 = 1 << (42 + SERVICE);

impl<const N: usize> C3<Inline<N>> {
    /// For a fleet of up to `N` members, with one caller and 0.3 as the weight of the newest report.
    #[must_use]
    pub const fn new() -> Self {
        Self { reports: heapless::Vec::new(), alpha: ALPHA, callers: 1, next: 0 }
    }
}

/// 0.3
const ALPHA: Q32 = Q32::from_bits(1_288_490_189);

impl<const N: usize> Default for C3<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl C3<crate::storage::Heap> {
    /// For a fleet of up to `members`, allocated now; else as [`new`](C3::new).
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        let reports = crate::storage::HeapList::with_capacity(members as usize);
        Self { reports, alpha: ALPHA, callers: 1, next: 0 }
    }
}

impl<S: Storage> C3<S> {
    /// This policy where `callers` like this one share the members.
    #[must_use]
    pub fn callers(mut self, callers: u32) -> Self {
        self.callers = callers;
        self
    }

    /// This policy with `alpha` (0 to 1) as the weight of the newest report.
    #[must_use]
    pub fn alpha(mut self, alpha: Q32) -> Self {
        self.alpha = alpha.min(Q32::ONE);
        self
    }

    /// The score of the member in `slot` in nanoseconds, or `None` if none of its responses has come yet.
    ///
    /// Queues count up to 2²⁰ and service times up to 2⁴² ns; within that the error is below 0.1 %.
    #[must_use]
    pub fn score<M: Storage, L: Storage>(&self, fleet: &Fleet<M, L>, slot: u32) -> Option<i128> {
        let response = saturating_nanos(fleet.latency(slot)?).min(SLOWEST);
        let own = u64::from(fleet.in_flight(slot)).saturating_mul(u64::from(self.callers));
        let (service, queue) = match self.heard(fleet, slot) {
            Some(reports) => (reports.service, reports.queue),
            None => ((response << SERVICE).min(SLOWEST), 0),
        };
        let queue = (1 << QUEUE) + queue.saturating_add(own.saturating_mul(1 << QUEUE)).min(LONGEST);
        // Below 2^111, then 2^79, then 2^129 at the very edge of both: saturated.
        let cube = u128::from(queue).pow(3) >> (2 * QUEUE);
        let waiting = cube.saturating_mul(u128::from(service)) >> (QUEUE + SERVICE);
        let rest = i128::from(response) - i128::from(service >> SERVICE);
        Some(rest + i128::try_from(waiting).unwrap_or(i128::MAX / 2))
    }

    fn heard<M: Storage, L: Storage>(&self, fleet: &Fleet<M, L>, slot: u32) -> Option<&Reports> {
        let generation = fleet.id(slot)?.generation();
        self.reports.get(slot as usize).filter(|reports| reports.heard && reports.generation == generation)
    }
}

/// `old` moved by the share `alpha` of the way to `new`, to the nearest.
fn towards(old: u64, new: u64, alpha: Q32) -> u64 {
    let way = i128::from(new) - i128::from(old);
    let moved = i128::from(old) + ((way * i128::from(alpha.to_bits()) + (1 << 31)) >> 32);
    u64::try_from(moved).unwrap_or(0)
}

impl<S: Storage> Policy for C3<S> {
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
        let (slots, fleet) = (view.slots(), view.fleet());
        let (before, after) = slots.split_at(slots.partition_point(|slot| *slot < self.next));
        let mut best: Option<(i128, u32)> = None;
        let mut unknown: Option<(u32, u32)> = None;
        for &slot in after.iter().chain(before).filter(|slot| !request.avoids(**slot)) {
            match self.score(fleet, slot) {
                Some(score) if best.is_none_or(|(lowest, _)| score < lowest) => best = Some((score, slot)),
                Some(_) => {}
                None => {
                    let sent = fleet.in_flight(slot);
                    if unknown.is_none_or(|(least, _)| sent < least) {
                        unknown = Some((sent, slot));
                    }
                }
            }
        }
        let (slot, why) = match (best, unknown) {
            (_, Some((0, slot))) => (slot, Why::Untested),
            (Some((_, slot)), _) => (slot, Why::Score),
            (None, Some((_, slot))) => (slot, Why::LeastLoaded),
            (None, None) => return Err(view.refusal()),
        };
        self.next = slot.wrapping_add(1);
        Ok(Choice { slot, why })
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        report: &Report,
    ) {
        let Some(id) = view.fleet().id(slot) else { return };
        let fresh = Reports { service: 0, queue: 0, generation: 0, heard: false };
        while self.reports.len() <= slot as usize {
            if self.reports.push(fresh).is_err() {
                // Scored as one that reports nothing.
                return;
            }
        }
        let service = saturating_nanos(report.latency).min(SLOWEST >> SERVICE) << SERVICE;
        let queue = u64::from(report.in_flight) << QUEUE;
        let old = &mut self.reports[slot as usize];
        *old = match old.heard && old.generation == id.generation() {
            true => Reports {
                service: towards(old.service, service, self.alpha),
                queue: towards(old.queue, queue, self.alpha),
                ..*old
            },
            false => Reports { service, queue, generation: id.generation(), heard: true },
        };
    }
}

impl<S: Storage> fmt::Debug for C3<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("C3")
            .field("reports", &&*self.reports)
            .field("callers", &self.callers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the score is checked against the formula in floats")]
mod tests {
    use super::*;
    use crate::balance::{Balancer, Config, Member, MemberId, Outcome, Pick};
    use crate::rng::SplitMix64;
    use core::time::Duration;
    use proptest::prelude::*;
    use std::vec::Vec;

    type Few = Balancer<C3<Inline<4>>, Inline<4>, Inline<64>>;

    fn balancer(members: u8, callers: u32) -> (Few, Vec<MemberId>) {
        let mut fleet = Fleet::<Inline<4>, Inline<64>>::new(Duration::from_secs(3_600));
        fleet.configure(Config::new().alpha(Q32::ONE)).unwrap();
        let ids =
            (0..members).map(|name| fleet.insert(Instant::ZERO, Member::new(&[name])).unwrap()).collect();
        (Balancer::new(fleet, C3::<Inline<4>>::new().callers(callers)), ids)
    }

    proptest! {
        /// Q19: against the formula and the averages in floating point.
        #[test]
        fn the_score_is_right_to_a_thousandth(
            response in 1_000u64..4_000_000_000_000, callers in 0u32..1_000, out in 0u32..60,
            reports in prop::collection::vec((0u32..10_000, 1_000u64..4_000_000_000_000), 0..20),
        ) {
            let (mut balancer, ids) = balancer(1, callers);
            let (rng, mut now) = (&mut SplitMix64::seed(0), Instant::ZERO);
            let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), rng) else { panic!() };
            now = Instant::from_nanos(response.min(3_500_000_000_000));
            balancer.complete(now, lease, Outcome::Success).unwrap();
            for _ in 0..out {
                let picked = matches!(balancer.pick(now, &Request::new(), rng), Pick::Member { .. });
                prop_assert!(picked);
            }
            let response = now.as_nanos() as f64;
            let (mut service, mut queue) = (response, 0.0);
            for (nth, (in_flight, nanos)) in reports.iter().enumerate() {
                let report = Report { in_flight: *in_flight, latency: Duration::from_nanos(*nanos) };
                balancer.report(now, ids[0], &report).unwrap();
                let alpha = if nth == 0 { 1.0 } else { 1_288_490_189.0 / 4_294_967_296.0 };
                service += alpha * (*nanos as f64 - service);
                queue += alpha * (f64::from(*in_flight) - queue);
            }
            let queue: f64 = 1.0 + f64::from(out) * f64::from(callers) + queue;
            let expected = response - service + queue.powi(3) * service;
            let score = balancer.policy().score(balancer.fleet(), 0).unwrap() as f64;
            let scale = expected.abs().max(response).max(service);
            prop_assert!((score - expected).abs() <= 0.001 * scale, "{score} {expected}");
        }
    }

    #[test]
    fn each_unknown_member_gets_one_request() {
        let (mut balancer, ids) = balancer(3, 1);
        let rng = &mut SplitMix64::seed(0);
        let mut pick = |now, balancer: &mut Few| match balancer.pick(now, &Request::new(), rng) {
            Pick::Member { member, lease, why } => (member, lease, why),
            Pick::None { .. } => panic!("there is somebody"),
        };
        let first = [(); 3].map(|()| pick(Instant::ZERO, &mut balancer));
        assert!(first.iter().map(|pick| pick.0).eq(ids.iter().copied()));
        assert!(first.iter().all(|pick| pick.2 == Why::Untested));
        // While none has answered, requests spread; from then on they go to whoever has.
        assert_eq!(pick(Instant::ZERO, &mut balancer).2, Why::LeastLoaded);
        let now = Instant::from_millis(10);
        balancer.complete(now, first[1].1, Outcome::Success).unwrap();
        let (member, _, why) = pick(now, &mut balancer);
        assert_eq!((member, why), (ids[1], Why::Score));
    }

    #[test]
    fn the_fast_one_may_have_the_longer_queue_but_not_much() {
        // Five times as fast: it carries the queue that the cube root of five allows.
        let (mut balancer, ids) = balancer(2, 1);
        let rng = &mut SplitMix64::seed(0);
        let leases = [(); 2].map(|()| match balancer.pick(Instant::ZERO, &Request::new(), rng) {
            Pick::Member { lease, .. } => lease,
            Pick::None { .. } => panic!("there is somebody"),
        });
        for ((id, lease), millis) in ids.iter().zip(leases).zip([4, 20]) {
            let now = Instant::from_millis(millis);
            balancer.complete(now, lease, Outcome::Success).unwrap();
            let report = Report { in_flight: 0, latency: Duration::from_millis(millis) };
            balancer.report(now, *id, &report).unwrap();
        }
        let now = Instant::from_millis(20);
        for _ in 0..30 {
            let _ = balancer.pick(now, &Request::new(), rng);
        }
        let queues = [0, 1].map(|slot| f64::from(balancer.fleet().in_flight(slot)) + 1.0);
        assert!((queues[0] / queues[1] - 5f64.cbrt()).abs() < 0.15, "{queues:?}");
    }

    #[test]
    fn a_new_member_in_an_old_slot_starts_anew() {
        let (mut balancer, ids) = balancer(1, 1);
        let report = Report { in_flight: 7, latency: Duration::from_secs(1) };
        balancer.report(Instant::ZERO, ids[0], &report).unwrap();
        assert_eq!(
            balancer.policy().heard(balancer.fleet(), 0).map(|reports| reports.queue),
            Some(7 << QUEUE)
        );
        balancer.fleet_mut().remove(Instant::ZERO, ids[0]).unwrap();
        balancer.fleet_mut().insert(Instant::ZERO, Member::new(b"other")).unwrap();
        assert!(balancer.policy().heard(balancer.fleet(), 0).is_none());
    }
}
