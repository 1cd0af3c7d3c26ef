//! A worker: what it does next, and whether it may sleep.

use core::fmt;
use core::ops::ControlFlow;
use core::time::Duration;

use super::policy::Take;
use super::seat::{Counter, Seat};
use super::{Scheduler, WorkerStats};
use crate::queue::{Steal, deque};
use crate::rng::Rng;
use crate::sched::cancel::Cancelled;
use crate::sched::event_count::Wake;
use crate::storage::{Full, Storage};

/// A worker looks into the injector first on every 61st call: often enough that what was submitted does not starve
/// behind tasks that make tasks, seldom enough to keep the shared line cold. Prime, so that no period of a program
/// falls in step with it.
pub(super) const INJECTOR_INTERVAL: u8 = 61;

/// How often a worker goes around all others while some of them were busy with another thief.
const STEAL_ROUNDS: u32 = 4;

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

/// One of a [`Scheduler`]'s workers. Not shared between threads, but may move to another one.
///
/// Dropping it leaves its tasks where the others can steal them; if there may be some, follow with
/// [`Scheduler::wake_one`].
pub struct Worker<'a, T, W: Storage, D: Storage, I: Storage> {
    pub(super) sched: &'a Scheduler<T, W, D, I>,
    deque: deque::Worker<'a, T, D>,
    pub(super) index: u32,
    /// Calls of `next` until the injector comes first.
    until_injector: u8,
    /// Whether it may still be among the sleepers.
    parked: bool,
}

impl<'a, T, W: Storage, D: Storage, I: Storage> Worker<'a, T, W, D, I> {
    pub(super) fn new(sched: &'a Scheduler<T, W, D, I>, deque: deque::Worker<'a, T, D>, index: u32) -> Self {
        Self { sched, deque, index, until_injector: INJECTOR_INTERVAL, parked: false }
    }

