//! Who runs what: a scheduler for a fixed number of workers, be they threads, cores or harts.
//!
//! # The wake-up contract
//!
//! *N* workers sleep and one task comes: exactly one worker is woken. In general:
//!
//! * Each task that is submitted or pushed chooses one sleeping worker, if there is one; each sleeper is chosen
//!   once. *k* tasks wake at most *k* workers.
//! * A worker that takes a task while more is visible (it brought home half of another's deque, or the injector holds
//!   another one) chooses one more. So there is no sleeping worker while work lies in reach, and no herd.
//! * An idle worker costs nothing: it sleeps until it is chosen. No timer, no polling.
//! * A worker that announces its sleep and then sees no work is seen by every task that comes later. No wake-up is
//!   lost; loom explores the orders in which it might be.
//!
//! The core itself wakes nobody: each call that makes work answers a [`Wake`], and the caller does what the platform
//! needs (`Thread::unpark`, an inter-processor interrupt, `SEV`).
//!
//! What is not promised: that a task starts before a thread goes on that was stopped between making it visible and
//! waking someone for it; and an order among tasks beyond what [`Deque`] and [`Mpmc`] say.

use core::fmt;

#[cfg(feature = "alloc")]
use crate::queue::CapacityError;
use crate::queue::{Deque, Mpmc, Steal, deque};
use crate::rng::Rng;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Full, Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, array_of, const_fn};

mod event_count;

pub use event_count::{EventCount, Waiter, Wake};

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
/// use divvy::sched::{Next, Park, Scheduler, Source, Wake};
/// use divvy::storage::{Full, Inline};
///
/// // Two workers, 4 tasks in each one's deque, 2 in the injector:
/// static SCHED: Scheduler<u32, Inline<2>, Inline<4>, Inline<2>> = Scheduler::new();
///
/// let mut rng = SplitMix64::seed(1);
/// let mut worker = SCHED.worker(0).expect("nobody is worker 0 yet");
/// assert!(matches!(worker.next(&mut rng), Next::Idle));
/// assert_eq!(worker.park(), Park::Sleep);
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
///             if worker.park() == Park::Sleep {
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
/// from others. Every task is handed out exactly once. The module's documentation states the wake-up contract.
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
pub enum Park {
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
    /// after each [`Park::Sleep`] before they wait.
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
    pub fn park(&mut self) -> Park {
        self.parked = true;
        self.sched.waiter(self.index).prepare_park();
        if self.sched.has_work() {
            self.unpark();
            return Park::Stay;
        }
        self.seat().count(PARKED, 1);
        Park::Sleep
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
mod tests {
    use super::*;
    use crate::rng::Xoshiro256PlusPlus;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU32 as Count, Ordering::SeqCst};
    use std::thread::{self, Thread};
    use std::vec::Vec;

    type Sched<const W: usize> = Scheduler<u32, Inline<W>, Inline<64>, Inline<64>>;

    fn task(next: Next<u32>) -> Option<u32> {
        match next {
            Next::Task { task, .. } => Some(task),
            Next::Idle => None,
        }
    }

    #[test]
    fn one_task_wakes_exactly_one_of_many() {
        fn check<W: Storage, D: Storage, I: Storage>(sched: &Scheduler<u32, W, D, I>) {
            let mut workers: Vec<_> =
                (0..sched.workers()).map(|index| sched.worker(index).unwrap()).collect();
            for worker in &mut workers {
                assert_eq!(worker.park(), Park::Sleep);
            }
            assert_eq!(sched.submit(7), Ok(Wake::Worker(0)));
            let woken: Vec<u32> =
                workers.iter().filter(|worker| worker.is_woken()).map(Worker::index).collect();
            assert_eq!(woken, [0]);
            let next = workers[0].next(&mut Xoshiro256PlusPlus::seed(1));
            assert_eq!(next, Next::Task { task: 7, from: Source::Injector, wake: Wake::Nobody });
            assert_eq!(workers.iter().filter(|worker| worker.is_woken()).count(), 1);
        }
        check(&Sched::<64>::new());
        #[cfg(feature = "alloc")]
        check(&Scheduler::<u32, Heap, Heap, Heap>::with_capacity(10_000, 1, 1).unwrap());
    }

    /// The platform of the tests: threads that park, and a count of those that were woken.
    struct Platform<const W: usize> {
        sched: Sched<W>,
        threads: Mutex<Vec<Option<Thread>>>,
        asleep: Count,
        woken: Count,
        stop: AtomicBool,
    }

    impl<const W: usize> Platform<W> {
        fn new() -> Self {
            Self {
                sched: Sched::new(),
                threads: Mutex::new((0..W).map(|_| None).collect()),
                asleep: Count::new(0),
                woken: Count::new(0),
                stop: AtomicBool::new(false),
            }
        }

        fn wake(&self, wake: Wake) {
            if let Wake::Worker(worker) = wake {
                let thread = self.threads.lock().unwrap()[worker as usize].clone();
                thread.expect("only a thread that announced itself sleeps").unpark();
            }
        }

        fn work(
            &self,
            index: u32,
            mut run: impl FnMut(&Worker<'_, u32, Inline<W>, Inline<64>, Inline<64>>, u32),
        ) {
            self.threads.lock().unwrap()[index as usize] = Some(thread::current());
            let mut worker = self.sched.worker(index).unwrap();
            let mut rng = Xoshiro256PlusPlus::seed(index.into());
            loop {
                match worker.next(&mut rng) {
                    Next::Task { task, wake, .. } => {
                        self.wake(wake);
                        run(&worker, task);
                    }
                    Next::Idle => {
                        if worker.park() == Park::Sleep {
                            if self.stop.load(SeqCst) {
                                return;
                            }
                            self.asleep.fetch_add(1, SeqCst);
                            while !worker.is_woken() {
                                thread::park();
                            }
                            self.asleep.fetch_sub(1, SeqCst);
                            self.woken.fetch_add(1, SeqCst);
                        }
                    }
                }
            }
        }

        fn stop(&self) {
            self.stop.store(true, SeqCst);
            while let Wake::Worker(worker) = self.sched.wake_one() {
                self.wake(Wake::Worker(worker));
            }
        }
    }

    /// Lets the threads end, also when an assertion fails.
    struct StopOnDrop<'a, const W: usize>(&'a Platform<W>);

    impl<const W: usize> Drop for StopOnDrop<'_, W> {
        fn drop(&mut self) {
            self.0.stop();
        }
    }

