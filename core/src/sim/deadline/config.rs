//! What is simulated, apart from the tasks.

use crate::Rng;
use crate::sched::realtime::{OnMiss, OnOverrun, Policy};

/// How a simulation of tasks with deadlines decides, and how long its jobs run.
///
/// # Examples
///
/// ```
/// use divvy::sched::realtime::{OnMiss, OnOverrun, Policy};
/// use divvy::sim::deadline::Config;
///
/// // Jobs run for 80 to 120 % of what was promised, and are cut at 100 %:
/// let config = Config::new(Policy::FixedPriority).execution(80, 120).on_overrun(OnOverrun::Abort);
/// assert_eq!(config.on_miss, OnMiss::Continue);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// Which job goes first.
    pub policy: Policy,
    /// What becomes of a job that is not done at its deadline.
    pub on_miss: OnMiss,
    /// What becomes of a job that runs for too long.
    pub on_overrun: OnOverrun,
    least: u32,
    most: u32,
    gap: u32,
}

impl Config {
    /// Jobs run for exactly their worst-case execution time, sporadic ones arrive as often as they may, and those that miss or
    /// overrun go on.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            on_miss: OnMiss::Continue,
            on_overrun: OnOverrun::Report,
            least: 100,
            most: 100,
            gap: 0,
        }
    }

    /// What becomes of a job that is not done at its deadline.
    #[must_use]
    pub const fn on_miss(self, on_miss: OnMiss) -> Self {
        Self { on_miss, ..self }
    }

    /// What becomes of a job that runs for too long.
    #[must_use]
    pub const fn on_overrun(self, on_overrun: OnOverrun) -> Self {
        Self { on_overrun, ..self }
    }

    /// Each job runs for so many per cent of its task's worst-case execution time, drawn evenly between the two.
    #[must_use]
    pub const fn execution(self, least: u32, most: u32) -> Self {
        Self { least, most, ..self }
    }

    /// Jobs of a sporadic task arrive up to so many per cent of the period later than they may, drawn evenly.
    #[must_use]
    pub const fn gap(self, most: u32) -> Self {
        Self { gap: most, ..self }
    }

    /// How long a job runs: at least a nanosecond.
    pub(super) fn cost(&self, wcet: u64, rng: &mut impl Rng) -> u64 {
        let (least, most) = (percent(wcet, self.least), percent(wcet, self.most));
        let spread = most.saturating_sub(least);
        let drawn = if spread == 0 { 0 } else { rng.below_u64(spread.saturating_add(1)) };
        least.saturating_add(drawn).max(1)
    }

    /// How much later than it may a sporadic job arrives.
    pub(super) fn extra_gap(&self, period: u64, rng: &mut impl Rng) -> u64 {
        let most = percent(period, self.gap);
        if most == 0 { 0 } else { rng.below_u64(most.saturating_add(1)) }
    }
}

/// So many per cent of `whole`, rounded down.
fn percent(whole: u64, percent: u32) -> u64 {
    let percent = u64::from(percent);
    (whole / 100).saturating_mul(percent).saturating_add(whole % 100 * percent / 100)
}
