//! Runs the tasks: one thread, one loop that waits for the next thing to happen.
//!
//! A task that is ready waits in [`Ready`] until its resources and its rate allow it; while it runs it holds a lease,
//! whose deadline is its timeout; when it fails, its back-off says when it is ready again. What ends is handed to the
//! store's writer, which makes it durable without anybody waiting for it: records keep their order, so a task is
//! never on disk without those before it.

mod end;
mod halt;
mod live;
mod read;
mod start;
mod tell;

pub(crate) use halt::Halt;

use super::event::Event;
use super::key::Decision;
use super::launch::Launcher;
use super::live::Listener;
use super::ready::{self, Fit, Ready};
use super::report::Report;
use super::work::{State, Step, Work};
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use crate::process;
use crate::process::output::{self, Outputs};
use crate::process::signals::{Signals, Told};
use crate::store::{Batch, Store, Writer};
use divvy::Instant;
use divvy::lease::{Lease, Leases};
use divvy::limit::Gcra;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::storage::Heap;
use read::Reader;
use rustix::event::PollFlags;
use rustix::process::Pid;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Records are handed to the writer as soon as they stand for so much work, which a crash would make run again.
const BATCH_WORTH: Duration = Duration::from_millis(200);

/// Records of less work wait so long for company.
const BATCH_WAIT: Duration = Duration::from_millis(200);

/// How often the terminal is drawn.
const TICK: Duration = Duration::from_millis(100);

/// How often a group whose leader has ended is looked at.
const DRAIN_WAIT: Duration = Duration::from_millis(10);

/// How long killed processes may take to vanish.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// How often the outputs of running commands are looked at.
const OUTPUT_WAIT: Duration = Duration::from_secs(1);

/// At most so many commands run at once, whatever resources they ask for.
const MAX_RUNNING: u32 = 1_024;

/// So many failures of earlier runs are shown with what they printed.
const DEAD_OUTPUTS_SHOWN: usize = 10;

/// What the command line says about a run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) jobs: u64,
    pub(crate) halt: Halt,
    pub(crate) grace: Duration,
    pub(crate) retry_dead: bool,
    pub(crate) seed: u64,
}

/// One run.
pub(crate) struct Engine<'p> {
    work: Work<'p>,
    options: Options,
    store: &'p Store,
    writer: Writer,
    run: u64,
    launcher: Launcher<'p>,
    outputs: Outputs,
    report: Box<dyn Report>,
    signals: Signals,
    reader: Reader,
    /// Set as soon as somebody asks divvy to end.
    end: Arc<AtomicBool>,
    listener: Option<Listener>,
    begun: std::time::Instant,
    ready: Ready,
    classes: Vec<Class>,
    class_of: Vec<usize>,
    free: Vec<u64>,
    limits: Vec<Gcra>,
    leases: Leases<Heap>,
    /// By the slot of the lease.
    running: Vec<Option<Running>>,
    by_pid: HashMap<Pid, u32>,
    /// Tasks that wait for their next try.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    rng: Xoshiro256PlusPlus,
    batch: Batch,
    batch_since: Option<Instant>,
    /// The time of the tries whose records are in `batch`.
    batch_worth: Duration,
    stopping: Option<Stop>,
    /// What was wrong with the pipeline while it ran, or with the machine.
    problem: Option<Box<Diagnostic>>,
    /// Starts that the machine refused in a row.
    refused: u32,
    /// Whether something may have become ready.
    changed: bool,
    next_tick: Instant,
    next_output_look: Instant,
    counts: Counts,
}

/// Tasks that ask for the same.
#[derive(Debug, Eq, PartialEq)]
struct Class {
    demand: Vec<u64>,
    limit: Option<usize>,
}

/// Why nothing more is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stop {
    /// Too many tasks failed, or the pipeline turned out wrong.
    Halted,
    /// By a signal, with its number.
    Signal(u8),
}

