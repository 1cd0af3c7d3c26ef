//! How evenly work is cut: by hash, with hot keys, by sampled split points, and by cost.

use crate::figure::{Bound, Figure};
use crate::zipf::Zipf;
use core::num::NonZeroU32;
use divvy::hash::xxh3_64_seeded;
use divvy::partition::{Annealer, Assignment, HashPartition, HotKeys, RangePartition, Splitters};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sketch::Reservoir;
use divvy::storage::Heap;
use std::collections::HashSet;

const KEYS: u64 = 10_000;
const SEEDS: u64 = 100;

pub(crate) fn figures() -> Vec<Figure> {
    [hash(), hot_keys(), splitters(), longest_first(), annealed()].concat()
}

fn parts(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("at least one part")
}

/// The largest load over the mean load.
fn peak(loads: &[u64]) -> f64 {
    let largest = loads.iter().copied().max().unwrap_or(0);
    largest as f64 * loads.len() as f64 / loads.iter().sum::<u64>() as f64
}

fn hash() -> Vec<Figure> {
    let mut figures = Vec::new();
    for n in [4, 16, 100] {
        let mean = KEYS as f64 / f64::from(n);
        let bound = 1.0 + (2.0 * f64::from(n).ln() / mean).sqrt();
        let hashed = |owner: fn(&HashPartition, u64) -> u32| {
            mean_peak(n, |seed, key| owner(&HashPartition::new(parts(n)).seed(seed), key))
        };
        let source = "1 + √(2 ln parts ÷ mean): balls into bins, Raab and Steger 1998";
        let numbers = hashed(|cut, key| cut.owner_u64(key));
        let names = hashed(|cut, key| cut.owner(format!("user:{key:05}").as_bytes()));
        let mut rng = Xoshiro256PlusPlus::seed(n.into());
        let chance = mean_peak(n, |_, _| rng.below(n));
        figures.extend([
            Figure::new(
                format!(
                    "hash partition: largest of {n} parts over the mean, the numbers below 10,000, 100 seeds"
                ),
                numbers,
                Bound::AtMost(bound),
                source,
            ),
            Figure::new(
                format!("hash partition: the same, {n} parts, keys user:00000 to user:09999"),
                names,
                Bound::AtMost(bound),
                source,
            ),
            Figure::new(format!("– the same, {n} parts, thrown by chance"), chance, Bound::None, ""),
        ]);
    }
    figures
}

/// The largest part over the mean part, on average over the seeds.
fn mean_peak(parts: u32, mut owner: impl FnMut(u64, u64) -> u32) -> f64 {
    let peaks = (0..SEEDS).map(|seed| {
        let mut loads = vec![0; parts as usize];
        for key in 0..KEYS {
            loads[owner(seed, key) as usize] += 1;
        }
        peak(&loads)
    });
    peaks.sum::<f64>() / SEEDS as f64
}

fn hot_keys() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (exponent, n) in [(2.0, 50), (1.4, 10), (1.4, 50), (1.0, 10)] {
        let owners = HashPartition::new(parts(n));
        let mut cut = HotKeys::<Heap>::with_capacity(parts(n), 5 * n as usize);
        let (mut hashed, mut two) = (vec![0; n as usize], vec![0; n as usize]);
        let (mut keys, mut pairs) = (HashSet::new(), HashSet::new());
        for key in Zipf::new(exponent, 100_000, n.into()).take(1_000_000) {
            let bytes = key.to_le_bytes();
            let part = cut.assign(&bytes).part();
            keys.insert(key);
            pairs.insert((key, part));
            hashed[owners.owner(&bytes) as usize] += 1;
            let choices = [1, 2].map(|seed| owners.owner_of_hash(xxh3_64_seeded(&bytes, seed)) as usize);
            let better = if two[choices[1]] < two[choices[0]] { choices[1] } else { choices[0] };
            two[better] += 1;
        }
        let of = format!("Zipf {exponent}, {n} parts, a million records");
        figures.extend([
            Figure::new(
                format!("hot keys split: largest part over the mean, {of}"),
                peak(cut.loads()),
                Bound::AtMost(1.01),
                "heavy keys to as many parts as they need: Nasir and others 2016",
            ),
            Figure::new("– the same, hash alone", peak(&hashed), Bound::None, ""),
            Figure::new(
                "– the same, each key the better of two parts (partial key grouping)",
                peak(&two),
                Bound::None,
                "",
            ),
            Figure::new(
                "– what it costs: places a key has more than one of, for each hundred keys",
                (pairs.len() - keys.len()) as f64 * 100.0 / keys.len() as f64,
                Bound::None,
                "",
            ),
        ]);
    }
    figures
}

