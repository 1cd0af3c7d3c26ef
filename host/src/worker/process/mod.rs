//! A pool of child processes that answer requests through pipes.

mod child;
mod error;
mod framing;

pub use error::{BuildError, CallError};
pub use framing::Framing;

use child::Child;
use divvy::retry::{Backoff, Retry};
use divvy::rng::SplitMix64;
use std::fmt;
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The pauses before a process that keeps dying is started again.
const BACKOFF: Backoff = match Backoff::new(Duration::from_millis(10), Duration::from_secs(5)) {
    Ok(backoff) => backoff,
    Err(_) => panic!("these are pauses"),
};

/// How a [`ProcessPool`] is to be.
pub struct Builder {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    processes: usize,
    framing: Framing,
    timeout: Option<Duration>,
    retries: u32,
    grace: Duration,
    longest_reply: usize,
}

impl Builder {
    /// How many processes: those of the machine's cores by default.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes;
        self
    }

    /// How messages are told apart: [`Framing::Lines`] by default.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// How long a process may take for a request before it is killed: for ever by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often a request is given to another process after one died of it or was killed: never by default, as a request
    /// may have had an effect.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long processes may take to end once their input is closed, before they are killed: two seconds by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The longest reply that is taken: 64 MiB by default. A process that sends a longer one is killed.
    pub fn longest_reply(mut self, bytes: usize) -> Self {
        self.longest_reply = bytes;
        self
    }

    /// Starts all processes.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: no processes were asked for, or one cannot be started; those that were have been ended.
    pub fn build(self) -> Result<ProcessPool, BuildError> {
        if self.processes == 0 {
            return Err(BuildError::NoProcesses);
        }
        let mut seats = Vec::new();
        for _ in 0..self.processes {
            let child = match Child::start((self.command)()) {
                Ok(child) => child,
                Err(error) => {
                    end_all(&mut seats, self.grace);
                    return Err(BuildError::Start(error));
                }
            };
            seats.push(Seat { child: Some(child), falls: 0, not_before: None });
        }
        let stats = Stats { processes: self.processes, ..Stats::default() };
        Ok(ProcessPool {
            config: self,
            state: Mutex::new(State { free: seats, stats }),
            freed: Condvar::new(),
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("processes", &self.processes)
            .field("framing", &self.framing)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// Child processes that answer requests, one at a time each: for work that crashes, leaks, hangs, or is written in another
/// language.
///
/// A process that dies takes down nothing but its request: it is started again, after pauses that grow while it keeps dying.
/// One that does not answer in time is killed with all that it started, and so is one that talks out of turn, since its
/// next words could be taken for an answer.
///
/// *When not to use it:* for work that can be trusted: a thread needs no pipe ([`Pool`](crate::pool::Pool)).
///
/// # Examples
///
/// ```
/// use divvy_host::worker::process::{CallError, ProcessPool};
/// use std::process::Command;
///
/// // Any program that answers each line with a line:
/// let pool = ProcessPool::builder(|| {
///     let mut command = Command::new("awk");
///     command.arg(r#"$0 == "die" { exit 3 } { print toupper($0); fflush() }"#);
///     command
/// })
/// .processes(1)
/// .build()?;
///
/// assert_eq!(pool.call(b"hello")?, b"HELLO");
/// // A request that kills its process is an error, and the next one meets a new process:
/// assert!(matches!(pool.call(b"die"), Err(CallError::Died(Some(status))) if status.code() == Some(3)));
/// assert_eq!(pool.call(b"again")?, b"AGAIN");
/// assert_eq!(pool.stats().restarts, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Concurrency
///
/// [`call`](Self::call) may be made by any number of threads; those for whom there is no process wait for one, in no given
/// order. Nothing is queued inside: a request is its caller's until it is answered. Dropping the pool closes the inputs of
/// all processes, which tells them to end, and kills those that have not after the grace time.
pub struct ProcessPool {
    config: Builder,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    free: Vec<Seat>,
    stats: Stats,
}

/// A place for a process.
struct Seat {
    child: Option<Child>,
    /// How often its process had to be replaced since it last answered.
    falls: u32,
    /// When it may be started again.
    not_before: Option<Instant>,
}

/// What became of the requests so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// How many processes there are.
    pub processes: usize,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests of which a process died, each time counted.
    pub died: u64,
    /// Requests that took too long, each time counted.
    pub timed_out: u64,
    /// Processes that were started again.
    pub restarts: u64,
}

impl ProcessPool {
    /// A pool of processes, each started by what `command` answers. Its standard input and output become pipes.
    pub fn builder(command: impl Fn() -> Command + Send + Sync + 'static) -> Builder {
        Builder {
            command: Box::new(command),
            processes: thread::available_parallelism().map_or(1, usize::from),
            framing: Framing::default(),
            timeout: None,
            retries: 0,
            grace: Duration::from_secs(2),
            longest_reply: 64 << 20,
        }
    }

    /// Gives `request` to a process that is free, waiting for one if need be, and answers its reply.
    ///
    /// # Errors
    ///
    /// [`CallError`]. Whether the request had an effect is not known after [`CallError::Died`] and
    /// [`CallError::TimedOut`]; it had none after [`CallError::NotALine`] and [`CallError::Start`].
    pub fn call(&self, request: &[u8]) -> Result<Vec<u8>, CallError> {
        let request = self.config.framing.wrap(request)?;
        let mut tries = 0;
        loop {
            let answer = self.try_once(&request);
            let again = matches!(answer, Err(CallError::Died(_) | CallError::TimedOut));
            if !again || tries == self.config.retries {
                return answer;
            }
            tries += 1;
        }
    }

    fn try_once(&self, request: &[u8]) -> Result<Vec<u8>, CallError> {
        // Whatever happens, a panic too, the seat comes back.
        let mut seat = Borrowed { pool: self, seat: Some(self.take_seat()) };
        let place = seat.get();
        // One that ended while nobody asked it, or said something, is replaced before it is given anything.
        let ready = place.child.take().and_then(|mut child| match child.is_ready() {
            true => Some(child),
            false => {
                child.kill();
                place.fell();
                None
            }
        });
        let mut child = match ready {
            Some(child) => child,
            None => self.start_again(place)?,
        };
        let deadline = self.config.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let answer = child.exchange(self.config.framing, request, self.config.longest_reply, deadline);
        match &answer {
            Ok(_) => {
                place.child = Some(child);
                place.falls = 0;
                self.lock().stats.answered += 1;
            }
            Err(error) => {
                child.kill();
                place.fell();
                let stats = &mut self.lock().stats;
                match error {
                    CallError::TimedOut => stats.timed_out += 1,
                    _ => stats.died += 1,
                }
            }
        }
        answer
    }

    fn take_seat(&self) -> Seat {
        let mut state = self.lock();
        loop {
            // The one that answered last: it is warm, and one that keeps dying is left alone.
            let ready =
                state.free.iter().rposition(|seat| seat.child.is_some()).or(state.free.len().checked_sub(1));
            match ready {
                Some(at) => return state.free.remove(at),
                None => state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn start_again(&self, seat: &mut Seat) -> Result<Child, CallError> {
        if let Some(wait) = seat.not_before.and_then(|at| at.checked_duration_since(Instant::now())) {
            thread::sleep(wait);
        }
        match Child::start((self.config.command)()) {
            Ok(child) => {
                self.lock().stats.restarts += 1;
                Ok(child)
            }
            Err(error) => {
                seat.fell();
                Err(CallError::Start(error))
            }
        }
    }

    /// What became of the requests so far.
    pub fn stats(&self) -> Stats {
        self.lock().stats
    }

    /// The ids of the processes that wait for a request now.
    pub fn idle_processes(&self) -> Vec<u32> {
        self.lock().free.iter().filter_map(|seat| seat.child.as_ref().map(Child::id)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Its process is gone: says when the next one may start.
    fn fell(&mut self) {
        let mut rng = SplitMix64::seed(u64::from(self.falls) ^ u64::from(std::process::id()) << 32);
        let wait = match BACKOFF.next(divvy::Instant::ZERO, self.falls, &mut rng) {
            Retry::At(at) => at.saturating_duration_since(divvy::Instant::ZERO),
            Retry::GiveUp => Duration::ZERO,
        };
        // The first time at once: one request that kills says nothing about the next one.
        self.not_before = (self.falls > 0).then(|| Instant::now() + wait);
        self.falls = self.falls.saturating_add(1);
    }
}

struct Borrowed<'a> {
    pool: &'a ProcessPool,
    seat: Option<Seat>,
}

impl Borrowed<'_> {
    fn get(&mut self) -> &mut Seat {
        self.seat.get_or_insert(Seat { child: None, falls: 0, not_before: None })
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.pool.lock().free.push(seat);
            self.pool.freed.notify_one();
        }
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        let grace = self.config.grace;
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        end_all(&mut state.free, grace);
    }
}

/// Ends all of them at once, so that one grace time is enough.
fn end_all(seats: &mut Vec<Seat>, grace: Duration) {
    let deadline = Instant::now() + grace;
    let children: Vec<Child> = seats.drain(..).filter_map(|seat| seat.child).collect();
    let mut children: Vec<Option<Child>> = children.into_iter().map(Some).collect();
    // First close every input, then wait.
    children.iter_mut().flatten().for_each(Child::close);
    children.into_iter().flatten().for_each(|child| child.end(deadline));
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool").field("config", &self.config).field("stats", &self.stats()).finish()
    }
}
