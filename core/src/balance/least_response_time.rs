//! The one that is expected to answer first.

use super::least::scan;
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::storage::Storage;
use crate::time::saturating_nanos;
use crate::{Instant, Rng};

/// The candidate with the lowest average latency × (load + 1); before that, each that has never answered and has nothing
/// to do.
///
/// The average is [`Fleet::expected_latency`](super::Fleet::expected_latency), in which a failure counts for at least the
/// penalty, and which fades while a member has nothing to do: one that was slow is tried again. A member that is being tried for the first time gets nothing more until it answers, unless all others are untested as well.
///
/// *When not to use it:* with several dispatchers, which all run to the member that is quickest at the moment: there
/// [`P2c::peak`](super::P2c::peak).
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, LeastResponseTime, Member, Outcome, Pick, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let mut rng = SplitMix64::seed(1);
/// let fleet = Fleet::<Inline<2>, Inline<8>>::new(Duration::from_secs(1));
/// let mut balancer = Balancer::new(fleet, LeastResponseTime::new());
/// let quick = balancer.fleet_mut().insert(Instant::ZERO, Member::new(b"quick"))?;
/// let slow = balancer.fleet_mut().insert(Instant::ZERO, Member::new(b"slow"))?;
/// for millis in [5, 90] {
///     let now = balancer.advance(Instant::ZERO);
///     let Pick::Member { lease, why, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
///     assert_eq!(why, Why::Untested);
///     balancer.complete(now.saturating_add(Duration::from_millis(millis)), lease, Outcome::Success).expect("in time");
/// }
/// let now = Instant::from_secs(1);
/// let Pick::Member { member, lease, why } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_eq!((member, why), (quick, Why::Fastest));
/// // A failure is not quick, however soon it comes:
/// balancer.complete(now, lease, Outcome::Failure).expect("in time");
/// assert!(matches!(balancer.pick(now, &Request::new(), &mut rng), Pick::Member { member, .. } if member == slow));
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(candidates). 4 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LeastResponseTime {
    /// The slot after the last choice.
    turn: u32,
}

impl LeastResponseTime {
    /// With all members to be tried.
    #[must_use]
    pub const fn new() -> Self {
        Self { turn: 0 }
    }
}

impl Policy for LeastResponseTime {
    #[inline]
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        _rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let fleet = view.fleet();
        // Untested and idle before tested, and these before untested and busy.
        let slot = scan(view, request, self.turn, |slot| {
            let load = u64::from(fleet.load(slot));
            match fleet.expected_latency(now, slot) {
                Some(latency) => (1, saturating_nanos(latency).saturating_mul(load + 1), load),
                None if load == 0 => (0, 0, 0),
                None => (2, 0, load),
            }
        })?;
        self.turn = slot.wrapping_add(1);
        let why = if fleet.latency(slot).is_some() { Why::Fastest } else { Why::Untested };
        Ok(Choice { slot, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Balancer, Fleet, Member, Outcome, Pick};
    use crate::rng::SplitMix64;
    use crate::storage::Inline;
    use core::time::Duration;

    /// One slow answer must not be the last word about a member. The average forgets it over some tries.
    #[test]
    fn who_was_slow_once_is_tried_again() {
        let mut rng = SplitMix64::seed(1);
        let fleet = Fleet::<Inline<2>, Inline<2>>::new(Duration::from_secs(60));
        let mut balancer = Balancer::new(fleet, LeastResponseTime::new());
        for name in [b"a", b"b"] {
            balancer.fleet_mut().insert(Instant::ZERO, Member::new(name)).unwrap();
        }
        let mut now = Instant::ZERO;
        let (mut calls, mut late) = ([0; 2], 0);
        for call in 0..100_000 {
            let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
                panic!()
            };
            let slot = member.slot() as usize;
            // Slot 1 is slow at first and as quick as the other from then on.
            let millis = if slot == 1 && calls[1] == 0 { 900 } else { 10 };
            calls[slot] += 1;
            late += u32::from(slot == 1 && call >= 80_000);
            now = now.saturating_add(Duration::from_millis(millis));
            balancer.complete(now, lease, Outcome::Success).unwrap();
            assert!(calls[1] <= 1 || call > 2_000, "it fades over tens of seconds, not at once");
        }
        assert!(late > 4_000, "{late} of the last 20,000, {calls:?} in all");
    }
}
