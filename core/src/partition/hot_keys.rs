//! Keys by their hash, of which the heaviest are split over several parts.

use super::HashPartition;
use crate::fixed::Q32;
use crate::hash::xxh3_64;
use crate::sketch::SpaceSaving;
use crate::storage::{Inline, List, Storage};
use core::fmt;
use core::num::NonZeroU32;

/// There are more parts than fit. Nothing was made. Remedy: a larger capacity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooManyParts;

impl fmt::Display for TooManyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are more parts than fit; choose a larger capacity")
    }
}

impl core::error::Error for TooManyParts {}

/// Where a record goes, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Place {
    /// To the one part that owns its key.
    Owner(u32),
    /// The key is hot: to the least loaded of several parts.
    Split {
        /// The part.
        part: u32,
        /// Over how many parts the key is split now.
        choices: u32,
    },
}

impl Place {
    /// The part, whatever the reason.
    #[must_use]
    pub const fn part(self) -> u32 {
        match self {
            Self::Owner(part) | Self::Split { part, .. } => part,
        }
    }
}

/// Fewer records than this are no evidence that a key is hot.
const EVIDENCE: u64 = 16;

/// Keys to parts by their hash, but for the few that carry more than a share of all records: those are split over
/// several parts.
///
/// A [`SpaceSaving`] sketch watches the keys. A key above the threshold goes to the least loaded of its choices: twice
/// as many parts as its measured share would fill alone, and more only while all of these are above the mean. Every
/// other key goes to its owner. The choices of a key are its owner and the parts after it, so a key that grows hotter
/// keeps the choices that it had.
///
/// As long as there are enough hot records to even out what the other keys leave uneven, no part carries more than 1.01
/// times the mean.
///
/// What is split must be put together again: whoever aggregates by key merges the partial results of a hot key. The
/// scoreboard shows what that costs and what it gains.
///
/// *When not to use it:* where all records of a key must be seen by one part in their order
/// ([`HashPartition`]), or when no key is hot.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::fixed::Q32;
/// use divvy::partition::{HotKeys, Place, TooManyParts};
/// use divvy::storage::Inline;
///
/// let four = NonZeroU32::new(4).expect("four is not zero");
/// let mut parts = HotKeys::<Inline<64>>::new(four)?;
/// for record in 0..1_000u32 {
///     // Every other record has the same key:
///     let key = if record % 2 == 0 { 0 } else { record };
///     let _ = parts.assign(&key.to_le_bytes());
/// }
/// assert!(matches!(parts.assign(&0u32.to_le_bytes()), Place::Split { choices: 4, .. }));
/// assert!(matches!(parts.assign(b"a new one"), Place::Owner(_)));
/// assert!(parts.skew() < Q32::from_ratio(101, 100));
/// assert_eq!(HotKeys::<Inline<3>>::new(four).err(), Some(TooManyParts));
/// # Ok::<(), TooManyParts>(())
/// ```
///
/// # Complexity
///
/// *O*(length of the key), and one step for each choice of a hot key. 40 bytes a counter and 8 bytes a part.
///
/// # Concurrency
///
/// Single owner (`&mut self`). Several cutters may each have their own: every one of them balances what it sends.
///
/// # References
///
/// Nasir and others: *When two choices are not enough: balancing at scale in distributed stream processing*,
/// ICDE 2016.
#[derive(Debug)]
pub struct HotKeys<S: Storage> {
    sketch: SpaceSaving<S>,
    loads: S::List<u64>,
    /// All loads together.
    sent: u64,
    owners: HashPartition,
    threshold: Q32,
}

impl<const N: usize> HotKeys<Inline<N>> {
    /// `parts` parts, of which up to `N` fit, and `N` counters. A key is hot from 1 / (5 × `parts`) of all records on;
    /// so that none is overlooked, `N` should be 5 × `parts` or more.
    ///
    /// # Errors
    ///
    /// [`TooManyParts`]; nothing was made.
    pub fn new(parts: NonZeroU32) -> Result<Self, TooManyParts> {
        if parts.get() as usize > N {
            return Err(TooManyParts);
        }
        Ok(Self::build(SpaceSaving::new(), heapless::Vec::new(), parts))
    }
}

#[cfg(feature = "alloc")]
impl HotKeys<crate::storage::Heap> {
    /// `parts` parts and `counters` counters, allocated now. A key is hot from 1 / (5 × `parts`) of all records on; so
    /// that none is overlooked, `counters` should be 5 × `parts` or more.
    #[must_use]
    pub fn with_capacity(parts: NonZeroU32, counters: usize) -> Self {
        let loads = crate::storage::HeapList::with_capacity(parts.get() as usize);
        Self::build(SpaceSaving::with_capacity(counters), loads, parts)
    }
}

