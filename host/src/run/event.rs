//! What happens in a run, as values. `--json` prints each as one line; the other reports draw them.
//!
//! Every line is an object with `event` (the name), `time_ms` (milliseconds since 1970) and the fields of the
//! variant. Times are in seconds. Fields may be added; none changes its meaning. `host/docs/run.md` is the same for users.

use crate::json::seconds;
use serde::Serialize;
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// The first event.
    RunStarted {
        run: u64,
        pipeline: &'a str,
        store: String,
        jobs: u64,
        /// What the waits between tries are drawn from.
        seed: u64,
        /// How many tasks are known; fan-outs over what earlier tasks write come later.
        tasks: usize,
    },
    /// Commands of an earlier run, which was killed, were found running and were ended.
    LeftoversKilled { processes: usize },
    /// A fan-out is known now.
    Expanded { task: &'a str, items: usize },
    /// A task is not run, because nothing changed since it was done.
    UpToDate { task: &'a str },
    /// A command was started.
    Started {
        task: &'a str,
        attempt: u32,
        pid: i32,
        /// Why it must run.
        why: String,
    },
    /// A try failed, and there will be another one.
    Retry {
        task: &'a str,
        attempt: u32,
        reason: &'a str,
        #[serde(serialize_with = "seconds")]
        duration: Duration,
        #[serde(serialize_with = "seconds")]
        wait: Duration,
    },
    /// A task is done.
    Done {
        task: &'a str,
        attempt: u32,
        #[serde(serialize_with = "seconds")]
        duration: Duration,
        output_bytes: u64,
    },
    /// A task failed for good.
    Dead {
        task: &'a str,
        /// File and line of its command.
        place: String,
        attempts: u32,
        reason: &'a str,
        #[serde(serialize_with = "seconds")]
        duration: Duration,
        /// The end of what it printed.
        output: String,
        /// Whether its pipeline allows it to fail.
        allowed: bool,
    },
    /// A task failed in an earlier run and is not run again without `--retry-dead`.
    DeadBefore { task: &'a str, reason: &'a str, output: String },
    /// A running command was ended because the run ends; it runs again next time.
    Interrupted { task: &'a str, attempt: u32 },
    /// What a finished task with `show = true` printed, in this run or when it was done before.
    Shown { task: &'a str, output: String },
    /// Nothing more is started, and why.
    Stopping { reason: &'a str },
    /// The last event.
    RunFinished(Summary),
}

/// The figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) pipeline: String,
    pub(crate) exit_code: u8,
    /// Tasks that are known.
    pub(crate) tasks: usize,
    /// Done in this run.
    pub(crate) done: usize,
    pub(crate) up_to_date: usize,
    /// Failed, in this run or before.
    pub(crate) dead: usize,
    /// Of these: failed in an earlier run and not run again.
    pub(crate) dead_before: usize,
    /// Failed, which the pipeline allows.
    pub(crate) allowed_failures: usize,
    pub(crate) interrupted: usize,
    /// Not started.
    pub(crate) skipped: usize,
    /// Fan-outs whose items were never known.
    pub(crate) unexpanded: usize,
    pub(crate) retries: u64,
    /// The time of all tries together.
    #[serde(serialize_with = "seconds")]
    pub(crate) work: Duration,
    /// The longest chain of tries that had to follow each other.
    #[serde(serialize_with = "seconds")]
    pub(crate) span: Duration,
    #[serde(serialize_with = "seconds")]
    pub(crate) wall: Duration,
    /// Work by wall time.
    pub(crate) speedup: Option<f64>,
    /// Work by span: the speedup that no number of cores exceeds.
    pub(crate) speedup_limit: Option<f64>,
    /// The time of held cores by the time of all cores.
    pub(crate) utilisation: Option<f64>,
    /// The longest tries: task and seconds.
    pub(crate) slowest: Vec<Slow>,
    #[serde(skip)]
    pub(crate) jobs: u64,
}

/// One of the slowest tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Slow {
    pub(crate) task: String,
    #[serde(serialize_with = "seconds")]
    pub(crate) duration: Duration,
}
