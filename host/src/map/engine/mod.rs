//! Runs the jobs: one thread, one loop that waits for the next thing to happen.
//!
//! A job is made when a slot is free, so nothing is read ahead but a block of the input. Whatever a job prints goes
//! into files of its slot and from there to standard output when the job has ended, before its end is recorded: what
//! the joblog has was shown.

mod end;
mod next;
mod show;
mod start;
mod wait;

use super::event::{Event, Summary};
use super::halt::Halt;
use super::items::Inputs;
use super::joblog::Joblog;
use super::output::{Lines, Order, Sink};
use super::pipe::Blocks;
use super::pressure::Pressure;
use super::report::{Report, Status};
use super::template::{Piece, Template};
use super::timeout::{Timeout, Times};
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use crate::process::output::Outputs;
use crate::process::signals::Signals;
use crate::process::{self};
use divvy::retry::Backoff;
use divvy::rng::Xoshiro256PlusPlus;
use next::Later;
pub(crate) use next::Work;
use rustix::process::Pid;
use show::Ended;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// How long killed processes may take to vanish.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// How outputs are kept apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Shown when the job has ended.
    Group,
    /// Shown while it runs, whole lines at a time.
    Lines,
    /// Not at all.
    Mixed,
}

/// What the command line said.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) jobs: usize,
    pub(crate) keep_order: bool,
    pub(crate) mode: Mode,
    pub(crate) tag: Option<Vec<Piece>>,
    pub(crate) retries: u32,
    pub(crate) backoff: Backoff,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) grace: Duration,
    pub(crate) halt: Halt,
    pub(crate) delay: Duration,
    pub(crate) results: Option<PathBuf>,
    pub(crate) tmpdir: PathBuf,
    pub(crate) shell: OsString,
    pub(crate) seed: u64,
}

/// Where jobs come from.
#[derive(Debug)]
pub(crate) enum Feed {
    Items(Inputs),
    Blocks(Blocks),
}

/// One job.
#[derive(Debug)]
struct Job {
    seq: u64,
    items: Vec<Vec<u8>>,
    /// What it reads, if that is not nothing: a file, and how long it is.
    stdin: Option<(File, u64)>,
    key: u64,
    /// It failed in an earlier run.
    again: bool,
    too_long: bool,
    /// Tries that failed.
    tries: u32,
}

/// A job that runs.
#[derive(Debug)]
struct Running {
    job: Job,
    pid: Pid,
    started: Instant,
    clock: SystemTime,
    command: Vec<u8>,
    printed: Printed,
    phase: Phase,
    /// When the phase is over.
    deadline: Option<Instant>,
    killed: bool,
    /// The command ended, but not everything it started.
    ended: Option<process::Exit>,
    given_up: bool,
}

/// Where a running job prints to.
#[derive(Debug)]
enum Printed {
    /// Files; `named`: they stay.
    Files {
        out: File,
        err: File,
        named: bool,
    },
    Lines {
        out: Lines,
        err: Lines,
        received: u64,
    },
    Nowhere,
}

/// What divvy does with a running job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Running,
    /// It was told to end.
    Ending(Cause),
}

/// Why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    TimedOut,
    Stopped,
    Memory,
}

/// Why nothing more is started.
#[derive(Debug)]
enum Stop {
    /// The policy of `--halt`.
    Halt,
    Signal(u8),
    /// Nobody reads the output.
    NoReader,
    Problem(Box<Diagnostic>),
}

#[derive(Debug, Default)]
struct Counts {
    done: u64,
    failed: u64,
    skipped: u64,
    interrupted: u64,
    retries: u64,
    requeued: u64,
    work: Duration,
}