fn splitters() -> Vec<Figure> {
    const RECORDS: u32 = 1_000_000;
    const PARTS: usize = 16;
    const SAMPLES: usize = 256 * PARTS;
    let uniform = |rng: &mut Xoshiro256PlusPlus| rng.below(1 << 30);
    // Every other record has one key.
    let heavy = |rng: &mut Xoshiro256PlusPlus| if rng.below(2) == 0 { 1 << 28 } else { rng.below(1 << 30) };
    let worst = |key: &dyn Fn(&mut Xoshiro256PlusPlus) -> u32, cut_keys: bool| {
        let peaks = (0..10).map(|seed| {
            let mut rng = Xoshiro256PlusPlus::seed(seed);
            let records: Vec<u32> = (0..RECORDS).map(|_| key(&mut rng)).collect();
            let mut sample = Reservoir::<u32, Heap>::with_capacity(SAMPLES);
            for record in &records {
                sample.record(*record, &mut rng);
            }
            let cut = Splitters::<u32, Heap>::with_weights(sample.items_mut(), &[1; PARTS])
                .expect("the weights are not zero");
            let mut splits: Vec<u32> = cut.splits().iter().map(|split| split.key).collect();
            splits.dedup();
            let whole_keys = RangePartition::new(&splits).expect("quantiles rise");
            let mut loads = vec![0; PARTS];
            for record in &records {
                let part =
                    if cut_keys { cut.owner(record, rng.next_u64()) } else { whole_keys.owner(record) };
                loads[part as usize] += 1;
            }
            peak(&loads)
        });
        peaks.fold(0.0, f64::max)
    };
    let source = "a million × exp(−(1 − 1/a)² a k/2) ≤ 1/1000: Blelloch and others 1991";
    vec![
        Figure::new(
            "sampled splitters: largest of 16 parts over the mean, 256 samples a part, worst of 10 seeds",
            worst(&uniform, true),
            Bound::AtMost(1.5),
            source,
        ),
        Figure::new(
            "sampled splitters: the same, every other record with one key",
            worst(&heavy, true),
            Bound::AtMost(1.5),
            source,
        ),
        Figure::new("– the same, keys kept whole", worst(&heavy, false), Bound::None, ""),
    ]
}

/// The smallest makespan there is, by trying everything but what is alike or no better.
pub(crate) fn optimum(costs: &[u64], loads: &mut [u64], best: u64) -> u64 {
    let Some((cost, rest)) = costs.split_first() else {
        return best.min(loads.iter().copied().max().unwrap_or(0));
    };
    let mut best = best;
    for part in 0..loads.len() {
        if !loads[..part].contains(&loads[part]) && loads[part] + cost < best {
            loads[part] += cost;
            best = optimum(rest, loads, best);
            loads[part] -= cost;
        }
    }
    best
}

fn assign(costs: &[u64], n: u32) -> Assignment<Heap> {
    let mut assignment = Assignment::<Heap>::with_capacity(costs.len(), n as usize);
    assignment.longest_first(costs, parts(n)).expect("everything fits");
    assignment
}

/// 2m + 1 jobs for m parts on which the longest-first rule comes to 4m − 1, with an optimum of 3m.
fn worst_case(n: u32) -> Vec<u64> {
    let m = u64::from(n);
    (m + 1..2 * m).flat_map(|cost| [cost, cost]).chain([m; 3]).collect()
}

