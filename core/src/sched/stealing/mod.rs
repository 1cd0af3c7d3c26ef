//! The work-stealing scheduler: workers with a deque each, an injector, and an event count.

use core::fmt;

#[cfg(feature = "alloc")]
use crate::queue::CapacityError;
use crate::queue::{Deque, Mpmc, Steal, deque};
use crate::rng::Rng;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Full, Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, array_of, const_fn};

use super::event_count::{EventCount, Waiter, Wake};

/// A worker looks into the injector first on every 61st call: often enough that what was submitted does not starve
/// behind tasks that make tasks, seldom enough to keep the shared line cold. Prime, so that no period of a program
/// falls in step with it.
const INJECTOR_INTERVAL: u8 = 61;

/// How often a worker goes around all others while some of them were busy with another thief.
const STEAL_ROUNDS: u32 = 4;

/// Hands tasks of type `T` to a fixed number of workers, each of which works off its own deque and steals from the
/// others' when that is empty.
///
/// `W`, `D` and `I` say where the workers, each worker's deque and the injector are kept and how large they are:
/// `Scheduler<T, Inline<2>, Inline<64>, Inline<16>>` fits a `static`. The scheduler runs nothing itself and never
/// blocks: a worker is a loop around [`Worker::next`], on whatever thread or core the caller has.
///
/// *When not to use it:* for tasks that must start in a given order or by a deadline, and where there is one worker.
///
/// # Examples
///
/// ```
/// use divvy::rng::SplitMix64;
/// use divvy::sched::{Next, Parking, Scheduler, Source, Wake};
/// use divvy::storage::{Full, Inline};
///
/// // Two workers, 4 tasks in each one's deque, 2 in the injector:
/// static SCHED: Scheduler<u32, Inline<2>, Inline<4>, Inline<2>> = Scheduler::new();
///
/// let mut rng = SplitMix64::seed(1);
/// let mut worker = SCHED.worker(0).expect("nobody is worker 0 yet");
/// assert!(matches!(worker.next(&mut rng), Next::Idle));
/// assert_eq!(worker.park(), Parking::Sleep);
///
/// // Anyone may submit. The answer says whom to wake:
/// assert_eq!(SCHED.submit(10)?, Wake::Worker(0));
/// assert_eq!(SCHED.submit(20)?, Wake::Nobody);
/// assert_eq!(SCHED.submit(30), Err(Full(30)));
///
/// // The worker wakes up:
/// assert!(worker.is_woken());
/// while let Next::Task { task, from, wake } = worker.next(&mut rng) {
///     assert_eq!((from, wake), (Source::Injector, Wake::Nobody));
///     if task == 10 {
///         let _ = worker.push(11)?; // A task makes another one: into the worker's own deque.
///         assert!(matches!(worker.next(&mut rng), Next::Task { task: 11, from: Source::Own, .. }));
///     }
/// }
/// assert_eq!(worker.stats().processed, 3);
/// # Ok::<(), Full<u32>>(())
/// ```
///
/// The whole loop of a worker:
///
/// ```no_run
/// # use divvy::{rng::Rng, sched::*, storage::Inline};
/// # fn run(_: u32) {} fn wake_up(_: u32) {} fn wait_for_event() {}
/// # fn work(mut worker: Worker<'_, u32, Inline<2>, Inline<4>, Inline<2>>, mut rng: impl Rng) {
/// loop {
///     match worker.next(&mut rng) {
///         Next::Task { task, wake, .. } => {
///             if let Wake::Worker(other) = wake {
///                 wake_up(other);
///             }
///             run(task);
///         }
///         Next::Idle => {
///             if worker.park() == Parking::Sleep {
///                 while !worker.is_woken() {
///                     wait_for_event();
///                 }
///             }
///         }
///     }
/// }
/// # }
/// ```
///
/// # Complexity
///
/// `submit` and `push`: *O*(1), and *O*(workers / 32) to look for a sleeper. `next`: *O*(1) while there is work at hand,
/// *O*(workers) to steal and to park. Per worker one deque and six words; one injector.
///
/// # Concurrency
///
/// Nothing waits for another thread: see [`Deque`] and [`Mpmc`] for what a thread that is stopped halfway withholds
/// from others. Every task is handed out exactly once. [The module above](super) states the wake-up contract.
/// Workers that share a core must share its time: a worker that spins above the priority of one that it interrupted
/// while stealing waits for it for ever.
///
/// # References
///
/// Blumofe, Leiserson: *Scheduling multithreaded computations by work stealing*, JACM 46(5), 1999.
pub struct Scheduler<T, W: Storage, D: Storage, I: Storage> {
    seats: W::Slots<Seat<T, D>>,
    injector: Mpmc<T, I>,
    events: EventCount<W>,
}

