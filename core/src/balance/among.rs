//! What several policies ask of a choice's candidates.

use super::policy::{Refusal, View, Why};
use super::request::Request;
use crate::Rng;
use crate::storage::{List, Storage};

/// How many draws may fall on avoided candidates before the others are counted.
const DRAWS: u32 = 8;

/// Whether `slot` is one of `slots`, which ascend. *O*(1) where they are all slots from 0 on, else *O*(log n).
pub(super) fn contains(slots: &[u32], slot: u32) -> bool {
    slots.get(slot as usize) == Some(&slot) || slots.binary_search(&slot).is_ok()
}

/// The only candidate, if there is only one and `request` does not avoid it.
pub(super) fn only<M: Storage, L: Storage>(view: View<'_, M, L>, request: &Request<'_>) -> Option<u32> {
    match view.slots() {
        [slot] if !request.avoids(*slot) => Some(*slot),
        _ => None,
    }
}

/// Whether `request` leaves a candidate. *O*(1) unless it avoids as many slots as there are candidates.
pub(super) fn any_left<M: Storage, L: Storage>(view: View<'_, M, L>, request: &Request<'_>) -> bool {
    let slots = view.slots();
    slots.len() > request.avoided_len() || slots.iter().any(|slot| !request.avoids(*slot))
}

/// A candidate that `request` does not avoid, each with the same probability. *O*(1), with avoided slots *O*(avoided)
/// expected, where most are avoided *O*(candidates × avoided).
#[inline(always)]
pub(super) fn chance<M: Storage, L: Storage>(
    view: View<'_, M, L>,
    request: &Request<'_>,
    rng: &mut impl Rng,
) -> Result<(u32, Why), Refusal> {
    let slots = view.slots();
    if slots.len() < 2 {
        return match only(view, request) {
            Some(slot) => Ok((slot, Why::Only)),
            None if slots.is_empty() => Err(view.refusal()),
            None => next_chance(DRAWS, view, request, rng),
        };
    }
    // Nearly always the first draw is right.
    let slot = slots[rng.below(slots.len() as u32) as usize];
    if request.avoids(slot) {
        return next_chance(DRAWS - 1, view, request, rng);
    }
    Ok((slot, Why::Chance))
}

/// [`chance`] with so many draws left.
#[cold]
fn next_chance<M: Storage, L: Storage>(
    draws: u32,
    view: View<'_, M, L>,
    request: &Request<'_>,
    rng: &mut impl Rng,
) -> Result<(u32, Why), Refusal> {
    let slots = view.slots();
    for _ in 0..draws {
        let slot = slots[rng.below(slots.len() as u32) as usize];
        if !request.avoids(slot) {
            return Ok((slot, Why::Chance));
        }
    }
    let left = slots.iter().filter(|slot| !request.avoids(**slot)).count();
    let nth = rng.below(left as u32) as usize;
    let slot = slots.iter().filter(|slot| !request.avoids(**slot)).nth(nth);
    slot.map(|slot| (*slot, Why::Chance)).ok_or_else(|| view.refusal())
}

/// What a policy keeps of one member, whether or not the member is a candidate now.
pub(super) trait Entry {
    fn slot(&self) -> u32;
    fn generation(&self) -> u32;
    fn is_candidate(&self) -> bool;
    fn set_candidate(&mut self, candidate: bool);
}

/// Makes `entries` those of the view's candidates, ascending by slot, followed by those of members that are none now:
/// a member that comes back finds what it left. Entries of members that are gone are dropped, missing ones are made by
/// `fresh` of slot and generation. *O*(n log n). Returns the number of candidates.
pub(super) fn enrol<E: Entry, M: Storage, L: Storage>(
    entries: &mut impl List<E>,
    view: View<'_, M, L>,
    fresh: impl Fn(u32, u32) -> E,
) -> Result<usize, Refusal> {
    let (slots, fleet) = (view.slots(), view.fleet());
    if slots.len() > entries.capacity() {
        return Err(Refusal::PolicyTooSmall);
    }
    let generation = |slot| fleet.id(slot).map(|id| id.generation());
    let mut at = 0;
    while let Some(entry) = entries.get_mut(at) {
        if generation(entry.slot()) == Some(entry.generation()) {
            entry.set_candidate(contains(slots, entry.slot()));
            at += 1;
        } else {
            entries.swap_remove(at);
        }
    }
    entries.sort_unstable_by_key(Entry::slot);
    let mut known = entries.len();
    for &slot in slots {
        if entries[..known].binary_search_by_key(&slot, Entry::slot).is_ok() {
            continue;
        }
        let entry = || {
            let mut entry = fresh(slot, generation(slot).unwrap_or(0));
            entry.set_candidate(true);
            entry
        };
        if entries.push(entry()).is_err() {
            // Full: of those who are no candidates now, the last gives way.
            let Some(idle) = entries[..known].iter().rposition(|entry| !entry.is_candidate()) else {
                return Err(Refusal::PolicyTooSmall);
            };
            entries[idle..].rotate_left(1);
            known -= 1;
            if let Some(last) = entries.last_mut() {
                *last = entry();
            }
        }
    }
    entries.sort_unstable_by_key(|entry| (!entry.is_candidate(), entry.slot()));
    Ok(slots.len())
}
