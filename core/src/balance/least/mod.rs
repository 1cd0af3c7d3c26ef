//! The candidate of the lowest measure: few are looked at one by one, many are kept in an index.

mod buckets;
mod loaded;
#[cfg(test)]
mod tests;
mod tournament;
mod weighted;

pub use loaded::LeastLoaded;
pub use weighted::WeightedLeastLoaded;

use super::policy::{Choice, Refusal, View, Why};
use super::request::Request;
use crate::storage::Storage;

/// Up to this many candidates are looked at one by one.
const SCAN: usize = 32;

/// Knows whose measure is lowest while loads change.
trait Index {
    /// How many slots fit.
    fn capacity(&self) -> u32;

    /// Begins anew with these candidates, of a fleet that fits.
    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>);

    /// The load of `slot` is another now, perhaps because it was `chosen`. Who is no candidate changes nothing.
    fn update<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, slot: u32, chosen: bool);

    /// The candidate of the lowest measure; of several, the one that has waited longest.
    fn first<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Option<u32>;

    /// What is to be lowest.
    fn measure<M: Storage, L: Storage>(view: View<'_, M, L>, slot: u32) -> impl Ord;
}

/// What the policies of this folder do, whatever their measure.
#[derive(Debug)]
struct Least<I> {
    index: I,
    /// The epoch of the candidates in the index.
    built: Option<u32>,
    /// The slot after the last that was found without the index.
    next: u32,
}

impl<I> Least<I> {
    const fn new(index: I) -> Self {
        Self { index, built: None, next: 0 }
    }
}

impl<I: Index> Least<I> {
    #[inline(always)]
    fn choose<M: Storage, L: Storage>(
        &mut self,
        view: View<'_, M, L>,
        request: &Request<'_>,
    ) -> Result<Choice, Refusal> {
        if view.slots().len() > SCAN {
            if self.built != Some(view.epoch()) {
                if self.index.capacity() < view.fleet().capacity() {
                    return Err(Refusal::PolicyTooSmall);
                }
                self.index.rebuild(view);
                self.built = Some(view.epoch());
            }
            if let Some(slot) = self.index.first(view)
                && !request.avoids(slot)
            {
                return Ok(Choice { slot, why: Why::LeastLoaded });
            }
        } else {
            self.built = None;
        }
        let slot = scan(view, request, self.next, |slot| I::measure(view, slot))?;
        self.next = slot.wrapping_add(1);
        Ok(Choice { slot, why: Why::LeastLoaded })
    }

    #[inline(always)]
    fn changed<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, slot: u32, chosen: bool) {
        if self.built == Some(view.epoch()) {
            self.index.update(view, slot, chosen);
        }
    }
}

/// The candidate of the lowest `measure` that is not avoided; of several, the first from slot `next` on.
#[inline]
pub(super) fn scan<M: Storage, L: Storage, K: Ord>(
    view: View<'_, M, L>,
    request: &Request<'_>,
    next: u32,
    mut measure: impl FnMut(u32) -> K,
) -> Result<u32, Refusal> {
    let slots = view.slots();
    let (before, after) = slots.split_at(match slots.get(next as usize) {
        // Nearly always the candidates are all slots from 0 on.
        Some(slot) if *slot == next => next as usize,
        _ => slots.partition_point(|slot| *slot < next),
    });
    let allowed = after.iter().chain(before).copied().filter(|slot| !request.avoids(*slot));
    allowed.min_by_key(|slot| measure(*slot)).ok_or_else(|| view.refusal())
}

/// The policy `$name`, whose only field is a [`Least`] over the index `$index`.
macro_rules! policy {
    ($name:ident, $index:ident) => {
        impl<const N: usize> $name<crate::storage::Inline<N>> {
            /// For a fleet of up to `N` members.
            #[must_use]
            pub const fn new() -> Self {
                Self(Least::new($index::<crate::storage::Inline<N>>::new()))
            }
        }

        impl<const N: usize> Default for $name<crate::storage::Inline<N>> {
            fn default() -> Self {
                Self::new()
            }
        }

        #[cfg(feature = "alloc")]
        impl $name<crate::storage::Heap> {
            /// For a fleet of up to `members`, allocated now.
            #[must_use]
            pub fn with_capacity(members: u32) -> Self {
                Self(Least::new($index::<crate::storage::Heap>::with_capacity(members)))
            }
        }

        impl<S: Storage> Policy for $name<S> {
            #[inline(always)]
            fn choose<M: Storage, L: Storage>(
                &mut self,
                _now: Instant,
                view: View<'_, M, L>,
                request: &Request<'_>,
                _rng: &mut impl Rng,
            ) -> Result<Choice, Refusal> {
                self.0.choose(view, request)
            }

            #[inline]
            fn started<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, slot: u32) {
                self.0.changed(view, slot, true);
            }

            #[inline]
            fn ended<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, ended: &Ended) {
                self.0.changed(view, ended.slot, false);
            }

            fn reported<M: Storage, L: Storage>(
                &mut self,
                _now: Instant,
                view: View<'_, M, L>,
                slot: u32,
                _report: &Report,
            ) {
                self.0.changed(view, slot, false);
            }
        }
    };
}
use policy;
