//! Workers that sleep until there is a task, on a virtual clock: who is woken, and for nothing.
//!
//! The sleepers are kept by the real [`EventCount`]; the workers, the tasks and the clock are the simulation's.

mod config;
#[cfg(all(test, feature = "alloc", not(divvy_loom)))]
mod tests;
mod workers;

use core::fmt;
use core::time::Duration;

pub use self::config::{Config, ConfigError, Policy};
pub use self::workers::State;

use self::workers::Workers;
use crate::sched::EventCount;
use crate::storage::{Inline, Storage};
use crate::time::saturating_nanos;
use crate::{Instant, Rng};

/// What happened and when.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// When it happened.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What happened. Tasks are numbered in the order of their arrival, from 0.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum What {
    /// A task came.
    Arrived {
        /// Which.
        task: u64,
        /// How many workers were woken for it.
        woken: u32,
    },
    /// A worker is awake, and looks as soon as the queue's lock is free.
    Woke {
        /// The worker.
        worker: u32,
    },
    /// A worker that was awake looked, found a task and began with it.
    Began {
        /// The worker.
        worker: u32,
        /// The task.
        task: u64,
    },
    /// A worker looked, found nothing, and goes to sleep.
    FoundNothing {
        /// The worker.
        worker: u32,
    },
    /// A worker finished a task, and looks for another.
    Finished {
        /// The worker.
        worker: u32,
    },
}

impl Event {
    /// The event as four numbers, the same on every target: what a digest of the decisions is fed with.
    #[must_use]
    pub const fn words(&self) -> [u64; 4] {
        let [kind, a, b] = match self.what {
            What::Arrived { task, woken } => [0, task, woken as u64],
            What::Began { worker, task } => [1, worker as u64, task],
            What::FoundNothing { worker } => [2, worker as u64, 0],
            What::Finished { worker } => [3, worker as u64, 0],
            What::Woke { worker } => [4, worker as u64, 0],
        };
        [self.at.as_nanos(), kind, a, b]
    }
}

/// What a [`Herd`] came to.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Summary {
    /// Tasks that came.
    pub tasks: u64,
    /// Tasks that were begun.
    pub begun: u64,
    /// Tasks that were finished.
    pub finished: u64,
    /// Tasks that wait, though every worker sleeps and nothing will wake one: their wake-up was lost.
    pub lost: u64,
    /// How often a worker woke from sleep, by itself or because it was woken.
    pub wakes: u64,
    /// How many of these found nothing to do.
    pub useless: u64,
    /// The time that tasks waited for a worker, over those that were begun.
    pub mean_delay: Duration,
    /// When the last of them was begun.
    pub last_begun: Instant,
    /// The time that workers spent on waking up and looking, and not on tasks.
    pub overhead: Duration,
}

impl Summary {
    /// Wakes for each task that was begun; `None` without any.
    #[must_use]
    pub fn wakes_per_task(&self) -> Option<crate::fixed::Q32> {
        crate::fixed::Q32::from_ratio(self.wakes, self.begun)
    }
}

