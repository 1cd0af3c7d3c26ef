//! Calls to a service that may be slow, broken or overloaded, under the real clock.
//!
//! The core's protections (breaker, bulkhead, rate limit, budget, retries, hedges) around a closure ([`Call::run`]) or a
//! future ([`Call::run_async`]), each optional and all in the order in which they work. See [`Call`].

mod blocking;
mod clock;
mod future;
mod guard;
mod outcome;
mod stats;

pub use blocking::Classified;
pub use clock::{Clock, SystemClock};
pub use guard::Guard;
pub use outcome::{CallError, Class, Refusal, Refused, Stop};
pub use stats::CallStats;

use divvy::Instant;
use divvy::breaker::{Admit, Outcome, Rules, SharedBreaker, SharedCountWindow, State};
use divvy::limit::{self, Quota, SharedBulkhead, SharedGcra};
use divvy::retry::{
    Backoff, BudgetConfig, Hedge, HedgeConfig, HedgeError, HedgeStats, HedgeStep, Retry, SharedBudget, Spend,
};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::storage::Heap;
use stats::Counters;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The breaker of a [`Call`]: it counts the last calls, and any number of threads share it.
pub type Breaker = SharedBreaker<SharedCountWindow<Heap>, Heap>;

/// The longest latency that a hedge tells apart.
const LONGEST: Duration = Duration::from_secs(600);
/// Of how many calls the breaker knows how they went.
const WINDOW: u32 = 100;

/// How one service is called: which protections it has, and their state.
///
/// Keep one for each service that is called and share it, by reference or in an [`Arc`]: what one caller learns protects
/// the others. Each call goes through what there is of the following, from the outside in:
///
/// 1. the [time-out](Self::timeout) of the whole call;
/// 2. [retries](Self::retry), paid from the [budget](Self::budget);
/// 3. [hedges](Self::hedge), paid from the same budget (futures only);
/// 4. for each attempt the [bulkhead](Self::bulkhead), the [breaker](Self::breaker) and the [rate limit](Self::rate). What
///    can be given back is asked first, so that a refusal costs nothing;
/// 5. the [time-out of an attempt](Self::attempt_timeout), and the closure or future itself.
///
/// A call that is refused has not begun; one that has begun gives back what it holds, whether it returns, panics, or its
/// future is dropped at any point.
///
/// *When not to use it:* with retries or hedges, for what must not happen twice and has no idempotency key; and within a
/// service that its callers protect in the same way: retries at one level are enough.
///
/// # Examples
///
/// ```
/// use divvy::breaker::Config;
/// use divvy::retry::Backoff;
/// use divvy_host::call::{Call, CallError, Refusal};
/// use std::num::NonZeroU32;
/// use std::time::Duration;
///
/// let ten = NonZeroU32::new(10).expect("ten is not zero");
/// let call = Call::new()
///     .breaker(Config::new().consecutive(ten).build()?)
///     .bulkhead(64)
///     .retry(Backoff::new(Duration::from_millis(1), Duration::from_millis(4))?.attempts(ten));
///
/// // It fails twice, and nobody notices:
/// let mut failures = 2;
/// let answer = call.run(|| {
///     if failures > 0 {
///         failures -= 1;
///         return Err("connection reset");
///     }
///     Ok(42)
/// });
/// assert_eq!(answer, Ok(42));
///
/// // It fails for good. The breaker opens, and the next caller is told at once:
/// let broken = || Err::<(), _>("connection refused");
/// assert!(matches!(call.run(broken), Err(CallError::GaveUp { last: Some("connection refused"), .. })));
/// let Err(CallError::Refused(refused)) = call.run(broken) else { unreachable!("ten failed in a row") };
/// assert!(matches!(refused.why, Refusal::Breaker(_)));
/// assert!(refused.retry_after.is_some_and(|after| after <= Duration::from_secs(60)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Time
///
/// Of the [clock](Self::clock). A closure cannot be interrupted: for it, the time-out of the call only says that no
/// further attempt begins, and there is none for an attempt.
///
/// # Concurrency
///
/// Threads share all of it without a lock, except for the percentile of a hedge and the chance of a back-off,
/// each behind a mutex for some tens of nanoseconds and never while anything waits.
///
/// # References
///
/// Nygard: *Release It!*, 2007. *Site Reliability Engineering*, chapter 22. Dean, Barroso: *The Tail at Scale*, 2013.
#[derive(Debug)]
#[must_use]
pub struct Call {
    clock: Box<dyn Clock>,
    breaker: Option<Arc<Breaker>>,
    bulkhead: Option<SharedBulkhead>,
    rate: Option<SharedGcra>,
    budget: Option<Arc<SharedBudget>>,
    retry: Option<Backoff>,
    hedge: Option<Mutex<Hedge<Heap>>>,
    timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    dropped: Outcome,
    panicked: Outcome,
    rng: Mutex<Xoshiro256PlusPlus>,
    counters: Counters,
}

