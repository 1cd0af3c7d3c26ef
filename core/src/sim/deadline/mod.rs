//! Periodic and sporadic tasks with deadlines on one or several cores, on a virtual clock.
//!
//! The decisions are those of the real [`Dispatcher`]; the clock, the run times of the jobs and the arrivals of sporadic
//! tasks are made up. How to use it:
//!
//! 1. Make a [`Deadline`] from a [`Config`]: the policy, what happens at a miss or an overrun, how long jobs run.
//! 2. [`insert`](Deadline::insert) tasks for any core (global) or [`insert_on`](Deadline::insert_on) one (partitioned), now or
//!    later. Whether they should be is for [`admission`](crate::sched::realtime::admission) to say, on
//!    [`tasks`](Deadline::tasks).
//! 3. [`step`](Deadline::step) from event to event, or [`advance`](Deadline::advance) the clock to where a picture is drawn. Each
//!    [`Event`] says what happened.
//! 4. Draw: [`segments`](Deadline::segments) are who ran where from when to when, the oldest first, up to the capacity;
//!    [`activity`](Deadline::activity) is what a core does now; [`stats`](Deadline::stats) and
//!    [`core_stats`](Deadline::core_stats) are the account.

mod config;
mod event;
mod segments;
#[cfg(test)]
mod tests;

pub use self::config::Config;
pub use self::event::{Activity, End, Event, Segment, What};
use self::segments::Segments;
use crate::sched::realtime::{
    self, CoreStats, Dispatcher, InsertError, Job, Pick, ReleaseError, Task, TaskStats,
};
use crate::storage::{Inline, InlineSlots, List, Storage};
use crate::{Instant, Rng};
use core::fmt;
use core::time::Duration;

/// An instant that does not come.
const NEVER: u64 = u64::MAX;

/// What a core does.
#[derive(Clone, Copy, Debug)]
struct Lane {
    job: Option<Job>,
    since: Instant,
    until: Instant,
}

/// Where the jobs of a task come from that the dispatcher's clock does not release.
#[derive(Clone, Copy, Debug)]
struct Source {
    /// The next arrival, and when it is noticed; [`NEVER`] if the dispatcher's clock releases the jobs.
    arrival: u64,
    at: u64,
    sporadic: bool,
}

/// A discrete-event simulation of tasks with deadlines.
///
/// Shows who runs when, who preempts whom, and who misses; and proves in tests what the admission tests claim.
///
/// *When not to use it:* to decide whether a task set is safe. A run shows one pattern of arrivals; the tests cover all.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::rng::SplitMix64;
/// use divvy::sched::realtime::{InsertError, Policy, Task};
/// use divvy::sim::deadline::{Config, Deadline, What};
/// use divvy::storage::Inline;
///
/// let ms = Duration::from_millis;
/// let mut sim = Deadline::<Inline<2>, Inline<1>, Inline<16>>::new(Config::new(Policy::EarliestDeadline));
/// let mut rng = SplitMix64::seed(1);
/// let short = sim.insert(Task::new(ms(2), ms(5))?)?;
/// sim.insert(Task::new(ms(6), ms(10))?)?;
/// assert_eq!(sim.insert(Task::new(ms(1), ms(10))?), Err(InsertError::Full));
///
/// // The core is busy all the time, and nobody misses:
/// while let Some(event) = sim.advance(Instant::from_millis(20), &mut rng) {
///     assert!(!matches!(event.what, What::Miss { .. }));
/// }
/// assert_eq!(sim.core_stats(0).unwrap().busy, ms(20));
/// assert_eq!(sim.task_stats(short).unwrap().completed, 4);
/// assert_eq!(sim.segments().next().unwrap().to, Instant::from_millis(2));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Complexity
///
/// An event is *O*(tasks + cores × tasks). Bytes: 240 for each place `T`, 88 a core and 32 a segment; 4,256 with `Inline<8>`,
/// `Inline<2>` and `Inline<64>` on a 64-bit machine.
///
/// # Time
///
/// The clock starts at [`Instant::ZERO`] and moves only in [`Deadline::step`] and [`Deadline::advance`]. At one instant jobs are
/// completed first, by core; then deadlines, arrivals and budgets are due as [`Dispatcher::advance`] has them; then sporadic
/// jobs arrive, by task; then cores pick, by index.
///
/// # Concurrency
///
/// One owner.
pub struct Deadline<T: Storage = Inline<8>, C: Storage = Inline<2>, G: Storage = Inline<64>> {
    dispatcher: Dispatcher<T, C>,
    config: Config,
    sources: T::List<Source>,
    /// How long each pending job runs in all, by its slot.
    costs: T::Slots<u64>,
    lanes: C::Slots<Lane>,
    segments: Segments<G>,
    now: Instant,
}