/// A discrete-event simulation of workers that sleep while there is nothing to do, and of the ways to wake them.
///
/// All workers sleep. A task comes, and the policy says who wakes: each by itself now and then, all, one, or some. Who wakes
/// takes a moment to do so, then looks at the queue, one worker after the other since the queue has a lock, and goes
/// back to sleep if others were faster.
///
/// *When not to use it:* to predict the microseconds of a real scheduler; it knows no cores, so all who are awake run.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::sim::Arrivals;
/// use divvy::sim::herd::{Config, ConfigError, Herd, Policy};
/// use divvy::storage::Inline;
///
/// let mut rng = Xoshiro256PlusPlus::seed(1);
/// let mut wakes = |policy| {
///     let mut herd = Herd::<Inline<100>>::new(Config::new().tasks(1).policy(policy))?;
///     while let Some(_event) = herd.step(&mut rng) {}
///     assert_eq!(herd.summary().finished, 1);
///     Ok::<_, ConfigError>(herd.summary().wakes)
/// };
/// assert_eq!(wakes(Policy::One)?, 1);
/// assert_eq!(wakes(Policy::All)?, 100);
/// // Tasks that all come at once would never end:
/// let at_once = Config::new().arrivals(Arrivals::Constant { gap: Duration::ZERO });
/// assert!(matches!(Herd::<Inline<4>>::new(at_once), Err(ConfigError::Arrivals(_))));
/// # Ok::<(), ConfigError>(())
/// ```
///
/// # Complexity
///
/// An event is *O*(log workers); a task takes as many as it wakes. 28 bytes a worker, and a word for each 32 to remember who sleeps.
///
/// # Time
///
/// The clock starts at [`Instant::ZERO`] and moves only in [`Herd::step`]. At one instant, workers come before tasks.
///
/// # Concurrency
///
/// One owner.
pub struct Herd<W: Storage = Inline<64>> {
    config: Config,
    now: Instant,
    workers: Workers<W>,
    sleepers: EventCount<W>,
    /// When the next task comes, and its number.
    arrival: Option<(Instant, u64)>,
    /// Tasks that nobody has begun.
    waiting: u64,
    /// Nanoseconds times those.
    waited: u128,
    /// When the queue's lock is free.
    free_at: Instant,
    summary: Summary,
}

impl<const W: usize> Herd<Inline<W>> {
    /// `W` workers that sleep.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if W == 0 {
            return Err(ConfigError::Capacity);
        }
        config.check()?;
        let mut herd = Self {
            config,
            now: Instant::ZERO,
            workers: Workers::<Inline<W>>::new(),
            sleepers: EventCount::<Inline<W>>::new(),
            arrival: None,
            waiting: 0,
            waited: 0,
            free_at: Instant::ZERO,
            summary: Summary::default(),
        };
        herd.begin(W as u32);
        Ok(herd)
    }
}

#[cfg(feature = "alloc")]
impl Herd<crate::storage::Heap> {
    /// So many workers that sleep, allocated now.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn with_capacity(config: Config, workers: u32) -> Result<Self, ConfigError> {
        use crate::storage::Heap;
        let sleepers =
            EventCount::<Heap>::with_capacity(workers as usize).map_err(|_| ConfigError::Capacity)?;
        config.check()?;
        let mut herd = Self {
            config,
            now: Instant::ZERO,
            workers: Workers::<Heap>::with_capacity(workers as usize),
            sleepers,
            arrival: None,
            waiting: 0,
            waited: 0,
            free_at: Instant::ZERO,
            summary: Summary::default(),
        };
        herd.begin(workers);
        Ok(herd)
    }
}

impl<W: Storage> Herd<W> {
    fn begin(&mut self, workers: u32) {
        for worker in 0..workers {
            // As many places as workers.
            self.workers.push(match self.config.policy {
                // Spread over the interval, as they are after a while.
                Policy::Poll { every } => {
                    let every = u128::from(saturating_nanos(every));
                    let at = every * u128::from(worker) / u128::from(workers);
                    Instant::from_nanos(u64::try_from(at).unwrap_or(u64::MAX))
                }
                _ => Instant::MAX,
            });
            if let Some(waiter) = self.sleepers.waiter(worker) {
                waiter.prepare_park();
            }
        }
        self.arrival = self.config.first();
    }

