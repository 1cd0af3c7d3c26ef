//! Optimism about what is not well known.

use super::arms::{Arms, Known, quotient, root};
use crate::balance::outcome::Ended;
use crate::balance::policy::{Choice, Policy, Refusal, View};
use crate::balance::request::Request;
use crate::fixed::{Q32, neg_log2};
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};

/// Upper confidence bounds: the member that would cost least if it were as good as what is known of it allows.
///
/// A call costs the time that it takes, a failure no less than the fleet's penalty. The mean cost of each member is less
/// sure the fewer calls it had, so each gets a call now and then, the worse it looks the more rarely, and nearly all go to
/// the cheapest. With a [`half-life`](Self::half_life) older calls count less, and a change is noticed. Calls that
/// are out count as if they had been answered, so a burst is not sent all one way.
///
/// *When not to use it:* when calls cost more the more of them a member has, unless [`with_load`](Self::with_load) says
/// so: this finds the best of several ways (regions, models, links), and sends everything there.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, Outcome, Pick, Refusal, Request, Ucb};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (mut now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<2>, Inline<4>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, Ucb::<Inline<2>>::new());
/// let none = balancer.pick(now, &Request::new(), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Empty });
///
/// let quick = balancer.fleet_mut().insert(now, Member::new(b"quick"))?;
/// balancer.fleet_mut().insert(now, Member::new(b"slow"))?;
/// for _ in 0..100 {
///     let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
///     let took = if member == quick { 9 + u64::from(rng.below(3)) } else { 19 + u64::from(rng.below(3)) };
///     # use divvy::Rng;
///     now = now.saturating_add(Duration::from_millis(took));
///     balancer.complete(now, lease, Outcome::Success)?;
/// }
/// assert!(balancer.fleet().picks(quick.slot()) > 90);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// *O*(candidates), with a root for each; 24 bytes per member.
///
/// # References
///
/// Auer, Cesa-Bianchi, Fischer: *Finite-time analysis of the multiarmed bandit problem*, Machine Learning 47, 2002. The
/// half-life: Garivier, Moulines: *On upper-confidence bound policies for switching bandit problems*, ALT 2011. The width
/// here is in standard deviations of the cost, which needs no known range.
#[derive(Debug)]
pub struct Ucb<S: Storage> {
    arms: Arms<S>,
    width: Q32,
    with_load: bool,
}

impl<const N: usize> Ucb<Inline<N>> {
    /// For up to `N` members, without forgetting.
    #[must_use]
    pub const fn new() -> Self {
        Self { arms: Arms::<Inline<N>>::new(), width: Q32::ONE, with_load: false }
    }
}

impl<const N: usize> Default for Ucb<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Ucb<crate::storage::Heap> {
    /// For up to `members`, without forgetting.
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        let arms = Arms::<crate::storage::Heap>::with_capacity(members);
        Self { arms, width: Q32::ONE, with_load: false }
    }
}

impl<S: Storage> Ucb<S> {
    /// A call counts half after so many others, at most 2²⁰; 0: it always counts.
    #[must_use]
    pub fn half_life(mut self, calls: u32) -> Self {
        self.arms.half_life(calls);
        self
    }

    /// More (above 1) or less exploring than the usual.
    #[must_use]
    pub fn width(mut self, width: Q32) -> Self {
        self.width = width;
        self
    }

    /// Counts a member's cost once for each call that it has and once for the new one.
    #[must_use]
    pub fn with_load(mut self) -> Self {
        self.with_load = true;
        self
    }

    /// What is known of a member's cost, less what it may be better than that, in 2⁻⁸ ns.
    fn bound(&self, known: Known, in_flight: u32, log: Q32, deviation: u64) -> i64 {
        // 2 ln n ÷ N, where the calls that are out count.
        let count = known.count.saturating_add(Q32::from_int(in_flight));
        let width = self.width.saturating_mul(root(quotient(log.to_bits(), count.to_bits())));
        (known.mean as i64).saturating_sub_unsigned(width.mul_int(deviation << 8).min(i64::MAX as u64))
    }
}

impl<S: Storage> Policy for Ucb<S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        _rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        // 2 ln n; log₂ n is 32 less −log₂ (n × 2³² ÷ 2⁶⁴).
        let log = Q32::from_int(32).saturating_sub(neg_log2(self.arms.count().to_bits()));
        let log = log.saturating_mul(Q32::LN_2).saturating_mul(Q32::from_int(2));
        let deviation = self.arms.deviation().min(1 << 50);
        self.arms.lowest(view, request, self.with_load, |known, slot| {
            self.bound(known, view.fleet().in_flight(slot), log, deviation).into()
        })
    }

    fn ended<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, ended: &Ended) {
        self.arms.note(view, ended);
    }
}
