//! What the sketches know, beside what is true.

use crate::figure::{Bound, Figure};
use crate::zipf::Zipf;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sketch::{Histogram, SpaceSaving};
use divvy::storage::Heap;

pub(crate) fn figures() -> Vec<Figure> {
    [space_saving(), histogram()].concat()
}

const KEYS: u32 = 100_000;
const RECORDS: usize = 1_000_000;
const COUNTERS: usize = 64;

fn space_saving() -> Vec<Figure> {
    let source = "Metwally, Agrawal, El Abbadi 2005";
    let mut figures = Vec::new();
    for shards in [1, 8] {
        let mut sketches: Vec<_> =
            (0..shards).map(|_| SpaceSaving::<Heap>::with_capacity(COUNTERS)).collect();
        let mut exact = vec![0u64; KEYS as usize];
        for (record, key) in Zipf::new(1.1, KEYS, 35).take(RECORDS).enumerate() {
            exact[key as usize] += 1;
            sketches[record % shards].record(key);
        }
        let mut sketch = sketches.remove(0);
        for other in &sketches {
            sketch.merge(other);
        }
        let unit = RECORDS as f64 / COUNTERS as f64;
        let over = sketch.iter().map(|hitter| hitter.count - exact[hitter.key as usize]).max().unwrap_or(0);
        let under = sketch.iter().filter(|hitter| hitter.count < exact[hitter.key as usize]).count();
        let heavy = (0..).zip(&exact).filter(|(_, count)| **count as f64 > unit);
        let (found, all) = heavy.fold((0, 0), |(found, all), (key, _)| {
            (found + u32::from(sketch.estimate(key).is_some()), all + 1)
        });
        let of = match shards {
            1 => "Zipf 1.1, a million records, 64 counters".to_owned(),
            _ => format!("the same in {shards} sketches, merged"),
        };
        figures.extend([
            Figure::new(
                format!("SpaceSaving: largest over-count in units of N/m, {of}"),
                over as f64 / unit,
                Bound::AtMost(1.0),
                source,
            ),
            Figure::new(
                format!("SpaceSaving: share of the {all} keys above N/m that have a counter, {of}"),
                f64::from(found) / f64::from(all),
                Bound::Exactly(1.0),
                source,
            ),
            Figure::new(
                format!("SpaceSaving: counts below the true one, {of}"),
                under as f64,
                Bound::Exactly(0.0),
                source,
            ),
        ]);
    }
    figures.extend([("never halved", usize::MAX), ("halved every 10,000 records", 10_000)].map(
        |(how, period)| {
            Figure::new(
                format!(
                    "SpaceSaving: records until a newly hot key leads the one of the last 200,000, {how}"
                ),
                until_overtaken(period) as f64,
                Bound::None,
                "",
            )
        },
    ));
    figures
}

/// After 200,000 records of which every fourth had one key, another key takes its place: how many records until it leads.
fn until_overtaken(period: usize) -> usize {
    let mut sketch = SpaceSaving::<Heap>::with_capacity(COUNTERS);
    let mut rng = Xoshiro256PlusPlus::seed(8);
    for record in 0.. {
        let hot = u64::from(record >= 200_000);
        sketch.record(if record % 4 == 0 { hot } else { 2 + rng.below_u64(10_000) });
        if (record + 1) % period == 0 {
            sketch.halve();
        }
        if sketch.iter().next().is_some_and(|hitter| hitter.key == 1) {
            return record - 200_000;
        }
    }
    usize::MAX
}

fn histogram() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(7);
    // Latencies over six orders of magnitude, most of them small: the product of three.
    let mut values: Vec<u64> = (0..RECORDS)
        .map(|_| (1 + rng.below_u64(1_000)) * (1 + rng.below_u64(1_000)) * (1 + rng.below_u64(1_000)))
        .collect();
    let mut fine = Histogram::<Heap>::with_highest(1_000_000_000);
    let mut coarse = Histogram::<Heap, 3>::with_highest(1_000_000_000);
    for value in &values {
        fine.record(*value);
        coarse.record(*value);
    }
    values.sort_unstable();
    let error = |quantile: &dyn Fn(u32) -> Option<u64>| {
        let errors = (1..=1_000).map(|thousandths| {
            let exact = values[(RECORDS * thousandths as usize).div_ceil(1_000) - 1];
            quantile(thousandths).map_or(f64::NAN, |told| (told as f64 - exact as f64).abs() / exact as f64)
        });
        errors.fold(0.0, |worst: f64, error| if error.is_nan() { error } else { worst.max(error) })
    };
    let source = "one bucket, by construction";
    vec![
        Figure::new(
            "histogram: largest relative error of 1,000 quantiles, a million values, 128 buckets an octave",
            error(&|thousandths| fine.quantile(thousandths, 1_000)),
            Bound::AtMost(1.0 / 128.0),
            source,
        ),
        Figure::new(
            "histogram: the same, 8 buckets an octave",
            error(&|thousandths| coarse.quantile(thousandths, 1_000)),
            Bound::AtMost(1.0 / 8.0),
            source,
        ),
    ]
}
