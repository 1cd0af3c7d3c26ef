//! Split points from a sample, so that parts come out as large as they should.

use super::weighted::WeightsError;
use crate::storage::{Inline, List, Storage};

/// A split point: keys below `key` come before it, keys above after it, and of the records with this very key those
/// whose tie-breaker is below `tie` come before.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Splitter<K> {
    /// The key.
    pub key: K,
    /// Where the records of this key are cut, as a fraction of 2⁶⁴.
    pub tie: u64,
}

/// Keys to parts by order, with split points at the quantiles of a sample.
///
/// One key may carry more than a part should hold. It is then cut as well: a split point is a key *and* a fraction of
/// its records, and a record says by a tie-breaker (a hash of its number, or a random one) which fraction it is in. So
/// split points never coincide, no part is left empty because of a heavy key, and sorted parts one after the
/// other are still sorted. Whoever needs all records of a key in one part gives the same tie-breaker to all of
/// them.
///
/// # How even the parts are
///
/// With *k* samples for each of *n* parts, drawn by a [`Reservoir`](crate::sketch::Reservoir) from *N* records, the
/// probability that any part is larger than *a* times the mean is at most *N* × exp(−(1 − 1/*a*)² *a* *k* / 2). To keep
/// it below one in a million for a billion records, *k* = 415 is enough for *a* = 1.5 and 139 for *a* = 2. The
/// scoreboard shows what it comes to.
///
/// *When not to use it:* when nobody asks for order; hashing needs no sample.
///
/// # Examples
///
/// ```
/// use divvy::partition::Splitters;
/// use divvy::storage::Inline;
///
/// // Three of four records have key 5:
/// let mut sample = [5, 1, 5, 5, 9, 5, 5, 5];
/// let splitters = Splitters::<u32, Inline<3>>::new(&mut sample, &[1, 1])?;
/// assert_eq!(splitters.parts(), 2);
/// assert_eq!((splitters.owner(&1, 0), splitters.owner(&9, 0)), (0, 1));
/// // Half of all is 4 of 8: key 1 and the first half of the six fives.
/// assert_eq!((splitters.owner(&5, 0), splitters.owner(&5, u64::MAX)), (0, 1));
/// assert!(Splitters::<u32, Inline<3>>::new(&mut sample, &[0, 0]).is_err());
/// # Ok::<(), divvy::partition::WeightsError>(())
/// ```
///
/// # Complexity
///
/// [`new`](Self::new) *O*(samples × log samples), [`owner`](Self::owner) *O*(log parts); a key and 8 bytes a split
/// point.
///
/// # References
///
/// Sample sort: Frazer, McKellar, JACM 17(3), 1970; the bound: Blelloch and others, *A comparison of sorting
/// algorithms for the Connection Machine CM-2*, SPAA 1991.
#[derive(Debug)]
pub struct Splitters<K, S: Storage> {
    splits: S::List<Splitter<K>>,
}

impl<K: Ord + Clone, const N: usize> Splitters<K, Inline<N>> {
    /// As many parts as there are `weights`, each as large as its weight says, cut at the quantiles of `sample`, which
    /// is put into order.
    ///
    /// Without any sample there is one part. A part of weight 0 gets nothing but by chance of the cut.
    ///
    /// # Errors
    ///
    /// [`WeightsError::NoWeight`] if there is no weight above 0, [`WeightsError::TooManyParts`] if there are more than
    /// `N` split points, one less than parts; nothing was made.
    pub fn new(sample: &mut [K], weights: &[u32]) -> Result<Self, WeightsError> {
        Self::cut(heapless::Vec::new(), sample, weights)
    }
}

#[cfg(feature = "alloc")]
impl<K: Ord + Clone> Splitters<K, crate::storage::Heap> {
    /// The same as [`new`](Splitters::new), allocated now.
    ///
    /// # Errors
    ///
    /// [`WeightsError::NoWeight`] if there is no weight above 0; nothing was made.
    pub fn with_weights(sample: &mut [K], weights: &[u32]) -> Result<Self, WeightsError> {
        Self::cut(crate::storage::HeapList::with_capacity(weights.len()), sample, weights)
    }
}

impl<K: Ord + Clone, S: Storage> Splitters<K, S> {
    fn cut(
        mut splits: S::List<Splitter<K>>,
        sample: &mut [K],
        weights: &[u32],
    ) -> Result<Self, WeightsError> {
        let total = weights.iter().copied().map(u64::from).fold(0, u64::saturating_add);
        if total == 0 {
            return Err(WeightsError::NoWeight);
        }
        if weights.len() - 1 > splits.capacity() {
            return Err(WeightsError::TooManyParts);
        }
        sample.sort_unstable();
        let mut before = 0u64;
        for weight in &weights[..weights.len() - 1] {
            before += u64::from(*weight);
            // The cut is after so many samples: a whole number of them and a fraction of the next one.
            let exact = sample.len() as u128 * u128::from(before);
            let (whole, rest) = ((exact / u128::from(total)) as usize, exact % u128::from(total));
            let Some(key) = sample.get(whole).or_else(|| sample.last()) else { break };
            let first = sample.partition_point(|other| other < key);
            let count = sample[first..].partition_point(|other| other <= key) as u128;
            // Of the `count` samples of this key, so much is before the cut: below 1, or all of it at the very end.
            let part = (whole - first) as u128 * u128::from(total) + rest;
            let tie = fraction(part, count * u128::from(total));
            // There is room: it was checked.
            let _ = splits.push(Splitter { key: key.clone(), tie });
        }
        Ok(Self { splits })
    }

