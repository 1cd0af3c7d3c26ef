//! What a dispatcher is told to do, and what it answers.

use crate::Instant;
use core::fmt;
use core::time::Duration;

/// Which job goes first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Policy {
    /// The job with the earliest deadline. Of equal ones whoever runs goes on, else the task that was inserted first.
    EarliestDeadline,
    /// The job of the task with the highest [`Task::priority`](super::super::Task::priority), of equal ones the task that was
    /// inserted first.
    FixedPriority,
}

/// What becomes of a job that is not done at its deadline. It counts as missed in any case.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnMiss {
    /// It goes on, late.
    #[default]
    Continue,
    /// It is taken off: its handle is stale from now on.
    Abort,
    /// It goes on, and the next job of its task is left out.
    SkipNext,
}

/// What becomes of a job that has run for its worst-case execution time and is not done. It is reported in any case.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnOverrun {
    /// It goes on.
    #[default]
    Report,
    /// It is taken off: its handle is stale from now on, and it counts as missed. No other task loses time to it.
    Abort,
}

/// A job of a task, handed out by a [`Dispatcher`](super::Dispatcher).
///
/// A plain value, as a [`Lease`](crate::lease::Lease) is: once the job is done or taken off, it is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Job {
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) task: u32,
    pub(super) number: u32,
    pub(super) arrival: Instant,
    pub(super) deadline: Instant,
}

impl Job {
    /// Its place among the pending jobs, below the dispatcher's capacity: a key for what the caller keeps for each job. No
    /// other pending job has it.
    #[must_use]
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// The task that it is a job of.
    #[must_use]
    pub const fn task(&self) -> u32 {
        self.task
    }

    /// How many jobs of its task came before it, modulo 2³²; those that were skipped or lost count.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// When it arrived.
    #[must_use]
    pub const fn arrival(&self) -> Instant {
        self.arrival
    }

    /// By when it must be done.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// What a core should do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "the dispatcher takes it that the core does this from now on"]
pub enum Pick {
    /// Go on with the job that it runs.
    Keep(Job),
    /// Start this job.
    Start {
        /// The job, which has not run before.
        job: Job,
        /// The job that it runs instead of, which will be resumed.
        preempted: Option<Job>,
    },
    /// Resume this job.
    Resume {
        /// The job, which was preempted.
        job: Job,
        /// The core that ran it last.
        from: u32,
        /// The job that it runs instead of, which will be resumed.
        preempted: Option<Job>,
    },
    /// There is nothing to run. Sleep until [`Dispatcher::next_event_at`](super::Dispatcher::next_event_at).
    Idle,
}

impl Pick {
    /// The job to run, if any.
    pub const fn job(self) -> Option<Job> {
        match self {
            Self::Keep(job) | Self::Start { job, .. } | Self::Resume { job, .. } => Some(job),
            Self::Idle => None,
        }
    }
}

/// Why a job was taken off.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Abort {
    /// It was not done at its deadline, and [`OnMiss::Abort`] is the rule.
    Deadline,
    /// It ran for its worst-case execution time, and [`OnOverrun::Abort`] is the rule.
    Budget,
}

/// What the passing of time did.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "cores may have to pick again"]
pub enum Event {
    /// A job of a periodic task arrived.
    Released(Job),
    /// A job is not done at its deadline; it goes on.
    Missed(Job),
    /// A job has run for its worst-case execution time; it goes on.
    Overran(Job),
    /// A job was taken off.
    Aborted {
        /// Which one; the handle is stale.
        job: Job,
        /// The core that ran it, if one did: it must stop, and pick again.
        core: Option<u32>,
        /// For what reason.
        why: Abort,
    },
    /// A job was left out, because the one before missed its deadline.
    Skipped {
        /// Of which task.
        task: u32,
    },
    /// Jobs arrived that could not be kept: there was no room, or time had jumped past their deadlines. They count as
    /// missed.
    Lost {
        /// Of which task.
        task: u32,
        /// How many.
        jobs: u32,
    },
}

