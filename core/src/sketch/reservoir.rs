//! A fair sample of a stream.

use crate::rng::Rng;
use crate::storage::{Inline, List, Storage};

/// A uniform sample of a stream whose length is not known: after any number of items, each of them is in the sample
/// with the same probability.
///
/// *When not to use it:* where everything fits (keep everything), or where old items should count less.
///
/// # Examples
///
/// ```
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::sketch::Reservoir;
/// use divvy::storage::Inline;
///
/// let mut rng = Xoshiro256PlusPlus::seed(1);
/// let mut sample = Reservoir::<u32, Inline<4>>::new();
/// for item in 0..100 {
///     sample.record(item, &mut rng);
/// }
/// assert_eq!((sample.items().len(), sample.seen()), (4, 100));
/// ```
///
/// # Complexity
///
/// *O*(1) and one draw per item; the items and 8 bytes.
///
/// # References
///
/// Algorithm R: Vitter, *Random sampling with a reservoir*, ACM TOMS 11(1), 1985.
#[derive(Debug)]
pub struct Reservoir<T, S: Storage> {
    items: S::List<T>,
    seen: u64,
}

impl<T, const N: usize> Default for Reservoir<T, Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Reservoir<T, Inline<N>> {
    /// An empty sample of up to `N` items.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: heapless::Vec::new(), seen: 0 }
    }
}

#[cfg(feature = "alloc")]
impl<T> Reservoir<T, crate::storage::Heap> {
    /// An empty sample of up to `capacity` items, allocated now.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { items: crate::storage::HeapList::with_capacity(capacity), seen: 0 }
    }
}

impl<T, S: Storage> Reservoir<T, S> {
    /// Sees `item`, which may take the place of another one.
    pub fn record(&mut self, item: T, rng: &mut impl Rng) {
        self.record_with(|| item, rng);
    }

    /// Sees an item that is only made if it enters the sample.
    pub fn record_with(&mut self, item: impl FnOnce() -> T, rng: &mut impl Rng) {
        self.seen = self.seen.saturating_add(1);
        if self.items.len() < self.items.capacity() {
            // There is room.
            let _ = self.items.push(item());
        } else {
            let place = usize::try_from(rng.below_u64(self.seen)).ok();
            if let Some(place) = place.and_then(|place| self.items.get_mut(place)) {
                *place = item();
            }
        }
    }

    /// The sample, in no particular order.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The sample, to be put into order: the chances of what comes do not depend on the places.
    #[must_use]
    pub fn items_mut(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// How many items were seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.items.clear();
        self.seen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Xoshiro256PlusPlus;

    #[test]
    fn every_item_has_the_same_chance() {
        let mut chosen = [0u32; 20];
        let mut rng = Xoshiro256PlusPlus::seed(11);
        for _ in 0..20_000 {
            let mut sample = Reservoir::<usize, Inline<5>>::new();
            for item in 0..20 {
                sample.record(item, &mut rng);
            }
            assert_eq!(sample.items().len(), 5);
            for item in sample.items() {
                chosen[*item] += 1;
            }
        }
        // Binomial(20000, 1/4): mean 5000, standard deviation 61.2; five of those either way.
        assert!(chosen.iter().all(|count| (4_694..=5_306).contains(count)), "{chosen:?}");
    }

    #[test]
    fn what_is_not_kept_is_not_made() {
        let mut rng = Xoshiro256PlusPlus::seed(2);
        let mut sample = Reservoir::<u64, Inline<2>>::default();
        let mut made = 0;
        for item in 0..1_000 {
            sample.record_with(
                || {
                    made += 1;
                    item
                },
                &mut rng,
            );
        }
        // 2 + the sum of 2/k for k from 3 to 1000: 13.97 on average, standard deviation 3.2.
        assert!((3..=30).contains(&made), "{made}");
        sample.clear();
        assert_eq!((sample.items().len(), sample.seen()), (0, 0));
        let mut none = Reservoir::<u64, Inline<0>>::new();
        none.record(1, &mut rng);
        assert_eq!((none.items().len(), none.seen()), (0, 1));
    }
}
