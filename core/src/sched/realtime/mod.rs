//! Tasks with deadlines: fixed priorities and earliest deadline first, admission tests, and an account of misses.
//!
//! A [`Task`] is a sequence of jobs: each arrives at least a period after the one before, runs for at most the worst-case
//! execution time, and must be done by its relative deadline. Two questions are answered apart from each other:
//!
//! * *Will every deadline be met?* The [admission tests](admission) answer before anything runs, with the evidence: the
//!   response time of the task that comes closest to its deadline, or the instant at which more is demanded than can be
//!   done.
//! * *Who runs now?* The [`Dispatcher`] answers while it runs: for one core or for several with one queue (global), or for
//!   several with tasks that keep to their core (partitioned; [`Partition`](admission::Partition) says which task goes
//!   where). It counts what was missed, and does what [`OnMiss`] and [`OnOverrun`] say.
//!
//! # Which priorities
//!
//! | | guarantees | choose it |
//! |---|---|---|
//! | [`Policy::EarliestDeadline`] | on one core, every task set that any policy can schedule | for the highest utilisation |
//! | [`Policy::FixedPriority`], [rate monotonic](rate_monotonic) | implicit deadlines: best among fixed priorities; 69 % of a core always fits | where the most frequent tasks must not suffer from an overrun of others |
//! | – [deadline monotonic](deadline_monotonic) | the same for deadlines up to the period | |
//! | – [Audsley's](admission::audsley) | best among fixed priorities for any deadlines, jitter and blocking | |
//!
//! # What the tests know of
//!
//! Tasks are independent but for the blocking that [`Task::blocking`] states, jobs of one task run one after the other, and
//! switching costs nothing: add twice the time of a switch to each worst-case execution time. Arrivals may be as
//! unfortunate as the periods and jitters allow: a set that passes meets its deadlines whatever the offsets.
//!
//! [`sim::deadline`](crate::sim::deadline) runs task sets on a virtual clock.

pub mod admission;
mod dispatcher;
mod task;

pub use dispatcher::{
    Abort, CompleteError, Completion, CoreStats, Dispatcher, Event, InsertError, Job, OnMiss, OnOverrun,
    Pick, Policy, ReleaseError, TaskStats,
};
pub use task::{Task, TaskError, deadline_monotonic, hyperperiod, rate_monotonic};