    #[test]
    fn each_task_to_sleeping_threads_wakes_one_thread() {
        const WORKERS: usize = 6;
        const TASKS: u32 = 300;
        let platform = Platform::<WORKERS>::new();
        let done = Count::new(0);
        thread::scope(|scope| {
            for index in 0..WORKERS as u32 {
                let (platform, done) = (&platform, &done);
                scope.spawn(move || {
                    platform.work(index, |_, _| {
                        done.fetch_add(1, SeqCst);
                    });
                });
            }
            let _stop = StopOnDrop(&platform);
            let all_asleep_after = |tasks| {
                // In this order: whoever ran the last task was counted as awake before.
                while done.load(SeqCst) < tasks || platform.asleep.load(SeqCst) < WORKERS as u32 {
                    thread::yield_now();
                }
            };
            all_asleep_after(0);
            for task in 0..TASKS {
                let wake = platform.sched.submit(task).unwrap();
                assert_ne!(wake, Wake::Nobody);
                platform.wake(wake);
                all_asleep_after(task + 1);
                assert_eq!((done.load(SeqCst), platform.woken.load(SeqCst)), (task + 1, task + 1));
            }
        });
    }

    /// Tasks that make tasks, on threads that sleep and wake: each runs once, and the end is reached.
    #[test]
    fn a_tree_of_tasks_ends_with_each_task_run_once() {
        const WORKERS: usize = 4;
        const DEPTH: u32 = 15;
        let platform = Platform::<WORKERS>::new();
        let (left, refused) = (Count::new(1), Count::new(0));
        platform.sched.submit(DEPTH).map(|wake| assert_eq!(wake, Wake::Nobody)).unwrap();
        thread::scope(|scope| {
            for index in 0..WORKERS as u32 {
                let (platform, left, refused) = (&platform, &left, &refused);
                scope.spawn(move || {
                    platform.work(index, |worker, depth| {
                        if depth > 0 {
                            left.fetch_add(2, SeqCst);
                            for _ in 0..2 {
                                match worker.push(depth - 1) {
                                    Ok(wake) => platform.wake(wake),
                                    // No room: count the subtree as run.
                                    Err(Full(depth)) => {
                                        refused.fetch_add((2 << depth) - 1, SeqCst);
                                        left.fetch_sub(1, SeqCst);
                                    }
                                }
                            }
                        }
                        if left.fetch_sub(1, SeqCst) == 1 {
                            platform.stop();
                        }
                    });
                });
            }
        });
        let stats: Vec<_> = (0..WORKERS as u32).map(|index| platform.sched.stats(index).unwrap()).collect();
        let processed: u32 = stats.iter().map(|stats| stats.processed).sum();
        assert_eq!(processed + refused.load(SeqCst), (2 << DEPTH) - 1, "{stats:?}");
        assert_eq!(refused.load(SeqCst), 0, "depth first, a deque holds about one task per level");
        assert_eq!(stats.iter().map(|stats| stats.injected).sum::<u32>(), 1);
    }