/// What a worker leaves where others can see it.
struct Seat<T, D: Storage> {
    deque: Deque<T, D>,
    /// Written by the seat's worker alone, read by anyone.
    stats: [AtomicU32; COUNTERS],
}

const COUNTERS: usize = 5;
const PROCESSED: usize = 0;
const INJECTED: usize = 1;
const STOLEN: usize = 2;
const ATTEMPTS: usize = 3;
const PARKED: usize = 4;

impl<T, D: Storage> Seat<T, D> {
    fn stats(&self) -> WorkerStats {
        // Ordering: Relaxed, counters carry nothing else.
        let [processed, injected, stolen, steal_attempts, parked] =
            self.stats.each_ref().map(|counter| counter.load(Ordering::Relaxed));
        WorkerStats { processed, injected, stolen, steal_attempts, parked }
    }

    /// Only the seat's worker writes, so no read-modify-write is needed.
    fn count(&self, counter: usize, by: u32) {
        // Ordering: Relaxed, as above.
        let before = self.stats[counter].load(Ordering::Relaxed);
        self.stats[counter].store(before.wrapping_add(by), Ordering::Relaxed);
    }
}

/// What a worker has done, each count modulo 2³².
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct WorkerStats {
    /// Tasks that [`Worker::next`] handed out.
    pub processed: u32,
    /// Of those, tasks from the injector.
    pub injected: u32,
    /// Tasks taken out of other workers' deques, handed out at once or kept for later.
    pub stolen: u32,
    /// Times that it tried another worker's deque, with or without success.
    pub steal_attempts: u32,
    /// Times that it went to sleep.
    pub parked: u32,
}

/// Where a task came from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Source {
    /// The worker's own deque.
    Own,
    /// The injector.
    Injector,
    /// Another worker's deque.
    Stolen {
        /// The worker that had it.
        victim: u32,
        /// How many tasks were taken, this one included; the others are now in the thief's own deque.
        count: u32,
    },
}

/// What a worker should do next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "the task is in the answer, and is lost if that is dropped"]
pub enum Next<T> {
    /// Run this task.
    Task {
        /// The task.
        task: T,
        /// Where it came from.
        from: Source,
        /// Whom to wake before running it, as there is more to do. Nobody else will: do not leave it out with `..`.
        wake: Wake,
    },
    /// There was nothing to do: try [`Worker::park`].
    Idle,
}

/// Whether to sleep.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "only a worker that is told to sleep may do so"]
pub enum Parking {
    /// There is nothing to do. Wait by the platform's means until [`Worker::is_woken`], then call [`Worker::next`].
    Sleep,
    /// There is something to do after all: call [`Worker::next`].
    Stay,
}

impl<T, const W: usize, const D: usize, const I: usize> Scheduler<T, Inline<W>, Inline<D>, Inline<I>> {
    const_fn! {
        /// A scheduler for `W` workers, with `D` tasks (a power of two) in each one's deque and `I` in the injector,
        /// kept in the value itself.
        pub const fn new() -> Self {
            Self {
                seats: InlineSlots(array_of!(Seat { deque: Deque::new(), stats: array_of!(AtomicU32::new(0)) })),
                injector: Mpmc::new(),
                events: EventCount::new(),
            }
        }
    }
}