#[derive(Debug)]
pub(crate) struct Engine<'a> {
    options: Options,
    template: &'a Template,
    feed: Feed,
    joblog: Option<Joblog>,
    pressure: Pressure,
    report: Report,
    signals: Signals,
    /// The program that every job starts.
    program: Option<PathBuf>,
    null: File,
    outputs: Outputs,
    out: Sink,
    err: Sink,
    order: Option<Order<Ended>>,
    slots: Vec<Option<Running>>,
    free: BinaryHeap<Reverse<usize>>,
    by_pid: HashMap<Pid, usize>,
    /// Jobs that failed and are tried again.
    later: BinaryHeap<Later>,
    /// Jobs that were killed or could not be started for want of room.
    back: VecDeque<Job>,
    seq: u64,
    all_read: bool,
    /// How many jobs there are, if that was known at the beginning.
    known_total: Option<u64>,
    /// The input has nothing yet.
    input_waits: bool,
    /// Nothing starts before this, or before a job ends.
    held_until: Option<Instant>,
    last_start: Option<Instant>,
    refused: u32,
    times: Times,
    stopping: Option<Stop>,
    counts: Counts,
    begun: Instant,
    rng: Xoshiro256PlusPlus,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(
        options: Options,
        template: &'a Template,
        feed: Feed,
        joblog: Option<Joblog>,
        pressure: Pressure,
        report: Report,
    ) -> Result<Self> {
        use std::os::fd::AsFd;
        let mut signals =
            Signals::listen().map_err(|error| Diagnostic::system("cannot listen to signals", error))?;
        signals.rearm();
        let duplicate = |fd: BorrowedFd<'_>| {
            let file = fd.try_clone_to_owned().map(File::from);
            file.map(|file| Sink::new(file).asked(signals.end_flag()))
                .map_err(|error| Diagnostic::system("cannot use the standard output", error))
        };
        let (out, err) = (duplicate(std::io::stdout().as_fd())?, duplicate(std::io::stderr().as_fd())?);
        let null =
            File::open("/dev/null").map_err(|error| Diagnostic::system("cannot open /dev/null", error))?;
        let program = match template.program() {
            Some(program) => Some(start::find(program)?),
            None => None,
        };
        process::adopt_orphans();
        let jobs = options.jobs;
        let known_total = match &feed {
            Feed::Items(inputs) => inputs.total(),
            Feed::Blocks(_) => None,
        };
        let mut outputs = Outputs::new(&options.tmpdir);
        let file = outputs.take().map_err(|error| {
            Diagnostic::system(format_args!("cannot keep outputs in {}", options.tmpdir.display()), error)
                .help("name a folder that can be written with --tmpdir")
        })?;
        outputs.give_back(file, 0, false);
        Ok(Self {
            outputs,
            rng: Xoshiro256PlusPlus::seed(options.seed),
            order: options.keep_order.then(Order::new),
            options,
            template,
            feed,
            joblog,
            pressure,
            report,
            signals,
            program,
            null,
            out,
            err,
            slots: (0..jobs).map(|_| None).collect(),
            free: (0..jobs).map(Reverse).collect(),
            by_pid: HashMap::new(),
            later: BinaryHeap::new(),
            back: VecDeque::new(),
            seq: 0,
            all_read: false,
            known_total,
            input_waits: false,
            held_until: None,
            last_start: None,
            refused: 0,
            times: Times::default(),
            stopping: None,
            counts: Counts::default(),
            begun: Instant::now(),
        })
    }

    /// Runs everything. `killed`: how many commands of an earlier run had to be ended.
    pub(crate) fn run(mut self, killed: usize) -> (Exit, Option<Box<Diagnostic>>) {
        let (jobs, seed, total) = (self.options.jobs, self.options.seed, self.total());
        self.report.event(&Event::MapStarted { jobs, seed, total });
        if killed > 0 {
            self.report.event(&Event::LeftoversKilled { processes: killed });
            self.report.say(&format!("ended {killed} processes that an earlier run had left"));
        }
        loop {
            self.collect();
            self.launch();
            self.relieve();
            if self.finished() {
                break;
            }
            self.draw();
            self.wait();
            self.hear();
            self.pass_time();
        }
        self.close()
    }

    fn running(&self) -> usize {
        self.options.jobs - self.free.len()
    }

    fn total(&self) -> Option<u64> {
        if self.all_read { Some(self.seq) } else { self.known_total }
    }

    fn finished(&self) -> bool {
        let nothing_left = self.all_read && self.later.is_empty() && self.back.is_empty();
        self.running() == 0 && (nothing_left || self.stopping.is_some())
    }

    /// Starts nothing more.
    fn stop(&mut self, stop: Stop, why: &str) {
        if self.stopping.is_none() {
            self.report.event(&Event::Stopping { reason: why });
            self.stopping = Some(stop);
        }
    }

    fn problem(&mut self, problem: Box<Diagnostic>) {
        self.stop(Stop::Problem(problem), "a problem");
    }

    fn draw(&mut self) {
        let now = Instant::now();
        if self.report.next_draw().is_some_and(|next| next <= now) {
            let ran = self.counts.done + self.counts.failed;
            let status = Status {
                ended: ran + self.counts.skipped,
                failed: self.counts.failed,
                running: self.running(),
                total: self.total(),
                ran,
            };
            self.report.draw(now, status, self.begun.elapsed());
        }
    }

    /// Tells the figures.
    fn close(mut self) -> (Exit, Option<Box<Diagnostic>>) {
        self.show_rest();
        let failed = self.counts.failed > 0;
        let (exit, problem, why) = match self.stopping.take() {
            Some(Stop::Problem(problem)) => (problem.exit(), Some(problem), None),
            Some(Stop::Signal(signal)) => (Exit::Interrupted(signal), None, Some("by a signal")),
            Some(Stop::NoReader) => (Exit::Interrupted(13), None, None),
            Some(Stop::Halt) if self.options.halt.is_goal() => (Exit::Done, None, None),
            Some(Stop::Halt) => (Exit::Failed, None, Some("by --halt")),
            None if failed => (Exit::Failed, None, None),
            None => (Exit::Done, None, None),
        };
        let summary = Summary {
            exit_code: exit.code(),
            jobs: self.seq,
            done: self.counts.done,
            failed: self.counts.failed,
            skipped: self.counts.skipped,
            interrupted: self.counts.interrupted,
            retries: self.counts.retries,
            requeued: self.counts.requeued,
            all_read: self.all_read,
            work: self.counts.work,
            wall: self.begun.elapsed(),
        };
        self.report.finish(summary, why);
        (exit, problem)
    }
}
