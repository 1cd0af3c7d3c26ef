//! Chance in proportion to what may be true.

use super::arms::{Arms, quotient, root};
use crate::balance::outcome::Ended;
use crate::balance::policy::{Choice, Policy, Refusal, View};
use crate::balance::request::Request;
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};

/// Thompson sampling: each member with the probability that it is the cheapest, given what is known.
///
/// For each member a mean cost is drawn from a normal distribution around the observed one, as narrow as the number of
/// observations makes it, and the least wins. What is well known hardly varies; what is not gets its chance. Because chance
/// decides, several balancers that know the same do not all choose the same, and a burst is spread.
///
/// A call costs the time that it takes, a failure no less than the fleet's penalty; with a
/// [`half-life`](Self::half_life) older calls count less.
///
/// *When not to use it:* as [`Ucb`](super::Ucb); with a great many candidates, since three draws are made for each.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, Outcome, Pick, Refusal, Request, Thompson};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::{Instant, Rng};
///
/// let (mut now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<2>, Inline<4>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, Thompson::<Inline<2>>::new().half_life(1_000));
/// let quick = balancer.fleet_mut().insert(now, Member::new(b"quick"))?;
/// balancer.fleet_mut().insert(now, Member::new(b"slow"))?;
/// for _ in 0..100 {
///     let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
///     let took = if member == quick { 9 + u64::from(rng.below(3)) } else { 19 + u64::from(rng.below(3)) };
///     now = now.saturating_add(Duration::from_millis(took));
///     balancer.complete(now, lease, Outcome::Success)?;
/// }
/// assert!(balancer.fleet().picks(quick.slot()) > 90);
/// // There is nobody else to avoid the two for:
/// let none = balancer.pick(now, &Request::new().avoid(&[0, 1]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// *O*(candidates), with a root and three draws for each; 24 bytes per member.
///
/// # References
///
/// Thompson, Biometrika 25, 1933; Agrawal, Goyal: *Further optimal regret bounds for Thompson sampling*, AISTATS 2013.
/// The normal draw is the sum of twelve uniform ones.
#[derive(Debug)]
pub struct Thompson<S: Storage> {
    arms: Arms<S>,
    with_load: bool,
}

impl<const N: usize> Thompson<Inline<N>> {
    /// For up to `N` members, without forgetting.
    #[must_use]
    pub const fn new() -> Self {
        Self { arms: Arms::<Inline<N>>::new(), with_load: false }
    }
}

impl<const N: usize> Default for Thompson<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Thompson<crate::storage::Heap> {
    /// For up to `members`, without forgetting.
    #[must_use]
    pub fn with_capacity(members: u32) -> Self {
        Self { arms: Arms::<crate::storage::Heap>::with_capacity(members), with_load: false }
    }
}

impl<S: Storage> Thompson<S> {
    /// A call counts half after so many others, at most 2²⁰; 0: it always counts.
    #[must_use]
    pub fn half_life(mut self, calls: u32) -> Self {
        self.arms.half_life(calls);
        self
    }

    /// Counts a member's cost once for each call that it has and once for the new one.
    #[must_use]
    pub fn with_load(mut self) -> Self {
        self.with_load = true;
        self
    }
}

/// A normally distributed number with mean 0 and deviation 2¹⁶, between ± 6 deviations.
fn normal(rng: &mut impl Rng) -> i64 {
    let mut sum = -(6i64 << 16);
    for _ in 0..3 {
        let draw = rng.next_u64();
        for part in 0..4 {
            sum += (draw >> (16 * part) & 0xFFFF) as i64;
        }
    }
    // Each of the twelve is half a step too low on average.
    sum + 6
}

impl<S: Storage> Policy for Thompson<S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let deviation = self.arms.deviation().min(1 << 50);
        self.arms.lowest(view, request, self.with_load, |known, _| {
            let width = root(quotient(1 << 32, known.count.to_bits()));
            let spread = width.mul_int(deviation << 8);
            i128::from(known.mean) + ((i128::from(spread) * i128::from(normal(rng))) >> 16)
        })
    }

    fn ended<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, ended: &Ended) {
        self.arms.note(view, ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;

    #[test]
    fn the_normal_draw_has_the_moments_of_one() {
        let mut rng = SplitMix64::seed(1);
        let (mut sum, mut squares, mut beyond) = (0i128, 0i128, 0);
        for _ in 0..100_000 {
            let draw = i128::from(normal(&mut rng));
            sum += draw;
            squares += draw * draw;
            beyond += u32::from(draw.abs() > 2 << 16);
        }
        assert!((sum / 100_000).abs() < 1_000);
        let variance = squares / 100_000;
        assert!((variance - (1i128 << 32)).abs() < 1 << 26, "{variance}");
        // 4.55 % of a normal distribution, and of this one nearly as many.
        assert!((4_300..4_700).contains(&beyond), "{beyond}");
    }
}
