//! Energy: as few workers awake as the work needs.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::fixed::{Q32, exp2_neg};
use crate::time::{Instant, saturating_nanos};

/// When workers are put to sleep and let again. Made by [`ConsolidateConfig::new`] and the setters, checked by
/// [`build`](Self::build).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConsolidateConfig {
    workers: u32,
    least: u32,
    high: Q32,
    low: Q32,
    hold: Duration,
    half_life: Duration,
    backlog: u32,
}

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConsolidateError {
    /// More workers shall be awake at least than there are, or none. Remedy: from 1 to the number of workers.
    Least,
    /// The utilisations are not 0 < low < high ≤ 1: a worker would be put to sleep and let again without end.
    /// Remedy: a gap between them.
    Thresholds,
}

impl fmt::Display for ConsolidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Least => "the least number awake must be from 1 to the number of workers",
            Self::Thresholds => "the utilisations must be 0 < low < high <= 1",
        })
    }
}

impl core::error::Error for ConsolidateError {}

impl ConsolidateConfig {
    /// For `workers` workers: at least one awake, each busy for at most 4/5 of its time; one is put to sleep when the
    /// others would be busy for less than 3/5, for a second on end; the load is averaged with a half-life of 200 ms; and
    /// four tasks that wait for each worker awake are too many.
    #[must_use]
    pub const fn new(workers: NonZeroU32) -> Self {
        Self {
            workers: workers.get(),
            least: 1,
            high: Q32::from_bits((4 << 32) / 5),
            low: Q32::from_bits((3 << 32) / 5),
            hold: Duration::from_secs(1),
            half_life: Duration::from_millis(200),
            backlog: 4,
        }
    }

    /// Keeps at least this many awake.
    #[must_use]
    pub const fn least(self, least: u32) -> Self {
        Self { least, ..self }
    }

    /// The utilisations between which nothing changes: one more is let where workers are busy for more than `high` of
    /// their time, and one is put to sleep where the others would then be busy for less than `low`.
    #[must_use]
    pub const fn utilisation(self, low: Q32, high: Q32) -> Self {
        Self { low, high, ..self }
    }