impl<S: Storage> HotKeys<S> {
    fn build(sketch: SpaceSaving<S>, mut loads: S::List<u64>, parts: NonZeroU32) -> Self {
        for _ in 0..parts.get() {
            // There is room: the caller made sure.
            let _ = loads.push(0);
        }
        let threshold = Q32::from_ratio(1, 5 * u64::from(parts.get())).unwrap_or(Q32::ONE);
        Self { sketch, loads, sent: 0, owners: HashPartition::new(parts), threshold }
    }

    /// A key is hot from this share of all records on.
    #[must_use]
    pub fn threshold(mut self, share: Q32) -> Self {
        self.threshold = share;
        self
    }

    /// How many parts there are.
    #[must_use]
    pub const fn parts(&self) -> u32 {
        self.owners.parts()
    }

    /// The part that `key` belongs to while it is not hot.
    #[must_use]
    pub const fn owner(&self, key: &[u8]) -> u32 {
        self.owners.owner(key)
    }

    /// Counts a record with `key` and says where it goes.
    pub fn assign(&mut self, key: &[u8]) -> Place {
        self.assign_hash(xxh3_64(key))
    }

    /// The same for a record whose key has this XXH3-64.
    pub fn assign_hash(&mut self, hash: u64) -> Place {
        let at_least = self.sketch.record(hash).map_or(0, |hitter| hitter.at_least());
        let owner = self.owners.owner_of_hash(hash);
        let choices = self.choices(at_least);
        let place = match choices {
            1 => Place::Owner(owner),
            _ => Place::Split { part: self.least_loaded(owner, choices), choices },
        };
        if let Some(load) = self.loads.get_mut(place.part() as usize) {
            *load = load.saturating_add(1);
            self.sent = self.sent.saturating_add(1);
        }
        place
    }

    /// Over how many parts a key is split that came at least so often.
    fn choices(&self, at_least: u64) -> u32 {
        let (total, parts) = (self.sketch.total(), self.parts());
        if at_least < EVIDENCE || at_least <= self.threshold.mul_int(total) {
            return 1;
        }
        // Share × parts is how many parts it fills alone. Both counts in 32 bits, so that the product fits 64.
        let shift = (u64::BITS - total.leading_zeros()).saturating_sub(u32::BITS);
        let fills = ((at_least >> shift) * u64::from(parts)).div_ceil((total >> shift).max(1));
        (2 * fills + 1).min(parts.into()) as u32
    }

    /// The least loaded of the `choices` parts from `owner` on, the first of equals. If all of them are above the mean,
    /// by more than a 128th of it and a few records at the start, the first one after them that is not: there always
    /// is one.
    fn least_loaded(&self, owner: u32, choices: u32) -> u32 {
        let parts = self.loads.len();
        let mean = self.sent / parts as u64;
        let most = mean.saturating_add(mean / 128 + 4);
        let (mut best, mut least) = (owner as usize, u64::MAX);
        let mut part = owner as usize;
        for step in 0..parts {
            if step >= choices as usize && least <= most {
                break;
            }
            let load = self.loads[part];
            if load < least {
                (best, least) = (part, load);
            }
            part = if part + 1 == parts { 0 } else { part + 1 };
        }
        best as u32
    }

    /// How many records went to each part, in order. Halved by [`halve`](Self::halve).
    #[must_use]
    pub fn loads(&self) -> &[u64] {
        &self.loads
    }

    /// The skew factor of the parts' loads; `None` without any.
    #[must_use]
    pub fn skew(&self) -> Option<Q32> {
        super::skew(&self.loads)
    }

    /// What is known about the keys, by their XXH3-64.
    #[must_use]
    pub const fn sketch(&self) -> &SpaceSaving<S> {
        &self.sketch
    }

