//! Who runs now: jobs by deadline or priority on one or several cores.

mod books;
mod outcome;
mod slots;
#[cfg(all(test, feature = "alloc"))]
mod tests;

use self::books::first;
pub use self::outcome::{
    Abort, CompleteError, Completion, CoreStats, Event, InsertError, Job, OnMiss, OnOverrun, Pick, Policy,
    ReleaseError, TaskStats,
};
use self::slots::{ANY, Core, NEVER, NONE, Slot, State};
use super::Task;
use crate::Instant;
use crate::storage::{Inline, InlineSlots, Storage};
use core::fmt;
use core::time::Duration;

/// Runs the jobs of tasks by their deadlines or priorities, preemptively, on one core or on several.
///
/// It decides and counts; the caller has the clock, the cores and the jobs. After whatever may change the decision
/// ([`advance`](Self::advance), [`release`](Self::release), [`complete`](Self::complete)) a core asks [`pick`](Self::pick)
/// what to run. Work is conserved: no core idles while a job waits that may run on it.
///
/// Tasks that are [inserted](Self::insert) without a core share all of them (global scheduling): the jobs that go first run, as
/// many as there are cores, and may migrate. Tasks that are [inserted on a core](Self::insert_on) stay there (partitioned). On
/// cores of one chip that share nothing, use a dispatcher for each.
///
/// *When not to use it:* where nothing has a deadline; work stealing keeps cores busy with less ado.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::sched::realtime::{CompleteError, Dispatcher, Event, Pick, Policy, Task};
/// use divvy::storage::Inline;
///
/// let ms = Duration::from_millis;
/// let mut core = Dispatcher::<Inline<4>>::new(Policy::EarliestDeadline);
/// let start = Instant::ZERO;
/// let long = core.insert(start, Task::new(ms(6), ms(20))?)?;
/// let short = core.insert(start, Task::new(ms(2), ms(5))?.offset(ms(1)))?;
///
/// assert!(matches!(core.advance(start), Some(Event::Released(job)) if job.task() == long));
/// let Pick::Start { job: first, .. } = core.pick(start, 0) else { panic!("one job is ready") };
/// assert_eq!(core.next_event_at(), Some(Instant::from_millis(1)));
///
/// // A millisecond later a job with an earlier deadline arrives:
/// let now = Instant::from_millis(1);
/// assert!(matches!(core.advance(now), Some(Event::Released(job)) if job.task() == short));
/// let Pick::Start { job: second, preempted } = core.pick(now, 0) else { panic!("it goes first") };
/// assert_eq!(preempted, Some(first));
///
/// let now = Instant::from_millis(3);
/// assert!(core.complete(now, second)?.met);
/// assert!(matches!(core.pick(now, 0), Pick::Resume { job, from: 0, .. } if job == first));
/// assert_eq!(core.complete(now, second), Err(CompleteError::Stale));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Complexity
///
/// [`advance`](Self::advance) and [`next_event_at`](Self::next_event_at) look at 8 bytes a task and at the cores;
/// [`release`](Self::release) and [`complete`](Self::complete) are *O*(1); [`pick`](Self::pick) looks at 12 bytes a task, and
/// with several cores at each of them. Bytes: 208 for each place `T`, 32 a core; 928 with `Inline<4>` on a 64-bit machine.
///
/// # Time
///
/// `now` is the caller's clock; one that goes back has stood still. What is done at a deadline is in time if it is told
/// before the clock is: [`complete`](Self::complete) first, then [`advance`](Self::advance). A clock that jumps far ahead
/// costs no call for each job that it jumped over: those are [lost](Event::Lost) together.
///
/// # Concurrency
///
/// Single owner (`&mut self`); cores that share a dispatcher take turns by the caller's lock.
///
/// # References
///
/// Liu, Layland: *Scheduling algorithms for multiprogramming in a hard-real-time environment*, JACM 20(1), 1973. Koren,
/// Shasha: *Skip-over: algorithms and complexity for overloaded systems that allow skips*, RTSS 1995.
pub struct Dispatcher<T: Storage, C: Storage = Inline<1>> {
    policy: Policy,
    on_miss: OnMiss,
    on_overrun: OnOverrun,
    tasks: T::List<Task>,
    states: T::List<State>,
    /// For each task the rank of its first pending job, the lower first; [`NEVER`] if it has none or that one runs.
    ready: T::List<u64>,
    /// For each task, when something is due: the next arrival or the next deadline.
    timers: T::List<u64>,
    slots: T::List<Slot>,
    free: u32,
    /// Pending jobs, and tasks that have none: the places of the first jobs of these are kept free.
    pending: u32,
    without: u32,
    cores: C::Slots<Core>,
    latest: Instant,
}

