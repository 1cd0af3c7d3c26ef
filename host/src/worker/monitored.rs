//! Workers that are watched: one that dies or falls silent is replaced.

use divvy::retry::{Backoff, Retry};
use divvy::rng::SplitMix64;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How [`MonitoredWorkers`] are watched.
#[derive(Clone, Copy, Debug)]
pub struct MonitorConfig {
    workers: usize,
    silence: Duration,
    restarts: u32,
    pause: Duration,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self { workers: 1, silence: Duration::from_secs(30), restarts: 10, pause: Duration::from_millis(10) }
    }
}

impl MonitorConfig {
    /// One worker, that may be silent for 30 seconds and is replaced ten times at most, after a pause of 10 ms that grows.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many workers.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// How long a worker may go without a beat before it counts as stuck.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// How often a worker is replaced without having given a beat in between, before its place stays empty.
    pub fn restarts(mut self, restarts: u32) -> Self {
        self.restarts = restarts;
        self
    }

    /// The pause before the second replacement in a row; each further one doubles, up to a thousand times.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Starts the workers: threads that run `work` with a [`Pulse`] each until it returns.
    ///
    /// # Errors
    ///
    /// [`MonitorError`]; nothing is left running.
    pub fn start(
        self,
        work: impl Fn(&Pulse) + Send + Sync + 'static,
    ) -> Result<MonitoredWorkers, MonitorError> {
        if self.workers == 0 {
            return Err(MonitorError::NoWorkers);
        }
        if self.silence.is_zero() {
            return Err(MonitorError::NoSilence);
        }
        let pause = self.pause.max(Duration::from_nanos(1));
        let backoff = Backoff::new(pause, pause.saturating_mul(1_000)).map_err(|_| MonitorError::Pause)?;
        let places = (0..self.workers).map(|_| Place::default()).collect();
        let shared = Arc::new(Shared {
            config: self,
            backoff,
            work: Box::new(work),
            state: Mutex::new(State { places, ending: false }),
            changed: Condvar::new(),
        });
        for index in 0..self.workers {
            if let Err(error) = shared.fill(&mut shared.lock(), index) {
                shared.end();
                return Err(MonitorError::Thread(error));
            }
        }
        let watched = Arc::clone(&shared);
        let monitor = thread::Builder::new().name("divvy-monitor".to_owned()).spawn(move || watched.watch());
        match monitor {
            Ok(monitor) => Ok(MonitoredWorkers { shared, monitor: Some(monitor) }),
            Err(error) => {
                shared.end();
                Err(MonitorError::Thread(error))
            }
        }
    }
}

/// Why no workers were started.
#[derive(Debug)]
#[non_exhaustive]
pub enum MonitorError {
    /// Nobody to watch. Remedy: at least one worker.
    NoWorkers,
    /// Every worker would be stuck at once. Remedy: a silence above zero.
    NoSilence,
    /// The pause is too long to be doubled. Remedy: a shorter one.
    Pause,
    /// The system starts no more threads. Remedy: fewer workers; see the system's reason.
    Thread(std::io::Error),
}

impl fmt::Display for MonitorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("there is nobody to watch; ask for at least one worker"),
            Self::NoSilence => f.write_str("every worker would be stuck at once; allow a silence above zero"),
            Self::Pause => f.write_str("the pause is too long; choose one of hours at most"),
            Self::Thread(error) => write!(f, "a worker's thread cannot be started: {error}; ask for fewer"),
        }
    }
}

impl std::error::Error for MonitorError {}

/// Threads that are watched.
///
/// Each worker gives a sign of life with [`Pulse::beat`], once per piece of work or more. One that panics is replaced; so is
/// one that is silent for too long: a thread cannot be ended from outside, so it is given up, its replacement starts, and
/// when it comes back [`Pulse::beat`] tells it that it was replaced. What such a late one does in the meantime is why a piece
/// of work should be finished under a [`Lease`](divvy::lease::Lease).
///
/// *When not to use it:* where a worker that hangs must release its memory and its files: a thread that is given up keeps
/// them. [`ProcessPool`](super::process::ProcessPool) kills.
///
/// # Examples
///
/// ```
/// use divvy_host::worker::{Health, MonitorConfig, MonitorError};
/// use std::sync::Mutex;
///
/// let jobs = Mutex::new(vec![3, 0, 2, 1]);
/// let workers = MonitorConfig::new().workers(1).start(move |pulse| {
///     // A job of 0 kills its worker; the next one goes on with the others.
///     while let Some(job) = { jobs.lock().unwrap_or_else(|dead| dead.into_inner()).pop() } {
///         let _ = 6 / job;
///         if pulse.beat().is_err() {
///             return;
///         }
///     }
/// })?;
/// let reports = workers.join();
/// assert_eq!((reports[0].health, reports[0].beats, reports[0].panics), (Health::Ended, 3, 1));
///
/// assert!(matches!(MonitorConfig::new().workers(0).start(|_| ()), Err(MonitorError::NoWorkers)));
/// # Ok::<(), MonitorError>(())
/// ```
///
/// # Concurrency
///
/// One more thread watches. It sleeps until the next worker could be stuck: as often as the silence at most, and it does not
/// wake up for beats. Dropping the handle asks all workers to end (their next beat says so) and waits for those that are
/// not stuck.
pub struct MonitoredWorkers {
    shared: Arc<Shared>,
    monitor: Option<thread::JoinHandle<()>>,
}

