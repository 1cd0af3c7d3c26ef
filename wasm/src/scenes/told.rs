//! What the scenes warn of: policies that believe the last report as it was, and forget what they have sent since.
//!
//! The library has no such policy. These are here to be compared with those that it has.

use divvy::balance::{AnyPolicy, Choice, Ended, Kind, Policy, Refusal, Report, Request, View, Why};
use divvy::storage::Storage;
use divvy::{Instant, Rng};

use crate::number::Wrong;

/// How to look at what was reported.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// At all members: one of those that had the fewest requests.
    All,
    /// At two that are drawn.
    Two,
}

/// A policy of the library by its name, or one that believes old reports.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each dispatcher, and most are the large one")]
pub(crate) enum Chooser {
    Library(AnyPolicy),
    Told { look: Look, reported: Vec<u32> },
}

impl Chooser {
    /// The names of those that believe old reports.
    pub(crate) const NAMES: [(&'static str, Look); 2] = [("told-all", Look::All), ("told-two", Look::Two)];

    pub(crate) fn named(name: &str, members: u32) -> Result<Self, Wrong> {
        if let Some((_, look)) = Self::NAMES.iter().find(|(told, _)| *told == name) {
            return Ok(Self::Told { look: *look, reported: vec![0; members as usize] });
        }
        let kind: Kind = name.parse().map_err(|error| format!("{name}: {error}"))?;
        Ok(Self::Library(kind.policy(members)))
    }
}

impl Policy for Chooser {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let (look, reported) = match self {
            Self::Library(policy) => return policy.choose(now, view, request, rng),
            Self::Told { look, reported } => (*look, reported),
        };
        let load = |slot: &u32| reported.get(*slot as usize).copied().unwrap_or(0);
        let slots = view.slots();
        let Some(first) = slots.len().checked_sub(1) else { return Err(view.refusal()) };
        if matches!(look, Look::All) {
            let least = slots.iter().map(load).min().unwrap_or(0);
            let equal = || slots.iter().copied().filter(|slot| load(slot) == least);
            let nth = rng.below(equal().count() as u32) as usize;
            let slot = equal().nth(nth).ok_or(Refusal::Empty)?;
            return Ok(Choice { slot, why: Why::LeastLoaded });
        }
        if first == 0 {
            return Ok(Choice { slot: slots[0], why: Why::Only });
        }
        let a = rng.below(slots.len() as u32) as usize;
        let b = (a + 1 + rng.below(first as u32) as usize) % slots.len();
        let (slot, other) =
            if load(&slots[b]) < load(&slots[a]) { (slots[b], slots[a]) } else { (slots[a], slots[b]) };
        Ok(Choice { slot, why: Why::LowerOfTwo { other } })
    }

    fn started<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, slot: u32) {
        if let Self::Library(policy) = self {
            policy.started(now, view, slot);
        }
    }

    fn ended<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, ended: &Ended) {
        if let Self::Library(policy) = self {
            policy.ended(now, view, ended);
        }
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        report: &Report,
    ) {
        match self {
            Self::Library(policy) => policy.reported(now, view, slot, report),
            Self::Told { reported, .. } => {
                if let Some(load) = reported.get_mut(slot as usize) {
                    *load = report.in_flight;
                }
            }
        }
    }

    fn probe<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        rng: &mut impl Rng,
    ) -> Option<u32> {
        match self {
            Self::Library(policy) => policy.probe(now, view, rng),
            Self::Told { .. } => None,
        }
    }
}
