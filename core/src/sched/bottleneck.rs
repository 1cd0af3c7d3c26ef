//! Which stage holds the others up, and the evidence: utilisation and Little's law.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::fixed::Q32;
use crate::time::{Instant, saturating_nanos};

/// What went on at one stage of a pipeline in some time: what is counted, and nothing derived.
///
/// [`StageMeter`] counts all of it; or fill it from counters that are there already.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StageWindow {
    /// How long was counted.
    pub elapsed: Duration,
    /// How many workers the stage has.
    pub workers: NonZeroU32,
    /// Items that came.
    pub arrivals: u64,
    /// Items that were done.
    pub completions: u64,
    /// Time that workers spent on items, of all workers together.
    pub busy: Duration,
    /// Time that items spent at the stage, of all items together, done or not: the sum over time of how many there
    /// were.
    pub presence: Duration,
    /// Time from arrival to completion of all items that were done.
    pub sojourn: Duration,
}

impl StageWindow {
    /// Nothing counted for this long.
    #[must_use]
    pub const fn new(workers: NonZeroU32, elapsed: Duration) -> Self {
        let (zero, none) = (Duration::ZERO, 0);
        Self {
            elapsed,
            workers,
            arrivals: none,
            completions: none,
            busy: zero,
            presence: zero,
            sojourn: zero,
        }
    }

    /// What follows from the counts.
    #[must_use]
    pub fn figures(&self) -> StageFigures {
        let elapsed = saturating_nanos(self.elapsed);
        let capacity = elapsed.saturating_mul(self.workers.get().into());
        let (presence, sojourn) = (saturating_nanos(self.presence), saturating_nanos(self.sojourn));
        // Little's law, L = λ W, over the window: presence / elapsed = arrivals / elapsed × sojourn / completions. Both
        // sides times elapsed × completions.
        let left = u128::from(presence) * u128::from(self.completions);
        let right = u128::from(sojourn) * u128::from(self.arrivals);
        StageFigures {
            utilisation: share(saturating_nanos(self.busy), capacity).min(Q32::ONE),
            throughput: per_second(self.completions, elapsed),
            arrival_rate: per_second(self.arrivals, elapsed),
            length: share(presence, elapsed),
            sojourn: Duration::from_nanos(sojourn.checked_div(self.completions).unwrap_or(0)),
            backlog: self.arrivals.saturating_sub(self.completions),
            residual: match left.abs_diff(right) {
                0 => Q32::ZERO,
                off => wide_ratio(off, left.max(right)),
            },
        }
    }
}

/// What follows from the counts of a [`StageWindow`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct StageFigures {
    /// Which share of the workers' time went into items: from 0 to 1.
    pub utilisation: Q32,
    /// Completions a second.
    pub throughput: Q32,
    /// Arrivals a second: λ of Little's law.
    pub arrival_rate: Q32,
    /// How many items were there on average: its L.
    pub length: Q32,
    /// How long an item stayed on average: its W. Zero if none was completed.
    pub sojourn: Duration,
    /// How many more items came than were done.
    pub backlog: u64,
    /// How far L and λ W are apart, as a share of the larger one: three counts that must agree. Near 0, they do, also
    /// while a queue grows evenly. Well above, items leave without being counted, some stay for far longer than those
    /// that were done, or the window holds too few: then do not believe the other figures.
    pub residual: Q32,
}

/// `a / b`, 0 where `b` is 0, at most [`Q32::MAX`].
fn share(a: u64, b: u64) -> Q32 {
    match b {
        0 => Q32::ZERO,
        _ => Q32::from_ratio(a, b).unwrap_or(Q32::MAX),
    }
}

fn per_second(count: u64, elapsed: u64) -> Q32 {
    wide_ratio(u128::from(count) * 1_000_000_000, elapsed.into())
}

/// `a / b` of two wide numbers, 0 where `b` is 0.
fn wide_ratio(a: u128, b: u128) -> Q32 {
    let shift = 64 - a.max(b).leading_zeros().min(64);
    share((a >> shift) as u64, (b >> shift) as u64)
}

