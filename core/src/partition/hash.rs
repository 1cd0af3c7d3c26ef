//! Keys by their hash.

use crate::hash::xxh3_64_seeded;
use core::num::NonZeroU32;

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
        self.owner_of_hash(xxh3_64_seeded(key, self.seed))
    }

    /// The part that a key with this XXH3-64 belongs to, where the hash is known already; it must have been made with
    /// [this seed](Self::seed).
    #[must_use]
    pub const fn owner_of_hash(&self, hash: u64) -> u32 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn owners_are_the_exact_high_product(key: Vec<u8>, seed: u64, n: u32) {
            let Some(n) = NonZeroU32::new(n) else { return Ok(()) };
            let exact = (u128::from(xxh3_64_seeded(&key, seed)) * u128::from(n.get())) >> 64;
            prop_assert_eq!(u128::from(HashPartition::new(n).seed(seed).owner(&key)), exact);
        }
    }

    #[test]
    fn ten_thousand_keys_spread_as_chance_would() {
        let cut = HashPartition::new(NonZeroU32::new(16).expect("16 is not zero"));
        let mut loads = vec![0u64; 16];
        for key in 0..10_000u64 {
            loads[cut.owner_u64(key) as usize] += 1;
        }
        // Binomial(10000, 1/16): mean 625, standard deviation 24.2; five of those either way.
        assert!(loads.iter().all(|load| (504..=746).contains(load)), "{loads:?}");
    }
}