impl<const T: usize, const C: usize> Dispatcher<Inline<T>, Inline<C>> {
    /// A dispatcher for `C` cores and up to `T` tasks, which have up to `T` pending jobs together.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        const { assert!(T < NONE as usize && C < ANY as usize, "tasks and cores are numbered in 32 bits") };
        Self {
            policy,
            on_miss: OnMiss::Continue,
            on_overrun: OnOverrun::Report,
            tasks: heapless::Vec::new(),
            states: heapless::Vec::new(),
            ready: heapless::Vec::new(),
            timers: heapless::Vec::new(),
            slots: heapless::Vec::new(),
            free: NONE,
            pending: 0,
            without: 0,
            cores: InlineSlots([Core::IDLE; C]),
            latest: Instant::ZERO,
        }
    }
}

#[cfg(feature = "alloc")]
impl Dispatcher<crate::storage::Heap, crate::storage::Heap> {
    /// A dispatcher for `cores`, up to `tasks` tasks, and up to `jobs` pending jobs of all of them together, but at least one
    /// for each task. Allocated now.
    #[must_use]
    pub fn with_capacity(policy: Policy, cores: u32, tasks: u32, jobs: u32) -> Self {
        use crate::storage::HeapList;
        let tasks = tasks.min(NONE - 1) as usize;
        Self {
            policy,
            on_miss: OnMiss::Continue,
            on_overrun: OnOverrun::Report,
            tasks: HeapList::with_capacity(tasks),
            states: HeapList::with_capacity(tasks),
            ready: HeapList::with_capacity(tasks),
            timers: HeapList::with_capacity(tasks),
            slots: HeapList::with_capacity((jobs.min(NONE - 1) as usize).max(tasks)),
            free: NONE,
            pending: 0,
            without: 0,
            cores: (0..cores.min(ANY - 1)).map(|_| Core::IDLE).collect(),
            latest: Instant::ZERO,
        }
    }
}

impl<T: Storage, C: Storage> Dispatcher<T, C> {
    /// The same with another rule for jobs that are not done at their deadline; without this they [go on](OnMiss::Continue).
    #[must_use]
    pub const fn on_miss(mut self, rule: OnMiss) -> Self {
        self.on_miss = rule;
        self
    }

    /// The same with another rule for jobs that run too long; without this they are [reported](OnOverrun::Report).
    #[must_use]
    pub const fn on_overrun(mut self, rule: OnOverrun) -> Self {
        self.on_overrun = rule;
        self
    }

    /// Adds a task that any core may run, and says its number: how many there were before.
    ///
    /// It is not tested whether its deadlines can be met: see [`admission`](super::admission).
    ///
    /// # Errors
    ///
    /// [`InsertError`]; nothing changed.
    pub fn insert(&mut self, now: Instant, task: Task) -> Result<u32, InsertError> {
        self.add(now, task, ANY)
    }

    /// Adds a task that only `core` may run, and says its number.
    ///
    /// # Errors
    ///
    /// [`InsertError`]; nothing changed.
    pub fn insert_on(&mut self, now: Instant, task: Task, core: u32) -> Result<u32, InsertError> {
        if core as usize >= self.cores.len() {
            return Err(InsertError::UnknownCore);
        }
        self.add(now, task, core)
    }