impl<const T: usize, const C: usize, const G: usize> Deadline<Inline<T>, Inline<C>, Inline<G>> {
    /// `C` cores without tasks, for up to `T` tasks and `T` pending jobs, and the last `G` segments.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            dispatcher: Dispatcher::<Inline<T>, Inline<C>>::new(config.policy)
                .on_miss(config.on_miss)
                .on_overrun(config.on_overrun),
            config,
            sources: heapless::Vec::new(),
            costs: InlineSlots([0; T]),
            lanes: InlineSlots([Lane { job: None, since: Instant::ZERO, until: Instant::ZERO }; C]),
            segments: Segments::new(heapless::Vec::new()),
            now: Instant::ZERO,
        }
    }
}

#[cfg(feature = "alloc")]
impl Deadline<crate::storage::Heap, crate::storage::Heap, crate::storage::Heap> {
    /// `cores` without tasks, for up to `tasks` tasks and `jobs` pending jobs, but at least one for each task, and the last
    /// `segments` segments. Allocated now.
    #[must_use]
    pub fn with_capacity(config: Config, cores: u32, tasks: u32, jobs: u32, segments: u32) -> Self {
        use crate::storage::{Heap, HeapList};
        let idle = Lane { job: None, since: Instant::ZERO, until: Instant::ZERO };
        Self {
            dispatcher: Dispatcher::<Heap, Heap>::with_capacity(config.policy, cores, tasks, jobs)
                .on_miss(config.on_miss)
                .on_overrun(config.on_overrun),
            config,
            sources: HeapList::with_capacity(tasks as usize),
            costs: (0..jobs.max(tasks)).map(|_| 0).collect(),
            lanes: (0..cores).map(|_| idle).collect(),
            segments: Segments::new(HeapList::with_capacity(segments as usize)),
            now: Instant::ZERO,
        }
    }
}

impl<T: Storage, C: Storage, G: Storage> Deadline<T, C, G> {
    /// Adds a task that any core may run, from now on, and says its number.
    ///
    /// The first job of a task with jitter is as late as it may be.
    ///
    /// # Errors
    ///
    /// [`InsertError`]; nothing changed.
    pub fn insert(&mut self, task: Task) -> Result<u32, InsertError> {
        let number = self.dispatcher.insert(self.now, released(task))?;
        self.attach(task);
        Ok(number)
    }

    /// Adds a task that only `core` may run, from now on, and says its number.
    ///
    /// # Errors
    ///
    /// [`InsertError`]; nothing changed.
    pub fn insert_on(&mut self, task: Task, core: u32) -> Result<u32, InsertError> {
        let number = self.dispatcher.insert_on(self.now, released(task), core)?;
        self.attach(task);
        Ok(number)
    }

    /// No more jobs of `task` arrive; the pending ones go on. `false` if there is no such task.
    pub fn retire(&mut self, task: u32) -> bool {
        if let Some(source) = self.sources.get_mut(task as usize) {
            source.at = NEVER;
        }
        self.dispatcher.retire(task)
    }

    /// When the next event is due; `None` if none will ever be.
    pub fn next_event_at(&self) -> Option<Instant> {
        if self.dispatcher.unsettled().is_some() {
            return Some(self.now);
        }
        let done = self.lanes.iter().filter(|lane| lane.job.is_some()).map(|lane| lane.until);
        let noticed = self.sources.iter().map(|source| source.at).filter(|at| *at != NEVER);
        let next = done.chain(noticed.map(Instant::from_nanos)).chain(self.dispatcher.next_event_at()).min();
        next.map(|at| at.max(self.now))
    }

    /// Moves the clock to the next event and lets it happen; `None` if none will ever be.
    pub fn step(&mut self, rng: &mut impl Rng) -> Option<Event> {
        self.now = self.next_event_at()?;
        let what = self.act(rng)?;
        Some(Event { at: self.now, what })
    }

