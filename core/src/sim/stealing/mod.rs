//! Work stealing on a virtual clock: workers with a deque each, some of them with far more to do than others.
//!
//! Every worker runs the newest task of its own deque. When that is empty, it chooses a victim, and after the time
//! that a steal takes it holds some of the oldest tasks of the victim, or nothing. The deques are
//! [`queue::deque`](crate::queue::deque), the same code that threads use; the clock and the order of events are the
//! simulation's.

mod lane;
mod policy;
#[cfg(test)]
mod tests;

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use self::lane::{Lane, State};
pub use self::policy::{Batch, Policy, PolicyError, Take, Victim};
use crate::storage::{Inline, List, Storage};
use crate::time::nanos;
use crate::{Instant, Rng};

/// Why a task was refused. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InsertError {
    /// There is no such worker. Remedy: an index below the number of workers.
    UnknownWorker,
    /// There is no room for another task. Remedy: a larger capacity.
    Full,
    /// The run times of all tasks together would not fit 64 bits of nanoseconds. Remedy: shorter tasks.
    TooLong,
    /// The clock runs already. Remedy: insert every task before the first event.
    Started,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownWorker => "no such worker; use an index below the number of workers",
            Self::Full => "no room for another task; choose a larger capacity",
            Self::TooLong => "all tasks together must take less than 584 years; use shorter ones",
            Self::Started => "the clock runs already; insert every task before the first event",
        })
    }
}

impl core::error::Error for InsertError {}

/// More workers were asked for than the storage holds. Remedy: fewer workers or a larger capacity.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooManyWorkers;

impl fmt::Display for TooManyWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more workers than the storage holds; use fewer or choose a larger capacity")
    }
}

impl core::error::Error for TooManyWorkers {}

/// What happened, when and to whom.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// When it happened.
    pub at: Instant,
    /// The worker that did it.
    pub worker: u32,
    /// What it did.
    pub what: What,
}

/// What a worker did.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum What {
    /// It began to run a task.
    Start {
        /// Which one.
        task: u32,
    },
    /// It finished the task that it ran.
    Finish {
        /// Which one.
        task: u32,
    },
    /// Its deque is empty, and it turned to a victim.
    Attempt {
        /// Whom.
        victim: u32,
    },
    /// The attempt brought tasks. The oldest of them starts at once, the others are in the thief's deque.
    Stole {
        /// From whom.
        victim: u32,
        /// How many, at least one.
        count: u32,
    },
    /// The attempt found the victim's deque empty.
    Missed {
        /// Whose.
        victim: u32,
    },
    /// Every deque is empty, or it may not steal: it has nothing to do from now on.
    Idle,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Place {
    /// In the deque of a worker.
    Queued,
    /// On a worker.
    Running,
    /// Finished by a worker.
    Done,
}

/// A task and where it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Task {
    /// How long it runs.
    pub cost: Duration,
    /// The worker it was given to.
    pub origin: u32,
    /// The worker that has it now, or had it last.
    pub worker: u32,
    /// What that worker has done with it.
    pub place: Place,
    /// Orders the tasks of one deque: the owner takes the highest, a thief the lowest.
    pub order: u32,
}

/// What one worker has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WorkerStats {
    /// Tasks in its deque now.
    pub queued: u32,
    /// Tasks it has finished.
    pub processed: u32,
    /// Tasks it has stolen from others.
    pub stolen: u32,
    /// Tasks that others have stolen from it.
    pub lost: u32,
    /// Steal attempts it has begun.
    pub attempts: u32,
    /// Steal attempts that brought something.
    pub hits: u32,
    /// Time spent running tasks.
    pub busy: Duration,
    /// Time spent on steal attempts.
    pub stealing: Duration,
    /// Time with nothing to do.
    pub idle: Duration,
}

