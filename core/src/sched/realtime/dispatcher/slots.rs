//! What a dispatcher keeps of each task, pending job and core.

use super::outcome::{Completion, OnMiss, TaskStats};
use crate::sched::realtime::Task;
use core::time::Duration;

/// No job, no core.
pub(super) const NONE: u32 = u32::MAX;
/// Any core.
pub(super) const ANY: u32 = u32::MAX;
/// An instant that does not come, a rank behind all others.
pub(super) const NEVER: u64 = u64::MAX;

/// A pending job, or a free place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) arrival: u64,
    pub(super) deadline: u64,
    /// How long it had run when its core last charged it.
    pub(super) executed: u64,
    pub(super) number: u32,
    pub(super) generation: u32,
    pub(super) task: u32,
    /// The job of the same task after this one; of a free place, the next free one.
    pub(super) next: u32,
    /// The core that runs it.
    pub(super) core: u32,
    /// The core that ran it last.
    pub(super) last: u32,
    pub(super) held: bool,
    pub(super) missed: bool,
    pub(super) overran: bool,
}

impl Slot {
    pub(super) const fn new(task: u32, arrival: u64, deadline: u64, number: u32) -> Self {
        Self {
            arrival,
            deadline,
            executed: 0,
            number,
            generation: 0,
            task,
            next: NONE,
            core: NONE,
            last: NONE,
            held: true,
            missed: false,
            overran: false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Core {
    /// The place of the job that it runs.
    pub(super) job: u32,
    pub(super) switches: u32,
    pub(super) preemptions: u32,
    pub(super) migrations: u32,
    /// When its job was last charged.
    pub(super) since: u64,
    pub(super) busy: u64,
}

impl Core {
    pub(super) const IDLE: Self =
        Self { job: NONE, switches: 0, preemptions: 0, migrations: 0, since: 0, busy: 0 };
}

#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// When the next job arrives, of a sporadic task when it may; [`NEVER`] once it is retired.
    pub(super) next: u64,
    /// The pending jobs, the oldest first.
    pub(super) head: u32,
    pub(super) tail: u32,
    /// The oldest of them that has not been counted as missed.
    pub(super) watch: u32,
    pub(super) pending: u32,
    /// The core that it is bound to.
    pub(super) core: u32,
    skip_next: bool,
    pub(super) account: Account,
}

/// What is counted; the public form has more room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub(super) released: u32,
    completed: u32,
    missed: u32,
    pub(super) aborted: u32,
    skipped: u32,
    lost: u32,
    pub(super) overruns: u32,
    response_max: u64,
    /// `i64::MIN` before the first completion.
    lateness_max: i64,
}

impl Account {
    /// The number of the next job.
    pub(super) const fn number(&self) -> u32 {
        self.released.wrapping_add(self.skipped)
    }
}

impl State {
    pub(super) const fn new(next: u64, core: u32) -> Self {
        Self {
            next,
            head: NONE,
            tail: NONE,
            watch: NONE,
            pending: 0,
            core,
            skip_next: false,
            account: Account {
                released: 0,
                completed: 0,
                missed: 0,
                aborted: 0,
                skipped: 0,
                lost: 0,
                overruns: 0,
                response_max: 0,
                lateness_max: i64::MIN,
            },
        }
    }

    pub(super) const fn may_run_on(&self, core: u32) -> bool {
        self.core == core || self.core == ANY
    }

    /// When the clock releases the next job.
    pub(super) const fn arrival(&self, task: &Task) -> u64 {
        if task.sporadic { NEVER } else { self.next }
    }

    /// Whether the job that arrives is left out; it is counted.
    pub(super) fn skip(&mut self) -> bool {
        let skip = core::mem::replace(&mut self.skip_next, false);
        self.account.skipped = self.account.skipped.wrapping_add(u32::from(skip));
        skip
    }

    /// Counts a job as missed.
    pub(super) fn miss(&mut self, rule: OnMiss) {
        self.account.missed = self.account.missed.wrapping_add(1);
        self.skip_next |= rule == OnMiss::SkipNext;
    }

    /// Counts jobs that arrived and were not kept.
    pub(super) fn lose(&mut self, jobs: u32) {
        let account = &mut self.account;
        for count in [&mut account.released, &mut account.missed, &mut account.lost] {
            *count = count.wrapping_add(jobs);
        }
    }

    /// Counts a job that is done now.
    pub(super) fn complete(&mut self, now: u64, job: &Slot, rule: OnMiss) -> Completion {
        let tardiness = now.saturating_sub(job.deadline);
        if tardiness > 0 && !job.missed {
            self.miss(rule);
        }
        let response = now.saturating_sub(job.arrival);
        let lateness = match i64::try_from(tardiness) {
            Ok(0) => i64::try_from(job.deadline.saturating_sub(now)).map_or(-i64::MAX, |early| -early),
            late => late.unwrap_or(i64::MAX),
        };
        let account = &mut self.account;
        account.completed = account.completed.wrapping_add(1);
        account.response_max = account.response_max.max(response);
        account.lateness_max = account.lateness_max.max(lateness);
        Completion {
            response: Duration::from_nanos(response),
            tardiness: Duration::from_nanos(tardiness),
            met: tardiness == 0 && !job.missed,
        }
    }

    pub(super) fn stats(&self) -> TaskStats {
        let account = &self.account;
        TaskStats {
            released: account.released,
            completed: account.completed,
            missed: account.missed,
            aborted: account.aborted,
            skipped: account.skipped,
            lost: account.lost,
            overruns: account.overruns,
            pending: self.pending,
            response_max: Duration::from_nanos(account.response_max),
            tardiness_max: Duration::from_nanos(u64::try_from(account.lateness_max).unwrap_or(0)),
            lateness_max: (account.lateness_max != i64::MIN).then_some(account.lateness_max),
        }
    }
}
