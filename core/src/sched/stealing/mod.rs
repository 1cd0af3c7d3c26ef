//! The work-stealing scheduler: workers with a deque each, an injector, and an event count.

mod policy;
mod run;
mod seat;
mod worker;

use core::fmt;

pub use self::policy::{Groups, GroupsError, StealPolicy, Take, Victim};
use self::run::Life;
use self::seat::Seat;
pub use self::seat::WorkerStats;
pub use self::worker::{Next, Parking, Source, Worker};
use super::event_count::{EventCount, Waiter, Wake};
#[cfg(feature = "alloc")]
use crate::queue::CapacityError;
use crate::queue::{Deque, Mpmc};
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, array_of, const_fn, fence};

/// Hands tasks of type `T` to a fixed number of workers, each of which works off its own deque and steals from the
/// others' when that is empty.
///
/// `W`, `D` and `I` say where the workers, each worker's deque and the injector are kept and how large they are:
/// `Scheduler<T, Inline<2>, Inline<64>, Inline<16>>` fits a `static`. The scheduler runs nothing itself and never
/// blocks: a worker is a loop around [`Worker::next`], on whatever thread or core the caller has, or [`Worker::run`],
/// which is such a loop.
///
/// *When not to use it:* for tasks that must start in a given order or by a deadline, and where there is one worker.
///
/// # Examples
///
/// ```
/// use divvy::rng::SplitMix64;
/// use divvy::sched::{Next, Parking, Scheduler, Source, SubmitError, Wake};
/// use divvy::storage::Inline;
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
/// assert_eq!(SCHED.submit(30), Err(SubmitError::Full(30)));
///
/// // The worker wakes up:
/// assert!(worker.is_woken());
/// while let Next::Task { task, from, wake } = worker.next(&mut rng) {
///     assert_eq!((from, wake), (Source::Injector, Wake::Nobody));
///     if task == 10 {
///         assert_eq!(worker.push(11), Ok(Wake::Nobody)); // A task makes another one: into the worker's own deque.
///         assert!(matches!(worker.next(&mut rng), Next::Task { task: 11, from: Source::Own, .. }));
///     }
/// }
/// assert_eq!(worker.stats().processed, 3);
/// # Ok::<(), SubmitError<u32>>(())
/// ```
///
/// [`Worker::run`] is the whole loop of a worker. Written by hand, where there is more to decide:
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
/// *O*(workers) to steal and to park. Per worker one deque and twelve words; one injector.
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
    policy: StealPolicy,
    /// Workers that were chosen, less those of them that have come to look since. An `i32`: who comes may be counted
    /// before who was chosen. Written by whoever chooses and by whoever comes, read by all.
    coming: AtomicU32,
    /// How many workers are woken for tasks, from number 0 on. Written by whoever saves energy, read by all.
    awake: AtomicU32,
    life: Life,
}

/// Why a task was not taken in; here it is back.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SubmitError<T> {
    /// The injector is full, or a worker is still taking a task out of the next place. Nothing changed. Remedy: try
    /// again later, or a larger injector.
    Full(T),
    /// The scheduler was closed, and this task will not be run. Remedy: none; whoever waits for it must be told.
    Closed(T),
}

impl<T> SubmitError<T> {
    /// The task that was not taken in.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(task) | Self::Closed(task) => task,
        }
    }
}

impl<T> fmt::Display for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the injector is full; try again later or choose a larger one",
            Self::Closed(_) => "the scheduler was closed and takes no more tasks",
        })
    }
}

impl<T: fmt::Debug> core::error::Error for SubmitError<T> {}

