//! How much each worker gets done: estimates from what it did.

use core::fmt;
use core::time::Duration;

use crate::fixed::{Q32, exp2_neg};
use crate::sched::redistribute::MAX_WEIGHT;
use crate::storage::{Inline, List, Storage};
use crate::time::{Instant, saturating_nanos};

/// Fraction bits of the sums of work and of counts: a single unit can lose half of itself sixteen times.
const FRACTION: u32 = 16;

/// There is no such worker. Nothing changed. Remedy: a number below the number of workers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownWorker;

impl fmt::Display for UnknownWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such worker; use a number below the number of workers")
    }
}

impl core::error::Error for UnknownWorker {}

/// What is known of one worker.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Estimate {
    /// Units of work in a millisecond of its time.
    pub rate: Q32,
    /// How many completions it rests on; old ones count less.
    pub samples: Q32,
    /// How much of the rate is the worker's own record, and not the mean of all: from 0 to 1.
    pub confidence: Q32,
}

/// Decayed sums.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Units of work, with [`FRACTION`] bits.
    work: u64,
    /// Nanoseconds that they took.
    time: u64,
    /// Completions, with [`FRACTION`] bits.
    count: u64,
    /// When it was last decayed.
    at: Instant,
}

impl Record {
    fn decayed(&self, now: Instant, half_life: u64) -> Self {
        let age = saturating_nanos(now.saturating_duration_since(self.at));
        if age == 0 {
            return *self;
        }
        let keep = exp2_neg(Q32::from_ratio(age, half_life).unwrap_or(Q32::MAX));
        Self {
            work: keep.mul_int(self.work),
            time: keep.mul_int(self.time),
            count: keep.mul_int(self.count),
            at: now,
        }
    }
}

/// How fast each worker of a fleet is, learned from its completions.
///
/// Each completion says how much work was done and how long it took. The rate of a worker is all its work over all its
/// time, old completions counting less and less: half after each half-life. A worker with few completions is drawn
/// towards the mean of all, and one without has the mean exactly. So a new worker gets its share, and one lucky
/// completion makes nobody the fastest.
///
/// [`weights`](Self::weights) are what [`apportion`](crate::partition::apportion), a
/// [redistribution](super::redistribute) and a weighted balancer ask for.
///
/// *When not to use it:* to predict how long one task takes: it knows no differences between tasks but their size.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::sched::capacity::{CapacityEstimator, UnknownWorker};
/// use divvy::storage::Inline;
///
/// let mut capacity = CapacityEstimator::<Inline<4>>::new(3, Duration::from_secs(60));
/// let now = Instant::from_secs(1);
/// for _ in 0..100 {
///     capacity.observe(now, 0, 10, Duration::from_millis(10))?;
///     capacity.observe(now, 1, 10, Duration::from_millis(30))?;
/// }
/// let mut weights = [0; 3];
/// capacity.weights(now, &mut weights);
/// // The first is three times as fast; the third was not seen, and has the mean:
/// assert!(weights[0] > 5 * weights[1] / 2 && weights[1] < weights[2] && weights[2] < weights[0]);
/// assert_eq!(capacity.observe(now, 3, 1, Duration::from_millis(1)), Err(UnknownWorker));
/// # Ok::<(), UnknownWorker>(())
/// ```
///
/// # Complexity
///
/// [`observe`](Self::observe) *O*(1), [`estimate`](Self::estimate) and [`weights`](Self::weights) *O*(workers), with
/// 128-bit products; 32 bytes a worker.
///
/// # Time
///
/// `now` is when the work was completed or the question is asked. A clock that goes back has not moved.
///
/// # References
///
/// Drawing few observations towards the mean of all: Efron, Morris: *Stein's paradox in statistics*, Scientific American
/// 236(5), 1977.
#[derive(Debug)]
pub struct CapacityEstimator<S: Storage> {
    records: S::List<Record>,
    half_life: u64,
    /// As many completions of the mean are mixed into each record, with [`FRACTION`] bits.
    prior: u64,
}

/// How many completions the mean counts for, unless somebody says otherwise.
const PRIOR: u32 = 8;

