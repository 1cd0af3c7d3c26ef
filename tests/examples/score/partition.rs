//! How evenly hashing spreads keys that are not random at all.

use crate::figure::{Bound, Figure};
use core::num::NonZeroU32;
use divvy::partition::HashPartition;
use divvy::rng::{Rng, Xoshiro256PlusPlus};

const KEYS: u64 = 10_000;
const SEEDS: u64 = 100;

pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = Vec::new();
    for parts in [4, 16, 100] {
        let mean = KEYS as f64 / f64::from(parts);
        let bound = 1.0 + (2.0 * f64::from(parts).ln() / mean).sqrt();
        let hashed = |owner: fn(&HashPartition, u64) -> u32| {
            mean_peak(parts, |seed, key| {
                owner(&HashPartition::new(NonZeroU32::new(parts).expect("not zero")).seed(seed), key)
            })
        };
        let source = "1 + √(2 ln parts ÷ mean): balls into bins, Raab and Steger 1998";
        let numbers = hashed(|cut, key| cut.owner_u64(key));
        let names = hashed(|cut, key| cut.owner(format!("user:{key:05}").as_bytes()));
        let mut rng = Xoshiro256PlusPlus::seed(parts.into());
        let chance = mean_peak(parts, |_, _| rng.below(parts));
        figures.extend([
            Figure::new(
                format!("hash partition: largest of {parts} parts over the mean, the numbers below 10,000, 100 seeds"),
                numbers,
                Bound::AtMost(bound),
                source,
            ),
            Figure::new(
                format!("hash partition: the same, {parts} parts, keys user:00000 to user:09999"),
                names,
                Bound::AtMost(bound),
                source,
            ),
            Figure::new(format!("– the same, {parts} parts, thrown by chance"), chance, Bound::None, ""),
        ]);
    }
    figures
}

/// The largest part over the mean part, on average over the seeds.
fn mean_peak(parts: u32, mut owner: impl FnMut(u64, u64) -> u32) -> f64 {
    let peaks = (0..SEEDS).map(|seed| {
        let mut loads = vec![0u32; parts as usize];
        for key in 0..KEYS {
            loads[owner(seed, key) as usize] += 1;
        }
        let peak = loads.into_iter().max().unwrap_or(0);
        f64::from(peak) * f64::from(parts) / KEYS as f64
    });
    peaks.sum::<f64>() / SEEDS as f64
}
