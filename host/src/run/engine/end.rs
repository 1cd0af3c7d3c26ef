//! Ending tasks: what an exit means, when there is another try, what is recorded.

use super::{DEAD_OUTPUTS_SHOWN, Engine, Instant, KILL_WAIT, Phase, Running, Stop};
use crate::config::units::show_duration;
use crate::process::{self, Exit};
use crate::run::event::Event;
use crate::run::key::{self, Decision};
use crate::run::pipeline::CORES;
use crate::run::work::State;
use crate::store::{Outcome, Parts, Record};
use divvy::lease::Lease;
use divvy::retry::Retry;
use rustix::process::Signal;
use std::cmp::Reverse;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Engine<'_> {
    /// Takes note of every command that ended.
    pub(super) fn collect(&mut self) {
        let mut ended = Vec::new();
        // All of them first: what a group left behind is not gone before it is collected.
        while let Some((pid, exit)) = process::wait_any() {
            if let Some(slot) = self.by_pid.remove(&pid) {
                ended.push((slot, exit));
            }
        }
        for (slot, exit) in ended {
            let Some(running) = self.running[slot as usize].as_mut() else { continue };
            let pid = running.pid;
            let lives = process::group_lives(pid);
            if running.phase != Phase::Running && lives {
                // Whatever else is in the group has the rest of the grace time.
                running.ended = Some(exit);
                continue;
            }
            self.take(slot, exit, lives);
        }
        for slot in 0..self.running.len() {
            if let Some(running) = self.running[slot].as_ref().filter(|running| running.drained()) {
                let exit = running.ended.unwrap_or(Exit::Signal(0));
                self.take(slot as u32, exit, running.given_up);
            }
        }
    }

    /// The lease of a running command ran out: its time is up, or its grace time.
    pub(super) fn overdue(&mut self, now: Instant, lease: Lease) {
        let Some(mut running) = self.running[lease.slot() as usize].take() else { return };
        let ttl = match running.phase {
            Phase::Running => {
                running.phase = Phase::TimedOut;
                process::signal_group(running.pid, Signal::TERM);
                self.options.grace
            }
            _ if !running.killed => {
                running.killed = true;
                process::signal_group(running.pid, Signal::KILL);
                KILL_WAIT
            }
            // Nothing more can be done: the rest is zombies that nobody collects, or it hangs in the kernel.
            _ => {
                running.given_up = true;
                KILL_WAIT
            }
        };
        self.lease_again(now, running, ttl);
    }

    /// Gives a running command whose lease is gone a new one.
    fn lease_again(&mut self, now: Instant, mut running: Running, ttl: Duration) {
        let Ok(lease) = self.leases.claim(now, ttl) else {
            unreachable!("the slot of the lease that is gone is free");
        };
        running.lease = lease;
        if let Some(slot) = self.by_pid.get_mut(&running.pid) {
            *slot = lease.slot();
        }
        self.place(lease.slot(), running);
    }

    /// Kills everything that runs.
    pub(super) fn kill_running(&mut self) {
        let now = self.now();
        for running in self.running.iter_mut().flatten() {
            process::signal_group(running.pid, Signal::KILL);
            running.killed = true;
            // A lease that has just run out is found by `pass_time`, which knows that this one was killed.
            if let Ok(lease) = self.leases.renew(now, running.lease, KILL_WAIT) {
                running.lease = lease;
            }
        }
    }

    /// Asks everything that runs to end, and gives it the grace time.
    pub(super) fn end_running(&mut self) {
        let now = self.now();
        for running in self.running.iter_mut().flatten() {
            if running.phase != Phase::Running {
                continue;
            }
            // A lease that has just run out is found by `pass_time`, which ends the command as well.
            if let Ok(lease) = self.leases.renew(now, running.lease, self.options.grace) {
                running.lease = lease;
                running.phase = Phase::Interrupted;
                process::signal_group(running.pid, Signal::TERM);
            }
        }
    }

    /// A command and its group are gone.
    fn take(&mut self, slot: u32, exit: Exit, lives: bool) {
        let Some(running) = self.running[slot as usize].take() else { return };
        let Running { task, lease, started, output, phase, .. } = running;
        let duration = started.elapsed();
        let now = self.now();
        let in_time = self.leases.complete(now, lease).is_ok();
        let class = self.class_of[self.work.tasks[task].template];
        let demand = &self.classes[class].demand;
        for (free, wanted) in self.free.iter_mut().zip(demand) {
            *free += wanted;
        }
        self.counts.work += duration;
        self.counts.held_cores += duration.as_secs_f64() * demand[CORES] as f64;
        self.work.tasks[task].tries += 1;
        self.work.tasks[task].spent += duration;
        let (output, output_bytes) = match self.outputs.read(output, lives) {
            Ok(read) => read,
            Err(error) => (format!("divvy could not read the output: {error}\n").into_bytes(), 0),
        };

        let template = self.work.template(task);
        let missing =
            || key::missing_output(self.work.pipeline, template, self.work.tasks[task].item.as_deref());
        let timeout = template.timeout.unwrap_or_default();
        let outcome = match (phase, exit) {
            (Phase::TimedOut, _) => Err(format!("timed out after {}", show_duration(timeout))),
            (Phase::Running, _) if !in_time => Err(format!("timed out after {}", show_duration(timeout))),
            (_, Exit::Code(0)) => match missing() {
                None => Ok(()),
                Some(path) => Err(format!("exit code 0, but its output {path} is missing")),
            },
            (Phase::Interrupted, _) => {
                self.interrupted(task);
                return;
            }
            (Phase::Running, exit) => Err(exit.to_string()),
        };
        match outcome {
            Ok(()) => self.done(task, duration, &output, output_bytes),
            Err(reason) => self.failed(now, task, &reason, duration, &output),
        }
    }

    fn interrupted(&mut self, task: usize) {
        self.counts.interrupted += 1;
        self.work.set(task, State::Interrupted);
        let id = self.work.id(task);
        let event = Event::Interrupted { task: &id, attempt: self.work.tasks[task].tries };
        self.report.event(self.begun.elapsed(), &event);
    }

    fn done(&mut self, task: usize, duration: Duration, output: &[u8], output_bytes: u64) {
        self.counts.done += 1;
        self.slow(task, duration);
        self.record(task, Outcome::Done, "exit code 0", duration, output);
        self.work.measure(task, self.work.tasks[task].spent, duration);
        self.work.set(task, State::Done);
        self.changed = true;
        let id = self.work.id(task);
        let event = Event::Done { task: &id, attempt: self.work.tasks[task].tries, duration, output_bytes };
        self.report.event(self.begun.elapsed(), &event);
    }

    /// A try failed: there is another one, or there is not.
    fn failed(&mut self, now: Instant, task: usize, reason: &str, duration: Duration, output: &[u8]) {
        let attempt = self.work.tasks[task].tries;
        match self.work.template(task).backoff.next(now, attempt, &mut self.rng) {
            Retry::GiveUp => self.dead(task, reason, duration, output),
            Retry::At(_) if self.stopping.is_some() => self.interrupted(task),
            Retry::At(when) => {
                self.counts.retries += 1;
                self.work.tasks[task].state = State::Backoff;
                self.timers.push(Reverse((when, task)));
                let id = self.work.id(task);
                let wait = when.saturating_duration_since(now);
                self.report.event(
                    self.begun.elapsed(),
                    &Event::Retry { task: &id, attempt, reason, duration, wait },
                );
            }
        }
    }

    /// No try succeeded, or none can.
    pub(super) fn dead(&mut self, task: usize, reason: &str, duration: Duration, output: &[u8]) {
        let allowed = self.work.template(task).allow_failure;
        self.slow(task, duration);
        self.record(task, Outcome::Dead, reason, duration, output);
        let attempts = self.work.tasks[task].tries;
        self.work.measure(task, self.work.tasks[task].spent, duration);
        let id = self.work.id(task);
        let output = String::from_utf8_lossy(output).into_owned();
        let template = self.work.template(task);
        let place = self.work.pipeline.source.line(template.command_span.clone());
        let event = Event::Dead { task: &id, place, attempts, reason, duration, output, allowed };
        self.report.event(self.begun.elapsed(), &event);
        if allowed {
            self.counts.allowed += 1;
            self.work.set(task, State::Allowed);
            self.changed = true;
            return;
        }
        self.counts.dead += 1;
        self.work.set(task, State::Dead);
        let failed = self.counts.dead - self.counts.dead_before;
        if let Some(at_once) = self.options.halt.reached(failed, self.work.tasks.len()) {
            let reason = if at_once {
                "a task failed: running commands are to end"
            } else {
                "a task failed: nothing more is started (see --keep-going)"
            };
            self.stop(Stop::Halted, reason);
            if at_once {
                self.end_running();
            }
        }
    }

    /// The task failed with the same contents in an earlier run.
    pub(super) fn dead_before(&mut self, task: usize) {
        if self.work.template(task).allow_failure {
            self.counts.allowed += 1;
            self.work.set(task, State::Allowed);
            self.changed = true;
            return;
        }
        self.counts.dead += 1;
        self.counts.dead_before += 1;
        self.work.set(task, State::DeadBefore);
        let id = self.work.id(task);
        let output = if self.counts.dead_before <= DEAD_OUTPUTS_SHOWN {
            self.store.output(&id).ok().flatten().unwrap_or_default()
        } else {
            Vec::new()
        };
        let reason = self.work.record(task).map_or("", |record| record.reason.as_str());
        let event =
            Event::DeadBefore { task: &id, reason, output: String::from_utf8_lossy(&output).into_owned() };
        self.report.event(self.begun.elapsed(), &event);
    }

    fn record(&mut self, task: usize, outcome: Outcome, reason: &str, duration: Duration, output: &[u8]) {
        let (key, parts) = match &self.work.tasks[task].decision {
            Some(Decision::Run { key, parts, .. }) => (*key, parts.clone()),
            // It could not even be decided: no content has this key, so the next run looks again.
            _ => (0, Parts::default()),
        };
        let record = Record {
            outcome,
            key,
            parts,
            tries: self.work.tasks[task].tries,
            reason: reason.to_owned(),
            duration_ns: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
            ended_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64),
            run: self.run,
            output: !output.is_empty(),
        };
        let had_output = self.work.record(task).is_some_and(|before| before.output);
        let id = self.work.id(task);
        let output = (record.output || had_output).then_some(output);
        self.batch.end(&id, &record, output);
        self.batch_worth += duration;
    }

    fn slow(&mut self, task: usize, duration: Duration) {
        let slowest = &mut self.counts.slowest;
        if slowest.len() < 3 || slowest.last().is_some_and(|(least, _)| duration > *least) {
            slowest.push((duration, task));
            slowest.sort_by_key(|&(duration, _)| Reverse(duration));
            slowest.truncate(3);
        }
    }
}