impl Default for Call {
    fn default() -> Self {
        Self::new()
    }
}

/// How it is made.
impl Call {
    /// No protection yet but the default [budget](Self::budget), which matters once something is tried again.
    pub fn new() -> Self {
        // Two processes that fail together must not come back together.
        let seed = RandomState::new().build_hasher().finish();
        let budget = SharedBudget::new(BudgetConfig::new()).expect("the default budget is valid");
        Self {
            clock: Box::new(SystemClock::new()),
            breaker: None,
            bulkhead: None,
            rate: None,
            budget: Some(Arc::new(budget)),
            retry: None,
            hedge: None,
            timeout: None,
            attempt_timeout: None,
            dropped: Outcome::Ignored,
            panicked: Outcome::Failure,
            rng: Mutex::new(Xoshiro256PlusPlus::seed(seed)),
            counters: Counters::default(),
        }
    }

    /// Refuses attempts while too many fail: a breaker with these rules over the last hundred calls.
    pub fn breaker(self, rules: Rules) -> Self {
        let window = SharedCountWindow::with_capacity(WINDOW).expect("a hundred calls are a window");
        self.shared_breaker(Arc::new(SharedBreaker::with_capacity(rules, window)))
    }

    /// The same with a breaker that others use too, or whose window is another one.
    pub fn shared_breaker(mut self, breaker: Arc<Breaker>) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Refuses attempts while `limit` are under way.
    pub fn bulkhead(mut self, limit: u32) -> Self {
        self.bulkhead = Some(SharedBulkhead::new(limit));
        self
    }

    /// Refuses attempts beyond this rate. Retries and hedges count as well: the rate is what the service sees.
    pub fn rate(mut self, quota: Quota) -> Self {
        self.rate = Some(SharedGcra::new(quota));
        self
    }