    /// Lets the next event happen if it is due at `now`, and says so; otherwise moves the clock to `now`.
    ///
    /// Call it until it answers `None`. An earlier `now` does not turn the clock back.
    pub fn advance(&mut self, now: Instant, rng: &mut impl Rng) -> Option<Event> {
        if self.next_event_at().is_some_and(|at| at <= now) {
            return self.step(rng);
        }
        self.now = self.now.max(now);
        None
    }

    /// The clock: where the last step or advance left it.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What is simulated.
    pub const fn config(&self) -> Config {
        self.config
    }

    /// The tasks, by number, for the admission tests. Whose jobs the simulation itself releases, because they have jitter,
    /// counts as sporadic.
    pub fn tasks(&self) -> &[Task] {
        self.dispatcher.tasks()
    }

    /// How many cores there are.
    pub fn cores(&self) -> u32 {
        self.dispatcher.cores()
    }

    /// What became of the jobs of each task, by number.
    pub fn stats(&self) -> impl ExactSizeIterator<Item = TaskStats> {
        self.dispatcher.stats()
    }

    /// What became of the jobs of `task`; `None` if there is no such task.
    pub fn task_stats(&self, task: u32) -> Option<TaskStats> {
        self.dispatcher.task_stats(task)
    }

    /// What `core` has done so far; `None` if there is no such core.
    pub fn core_stats(&self, core: u32) -> Option<CoreStats> {
        let mut stats = self.dispatcher.core_stats(core)?;
        // The dispatcher books up to its last call, and a job runs on while nothing happens.
        let lane = self.lanes.get(core as usize)?;
        if let Some(job) = lane.job {
            let booked = self.dispatcher.executed(job).unwrap_or_default();
            let cost = Duration::from_nanos(self.costs[job.slot() as usize]);
            let left = lane.until.saturating_duration_since(self.now);
            stats.busy = stats.busy.saturating_add(cost.saturating_sub(left).saturating_sub(booked));
        }
        Some(stats)
    }

    /// What `core` does now; `None` if there is no such core.
    pub fn activity(&self, core: u32) -> Option<Activity> {
        self.lanes.get(core as usize).map(|lane| match lane.job {
            Some(job) => Activity::Running {
                task: job.task(),
                number: job.number(),
                since: lane.since,
                until: lane.until,
                deadline: job.deadline(),
            },
            None => Activity::Idle { since: lane.since },
        })
    }

    /// Who ran where from when to when, the oldest first: the last ones, as many as there is room for.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// How many segments have ended, including those that there was no room to keep; modulo 2³².
    pub const fn segments_ended(&self) -> u32 {
        self.segments.ended()
    }

    fn attach(&mut self, task: Task) {
        let arrival = self.now.as_nanos().checked_add(nanos(task.first_offset())).unwrap_or(NEVER);
        let external = released(task).is_sporadic();
        let at = if external { arrival.saturating_add(nanos(task.release_jitter())) } else { NEVER };
        // The dispatcher had room, and so has the list.
        let _ = self.sources.push(Source { arrival, at, sporadic: task.is_sporadic() });
    }

    /// What comes first of all that is due.
    fn act(&mut self, rng: &mut impl Rng) -> Option<What> {
        if let Some(what) = self.finish() {
            return Some(what);
        }
        if let Some(event) = self.dispatcher.advance(self.now) {
            return Some(self.pass(event, rng));
        }
        let now = self.now.as_nanos();
        if let Some(task) = self.sources.iter().position(|source| source.at <= now && source.at != NEVER) {
            return Some(self.notice(task as u32, rng));
        }
        let core = self.dispatcher.unsettled()?;
        self.switch(core)
    }

    /// A job that has run for as long as it takes.
    fn finish(&mut self) -> Option<What> {
        let due = |lane: &Lane| lane.job.is_some() && lane.until <= self.now;
        let core = self.lanes.iter().position(due)? as u32;
        let job = self.lanes[core as usize].job?;
        let done = self.dispatcher.complete(self.now, job);
        let (response, tardiness, met) = done.map_or((Duration::ZERO, Duration::ZERO, false), |done| {
            (done.response, done.tardiness, done.met)
        });
        self.close(core, if met { End::Met } else { End::Late });
        Some(What::Complete { core, task: job.task(), number: job.number(), response, tardiness, met })
    }