    /// Which worker this is.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What it works for.
    pub fn scheduler(&self) -> &'a Scheduler<T, W, D, I> {
        self.sched
    }

    /// What it has done so far.
    pub fn stats(&self) -> WorkerStats {
        self.seat().stats()
    }

    /// Adds a task to this worker's own deque: the one that it takes next, unless another worker steals it. The answer
    /// says whom to wake for it. A closed scheduler takes it as well: what is under way may need it.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the task back; nothing changed. Run it at once, or [`submit`](Scheduler::submit) it.
    pub fn push(&self, task: T) -> Result<Wake, Full<T>> {
        self.deque.push(task)?;
        Ok(self.counted(self.sched.choose()))
    }

    /// The next task: the newest of its own; else the oldest of the injector; else what the scheduler's
    /// [`StealPolicy`](super::StealPolicy) says, by default half of the tasks of a random other worker. Every 61st call
    /// looks into the injector first.
    ///
    /// A worker that was told to sleep is awake again by calling this, whether or not it was woken. One that is
    /// [surplus](Self::is_surplus) finishes its own deque and leaves the rest to the others, unless one of them sleeps.
    pub fn next(&mut self, rng: &mut impl Rng) -> Next<T> {
        self.unpark();
        self.until_injector -= 1;
        if self.until_injector == 0 {
            self.until_injector = INJECTOR_INTERVAL;
            if !self.is_surplus()
                && let Some(next) = self.next_injected()
            {
                return next;
            }
        }
        if let Some(task) = self.deque.pop() {
            self.seat().count(Counter::Processed, 1);
            return Next::Task { task, from: Source::Own, wake: Wake::Nobody };
        }
        if self.leaves_it_to_others() {
            return Next::Idle;
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
        if !self.deque.is_empty() || (self.sched.has_work() && !self.leaves_it_to_others()) {
            self.unpark();
            return Parking::Stay;
        }
        self.seat().count(Counter::Parked, 1);
        Parking::Sleep
    }

    /// Whether there is a reason not to sleep any longer: since [`Worker::park`] a task came for which this worker was
    /// chosen.
    pub fn is_woken(&self) -> bool {
        !self.parked || self.sched.waiter(self.index).is_woken()
    }

    /// Whether more workers are there than shall be awake, and this is one of those who are not needed: it is not woken
    /// for a task, and may sleep deeply. See [`Scheduler::set_awake`].
    pub fn is_surplus(&self) -> bool {
        self.index >= self.sched.awake()
    }

    /// Gives `task` back, to be run; or, where `is_cancelled` says so of it, as an error, and counts it.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] with the task in it: whoever waits for it can be told.
    pub fn unless_cancelled(
        &self,
        task: T,
        is_cancelled: impl FnOnce(&T) -> bool,
    ) -> Result<T, Cancelled<T>> {
        if is_cancelled(&task) {
            self.seat().count(Counter::Cancelled, 1);
            return Err(Cancelled(task));
        }
        Ok(task)
    }

    /// Moves up to `count` of the oldest tasks of worker `from` to this worker's own deque, and says how many they were
    /// and whom to wake for them: a move of a [`Plan`](crate::sched::redistribute::Plan). Fewer where there are fewer,
    /// where this deque has no room, and where another thief was at it.
    pub fn pull(&self, from: u32, count: u32) -> (u32, Wake) {
        let Some(seat) = self.sched.seats.get(from as usize).filter(|_| from != self.index) else {
            return (0, Wake::Nobody);
        };
        let mut pulled = 0;
        while pulled < count && self.deque.spare_capacity() > 0 {
            self.seat().count(Counter::Attempts, 1);
            let Steal::Success(task) = seat.deque.stealer().steal_one() else { break };
            self.seat().count(Counter::Steals, 1);
            self.seat().count(Counter::Stolen, 1);
            if let Err(Full(_)) = self.deque.push(task) {
                unreachable!("room was there, and only this worker fills it");
            }
            pulled += 1;
        }
        (pulled, if pulled == 0 { Wake::Nobody } else { self.counted(self.sched.choose_more()) })
    }

    /// Adds to the idle time of the statistics. [`Worker::run`] does it by itself where the platform has a clock.
    pub fn add_idle(&self, more: Duration) {
        self.seat().add_idle(more);
    }

    /// Whether all that is not in its own deque is for others to do: somebody else is awake who will look for it.
    fn leaves_it_to_others(&self) -> bool {
        let awake = self.sched.awake();
        self.index >= awake && !self.sched.events.is_any_asleep_among(awake)
    }

    /// Is awake again, or not asleep in the first place. Whether it was chosen in the meantime: then it must look for
    /// work.
    pub(super) fn unpark(&mut self) -> bool {
        let was_parked = core::mem::replace(&mut self.parked, false);
        let chosen = was_parked && self.sched.waiter(self.index).cancel();
        if chosen {
            self.seat().count(Counter::Woken, 1);
            self.sched.has_come();
        }
        chosen
    }

    /// Counts whom this worker has woken.
    fn counted(&self, wake: Wake) -> Wake {
        if wake != Wake::Nobody {
            self.seat().count(Counter::Wakes, 1);
        }
        wake
    }

    fn next_injected(&self) -> Option<Next<T>> {
        let task = self.sched.injector.pop()?;
        self.seat().count(Counter::Processed, 1);
        self.seat().count(Counter::Injected, 1);
        // Usually each task in there has woken someone by itself. One that became visible only now, behind a submit
        // that was stopped halfway, may have woken a worker that did not find it.
        let wake = if self.sched.injector.is_empty() {
            Wake::Nobody
        } else {
            self.counted(self.sched.choose_more())
        };
        Some(Next::Task { task, from: Source::Injector, wake })
    }

    fn next_stolen(&self, rng: &mut impl Rng) -> Option<Next<T>> {
        let workers = self.sched.workers();
        if workers == 1 {
            return None;
        }
        let len = |worker: u32| self.sched.seats[worker as usize].deque.stealer().len();
        for _ in 0..STEAL_ROUNDS {
            let mut again = false;
            let stolen = self.sched.policy.visit(self.index, workers, rng, len, |victim| {
                match self.steal(victim) {
                    Steal::Success(next) => return ControlFlow::Break(next),
                    Steal::Retry => again = true,
                    Steal::Empty => {}
                }
                ControlFlow::Continue(())
            });
            if stolen.is_some() || !again {
                return stolen;
            }
        }
        None
    }

    fn steal(&self, victim: u32) -> Steal<Next<T>> {
        self.seat().count(Counter::Attempts, 1);
        let victims = self.sched.seats[victim as usize].deque.stealer();
        let steal = match self.sched.policy.takes() {
            Take::Half => victims.steal_half(&self.deque),
            Take::One => match victims.steal_one() {
                Steal::Success(task) => Steal::Success((task, 0)),
                Steal::Empty => Steal::Empty,
                Steal::Retry => Steal::Retry,
            },
        };
        let (task, moved) = match steal {
            Steal::Success(stolen) => stolen,
            Steal::Empty => return Steal::Empty,
            Steal::Retry => return Steal::Retry,
        };
        self.seat().count(Counter::Processed, 1);
        self.seat().count(Counter::Steals, 1);
        self.seat().count(Counter::Stolen, moved + 1);
        // What was brought home is out of the sight of those who looked meanwhile.
        let wake = if moved == 0 { Wake::Nobody } else { self.counted(self.sched.choose_more()) };
        Steal::Success(Next::Task { task, from: Source::Stolen { victim, count: moved + 1 }, wake })
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
