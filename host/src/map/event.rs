//! What happens in a map, as values. `--json` prints each as one line; `host/docs/map.md` lists them for users.

use crate::json::seconds;
use serde::Serialize;
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// The first event.
    MapStarted {
        /// How many run at the same time.
        jobs: usize,
        /// What waits between tries and a shuffle are drawn from.
        seed: u64,
        /// How many jobs there are, if that is known.
        total: Option<u64>,
    },
    /// Commands of an earlier run, which was killed, were found running and were ended.
    LeftoversKilled {
        processes: usize,
    },
    Started {
        job: u64,
        slot: usize,
        attempt: u32,
        pid: i32,
        command: &'a str,
    },
    /// A try failed, and there will be another one.
    Retry {
        job: u64,
        attempt: u32,
        reason: &'a str,
        #[serde(serialize_with = "seconds")]
        duration: Duration,
        #[serde(serialize_with = "seconds")]
        wait: Duration,
    },
    /// A job was killed to free memory; it starts again later.
    Requeued {
        job: u64,
        reason: &'a str,
    },
    Done(JobEnd),
    Failed(JobEnd),
    /// A running job was ended because the map ends; `--resume` runs it again.
    Interrupted {
        job: u64,
    },
    /// Nothing more is started, and why.
    Stopping {
        reason: &'a str,
    },
    /// The last event.
    MapFinished(Summary),
}

/// How a job ended.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct JobEnd {
    pub(crate) job: u64,
    pub(crate) items: Vec<String>,
    pub(crate) command: String,
    pub(crate) attempt: u32,
    #[serde(serialize_with = "seconds")]
    pub(crate) duration: Duration,
    /// None: a signal ended it, or it was not started.
    pub(crate) exit_code: Option<i32>,
    /// Why it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    /// The end of what it printed.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) stdout_bytes: u64,
    pub(crate) stderr_bytes: u64,
}

/// The figures of a map.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) exit_code: u8,
    /// Jobs that are known.
    pub(crate) jobs: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Ended in an earlier run, as the joblog says.
    pub(crate) skipped: u64,
    pub(crate) interrupted: u64,
    pub(crate) retries: u64,
    /// Killed to free memory and started again.
    pub(crate) requeued: u64,
    /// Whether all items were read: if not, there are more jobs.
    pub(crate) all_read: bool,
    /// The time of all tries together.
    #[serde(serialize_with = "seconds")]
    pub(crate) work: Duration,
    #[serde(serialize_with = "seconds")]
    pub(crate) wall: Duration,
}