/// A discrete-event simulation of work stealing.
///
/// Shows what a policy does to a batch of known tasks: who steals what and when, how long everybody works, and how
/// far the end is from the best possible.
///
/// *When not to use it:* to predict the nanoseconds of a real machine. Contention on a deque, caches and wake-up
/// times are all in the one number that an attempt costs.
///
/// # Examples
///
/// ```
/// use core::{num::NonZeroU32, time::Duration};
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::sim::stealing::{Batch, InsertError, Policy, Stealing, Take, Victim};
/// use divvy::storage::Inline;
///
/// let policy = Policy::new(Take::Half, Victim::Random, Duration::from_millis(1))?;
/// let mut rng = Xoshiro256PlusPlus::seed(7);
/// let mut sim = Stealing::<Inline<4>, Inline<128>>::new(NonZeroU32::new(4).unwrap(), policy)?;
/// sim.deal(&Batch::default(), &mut rng)?;
/// while let Some(_event) = sim.step(&mut rng) {}
///
/// let processed: u32 = sim.stats().map(|worker| worker.processed).sum();
/// assert_eq!(processed, 100);
/// assert!(sim.makespan() >= Some(sim.lower_bound()));
/// // The batch is closed once the clock runs:
/// assert_eq!(sim.insert(0, Duration::from_millis(5)), Err(InsertError::Started));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Complexity
///
/// An event is *O*(workers), a successful steal *O*(workers + tasks stolen). Bytes: 32 for each task, and for each
/// worker 120 and a deque with room for every task (4 for each), which a 64-bit machine rounds up to pairs of cache
/// lines; 7,936 with `Inline<4>` and `Inline<128>` there.
///
/// # Time
///
/// The clock starts at [`Instant::ZERO`] and moves only in [`Stealing::step`] and [`Stealing::advance`]. Events of
/// one instant happen in a fixed order: first whoever is about to act, then whoever ends something, by index.
///
/// # Concurrency
///
/// One owner. The deques inside are the shared ones, driven by one thread.
///
/// # References
///
/// Blumofe, Leiserson: *Scheduling multithreaded computations by work stealing*, JACM 46(5), 1999. Hendler, Shavit:
/// *Non-blocking steal-half work queues*, PODC 2002.
#[derive(Debug)]
pub struct Stealing<W: Storage = Inline<8>, T: Storage = Inline<128>> {
    lanes: W::List<Lane<T>>,
    tasks: T::List<Task>,
    policy: Policy,
    now: Instant,
    started: bool,
    unfinished: u32,
    longest: u64,
    total: u64,
    orders: u32,
}

impl<const W: usize, const T: usize> Stealing<Inline<W>, Inline<T>> {
    /// `workers` of up to `W`, for up to `T` tasks; `T` is a power of two.
    ///
    /// # Errors
    ///
    /// [`TooManyWorkers`], if there are more than `W`.
    pub fn new(workers: NonZeroU32, policy: Policy) -> Result<Self, TooManyWorkers> {
        let mut sim = Self::empty(heapless::Vec::new(), heapless::Vec::new(), policy);
        for _ in 0..workers.get() {
            List::push(&mut sim.lanes, Lane::new()).map_err(|_| TooManyWorkers)?;
        }
        Ok(sim)
    }
}

#[cfg(feature = "alloc")]
impl Stealing<crate::storage::Heap, crate::storage::Heap> {
    /// `workers`, for up to `tasks` tasks.
    ///
    /// # Errors
    ///
    /// [`CapacityError::TooLarge`](crate::queue::CapacityError), if a deque cannot hold that many (2¹⁴).
    pub fn with_capacity(
        workers: NonZeroU32,
        tasks: u32,
        policy: Policy,
    ) -> Result<Self, crate::queue::CapacityError> {
        let mut lanes = crate::storage::HeapList::with_capacity(workers.get() as usize);
        for _ in 0..workers.get() {
            let lane = Lane::with_capacity(tasks)?;
            // The list has room for exactly these.
            let _ = lanes.push(lane);
        }
        Ok(Self::empty(lanes, crate::storage::HeapList::with_capacity(tasks as usize), policy))
    }
}

impl<W: Storage, T: Storage> Stealing<W, T> {
    const fn empty(lanes: W::List<Lane<T>>, tasks: T::List<Task>, policy: Policy) -> Self {
        Self {
            lanes,
            tasks,
            policy,
            now: Instant::ZERO,
            started: false,
            unfinished: 0,
            longest: 0,
            total: 0,
            orders: 0,
        }
    }

