//! What an admission test answers.

use crate::fixed::Q32;
use core::fmt;
use core::time::Duration;

/// Whether deadlines will be met, and by what evidence.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sched::realtime::{Task, admission};
///
/// let ms = Duration::from_millis;
/// let tasks = [Task::new(ms(3), ms(4))?, Task::new(ms(3), ms(10))?];
/// let verdict = admission::earliest_deadline(&tasks, admission::STEPS);
/// assert!(!verdict.admits());
/// assert_eq!(verdict.to_string(), "a deadline is missed: utilisation 1.050000 of 1.000000");
/// # Ok::<(), divvy::sched::realtime::TaskError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "tasks that were not admitted may miss their deadlines"]
pub enum Verdict {
    /// Every deadline is met.
    Meets(Evidence),
    /// There is a pattern of arrivals in which a deadline is missed.
    Misses(Evidence),
    /// This test cannot prove that deadlines are met, nor that one is missed. Remedy: a sharper test, or less load.
    Unproven(Evidence),
    /// The test came to no end. Remedy: by the reason.
    Undecided(Reason),
}

impl Verdict {
    /// Whether it is proven that every deadline is met.
    #[must_use]
    pub const fn admits(&self) -> bool {
        matches!(self, Self::Meets(_))
    }

    /// What the answer rests on.
    #[must_use]
    pub const fn evidence(&self) -> Option<Evidence> {
        match self {
            Self::Meets(evidence) | Self::Misses(evidence) | Self::Unproven(evidence) => Some(*evidence),
            Self::Undecided(_) => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meets(evidence) => write!(f, "every deadline is met: {evidence}"),
            Self::Misses(evidence) => write!(f, "a deadline is missed: {evidence}"),
            Self::Unproven(evidence) => write!(f, "not proven: {evidence}"),
            Self::Undecided(reason) => write!(f, "undecided: {reason}"),
        }
    }
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Evidence {
    /// The sum of the tasks' shares of a core, and what it may be. The comparison was exact; here the sum is rounded up and
    /// the bound down.
    Utilisation {
        /// Execution time over period, or over the deadline where that is shorter, of all tasks.
        sum: Q32,
        /// The most that the test allows.
        bound: Q32,
    },
    /// The product of one plus each task's share, which may be 2. The comparison was exact; here it is rounded up.
    Product {
        /// The product.
        product: Q32,
    },
    /// The longest response time of a task: the one that comes closest to its deadline, or one that misses it.
    Response {
        /// Which task.
        task: u32,
        /// The time from arrival to completion; where the deadline is missed, at least this long.
        response: Duration,
        /// The task's relative deadline.
        deadline: Duration,
    },
    /// What must be done within some time, from when every task arrives at once.
    Demand {
        /// Within how long. Where every deadline is met, no longer time needed to be looked at.
        within: Duration,
        /// The execution time of all jobs that arrive and have their deadlines in it.
        demand: Duration,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utilisation { sum, bound } => write!(f, "utilisation {sum} of {bound}"),
            Self::Product { product } => write!(f, "product {product} of 2"),
            Self::Response { task, response, deadline } => {
                write!(f, "task {task} responds within {response:?} of {deadline:?}")
            }
            Self::Demand { within, demand } => write!(f, "{demand:?} are demanded within {within:?}"),
        }
    }
}

/// Why a test came to no end.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reason {
    /// More steps are needed than were granted. Remedy: more steps, or less load.
    Steps,
    /// A time does not fit 64 bits of nanoseconds. Remedy: shorter times.
    Overflow,
    /// The test does not know what the tasks have: jitter, blocking, deadlines beyond the period, or other priorities than it is
    /// about. Remedy: another test; the table of the [module](super) says which.
    Model,
    /// There is no such task. Remedy: an index below the number of tasks.
    UnknownTask,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steps => "more steps are needed; grant more, or lower the load",
            Self::Overflow => "a time does not fit 64 bits of nanoseconds; use shorter ones",
            Self::Model => {
                "this test does not know jitter, blocking, such deadlines or priorities; use another"
            }
            Self::UnknownTask => "no such task; use an index below the number of tasks",
        })
    }
}