/// How a worker is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Health {
    /// It gives beats.
    Beating,
    /// It died or was given up, and the next one has not started yet.
    Restarting,
    /// It returned by itself.
    Ended,
    /// It was replaced too often without a beat: its place stays empty.
    GivenUp,
}

/// What is known of a worker's place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WorkerReport {
    /// How it is.
    pub health: Health,
    /// Beats of all who had the place.
    pub beats: u64,
    /// How long ago the last one was, or the start of who has the place now; `None` while nobody has it.
    pub silent_for: Option<Duration>,
    /// How often a worker of this place panicked.
    pub panics: u32,
    /// How often one was silent for too long.
    pub stuck: u32,
}

/// A worker was replaced, or all are asked to end: it should return, and finish nothing more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Replaced;

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this worker was replaced, or all are to end; return without finishing anything more")
    }
}

impl std::error::Error for Replaced {}

/// A worker's sign of life.
#[derive(Debug)]
pub struct Pulse {
    begin: Instant,
    /// Nanoseconds from `begin` to the last beat. Written by the worker, read by the monitor.
    last: AtomicU64,
    beats: AtomicU64,
    /// Set by the monitor once and for all.
    over: AtomicBool,
}

impl Pulse {
    /// Says that this worker is alive and gets on. Two stores and a look at the clock.
    ///
    /// # Errors
    ///
    /// [`Replaced`]: return, and finish nothing more.
    pub fn beat(&self) -> Result<(), Replaced> {
        if self.over.load(Ordering::Acquire) {
            return Err(Replaced);
        }
        self.last.store(self.since_begin(), Ordering::Relaxed);
        // Only this worker writes.
        self.beats.store(self.beats.load(Ordering::Relaxed) + 1, Ordering::Release);
        Ok(())
    }

    fn since_begin(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn silent_for(&self) -> Duration {
        Duration::from_nanos(self.since_begin().saturating_sub(self.last.load(Ordering::Relaxed)))
    }
}

struct Shared {
    config: MonitorConfig,
    backoff: Backoff,
    work: Box<dyn Fn(&Pulse) + Send + Sync>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    places: Vec<Place>,
    ending: bool,
}

/// Where a worker is, and those before it were.
struct Place {
    pulse: Option<Arc<Pulse>>,
    health: Health,
    /// Beats of those before.
    beats: u64,
    panics: u32,
    stuck: u32,
    /// Replacements since the last beat.
    in_a_row: u32,
    not_before: Option<Instant>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            pulse: None,
            health: Health::Restarting,
            beats: 0,
            panics: 0,
            stuck: 0,
            in_a_row: 0,
            not_before: None,
        }
    }
}