    /// 100 tasks, 70 of them on worker 0 of 4: nobody is idle while there is work, and each task runs once.
    #[test]
    fn no_worker_is_idle_while_another_has_work() {
        for seed in 0..50 {
            let sched = Scheduler::<u32, Inline<4>, Inline<128>, Inline<1>>::new();
            let mut workers: [_; 4] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
            let mut rng = Xoshiro256PlusPlus::seed(seed);
            for item in 0..100 {
                let home = if item < 70 { 0 } else { 1 + item as usize % 3 };
                assert_eq!(workers[home].push(item), Ok(Wake::Nobody));
            }
            let mut ran: Vec<u32> = Vec::new();
            let mut busy_until = [0u32; 4];
            for now in 0.. {
                for (worker, busy_until) in workers.iter_mut().zip(&mut busy_until) {
                    if *busy_until > now {
                        continue;
                    }
                    let waiting = sched.has_work();
                    match worker.next(&mut rng) {
                        Next::Task { task, .. } => {
                            ran.push(task);
                            *busy_until = now + 10 + rng.below(91);
                        }
                        Next::Idle => assert!(!waiting, "idle while there is work"),
                    }
                }
                if busy_until.iter().all(|&until| until <= now) && !sched.has_work() {
                    break;
                }
            }
            ran.sort_unstable();
            assert!(ran.into_iter().eq(0..100));
            let stats: [WorkerStats; 4] = core::array::from_fn(|index| workers[index].stats());
            assert!(stats.iter().all(|stats| stats.processed >= 15), "{stats:?}");
            assert!(stats.iter().map(|stats| stats.stolen).sum::<u32>() >= 30, "{stats:?}");
        }
    }

    #[test]
    fn a_thief_that_brings_home_more_wakes_another() {
        let sched = Sched::<3>::new();
        let mut workers: [_; 3] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
        for item in 0..4 {
            assert_eq!(workers[0].push(item), Ok(Wake::Nobody));
        }
        let mut rng = Xoshiro256PlusPlus::seed(1);
        assert_eq!(workers[2].park(), Park::Stay, "there is work to be seen");
        // As if it had looked before the push:
        sched.waiter(2).prepare_park();
        let from = Source::Stolen { victim: 0, count: 2 };
        assert_eq!(workers[1].next(&mut rng), Next::Task { task: 0, from, wake: Wake::Worker(2) });
        assert_eq!(workers[1].stats().stolen, 2);
    }

    #[test]
    fn a_submitted_task_does_not_starve_behind_tasks_that_make_tasks() {
        let sched = Sched::<1>::new();
        let mut worker = sched.worker(0).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let _ = worker.push(0).unwrap();
        let _ = sched.submit(1).unwrap();
        let calls = (1..).find(|_| {
            let own = task(worker.next(&mut rng)) == Some(0);
            if own {
                let _ = worker.push(0).unwrap();
            }
            !own
        });
        assert!(calls.unwrap() <= u32::from(INJECTOR_INTERVAL));
    }

    #[test]
    fn a_worker_that_stops_sleeping_by_itself_is_not_chosen() {
        let sched = Sched::<2>::new();
        let mut workers: [_; 2] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
        let mut rng = Xoshiro256PlusPlus::seed(1);
        assert!(workers[0].is_woken(), "who does not sleep need not wait");
        assert_eq!((workers[0].park(), workers[1].park()), (Park::Sleep, Park::Sleep));
        assert_eq!(workers[0].next(&mut rng), Next::Idle);
        assert_eq!(sched.submit(1), Ok(Wake::Worker(1)));
        // Nor is one that is gone:
        assert_eq!(task(workers[0].next(&mut rng)), Some(1));
        assert_eq!(workers[0].park(), Park::Sleep);
        drop(workers);
        assert_eq!(sched.submit(2), Ok(Wake::Nobody));
    }

