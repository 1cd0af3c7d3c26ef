//! A fleet and the policy that chooses among its members.

use super::fleet::{Fleet, FleetError};
use super::member::MemberId;
use super::outcome::{Outcome, Report};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::fixed::Q32;
use crate::lease::{Lease, Stale};
use crate::rng::SplitMix64;
use crate::storage::Storage;
use crate::{Instant, Rng};

/// How many lost calls one call takes back at most. More than one, so that picking catches up.
const RECLAIMS: u32 = 4;

/// Where a request goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Pick {
    /// To this member. The lease ends with [`Balancer::complete`], or by itself at its deadline.
    Member {
        /// The member.
        member: MemberId,
        /// What to complete.
        lease: Lease,
        /// What decided.
        why: Why,
    },
    /// To nobody now. Nothing changed.
    None {
        /// When to ask again, if time alone may help.
        retry_at: Option<Instant>,
        /// Why nobody was chosen.
        why: Refusal,
    },
}

/// A [`Fleet`] and the [`Policy`] that chooses among its members.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, Outcome, Pick, Refusal, Request, RoundRobin};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<8>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, RoundRobin::new());
/// // Nobody to pick is an answer:
/// let none = balancer.pick(now, &Request::new(), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Empty });
///
/// let a = balancer.fleet_mut().insert(now, Member::new(b"a"))?;
/// let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_eq!((member, balancer.fleet().in_flight(a.slot())), (a, 1));
/// balancer.complete(now, lease, Outcome::Success)?;
/// // A second completion is refused and changes nothing:
/// assert!(balancer.complete(now, lease, Outcome::Success).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Balancer<P, M: Storage, L: Storage> {
    fleet: Fleet<M, L>,
    policy: P,
}

impl<P: Policy, M: Storage, L: Storage> Balancer<P, M, L> {
    /// `policy` over `fleet`.
    #[must_use]
    pub const fn new(fleet: Fleet<M, L>, policy: P) -> Self {
        Self { fleet, policy }
    }

    /// The fleet.
    #[must_use]
    pub const fn fleet(&self) -> &Fleet<M, L> {
        &self.fleet
    }

    /// The fleet, to change its members.
    pub const fn fleet_mut(&mut self) -> &mut Fleet<M, L> {
        &mut self.fleet
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &P {
        &self.policy
    }

    /// The policy, to change its parameters.
    pub const fn policy_mut(&mut self) -> &mut P {
        &mut self.policy
    }

    /// Chooses a member for `request` and notes the call.
    #[inline]
    pub fn pick(&mut self, now: Instant, request: &Request<'_>, rng: &mut impl Rng) -> Pick {
        let now = self.advance(now);
        if self.fleet.calls_full() {
            return Pick::None { retry_at: self.fleet.next_deadline(), why: Refusal::TooManyCalls };
        }
        let choice = if self.fleet.thins(now) {
            self.thinned(now, request, rng)
        } else {
            self.policy.choose(now, View::of(&self.fleet), request, rng)
        };
        match choice {
            Ok(choice) => match self.fleet.claim(choice.slot) {
                Some((member, lease)) => {
                    self.policy.started(now, View::of(&self.fleet), choice.slot);
                    Pick::Member { member, lease, why: choice.why }
                }
                None => Pick::None { retry_at: self.fleet.next_deadline(), why: Refusal::TooManyCalls },
            },
            Err(why) => Pick::None { retry_at: None, why },
        }
    }

    /// Chooses until a member is accepted, each as often as its factor says.
    #[cold]
    fn thinned(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let mut turned_down = [0; 8];
        let mut first = None;
        for count in 0..turned_down.len() {
            let request = request.thin(&turned_down[..count]);
            let choice = match self.policy.choose(now, View::of(&self.fleet), &request, rng) {
                Ok(choice) => choice,
                // All others are avoided: somebody has to do it.
                Err(refusal) => return first.ok_or(refusal),
            };
            let factor = self.fleet.factor(now, choice.slot);
            let draw = match request.hash() {
                // The same for a key and a member each time, so that a key comes to the member once and stays.
                Some(hash) => SplitMix64::seed(hash ^ self.fleet.key(choice.slot).rotate_left(32)).next_u64(),
                None if factor == Q32::ONE => return Ok(choice),
                None => rng.next_u64(),
            };
            if Q32::from_bits(draw >> 32) < factor {
                return Ok(choice);
            }
            first = first.or(Some(choice));
            turned_down[count] = choice.slot;
        }
        first.ok_or(Refusal::Avoided)
    }

    /// Ends a call: the member's counts and the policy hear of it.
    ///
    /// # Errors
    ///
    /// [`Stale`]: the call was completed before or its deadline has passed; nothing changed.
    #[inline]
    pub fn complete(&mut self, now: Instant, lease: Lease, outcome: Outcome) -> Result<(), Stale> {
        let ended = self.fleet.complete(now, lease, outcome)?;
        let now = self.fleet.clock(now);
        self.policy.ended(now, View::of(&self.fleet), &ended);
        Ok(())
    }

    /// Passes on what the member says about itself.
    ///
    /// # Errors
    ///
    /// [`FleetError::Unknown`]: the member is gone; nothing changed.
    pub fn report(&mut self, now: Instant, member: MemberId, report: &Report) -> Result<(), FleetError> {
        self.fleet.report(now, member, report)?;
        let now = self.fleet.clock(now);
        self.policy.reported(now, View::of(&self.fleet), member.slot(), report);
        Ok(())
    }

    /// The member that the policy wants a report from next, if any; ask until it is `None`.
    pub fn probe(&mut self, now: Instant, rng: &mut impl Rng) -> Option<MemberId> {
        let now = self.advance(now);
        let slot = self.policy.probe(now, View::of(&self.fleet), rng)?;
        self.fleet.id(slot)
    }

    /// Does what time alone does: takes back calls whose deadline has passed. [`pick`](Self::pick) does it as well.
    ///
    /// It takes back four at most, so that no call takes long; call it again while [`Fleet::next_deadline`] has passed.
    #[inline]
    pub fn advance(&mut self, now: Instant) -> Instant {
        let now = self.fleet.clock(now);
        if self.fleet.may_be_overdue() {
            self.reclaim(now);
        }
        now
    }

    #[cold]
    fn reclaim(&mut self, now: Instant) {
        for _ in 0..RECLAIMS {
            let Some(ended) = self.fleet.reclaim(now) else { break };
            self.policy.ended(now, View::of(&self.fleet), &ended);
        }
        self.fleet.look_ahead();
    }
}
