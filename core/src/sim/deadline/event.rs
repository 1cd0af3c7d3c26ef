//! What happens in a simulation of tasks with deadlines.

use crate::Instant;
use crate::sched::realtime::Abort;
use core::time::Duration;

/// What happened and when.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub what: What,
}

/// What happened. A job is named by its task and its number in it, from 0 on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum What {
    /// A job arrived, or was noticed after its arrival.
    Release {
        /// Its task.
        task: u32,
        /// Its number.
        number: u32,
        /// By when it must be done.
        deadline: Instant,
    },
    /// A core began to run a job.
    Start {
        /// Which core.
        core: u32,
        /// The job's task.
        task: u32,
        /// The job's number.
        number: u32,
        /// The task whose job it put away for it.
        preempted: Option<u32>,
    },
    /// A core went on with a job that was preempted before.
    Resume {
        /// Which core.
        core: u32,
        /// The job's task.
        task: u32,
        /// The job's number.
        number: u32,
        /// The core that ran it last: another one, if it migrated.
        from: u32,
        /// The task whose job it put away for it.
        preempted: Option<u32>,
    },
    /// A core completed a job.
    Complete {
        /// Which core.
        core: u32,
        /// The job's task.
        task: u32,
        /// The job's number.
        number: u32,
        /// The time from its arrival.
        response: Duration,
        /// The time past its deadline.
        tardiness: Duration,
        /// Whether it was in time.
        met: bool,
    },
    /// A job is not done at its deadline, and goes on.
    Miss {
        /// Its task.
        task: u32,
        /// Its number.
        number: u32,
    },
    /// A job has run for its worst-case execution time, and goes on.
    Overrun {
        /// Its task.
        task: u32,
        /// Its number.
        number: u32,
    },
    /// A job was taken off.
    Abort {
        /// Its task.
        task: u32,
        /// Its number.
        number: u32,
        /// The core that ran it, if one did.
        core: Option<u32>,
        /// For what reason.
        why: Abort,
    },
    /// A job was left out, because the one before missed its deadline.
    Skip {
        /// Its task.
        task: u32,
    },
    /// Jobs arrived and there was no room for them.
    Lose {
        /// Their task.
        task: u32,
        /// How many.
        jobs: u32,
    },
}

/// What a core does at the moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Activity {
    /// It runs a job.
    Running {
        /// The job's task.
        task: u32,
        /// The job's number.
        number: u32,
        /// Since when.
        since: Instant,
        /// Until when, if nothing preempts it.
        until: Instant,
        /// By when it must be done.
        deadline: Instant,
    },
    /// It has nothing to do.
    Idle {
        /// Since when.
        since: Instant,
    },
}

/// A stretch of time in which a core ran one job: a bar of a Gantt chart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Segment {
    /// The core.
    pub core: u32,
    /// The job's task.
    pub task: u32,
    /// The job's number.
    pub number: u32,
    /// From when.
    pub from: Instant,
    /// To when.
    pub to: Instant,
    /// How it ended.
    pub end: End,
}

/// How a segment ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum End {
    /// The job was completed in time.
    Met,
    /// The job was completed after its deadline.
    Late,
    /// The job was put away for another one.
    Preempted,
    /// The job was taken off.
    Aborted,
}
