//! A stream of records, most of them for a few keys, cut among workers by hash and by hash with hot keys split.

use divvy::Rng;
use divvy::fixed::Q32;
use divvy::hash::xxh3_64;
use divvy::partition::{HashPartition, HotKeys, Place, skew};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::number::{MAX_SEED, Wrong, count, fraction, whole};

const MAX_PARTS: u64 = 32;
const MAX_KEYS: u64 = 100_000;
const MAX_COUNTERS: u64 = 1_000;
const MAX_RECORDS: u64 = 10_000_000;

/// The same records cut twice: each key to the worker that its hash says, and again with the hot keys split.
///
/// Keys are numbers from 0; the first of them are the hot ones, and each of those is as likely as the others.
#[wasm_bindgen]
#[derive(Debug)]
pub struct HotPartition {
    rng: Xoshiro256PlusPlus,
    hot_percent: u32,
    hot_keys: u32,
    hashes: Vec<u64>,
    /// The same in their order, with their keys: to find a key by its hash.
    by_hash: Vec<(u64, u32)>,
    owners: HashPartition,
    hashed: Vec<u64>,
    split: HotKeys<Heap>,
    /// Over how many workers a key is split, as of its last record, and the workers that have seen it, one bit for each.
    keys: Vec<(u32, u32)>,
}

#[wasm_bindgen]
impl HotPartition {
    /// `workers` (1 to 32); `keys` (2 to 100,000), of which the first `hot_keys` get `hot_percent` (0 to 100) of 100
    /// records, and all of them alike the rest; a sketch of `counters` (1 to 1,000).
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(
        seed: f64,
        workers: f64,
        keys: f64,
        hot_keys: f64,
        hot_percent: f64,
        counters: f64,
    ) -> Result<Self, Wrong> {
        let seed = whole("seed", seed, 0, MAX_SEED)?;
        let workers = count("workers", workers, MAX_PARTS)?;
        let keys = whole("keys", keys, 2, MAX_KEYS)? as u32;
        let hot_keys = whole("hotKeys", hot_keys, 1, u64::from(keys))? as u32;
        let hot_percent = whole("hotPercent", hot_percent, 0, 100)? as u32;
        let counters = whole("counters", counters, 1, MAX_COUNTERS)? as usize;
        let hashes: Vec<u64> = (0..keys).map(|key| xxh3_64(format!("key-{key}").as_bytes())).collect();
        let mut by_hash: Vec<(u64, u32)> = hashes.iter().copied().zip(0..).collect();
        by_hash.sort_unstable();
        Ok(Self {
            rng: Xoshiro256PlusPlus::seed(seed),
            hot_percent,
            hot_keys,
            hashes,
            by_hash,
            owners: HashPartition::new(workers),
            hashed: vec![0; workers.get() as usize],
            split: HotKeys::with_capacity(workers, counters),
            keys: vec![(1, 0); keys as usize],
        })
    }

    /// Cuts so many more records (at most 10,000,000).
    pub fn advance(&mut self, records: f64) -> Result<(), Wrong> {
        let records = whole("records", records, 0, MAX_RECORDS)?;
        for _ in 0..records {
            let hot = self.rng.below(100) < self.hot_percent;
            let key = self.rng.below(if hot { self.hot_keys } else { self.keys.len() as u32 });
            let hash = self.hashes[key as usize];
            self.hashed[self.owners.owner_of_hash(hash) as usize] += 1;
            let place = self.split.assign_hash(hash);
            let (choices, seen) = &mut self.keys[key as usize];
            *choices = if let Place::Split { choices, .. } = place { choices } else { 1 };
            *seen |= 1 << place.part();
        }
        Ok(())
    }

    /// A row for each worker: records under hashing, records with hot keys split.
    pub fn loads(&self) -> Vec<f64> {
        self.hashed.iter().zip(self.split.loads()).flat_map(|(a, b)| [*a as f64, *b as f64]).collect()
    }

    /// One row: the largest over the mean under hashing, the same with hot keys split (0 before the first record), the
    /// places that all keys together are kept at under hashing, and with hot keys split.
    pub fn summary(&self) -> Vec<f64> {
        let skewed = |skew: Option<Q32>| skew.map_or(0.0, fraction);
        let seen = self.keys.iter().filter(|(_, seen)| *seen != 0).count();
        let copies: u32 = self.keys.iter().map(|(_, seen)| seen.count_ones()).sum();
        vec![skewed(skew(&self.hashed)), skewed(self.split.skew()), seen as f64, f64::from(copies)]
    }

    /// A row for each key that the sketch counts, the heaviest first: key, count, by how much that may be too high, and
    /// over how many workers the key is split.
    pub fn found(&self) -> Vec<f64> {
        let sketch = self.split.sketch();
        sketch
            .iter()
            .filter_map(|hitter| {
                let at = self.by_hash.binary_search_by_key(&hitter.key, |(hash, _)| *hash).ok()?;
                let (_, key) = self.by_hash[at];
                let (choices, _) = self.keys[key as usize];
                Some([f64::from(key), hitter.count as f64, hitter.error as f64, f64::from(choices)])
            })
            .flatten()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_evens_out_what_hashing_cannot() {
        let mut hot = HotPartition::new(1.0, 8.0, 1000.0, 10.0, 90.0, 64.0).unwrap();
        assert_eq!(hot.summary()[..2], [0.0, 0.0]);
        hot.advance(20_000.0).unwrap();
        let loads = hot.loads();
        for column in 0..2 {
            assert_eq!(loads.iter().skip(column).step_by(2).sum::<f64>(), 20_000.0);
        }
        let [hashed, split, keys, copies] = hot.summary()[..] else { panic!() };
        assert!(hashed > 1.2 && split < 1.05, "{hashed} {split}");
        assert!(keys <= copies && copies < keys + 100.0, "{keys} {copies}");
        // The hot keys are found, and they are the ones that are split.
        let found = hot.found();
        let heaviest: Vec<_> = found.chunks(4).take(10).collect();
        assert!(heaviest.iter().all(|row| row[0] < 10.0 && row[3] > 1.0), "{heaviest:?}");
        assert!(found.chunks(4).skip(10).all(|row| row[3] == 1.0));
    }

    #[test]
    fn wrong_parameters_are_named() {
        let refused =
            |workers, keys, hot| HotPartition::new(0.0, workers, keys, hot, 90.0, 64.0).unwrap_err();
        assert!(refused(0.0, 10.0, 1.0).starts_with("workers is 0;"));
        assert!(refused(33.0, 10.0, 1.0).starts_with("workers is 33;"));
        assert!(refused(4.0, 1.0, 1.0).starts_with("keys is 1;"));
        assert!(refused(4.0, 10.0, 11.0).starts_with("hotKeys is 11;"));
        assert!(refused(4.0, f64::NAN, 1.0).starts_with("keys is not a whole number"));
    }
}
