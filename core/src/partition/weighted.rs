//! Indices in consecutive parts, each as large as its weight.

use crate::storage::{Inline, List, Storage};
use core::fmt;
use core::ops::Range;

/// Why nothing was cut by weight. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WeightsError {
    /// There is no weight, or all of them are 0. Remedy: give at least one part a weight.
    NoWeight,
    /// There are more parts than fit. Remedy: a larger capacity.
    TooManyParts,
}

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoWeight => "every weight is 0; give at least one part a weight",
            Self::TooManyParts => "there are more parts than fit; choose a larger capacity",
        })
    }
}

impl core::error::Error for WeightsError {}

/// Whole shares of `total` that are as their `weights` and add up to `total`: the largest remainder method.
///
/// Each share is its exact proportion rounded down or up: the largest fractions are rounded up, of equal ones the
/// first. `shares` beyond the weights become 0.
///
/// # Examples
///
/// ```
/// use divvy::partition::{WeightsError, apportion};
///
/// let mut shares = [0; 3];
/// apportion(10, &[1, 1, 1], &mut shares)?;
/// assert_eq!(shares, [4, 3, 3]);
/// assert_eq!(apportion(10, &[0, 0], &mut shares), Err(WeightsError::NoWeight));
/// # Ok::<(), WeightsError>(())
/// ```
///
/// # Complexity
///
/// *O*(parts × log(sum of weights)), no memory.
///
/// # Errors
///
/// [`WeightsError`]; `shares` are then as before.
///
/// # References
///
/// Hamilton's method of apportionment.
pub fn apportion(total: u64, weights: &[u32], shares: &mut [u64]) -> Result<(), WeightsError> {
    let sum = weights.iter().copied().map(u64::from).fold(0, u64::saturating_add);
    if sum == 0 {
        return Err(WeightsError::NoWeight);
    }
    let Some((used, rest)) = shares.split_at_mut_checked(weights.len()) else {
        return Err(WeightsError::TooManyParts);
    };
    rest.fill(0);
    let exact = |weight: u32| u128::from(total) * u128::from(weight);
    let mut left = total;
    for (share, weight) in used.iter_mut().zip(weights) {
        left -= (exact(*weight) / u128::from(sum)) as u64;
        // The remainder for now.
        *share = (exact(*weight) % u128::from(sum)) as u64;
    }
    // What is left over is less than one for each part. The remainders above `mark` get one of it, and of those at the
    // mark the first ones.
    let above = |mark: u64| used.iter().filter(|remainder| **remainder > mark).count() as u64;
    let (mut mark, mut highest) = (0, sum - 1);
    while mark < highest {
        let middle = mark + (highest - mark) / 2;
        if above(middle) > left {
            mark = middle + 1;
        } else {
            highest = middle;
        }
    }
    let mut at_mark = left - above(mark).min(left);
    for (share, weight) in used.iter_mut().zip(weights) {
        let up = *share > mark || (*share == mark && at_mark > 0);
        at_mark -= u64::from(up && *share == mark);
        *share = (exact(*weight) / u128::from(sum)) as u64 + u64::from(up);
    }
    Ok(())
}

/// `len` items cut into consecutive parts that are as large as their weights say.
///
/// Shares are by [`apportion`]: whole, exact to less than one item, and the same on every target. A part without
/// weight is empty.
///
/// *When not to use it:* with equal weights ([`Even`](super::Even) needs no memory), and for requests that arrive one by
/// one.
///
/// # Examples
///
/// ```
/// use divvy::partition::{Weighted, WeightsError};
/// use divvy::storage::Inline;
///
/// let cut = Weighted::<Inline<4>>::new(10, &[3, 1, 0])?;
/// assert!(cut.iter().eq([0..8, 8..10, 10..10]));
/// assert_eq!((cut.of(8), cut.of(10)), (Some(1), None));
/// assert_eq!(Weighted::<Inline<2>>::new(10, &[3, 1, 0]).err(), Some(WeightsError::TooManyParts));
/// # Ok::<(), WeightsError>(())
/// ```
///
/// # Complexity
///
/// [`part`](Self::part) *O*(1), [`of`](Self::of) *O*(log parts); 8 bytes a part.
#[derive(Debug)]
pub struct Weighted<S: Storage> {
    /// Where each part ends.
    ends: S::List<u64>,
}

impl<const N: usize> Weighted<Inline<N>> {
    /// `len` items in as many parts as there are `weights`.
    ///
    /// # Errors
    ///
    /// [`WeightsError`]; nothing was made.
    pub fn new(len: u64, weights: &[u32]) -> Result<Self, WeightsError> {
        Self::cut(heapless::Vec::new(), len, weights)
    }
}