    /// No more jobs of `task` arrive; the pending ones go on. Its number is not used again. `false` if there is no such task.
    pub fn retire(&mut self, task: u32) -> bool {
        let Some(state) = self.states.get_mut(task as usize) else { return false };
        state.next = NEVER;
        self.set_timer(task);
        true
    }

    /// A job of a sporadic task arrives now.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`]; each says whether it was counted.
    pub fn release(&mut self, now: Instant, task: u32) -> Result<Job, ReleaseError> {
        let arrival = self.latest.max(now);
        self.release_since(now, task, arrival)
    }

    /// A job of a sporadic task, which arrived at `arrival` and was noticed now: the deadline counts from the arrival. An
    /// arrival after now counts as now.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`]; each says whether it was counted.
    pub fn release_since(&mut self, now: Instant, task: u32, arrival: Instant) -> Result<Job, ReleaseError> {
        let Some((state, kind)) = self.states.get_mut(task as usize).zip(self.tasks.get(task as usize))
        else {
            return Err(ReleaseError::UnknownTask);
        };
        if state.next == NEVER {
            return Err(ReleaseError::UnknownTask);
        }
        if !kind.sporadic {
            return Err(ReleaseError::Periodic);
        }
        let arrival = arrival.min(self.latest.max(now)).as_nanos();
        if arrival < state.next {
            return Err(ReleaseError::TooEarly { retry_at: Instant::from_nanos(state.next) });
        }
        self.latest = self.latest.max(now);
        state.next = arrival.checked_add(kind.period).unwrap_or(NEVER);
        if state.skip() {
            return Err(ReleaseError::Skipped);
        }
        match self.enqueue(task, arrival) {
            Some(slot) => {
                self.set_timer(task);
                Ok(self.job(slot))
            }
            None => {
                self.states[task as usize].lose(1);
                Err(ReleaseError::Full)
            }
        }
    }

    /// Lets the next thing happen that is due at `now`: an arrival, a missed deadline or an exhausted budget. `None` if nothing
    /// is due. Call it until then.
    ///
    /// What is due first comes first; at one instant by the number of the task, its deadline before its arrival, and budgets
    /// last.
    pub fn advance(&mut self, now: Instant) -> Option<Event> {
        self.latest = self.latest.max(now);
        let (at, task) = first(&self.timers);
        let (budget_at, core) = self.next_budget();
        let next = at.min(budget_at);
        if next > self.latest.as_nanos() || next == NEVER {
            return None;
        }
        Some(if budget_at < at { self.overrun(core) } else { self.expire(task) })
    }