impl<const N: usize> CapacityEstimator<Inline<N>> {
    /// For `workers` workers, at most `N`, of whom nothing is known. What was learned counts half after `half_life`
    /// (at least a nanosecond).
    #[must_use]
    pub fn new(workers: u32, half_life: Duration) -> Self {
        Self::around(heapless::Vec::new(), workers, half_life)
    }
}

#[cfg(feature = "alloc")]
impl CapacityEstimator<crate::storage::Heap> {
    /// For `workers` workers of whom nothing is known, allocated now. What was learned counts half after `half_life` (at
    /// least a nanosecond).
    #[must_use]
    pub fn with_capacity(workers: u32, half_life: Duration) -> Self {
        Self::around(crate::storage::HeapList::with_capacity(workers as usize), workers, half_life)
    }
}

impl<S: Storage> CapacityEstimator<S> {
    fn around(mut records: S::List<Record>, workers: u32, half_life: Duration) -> Self {
        for _ in 0..workers {
            if records.push(Record::default()).is_err() {
                break;
            }
        }
        let half_life = saturating_nanos(half_life).max(1);
        Self { records, half_life, prior: u64::from(PRIOR) << FRACTION }
    }

    /// Lets the mean of all count for `completions` in each estimate, instead of eight: 0 trusts a single completion.
    #[must_use]
    pub fn prior(self, completions: u32) -> Self {
        Self { prior: u64::from(completions) << FRACTION, ..self }
    }

    /// How many workers there are.
    pub fn workers(&self) -> u32 {
        self.records.len() as u32
    }

    /// Worker `worker` has completed `work` units (tasks, items, bytes: the same for all) and took `took` for them.
    ///
    /// # Errors
    ///
    /// [`UnknownWorker`]; nothing changed.
    pub fn observe(
        &mut self,
        now: Instant,
        worker: u32,
        work: u32,
        took: Duration,
    ) -> Result<(), UnknownWorker> {
        let half_life = self.half_life;
        let record = self.records.get_mut(worker as usize).ok_or(UnknownWorker)?;
        let now = now.max(record.at);
        let before = record.decayed(now, half_life);
        *record = Record {
            work: before.work.saturating_add(u64::from(work) << FRACTION),
            // Work that takes no time at all would have no rate.
            time: before.time.saturating_add(saturating_nanos(took).max(1)),
            count: before.count.saturating_add(1 << FRACTION),
            at: now,
        };
        Ok(())
    }

    /// What is known of worker `worker`; `None` if there is no such worker, or nothing is known of anybody.
    pub fn estimate(&self, now: Instant, worker: u32) -> Option<Estimate> {
        let record = self.records.get(worker as usize)?.decayed(now, self.half_life);
        let (work, time) = self.mixed(&record, &self.all(now))?;
        let per_milli = ((work * 1_000_000) << (32 - FRACTION)).checked_div(time)?;
        Some(Estimate {
            rate: Q32::from_bits(u64::try_from(per_milli).unwrap_or(u64::MAX)),
            samples: Q32::from_bits(record.count.saturating_mul(1 << (32 - FRACTION))),
            confidence: Q32::from_ratio(record.count, record.count.saturating_add(self.prior))
                .unwrap_or(Q32::ZERO),
        })
    }

    /// Writes a weight for each worker: the fastest has [`MAX_WEIGHT`], the others in proportion, at least 1. Where
    /// nothing is known all are equal. Weights beyond the last worker become 0.
    pub fn weights(&self, now: Instant, weights: &mut [u32]) {
        let all = self.all(now);
        let rate = |record: &Record| self.mixed(&record.decayed(now, self.half_life), &all);
        let fastest = self.records.iter().filter_map(rate).reduce(|top, rate| {
            let is_faster = product(rate.0, top.1) > product(top.0, rate.1);
            if is_faster { rate } else { top }
        });
        let mut records = self.records.iter();
        for weight in weights {
            *weight = match (records.next(), fastest) {
                (None, _) => 0,
                (Some(_), None) => MAX_WEIGHT,
                (Some(record), Some(top)) => rate(record).map_or(1, |rate| {
                    let part = part(product(rate.0, top.1), product(top.0, rate.1));
                    // Rounded to the nearest.
                    let weight = (part.to_bits() * u64::from(MAX_WEIGHT) + (1 << 31)) >> 32;
                    (weight as u32).max(1)
                }),
            };
        }
    }

