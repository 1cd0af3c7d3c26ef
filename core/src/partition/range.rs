//! Keys by where they stand between split points.

use core::borrow::Borrow;
use core::fmt;
use core::ops::RangeInclusive;

/// Why split points were refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SplitError {
    /// The split point of this number is smaller than the one before it. Remedy: sort them.
    Unsorted(u32),
    /// The split point of this number equals the one before it: the part between them could never get a key. Remedy:
    /// leave one out, or use [`Splitters`](super::Splitters), which share a heavy key out.
    Equal(u32),
    /// There are 2³² − 1 split points or more. Remedy: fewer parts.
    TooMany,
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsorted(index) => {
                write!(f, "split point {index} is smaller than the one before it; sort them")
            }
            Self::Equal(index) => write!(f, "split point {index} equals the one before it; leave one out"),
            Self::TooMany => f.write_str("there are 2^32 - 1 split points or more; use fewer parts"),
        }
    }
}

impl core::error::Error for SplitError {}

/// Keys to parts by order: part 0 holds those below the first split point, and each split point is the smallest key of
/// its part.
///
/// Parts are in the order of their keys, so sorted parts one after the other are sorted, and a range of keys is a
/// range of parts. Keys are anything ordered: numbers, strings, byte strings.
///
/// *When not to use it:* when nobody asks for order (hashing needs no split points and spreads any keys), or when the
/// keys are not known well enough to choose split points ([`Splitters`](super::Splitters) takes them from a sample).
///
/// # Examples
///
/// ```
/// use divvy::partition::{RangePartition, SplitError};
///
/// let names = RangePartition::new(&["h", "p"])?;
/// assert_eq!((names.owner("ann"), names.owner("h"), names.owner("zoe")), (0, 1, 2));
/// assert_eq!(names.owners("ann", "kim"), 0..=1);
/// assert_eq!(RangePartition::new(&[5, 3]).err(), Some(SplitError::Unsorted(1)));
/// assert_eq!(RangePartition::new(&[5, 5]).err(), Some(SplitError::Equal(1)));
/// # Ok::<(), SplitError>(())
/// ```
///
/// # Complexity
///
/// *O*(log parts) comparisons, without a branch that depends on the outcome of one; the split points stay where they
/// are.
#[derive(Debug)]
pub struct RangePartition<'a, K> {
    splits: &'a [K],
}

impl<K> Clone for RangePartition<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for RangePartition<'_, K> {}

impl<'a, K: Ord> RangePartition<'a, K> {
    /// One part more than there are `splits`, which must rise.
    ///
    /// # Errors
    ///
    /// [`SplitError`] names the first split point that is wrong.
    pub fn new(splits: &'a [K]) -> Result<Self, SplitError> {
        if splits.len() >= u32::MAX as usize {
            return Err(SplitError::TooMany);
        }
        for (index, pair) in (1..).zip(splits.windows(2)) {
            if pair[0] == pair[1] {
                return Err(SplitError::Equal(index));
            }
            if pair[0] > pair[1] {
                return Err(SplitError::Unsorted(index));
            }
        }
        Ok(Self { splits })
    }

    /// How many parts there are.
    #[must_use]
    pub const fn parts(&self) -> u32 {
        self.splits.len() as u32 + 1
    }

    /// The part that `key` belongs to.
    #[must_use]
    pub fn owner<Q>(&self, key: &Q) -> u32
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.splits.partition_point(|split| split.borrow() <= key) as u32
    }

    /// The parts that hold the keys from `first` to `last`, both included; empty if `last` comes before `first`.
    #[must_use]
    pub fn owners<Q>(&self, first: &Q, last: &Q) -> RangeInclusive<u32>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        if first > last {
            #[allow(clippy::reversed_empty_ranges)]
            return 1..=0;
        }
        self.owner(first)..=self.owner(last)
    }

    /// The smallest key of `part` and the smallest key that is beyond it; `None` where there is no bound. `None`
    /// altogether if there is no such part.
    #[must_use]
    pub fn bounds(&self, part: u32) -> Option<(Option<&'a K>, Option<&'a K>)> {
        let first = (part as usize).checked_sub(1).map(|before| self.splits.get(before));
        match first {
            Some(None) => None,
            first => Some((first.flatten(), self.splits.get(part as usize))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn a_key_belongs_where_counting_says(splits in prop::collection::btree_set(any::<u8>(), 0..40), keys: Vec<u8>) {
            let splits: Vec<u8> = splits.into_iter().collect();
            let cut = RangePartition::new(&splits).unwrap();
            prop_assert_eq!(cut.parts() as usize, splits.len() + 1);
            for key in keys {
                let owner = cut.owner(&key);
                prop_assert_eq!(owner as usize, splits.iter().filter(|split| **split <= key).count());
                let (first, beyond) = cut.bounds(owner).unwrap();
                prop_assert!(first.is_none_or(|first| *first <= key) && beyond.is_none_or(|beyond| key < *beyond));
            }
            prop_assert_eq!(cut.bounds(cut.parts()), None);
        }

        #[test]
        fn a_range_of_keys_is_the_parts_of_its_keys(splits: BTreeSet<u8>, a: u8, b: u8) {
            let splits: Vec<u8> = splits.into_iter().collect();
            let cut = RangePartition::new(&splits).unwrap();
            let parts: BTreeSet<u32> = (a..=b).map(|key| cut.owner(&key)).collect();
            prop_assert!(cut.owners(&a, &b).eq(parts));
        }

        #[test]
        fn split_points_that_do_not_rise_are_refused(splits: Vec<u8>) {
            let wrong = (1..splits.len()).find(|i| splits[i - 1] >= splits[*i]);
            let expected = wrong.map(|i| match splits[i - 1] == splits[i] {
                true => SplitError::Equal(i as u32),
                false => SplitError::Unsorted(i as u32),
            });
            prop_assert_eq!(RangePartition::new(&splits).err(), expected);
        }
    }

    #[test]
    fn byte_strings_and_owned_keys_are_looked_up_by_reference() {
        let splits = [Vec::from(*b"b"), Vec::from(*b"ba")];
        let cut = RangePartition::new(&splits).unwrap();
        let owners = [&b"a"[..], b"b", b"b\xff", b"ba", b""].map(|key| cut.owner(key));
        assert_eq!(owners, [0, 1, 2, 2, 0]);
        let one = RangePartition::<u64>::new(&[]).unwrap();
        assert_eq!((one.parts(), one.owner(&7), one.bounds(0)), (1, 0, Some((None, None))));
    }
}