    /// How many parts there are.
    #[must_use]
    pub fn parts(&self) -> u32 {
        self.splits.len() as u32 + 1
    }

    /// The part that a record with `key` and this tie-breaker belongs to. Tie-breakers should be spread over all
    /// numbers.
    #[must_use]
    pub fn owner(&self, key: &K, tie: u64) -> u32 {
        self.splits.partition_point(|split| (&split.key, split.tie) <= (key, tie)) as u32
    }

    /// The split points in order.
    #[must_use]
    pub fn splits(&self) -> &[Splitter<K>] {
        &self.splits
    }
}

/// `part / whole` as a fraction of 2⁶⁴, at most the largest one.
fn fraction(part: u128, whole: u128) -> u64 {
    if part >= whole {
        return u64::MAX;
    }
    // Sixty-four steps of long division: the product with 2⁶⁴ may not fit.
    let (mut bits, mut rest) = (0u64, part);
    for _ in 0..u64::BITS {
        rest <<= 1;
        bits <<= 1;
        if rest >= whole {
            rest -= whole;
            bits |= 1;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        /// The sample itself, each value with evenly spread tie-breakers, must fall into the parts as the weights say.
        #[test]
        fn the_sample_is_cut_as_the_weights_say(
            mut sample in prop::collection::vec(0u8..30, 1..200), weights in prop::collection::vec(0u32..9, 1..12),
        ) {
            let Ok(cut) = Splitters::<u8, Inline<11>>::new(&mut sample, &weights) else {
                prop_assert!(weights.iter().all(|weight| *weight == 0));
                return Ok(());
            };
            prop_assert!(cut.splits().is_sorted());
            prop_assert_eq!(cut.parts() as usize, weights.len());
            // Each sample stands for a thousand records, spread over the fractions that its value has.
            let mut counts = vec![0u64; weights.len()];
            for (at, key) in sample.iter().enumerate() {
                let first = sample.iter().position(|other| other == key).unwrap();
                let all = sample.iter().filter(|other| *other == key).count() as u128 * 1_000;
                for i in 0..1_000 {
                    let tie = (((at - first) as u128 * 1_000 + i) << 64) / all;
                    counts[cut.owner(key, tie as u64) as usize] += 1;
                }
            }
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            for (count, weight) in counts.iter().zip(&weights) {
                let exact = (sample.len() * 1_000) as u64 * u64::from(*weight);
                // One record of a thousand at either end, by rounding.
                prop_assert!((count * total).abs_diff(exact) <= 2 * total, "{:?} for {:?}", counts, weights);
            }
        }

        #[test]
        fn parts_are_in_the_order_of_their_keys(
            mut sample in prop::collection::vec(0u8..20, 0..60), parts in 1usize..12, a: (u8, u64), b: (u8, u64),
        ) {
            let cut = Splitters::<u8, Inline<11>>::new(&mut sample, &vec![1; parts]).unwrap();
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(cut.owner(&low.0, low.1) <= cut.owner(&high.0, high.1));
        }
    }

    #[test]
    fn one_key_alone_is_cut_into_all_parts() {
        let cut = Splitters::<u8, Inline<3>>::new(&mut [7; 10], &[1; 4]).unwrap();
        let quarter = 1 << 62;
        let owners: Vec<u32> = (0..4).map(|i| cut.owner(&7, i * quarter)).collect();
        assert_eq!(owners, [0, 1, 2, 3]);
        assert_eq!((cut.owner(&6, u64::MAX), cut.owner(&8, 0)), (0, 3));
    }

    #[test]
    fn fewer_samples_than_parts_and_none_at_all_are_answers() {
        let cut = Splitters::<u8, Inline<9>>::new(&mut [3], &[1; 10]).unwrap();
        assert_eq!((cut.owner(&2, 0), cut.owner(&3, 1 << 63), cut.owner(&4, 0)), (0, 5, 9));
        let none = Splitters::<u8, Inline<9>>::new(&mut [], &[1; 10]).unwrap();
        assert_eq!((none.parts(), none.owner(&200, 0)), (1, 0));
        let refused = Splitters::<u8, Inline<2>>::new(&mut [1], &[1; 4]).err();
        assert_eq!(refused, Some(WeightsError::TooManyParts));
        assert_eq!(Splitters::<u8, Inline<2>>::new(&mut [1], &[]).err(), Some(WeightsError::NoWeight));
    }

    #[test]
    fn the_stated_sample_sizes_keep_the_stated_odds() {
        // ln(N × 10⁶) for a billion records is 34.54; the exponent must reach it.
        for (a, k) in [(1.5f64, 415.0), (2.0, 139.0)] {
            let exponent = (1.0 - 1.0 / a).powi(2) * a * k / 2.0;
            assert!((34.54..34.8).contains(&exponent), "{a}: {exponent}");
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn both_storages_cut_alike() {
        let mut sample: Vec<u32> = (0..100).map(|i| i * i % 31).collect();
        let heap = Splitters::<u32, crate::storage::Heap>::with_weights(&mut sample, &[1, 2, 3]).unwrap();
        assert_eq!(
            heap.splits(),
            Splitters::<u32, Inline<2>>::new(&mut sample, &[1, 2, 3]).unwrap().splits()
        );
    }
}