    /// Gives `worker` a task that runs for `cost`, and says its index.
    ///
    /// # Errors
    ///
    /// [`InsertError`]; nothing changed.
    pub fn insert(&mut self, worker: u32, cost: Duration) -> Result<u32, InsertError> {
        if self.started {
            return Err(InsertError::Started);
        }
        let nanos = nanos(cost).ok_or(InsertError::TooLong)?;
        let total = self.total.checked_add(nanos).ok_or(InsertError::TooLong)?;
        let lane = self.lanes.get_mut(worker as usize).ok_or(InsertError::UnknownWorker)?;
        let index = u32::try_from(self.tasks.len()).map_err(|_| InsertError::Full)?;
        let task = Task { cost, origin: worker, worker, place: Place::Queued, order: self.orders };
        self.tasks.push(task).map_err(|_| InsertError::Full)?;
        if lane.push(index).is_err() {
            self.tasks.pop();
            return Err(InsertError::Full);
        }
        self.orders += 1;
        self.unfinished += 1;
        self.longest = self.longest.max(nanos);
        self.total = total;
        Ok(index)
    }

    /// Inserts the tasks of `batch`, with run times drawn from `rng`.
    ///
    /// # Errors
    ///
    /// [`InsertError`]; the tasks that came before the refused one are in.
    pub fn deal(&mut self, batch: &Batch, rng: &mut impl Rng) -> Result<(), InsertError> {
        let shortest = nanos(batch.shortest).ok_or(InsertError::TooLong)?;
        let longest = nanos(batch.longest).ok_or(InsertError::TooLong)?;
        let spread = longest.saturating_sub(shortest).saturating_add(1);
        let others = self.workers() - 1;
        let on_first = if others == 0 { batch.tasks } else { batch.on_first.min(batch.tasks) };
        for task in 0..batch.tasks {
            let worker = if task < on_first { 0 } else { 1 + (task - on_first) % others };
            self.insert(worker, Duration::from_nanos(shortest.saturating_add(rng.below_u64(spread))))?;
        }
        Ok(())
    }

    /// When the next event is due; `None` once every task is finished.
    pub fn next_event_at(&self) -> Option<Instant> {
        self.next().map(|(at, _)| at)
    }

    /// Moves the clock to the next event and lets it happen; `None` once every task is finished.
    pub fn step(&mut self, rng: &mut impl Rng) -> Option<Event> {
        let (at, worker) = self.next()?;
        self.started = true;
        self.now = self.now.max(at);
        let what = self.act(worker, rng);
        Some(Event { at: self.now, worker, what })
    }

    /// Lets the next event happen if it is due at `now`, and says so; otherwise moves the clock to `now`.
    ///
    /// Call it until it answers `None`. The clock stops when every task is finished, and an earlier `now` does not
    /// turn it back.
    pub fn advance(&mut self, now: Instant, rng: &mut impl Rng) -> Option<Event> {
        match self.next() {
            Some((at, _)) if at <= now => self.step(rng),
            Some(_) => {
                self.now = self.now.max(now);
                None
            }
            None => None,
        }
    }

    /// The clock: where the last step or advance left it.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What workers without tasks do.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// How many workers there are.
    pub fn workers(&self) -> u32 {
        self.lanes.len() as u32
    }

    /// How many tasks are not finished yet.
    pub const fn unfinished(&self) -> u32 {
        self.unfinished
    }

    /// The time from the start to the end of the last task; `None` while one is unfinished.
    pub fn makespan(&self) -> Option<Duration> {
        (self.unfinished == 0).then(|| self.now.saturating_duration_since(Instant::ZERO))
    }

    /// The earliest possible end: no schedule beats the longest task, nor the work divided evenly (rounded up).
    pub fn lower_bound(&self) -> Duration {
        Duration::from_nanos(self.longest.max(self.total.div_ceil(u64::from(self.workers()))))
    }

    /// The run times of all tasks together.
    pub const fn total(&self) -> Duration {
        Duration::from_nanos(self.total)
    }