    /// How long there must be too little to do before one worker is put to sleep. Letting one more waits for nothing.
    #[must_use]
    pub const fn hold(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// How fast the average of the load forgets.
    #[must_use]
    pub const fn half_life(self, half_life: Duration) -> Self {
        Self { half_life, ..self }
    }

    /// How many tasks may wait for each worker awake before more are let, whatever the average says. At least 1.
    #[must_use]
    pub const fn backlog(self, tasks: u32) -> Self {
        Self { backlog: if tasks == 0 { 1 } else { tasks }, ..self }
    }

    /// The consolidator, with all workers awake.
    ///
    /// # Errors
    ///
    /// [`ConsolidateError`].
    pub const fn build(self) -> Result<Consolidator, ConsolidateError> {
        if self.least == 0 || self.least > self.workers {
            return Err(ConsolidateError::Least);
        }
        let (low, high) = (self.low.to_bits(), self.high.to_bits());
        if low == 0 || low >= high || high > Q32::ONE.to_bits() {
            return Err(ConsolidateError::Thresholds);
        }
        Ok(Consolidator { config: self, awake: self.workers, load: None, last: None, quiet_since: None })
    }
}

/// Says how many workers to keep awake: the fewest that the work needs, without going back and forth.
///
/// It is told now and then how long the workers were busy and how many tasks wait, and answers a number for
/// [`Scheduler::set_awake`](super::Scheduler::set_awake). More are let at once: when those awake are busy for more than
/// `high` of their time, or when tasks pile up. One at a time is put to sleep, when the others would still be below `low`
/// and it was so for `hold`. Under a steady load it settles, and stays: the gap between `low` and `high` is wider than
/// what one worker more or less makes.
///
/// Sleepers are those with the highest numbers. So a whole cluster or socket falls asleep where workers are numbered
/// along the machine, and the workers that cost least stay awake where those come first.
///
/// *When not to use it:* where only delay counts (a scheduler without it wakes whoever can help), and to start and stop
/// machines, which takes minutes.
///
/// # Examples
///
/// ```
/// use core::{num::NonZeroU32, time::Duration};
/// use divvy::Instant;
/// use divvy::sched::consolidate::{ConsolidateConfig, ConsolidateError};
/// use divvy::fixed::Q32;
///
/// let four = NonZeroU32::new(4).unwrap();
/// let mut energy = ConsolidateConfig::new(four).build()?;
/// // For five seconds, all workers together are busy for half a worker's time:
/// let mut awake = 4;
/// for tick in 0..=50 {
///     awake = energy.observe(Instant::from_millis(100 * tick), Duration::from_millis(50), 0);
/// }
/// assert_eq!(awake, 1);
/// // Then ten tasks wait:
/// assert_eq!(energy.observe(Instant::from_millis(5_100), Duration::from_millis(100), 10), 3);
/// let wrong = ConsolidateConfig::new(four).utilisation(Q32::ONE, Q32::ONE);
/// assert_eq!(wrong.build().err(), Some(ConsolidateError::Thresholds));
/// # Ok::<(), ConsolidateError>(())
/// ```
///
/// # Complexity
///
/// *O*(1); at most 152 bytes.
///
/// # Time
///
/// The load is what the workers were busy since the observation before, over the time since then. A clock that goes back
/// has not moved, and what was busy then is counted for nothing.
///
/// # References
///
/// The trade of delay for sleep: Meisner, Gold, Wenisch: *PowerNap*, ASPLOS 2009. Fast up and slow down, as horizontal
/// scalers do.
#[derive(Clone, Copy, Debug)]
pub struct Consolidator {
    config: ConsolidateConfig,
    awake: u32,
    /// How many workers' time goes into tasks, on average.
    load: Option<Q32>,
    last: Option<Instant>,
    /// Since when there is too little to do.
    quiet_since: Option<Instant>,
}

impl Consolidator {
    /// Since the last observation the workers, all together, were busy for `busy`; now `waiting` tasks wait. How many
    /// workers to keep awake from now on.
    pub fn observe(&mut self, now: Instant, busy: Duration, waiting: u32) -> u32 {
        let Some(last) = self.last else {
            self.last = Some(now);
            return self.awake;
        };
        let passed = saturating_nanos(now.saturating_duration_since(last));
        if passed == 0 {
            return self.awake;
        }
        self.last = Some(now);
        self.learn(saturating_nanos(busy), passed);
        let (load, config) = (self.load(), self.config);
        let needed = self.needed(load).max(waiting.div_ceil(config.backlog));
        if needed > self.awake {
            self.awake = needed.min(config.workers);
            self.quiet_since = None;
            return self.awake;
        }
        let fewer = self.awake.saturating_sub(1);
        let is_quiet = fewer >= config.least
            && waiting.div_ceil(config.backlog) <= fewer
            && load < config.low.saturating_mul(Q32::from_int(fewer));
        if !is_quiet {
            self.quiet_since = None;
            return self.awake;
        }
        let since = *self.quiet_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= config.hold {
            self.awake = fewer;
            // The next one must be superfluous as long again.
            self.quiet_since = Some(now);
        }
        self.awake
    }

    /// How many workers are kept awake.
    pub const fn awake(&self) -> u32 {
        self.awake
    }

    /// How many workers' time goes into tasks, on average; 0 before it is known.
    pub const fn load(&self) -> Q32 {
        match self.load {
            Some(load) => load,
            None => Q32::ZERO,
        }
    }

    /// The fewest workers that are busy for no more than `high` of their time under this load.
    fn needed(&self, load: Q32) -> u32 {
        let (load, high) = (load.to_bits(), self.config.high.to_bits());
        u32::try_from(load.div_ceil(high)).unwrap_or(u32::MAX)
    }