/// The stage that limits a pipeline, and why.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Bottleneck {
    /// Which stage, from 0 on.
    pub stage: u32,
    /// The evidence.
    pub figures: StageFigures,
    /// How many times as much the pipeline would get done with one more worker there, if as much came as comes now. 1
    /// where all that comes is done already: the worker would only shorten the wait.
    pub gain: Q32,
    /// Likewise, if there were always more to do: up to where the next stage is the limit.
    pub ceiling: Q32,
}

/// Finds the stage that limits a pipeline: the one whose workers are busy most, if that is at least `threshold` of
/// their time (4/5, say). `None` where no stage is: the pipeline is not held up by its workers.
///
/// Stages stand in the order in which items pass them, and each item of one may become several of the next, or none: the
/// counts say how many. The gain follows from the demand on each stage, which is the time that its workers spend on an
/// item times the items that come of one at the first stage.
///
/// *When not to use it:* where stages wait for something else than their workers (a lock, a limiter, a full queue behind
/// them). They are then idle, and are not named.
///
/// # Examples
///
/// ```
/// use core::{num::NonZeroU32, time::Duration};
/// use divvy::fixed::Q32;
/// use divvy::sched::bottleneck::{StageWindow, bottleneck};
///
/// let stage = |workers, arrivals, completions, busy| StageWindow {
///     arrivals,
///     completions,
///     busy: Duration::from_secs(busy),
///     ..StageWindow::new(NonZeroU32::new(workers).unwrap(), Duration::from_secs(100))
/// };
/// // Read, resize, write; 1,000 images came, and 500 were resized:
/// let stages = [stage(1, 1_000, 1_000, 40), stage(2, 1_000, 500, 199), stage(1, 500, 500, 30)];
/// let threshold = Q32::from_ratio(4, 5).unwrap();
/// let found = bottleneck(&stages, threshold).expect("the resizers are busy");
/// assert_eq!((found.stage, found.figures.backlog), (1, 500));
/// // Three resizers instead of two:
/// assert_eq!(found.gain, Q32::from_ratio(3, 2).unwrap());
/// assert!(bottleneck(&stages[2..], threshold).is_none());
/// ```
///
/// # Complexity
///
/// *O*(stages), no memory, with 128-bit products.
///
/// # References
///
/// Little: *A proof for the queuing formula L = λ W*, Operations Research 9(3), 1961. Denning, Buzen: *The operational
/// analysis of queueing network models*, Computing Surveys 10(3), 1978.
#[must_use]
pub fn bottleneck(stages: &[StageWindow], threshold: Q32) -> Option<Bottleneck> {
    let utilisation = |stage: &StageWindow| stage.figures().utilisation;
    let mut named: Option<(u32, &StageWindow)> = None;
    for (number, stage) in (0..).zip(stages) {
        if named.is_none_or(|(_, other)| utilisation(other) < utilisation(stage)) {
            named = Some((number, stage));
        }
    }
    let (number, stage) = named.filter(|(_, stage)| stage.busy > Duration::ZERO)?;
    let figures = stage.figures();
    if figures.utilisation < threshold {
        return None;
    }
    // Between two items that the first stage could start, and between two that come to it.
    let now = slowest(stages, None);
    let then = slowest(stages, Some(number));
    let offered = stages.first().map_or(0, |first| {
        (u128::from(saturating_nanos(first.elapsed)) << FRACTION)
            .checked_div(first.arrivals.into())
            .unwrap_or(u128::MAX)
    });
    let ratio = |now: u128, then: u128| wide_ratio(now, then).max(Q32::ONE);
    Some(Bottleneck {
        stage: number,
        figures,
        gain: ratio(now.max(offered), then.max(offered)),
        ceiling: ratio(now, then),
    })
}

/// Fraction bits of the nanoseconds between two items.
const FRACTION: u32 = 16;

/// The longest time that a stage needs for what comes of one item at the first stage, spread over its workers; `more` has
/// one worker more.
fn slowest(stages: &[StageWindow], more: Option<u32>) -> u128 {
    // Items at this stage for one at the first.
    let mut fan_out = Q32::ONE;
    let mut slowest = 0;
    for (number, stage) in (0..).zip(stages) {
        let workers = u128::from(stage.workers.get()) + u128::from(more == Some(number));
        let each = (u128::from(saturating_nanos(stage.busy)) << FRACTION)
            .checked_div(stage.completions.into())
            // Busy without an end in sight: as long as it takes at least.
            .unwrap_or(u128::from(saturating_nanos(stage.busy)) << FRACTION);
        let demand = wide_product(each, fan_out) / workers;
        slowest = slowest.max(demand);
        if let Some(next) = stages.get(number as usize + 1) {
            let out = match stage.completions {
                0 => Q32::ONE,
                completions => share(next.arrivals, completions),
            };
            fan_out = fan_out.saturating_mul(out);
        }
    }
    slowest
}