impl<T, const W: usize, const D: usize, const I: usize> Default
    for Scheduler<T, Inline<W>, Inline<D>, Inline<I>>
{
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl<T> Scheduler<T, Heap, Heap, Heap> {
    /// A scheduler for `workers` workers, with `deque` tasks (a power of two) in each one's deque and `injector` in the
    /// injector, allocated now.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] of [`Deque`], [`Mpmc`] or [`EventCount`].
    pub fn with_capacity(workers: usize, deque: usize, injector: usize) -> Result<Self, CapacityError> {
        let events = EventCount::<Heap>::with_capacity(workers)?;
        let injector = Mpmc::<T, Heap>::with_capacity(injector)?;
        let seats = (0..workers)
            .map(|_| {
                Ok(Seat {
                    deque: Deque::<T, Heap>::with_capacity(deque)?,
                    stats: array_of!(AtomicU32::new(0)),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { seats, injector, events })
    }
}

impl<T, W: Storage, D: Storage, I: Storage> Scheduler<T, W, D, I> {
    /// Adds a task that any worker may take, first in first out. The answer says whom to wake for it.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the task back: the injector is full, or a worker is still taking a task out of the next place.
    /// Nothing changed.
    pub fn submit(&self, task: T) -> Result<Wake, Full<T>> {
        self.injector.push(task)?;
        Ok(self.events.notify_one())
    }

    /// Becomes worker `index`; `None` if there is no such worker or someone else is it already.
    pub fn worker(&self, index: u32) -> Option<Worker<'_, T, W, D, I>> {
        let deque = self.seats.get(index as usize)?.deque.worker()?;
        Some(Worker { sched: self, deque, index, until_injector: INJECTOR_INTERVAL, parked: false })
    }

    /// How many workers there are.
    pub fn workers(&self) -> u32 {
        self.events.workers()
    }

    /// What worker `index` has done; `None` if there is no such worker.
    pub fn stats(&self, index: u32) -> Option<WorkerStats> {
        self.seats.get(index as usize).map(Seat::stats)
    }

    /// Chooses one sleeping worker for a reason other than a task: to end a program, wake one after another until the
    /// answer is [`Wake::Nobody`]. The reason must be visible before the call, and workers must look for it
    /// after each [`Parking::Sleep`] before they wait.
    pub fn wake_one(&self) -> Wake {
        self.events.notify_one()
    }

    /// Whether there was a task in the injector or in a deque at some moment during the call.
    fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.seats.iter().any(|seat| !seat.deque.stealer().is_empty())
    }

    fn waiter(&self, index: u32) -> Waiter<'_> {
        self.events.waiter(index).expect("there is an event for every seat")
    }
}

impl<T, W: Storage, D: Storage, I: Storage> fmt::Debug for Scheduler<T, W, D, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

/// One of a [`Scheduler`]'s workers. Not shared between threads, but may move to another one.
///
/// Dropping it leaves its tasks where the others can steal them; if there may be some, follow with
/// [`Scheduler::wake_one`].
pub struct Worker<'a, T, W: Storage, D: Storage, I: Storage> {
    sched: &'a Scheduler<T, W, D, I>,
    deque: deque::Worker<'a, T, D>,
    index: u32,
    /// Calls of `next` until the injector comes first.
    until_injector: u8,
    /// Whether it may still be among the sleepers.
    parked: bool,
}

