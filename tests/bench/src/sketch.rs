//! Sketches: counting the heaviest keys, and the distribution of values.

use crate::rounds::{Contender, nanosecond_table};
use datasketches::frequencies::FrequentItemsSketch;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sketch::{Histogram, SpaceSaving};
use divvy::storage::Heap;
use std::hint::black_box;
use std::time::Instant;

/// Records of one sample.
const RECORDS: usize = 200_000;
const KEYS: u64 = 100_000;

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let mut tables = Vec::new();
    for counters in [64, 1_024] {
        for (stream, keys) in [("Zipf 1.1", zipf()), ("uniform", uniform())] {
            let operation = format!("count a key, {counters} counters, {stream} over {KEYS} keys");
            tables.push(nanosecond_table(&operation, rounds, heavy_hitters(counters, &keys)));
        }
    }
    let values = latencies();
    tables.push(nanosecond_table("record a value", rounds, recorders(&values)));
    tables.push(nanosecond_table("read a quantile of a million values", rounds, readers(&values)?));
    Ok(tables.join("\n"))
}

/// Key k with probability in proportion to 1/k^1.1, spread over all 64-bit numbers.
fn zipf() -> Vec<u64> {
    let cumulated: Vec<f64> = (1..=KEYS)
        .scan(0.0, |sum, key| {
            *sum += (key as f64).powf(-1.1);
            Some(*sum)
        })
        .collect();
    let mut rng = Xoshiro256PlusPlus::seed(11);
    let unit = cumulated[cumulated.len() - 1] / 2f64.powi(64);
    let keys = (0..RECORDS).map(|_| {
        let at = rng.next_u64() as f64 * unit;
        divvy::hash::xxh3_64(&cumulated.partition_point(|sum| *sum <= at).to_le_bytes())
    });
    keys.collect()
}

fn uniform() -> Vec<u64> {
    let mut rng = Xoshiro256PlusPlus::seed(12);
    (0..RECORDS).map(|_| divvy::hash::xxh3_64(&rng.below_u64(KEYS).to_le_bytes())).collect()
}

/// A contender that feeds all of `items` to one state.
fn feed<'a, S: 'a>(
    name: &str,
    items: &'a [u64],
    mut state: S,
    mut take: impl FnMut(&mut S, u64) + 'a,
) -> Contender<'a> {
    Contender::new(name, move || {
        let start = Instant::now();
        for item in items {
            take(&mut state, black_box(*item));
        }
        black_box(&mut state);
        start.elapsed().as_secs_f64() / items.len() as f64
    })
}

fn heavy_hitters(counters: usize, keys: &[u64]) -> Vec<Contender<'_>> {
    // Its table is used to three quarters at most: the next power of two has enough places and some more.
    let theirs =
        FrequentItemsSketch::<u64>::new((counters * 4 / 3).next_power_of_two()).expect("a power of two");
    vec![
        feed("baseline: their sum", keys, 0u64, |sum, key| *sum = sum.wrapping_add(key)),
        feed(
            "flowstats SpaceSaving",
            keys,
            flowstats::frequency::SpaceSaving::new(counters),
            |sketch, key| {
                sketch.add(key);
            },
        ),
        feed(
            "datasketches FrequentItems (Misra and Gries, no error per key)",
            keys,
            theirs,
            |sketch, key| {
                sketch.update(key);
            },
        ),
        feed(
            "divvy::sketch::SpaceSaving",
            keys,
            SpaceSaving::<Heap>::with_capacity(counters),
            |sketch, key| {
                black_box(sketch.record(key));
            },
        ),
    ]
}

/// The product of three uniform numbers: from 1 to 10⁹, most of them small.
fn latencies() -> Vec<u64> {
    let mut rng = Xoshiro256PlusPlus::seed(13);
    (0..RECORDS).map(|_| (0..3).map(|_| 1 + rng.below_u64(1_000)).product()).collect()
}

fn hdr(digits: u8) -> hdrhistogram::Histogram<u32> {
    hdrhistogram::Histogram::new_with_bounds(1, 1_000_000_000, digits).expect("bounds it knows")
}

fn dd() -> sketches_ddsketch::DDSketch {
    sketches_ddsketch::DDSketch::new(sketches_ddsketch::Config::new(0.01, 2_048, 1.0))
}

fn recorders(values: &[u64]) -> Vec<Contender<'_>> {
    vec![
        feed("baseline: their sum", values, 0u64, |sum, value| *sum = sum.wrapping_add(value)),
        feed("hdrhistogram, 2 digits (1 %)", values, hdr(2), |histogram, value| {
            let _ = black_box(histogram.record(value));
        }),
        feed("sketches-ddsketch, 1 %", values, dd(), |sketch, value| sketch.add(value as f64)),
        feed(
            "divvy::sketch::Histogram, 0.8 %",
            values,
            Histogram::<Heap>::with_highest(1_000_000_000),
            |histogram, value| {
                histogram.record(value);
            },
        ),
    ]
}

/// Reads p99 of a million values.
fn readers(values: &[u64]) -> Result<Vec<Contender<'static>>, String> {
    let (mut theirs, mut sketch, mut ours) = (hdr(2), dd(), Histogram::<Heap>::with_highest(1_000_000_000));
    for value in values.iter().cycle().take(1_000_000) {
        theirs.record(*value).map_err(|error| error.to_string())?;
        sketch.add(*value as f64);
        ours.record(*value);
    }
    let exact = {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() * 99 / 100 - 1] as f64
    };
    let told = ours.quantile(99, 100).unwrap_or(0) as f64;
    if !(exact..=exact * (1.0 + 1.0 / 128.0)).contains(&told) {
        return Err(format!("p99 is {exact}, told {told}"));
    }
    let reader = |name: &str, mut read: Box<dyn FnMut() -> u64>| {
        Contender::new(name, move || {
            crate::rounds::time_each(2_000, |_| {
                black_box(read());
            })
        })
    };
    Ok(vec![
        reader("baseline: nothing", Box::new(|| 0)),
        reader("hdrhistogram, 2 digits (1 %)", Box::new(move || theirs.value_at_quantile(black_box(0.99)))),
        reader(
            "sketches-ddsketch, 1 %",
            Box::new(move || sketch.quantile(black_box(0.99)).ok().flatten().unwrap_or(0.0) as u64),
        ),
        reader(
            "divvy::sketch::Histogram, 0.8 %",
            Box::new(move || ours.quantile(black_box(99), 100).unwrap_or(0)),
        ),
    ])
}