    #[test]
    fn a_worker_exists_once_and_within_bounds() {
        let sched = Sched::<2>::new();
        let worker = sched.worker(1);
        assert!(worker.is_some() && sched.worker(1).is_none() && sched.worker(2).is_none());
        assert!(sched.stats(2).is_none());
        drop(worker);
        assert!(sched.worker(1).is_some());
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_scheduler_says_what_is_wrong_with_its_sizes() {
        let refused = |workers, deque, injector| {
            Scheduler::<u8, Heap, Heap, Heap>::with_capacity(workers, deque, injector).unwrap_err()
        };
        assert_eq!(refused(0, 1, 1), CapacityError::Zero);
        assert_eq!(refused(1, 3, 1), CapacityError::NotPowerOfTwo);
        assert_eq!(refused(1, 1, 0), CapacityError::Zero);
    }

    #[test]
    fn sizes_are_as_documented() {
        let (seat, injector, events) = ((4 + 5) * 4 + 64 * 4, 2 * 4 + 16 * 8, 3 * 4);
        assert_eq!(
            size_of::<Scheduler<u32, Inline<2>, Inline<64>, Inline<16>>>(),
            2 * seat + injector + events
        );
    }

    #[test]
    fn it_is_shared_between_threads_and_its_workers_move() {
        fn both<T: Send + Sync>(_: &T) {}
        fn sends<T: Send>(_: &T) {}
        let sched = Scheduler::<core::cell::Cell<u8>, Inline<1>, Inline<1>, Inline<1>>::new();
        both(&sched);
        sends(&sched.worker(0));
    }
}

#[cfg(all(test, divvy_loom))]
mod loom_tests {
    use super::*;
    use crate::rng::SplitMix64;
    use crate::sync::model;
    use loom::sync::Arc;
    use loom::thread;

    type Small = Scheduler<u32, Inline<2>, Inline<2>, Inline<2>>;

    /// One worker until it has run a task: the task, and whom it was told to wake. A lost wake-up is a deadlock, which
    /// loom reports.
    fn work_until_one_task(sched: &Small, index: u32) -> (u32, Wake) {
        let mut worker = sched.worker(index).unwrap();
        let mut rng = SplitMix64::seed(1);
        loop {
            match worker.next(&mut rng) {
                Next::Task { task, wake, .. } => return (task, wake),
                Next::Idle => {
                    if worker.park() == Park::Sleep {
                        while !worker.is_woken() {
                            thread::park();
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn loom_a_submitted_task_finds_the_worker() {
        model("scheduler, submit against park", 6, 3, || {
            let sched = Arc::new(Small::new());
            let worker = {
                let sched = Arc::clone(&sched);
                thread::spawn(move || work_until_one_task(&sched, 1))
            };
            if let Wake::Worker(index) = sched.submit(7).unwrap() {
                assert_eq!(index, 1);
                worker.thread().unpark();
            }
            assert_eq!(worker.join().unwrap(), (7, Wake::Nobody));
        });
    }

    #[test]
    fn loom_a_pushed_task_finds_another_worker() {
        model("scheduler, push against park", 6, 3, || {
            let sched = Arc::new(Small::new());
            let worker = {
                let sched = Arc::clone(&sched);
                thread::spawn(move || work_until_one_task(&sched, 1))
            };
            if let Wake::Worker(index) = sched.worker(0).unwrap().push(7).unwrap() {
                assert_eq!(index, 1);
                worker.thread().unpark();
            }
            assert_eq!(worker.join().unwrap(), (7, Wake::Nobody));
        });
    }

    #[test]
    fn loom_two_tasks_reach_two_workers() {
        model("scheduler, 2 submits against 2 parks", 2, 1, || {
            let sched = Arc::new(Small::new());
            let other = {
                let sched = Arc::clone(&sched);
                thread::spawn(move || work_until_one_task(&sched, 1))
            };
            let submitter = {
                let sched = Arc::clone(&sched);
                let sleepers = [thread::current(), other.thread().clone()];
                thread::spawn(move || {
                    for task in [1, 2] {
                        if let Wake::Worker(index) = sched.submit(task).unwrap() {
                            sleepers[index as usize].unpark();
                        }
                    }
                })
            };
            let (task, wake) = work_until_one_task(&sched, 0);
            if let Wake::Worker(index) = wake {
                assert_eq!(index, 1);
                other.thread().unpark();
            }
            submitter.join().unwrap();
            // A wake-up for worker 0 has come too late: it has gone.
            let (task_of_other, _) = other.join().unwrap();
            assert_eq!(task + task_of_other, 3);
        });
    }
}