impl<T, W: Storage, D: Storage, I: Storage> Worker<'_, T, W, D, I> {
    /// Which worker this is.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What it has done so far.
    pub fn stats(&self) -> WorkerStats {
        self.seat().stats()
    }

    /// Adds a task to this worker's own deque: the one that it takes next, unless another worker steals it. The answer
    /// says whom to wake for it.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the task back; nothing changed. Run it at once, or [`submit`](Scheduler::submit) it.
    pub fn push(&self, task: T) -> Result<Wake, Full<T>> {
        self.deque.push(task)?;
        Ok(self.sched.events.notify_one())
    }

    /// The next task: the newest of its own; else the oldest of the injector; else half of the tasks of another worker,
    /// beginning with a random one. Every 61st call looks into the injector first.
    ///
    /// A worker that was told to sleep is awake again by calling this, whether or not it was woken.
    pub fn next(&mut self, rng: &mut impl Rng) -> Next<T> {
        self.unpark();
        self.until_injector -= 1;
        if self.until_injector == 0 {
            self.until_injector = INJECTOR_INTERVAL;
            if let Some(next) = self.next_injected() {
                return next;
            }
        }
        if let Some(task) = self.deque.pop() {
            self.seat().count(PROCESSED, 1);
            return Next::Task { task, from: Source::Own, wake: Wake::Nobody };
        }
        if let Some(next) = self.next_injected() {
            return next;
        }
        self.next_stolen(rng).unwrap_or(Next::Idle)
    }

    /// Announces that this worker is about to sleep, and looks once more. Call it when [`Worker::next`] had nothing.
    pub fn park(&mut self) -> Parking {
        self.parked = true;
        self.sched.waiter(self.index).prepare_park();
        if self.sched.has_work() {
            self.unpark();
            return Parking::Stay;
        }
        self.seat().count(PARKED, 1);
        Parking::Sleep
    }

    /// Whether there is a reason not to sleep any longer: since [`Worker::park`] a task came for which this worker was
    /// chosen.
    pub fn is_woken(&self) -> bool {
        !self.parked || self.sched.waiter(self.index).is_woken()
    }

    fn unpark(&mut self) {
        if self.parked {
            self.parked = false;
            // Whether it was chosen in the meantime makes no difference: it is about to look for work.
            self.sched.waiter(self.index).cancel();
        }
    }

    fn next_injected(&self) -> Option<Next<T>> {
        let task = self.sched.injector.pop()?;
        self.seat().count(PROCESSED, 1);
        self.seat().count(INJECTED, 1);
        // Usually each task in there has woken someone by itself. One that became visible only now, behind a submit
        // that was stopped halfway, may have woken a worker that did not find it.
        let wake = if self.sched.injector.is_empty() { Wake::Nobody } else { self.sched.events.notify_one() };
        Some(Next::Task { task, from: Source::Injector, wake })
    }

    fn next_stolen(&self, rng: &mut impl Rng) -> Option<Next<T>> {
        let workers = self.sched.workers();
        if workers == 1 {
            return None;
        }
        for _ in 0..STEAL_ROUNDS {
            let mut again = false;
            let others = workers - 1;
            let first = rng.below(others);
            for i in 0..others {
                // The others are the numbers after this worker's own, around the end.
                let step = (first + i) % others + 1;
                let victim = (self.index + step) % workers;
                self.seat().count(ATTEMPTS, 1);
                match self.sched.seats[victim as usize].deque.stealer().steal_half(&self.deque) {
                    Steal::Success((task, moved)) => {
                        self.seat().count(PROCESSED, 1);
                        self.seat().count(STOLEN, moved + 1);
                        // What was brought home is out of the sight of those who looked meanwhile.
                        let wake = if moved == 0 { Wake::Nobody } else { self.sched.events.notify_one() };
                        return Some(Next::Task {
                            task,
                            from: Source::Stolen { victim, count: moved + 1 },
                            wake,
                        });
                    }
                    Steal::Retry => again = true,
                    Steal::Empty => {}
                }
            }
            if !again {
                break;
            }
        }
        None
    }

    fn seat(&self) -> &Seat<T, D> {
        &self.sched.seats[self.index as usize]
    }
}

impl<T, W: Storage, D: Storage, I: Storage> Drop for Worker<'_, T, W, D, I> {
    fn drop(&mut self) {
        // Nobody wakes a worker that is no more.
        self.unpark();
    }
}

impl<T, W: Storage, D: Storage, I: Storage> fmt::Debug for Worker<'_, T, W, D, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "threads are the tests' platform")]
mod tests;

#[cfg(all(test, divvy_loom))]
mod loom_tests;