    /// Every task, in the order of insertion.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &Task> {
        self.tasks.iter()
    }

    /// What each worker has done so far, by index.
    pub fn stats(&self) -> impl ExactSizeIterator<Item = WorkerStats> {
        self.lanes.iter().map(|lane| lane.stats(self.now))
    }

    /// What a worker does now: the task it runs, the victim it is stealing from, or neither.
    pub fn activity(&self, worker: u32) -> Option<Activity> {
        self.lanes.get(worker as usize).map(|lane| lane.activity())
    }

    /// The next event: its time and its worker.
    fn next(&self) -> Option<(Instant, u32)> {
        if self.unfinished == 0 {
            return None;
        }
        let due = |(index, lane): (u32, &Lane<T>)| lane.due(self.now).map(|(at, rank)| (at, rank, index));
        (0..).zip(self.lanes.iter()).filter_map(due).min().map(|(at, _, index)| (at, index))
    }

    /// One move of `worker`, whose time has come.
    fn act(&mut self, worker: u32, rng: &mut impl Rng) -> What {
        match self.lanes[worker as usize].state() {
            State::Running { task, .. } => {
                self.unfinished -= 1;
                self.tasks[task as usize].place = Place::Done;
                self.lanes[worker as usize].finish(self.now);
                What::Finish { task }
            }
            State::Stealing { victim, .. } => self.settle(worker, victim),
            State::Ready { stolen } => match stolen.or_else(|| self.lanes[worker as usize].pop()) {
                Some(task) => self.start(worker, task),
                None => self.seek(worker, rng),
            },
            State::Parked { .. } => What::Idle,
        }
    }

    fn start(&mut self, worker: u32, index: u32) -> What {
        let task = &mut self.tasks[index as usize];
        task.worker = worker;
        task.place = Place::Running;
        self.lanes[worker as usize].start(index, self.now, self.now.saturating_add(task.cost));
        What::Start { task: index }
    }

    /// A worker without tasks looks for a victim.
    fn seek(&mut self, worker: u32, rng: &mut impl Rng) -> What {
        match self.choose(worker, rng) {
            Some(victim) => {
                let until = self.now.saturating_add(self.policy.cost());
                self.lanes[worker as usize].attempt(victim, self.now, until);
                What::Attempt { victim }
            }
            None => {
                self.lanes[worker as usize].park(self.now);
                What::Idle
            }
        }
    }

    /// Whom to steal from; `None` if no deque holds anything. Tasks reach a deque only from another one, so this
    /// stays so, and nobody who has gone idle need be woken.
    fn choose(&self, worker: u32, rng: &mut impl Rng) -> Option<u32> {
        if self.policy.take() == Take::None {
            return None;
        }
        let longest = self.lanes.iter().map(Lane::len).max().filter(|&len| len > 0)?;
        match self.policy.victim() {
            Victim::Random => {
                let pick = rng.below(self.workers() - 1);
                Some(if pick < worker { pick } else { pick + 1 })
            }
            Victim::Busiest => {
                (0..).zip(self.lanes.iter()).find(|(_, lane)| lane.len() == longest).map(|(i, _)| i)
            }
        }
    }

    /// An attempt ends: the deque of the victim says with what.
    fn settle(&mut self, worker: u32, victim: u32) -> What {
        let Ok([thief, from]) = self.lanes.get_disjoint_mut([worker as usize, victim as usize]) else {
            return What::Missed { victim };
        };
        let tasks = &mut self.tasks;
        let orders = &mut self.orders;
        let taken = from.rob(thief, self.policy.take(), |index| {
            let task = &mut tasks[index as usize];
            task.worker = worker;
            task.order = *orders;
            *orders = orders.wrapping_add(1);
        });
        thief.settle(taken, self.now);
        match taken {
            Some((_, count)) => What::Stole { victim, count },
            None => What::Missed { victim },
        }
    }
}

/// What a worker does at the moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Activity {
    /// It is between two things, at an instant where both happen.
    Ready,
    /// It runs a task.
    Running {
        /// Which one.
        task: u32,
        /// Since when.
        since: Instant,
        /// Until when.
        until: Instant,
    },
    /// It is stealing.
    Stealing {
        /// From whom.
        victim: u32,
        /// Since when.
        since: Instant,
        /// Until when.
        until: Instant,
    },
    /// It has nothing to do.
    Idle {
        /// Since when.
        since: Instant,
    },
}