    fn learn(&mut self, busy: u64, passed: u64) {
        let most = Q32::from_int(self.config.workers);
        let sample = Q32::from_ratio(busy, passed).unwrap_or(Q32::MAX).min(most);
        let half_life = saturating_nanos(self.config.half_life).max(1);
        let keep = exp2_neg(Q32::from_ratio(passed, half_life).unwrap_or(Q32::MAX));
        let Some(load) = self.load else {
            self.load = Some(sample);
            return;
        };
        let learned = Q32::ONE.saturating_sub(keep);
        self.load = Some(load.saturating_mul(keep).saturating_add(sample.saturating_mul(learned)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const TICK: u64 = 100;

    fn config(workers: u32) -> ConsolidateConfig {
        ConsolidateConfig::new(NonZeroU32::new(workers).unwrap())
    }

    /// What it says in `ticks` ticks of 100 ms under a load in thousandths of a worker.
    fn run(energy: &mut Consolidator, from: u64, ticks: u64, load: u64) -> Vec<u32> {
        let busy = Duration::from_micros(load * TICK);
        let at = |tick| Instant::from_millis((from + tick) * TICK);
        (0..ticks).map(|tick| energy.observe(at(tick), busy, 0)).collect()
    }

    proptest! {
        /// Under a steady load it comes to rest at the fewest workers of which one fewer would be too few by `low`, goes
        /// down one by one, each held for a second, and never up.
        #[test]
        fn a_steady_load_settles(workers in 1u32..40, load in 0u64..40_000, seed in 1u64..40_000) {
            let mut energy = config(workers).build().unwrap();
            // From some other load, whatever that left behind.
            run(&mut energy, 0, 200, seed);
            let load = load.min(u64::from(workers) * 1_000);
            let said = run(&mut energy, 200, 600, load);
            let changes = said.windows(2).filter(|pair| pair[0] != pair[1]).count();
            let down = said.windows(2).filter(|pair| pair[1] < pair[0]).count();
            prop_assert!(said.windows(2).all(|pair| pair[0] <= pair[1] + 1), "down by one at a time");
            prop_assert_eq!(said[550], said[599]);
            prop_assert!(changes <= down + 40);
            let awake = u64::from(energy.awake());
            prop_assert!(awake == u64::from(workers) || load <= awake * 800 + 1, "{awake} are too few for {load}");
            prop_assert!(awake == 1 || load + 1 >= (awake - 1) * 600, "{awake} are too many for {load}");
            // Once it went down it does not go up again: from a higher load at once, from a lower one when the average has
            // come up to what it is now. (Until then the last of the sleepers may still be on their way to bed.)
            let said = if seed >= load { &said[..] } else { &said[100..] };
            let first_down = said.windows(2).position(|pair| pair[1] < pair[0]).unwrap_or(said.len());
            prop_assert!(said[first_down.min(said.len() - 1)..].is_sorted_by(|a, b| a >= b), "{said:?}");
        }

        #[test]
        fn any_input_keeps_the_bounds(
            steps in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u32>()), 0..30), least in 1u32..9,
        ) {
            let mut energy = config(8).least(least.min(8)).half_life(Duration::ZERO).hold(Duration::ZERO).backlog(0)
                .build().unwrap();
            for (now, busy, waiting) in steps {
                let awake = energy.observe(Instant::from_nanos(now), Duration::from_nanos(busy), waiting);
                prop_assert!((least.min(8)..=8).contains(&awake));
                prop_assert!(energy.load() <= Q32::from_int(8));
            }
        }
    }

    #[test]
    fn a_pile_of_tasks_lets_workers_at_once_and_keeps_them() {
        let mut energy = config(8).build().unwrap();
        assert_eq!(run(&mut energy, 0, 200, 100).last(), Some(&1));
        let at = |tick| Instant::from_millis(tick * TICK);
        assert_eq!(energy.observe(at(200), Duration::from_millis(10), 4), 1, "four may wait");
        assert_eq!(energy.observe(at(201), Duration::from_millis(100), 17), 5);
        assert_eq!(energy.observe(at(202), Duration::from_millis(500), 1_000), 8);
        // While tasks wait for all of them nobody is put to sleep, however little is done.
        for tick in 203..300 {
            assert_eq!(energy.observe(at(tick), Duration::ZERO, 29), 8);
        }
    }

    #[test]
    fn one_is_put_to_sleep_only_when_it_was_quiet_for_the_whole_hold() {
        let mut energy = config(4).half_life(Duration::from_nanos(1)).build().unwrap();
        let at = |tick| Instant::from_millis(tick * TICK);
        for tick in 0..100 {
            // Every nine ticks there is something to do for four.
            let busy = if tick % 9 == 0 { 390 } else { 0 };
            assert_eq!(energy.observe(at(tick), Duration::from_millis(busy), 0), 4);
        }
        assert_eq!(energy.observe(at(50), Duration::from_secs(9), 99), 4, "a clock that goes back stands");
    }

    #[test]
    fn what_would_go_back_and_forth_is_refused() {
        let q = |n| Q32::from_ratio(n, 10).unwrap();
        for (low, high) in [(0, 5), (5, 5), (6, 5), (5, 11)] {
            assert_eq!(
                config(4).utilisation(q(low), q(high)).build().err(),
                Some(ConsolidateError::Thresholds)
            );
        }
        for least in [0, 5] {
            assert_eq!(config(4).least(least).build().err(), Some(ConsolidateError::Least));
        }
        assert!(config(4).least(4).utilisation(q(1), q(10)).build().is_ok());
        assert!(size_of::<Consolidator>() <= 152);
    }
}
