//! Building a pool.

use crate::pool::error::PoolError;
use crate::pool::life::pin;
use crate::pool::shared::Shared;
use crate::pool::shared::policy::Policy;
use crate::pool::sync;
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use crate::pool::work::current;
use crate::pool::work::until::Closing;
use std::sync::mpsc;
use std::sync::{Arc, PoisonError};
use std::thread;

impl Pool {
    /// A pool of `threads` threads, with the [`Builder`]'s defaults for the rest.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new(threads: usize) -> Result<Self, PoolError> {
        Self::builder().threads(threads).build()
    }

    /// A pool of your own making.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// The most threads that a pool may have.
const MAX_THREADS: usize = 1 << 14;

/// What a pool is made of.
///
/// # Examples
///
/// ```
/// use divvy_host::pool::{Policy, Pool};
///
/// let pool = Pool::builder().threads(2).name("resize").policy(Policy::Eager).build()?;
/// assert_eq!(pool.join(|| 1, || 2), (1, 2));
/// # Ok::<(), divvy_host::pool::PoolError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    threads: Option<usize>,
    name: String,
    policy: Policy,
    pin_cores: bool,
    stack_size: Option<usize>,
    deque_capacity: usize,
    queue_capacity: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            threads: None,
            name: "divvy".to_owned(),
            policy: Policy::default(),
            pin_cores: false,
            stack_size: None,
            deque_capacity: 512,
            queue_capacity: 4096,
        }
    }
}

impl Builder {
    /// How many threads; as many as the system says are of use, unless this is called.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// What the threads are called: this, a hyphen, and their number.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How forks are shared.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Whether thread *i* stays on the *i*-th core of those that this process may use (again from the first if there are
    /// more threads than cores).
    pub fn pin_cores(mut self, pin: bool) -> Self {
        self.pin_cores = pin;
        self
    }

    /// The bytes of each thread's stack. A worker that waits does other work on the same stack, so a pool needs more
    /// than its tasks do.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// How many jobs lie in each worker's deque, a power of two; 512 unless this is called. What does not fit is
    /// executed by who made it.
    pub fn deque_capacity(mut self, jobs: usize) -> Self {
        self.deque_capacity = jobs;
        self
    }

    /// How many tasks of each priority wait from outside, a power of two; 4,096 unless this is called.
    pub fn queue_capacity(mut self, tasks: usize) -> Self {
        self.queue_capacity = tasks;
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`PoolError`]; the threads that did start have ended.
    pub fn build(self) -> Result<Pool, PoolError> {
        let threads = match self.threads {
            Some(threads) => threads,
            None => thread::available_parallelism().map_or(1, usize::from),
        };
        match threads {
            0 => return Err(PoolError::NoThreads),
            n if n > MAX_THREADS => return Err(PoolError::TooManyThreads { max: MAX_THREADS }),
            _ => {}
        }
        let valid = |capacity: usize| capacity.is_power_of_two() && (2..=1 << 14).contains(&capacity);
        if !valid(self.deque_capacity) || !valid(self.queue_capacity) {
            return Err(PoolError::QueueCapacity);
        }
        let shared = Arc::new(Shared::new(self.policy, threads, self.deque_capacity, self.queue_capacity)?);
        let cores = if self.pin_cores { pin::cores()? } else { Vec::new() };
        let mut pool = Pool { shared, threads: Vec::with_capacity(threads) };
        let (report, pinned) = mpsc::channel();
        for index in 0..threads {
            let shared = Arc::clone(&pool.shared);
            let core = cores.get(index % cores.len().max(1)).copied();
            let report = report.clone();
            let mut builder = thread::Builder::new().name(format!("{}-{index}", self.name));
            if let Some(bytes) = self.stack_size {
                builder = builder.stack_size(bytes);
            }
            *shared.alive.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            let ends = Ends(Arc::clone(&shared));
            let thread = builder
                .spawn(move || {
                    let _ends = ends;
                    if let Some(core) = core {
                        let _ = report.send(pin::pin_to(core));
                    }
                    work(&shared, index);
                })
                .map_err(|error| PoolError::Spawn(error.kind()))?;
            pool.threads.push(thread);
        }
        drop(report);
        if self.pin_cores {
            pinned.iter().take(threads).collect::<Result<(), _>>()?;
        }
        Ok(pool)
    }
}

/// Tells that a thread has ended, or never began.
struct Ends(Arc<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        *self.0.alive.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}

/// What each thread does.
pub(in crate::pool) fn work(shared: &Arc<Shared>, index: usize) {
    let seat = &shared.seats[index];
    seat.sit_down(sync::current());
    current::occupy(shared, seat, || shared.work_until(&mut Context::new(shared, seat), &Closing));
}