/// A time with [`FRACTION`] bits, at most 80 bits, times a factor.
fn wide_product(time: u128, factor: Q32) -> u128 {
    let (high, low) = (time >> 32, time & u128::from(u32::MAX));
    let factor = u128::from(factor.to_bits());
    high * factor + ((low * factor) >> 32)
}

/// Counts what [`StageWindow`] asks for, from what happens to each item.
///
/// # Examples
///
/// ```
/// use core::{num::NonZeroU32, time::Duration};
/// use divvy::Instant;
/// use divvy::fixed::Q32;
/// use divvy::sched::bottleneck::StageMeter;
///
/// let at = Instant::from_millis;
/// let mut meter = StageMeter::new(at(0), NonZeroU32::MIN);
/// meter.arrive(at(0));
/// meter.start(at(2));
/// meter.complete(at(8), at(0)); // When it arrived, the item says.
/// let window = meter.window(at(10));
/// assert_eq!((window.busy, window.presence), (Duration::from_millis(6), Duration::from_millis(8)));
/// assert_eq!(window.figures().residual, Q32::ZERO);
/// ```
///
/// # Complexity
///
/// *O*(1) each; 72 bytes.
///
/// # Time
///
/// Sums over time grow with each call. A clock that goes back has not moved.
#[derive(Clone, Copy, Debug)]
pub struct StageMeter {
    workers: NonZeroU32,
    since: Instant,
    last: Instant,
    present: u32,
    running: u32,
    arrivals: u64,
    completions: u64,
    busy: u64,
    presence: u64,
    sojourn: u64,
}

impl StageMeter {
    /// Counts from `now` on, for a stage with this many workers, at which there is nothing.
    #[must_use]
    pub const fn new(now: Instant, workers: NonZeroU32) -> Self {
        Self {
            workers,
            since: now,
            last: now,
            present: 0,
            running: 0,
            arrivals: 0,
            completions: 0,
            busy: 0,
            presence: 0,
            sojourn: 0,
        }
    }

    /// An item came.
    pub fn arrive(&mut self, now: Instant) {
        self.pass(now);
        self.present = self.present.saturating_add(1);
        self.arrivals += 1;
    }

    /// A worker began with an item.
    pub fn start(&mut self, now: Instant) {
        self.pass(now);
        self.running = self.running.saturating_add(1);
    }

    /// An item that arrived at `arrived` is done, and its worker free.
    pub fn complete(&mut self, now: Instant, arrived: Instant) {
        self.pass(now);
        self.present = self.present.saturating_sub(1);
        self.running = self.running.saturating_sub(1);
        self.completions += 1;
        let stayed = saturating_nanos(self.last.saturating_duration_since(arrived));
        self.sojourn = self.sojourn.saturating_add(stayed);
    }

    /// The stage has this many workers from `now` on; the window says so of its whole length.
    pub fn set_workers(&mut self, now: Instant, workers: NonZeroU32) {
        self.pass(now);
        self.workers = workers;
    }

    /// What was counted up to `now`.
    pub fn window(&mut self, now: Instant) -> StageWindow {
        self.pass(now);
        StageWindow {
            elapsed: self.last.saturating_duration_since(self.since),
            workers: self.workers,
            arrivals: self.arrivals,
            completions: self.completions,
            busy: Duration::from_nanos(self.busy),
            presence: Duration::from_nanos(self.presence),
            sojourn: Duration::from_nanos(self.sojourn),
        }
    }

    /// Begins a new window. What is there stays there.
    pub fn restart(&mut self, now: Instant) {
        self.pass(now);
        let (present, running) = (self.present, self.running);
        *self = Self { present, running, ..Self::new(self.last, self.workers) };
    }

