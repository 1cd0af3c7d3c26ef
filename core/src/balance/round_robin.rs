//! Each in its turn.

use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::storage::Storage;
use crate::{Instant, Rng};

/// Each candidate in its turn, without regard to weight or load.
///
/// *When not to use it:* when members or requests differ in cost; the slowest member then decides.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, Member, Pick, Request, RoundRobin};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let mut balancer = Balancer::new(Fleet::<Inline<3>, Inline<8>>::new(Duration::from_secs(1)), RoundRobin::new());
/// for name in [b"a", b"b", b"c"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// let mut next = |avoid: &[u32]| match balancer.pick(now, &Request::new().avoid(avoid), &mut rng) {
///     Pick::Member { member, .. } => Some(member.slot()),
///     Pick::None { .. } => None,
/// };
/// assert_eq!([next(&[]), next(&[]), next(&[2]), next(&[])], [Some(0), Some(1), Some(0), Some(1)]);
/// // Who avoids all gets none:
/// assert_eq!(next(&[0, 1, 2]), None);
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(1), with avoided members *O*(candidates). 4 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RoundRobin {
    /// The slot after the one that was last chosen.
    next: u32,
}

impl RoundRobin {
    /// A round that begins with the lowest slot.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: 0 }
    }
}

impl Policy for RoundRobin {
    #[inline(always)]
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        _rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let slots = view.slots();
        if let Some(slot) = slots.get(self.next as usize)
            && *slot == self.next
            && !request.avoids(*slot)
        {
            self.next = slot.wrapping_add(1);
            return Ok(Choice { slot: *slot, why: Why::Turn });
        }
        // Nearly always the candidates are all slots from 0 on, and the guess is right.
        let at = match slots.get(self.next as usize) {
            Some(slot) if *slot == self.next => self.next as usize,
            _ => slots.partition_point(|slot| *slot < self.next),
        };
        let turn = slots[at..].iter().chain(&slots[..at]).find(|slot| !request.avoids(**slot));
        let slot = *turn.ok_or_else(|| view.refusal())?;
        self.next = slot.wrapping_add(1);
        Ok(Choice { slot, why: Why::Turn })
    }
}
