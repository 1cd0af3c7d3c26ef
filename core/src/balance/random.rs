//! Any of them.

use super::among::chance;
use super::policy::{Choice, Policy, Refusal, View};
use super::request::Request;
use crate::storage::Storage;
use crate::{Instant, Rng};

/// A candidate by chance, each with the same probability.
///
/// *When not to use it:* nearly always [`P2c`](super::P2c) is as quick and far better: of n calls to n members the
/// fullest of chance has about ln n / ln ln n, that of two choices ln ln n / ln 2.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, Member, Pick, Random, Refusal, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let mut balancer = Balancer::new(Fleet::<Inline<2>, Inline<4>>::new(Duration::from_secs(1)), Random::new());
/// let a = balancer.fleet_mut().insert(now, Member::new(b"a"))?;
/// let b = balancer.fleet_mut().insert(now, Member::new(b"b"))?;
/// let picked = balancer.pick(now, &Request::new(), &mut rng);
/// assert!(matches!(picked, Pick::Member { why: Why::Chance, .. }));
/// // Nobody is left when the request avoids them all:
/// let none = balancer.pick(now, &Request::new().avoid(&[a.slot(), b.slot()]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(1), one draw; when chance falls on avoided members again and again, *O*(candidates). No bytes.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Random;

impl Random {
    /// Chance.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Policy for Random {
    #[inline(always)]
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let (slot, why) = chance(view, request, rng)?;
        Ok(Choice { slot, why })
    }
}