    /// Halves all counts, of keys and of parts, so that what was hot long ago weighs less than what is hot now.
    pub fn halve(&mut self) {
        self.sketch.halve();
        for load in self.loads.iter_mut() {
            *load /= 2;
        }
        self.sent = self.loads.iter().copied().fold(0, u64::saturating_add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Xoshiro256PlusPlus};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::vec;
    use std::vec::Vec;

    fn parts(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("tests ask for at least one part")
    }

    /// Keys of a Zipf distribution with exponent 2: key k with probability in proportion to 1/k².
    fn zipf2(keys: u64, seed: u64) -> impl FnMut() -> u64 {
        let cumulated: Vec<u64> = (1..=keys)
            .scan(0, |sum, key| {
                *sum += (1 << 50) / (key * key);
                Some(*sum)
            })
            .collect();
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        move || {
            let at = rng.below_u64(cumulated[cumulated.len() - 1]);
            cumulated.partition_point(|sum| *sum <= at) as u64
        }
    }

    #[test]
    fn heavy_skew_is_evened_out_by_splitting_few_keys() {
        for (n, counters) in [(5, 25), (50, 250)] {
            let mut cut = HotKeys::<Inline<250>>::new(parts(n)).unwrap();
            let mut next = zipf2(10_000, u64::from(n));
            let mut hash_alone = vec![0; n as usize];
            let (mut split, mut pairs) = (BTreeSet::new(), BTreeSet::new());
            for _ in 0..100_000 {
                let key = next().to_le_bytes();
                let place = cut.assign(&key);
                hash_alone[cut.owner(&key) as usize] += 1;
                pairs.insert((key, place.part()));
                match place {
                    Place::Owner(part) => assert_eq!(part, cut.owner(&key)),
                    Place::Split { part, choices } => {
                        assert!(part < n && (2..=n).contains(&choices));
                        split.insert(key);
                    }
                }
            }
            assert!(cut.skew() < Q32::from_ratio(101, 100), "{:?}", cut.skew());
            assert!(super::super::skew(&hash_alone) > Some(Q32::from_int(n / 2)));
            assert_eq!(cut.loads().iter().sum::<u64>(), 100_000);
            // By their true shares 11 keys of 50 parts are hot, 3 of 5.
            assert!(split.len() <= 20 && counters > split.len(), "{}", split.len());
            let keys: BTreeSet<_> = pairs.iter().map(|(key, _)| key).collect();
            assert!(pairs.len() - keys.len() <= 3 * n as usize, "{} more", pairs.len() - keys.len());
        }
    }

    #[test]
    fn keys_without_heat_stay_with_their_owner() {
        let mut cut = HotKeys::<Inline<64>>::new(parts(8)).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed(4);
        for _ in 0..50_000 {
            // Each of a thousand keys has a thousandth of all records; the threshold is a fortieth.
            let key = rng.below(1_000).to_le_bytes();
            assert_eq!(cut.assign(&key), Place::Owner(cut.owner(&key)));
        }
    }

    #[test]
    fn the_split_follows_the_heat() {
        let mut cut = HotKeys::<Inline<64>>::new(parts(8)).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed(6);
        let mut splits = BTreeMap::new();
        for period in 0..8u64 {
            for _ in 0..2_000 {
                let key = if rng.below(2) == 0 { period / 4 } else { 100 + u64::from(rng.below(1_000)) };
                if let Place::Split { .. } = cut.assign(&key.to_le_bytes()) {
                    *splits.entry((period, key)).or_insert(0) += 1;
                }
            }
            cut.halve();
        }
        // Key 0 is split while it is hot, key 1 from soon after it becomes hot.
        assert!(splits[&(3, 0)] > 900 && splits[&(4, 1)] > 800 && splits[&(7, 1)] > 900, "{splits:?}");
        // Five halvings after its last record key 0 is cold again.
        for _ in 0..4 {
            cut.halve();
        }
        assert_eq!(cut.assign(&0u64.to_le_bytes()), Place::Owner(cut.owner(&0u64.to_le_bytes())));
    }

    proptest! {
        #[test]
        fn every_record_counts_once_whatever_the_parameters(
            keys in prop::collection::vec(0u8..6, 0..300), n in 1u32..20, share: u64,
        ) {
            let mut cut = HotKeys::<Inline<20>>::new(parts(n)).unwrap().threshold(Q32::from_bits(share >> 30));
            for (at, key) in keys.iter().enumerate() {
                let part = cut.assign(&[*key]).part();
                prop_assert!(part < n);
                prop_assert_eq!(cut.loads().iter().sum::<u64>(), at as u64 + 1);
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(HotKeys::<Inline<4>>::new(parts(5)).err(), Some(TooManyParts));
        let mut one = HotKeys::<Inline<1>>::new(parts(1)).unwrap();
        assert!((0..100).all(|_| one.assign(b"k") == Place::Owner(0)));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn both_storages_place_alike() {
        let mut inline = HotKeys::<Inline<32>>::new(parts(6)).unwrap();
        let mut heap = HotKeys::<crate::storage::Heap>::with_capacity(parts(6), 32);
        let mut next = zipf2(500, 1);
        for _ in 0..5_000 {
            let key = next().to_le_bytes();
            assert_eq!(inline.assign(&key), heap.assign(&key));
        }
    }
}