fn longest_first() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(19);
    let mut of_bound: f64 = 0.0;
    for _ in 0..2_000 {
        let (n, items) = (2 + rng.below(3), 3 + rng.below(8));
        let costs: Vec<u64> = (0..items).map(|_| 1 + rng.below_u64(30)).collect();
        let best = optimum(&costs, &mut vec![0; n as usize], u64::MAX);
        let graham = 4.0 / 3.0 - 1.0 / (3.0 * f64::from(n));
        of_bound = of_bound.max(assign(&costs, n).makespan() as f64 / best as f64 / graham);
    }
    let costs: Vec<u64> = (0..10_000).map(|_| 1 + rng.below_u64(1_000_000)).collect();
    let many = assign(&costs, 16);
    let tight = assign(&worst_case(3), 3);
    vec![
        Figure::new(
            "longest first: makespan over 4/3 − 1/(3m) times the optimum, largest of 2,000 small cases",
            of_bound,
            Bound::AtMost(1.0),
            "Graham 1969",
        ),
        Figure::new(
            "longest first: makespan over the optimum, the worst case for 3 parts",
            tight.makespan() as f64 / 9.0,
            Bound::Exactly(11.0 / 9.0),
            "Graham 1969",
        ),
        Figure::new(
            "longest first: makespan over the lower bound, 10,000 random items on 16 parts",
            many.makespan() as f64 / many.lower_bound() as f64,
            Bound::AtMost(1.001),
            "own",
        ),
    ]
}

/// Costs that fill each part exactly: `each` of them, of which `size` is the sum.
fn planted(n: u32, each: u32, size: u64, seed: u64) -> Vec<u64> {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut costs = Vec::new();
    for _ in 0..n {
        let mut cuts: Vec<u64> = (1..each).map(|_| 1 + rng.below_u64(size - 1)).collect();
        cuts.extend([0, size]);
        cuts.sort_unstable();
        costs.extend(cuts.windows(2).map(|pair| pair[1] - pair[0]));
    }
    costs
}

fn annealed() -> Vec<Figure> {
    let mut figures = Vec::new();
    let solved = (2..=8).filter(|n| {
        let mut assignment = assign(&worst_case(*n), *n);
        anneal::<8>(&mut assignment, 400, 1) == 3 * u64::from(*n)
    });
    figures.push(Figure::new(
        "annealed: of the worst cases for 2 to 8 parts, brought to the optimum (longest first: none)",
        solved.count() as f64,
        Bound::Exactly(7.0),
        "4m − 1 against 3m: Graham 1969",
    ));
    for (n, each, size) in [(5, 3, 1_000), (10, 3, 1_000), (4, 10, 1_000_000), (50, 4, 1_000_000)] {
        let mut sums = [0.0; 3];
        for seed in 0..20 {
            let costs = planted(n, each, size, seed);
            let makespans = [
                assign(&costs, n).makespan(),
                anneal::<8>(&mut assign(&costs, n), 200, seed),
                anneal::<1>(&mut assign(&costs, n), 1_600, seed),
            ];
            for (sum, makespan) in sums.iter_mut().zip(makespans) {
                *sum += makespan as f64 / size as f64 / 20.0;
            }
        }
        let [longest_first, coupled, alone] = sums;
        figures.extend([
            Figure::new(
                format!(
                    "annealed: makespan over the optimum, {n} parts that {each} items each fill, mean of 20"
                ),
                coupled,
                Bound::AtMost(longest_first),
                "never worse than longest first",
            ),
            Figure::new("– the same, longest first", longest_first, Bound::None, ""),
            Figure::new("– the same, one replica for eight times as long (no field)", alone, Bound::None, ""),
        ]);
    }
    figures
}

/// Anneals with so many replicas; the makespan.
fn anneal<const REPLICAS: usize>(assignment: &mut Assignment<Heap>, sweeps: u32, seed: u64) -> u64 {
    let (items, parts) = (assignment.parts_of_items().len(), assignment.loads().len());
    let mut annealer = Annealer::<Heap, REPLICAS>::with_capacity(items, parts);
    let gain = annealer.anneal(assignment, sweeps, &mut Xoshiro256PlusPlus::seed(seed));
    gain.expect("everything fits").after
}