    /// What retries and hedges are paid from: a share of the first attempts, of this call and of all that have the same
    /// budget. Unless said otherwise it is one of its own with the defaults: a fifth, and ten a second.
    pub fn budget(mut self, budget: Arc<SharedBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Nothing bounds retries and hedges but the number of attempts of each call. While the service is down, all calls
    /// together send it that many times their load.
    pub fn without_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    /// Tries again what failed in a way that may pass, and what had no answer in time. Without
    /// [`Backoff::attempts`] only the budget and the time-out end it.
    pub fn retry(mut self, backoff: Backoff) -> Self {
        self.retry = Some(backoff);
        self
    }

    /// Sends a second attempt when the first takes longer than a percentile of the latest calls. The first good answer
    /// wins; the future of the other attempt is dropped, which must not do harm (see [`Hedge`]). Closures are never hedged:
    /// they could not be called off.
    ///
    /// # Errors
    ///
    /// [`HedgeError`]
    pub fn hedge(mut self, config: HedgeConfig) -> Result<Self, HedgeError> {
        self.hedge = Some(Mutex::new(Hedge::with_longest(config, LONGEST)?));
        Ok(self)
    }

    /// How long a call may take with all its attempts and waits. An attempt that it ends counts as a failure if it is the
    /// first; a later one had less time than it was meant to have, and counts nowhere.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long the future of an attempt may take. What takes longer counts as a failure that may pass.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// What the breaker is told of an attempt whose future was dropped: [`Outcome::Ignored`] unless said otherwise.
    pub fn when_dropped(mut self, outcome: Outcome) -> Self {
        self.dropped = outcome;
        self
    }

    /// What the breaker is told of an attempt that panicked: [`Outcome::Failure`] unless said otherwise.
    pub fn when_panicked(mut self, outcome: Outcome) -> Self {
        self.panicked = outcome;
        self
    }

    /// Reads the time from `clock`.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Draws the waits between attempts from `seed` instead of a random one, so that they are the same each time.
    pub fn seed(mut self, seed: u64) -> Self {
        self.rng = Mutex::new(Xoshiro256PlusPlus::seed(seed));
        self
    }
}

/// How it is used.
impl Call {
    /// Calls `f`, again if need be, in this thread. `Err` is a failure that may pass; see
    /// [`classified`](Self::classified).
    ///
    /// # Errors
    ///
    /// [`CallError`]
    pub fn run<T, E>(&self, f: impl FnMut() -> Result<T, E>) -> Result<T, CallError<E>> {
        self.classified(Class::of).run(f)
    }

    /// Awaits the future that `f` makes, and further ones if need be. `Err` is a failure that may pass; see
    /// [`classified`](Self::classified).
    ///
    /// Whoever drops this drops the attempts that are under way, and all that they hold is given back. With a time-out,
    /// retries or hedges it must be awaited in a tokio runtime that has its timer enabled.
    ///
    /// ```
    /// # use divvy_host::call::Call;
    /// # use std::time::Duration;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let call = Call::new().bulkhead(64).timeout(Duration::from_secs(1));
    /// let answer = call.run_async(|| async { Ok::<_, std::io::Error>("pong") }).await;
    /// assert!(matches!(answer, Ok("pong")));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`]
    pub async fn run_async<T, E, Fut>(&self, f: impl FnMut() -> Fut) -> Result<T, CallError<E>>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        self.classified(Class::of).run_async(f).await
    }

    /// The same calls, with `class` to say what an answer means. An `Ok` that is a failure is returned as it is when there
    /// is no further attempt.
    ///
    /// ```
    /// # use divvy_host::call::{Call, CallError, Class};
    /// let call = Call::new();
    /// let status = |answer: &Result<u16, std::io::Error>| match answer {
    ///     Ok(429 | 500..) | Err(_) => Class::Transient,
    ///     Ok(400..) => Class::Ignored,
    ///     Ok(_) => Class::Success,
    /// };
    /// assert!(matches!(call.classified(status).run(|| Ok(404)), Ok(404)));
    /// ```
    pub fn classified<C>(&self, class: C) -> Classified<'_, C> {
        Classified { call: self, class }
    }

    /// Leave to make one attempt, for whoever makes it in a way of their own.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing was spent.
    pub fn admit(&self) -> Result<Guard<'_>, Refused> {
        let guard = self.enter()?;
        self.deposit();
        Ok(guard)
    }

    /// What it has seen so far.
    #[must_use]
    pub fn stats(&self) -> CallStats {
        self.counters.stats()
    }

    /// What the breaker does with calls now, if there is one. To look closer or to force it, keep a clone of the
    /// [`shared_breaker`](Self::shared_breaker).
    #[must_use]
    pub fn breaker_state(&self) -> Option<State> {
        self.breaker.as_ref().map(|breaker| breaker.state(self.clock.now()))
    }

    /// How many attempts are under way, if there is a bulkhead.
    #[must_use]
    pub fn in_flight(&self) -> Option<u32> {
        self.bulkhead.as_ref().map(SharedBulkhead::in_flight)
    }

    /// What the hedge has learned, if there is one.
    #[must_use]
    pub fn hedge_stats(&self) -> Option<HedgeStats> {
        self.hedge.as_ref().map(|hedge| lock(hedge).stats())
    }
}