/// A command that runs.
#[derive(Debug)]
struct Running {
    task: usize,
    lease: Lease,
    pid: Pid,
    started: std::time::Instant,
    output: File,
    released: u64,
    phase: Phase,
    /// Whether it was sent SIGKILL.
    killed: bool,
    /// How its leader ended, while others of its group may still run.
    ended: Option<process::Exit>,
    /// Whether the rest of its group is not waited for any longer.
    given_up: bool,
}

/// What is being done to a running command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// It may finish.
    Running,
    /// Its time is up.
    TimedOut,
    /// The run ends.
    Interrupted,
}

impl Running {
    /// Whether something that was told to end is gone, its group included.
    fn drained(&self) -> bool {
        self.ended.is_some() && (self.given_up || !process::group_lives(self.pid))
    }
}

#[derive(Debug, Default)]
struct Counts {
    done: usize,
    up_to_date: usize,
    dead: usize,
    dead_before: usize,
    allowed: usize,
    interrupted: usize,
    retries: u64,
    work: Duration,
    held_cores: f64,
    slowest: Vec<(Duration, usize)>,
}

impl<'p> Engine<'p> {
    /// Takes over `work`; what it has decided already is not decided again.
    pub(crate) fn new(
        mut work: Work<'p>,
        options: Options,
        store: &'p Store,
        report: Box<dyn Report>,
    ) -> Result<Self> {
        let pipeline = work.pipeline;
        let system = |doing: &'static str| move |error: std::io::Error| Diagnostic::system(doing, error);
        let signals = Signals::listen().map_err(system("cannot listen for signals"))?;
        process::adopt_orphans();
        let end = signals.end_flag();
        work.files.stop_on(end.clone());
        work.files.defer_large();
        let reader = signals.waker().and_then(|waker| Reader::start(end.clone(), waker));
        let reader = reader.map_err(system("cannot start the thread that reads files"))?;
        let (run, mark) = store.begin_run()?;
        let launcher = Launcher::new(pipeline, &mark).map_err(system("cannot open /dev/null"))?;
        let writer = store.writer()?;
        let mut classes: Vec<Class> = Vec::new();
        let class_of = pipeline.tasks.iter().map(|task| {
            let class = Class { demand: task.demand.clone(), limit: task.limit };
            classes.iter().position(|known| *known == class).unwrap_or_else(|| {
                classes.push(class);
                classes.len() - 1
            })
        });
        let class_of = class_of.collect();
        let slots = u32::try_from(options.jobs).unwrap_or(u32::MAX).max(MAX_RUNNING);
        Ok(Self {
            run,
            writer,
            launcher,
            outputs: Outputs::new(store.path().parent().unwrap_or(Path::new("."))),
            report,
            signals,
            reader,
            end,
            listener: Listener::open(store.path()),
            begun: std::time::Instant::now(),
            ready: Ready::new(pipeline.aging),
            classes,
            class_of,
            free: pipeline.resources.totals.clone(),
            limits: pipeline.limits.iter().map(|limit| Gcra::new(limit.quota)).collect(),
            leases: Leases::with_capacity(slots),
            running: Vec::new(),
            by_pid: HashMap::new(),
            timers: BinaryHeap::new(),
            rng: Xoshiro256PlusPlus::seed(options.seed),
            batch: Batch::default(),
            batch_since: None,
            batch_worth: Duration::ZERO,
            stopping: None,
            problem: None,
            refused: 0,
            changed: true,
            next_tick: Instant::ZERO,
            next_output_look: Instant::ZERO.saturating_add(OUTPUT_WAIT),
            counts: Counts::default(),
            store,
            work,
            options,
        })
    }

    /// Runs everything and reports. The exit code says how it went; the diagnostic, what was wrong besides tasks.
    pub(crate) fn run(mut self, leftovers: usize) -> (Exit, Option<Box<Diagnostic>>) {
        let event = Event::RunStarted {
            run: self.run,
            pipeline: &self.work.pipeline.name,
            store: self.store.path().display().to_string(),
            jobs: self.options.jobs,
            seed: self.options.seed,
            tasks: self.work.tasks.len(),
        };
        self.report.event(self.begun.elapsed(), &event);
        if leftovers > 0 {
            self.tell(&Event::LeftoversKilled { processes: leftovers });
        }
        self.take_plan();
        loop {
            self.pull();
            self.dispatch();
            self.hand_over();
            if self.finished() {
                break;
            }
            self.wait();
            self.collect();
            self.take_read();
            self.pass_time();
        }
        self.close()
    }

