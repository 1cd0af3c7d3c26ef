//! Indices in consecutive parts of equal count.

use core::fmt;
use core::num::{NonZeroU32, NonZeroU64};
use core::ops::Range;

/// `len` items cut into consecutive parts whose sizes differ by at most one.
///
/// The remainder is spread one item each over the first parts, so no part is more than one item larger than another.
///
/// *When not to use it:* when items differ much in cost; parts of equal count are then parts of unequal work.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::partition::Even;
///
/// let cut = Even::new(10, NonZeroU32::new(4).expect("four is not zero"));
/// assert!(cut.iter().eq([0..3, 3..6, 6..8, 8..10]));
/// assert_eq!(cut.of(6), Some(2));
/// // Past the end there is nothing:
/// assert_eq!((cut.part(4), cut.of(10)), (None, None));
/// ```
///
/// # Complexity
///
/// *O*(1) per question; 24 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Even {
    len: u64,
    size: u64,
    parts: u32,
    /// The first so many parts hold one item more than `size`.
    larger: u32,
}

impl Even {
    /// `len` items in `parts` parts.
    #[must_use]
    pub const fn new(len: u64, parts: NonZeroU32) -> Self {
        let parts = parts.get();
        Self { len, size: len / parts as u64, parts, larger: (len % parts as u64) as u32 }
    }

    /// `len` items in as few batches of at most `most` items as can be: 10 items in batches of at most 4 are 4, 3
    /// and 3, not 4, 4 and 2. No batch is empty, so no items are no batches.
    ///
    /// # Errors
    ///
    /// [`TooManyBatches`]; nothing was made.
    pub const fn batches(len: u64, most: NonZeroU64) -> Result<Self, TooManyBatches> {
        let parts = len.div_ceil(most.get());
        if parts > u32::MAX as u64 {
            return Err(TooManyBatches);
        }
        Ok(match NonZeroU32::new(parts as u32) {
            Some(parts) => Self::new(len, parts),
            None => Self { len: 0, size: 0, parts: 0, larger: 0 },
        })
    }

    /// How many parts there are.
    #[must_use]
    pub const fn parts(&self) -> u32 {
        self.parts
    }

    /// The indices of part `part`, or `None` if there is no such part. With fewer items than parts the last parts
    /// are empty.
    #[must_use]
    pub const fn part(&self, part: u32) -> Option<Range<u64>> {
        if part >= self.parts {
            return None;
        }
        let extra = if part < self.larger { part } else { self.larger };
        let start = part as u64 * self.size + extra as u64;
        Some(start..start + self.size + (part < self.larger) as u64)
    }

    /// The part that `index` belongs to, or `None` past the end.
    #[must_use]
    pub const fn of(&self, index: u64) -> Option<u32> {
        if index >= self.len {
            return None;
        }
        // In the larger parts each holds size + 1 items; what follows counts from their end.
        let boundary = self.larger as u64 * (self.size + 1);
        Some(if index < boundary {
            (index / (self.size + 1)) as u32
        } else {
            self.larger + ((index - boundary) / self.size) as u32
        })
    }

    /// The parts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<u64>> + use<> {
        EvenIter { cut: *self, next: 0 }
    }
}

struct EvenIter {
    cut: Even,
    next: u32,
}

impl Iterator for EvenIter {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let part = self.cut.part(self.next)?;
        self.next += 1;
        Some(part)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.cut.parts - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for EvenIter {}

/// Batches that small would be 2³² or more. Nothing was made. Remedy: larger batches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooManyBatches;

impl fmt::Display for TooManyBatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("batches that small would be 2^32 or more; choose a larger size")
    }
}

impl core::error::Error for TooManyBatches {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("tests ask for at least one part")
    }

    proptest! {
        #[test]
        fn even_parts_cover_everything_once_and_differ_by_one(len in 0u64..5_000, n in 1u32..200) {
            let cut = Even::new(len, parts(n));
            let mut next = 0;
            for (i, range) in cut.iter().enumerate() {
                prop_assert_eq!(range.start, next);
                prop_assert!((len / u64::from(n)..=len / u64::from(n) + 1).contains(&(range.end - range.start)));
                for index in range.clone() {
                    prop_assert_eq!(cut.of(index), Some(i as u32));
                }
                next = range.end;
            }
            prop_assert_eq!(next, len);
            prop_assert_eq!(cut.iter().len(), n as usize);
        }

        #[test]
        fn even_holds_at_the_largest_lengths(index: u64, n: u32) {
            let Some(n) = NonZeroU32::new(n) else { return Ok(()) };
            let cut = Even::new(u64::MAX, n);
            prop_assert_eq!(cut.part(n.get() - 1).map(|range| range.end), Some(u64::MAX));
            if let Some(part) = cut.of(index) {
                prop_assert!(cut.part(part).is_some_and(|range| range.contains(&index)));
            }
        }

        #[test]
        fn batches_are_as_few_as_can_be_and_none_is_too_large_or_empty(len in 0u64..5_000, most in 1u64..300) {
            let cut = Even::batches(len, NonZeroU64::new(most).unwrap()).unwrap();
            prop_assert_eq!(u64::from(cut.parts()), len.div_ceil(most));
            prop_assert!(cut.iter().all(|batch| (1..=most).contains(&(batch.end - batch.start))));
            prop_assert_eq!(cut.iter().map(|batch| batch.end - batch.start).sum::<u64>(), len);
        }
    }

    #[test]
    fn too_many_batches_are_refused() {
        let one = NonZeroU64::MIN;
        assert_eq!(Even::batches(u64::from(u32::MAX), one).map(|cut| cut.parts()), Ok(u32::MAX));
        assert_eq!(Even::batches(1 << 32, one), Err(TooManyBatches));
        assert_eq!(Even::batches(u64::MAX, NonZeroU64::MAX).map(|cut| cut.parts()), Ok(1));
        let none = Even::batches(0, one).unwrap();
        assert_eq!((none.parts(), none.part(0), none.of(0), none.iter().next()), (0, None, None, None));
    }
}
