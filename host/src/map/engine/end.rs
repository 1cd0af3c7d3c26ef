//! Ending jobs: what an exit means, and whether there is another try.

use super::next::Later;
use super::show::Ended;
use super::{Cause, Engine, Job, Phase, Printed, Running, Stop};
use crate::config::units::show_duration;
use crate::map::event::{Event, JobEnd};
use crate::map::joblog::Record;
use crate::map::output::Held;
use crate::map::template::{Values, fill_text};
use crate::process::{self, Exit};
use divvy::retry::Retry;
use std::cmp::Reverse;
use std::time::{Duration, Instant, SystemTime};

/// What of an output an event holds.
const SHOWN: u64 = 64 * 1024;

impl Engine<'_> {
    /// Takes note of every job that ended.
    pub(super) fn collect(&mut self) {
        let mut ended = Vec::new();
        // All of them first: what a group left behind is not gone before it is collected.
        while let Some((pid, exit)) = process::wait_any() {
            if let Some(slot) = self.by_pid.remove(&pid) {
                ended.push((slot, exit));
            }
        }
        for (slot, exit) in ended {
            let amid = self.amid_line().is_some_and(|amid| amid != slot);
            let Some(running) = &mut self.slots[slot] else { continue };
            if amid || (running.phase != Phase::Running && process::group_lives(running.pid)) {
                // Whatever else is in the group has the rest of the grace time; a line that another job is amid
                // is not interrupted.
                running.ended = Some(exit);
                continue;
            }
            self.take(slot, exit);
        }
        for slot in 0..self.slots.len() {
            let Some(running) = &self.slots[slot] else { continue };
            let Some(exit) = running.ended else { continue };
            let amid = self.amid_line().is_some_and(|amid| amid != slot);
            if !amid && (running.phase == Phase::Running || running.drained()) {
                self.take(slot, exit);
            }
        }
        self.show_turns();
    }

    /// A job and its group are gone.
    fn take(&mut self, slot: usize, exit: Exit) {
        let Some(running) = self.slots[slot].take() else { return };
        self.free.push(Reverse(slot));
        let Running { mut job, pid, started, clock, command, printed, phase, .. } = running;
        let duration = started.elapsed();
        self.counts.work += duration;
        let cause = match phase {
            Phase::Running => None,
            Phase::Ending(cause) => Some(cause),
        };
        let good = exit == Exit::Code(0) && !matches!(cause, Some(Cause::TimedOut | Cause::Memory));
        if cause == Some(Cause::Memory) {
            self.discard(printed, pid);
            self.counts.requeued += 1;
            self.report.event(&Event::Requeued { job: job.seq, reason: "memory is short" });
            self.back.push_front(job);
            return;
        }
        let reason = if good {
            String::new()
        } else if cause == Some(Cause::TimedOut) {
            format!("it was not done after {}", show_duration(duration))
        } else {
            exit.to_string()
        };
        if good {
            self.times.add(duration);
        } else if cause != Some(Cause::Stopped) && job.tries < self.options.retries && self.stopping.is_none()
        {
            job.tries += 1;
            self.discard(printed, pid);
            self.try_later(job, &reason, duration);
            return;
        }
        let interrupted = !good && cause == Some(Cause::Stopped);
        let Some((out, err, received)) = self.hold(printed, pid, &job, slot) else { return };
        let (code, signal) = match exit {
            Exit::Code(code) => (code, 0),
            Exit::Signal(signal) => (-1, signal),
        };
        let code = if signal != 0 { 0 } else { code };
        // A job that ended well when its time was up failed all the same.
        let code = if cause == Some(Cause::TimedOut) && code == 0 && signal == 0 { -1 } else { code };
        let record = Record {
            seq: job.seq,
            started: clock,
            duration,
            sent: job.stdin.as_ref().map_or(0, |(_, len)| *len),
            received,
            code,
            signal,
            command,
            key: job.key,
            again: job.again,
        };
        self.ended(job, slot, record, (out, err), reason, interrupted);
    }

    /// A job that could not even be started.
    pub(super) fn not_started(&mut self, job: Job, slot: usize, reason: &str, code: i32) {
        let line = self.template.fill(Values { items: &job.items, seq: job.seq, slot: slot + 1 });
        let record = Record {
            seq: job.seq,
            started: SystemTime::now(),
            duration: Duration::ZERO,
            sent: 0,
            received: 0,
            code,
            signal: 0,
            command: line.show(),
            key: job.key,
            again: job.again,
        };
        self.ended(job, slot, record, (Held::Empty, Held::Empty), reason.to_owned(), false);
        self.show_turns();
    }

    fn ended(
        &mut self,
        job: Job,
        slot: usize,
        record: Record,
        (out, err): (Held, Held),
        reason: String,
        interrupted: bool,
    ) {
        let values = Values { items: &job.items, seq: job.seq, slot: slot + 1 };
        let tag = self.options.tag.as_ref().map(|tag| {
            let mut tag = fill_text(tag, values);
            tag.push(b'\t');
            tag
        });
        let good = reason.is_empty();
        let mut end = None;
        if !good || self.report.wants_events() {
            let command =
                if record.command.is_empty() { self.template.fill(values).show() } else { Vec::new() };
            let command = if command.is_empty() { &record.command } else { &command };
            let texts = self.report.wants_events();
            end = Some(JobEnd {
                job: job.seq,
                items: job.items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect(),
                command: String::from_utf8_lossy(command).into_owned(),
                attempt: job.tries + 1,
                duration: record.duration,
                exit_code: (record.signal == 0 && record.code >= 0).then_some(record.code),
                reason,
                stdout: if texts { out.text(SHOWN) } else { String::new() },
                stderr: if texts { err.text(SHOWN) } else { String::new() },
                stdout_bytes: out.len(),
                stderr_bytes: err.len(),
            });
        }
        if interrupted {
            self.counts.interrupted += 1;
        } else if good {
            self.counts.done += 1;
        } else {
            self.counts.failed += 1;
        }
        if let (false, false, Some(end)) = (interrupted, good, &end) {
            self.report.failed(end);
        }
        if let Some((file, len)) = job.stdin {
            self.outputs.give_back(file, len, true);
        }
        let record = (!interrupted && self.joblog.is_some()).then_some(record);
        self.show_or_wait(Ended { seq: job.seq, out, err, tag, record, end, interrupted });
        let ended = self.counts.done + self.counts.failed;
        if !interrupted
            && self.stopping.is_none()
            && let Some(now) = self.options.halt.reached(self.counts.failed, ended, self.total())
        {
            self.stop(Stop::Halt, "--halt");
            if now {
                self.end_running();
            }
        }
    }

    fn try_later(&mut self, job: Job, reason: &str, duration: Duration) {
        let now =
            divvy::Instant::from_nanos(u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let wait = match self.options.backoff.next(now, job.tries, &mut self.rng) {
            Retry::At(when) => when.saturating_duration_since(now),
            Retry::GiveUp => Duration::ZERO,
        };
        self.counts.retries += 1;
        self.report.event(&Event::Retry { job: job.seq, attempt: job.tries, reason, duration, wait });
        self.later.push(Later { at: Instant::now() + wait, job });
    }

    /// Lets go of what a try printed.
    fn discard(&mut self, printed: Printed, pid: rustix::process::Pid) {
        if let Printed::Files { out, err, named: false } = printed {
            let lives = process::group_lives(pid);
            self.outputs.give_back(out, 1, lives);
            self.outputs.give_back(err, 1, lives);
        }
    }
}