    /// Since the start of the run.
    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.report.event(self.begun.elapsed(), event);
    }

    /// Acts on what a plan decided before.
    fn take_plan(&mut self) {
        for task in 0..self.work.tasks.len() {
            if let Some(decision) = self.work.tasks[task].decision.clone() {
                self.act(task, decision);
            }
        }
    }

    /// Takes what has become ready and decides what is to be done with it.
    fn pull(&mut self) {
        let mut looked = self.now();
        while self.changed && self.stopping.is_none() {
            self.changed = false;
            let mut fans = Vec::new();
            while self.stopping.is_none() {
                match self.work.next() {
                    Some(Step::Decide(task)) => self.decide(task),
                    Some(Step::Expand(template)) => fans.push(template),
                    None => break,
                }
                // Hashing many inputs takes a while: commands start and signals count meanwhile.
                let now = self.now();
                let due = now.saturating_duration_since(looked) > Duration::from_millis(20);
                if due || self.end.load(Ordering::Relaxed) {
                    looked = now;
                    self.dispatch();
                    self.hand_over();
                    self.signals.wait(Some(Duration::ZERO), &[], &mut Vec::new());
                    self.hear_signals();
                    self.collect();
                    self.pass_time();
                }
            }
            if self.expand(&fans) {
                self.work.connect();
                self.changed = true;
            }
        }
    }

    /// Expands fan-outs whose needs are finished. Returns whether there are new tasks.
    fn expand(&mut self, fans: &[usize]) -> bool {
        let mut expanded = false;
        for &template in fans {
            match self.work.expand(template) {
                Ok(range) => {
                    expanded = true;
                    let name = &self.work.pipeline.tasks[template].name;
                    self.report
                        .event(self.begun.elapsed(), &Event::Expanded { task: name, items: range.len() });
                }
                Err(problem) => {
                    self.problem.get_or_insert(problem);
                    if self.options.halt.stops_at_all() {
                        self.stop(Stop::Halted, "the pipeline file does not fit what its tasks wrote");
                    }
                }
            }
        }
        expanded
    }

    fn act(&mut self, task: usize, decision: Decision) {
        match decision {
            Decision::UpToDate => {
                self.counts.up_to_date += 1;
                self.work.set(task, State::UpToDate);
                self.changed = true;
                let id = self.work.id(task);
                self.report.event(self.begun.elapsed(), &Event::UpToDate { task: &id });
            }
            Decision::Run { .. } => self.make_ready(task),
            Decision::Dead => self.dead_before(task),
            Decision::Broken(why) => self.dead(task, &why, Duration::ZERO, &[]),
        }
    }

    fn make_ready(&mut self, task: usize) {
        let level = ready::level(self.work.rank(task));
        let template = self.work.tasks[task].template;
        self.work.tasks[task].state = State::Ready;
        let priority = self.work.pipeline.tasks[template].priority;
        self.ready.push(self.now(), task, priority, level, self.class_of[template]);
    }

    fn finished(&self) -> bool {
        self.leases.is_empty()
            && (self.stopping.is_some()
                || (self.ready.len() == 0
                    && self.timers.is_empty()
                    && self.reader.is_idle()
                    && !self.changed))
    }

    /// Gives records to the writer once they have waited long enough for company.
    fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let now = self.now();
        let since = *self.batch_since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        if is_due(waited, self.batch_worth, self.leases.is_empty()) {
            self.batch.files = self.work.files.take_fresh();
            self.writer.submit(std::mem::take(&mut self.batch));
            self.batch_since = None;
            self.batch_worth = Duration::ZERO;
        }
        if self.writer.failed() {
            self.stop(Stop::Halted, "the store cannot be written");
        }
    }

    /// Waits until a command ends, a signal comes, or something is due.
    fn wait(&mut self) {
        self.report.flush();
        let now = self.now();
        let mut until = self.leases.next_deadline().unwrap_or(Instant::MAX);
        if let Some(since) = self.batch_since {
            until = until.min(since.saturating_add(BATCH_WAIT));
        }
        if self.stopping.is_none() {
            if let Some(Reverse((when, _))) = self.timers.peek() {
                until = until.min(*when);
            }
            for class in self.ready.classes() {
                if let Some(limit) = self.classes[class].limit {
                    let free = self.limits[limit].next_free(now);
                    if free > now {
                        until = until.min(free);
                    }
                }
            }
        }
        if self.report.animated() {
            until = until.min(self.next_tick);
        }
        if !self.leases.is_empty() {
            until = until.min(self.next_output_look);
        }
        if self.running.iter().flatten().any(|running| running.ended.is_some()) {
            until = until.min(now.saturating_add(DRAIN_WAIT));
        }
        let timeout = (until < Instant::MAX).then(|| until.saturating_duration_since(now));
        let socket = self.listener.as_ref().map(|listener| (listener.socket().as_fd(), PollFlags::IN));
        let mut asked = Vec::new();
        self.signals.wait(timeout, socket.as_slice(), &mut asked);
        if asked.contains(&true) {
            self.answer();
        }
        self.hear_signals();
    }

    fn hear_signals(&mut self) {
        match self.signals.told() {
            None => {}
            Some(Told::Once(signal)) => {
                self.stop(Stop::Signal(signal), "interrupted: running commands are to end; again kills them");
                self.end_running();
            }
            Some(Told::Again(signal)) => {
                self.stop(Stop::Signal(signal), "interrupted again: running commands are killed");
                self.end_running();
                self.kill_running();
            }
        }
    }

    /// Nothing more is started from here on.
    fn stop(&mut self, stop: Stop, reason: &str) {
        let news = match (self.stopping, stop) {
            (None, _) | (Some(Stop::Halted), Stop::Signal(_)) => true,
            (Some(Stop::Signal(_)), Stop::Signal(_)) => true,
            (Some(_), Stop::Halted) => false,
        };
        if news {
            self.stopping = Some(stop);
            self.tell(&Event::Stopping { reason });
        }
    }

    /// Whatever the clock alone brings about.
    fn pass_time(&mut self) {
        let now = self.now();
        while let Some(lease) = self.leases.reclaim(now) {
            self.overdue(now, lease);
        }
        while let Some(&Reverse((when, task))) = self.timers.peek() {
            if when > now || self.stopping.is_some() {
                break;
            }
            self.timers.pop();
            self.make_ready(task);
        }
        if now >= self.next_output_look {
            self.next_output_look = now.saturating_add(OUTPUT_WAIT);
            for running in self.running.iter_mut().flatten() {
                running.released = output::release(&running.output, running.released);
            }
        }
        if self.report.animated() && now >= self.next_tick {
            self.next_tick = now.saturating_add(TICK);
            self.draw();
        }
    }
}

/// Whether records that have waited so long and stand for so much work go to the writer. `idle`: nothing runs, so
/// no other record will come soon.
fn is_due(waited: Duration, worth: Duration, idle: bool) -> bool {
    waited >= BATCH_WAIT || worth >= BATCH_WORTH || idle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_task_is_recorded_at_once_and_short_ones_wait_for_company() {
        let at_once = Duration::ZERO;
        assert!(is_due(at_once, Duration::from_secs(3_600), false));
        assert!(is_due(at_once, Duration::from_millis(200), false), "what 100 tasks of 2 ms come to");
        assert!(!is_due(at_once, Duration::from_millis(199), false));
        assert!(is_due(Duration::from_millis(200), Duration::from_millis(1), false), "none wait for longer");
        assert!(is_due(at_once, Duration::from_millis(1), true), "there is no company to come");
    }
}