impl Place {
    /// Its worker is gone, or is to be as good as gone.
    fn clear(&mut self) -> bool {
        let Some(pulse) = self.pulse.take() else { return false };
        pulse.over.store(true, Ordering::Release);
        let beats = pulse.beats.load(Ordering::Acquire);
        self.beats += beats;
        beats > 0
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a worker in a place that is empty.
    fn fill(self: &Arc<Self>, state: &mut State, index: usize) -> std::io::Result<()> {
        let pulse = Arc::new(Pulse {
            begin: Instant::now(),
            last: AtomicU64::new(0),
            beats: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let (shared, own) = (Arc::clone(self), Arc::clone(&pulse));
        thread::Builder::new().name(format!("divvy-worker-{index}")).spawn(move || {
            let result = panic::catch_unwind(AssertUnwindSafe(|| (shared.work)(&own)));
            shared.left(index, &own, result.is_err());
        })?;
        let place = &mut state.places[index];
        (place.pulse, place.health, place.not_before) = (Some(pulse), Health::Beating, None);
        Ok(())
    }

    /// A worker's thread is about to end.
    fn left(&self, index: usize, pulse: &Arc<Pulse>, panicked: bool) {
        let mut state = self.lock();
        let ending = state.ending;
        let place = &mut state.places[index];
        // One that was given up has no place any more.
        if place.pulse.as_ref().is_some_and(|current| Arc::ptr_eq(current, pulse)) {
            let has_beaten = place.clear();
            if panicked {
                place.panics += 1;
                self.plan(place, has_beaten);
            } else {
                place.health = Health::Ended;
            }
            if ending {
                place.health = Health::Ended;
            }
            self.changed.notify_all();
        }
    }

    /// When the next worker of this place starts, if there is to be one.
    fn plan(&self, place: &mut Place, has_beaten: bool) {
        place.in_a_row = if has_beaten { 0 } else { place.in_a_row + 1 };
        if place.in_a_row > self.config.restarts {
            place.health = Health::GivenUp;
            return;
        }
        place.health = Health::Restarting;
        let mut rng = SplitMix64::seed(u64::from(place.panics) << 32 | u64::from(place.stuck));
        let wait = match self.backoff.next(divvy::Instant::ZERO, place.in_a_row, &mut rng) {
            // The first replacement comes at once.
            Retry::At(at) if place.in_a_row > 1 => at.saturating_duration_since(divvy::Instant::ZERO),
            _ => Duration::ZERO,
        };
        place.not_before = Some(Instant::now() + wait);
    }

    /// The monitor: sleeps until something may have to be done.
    fn watch(self: Arc<Self>) {
        let mut state = self.lock();
        loop {
            if state.ending {
                return;
            }
            let mut next: Option<Duration> = None;
            let mut sooner = |at: Duration| next = Some(next.map_or(at, |next| next.min(at)));
            for index in 0..state.places.len() {
                let place = &mut state.places[index];
                if let Some(pulse) = &place.pulse {
                    let silent = pulse.silent_for();
                    if silent < self.config.silence {
                        sooner(self.config.silence - silent);
                        continue;
                    }
                    place.stuck += 1;
                    let has_beaten = place.clear();
                    self.plan(place, has_beaten);
                }
                if place.health != Health::Restarting {
                    continue;
                }
                let wait = place
                    .not_before
                    .map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
                if wait.is_zero() {
                    // Where the system starts no thread now, it is asked again later.
                    if self.fill(&mut state, index).is_err() {
                        let place = &mut state.places[index];
                        self.plan(place, false);
                    }
                    sooner(self.config.silence);
                } else {
                    sooner(wait);
                }
            }
            // All at rest: this thread has nothing to wait for but the end.
            state = match next {
                Some(next) => {
                    let wait = next.max(Duration::from_millis(1));
                    self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        state.ending = true;
        for pulse in state.places.iter().filter_map(|place| place.pulse.as_ref()) {
            pulse.over.store(true, Ordering::Release);
        }
        self.changed.notify_all();
    }

    fn reports(&self, state: &State) -> Vec<WorkerReport> {
        let report = |place: &Place| WorkerReport {
            health: place.health,
            beats: place.beats + place.pulse.as_ref().map_or(0, |pulse| pulse.beats.load(Ordering::Acquire)),
            silent_for: place.pulse.as_ref().map(|pulse| pulse.silent_for()),
            panics: place.panics,
            stuck: place.stuck,
        };
        state.places.iter().map(report).collect()
    }
}

impl MonitoredWorkers {
    /// How each of them is.
    pub fn reports(&self) -> Vec<WorkerReport> {
        self.shared.reports(&self.shared.lock())
    }

    /// Waits until each has ended by itself or its place stays empty.
    pub fn join(self) -> Vec<WorkerReport> {
        let mut state = self.shared.lock();
        while state.places.iter().any(|place| !matches!(place.health, Health::Ended | Health::GivenUp)) {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.shared.reports(&state)
    }
}

impl Drop for MonitoredWorkers {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(monitor) = self.monitor.take() {
            _ = monitor.join();
        }
        // Those that are alive see it at their next beat, and those that were given up are not waited for.
        let deadline = Instant::now() + self.shared.config.silence;
        let mut state = self.shared.lock();
        while state.places.iter().any(|place| place.pulse.is_some()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl fmt::Debug for MonitoredWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitoredWorkers").field("reports", &self.reports()).finish_non_exhaustive()
    }
}