    /// When [`advance`](Self::advance) has something to do next, if nothing is released or completed before and no core picks.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Instant> {
        let at = first(&self.timers).0.min(self.next_budget().0);
        (at != NEVER).then(|| Instant::from_nanos(at))
    }

    /// When the clock releases the next job.
    #[must_use]
    pub fn next_release(&self) -> Option<Instant> {
        let periodic = self.tasks.iter().zip(self.states.iter()).filter(|(task, _)| !task.sporadic);
        periodic.map(|(_, state)| state.next).filter(|at| *at != NEVER).min().map(Instant::from_nanos)
    }

    /// The earliest deadline of a pending job that was not missed yet.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let watched = self.states.iter().filter(|state| state.watch != NONE);
        watched.map(|state| self.slots[state.watch as usize].deadline).min().map(Instant::from_nanos)
    }

    /// What `core` runs from now on. A core that does not exist idles.
    ///
    /// The running job is preempted by one that goes first, unless another core has less urgent work or none and should take
    /// that one: [`unsettled`](Self::unsettled) names the core.
    pub fn pick(&mut self, now: Instant, core: u32) -> Pick {
        self.latest = self.latest.max(now);
        self.charge(core);
        let Some(index) = self.choose(core) else {
            return self.running(core).map_or(Pick::Idle, Pick::Keep);
        };
        // Whoever is chosen has a first pending job.
        let slot = self.states[index as usize].head;
        let preempted = self.put_away(core);
        let running = &mut self.cores[core as usize];
        running.job = slot;
        running.since = self.latest.as_nanos();
        running.switches = running.switches.wrapping_add(1);
        running.preemptions = running.preemptions.wrapping_add(u32::from(preempted.is_some()));
        self.ready[index as usize] = NEVER;
        let entry = &mut self.slots[slot as usize];
        let from = core::mem::replace(&mut entry.last, core);
        entry.core = core;
        running.migrations = running.migrations.wrapping_add(u32::from(from != NONE && from != core));
        let job = self.job(slot);
        match from {
            NONE => Pick::Start { job, preempted },
            from => Pick::Resume { job, from, preempted },
        }
    }

    /// The first core whose [`pick`](Self::pick) would change something: with several cores, whom to interrupt.
    #[must_use]
    pub fn unsettled(&self) -> Option<u32> {
        (0..self.cores.len() as u32).find(|core| self.choose(*core).is_some())
    }

    /// Ends a running job: it is done. Its core should pick again.
    ///
    /// # Errors
    ///
    /// [`CompleteError`]; nothing changed.
    pub fn complete(&mut self, now: Instant, job: Job) -> Result<Completion, CompleteError> {
        let core = self.find(job)?.core;
        if core == NONE {
            return Err(CompleteError::NotRunning);
        }
        self.latest = self.latest.max(now);
        self.charge(core);
        let state = &mut self.states[job.task as usize];
        let entry = &self.slots[job.slot as usize];
        let (now, on_miss) = (self.latest.as_nanos(), self.on_miss);
        let completion = state.complete(now, entry, on_miss);
        self.cores[core as usize].job = NONE;
        self.remove_first(job.task);
        Ok(completion)
    }

    /// The job that `core` runs.
    #[must_use]
    pub fn running(&self, core: u32) -> Option<Job> {
        let slot = self.cores.get(core as usize)?.job;
        (slot != NONE).then(|| self.job(slot))
    }

    /// How long `job` has run so far, up to the last call; `None` if it is done or taken off.
    #[must_use]
    pub fn executed(&self, job: Job) -> Option<Duration> {
        let entry = self.find(job).ok()?;
        Some(Duration::from_nanos(self.ran(entry)))
    }

    /// The core that runs `job`, if one does.
    #[must_use]
    pub fn core_of(&self, job: Job) -> Option<u32> {
        self.find(job).ok().map(|entry| entry.core).filter(|core| *core != NONE)
    }

    /// The tasks, by number.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// How many cores there are.
    #[must_use]
    pub fn cores(&self) -> u32 {
        self.cores.len() as u32
    }

    /// Which job goes first.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// What became of the jobs of each task, by number.
    pub fn stats(&self) -> impl ExactSizeIterator<Item = TaskStats> {
        self.states.iter().map(|state| state.stats())
    }

    /// What became of the jobs of `task`; `None` if there is no such task.
    #[must_use]
    pub fn task_stats(&self, task: u32) -> Option<TaskStats> {
        self.states.get(task as usize).map(State::stats)
    }

    /// What `core` has done, up to the last call; `None` if there is no such core.
    #[must_use]
    pub fn core_stats(&self, core: u32) -> Option<CoreStats> {
        let core = self.cores.get(core as usize)?;
        let busy = core.busy.saturating_add(if core.job == NONE { 0 } else { self.since(core) });
        Some(CoreStats {
            busy: Duration::from_nanos(busy),
            switches: core.switches,
            preemptions: core.preemptions,
            migrations: core.migrations,
        })
    }
}

impl<T: Storage, C: Storage> fmt::Debug for Dispatcher<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Dispatcher");
        debug.field("policy", &self.policy).field("cores", &self.cores()).field("tasks", &self.tasks());
        debug.field("pending", &self.pending).field("latest", &self.latest).finish_non_exhaustive()
    }
}