    /// What the dispatcher's clock says.
    fn pass(&mut self, event: realtime::Event, rng: &mut impl Rng) -> What {
        match event {
            realtime::Event::Released(job) => self.begin(job, rng),
            realtime::Event::Missed(job) => What::Miss { task: job.task(), number: job.number() },
            realtime::Event::Overran(job) => What::Overrun { task: job.task(), number: job.number() },
            realtime::Event::Aborted { job, core, why } => {
                if let Some(core) = core {
                    self.close(core, End::Aborted);
                }
                What::Abort { task: job.task(), number: job.number(), core, why }
            }
            realtime::Event::Skipped { task } => What::Skip { task },
            realtime::Event::Lost { task, jobs } => What::Lose { task, jobs },
        }
    }

    /// A job that the simulation itself releases is noticed.
    fn notice(&mut self, task: u32, rng: &mut impl Rng) -> What {
        let kind = self.dispatcher.tasks()[task as usize];
        let source = &mut self.sources[task as usize];
        let arrival = source.arrival;
        let extra = if source.sporadic { self.config.extra_gap(nanos(kind.period()), rng) } else { 0 };
        source.arrival = arrival.saturating_add(nanos(kind.period())).saturating_add(extra);
        let jitter = nanos(kind.release_jitter());
        let delay = if jitter == 0 { 0 } else { rng.below_u64(jitter.saturating_add(1)) };
        // Jobs of a task are noticed in the order of their arrivals.
        source.at = source.arrival.saturating_add(delay).max(source.at);
        match self.dispatcher.release_since(self.now, task, Instant::from_nanos(arrival)) {
            Ok(job) => self.begin(job, rng),
            Err(ReleaseError::Skipped) => What::Skip { task },
            Err(_) => What::Lose { task, jobs: 1 },
        }
    }

    /// A job has arrived: how long it will run is drawn.
    fn begin(&mut self, job: Job, rng: &mut impl Rng) -> What {
        let wcet = nanos(self.dispatcher.tasks()[job.task() as usize].wcet());
        self.costs[job.slot() as usize] = self.config.cost(wcet, rng);
        What::Release { task: job.task(), number: job.number(), deadline: job.deadline() }
    }

    /// A core takes another job.
    fn switch(&mut self, core: u32) -> Option<What> {
        let pick = self.dispatcher.pick(self.now, core);
        let (job, from, preempted) = match pick {
            Pick::Start { job, preempted } => (job, None, preempted),
            Pick::Resume { job, from, preempted } => (job, Some(from), preempted),
            // It was unsettled, so its pick is neither of these.
            Pick::Keep(_) | Pick::Idle => return None,
        };
        if preempted.is_some() {
            self.close(core, End::Preempted);
        }
        let executed = nanos(self.dispatcher.executed(job).unwrap_or_default());
        let left = self.costs[job.slot() as usize].saturating_sub(executed);
        let until = self.now.saturating_add(Duration::from_nanos(left));
        self.lanes[core as usize] = Lane { job: Some(job), since: self.now, until };
        let (task, number, preempted) = (job.task(), job.number(), preempted.map(|job| job.task()));
        Some(match from {
            None => What::Start { core, task, number, preempted },
            Some(from) => What::Resume { core, task, number, from, preempted },
        })
    }

    /// What the core ran ends.
    fn close(&mut self, core: u32, end: End) {
        let lane = &mut self.lanes[core as usize];
        let ended = core::mem::replace(lane, Lane { job: None, since: self.now, until: self.now });
        if let Some(job) = ended.job {
            self.segments.record(Segment {
                core,
                task: job.task(),
                number: job.number(),
                from: ended.since,
                to: self.now,
                end,
            });
        }
    }
}

impl<T: Storage, C: Storage, G: Storage> fmt::Debug for Deadline<T, C, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Deadline");
        debug.field("config", &self.config).field("now", &self.now).field("dispatcher", &self.dispatcher);
        debug.finish_non_exhaustive()
    }
}

/// The task as the dispatcher gets it: whose jobs are late against the clock are released by the simulation.
const fn released(task: Task) -> Task {
    if task.release_jitter().is_zero() { task } else { task.sporadic() }
}

/// A duration that came from 64 bits of nanoseconds.
const fn nanos(duration: Duration) -> u64 {
    crate::time::saturating_nanos(duration)
}