    /// When the next event is due; `None` once nothing more happens.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Instant> {
        let arrival = self.arrival.map(|(at, _)| at);
        // Who polls does so for ever, and many may queue for the lock for ever; it matters while tasks come, wait or are
        // worked on.
        let rests = match self.config.policy {
            Policy::Poll { .. } => self.summary.begun == self.summary.finished,
            _ => self.workers.awake() == 0,
        };
        let idle = arrival.is_none() && self.waiting == 0 && rests;
        let worker = self.workers.first().map(|(at, _)| at).filter(|_| !idle);
        [arrival, worker].into_iter().flatten().min()
    }

    /// Moves the clock to the next event, and says what happened.
    pub fn step(&mut self, rng: &mut impl Rng) -> Option<Event> {
        let at = self.next_event_at()?;
        let passed = at.saturating_duration_since(self.now).as_nanos();
        self.waited += passed * u128::from(self.waiting);
        self.now = at;
        let worker = self.workers.first().filter(|(due, _)| *due <= at);
        let what = match worker {
            Some((_, worker)) => self.worker(worker, rng),
            None => self.arrive(rng),
        };
        Some(Event { at, what })
    }

    fn arrive(&mut self, rng: &mut impl Rng) -> What {
        let (at, task) = self.arrival.unwrap_or((self.now, 0));
        self.arrival = self.config.next(at, task, rng);
        self.summary.tasks += 1;
        self.waiting += 1;
        let most = match self.config.policy {
            Policy::Poll { .. } => 0,
            Policy::All => u32::MAX,
            Policy::One => 1,
            Policy::Some { workers } => workers,
        };
        let mut woken = 0;
        while woken < most {
            let Some(worker) = self.sleepers.notify_one().worker() else { break };
            woken += 1;
            self.summary.wakes += 1;
            self.workers.set(worker, State::Waking, at.saturating_add(self.config.wake));
            self.add_overhead(self.config.wake);
        }
        What::Arrived { task, woken }
    }

    /// Something is due for a worker.
    fn worker(&mut self, worker: u32, rng: &mut impl Rng) -> What {
        match self.workers.state(worker) {
            State::Working => {
                self.summary.finished += 1;
                let at = self.lock();
                self.workers.set(worker, State::Looking { woken: false }, at);
                What::Finished { worker }
            }
            State::Looking { woken } => self.look(worker, woken, rng),
            state => {
                if state == State::Asleep {
                    // By itself.
                    self.summary.wakes += 1;
                    self.add_overhead(self.config.wake);
                }
                // Its turn at the queue comes when those before it are through.
                let at = self.lock();
                self.workers.set(worker, State::Looking { woken: true }, at);
                What::Woke { worker }
            }
        }
    }

    /// When a worker that asks for the queue's lock now is through with looking.
    fn lock(&mut self) -> Instant {
        self.free_at = self.free_at.max(self.now).saturating_add(self.config.look);
        self.add_overhead(self.config.look);
        self.free_at
    }

    fn add_overhead(&mut self, time: Duration) {
        self.summary.overhead = self.summary.overhead.saturating_add(time);
    }

    fn look(&mut self, worker: u32, woken: bool, rng: &mut impl Rng) -> What {
        let now = self.now;
        if self.waiting == 0 {
            self.summary.useless += u64::from(woken);
            if let Some(waiter) = self.sleepers.waiter(worker) {
                waiter.prepare_park();
            }
            let at = match self.config.policy {
                Policy::Poll { every } => now.saturating_add(every),
                _ => Instant::MAX,
            };
            self.workers.set(worker, State::Asleep, at);
            return What::FoundNothing { worker };
        }
        // Nobody is to wake it while it works.
        if let Some(waiter) = self.sleepers.waiter(worker) {
            waiter.cancel();
        }
        let task = self.summary.begun;
        self.waiting -= 1;
        self.summary.begun += 1;
        self.summary.last_begun = now;
        let took = self.config.service.sample(rng);
        self.workers.set(worker, State::Working, now.saturating_add(took));
        What::Began { worker, task }
    }

    /// The clock: where the last step left it.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> u32 {
        self.workers.len()
    }

    /// How many workers are awake: waking up, looking, or at work.
    #[must_use]
    pub const fn awake(&self) -> u32 {
        self.workers.awake()
    }

    /// How many tasks nobody has begun.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// What a worker does, for drawing it.
    #[must_use]
    pub fn state(&self, worker: u32) -> Option<State> {
        (worker < self.workers.len()).then(|| self.workers.state(worker))
    }

    /// What it came to.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mean = self.waited.checked_div(u128::from(self.summary.begun)).unwrap_or(0);
        Summary {
            lost: if self.next_event_at().is_none() { self.waiting } else { 0 },
            mean_delay: Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)),
            ..self.summary
        }
    }
}

impl<W: Storage> fmt::Debug for Herd<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herd")
            .field("now", &self.now)
            .field("summary", &self.summary())
            .finish_non_exhaustive()
    }
}