    /// Adds up what lasted until `now`.
    fn pass(&mut self, now: Instant) {
        let passed = saturating_nanos(now.saturating_duration_since(self.last));
        self.last = self.last.max(now);
        let add = |sum: &mut u64, count: u32| {
            *sum = sum.saturating_add(passed.saturating_mul(count.into()));
        };
        add(&mut self.busy, self.running);
        add(&mut self.presence, self.present);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Xoshiro256PlusPlus};
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec::Vec;

    const THRESHOLD: Q32 = Q32::from_bits((4 << 32) / 5);

    /// A stage of the model: how many workers, how long each item takes.
    #[derive(Clone, Copy, Debug)]
    struct Stage {
        workers: u32,
        micros: u64,
    }

    /// Runs `seconds` of a pipeline with an arrival every `every` microseconds, in steps of 10 µs; the windows, and how
    /// many items came out. Times of work vary by half, from the seed.
    fn simulate(stages: &[Stage], every: u64, seconds: u64, seed: u64) -> (Vec<StageWindow>, u64) {
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut meters: Vec<_> = stages
            .iter()
            .map(|stage| StageMeter::new(Instant::ZERO, NonZeroU32::new(stage.workers).unwrap()))
            .collect();
        let mut queues: Vec<VecDeque<Instant>> = stages.iter().map(|_| VecDeque::new()).collect();
        let mut running: Vec<Vec<(Instant, Instant)>> = stages.iter().map(|_| Vec::new()).collect();
        let (mut next_arrival, mut out) = (0, 0);
        for step in 0..seconds * 100_000 {
            let now = Instant::from_micros(step * 10);
            while next_arrival <= step * 10 {
                meters[0].arrive(now);
                queues[0].push_back(now);
                next_arrival += every;
            }
            for number in 0..stages.len() {
                let Stage { workers, micros } = stages[number];
                while let Some(done) = running[number].iter().position(|(end, _)| *end <= now) {
                    let (_, arrived) = running[number].swap_remove(done);
                    meters[number].complete(now, arrived);
                    match meters.get_mut(number + 1) {
                        Some(next) => {
                            next.arrive(now);
                            queues[number + 1].push_back(now);
                        }
                        None => out += 1,
                    }
                }
                while running[number].len() < workers as usize {
                    let Some(arrived) = queues[number].pop_front() else { break };
                    meters[number].start(now);
                    let micros = micros * 3 / 4 + rng.below_u64(micros / 2 + 1);
                    running[number].push((now.saturating_add(Duration::from_micros(micros)), arrived));
                }
            }
        }
        let end = Instant::from_secs(seconds);
        (meters.iter_mut().map(|meter| meter.window(end)).collect(), out)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// The stage that is named is the one that limits the simulation, and one more worker there gains what was said.
        #[test]
        fn the_named_stage_is_the_slowest_and_the_gain_comes_true(
            stages in prop::collection::vec((1u32..4, 100u64..2_000), 1..5), every in 60u64..1_500, seed: u64,
        ) {
            let mut stages: Vec<Stage> =
                stages.into_iter().map(|(workers, micros)| Stage { workers, micros }).collect();
            let (windows, out) = simulate(&stages, every, 2, seed);
            let limit = |stage: &Stage| stage.micros / u64::from(stage.workers);
            let slowest = stages.iter().map(limit).max().unwrap();
            match bottleneck(&windows, THRESHOLD) {
                None => prop_assert!(slowest * 5 / 4 + 20 >= every * 4 / 5 || out > 0 && slowest <= every,
                    "{stages:?} keep up with {every}"),
                Some(found) => {
                    let named = &mut stages[found.stage as usize];
                    // Nobody is slower, but for what chance makes of it.
                    prop_assert!(limit(named) * 110 / 100 + 20 >= slowest.min(every), "{found:?}");
                    named.workers += 1;
                    let (_, more) = simulate(&stages, every, 2, seed);
                    let predicted = found.gain.mul_int(out);
                    prop_assert!(predicted.abs_diff(more) <= more * 6 / 100 + 12, "{out}, {predicted}, {more}: {found:?}");
                    prop_assert!(found.ceiling >= found.gain || found.gain == Q32::ONE);
                }
            }
        }

        /// Any counts have an answer.
        #[test]
        fn nothing_overflows(
            counts in prop::collection::vec(any::<[u64; 6]>(), 0..4), workers in any::<NonZeroU32>(), threshold: u64,
        ) {
            let windows: Vec<StageWindow> = counts.iter().map(|counts| StageWindow {
                elapsed: Duration::from_nanos(counts[0]),
                workers,
                arrivals: counts[1],
                completions: counts[2],
                busy: Duration::from_nanos(counts[3]),
                presence: Duration::from_nanos(counts[4]),
                sojourn: Duration::new(counts[5], 0),
            }).collect();
            let found = bottleneck(&windows, Q32::from_bits(threshold));
            if let Some(found) = found {
                prop_assert!(found.figures.utilisation >= Q32::from_bits(threshold));
                prop_assert!(found.gain >= Q32::ONE && found.ceiling >= Q32::ONE);
            }
        }
    }