impl<T, const W: usize, const D: usize, const I: usize> Scheduler<T, Inline<W>, Inline<D>, Inline<I>> {
    const_fn! {
        /// A scheduler for `W` workers, with `D` tasks (a power of two) in each one's deque and `I` in the injector,
        /// kept in the value itself.
        pub const fn new() -> Self {
            Self {
                seats: InlineSlots(array_of!(Seat::around(Deque::new()))),
                injector: Mpmc::new(),
                events: EventCount::new(),
                policy: StealPolicy::new(),
                coming: AtomicU32::new(0),
                awake: AtomicU32::new(u32::MAX),
                life: Life::new(),
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
            .map(|_| Ok(Seat::around(Deque::<T, Heap>::with_capacity(deque)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            seats,
            injector,
            events,
            policy: StealPolicy::new(),
            coming: AtomicU32::new(0),
            awake: AtomicU32::new(u32::MAX),
            life: Life::new(),
        })
    }
}

impl<T, W: Storage, D: Storage, I: Storage> Scheduler<T, W, D, I> {
    const_fn! {
        /// With another policy of whom idle workers steal from, and how much.
        #[must_use]
        pub const fn with_policy(mut self, policy: StealPolicy) -> Self {
            self.policy = policy;
            self
        }
    }

    /// Adds a task that any worker may take, first in first out. The answer says whom to wake for it.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] gives the task back, and says whether it makes sense to try again. Where several threads submit
    /// in the very moment in which the last worker of [`Worker::run`] leaves, one may get another one's task back; each
    /// task is run or given back once, but for what [`take_rest`](Self::take_rest) is for.
    pub fn submit(&self, task: T) -> Result<Wake, SubmitError<T>> {
        if self.life.is_closed() {
            return Err(SubmitError::Closed(task));
        }
        self.injector.push(task).map_err(|full| SubmitError::Full(full.into_inner()))?;
        let wake = self.choose();
        // A chosen worker comes and takes it. Where there is none, all are awake, or all have left.
        // Ordering: after the fence of `choose`, so the last worker saw the task before it left, or is seen to have left.
        if wake == Wake::Nobody
            && self.life.is_ended()
            && let Some(task) = self.injector.pop()
        {
            return Err(SubmitError::Closed(task));
        }
        Ok(wake)
    }

    /// Takes no more tasks from now on: [`submit`](Self::submit) gives them back, and [`Worker::run`] ends when all that
    /// is there is done, and what that makes. The answer says whom to wake, so that somebody sees it.
    pub fn close(&self) -> Wake {
        self.life.close();
        self.wake_one()
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.life.is_closed()
    }

    /// Takes out of the injector what nobody will run any more: when no worker is left, and every submit has returned.
    /// It is empty then, unless no worker ran to the end, or a thread was stopped in the middle of a submit while
    /// others closed and drained the scheduler.
    pub fn take_rest(&self) -> Option<T> {
        self.injector.pop()
    }

    /// Becomes worker `index`; `None` if there is no such worker or someone else is it already.
    pub fn worker(&self, index: u32) -> Option<Worker<'_, T, W, D, I>> {
        let deque = self.seats.get(index as usize)?.deque.worker()?;
        Some(Worker::new(self, deque, index))
    }

    /// How many workers there are.
    pub fn workers(&self) -> u32 {
        self.events.workers()
    }

    /// What worker `index` has done; `None` if there is no such worker.
    pub fn stats(&self, index: u32) -> Option<WorkerStats> {
        self.seats.get(index as usize).map(Seat::stats)
    }

    /// About how many tasks wait in the deque of worker `index`; `None` if there is no such worker.
    pub fn waiting(&self, index: u32) -> Option<u32> {
        self.seats.get(index as usize).map(|seat| seat.deque.stealer().len() as u32)
    }

    /// About how many tasks wait in the injector.
    pub fn injected(&self) -> u32 {
        self.injector.len() as u32
    }

    /// Lets only the first `workers` workers be woken for tasks (at least one): the others finish what is in their own
    /// deques and sleep, until this is raised again. [`Consolidator`](super::consolidate::Consolidator) says how many to
    /// let. The answer says whom to wake, as there may be work for more workers than before.
    ///
    /// Give low numbers to the workers that cost the least energy. Those that are let must be there, or nothing is done.
    pub fn set_awake(&self, workers: u32) -> Wake {
        // Ordering: Relaxed, the fence orders it: somebody who makes work sees it, or the work is seen here.
        self.awake.store(workers.max(1), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.has_work() { self.choose() } else { Wake::Nobody }
    }

    /// How many workers, from number 0 on, are woken for tasks.
    pub fn awake(&self) -> u32 {
        // Ordering: Relaxed, see `set_awake` and `choose`.
        self.awake.load(Ordering::Relaxed)
    }

    /// Chooses one sleeping worker for a reason other than a task, surplus or not: to end a program, wake one after
    /// another until the answer is [`Wake::Nobody`]. The reason must be visible before the call, and workers must
    /// look for it after each [`Parking::Sleep`] before they wait.
    pub fn wake_one(&self) -> Wake {
        self.expect(self.events.notify_one())
    }

    /// Chooses a sleeper for a task that is visible.
    fn choose(&self) -> Wake {
        self.expect(self.events.notify_one_of(|| self.awake()))
    }

    /// Chooses a sleeper for tasks that are visible and of which each had its turn: somebody who was chosen before and
    /// has not looked yet will do.
    fn choose_more(&self) -> Wake {
        // Ordering: SeqCst, with the fence in `has_come`: who is still counted here looks after this, and sees the tasks.
        fence(Ordering::SeqCst);
        // Ordering: Relaxed, the fence orders it.
        if self.coming.load(Ordering::Relaxed).cast_signed() > 0 { Wake::Nobody } else { self.choose() }
    }

    /// Counts who was chosen.
    fn expect(&self, wake: Wake) -> Wake {
        if wake != Wake::Nobody {
            // Ordering: Relaxed, counted too late it is counted too low, and somebody more is woken.
            self.coming.fetch_add(1, Ordering::Relaxed);
        }
        wake
    }

    /// Somebody who was chosen is about to look for work.
    fn has_come(&self) {
        // Ordering: Relaxed, the fence orders it before the look: see `choose_more`.
        self.coming.fetch_sub(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
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

#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "threads are the tests' platform")]
mod tests;

#[cfg(all(test, divvy_loom))]
mod loom_tests;