    /// Everybody's sums.
    fn all(&self, now: Instant) -> Record {
        self.records.iter().fold(Record::default(), |all, record| {
            let record = record.decayed(now, self.half_life);
            Record {
                work: all.work.saturating_add(record.work),
                time: all.time.saturating_add(record.time),
                count: all.count.saturating_add(record.count),
                at: now,
            }
        })
    }

    /// A worker's work and time with those of the mean completion mixed in; `None` if there was none.
    fn mixed(&self, record: &Record, all: &Record) -> Option<(u128, u128)> {
        let mean = |sum: u64| (u128::from(sum) * u128::from(self.prior)).checked_div(u128::from(all.count));
        let time = u128::from(record.time) + mean(all.time)?;
        if record.count == 0 || time == 0 {
            // Without a record it is the mean itself, also where the prior counts for nothing.
            return (all.time > 0).then_some((all.work.into(), all.time.into()));
        }
        Some((u128::from(record.work) + mean(all.work)?, time))
    }
}

/// The product of two sums, each at most 64 bits.
fn product(a: u128, b: u128) -> u128 {
    let most = u128::from(u64::MAX);
    a.min(most) * b.min(most)
}

/// `a / b`, at most 1.
fn part(a: u128, b: u128) -> Q32 {
    let shift = 64 - b.leading_zeros().min(64);
    Q32::from_ratio((a >> shift) as u64, (b >> shift) as u64).unwrap_or(Q32::ONE).min(Q32::ONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Xoshiro256PlusPlus};
    use proptest::prelude::*;
    use std::vec::Vec;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Units a millisecond × 2³², from sums of units and nanoseconds.
    fn rate(work: u128, time: u128) -> u128 {
        ((work * 1_000_000) << 32) / time
    }

    fn is_close(a: Q32, b: u128) -> bool {
        let a = u128::from(a.to_bits());
        a.abs_diff(b) <= b / 10_000 + 2
    }

    proptest! {
        /// Against the formula, without decay.
        #[test]
        fn a_rate_is_work_over_time_with_the_mean_mixed_in(
            seen in prop::collection::vec((0usize..4, 1u32..1_000, 1u64..1_000_000), 1..40), prior in 0u32..20,
        ) {
            let mut capacity = CapacityEstimator::<Inline<5>>::new(5, HOUR).prior(prior);
            let mut sums = [(0u128, 0u128, 0u128); 5];
            for (worker, work, micros) in seen {
                capacity.observe(Instant::ZERO, worker as u32, work, Duration::from_micros(micros)).unwrap();
                let sum = &mut sums[worker];
                *sum = (sum.0 + u128::from(work), sum.1 + u128::from(micros) * 1_000, sum.2 + 1);
            }
            let all = sums.iter().fold((0, 0, 0), |all, sum| (all.0 + sum.0, all.1 + sum.1, all.2 + sum.2));
            let prior = u128::from(prior);
            let expected: Vec<u128> = sums.iter().map(|sum| match sum.2 {
                0 => rate(all.0, all.1),
                // Everything times the number of all completions.
                _ => rate(sum.0 * all.2 + prior * all.0, sum.1 * all.2 + prior * all.1),
            }).collect();
            let mut weights = [0; 6];
            capacity.weights(Instant::ZERO, &mut weights);
            let fastest = *expected.iter().max().unwrap();
            for (worker, expected) in expected.iter().enumerate() {
                let estimate = capacity.estimate(Instant::ZERO, worker as u32).unwrap();
                prop_assert!(is_close(estimate.rate, *expected), "{estimate:?} is not {expected}");
                prop_assert_eq!(u128::from(estimate.samples.floor()), sums[worker].2);
                let weight = (expected * u128::from(MAX_WEIGHT)).checked_div(fastest).unwrap_or(0);
                prop_assert!(u128::from(weights[worker]).abs_diff(weight) <= weight / 5_000 + 2);
            }
            prop_assert_eq!(weights[5], 0);
        }

        /// Nothing overflows, and a clock that goes back has not moved.
        #[test]
        fn any_input_has_an_answer(
            seen in prop::collection::vec((any::<u64>(), 0u32..3, any::<u32>(), any::<u64>()), 0..30), now: u64,
        ) {
            let mut capacity = CapacityEstimator::<Inline<3>>::new(9, Duration::ZERO);
            prop_assert_eq!(capacity.workers(), 3);
            for (at, worker, work, took) in &seen {
                capacity.observe(Instant::from_nanos(*at), *worker, *work, Duration::from_nanos(*took)).unwrap();
            }
            let mut weights = [0; 3];
            capacity.weights(Instant::from_nanos(now), &mut weights);
            prop_assert!(weights.iter().all(|weight| (1..=MAX_WEIGHT).contains(weight)));
            prop_assert!(weights.contains(&MAX_WEIGHT));
            if let Some((at, ..)) = seen.last() {
                let _ = capacity.observe(Instant::from_nanos(*at).saturating_sub(HOUR), 0, 1, Duration::MAX);
            }
        }
    }

    #[test]
    fn the_estimate_follows_a_change_of_speed_within_some_half_lives() {
        let mut capacity = CapacityEstimator::<Inline<2>>::new(2, Duration::from_secs(10));
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let mut now = Instant::ZERO;
        let mut run = |capacity: &mut CapacityEstimator<_>, micros: [u64; 2], seconds: u64| {
            for _ in 0..seconds * 10 {
                now = now.saturating_add(Duration::from_millis(100));
                for (worker, micros) in (0..).zip(micros) {
                    // From half to one and a half times as long.
                    let took = micros / 2 + rng.below_u64(micros);
                    capacity.observe(now, worker, 1, Duration::from_micros(took)).unwrap();
                }
            }
            let mut weights = [0; 2];
            capacity.weights(now, &mut weights);
            weights.map(|weight| weight * 100 / MAX_WEIGHT)
        };
        let [first, second] = run(&mut capacity, [1_000, 4_000], 60);
        assert!(first == 100 && (22..=34).contains(&second), "{second} of 25");
        let [first, second] = run(&mut capacity, [1_000, 250], 60);
        assert!(second == 100 && (22..=36).contains(&first), "{first} of 25");
    }

    #[test]
    fn confidence_grows_with_what_was_seen_and_fades_with_time() {
        let mut capacity = CapacityEstimator::<Inline<2>>::new(2, Duration::from_secs(1));
        assert_eq!(capacity.estimate(Instant::ZERO, 0), None);
        let at = |capacity: &CapacityEstimator<_>, seconds| {
            capacity.estimate(Instant::from_secs(seconds), 0).unwrap().confidence
        };
        for _ in 0..8 {
            capacity.observe(Instant::ZERO, 0, 5, Duration::from_millis(1)).unwrap();
        }
        assert_eq!(Some(at(&capacity, 0)), Q32::from_ratio(8, 16));
        assert!(at(&capacity, 1) < at(&capacity, 0) && at(&capacity, 9) < at(&capacity, 1));
        assert_eq!(capacity.estimate(Instant::ZERO, 1).unwrap().confidence, Q32::ZERO);
        assert_eq!(capacity.estimate(Instant::ZERO, 2), None);
        // One lucky completion is not believed.
        capacity.observe(Instant::ZERO, 1, 500, Duration::from_millis(1)).unwrap();
        assert!(capacity.estimate(Instant::ZERO, 1).unwrap().rate < Q32::from_int(500 / 4));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_estimator_serves_as_many_as_were_asked_for() {
        let capacity = CapacityEstimator::<crate::storage::Heap>::with_capacity(3, HOUR);
        let mut weights = [7; 4];
        capacity.weights(Instant::ZERO, &mut weights);
        assert_eq!((capacity.workers(), weights), (3, [MAX_WEIGHT, MAX_WEIGHT, MAX_WEIGHT, 0]));
    }

    #[test]
    fn sizes_are_as_documented() {
        type Of<const N: usize> = CapacityEstimator<Inline<N>>;
        assert_eq!((size_of::<Of<104>>() - size_of::<Of<4>>()) / 100, 32);
    }
}
