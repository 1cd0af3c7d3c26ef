//! The better of two.

use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::storage::Storage;
use crate::time::saturating_nanos;
use crate::{Instant, Rng};
use core::cmp::Ordering;

/// Two different candidates by chance, of which the one with the lower load gets the work: the power of two choices.
///
/// Load is [`Fleet::load`](super::Fleet::load): it counts what was sent since the last report, so that stale reports do
/// not make all run to the same member. [`Self::peak`] multiplies it with the decaying peak of latency, in which a
/// failure counts for at least the penalty: a member that fails at once is then not taken for a quick one.
///
/// *When not to use it:* with one dispatcher and few long requests, [`LeastLoaded`](super::LeastLoaded) is better; when
/// a key must stay where it is, a ring.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, Member, P2c, Pick, Refusal, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let mut balancer = Balancer::new(Fleet::<Inline<2>, Inline<4>>::new(Duration::from_secs(1)), P2c::new());
/// let a = balancer.fleet_mut().insert(now, Member::new(b"a"))?;
/// let b = balancer.fleet_mut().insert(now, Member::new(b"b"))?;
/// // Both are always compared, never one with itself, so two calls go to two members:
/// let Pick::Member { member: first, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// let Pick::Member { member: second, why, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_ne!(first, second);
/// assert_eq!(why, Why::LowerOfTwo { other: first.slot() });
/// // Who avoids all gets none:
/// let none = balancer.pick(now, &Request::new().avoid(&[a.slot(), b.slot()]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(1), one draw; *O*(candidates) when one that was drawn is avoided. 1 byte.
///
/// # References
///
/// Azar, Broder, Karlin, Upfal, *Balanced allocations*, STOC 1994; Mitzenmacher, *The power of two choices in randomized
/// load balancing*, 1996, and *How useful is old information?*, 1997. That the two must differ: Envoy issue 11004. The
/// penalty: linkerd2-proxy pull request 4537.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct P2c {
    peak: bool,
}

impl P2c {
    /// Compares loads.
    #[must_use]
    pub const fn new() -> Self {
        Self { peak: false }
    }

    /// Compares decaying peak latency × (load + 1). Where one of two is untested, loads alone.
    #[must_use]
    pub const fn peak() -> Self {
        Self { peak: true }
    }

    #[inline(always)]
    fn compare<M: Storage, L: Storage>(
        &self,
        now: Instant,
        view: View<'_, M, L>,
        a: u32,
        b: u32,
    ) -> Ordering {
        let fleet = view.fleet();
        let (load_a, load_b) = (fleet.load(a), fleet.load(b));
        if self.peak
            && let (Some(peak_a), Some(peak_b)) = (fleet.peak_latency(now, a), fleet.peak_latency(now, b))
        {
            let cost = |peak, load| saturating_nanos(peak).saturating_mul(u64::from(load) + 1);
            return cost(peak_a, load_a).cmp(&cost(peak_b, load_b)).then(load_a.cmp(&load_b));
        }
        load_a.cmp(&load_b)
    }
}

impl Policy for P2c {
    #[inline(always)]
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let slots = view.slots();
        let (a, b) = match slots.len() as u32 {
            len @ 2.. => {
                let (a, b) = pair(len, rng);
                (slots[a as usize], slots[b as usize])
            }
            _ => return alone(view, request),
        };
        if request.avoids(a) || request.avoids(b) {
            return self.among_allowed(now, view, request, rng);
        }
        Ok(self.better(now, view, a, b))
    }
}

impl P2c {
    /// The one with the lower load, the first if neither has.
    #[inline(always)]
    fn better<M: Storage, L: Storage>(&self, now: Instant, view: View<'_, M, L>, a: u32, b: u32) -> Choice {
        let (slot, other) = if self.compare(now, view, a, b).is_gt() { (b, a) } else { (a, b) };
        Choice { slot, why: Why::LowerOfTwo { other } }
    }

    #[cold]
    fn among_allowed<M: Storage, L: Storage>(
        &self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let allowed = || view.slots().iter().copied().filter(|slot| !request.avoids(*slot));
        match allowed().count() as u32 {
            len @ 2.. => {
                let (a, b) = pair(len, rng);
                let nth = |n| allowed().nth(n as usize);
                match (nth(a), nth(b)) {
                    (Some(a), Some(b)) => Ok(self.better(now, view, a, b)),
                    _ => Err(view.refusal()),
                }
            }
            _ => alone(view, request),
        }
    }
}

/// The only candidate, if there is one.
fn alone<M: Storage, L: Storage>(view: View<'_, M, L>, request: &Request<'_>) -> Result<Choice, Refusal> {
    let only = view.slots().iter().find(|slot| !request.avoids(**slot));
    only.map(|slot| Choice { slot: *slot, why: Why::Only }).ok_or_else(|| view.refusal())
}

/// Two different numbers below `len`, which is at least 2: each ordered pair with the same probability. One draw nearly
/// always serves both.
#[inline(always)]
pub(super) fn pair(len: u32, rng: &mut impl Rng) -> (u32, u32) {
    let draw = rng.next_u64();
    let a = (draw >> 32) * u64::from(len);
    let b = (draw & 0xFFFF_FFFF) * u64::from(len - 1);
    let (a, b) = if (a as u32) < len || (b as u32) < len {
        // A draw that may have to be thrown away.
        (rng.below(len), rng.below(len - 1))
    } else {
        ((a >> 32) as u32, (b >> 32) as u32)
    };
    (a, b + u32::from(b >= a))
}