    #[test]
    fn littles_law_holds_unless_items_leave_uncounted() {
        let percent = |n| Q32::from_ratio(n, 100).unwrap();
        // Also where a queue grows.
        for micros in [900, 1_500] {
            let (windows, _) = simulate(&[Stage { workers: 2, micros }], 500, 4, 7);
            let figures = windows[0].figures();
            assert!(figures.residual < percent(1), "{figures:?}");
            assert_eq!(figures.backlog > 1_000, micros == 1_500);
        }
        // One in ten of a thousand leaves by the back door.
        let mut meter = StageMeter::new(Instant::ZERO, NonZeroU32::MIN);
        for item in 0..1_000 {
            let at = Instant::from_millis(item);
            meter.arrive(at);
            if item % 10 > 0 {
                meter.complete(at.saturating_add(Duration::from_micros(500)), at);
            }
        }
        let window = meter.window(Instant::from_secs(1));
        assert!(window.figures().residual > percent(90), "{:?}", window.figures());
    }

    #[test]
    fn an_idle_pipeline_has_no_bottleneck() {
        let idle = StageWindow::new(NonZeroU32::MIN, Duration::from_secs(1));
        assert_eq!(bottleneck(&[], Q32::ZERO), None);
        assert_eq!(bottleneck(&[idle; 3], Q32::ZERO), None);
        let figures = StageWindow::new(NonZeroU32::MIN, Duration::ZERO).figures();
        assert_eq!(
            (figures.utilisation, figures.throughput, figures.residual),
            (Q32::ZERO, Q32::ZERO, Q32::ZERO)
        );
    }

    #[test]
    fn of_equals_the_first_is_named_and_filters_and_fans_are_counted() {
        let workers = NonZeroU32::MIN;
        let busy = |arrivals, completions, seconds| StageWindow {
            arrivals,
            completions,
            busy: Duration::from_secs(seconds),
            ..StageWindow::new(workers, Duration::from_secs(10))
        };
        assert_eq!(bottleneck(&[busy(10, 10, 9), busy(10, 10, 9)], THRESHOLD).unwrap().stage, 0);
        // Each of 10 items becomes 4 of the second stage, which keeps up with half of them: 20 in 10 s.
        let found = bottleneck(&[busy(10, 10, 5), busy(40, 20, 10)], THRESHOLD).unwrap();
        assert_eq!(found.stage, 1);
        // Two workers do all 40, so the first stage's arrivals are the limit, and with more of them the first stage itself.
        assert_eq!((found.gain, found.ceiling), (Q32::from_int(2), Q32::from_int(2)));
    }

    #[test]
    fn a_new_window_keeps_what_is_there_and_a_clock_that_goes_back_stands() {
        let at = Instant::from_millis;
        let mut meter = StageMeter::new(at(0), NonZeroU32::MIN);
        meter.arrive(at(5));
        meter.start(at(5));
        meter.arrive(at(3));
        meter.restart(at(10));
        assert_eq!(meter.window(at(10)), StageWindow::new(NonZeroU32::MIN, Duration::ZERO));
        let window = meter.window(at(14));
        assert_eq!((window.busy, window.presence), (Duration::from_millis(4), Duration::from_millis(8)));
        // One too many: nothing below zero.
        for _ in 0..3 {
            meter.complete(at(15), at(99));
        }
        assert_eq!(
            (meter.window(at(16)).presence, meter.window(at(15)).completions),
            (Duration::from_millis(10), 3)
        );
        assert_eq!(size_of::<StageMeter>(), 72);
    }
}
