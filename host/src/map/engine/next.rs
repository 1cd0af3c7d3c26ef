//! Which job is next, and whether one may start at all.

use super::{Cause, Engine, Feed, Job, Phase};
use crate::diagnostic::Result;
use crate::map::items::{Args, Next};
use crate::map::joblog::Known;
use crate::map::pipe::Block;
use crate::map::pressure::{LOOK, Room};
use crate::process::output::Outputs;
use std::cmp::Ordering;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// With `--keep-order`, so many jobs may have ended before one whose turn is first.
const MAX_WAITING: usize = 1 << 20;

/// So many bytes of their output are kept in memory, and so many files hold the rest.
pub(super) const MAX_MEMORY: u64 = 16 << 20;
const MAX_FILES: usize = 256;

/// What a job is made of.
#[derive(Debug)]
pub(crate) enum Work {
    Items(Args),
    Block(Block),
}

/// A job that is tried again.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) at: Instant,
    pub(super) job: Job,
}

impl Ord for Later {
    /// The earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.job.seq).cmp(&(self.at, self.job.seq))
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Later {}

impl Engine<'_> {
    /// Starts what can start now.
    pub(super) fn launch(&mut self) {
        while self.stopping.is_none() && !self.free.is_empty() {
            self.held_until = self.closed();
            if self.held_until.is_some() {
                return;
            }
            let Some(job) = self.next_job() else { return };
            if !self.start(job) {
                return;
            }
        }
    }

    /// Until when nothing may start, if so.
    fn closed(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if let Some(last) = self.last_start
            && !self.options.delay.is_zero()
            && last + self.options.delay > now
        {
            return Some(last + self.options.delay);
        }
        // A job that ends wakes up anyway.
        let hour = Duration::from_secs(3_600);
        if let Some(order) = &self.order
            && (order.len() >= MAX_WAITING || order.files >= MAX_FILES)
            && self.running() > 0
        {
            return Some(now + hour);
        }
        if self.pressure.matters() {
            match self.pressure.room(now, self.running()) {
                Room::Start => {}
                Room::Hold => return Some(now + LOOK),
                Room::Relieve => {
                    self.kill_youngest(now);
                    return Some(now + LOOK);
                }
            }
        }
        None
    }

    /// Frees memory if that is short although nothing starts.
    pub(super) fn relieve(&mut self) {
        if self.pressure.relieves() && (self.free.is_empty() || self.all_read) {
            let now = Instant::now();
            if self.pressure.room(now, self.running()) == Room::Relieve {
                self.kill_youngest(now);
            }
        }
    }

    fn kill_youngest(&mut self, now: Instant) {
        let memory = Phase::Ending(Cause::Memory);
        // One at a time: what it frees shows only when it is gone.
        if self.slots.iter().flatten().any(|running| running.phase == memory) {
            return;
        }
        let youngest = self.slots.iter_mut().flatten().filter(|running| running.phase == Phase::Running);
        if let Some(running) = youngest.max_by_key(|running| (running.started, running.job.seq)) {
            running.phase = memory;
            running.kill(now);
        }
    }

    /// The next job, if there is one now.
    fn next_job(&mut self) -> Option<Job> {
        if let Some(job) = self.back.pop_front() {
            return Some(job);
        }
        if self.later.peek().is_some_and(|later| later.at <= Instant::now()) {
            return self.later.pop().map(|later| later.job);
        }
        while !self.all_read && !self.input_waits {
            match self.feed.next(&mut self.outputs) {
                Ok(Next::Item(work)) => {
                    if let Some(job) = self.make(work) {
                        return Some(job);
                    }
                }
                Ok(Next::Wait) => self.input_waits = true,
                Ok(Next::End) => self.all_read = true,
                Err(problem) => {
                    self.all_read = true;
                    self.problem(problem);
                }
            }
        }
        None
    }

    /// The job of `work`, unless it ended in an earlier run.
    fn make(&mut self, work: Work) -> Option<Job> {
        self.seq += 1;
        let seq = self.seq;
        let key = match (&self.joblog, &work) {
            (None, _) => 0,
            (Some(_), Work::Items(args)) => self.template.key(&args.items),
            (Some(_), Work::Block(block)) => self.template.key(&[block.hash.to_le_bytes().to_vec()]),
        };
        let again = match self.joblog.as_mut().map_or(Known::New, |joblog| joblog.claim(key)) {
            Known::Done => {
                self.counts.skipped += 1;
                if let Some(order) = &mut self.order {
                    order.pass(seq);
                }
                if let Work::Block(block) = work {
                    self.outputs.give_back(block.file, block.len, false);
                }
                return None;
            }
            Known::Again => true,
            Known::New => false,
        };
        let (items, too_long, stdin) = match work {
            Work::Items(args) => (args.items, args.too_long, None),
            Work::Block(block) => (Vec::new(), false, Some((block.file, block.len))),
        };
        Some(Job { seq, items, stdin, key, again, too_long, tries: 0 })
    }
}

impl Feed {
    /// What the next job is to do.
    pub(crate) fn next(&mut self, files: &mut Outputs) -> Result<Next<Work>> {
        Ok(match self {
            Feed::Items(inputs) => inputs.next()?.map(Work::Items),
            Feed::Blocks(blocks) => blocks.next(files)?.map(Work::Block),
        })
    }

    /// What has more when it becomes readable.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Feed::Items(inputs) => inputs.waits_for(),
            Feed::Blocks(blocks) => blocks.waits_for(),
        }
    }

    /// It is readable.
    pub(crate) fn readable(&mut self) {
        match self {
            Feed::Items(inputs) => inputs.readable(),
            Feed::Blocks(blocks) => blocks.readable(),
        }
    }
}
