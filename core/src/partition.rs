//! Cutting work: which part does an index, a key or a record belong to?

use crate::fixed::Q32;
use crate::hash::xxh3_64_seeded;
use core::num::NonZeroU32;
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

/// Keys to parts by their hash: the same key always lands on the same part, on every target.
///
/// The hash is XXH3-64 and the part is the high word of `hash × parts`, so every part gets its share to within
/// `parts / 2⁶⁴`, where a remainder would favour the first ones.
///
/// *When not to use it:* when parts come and go: changing their number moves almost every key. And a few keys that
/// carry most of the traffic stay where they are, however heavy.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::partition::HashPartition;
///
/// let parts = HashPartition::new(NonZeroU32::new(8).expect("eight is not zero"));
/// assert_eq!(parts.owner(b"user:17"), parts.owner(b"user:17"));
/// assert!(parts.owner(b"user:17") < 8);
/// // No parts at all cannot be asked for:
/// assert!(NonZeroU32::new(0).map(HashPartition::new).is_none());
/// ```
///
/// # Complexity
///
/// *O*(length of the key); 16 bytes.
///
/// # References
///
/// The multiply-high reduction: Lemire, *Fast random integer generation in an interval*, ACM TOMACS 29(1), 2019.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HashPartition {
    parts: NonZeroU32,
    seed: u64,
}

impl HashPartition {
    /// Partitions into `parts`, with hash seed 0.
    #[must_use]
    pub const fn new(parts: NonZeroU32) -> Self {
        Self { parts, seed: 0 }
    }

    /// Another placement for each `seed`: where two levels partition the same keys, give them different seeds.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many parts there are.
    #[must_use]
    pub const fn parts(&self) -> u32 {
        self.parts.get()
    }

    /// The part that `key` belongs to.
    #[must_use]
    pub const fn owner(&self, key: &[u8]) -> u32 {
        let hash = xxh3_64_seeded(key, self.seed);
        let parts = self.parts.get() as u64;
        // (hash × parts) >> 64, in two 32 × 32 → 64 bit products.
        let low = ((hash & 0xFFFF_FFFF) * parts) >> 32;
        (((hash >> 32) * parts + low) >> 32) as u32
    }

    /// The part that the integer `key` belongs to: that of its eight little-endian bytes.
    #[must_use]
    pub const fn owner_u64(&self, key: u64) -> u32 {
        self.owner(&key.to_le_bytes())
    }
}

/// The skew factor of `loads`: the largest over the mean. `None` without load, or from 2³² on.
///
/// 1 is perfectly even, the number of parts is everything on one of them, and it is never more. Exact rounded down as
/// long as `largest × parts` fits 64 bits, and to 63 significant bits beyond.
///
/// # Examples
///
/// ```
/// use divvy::fixed::Q32;
/// use divvy::partition::skew;
///
/// assert_eq!(skew(&[10, 10, 10]), Some(Q32::ONE));
/// assert_eq!(skew(&[30, 0, 0]), Some(Q32::from_int(3)));
/// assert_eq!(skew(&[]), None);
/// ```
#[must_use]
pub fn skew(loads: &[u64]) -> Option<Q32> {
    let largest = loads.iter().copied().max()?;
    let total: u128 = loads.iter().copied().map(u128::from).sum();
    let scaled = u128::from(largest) * loads.len() as u128;
    // The largest is at least the mean, so `scaled` is the greater of the two: what makes it fit makes both fit.
    let shift = (u128::BITS - scaled.leading_zeros()).saturating_sub(u64::BITS);
    Q32::from_ratio((scaled >> shift) as u64, (total >> shift) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

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
        fn owners_are_the_exact_high_product(key: Vec<u8>, seed: u64, n: u32) {
            let Some(n) = NonZeroU32::new(n) else { return Ok(()) };
            let exact = (u128::from(xxh3_64_seeded(&key, seed)) * u128::from(n.get())) >> 64;
            prop_assert_eq!(u128::from(HashPartition::new(n).seed(seed).owner(&key)), exact);
        }

        #[test]
        fn skew_lies_between_one_and_the_number_of_parts(loads in prop::collection::vec(0u64..1 << 40, 1..50)) {
            match skew(&loads) {
                None => prop_assert!(loads.iter().all(|load| *load == 0)),
                Some(skew) => {
                    prop_assert!(skew >= Q32::ONE);
                    prop_assert!(skew <= Q32::from_int(loads.len() as u32));
                }
            }
        }
    }

    #[test]
    fn ten_thousand_keys_spread_as_chance_would() {
        let cut = HashPartition::new(parts(16));
        let mut loads = vec![0u64; 16];
        for key in 0..10_000u64 {
            loads[cut.owner_u64(key) as usize] += 1;
        }
        // Binomial(10000, 1/16): mean 625, standard deviation 24.2; five of those either way.
        assert!(loads.iter().all(|load| (504..=746).contains(load)), "{loads:?}");
    }

    #[test]
    fn skew_survives_loads_that_overflow() {
        assert_eq!(skew(&[u64::MAX, u64::MAX]), Some(Q32::ONE));
        assert_eq!(skew(&[u64::MAX, 0, 0]), Some(Q32::from_int(3)));
        assert_eq!(skew(&[0, 0]), None);
    }
}
