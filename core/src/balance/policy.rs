//! What a policy is: it chooses a slot among candidates and learns what came of it.

use super::fleet::Fleet;
use super::outcome::{Ended, Report};
use super::request::Request;
use crate::storage::Storage;
use crate::{Instant, Rng};
use core::fmt;

/// The candidates of one choice: some of the ready slots of a fleet, and all that the fleet knows of them.
#[derive(Debug)]
pub struct View<'a, M: Storage, L: Storage> {
    fleet: &'a Fleet<M, L>,
    slots: &'a [u32],
    epoch: u32,
}

impl<M: Storage, L: Storage> Clone for View<'_, M, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Storage, L: Storage> Copy for View<'_, M, L> {}

impl<'a, M: Storage, L: Storage> View<'a, M, L> {
    /// Every ready slot of `fleet`.
    #[inline]
    #[must_use]
    pub fn of(fleet: &'a Fleet<M, L>) -> Self {
        Self { fleet, slots: fleet.ready(), epoch: fleet.epoch() }
    }

    /// These `slots` of the same fleet, ascending; `epoch` changes when, and only when, the slots or their weights do.
    #[must_use]
    pub const fn narrow(self, slots: &'a [u32], epoch: u32) -> Self {
        Self { fleet: self.fleet, slots, epoch }
    }

    /// The candidates, ascending, without repetition.
    #[inline]
    #[must_use]
    pub const fn slots(&self) -> &'a [u32] {
        self.slots
    }

    /// The fleet that they belong to.
    #[inline]
    #[must_use]
    pub const fn fleet(&self) -> &'a Fleet<M, L> {
        self.fleet
    }

    /// Another number after each change of the candidates or of their weights: what a policy derives from them is good as
    /// long as this stays.
    #[inline]
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What to answer when nobody can be chosen: why the candidates are none, or that all are avoided.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        if !self.slots.is_empty() {
            Refusal::Avoided
        } else if self.fleet.is_empty() {
            Refusal::Empty
        } else {
            Refusal::NoneReady
        }
    }
}

/// The slot that a policy chose, and why.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Choice {
    /// One of the candidates.
    pub slot: u32,
    /// What decided.
    pub why: Why,
}

/// What decided for a member.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Why {
    /// It was its turn.
    Turn,
    /// Chance.
    Chance,
    /// The key belongs to it.
    Key,
    /// The key's owner was avoided, full or thinned, and this is the next for the key.
    Successor,
    /// It has the least load of all.
    LeastLoaded,
    /// Of two drawn at random it has the lower load.
    LowerOfTwo {
        /// The slot that lost.
        other: u32,
    },
    /// It was the only candidate.
    Only,
    /// Its expected response time is the lowest.
    Fastest,
    /// Nothing is known of it yet.
    Untested,
    /// It said that it is idle.
    Idle,
    /// Prequal: of those with few requests in flight it is the fastest.
    Cold,
    /// Prequal: all have many requests in flight, it the fewest.
    Hot,
    /// Its score is the lowest.
    Score,
    /// The key is bound to it from before.
    Bound,
    /// To learn about it.
    Explore,
    /// Work is kept on few members to let others sleep.
    Consolidated,
    /// One more member was woken, since the others are near their bound.
    Woken,
    /// It is in the request's zone.
    SameZone,
    /// The request's zone cannot take its share.
    OtherZone,
}

/// Why nobody was chosen. No state changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The fleet has no members. Remedy: insert one.
    Empty,
    /// There are members, but all are down, draining, ejected or of weight 0. Remedy: wait for one, or resume or
    /// re-weight one.
    NoneReady,
    /// Every candidate is one that the request avoids. Remedy: avoid fewer.
    Avoided,
    /// As many calls are out as the fleet can account for. Remedy: wait for a completion, or a larger capacity.
    TooManyCalls,
    /// The policy's own storage is smaller than the fleet. Remedy: a policy with the fleet's capacity.
    PolicyTooSmall,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the fleet has no members; insert one",
            Self::NoneReady => {
                "every member is down, draining, ejected or of weight 0; wait, resume or re-weight one"
            }
            Self::Avoided => "the request avoids every candidate; avoid fewer",
            Self::TooManyCalls => "too many calls are out; wait for a completion or choose a larger capacity",
            Self::PolicyTooSmall => {
                "the policy holds fewer members than the fleet; give it the fleet's capacity"
            }
        })
    }
}

impl core::error::Error for Refusal {}

/// A way to choose.
///
/// A policy never sees the clock or chance but as arguments, holds no member's counts (the [`Fleet`] does) and cannot
/// choose a slot that is not among the candidates. So every policy composes with draining, ejection, slow start, zones
/// and subsets, which narrow the candidates.
pub trait Policy {
    /// Chooses one of `view.slots()` that `request` does not avoid.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if there is none; nothing changed.
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal>;

    /// The call went to `slot`, whose in-flight count now includes it.
    fn started<M: Storage, L: Storage>(&mut self, _now: Instant, _view: View<'_, M, L>, _slot: u32) {}

    /// A call ended; the in-flight count of its slot no longer includes it.
    fn ended<M: Storage, L: Storage>(&mut self, _now: Instant, _view: View<'_, M, L>, _ended: &Ended) {}

    /// The member in `slot` said how it is.
    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        _view: View<'_, M, L>,
        _slot: u32,
        _report: &Report,
    ) {
    }

    /// The slot that this policy wants a [`Report`] from next, if any. Each answer counts as one probe sent.
    fn probe<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        _view: View<'_, M, L>,
        _rng: &mut impl Rng,
    ) -> Option<u32> {
        None
    }
}