/// Locks what no panic can leave half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Call {
    /// Asks every protection, in the order in which what was given can be given back.
    fn enter(&self) -> Result<Guard<'_>, Refused> {
        let now = self.clock.now();
        let refused = |why, retry_at: Option<Instant>| {
            self.counters.refused.count();
            let after = |at: Instant| (at < Instant::MAX).then(|| at.saturating_duration_since(now));
            Refused { why, retry_after: retry_at.and_then(after) }
        };
        let place = match &self.bulkhead {
            Some(bulkhead) => Some(bulkhead.admit().ok_or_else(|| refused(Refusal::Bulkhead, None))?),
            None => None,
        };
        let pass = match self.breaker.as_ref().map(|breaker| breaker.admit(now)) {
            Some(Admit::Yes(pass)) => Some(pass),
            Some(Admit::No { retry_at, why }) => return Err(refused(Refusal::Breaker(why), Some(retry_at))),
            None => None,
        };
        if let Some(limit::Admit::No { retry_at }) = self.rate.as_ref().map(|rate| rate.admit(now)) {
            if let (Some(breaker), Some(pass)) = (&self.breaker, pass) {
                // It was not called after all.
                let _ = breaker.complete(now, pass, Outcome::Ignored);
            }
            return Err(refused(Refusal::Rate, Some(retry_at)));
        }
        Ok(Guard::new(self, pass, place))
    }

    /// A first attempt is made.
    fn deposit(&self) {
        if let Some(budget) = &self.budget {
            budget.deposit(self.clock.now());
        }
    }

    /// When to try again what began at `began` and failed `attempts` times. The retry is paid for.
    fn again(&self, began: Instant, attempts: u32) -> Result<Instant, Stop> {
        let now = self.clock.now();
        let at = match self.retry.map(|backoff| backoff.next(now, attempts, &mut *lock(&self.rng))) {
            Some(Retry::At(at)) => at,
            Some(Retry::GiveUp) | None => return Err(Stop::Attempts),
        };
        if self.timeout.is_some_and(|timeout| at >= began.saturating_add(timeout)) {
            return Err(Stop::Time);
        }
        // No use in waiting for a breaker that is open for longer.
        if let Some(breaker) = &self.breaker
            && let State::Open { until } = breaker.state(now)
            && until > at
        {
            return Err(Stop::Refused(Refusal::Breaker(divvy::breaker::Rejection::Open)));
        }
        match self.budget.as_ref().map(|budget| budget.withdraw(now)) {
            Some(Spend::No { .. }) => Err(Stop::Budget),
            Some(Spend::Yes) | None => Ok(at),
        }
    }

    /// What the hedge says about a call that began at `began`.
    fn ask(&self, hedge: &Mutex<Hedge<Heap>>, began: Instant, sent: u32) -> HedgeStep {
        let (now, mut hedge) = (self.clock.now(), lock(hedge));
        match &self.budget {
            Some(budget) => hedge.ask(now, began, sent, &mut &**budget),
            None => hedge.due(now, began, sent),
        }
    }

    /// The end of a call that failed and is not tried again.
    fn give_up<T, E>(&self, attempts: u32, why: Stop, last: Option<Result<T, E>>) -> Result<T, CallError<E>> {
        match last {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) if self.retry.is_none() => Err(CallError::Failed(error)),
            None if self.retry.is_none() => Err(CallError::TimedOut),
            Some(Err(error)) => Err(CallError::GaveUp { attempts, why, last: Some(error) }),
            None => Err(CallError::GaveUp { attempts, why, last: None }),
        }
    }
}