/// How a job ended that was completed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Completion {
    /// The time from its arrival.
    pub response: Duration,
    /// The time past its deadline; zero if it was in time.
    pub tardiness: Duration,
    /// Whether it was in time.
    pub met: bool,
}

/// Why a task was not inserted. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InsertError {
    /// There is no room for another task, or its first job would find none. Remedy: a larger capacity.
    Full,
    /// There is no such core. Remedy: an index below the number of cores.
    UnknownCore,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no room for another task; choose a larger capacity",
            Self::UnknownCore => "no such core; use an index below the number of cores",
        })
    }
}

impl core::error::Error for InsertError {}

/// Why no job was released.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReleaseError {
    /// There is no such task, or it was retired. Nothing changed. Remedy: the number that `insert` answered.
    UnknownTask,
    /// The clock releases the jobs of this task. Nothing changed. Remedy: a [`sporadic`](super::super::Task::sporadic) task.
    Periodic,
    /// The period since the last arrival is not over: more would be demanded than was admitted. Nothing changed.
    TooEarly {
        /// When the next job may arrive.
        retry_at: Instant,
    },
    /// The job is left out, because the one before missed its deadline ([`OnMiss::SkipNext`]). It was counted. Remedy:
    /// release the next one when it comes.
    Skipped,
    /// There is no room for another pending job. It was counted as missed. Remedy: a larger capacity, or less load.
    Full,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTask => f.write_str("no such task; use the number that insert answered"),
            Self::Periodic => f.write_str("the clock releases this task's jobs; make it sporadic"),
            Self::TooEarly { retry_at } => {
                write!(f, "the period is not over; release the next job at {retry_at} or later")
            }
            Self::Skipped => f.write_str("left out after a miss; release the next one when it comes"),
            Self::Full => f.write_str("no room for another pending job; choose a larger capacity"),
        }
    }
}

impl core::error::Error for ReleaseError {}

/// Why a job was not completed. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CompleteError {
    /// It was completed or taken off before. Remedy: none is needed; it is accounted for.
    Stale,
    /// No core runs it: it waits, or was preempted. Remedy: complete what [`Dispatcher::pick`](super::Dispatcher::pick)
    /// answered last.
    NotRunning,
}

impl fmt::Display for CompleteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "the job was completed or taken off before",
            Self::NotRunning => "no core runs this job; complete what was picked last",
        })
    }
}

impl core::error::Error for CompleteError {}

/// What became of the jobs of a task, each count modulo 2³².
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct TaskStats {
    /// Jobs that arrived, whatever became of them, but for those that were skipped.
    pub released: u32,
    /// Jobs that were completed, in time or late.
    pub completed: u32,
    /// Jobs that were not completed by their deadlines, including those that were aborted or lost.
    pub missed: u32,
    /// Jobs that were taken off.
    pub aborted: u32,
    /// Jobs that were left out after a miss.
    pub skipped: u32,
    /// Jobs that could not be kept when they arrived.
    pub lost: u32,
    /// Jobs that ran for longer than the worst-case execution time, or were about to.
    pub overruns: u32,
    /// Jobs that have arrived and are neither completed nor aborted.
    pub pending: u32,
    /// The longest time from arrival to completion.
    pub response_max: Duration,
    /// The longest time from a deadline to a completion after it.
    pub tardiness_max: Duration,
    /// Completion less deadline in nanoseconds, the largest so far: negative while every job was in time. `None` before the
    /// first completion.
    pub lateness_max: Option<i64>,
}

/// What a core has done, each count modulo 2³².
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct CoreStats {
    /// Time spent on jobs, up to the last call.
    pub busy: Duration,
    /// Times that it began or resumed a job.
    pub switches: u32,
    /// Jobs that it put away for another one.
    pub preemptions: u32,
    /// Jobs that it resumed and another core had run.
    pub migrations: u32,
}