#[cfg(feature = "alloc")]
impl Weighted<crate::storage::Heap> {
    /// `len` items in as many parts as there are `weights`, allocated now.
    ///
    /// # Errors
    ///
    /// [`WeightsError`]; nothing was made.
    pub fn with_weights(len: u64, weights: &[u32]) -> Result<Self, WeightsError> {
        Self::cut(crate::storage::HeapList::with_capacity(weights.len()), len, weights)
    }
}

impl<S: Storage> Weighted<S> {
    fn cut(mut ends: S::List<u64>, len: u64, weights: &[u32]) -> Result<Self, WeightsError> {
        for _ in weights {
            ends.push(0).map_err(|_| WeightsError::TooManyParts)?;
        }
        apportion(len, weights, &mut ends)?;
        let mut end = 0;
        for share in ends.iter_mut() {
            end += *share;
            *share = end;
        }
        Ok(Self { ends })
    }

    /// How many parts there are.
    #[must_use]
    pub fn parts(&self) -> u32 {
        self.ends.len() as u32
    }

    /// The indices of part `part`, or `None` if there is no such part.
    #[must_use]
    pub fn part(&self, part: u32) -> Option<Range<u64>> {
        let end = *self.ends.get(part as usize)?;
        let start = (part as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(start..end)
    }

    /// The part that `index` belongs to, or `None` past the end.
    #[must_use]
    pub fn of(&self, index: u64) -> Option<u32> {
        let part = self.ends.partition_point(|end| *end <= index);
        (part < self.ends.len()).then_some(part as u32)
    }

    /// The parts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<u64>> {
        let mut start = 0;
        self.ends.iter().map(move |end| core::mem::replace(&mut start, *end)..*end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// By the book: sort the fractions, round the largest up.
    fn model(total: u64, weights: &[u32]) -> Vec<u64> {
        let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
        let exact: Vec<u128> = weights.iter().map(|weight| u128::from(total) * u128::from(*weight)).collect();
        let mut shares: Vec<u64> = exact.iter().map(|exact| (exact / sum) as u64).collect();
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by_key(|part| std::cmp::Reverse(exact[*part] % sum));
        let left = total - shares.iter().sum::<u64>();
        for part in order.into_iter().take(left as usize) {
            shares[part] += 1;
        }
        shares
    }

    fn weights() -> impl Strategy<Value = Vec<u32>> {
        let weight = prop_oneof![0u32..5, 0u32..1_000, any::<u32>()];
        prop::collection::vec(weight, 1..40)
    }

    proptest! {
        #[test]
        fn shares_are_those_of_the_largest_remainders(weights in weights(), total in prop_oneof![0u64..100, any::<u64>()]) {
            let mut shares = vec![7; weights.len() + 1];
            if weights.iter().all(|weight| *weight == 0) {
                prop_assert_eq!(apportion(total, &weights, &mut shares), Err(WeightsError::NoWeight));
                prop_assert!(shares.iter().all(|share| *share == 7));
                return Ok(());
            }
            apportion(total, &weights, &mut shares).unwrap();
            prop_assert_eq!(shares.pop(), Some(0));
            prop_assert_eq!(&shares, &model(total, &weights));
            let cut = Weighted::<Inline<40>>::new(total, &weights).unwrap();
            prop_assert_eq!(cut.iter().map(|part| part.end - part.start).collect::<Vec<_>>(), shares);
        }

        #[test]
        fn every_index_is_in_its_part(weights in weights(), total in 0u64..300) {
            let Ok(cut) = Weighted::<Inline<40>>::new(total, &weights) else { return Ok(()) };
            for index in 0..total {
                let part = cut.of(index).unwrap();
                prop_assert!(cut.part(part).unwrap().contains(&index));
            }
            prop_assert_eq!((cut.of(total), cut.part(cut.parts())), (None, None));
            prop_assert!(cut.iter().enumerate().all(|(part, range)| cut.part(part as u32) == Some(range)));
        }
    }

    #[test]
    fn weights_that_cannot_be_used_are_refused() {
        assert_eq!(Weighted::<Inline<4>>::new(5, &[]).err(), Some(WeightsError::NoWeight));
        assert_eq!(apportion(5, &[1, 1], &mut [0]), Err(WeightsError::TooManyParts));
        let mut shares = [0; 2];
        assert_eq!(apportion(u64::MAX, &[u32::MAX, u32::MAX], &mut shares), Ok(()));
        assert_eq!(shares, [1 << 63, (1 << 63) - 1]);
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn both_storages_cut_alike() {
        let weights = [5, 0, 3, 9];
        let heap = Weighted::<crate::storage::Heap>::with_weights(101, &weights).unwrap();
        assert!(heap.iter().eq(Weighted::<Inline<4>>::new(101, &weights).unwrap().iter()));
    }
}
