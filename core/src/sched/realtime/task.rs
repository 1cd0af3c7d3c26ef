//! What a task needs and when.

use crate::time::{nanos, saturating_nanos};
use core::fmt;
use core::time::Duration;

/// Why a task has no meaning. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TaskError {
    /// The worst-case execution time is zero. Remedy: at least a nanosecond.
    NoWork,
    /// The period is zero. Remedy: at least a nanosecond.
    NoPeriod,
    /// The worst-case execution time does not fit 64 bits of nanoseconds. Remedy: less than 584 years.
    TooLong,
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoWork => "the worst-case execution time is zero; give at least a nanosecond",
            Self::NoPeriod => "the period is zero; give at least a nanosecond",
            Self::TooLong => "the worst-case execution time must be below 584 years",
        })
    }
}

impl core::error::Error for TaskError {}

/// A task: jobs that arrive again and again, each with a deadline.
///
/// *When not to use it:* for work that happens once, or that may be late by any time: a priority is then enough.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sched::realtime::{Task, TaskError};
///
/// let ms = Duration::from_millis;
/// // 2 ms of every 10 ms, each time within 5 ms:
/// const CONTROL: Task = match Task::new(Duration::from_millis(2), Duration::from_millis(10)) {
///     Ok(task) => task.deadline(Duration::from_millis(5)),
///     Err(_) => panic!("it is valid"),
/// };
/// assert_eq!((CONTROL.wcet(), CONTROL.relative_deadline()), (ms(2), ms(5)));
/// assert_eq!(Task::new(ms(0), ms(10)), Err(TaskError::NoWork));
/// ```
///
/// # Complexity
///
/// 56 bytes.
///
/// # Time
///
/// Everything is kept in nanoseconds; what is longer than 64 bits of them (584 years) counts as that.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Task {
    pub(super) wcet: u64,
    pub(super) period: u64,
    pub(super) deadline: u64,
    pub(super) offset: u64,
    pub(super) jitter: u64,
    pub(super) blocking: u64,
    pub(super) priority: u32,
    pub(super) sporadic: bool,
}

impl Task {
    /// A periodic task that runs for at most `wcet` (worst-case execution time) in every `period`, to be done by the end of
    /// the period.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    pub const fn new(wcet: Duration, period: Duration) -> Result<Self, TaskError> {
        let Some(wcet) = nanos(wcet) else { return Err(TaskError::TooLong) };
        let period = saturating_nanos(period);
        if wcet == 0 {
            return Err(TaskError::NoWork);
        }
        if period == 0 {
            return Err(TaskError::NoPeriod);
        }
        Ok(Self {
            wcet,
            period,
            deadline: period,
            offset: 0,
            jitter: 0,
            blocking: 0,
            priority: 0,
            sporadic: false,
        })
    }

    /// Each job must be done so long after its arrival; without this, within the period. It may be longer than the period.
    #[must_use]
    pub const fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: saturating_nanos(deadline), ..self }
    }

    /// The first job arrives so long after the task was inserted; without this, at once. The admission tests hold for any
    /// offset.
    #[must_use]
    pub const fn offset(self, offset: Duration) -> Self {
        Self { offset: saturating_nanos(offset), ..self }
    }

    /// A job may be noticed, and so be able to start, up to so long after its arrival. Its deadline counts from the arrival.
    #[must_use]
    pub const fn jitter(self, jitter: Duration) -> Self {
        Self { jitter: saturating_nanos(jitter), ..self }
    }

    /// A job may be kept from running for up to so long by jobs that go after it: the longest that one of these holds a lock
    /// (under the priority ceiling or stack resource protocol) or is not preemptible. Known to the admission tests alone.
    #[must_use]
    pub const fn blocking(self, blocking: Duration) -> Self {
        Self { blocking: saturating_nanos(blocking), ..self }
    }

    /// The fixed priority; without this 0. The higher goes first, of equal ones the task that was inserted first.
    #[must_use]
    pub const fn priority(self, priority: u32) -> Self {
        Self { priority, ..self }
    }

    /// Jobs come when the caller releases them, at least a period apart, and not by the clock.
    #[must_use]
    pub const fn sporadic(self) -> Self {
        Self { sporadic: true, ..self }
    }

    /// The worst-case execution time.
    pub const fn wcet(&self) -> Duration {
        Duration::from_nanos(self.wcet)
    }

    /// The period, or the shortest time between two arrivals.
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// The time from arrival to deadline.
    pub const fn relative_deadline(&self) -> Duration {
        Duration::from_nanos(self.deadline)
    }

    /// The time from insertion to the first arrival.
    pub const fn first_offset(&self) -> Duration {
        Duration::from_nanos(self.offset)
    }

    /// The longest time from arrival to release.
    pub const fn release_jitter(&self) -> Duration {
        Duration::from_nanos(self.jitter)
    }

    /// The longest time that later ones keep it from running.
    pub const fn blocking_time(&self) -> Duration {
        Duration::from_nanos(self.blocking)
    }

    /// The fixed priority: the higher goes first.
    pub const fn fixed_priority(&self) -> u32 {
        self.priority
    }

    /// Whether jobs come by the caller's word and not by the clock.
    pub const fn is_sporadic(&self) -> bool {
        self.sporadic
    }
}

/// Gives the shorter period the higher priority, of equal ones the first task: the best that fixed priorities can do where
/// each deadline is the period.
///
/// # Complexity
///
/// *O*(tasks²).
///
/// # References
///
/// Liu, Layland: *Scheduling algorithms for multiprogramming in a hard-real-time environment*, JACM 20(1), 1973.
pub fn rate_monotonic(tasks: &mut [Task]) {
    rank(tasks, |task| task.period);
}

/// Gives the shorter relative deadline the higher priority, of equal ones the first task: the best that fixed priorities can
/// do where each deadline is at most the period and there is neither jitter nor blocking.
///
/// # Complexity
///
/// *O*(tasks²).
///
/// # References
///
/// Leung, Whitehead: *On the complexity of fixed-priority scheduling of periodic, real-time tasks*, Performance
/// Evaluation 2(4), 1982.
pub fn deadline_monotonic(tasks: &mut [Task]) {
    rank(tasks, |task| task.deadline);
}

/// The task with the smallest key gets the highest priority, the number of tasks.
fn rank(tasks: &mut [Task], key: impl Fn(&Task) -> u64) {
    for at in 0..tasks.len() {
        let own = (key(&tasks[at]), at);
        let after = tasks.iter().enumerate().filter(|(other, task)| (key(task), *other) > own).count();
        tasks[at].priority = after as u32 + 1;
    }
}

/// The time after which the arrivals of periodic tasks repeat: the least common multiple of the periods. `None` without
/// tasks, or beyond 584 years.
pub fn hyperperiod(tasks: &[Task]) -> Option<Duration> {
    common_period(tasks.iter().map(|task| task.period)).map(Duration::from_nanos)
}

/// The least common multiple; `None` of nothing, or if 64 bits do not hold it.
pub(super) fn common_period(mut periods: impl Iterator<Item = u64>) -> Option<u64> {
    let first = periods.next()?;
    periods.try_fold(first, |all, period| (all / gcd(all, period)).checked_mul(period))
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
