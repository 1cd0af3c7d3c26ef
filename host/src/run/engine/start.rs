//! Starting tasks: as many as the resources and the rates allow.

use super::{Engine, Fit, Instant, Phase, Running};
use crate::diagnostic::Diagnostic;
use crate::run::event::Event;
use crate::run::key::Decision;
use crate::run::work::State;
use divvy::limit::Admit;
use std::cmp::Reverse;
use std::io;
use std::time::Duration;

/// How long to wait after the machine refused to start a process.
const REFUSED_WAIT: Duration = Duration::from_millis(100);

/// After so many refusals in a row the run ends.
const MAX_REFUSED: u32 = 300;

impl Engine<'_> {
    /// Starts what can start now.
    pub(super) fn dispatch(&mut self) {
        while self.stopping.is_none() && self.leases.len() < self.leases.capacity() {
            let now = self.now();
            let (classes, limits, free) = (&self.classes, &self.limits, &self.free);
            let fit = |class: usize| {
                if classes[class].limit.is_some_and(|limit| limits[limit].next_free(now) > now) {
                    Fit::Limited
                } else if classes[class].demand.iter().zip(free).all(|(wanted, free)| wanted <= free) {
                    Fit::Yes
                } else {
                    Fit::Busy
                }
            };
            let conflict = |waiting: usize, other: usize| {
                let lacking = classes[waiting].demand.iter().zip(free).map(|(wanted, free)| wanted > free);
                lacking.zip(&classes[other].demand).any(|(lacking, &taken)| lacking && taken > 0)
            };
            let Some(task) = self.ready.pick(now, fit, conflict) else { return };
            if !self.start(now, task) {
                return;
            }
        }
    }

    /// Starts a task. `false`: the machine has no room for another process now.
    fn start(&mut self, now: Instant, task: usize) -> bool {
        let template = self.work.template(task);
        let class = self.class_of[self.work.tasks[task].template];
        let item = self.work.tasks[task].item.as_deref();
        let started = std::time::Instant::now();
        let output = self.outputs.take();
        let launched = output.and_then(|output| Ok((self.launcher.start(template, item, &output)?, output)));
        let (pid, output) = match launched {
            Ok(launched) => launched,
            Err(error) if no_room(&error) => {
                self.refused += 1;
                self.timers.push(Reverse((now.saturating_add(REFUSED_WAIT), task)));
                if self.refused > MAX_REFUSED {
                    let problem = Diagnostic::system("cannot start another process", error).help(
                        "raise the limit of processes or open files (ulimit -u, ulimit -n), or lower --jobs",
                    );
                    self.problem.get_or_insert(problem);
                    self.stop(super::Stop::Halted, "the machine starts no more processes");
                }
                return false;
            }
            Err(error) => {
                self.work.tasks[task].tries += 1;
                let text = error.to_string();
                self.dead(task, &format!("it could not be started: {text}"), Duration::ZERO, &[]);
                return true;
            }
        };
        self.refused = 0;
        for (free, wanted) in self.free.iter_mut().zip(&self.classes[class].demand) {
            *free -= wanted;
        }
        if let Some(limit) = self.classes[class].limit {
            // `fit` saw the cell free at this very `now`.
            let admitted = self.limits[limit].admit(now);
            debug_assert!(matches!(admitted, Admit::Yes));
        }
        let ttl = template.timeout.unwrap_or(Duration::MAX);
        let Ok(lease) = self.leases.claim(now, ttl) else {
            unreachable!("`dispatch` looked for a free slot");
        };
        let slot = lease.slot();
        let running = Running {
            task,
            lease,
            pid,
            started,
            output,
            released: 0,
            phase: Phase::Running,
            killed: false,
            ended: None,
            given_up: false,
        };
        self.place(slot, running);
        self.by_pid.insert(pid, slot);
        self.work.tasks[task].state = State::Running;
        let attempt = self.work.tasks[task].tries + 1;
        let why = match &self.work.tasks[task].decision {
            Some(Decision::Run { why, .. }) => why.to_string(),
            _ => String::new(),
        };
        let id = self.work.id(task);
        let event = Event::Started { task: &id, attempt, pid: pid.as_raw_nonzero().get(), why };
        self.report.event(self.begun.elapsed(), &event);
        true
    }

    pub(super) fn place(&mut self, slot: u32, running: Running) {
        let slot = slot as usize;
        if slot >= self.running.len() {
            self.running.resize_with(slot + 1, || None);
        }
        self.running[slot] = Some(running);
    }
}

/// Whether the machine had no room for another process or file.
fn no_room(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE))
}
