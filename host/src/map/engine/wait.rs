//! Waiting: for a job to end, for something to read, for a time to come, for a signal.

use super::{Cause, Engine, KILL_WAIT, Mode, Phase, Printed, Running, Stop};
use crate::map::pressure::LOOK;
use crate::process;
use crate::process::signals::Told;
use rustix::event::PollFlags;
use rustix::process::Signal;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How often a group whose leader has ended is looked at.
const DRAIN_WAIT: Duration = Duration::from_millis(10);

impl Engine<'_> {
    /// Waits for the next thing to happen.
    pub(super) fn wait(&mut self) {
        let now = Instant::now();
        let mut until: Option<Instant> = self.report.next_draw();
        let mut earlier = |time: Instant| until = Some(until.map_or(time, |until| until.min(time)));
        let (mut draining, amid) = (false, self.amid_line());
        for running in self.slots.iter().flatten() {
            self.deadline(running).into_iter().for_each(&mut earlier);
            draining |= running.ended.is_some();
        }
        if draining {
            earlier(now + DRAIN_WAIT);
        }
        if self.pressure.relieves() {
            earlier(now + LOOK);
        }
        let can_start = self.stopping.is_none() && !self.free.is_empty();
        if can_start {
            self.held_until.into_iter().for_each(&mut earlier);
            self.later.peek().into_iter().for_each(|later| earlier(later.at));
        }
        let mut fds: Vec<(BorrowedFd<'_>, PollFlags)> = Vec::new();
        let mut from: Vec<usize> = Vec::new();
        if self.options.mode == Mode::Lines {
            for (slot, running) in self.slots.iter().enumerate() {
                let Some(Running { printed: Printed::Lines { out, err, .. }, .. }) = running else {
                    continue;
                };
                if amid.is_some_and(|amid| amid != slot) {
                    continue;
                }
                for fd in [out.waits_for(), err.waits_for()].into_iter().flatten() {
                    fds.push((fd, PollFlags::IN));
                    from.push(slot);
                }
            }
        }
        let mut input = false;
        if can_start
            && self.input_waits
            && self.held_until.is_none()
            && let Some(fd) = self.feed.waits_for()
        {
            fds.push((fd, PollFlags::IN));
            input = true;
        }
        let timeout = until.map(|until| until.saturating_duration_since(now));
        let mut ready = Vec::new();
        self.report.flush();
        self.signals.wait(timeout, &fds, &mut ready);
        if input && ready.pop() == Some(true) {
            self.input_waits = false;
            self.feed.readable();
        }
        let mut last = None;
        for (slot, ready) in from.into_iter().zip(ready) {
            if ready && last != Some(slot) && self.amid_line().is_none_or(|amid| amid == slot) {
                last = Some(slot);
                self.forward(slot);
            }
        }
    }

    /// The job that has written the beginning of a line and not its end: nobody else may write meanwhile.
    pub(super) fn amid_line(&self) -> Option<usize> {
        if self.options.mode != Mode::Lines {
            return None;
        }
        self.slots.iter().position(|running| running.as_ref().is_some_and(Running::amid_line))
    }

    pub(super) fn hear(&mut self) {
        let Some(told) = self.signals.told() else { return };
        let (signal, again) = match told {
            Told::Once(signal) => (signal, false),
            Told::Again(signal) => (signal, true),
        };
        let hangup = i32::from(signal) == signal_hook::consts::SIGHUP;
        let ending =
            self.slots.iter().flatten().any(|running| running.phase == Phase::Ending(Cause::Stopped));
        if !(again || hangup) {
            let running = self.running();
            self.stop(Stop::Signal(signal), "a signal");
            if running > 0 {
                self.report.say(&format!("nothing more is started; {running} running; once more ends them"));
            }
        } else {
            self.stop(Stop::Signal(signal), "a signal");
            if ending { self.kill_running() } else { self.end_running() }
        }
    }

    /// When the current phase of a running job is over.
    pub(super) fn deadline(&self, running: &Running) -> Option<Instant> {
        match running.phase {
            Phase::Running => {
                let limit = self.times.limit(self.options.timeout?)?;
                running.started.checked_add(limit)
            }
            Phase::Ending(_) => running.deadline,
        }
    }

    /// Ends what has had its time.
    pub(super) fn pass_time(&mut self) {
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(running) = &self.slots[slot] else { continue };
            if self.deadline(running).is_none_or(|deadline| deadline > now) {
                continue;
            }
            let grace = self.options.grace;
            let Some(running) = &mut self.slots[slot] else { continue };
            match running.phase {
                Phase::Running => running.end(Cause::TimedOut, now + grace),
                _ if !running.killed => running.kill(now),
                _ => {
                    // Nothing more can be done: the rest is zombies that nobody collects, or it hangs in the kernel.
                    running.given_up = true;
                    running.deadline = Some(now + KILL_WAIT);
                }
            }
        }
    }

    /// Asks everything that runs to end.
    pub(super) fn end_running(&mut self) {
        let until = Instant::now() + self.options.grace;
        for running in self.slots.iter_mut().flatten() {
            if running.phase == Phase::Running {
                running.end(Cause::Stopped, until);
            }
        }
    }

    /// Kills everything that runs.
    pub(super) fn kill_running(&mut self) {
        let now = Instant::now();
        for running in self.slots.iter_mut().flatten() {
            if running.phase == Phase::Running {
                running.phase = Phase::Ending(Cause::Stopped);
            }
            running.kill(now);
        }
    }
}

impl Running {
    /// Asks it to end until `until`.
    pub(super) fn end(&mut self, cause: Cause, until: Instant) {
        self.phase = Phase::Ending(cause);
        self.deadline = Some(until);
        process::signal_group(self.pid, Signal::TERM);
        // A stopped process hears nothing else.
        process::signal_group(self.pid, Signal::CONT);
    }

    pub(super) fn kill(&mut self, now: Instant) {
        self.killed = true;
        self.deadline = Some(now + KILL_WAIT);
        process::signal_group(self.pid, Signal::KILL);
    }

    /// Whether everything of it is gone, or as good as gone.
    pub(super) fn drained(&self) -> bool {
        self.ended.is_some() && (self.given_up || !process::group_lives(self.pid))
    }

    pub(super) fn amid_line(&self) -> bool {
        matches!(&self.printed, Printed::Lines { out, err, .. } if out.amid_line() || err.amid_line())
    }
}
