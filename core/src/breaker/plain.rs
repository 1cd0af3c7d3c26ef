//! A breaker with one owner.

use super::config::Rules;
use super::outcome::{Admit, NO_PROBE, Outcome, Pass, Rejection, Stale};
use super::stats::Stats;
use super::transition::{Cause, Counts, State, Transition};
use super::window::{CountWindow, Window};
use crate::lease::{Lease, Leases};
use crate::storage::{Inline, Storage};
use crate::time::Instant;
use core::fmt;

/// A circuit breaker: stops calling who fails, and asks again later, a little at a time.
///
/// While closed it lets every call through and counts how they went. Once they go badly enough ([`Config`](super::Config)
/// says how badly) it opens: no call goes through for a while, longer each time. Then it is half-open: a few calls go
/// through as probes, and what comes of them closes it or opens it again. A probe is a lease: if nobody reports on it
/// until its deadline, it counts as failed and its place is free. So nothing that callers do or leave undone can hold a
/// breaker half-open.
///
/// Rates are looked at when a call fails or is slow, never on a good one. A count rate trips with
/// `max(calls, minimum) × rate` failures, so a total failure trips within `size × rate` calls. What becomes of a call
/// admitted before a change of state does not count after it.
///
/// *When not to use it:* where calls fail for reasons of their own (bad arguments, missing files): say
/// [`Ignored`](Outcome::Ignored) for those. And not to limit how many calls run at once: that is a bulkhead.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::breaker::{Admit, Breaker, Config, ConfigError, CountWindow, Outcome, Rejection, State};
/// use divvy::fixed::Q32;
///
/// let two = NonZeroU32::new(2).expect("two is not zero");
/// let second = Duration::from_secs(1);
/// let rules = Config::empty()
///     .consecutive(two)
///     .open(second, 60 * second, Q32::from_int(2))
///     .jitter(Q32::ZERO)
///     .probes(NonZeroU32::MIN)
///     .build()?;
/// let mut breaker: Breaker = Breaker::new(rules, CountWindow::new());
///
/// for _ in 0..2 {
///     let Admit::Yes(pass) = breaker.admit(Instant::ZERO) else { unreachable!("it is closed") };
///     let _ = breaker.complete(Instant::ZERO, pass, Outcome::Failure);
/// }
/// // Open: calls are refused, and told when to come back.
/// let until = Instant::from_secs(1);
/// assert_eq!(breaker.admit(Instant::ZERO), Admit::No { retry_at: until, why: Rejection::Open });
///
/// // Half-open: one probe at a time, and this one closes it.
/// let Admit::Yes(probe) = breaker.admit(until) else { unreachable!("its time is over") };
/// assert!(matches!(breaker.admit(until), Admit::No { why: Rejection::Probing, .. }));
/// assert!(matches!(breaker.complete(until, probe, Outcome::Success), Ok(Some(_))));
/// assert_eq!(breaker.state(until), State::Closed);
/// # Ok::<(), ConfigError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) while closed or open, without a division. Half-open, admitting and completing are *O*(log probes), and
/// [`state`](Self::state) and [`stats`](Self::stats) *O*(probes²). A trip costs what
/// [`Backoff`](crate::retry::Backoff) costs. 528 bytes at most with 128 calls and 4 probes.
///
/// # Time
///
/// `now` is when a call begins, when it ended, or when somebody looks. A `now` earlier than one seen before is taken as
/// that one: a clock that goes back ends no open time early and makes no call slow. A clock that jumps ahead ends open
/// times and probes, as if that time had passed. Open times and probes end at their instants, however late somebody
/// looks. At [`Instant::MAX`] time has ended: a breaker that is open then stays so until it is [`reset`](Self::reset).
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # References
///
/// Nygard: *Release It!*, 2007, chapter 5. Fowler: *CircuitBreaker*, 2014.
pub struct Breaker<W: Window = CountWindow<Inline<4>>, P: Storage = Inline<4>> {
    /// The ticket of the passes while closed; one that no pass has, while not. It answers in one comparison whether the
    /// state is the usual one, and whether a pass belongs to it.
    ticket: u64,
    state: State,
    /// Counts the changes of state: which of them a pass belongs to.
    period: u32,
    /// Failures since the last success.
    run: u32,
    latest: Instant,
    window: W,
    calls: u64,
    rejected: u64,
    rules: Rules,
    failures: u64,
    slow: u64,
    ignored: u64,
    lost: u64,
    /// How often it opened since it was last closed.
    openings: u32,
    /// What came of the probes since it is half-open; those that were lost among the failures.
    probed: Counts,
    probes: Leases<P>,
    causes: [u32; Cause::COUNT],
    last: Option<Transition>,
}

/// Tickets from here on are those of calls that are no probes.
const CLOSED: u64 = (NO_PROBE as u64) << 32;

const fn ticket(state: State, period: u32) -> u64 {
    match state {
        State::Closed => CLOSED | period as u64,
        // No slot has this number, the largest but one.
        _ => CLOSED - 1,
    }
}

impl<W: Window, const P: usize> Breaker<W, Inline<P>> {
    /// A closed breaker that has seen nothing.
    #[must_use]
    pub const fn new(rules: Rules, window: W) -> Self {
        const { assert!(P > 0, "a breaker needs a slot for a probe") };
        Self::with_probes(rules, window, Leases::new())
    }
}

#[cfg(feature = "alloc")]
impl<W: Window> Breaker<W, crate::storage::Heap> {
    /// A closed breaker that has seen nothing, with as many slots as the rules have probes.
    #[must_use]
    pub fn with_capacity(rules: Rules, window: W) -> Self {
        Self::with_probes(rules, window, Leases::with_capacity(rules.probes.get()))
    }
}

impl<W: Window, P: Storage> Breaker<W, P> {
    const fn with_probes(rules: Rules, window: W, probes: Leases<P>) -> Self {
        Self {
            ticket: ticket(State::Closed, 0),
            state: State::Closed,
            period: 0,
            run: 0,
            latest: Instant::ZERO,
            window,
            calls: 0,
            rejected: 0,
            rules,
            failures: 0,
            slow: 0,
            ignored: 0,
            lost: 0,
            openings: 0,
            probed: Counts::NONE,
            probes,
            causes: [0; Cause::COUNT],
            last: None,
        }
    }

    /// May a call go now?
    #[inline]
    pub fn admit(&mut self, now: Instant) -> Admit {
        if now >= self.latest && self.ticket >= CLOSED {
            self.latest = now;
            return Admit::Yes(Pass { began: now, ticket: self.ticket });
        }
        if let State::Open { until } = self.state
            && now >= self.latest
            && now < until
        {
            self.latest = now;
            self.rejected += 1;
            return Admit::No { retry_at: until, why: Rejection::Open };
        }
        self.admit_otherwise(now)
    }

    /// Says how a call went, and what that changed, if anything.
    ///
    /// While the breaker is closed a pass is a plain ticket: who completes it twice is counted twice. A probe counts once.
    ///
    /// # Errors
    ///
    /// [`Stale`]: the outcome counts nowhere. Nothing changed but what the time itself changed.
    #[inline]
    pub fn complete(
        &mut self,
        now: Instant,
        pass: Pass,
        outcome: Outcome,
    ) -> Result<Option<Transition>, Stale> {
        // What took longer than is well, or belongs to another breaker and began in the future, goes the long way.
        let took = now.as_nanos().wrapping_sub(pass.began.as_nanos());
        if pass.ticket == self.ticket
            && outcome == Outcome::Success
            && now >= self.latest
            && took <= self.rules.slow_after
        {
            self.latest = now;
            self.run = 0;
            self.calls += 1;
            self.window.success(now);
            return Ok(None);
        }
        self.complete_otherwise(now, pass, outcome)
    }

    /// The state at `now`. Nothing changes.
    #[must_use]
    pub fn state(&self, now: Instant) -> State {
        let now = self.latest.max(now);
        let mut state = self.state;
        if state == State::HalfOpen
            && let Some(lost) = self.all_lost_at()
            && lost <= now
        {
            state = State::Open {
                until: lost.saturating_add(self.rules.open_time(self.openings.saturating_add(1))),
            };
        }
        match state {
            State::Open { until } if until <= now => State::HalfOpen,
            state => state,
        }
    }

    /// Lets no call through until it is [`reset`](Self::reset) or forced into another state.
    pub fn force_open(&mut self, now: Instant) -> Option<Transition> {
        self.force(now, State::ForcedOpen)
    }

    /// Lets every call through and counts, but never trips, until it is [`reset`](Self::reset) or forced into another
    /// state.
    pub fn force_closed(&mut self, now: Instant) -> Option<Transition> {
        self.force(now, State::ForcedClosed)
    }

    /// Lets every call through and counts nothing, until it is [`reset`](Self::reset) or forced into another state.
    pub fn disable(&mut self, now: Instant) -> Option<Transition> {
        self.force(now, State::Disabled)
    }

    /// Closes it, whatever its state, with an empty window and the shortest open time next. The sums of
    /// [`stats`](Self::stats) go on.
    pub fn reset(&mut self, now: Instant) -> Transition {
        self.advance(now);
        self.enter(self.latest, State::Closed, Cause::Reset)
    }

    /// When time alone next changes something: the end of the open time, or a probe's deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Open { until } => Some(until),
            State::HalfOpen => self.probes.next_deadline(),
            _ => None,
        }
    }

    /// Lets time pass: what is due happens at the instants it was due, and the last change is the answer. Every other call
    /// does it too; early and repeated ones do nothing.
    pub fn advance(&mut self, now: Instant) -> Option<Transition> {
        let now = self.clock(now);
        let mut change = None;
        // At most each probe, one opening and one end of the open time: then it is half-open without a probe.
        loop {
            match self.state {
                State::Open { until } if until <= now => {
                    change = Some(self.enter(until, State::HalfOpen, Cause::TimeOver));
                }
                State::HalfOpen => {
                    let Some(lease) = self.probes.reclaim(now) else { return change };
                    self.lost += 1;
                    if let Some(opened) = self.probe_failed(lease.deadline(), Cause::ProbeLost) {
                        change = Some(opened);
                    }
                }
                _ => return change,
            }
        }
    }

    /// What there is to see at `now`. Nothing changes.
    #[must_use]
    pub fn stats(&self, now: Instant) -> Stats {
        let now = self.latest.max(now);
        Stats {
            state: self.state(now),
            window: self.window.counts(now),
            probed: self.probed,
            probes: self.probes.deadlines().filter(|deadline| *deadline > now).count() as u32,
            calls: self.calls,
            failures: self.failures,
            slow: self.slow,
            ignored: self.ignored,
            rejected: self.rejected,
            lost: self.lost,
            openings: self.openings,
            causes: self.causes,
        }
    }

    /// The last change of state, and why.
    #[must_use]
    pub const fn last(&self) -> Option<Transition> {
        self.last
    }

    /// The calls that it judges by.
    #[must_use]
    pub const fn window(&self) -> &W {
        &self.window
    }

    /// What it goes by.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The latest time seen.
    fn clock(&mut self, now: Instant) -> Instant {
        self.latest = self.latest.max(now);
        self.latest
    }

    #[inline(never)]
    fn admit_otherwise(&mut self, now: Instant) -> Admit {
        self.advance(now);
        let now = self.latest;
        let (retry_at, why) = match self.state {
            State::Closed | State::ForcedClosed | State::Disabled => {
                return Admit::Yes(Pass::new(now, self.period, NO_PROBE));
            }
            State::Open { until } => (until, Rejection::Open),
            State::ForcedOpen => (Instant::MAX, Rejection::Forced),
            State::HalfOpen => {
                if self.probes.len() < self.rules.probes.get() as usize
                    && let Ok(lease) = self.probes.claim(now, self.rules.probe_timeout)
                {
                    return Admit::Yes(Pass::new(now, lease.generation(), lease.slot()));
                }
                (self.probes.next_deadline().unwrap_or(Instant::MAX), Rejection::Probing)
            }
        };
        self.rejected += 1;
        Admit::No { retry_at, why }
    }

    #[inline(never)]
    fn complete_otherwise(
        &mut self,
        now: Instant,
        pass: Pass,
        outcome: Outcome,
    ) -> Result<Option<Transition>, Stale> {
        self.advance(now);
        let now = self.latest;
        if pass.is_probe() {
            // The deadline is not looked at: the slot knows it.
            let lease = Lease::new(pass.slot(), pass.id(), Instant::MAX);
            self.probes.complete(now, lease).map_err(|_| {
                let deadline = pass.began.saturating_add(self.rules.probe_timeout);
                if deadline <= now { Stale::Expired } else { Stale::Unknown }
            })?;
        } else if pass.id() != self.period {
            return Err(Stale::Earlier);
        }
        if self.state == State::Disabled {
            return Ok(None);
        }
        if outcome == Outcome::Ignored {
            self.ignored += 1;
            return Ok(None);
        }
        let failed = outcome == Outcome::Failure;
        let slow = outcome == Outcome::Slow || self.rules.is_slow(pass.began, now);
        self.calls += 1;
        self.failures += u64::from(failed);
        self.slow += u64::from(slow);
        if self.state == State::HalfOpen {
            self.probed.slow += u32::from(slow);
            if failed || slow && self.rules.minds_slow() {
                return Ok(self.probe_failed(now, Cause::ProbeFailed));
            }
            self.probed.calls += 1;
            let successes = self.probed.calls - self.probed.failures;
            let enough = successes >= self.rules.close_after.get();
            return Ok(enough.then(|| self.enter(now, State::Closed, Cause::ProbesSucceeded)));
        }
        self.run = if failed { self.run.saturating_add(1) } else { 0 };
        if !failed && !slow {
            self.window.success(now);
            return Ok(None);
        }
        self.window.bad(now, failed, slow);
        if self.state != State::Closed {
            return Ok(None);
        }
        let minimum = self.window.minimum(self.rules.minimum);
        let cause = self.rules.verdict(self.window.counts(now), self.run, minimum);
        Ok(cause.map(|cause| self.open(now, cause)))
    }

    /// Counts a failed probe, which may be one too many.
    fn probe_failed(&mut self, at: Instant, cause: Cause) -> Option<Transition> {
        self.probed.calls += 1;
        self.probed.failures += 1;
        (self.probed.failures >= self.rules.reopen_after.get()).then(|| self.open(at, cause))
    }

    /// When so many of the probes under way will be lost that it opens again.
    fn all_lost_at(&self) -> Option<Instant> {
        let more = self.rules.reopen_after.get().saturating_sub(self.probed.failures) as usize;
        let deadlines = self.probes.deadlines();
        let enough = |deadline: &Instant| deadlines.clone().filter(|other| other <= deadline).count() >= more;
        deadlines.clone().filter(enough).min()
    }

    fn open(&mut self, at: Instant, cause: Cause) -> Transition {
        self.openings = self.openings.saturating_add(1);
        let until = at.saturating_add(self.rules.open_time(self.openings));
        self.enter(at, State::Open { until }, cause)
    }

    fn force(&mut self, now: Instant, to: State) -> Option<Transition> {
        self.advance(now);
        (self.state != to).then(|| self.enter(self.latest, to, Cause::Forced))
    }

    /// Begins a new period: what was admitted before no longer counts.
    fn enter(&mut self, at: Instant, to: State, why: Cause) -> Transition {
        let counts = if self.state == State::HalfOpen { self.probed } else { self.window.counts(at) };
        let change = Transition { at, from: self.state, to, why, counts };
        self.period = self.period.wrapping_add(1);
        self.probes.release_all();
        self.probed = Counts::NONE;
        self.run = 0;
        match to {
            State::Closed | State::ForcedClosed => {
                self.window.clear();
                self.openings = 0;
            }
            State::ForcedOpen | State::Disabled => self.openings = 0,
            State::Open { .. } | State::HalfOpen => {}
        }
        self.state = to;
        self.ticket = ticket(to, self.period);
        self.causes[why as usize] = self.causes[why as usize].wrapping_add(1);
        self.last = Some(change);
        change
    }
}

impl<W: Window, P: Storage> fmt::Debug for Breaker<W, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("rules", &self.rules)
            .field("stats", &self.stats(self.latest))
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// For the search of the whole state space: copies, and what makes two breakers behave alike.
#[cfg(test)]
pub(super) mod search {
    use super::*;
    use std::vec::Vec;

    /// What can make a difference later, with times relative to the latest one seen.
    #[derive(Clone, Debug, Eq, Hash, PartialEq)]
    pub(in crate::breaker) struct Alike {
        state: (core::mem::Discriminant<State>, Option<u64>),
        run: u32,
        window: Vec<u32>,
        probed: Counts,
        probes: Vec<u64>,
        openings: u32,
    }

    impl<const N: usize, const P: usize> Clone for Breaker<CountWindow<Inline<N>>, Inline<P>> {
        fn clone(&self) -> Self {
            let Self { ticket, state, period, run, latest, calls, rejected, rules, failures, slow, .. } =
                *self;
            let Self { ignored, lost, openings, probed, causes, last, .. } = *self;
            let (window, probes) = (self.window.clone(), self.probes.clone());
            Self {
                ticket,
                state,
                period,
                run,
                latest,
                window,
                calls,
                rejected,
                rules,
                failures,
                slow,
                ignored,
                lost,
                openings,
                probed,
                probes,
                causes,
                last,
            }
        }
    }

    impl<const N: usize, const P: usize> Breaker<CountWindow<Inline<N>>, Inline<P>> {
        pub(in crate::breaker) fn latest(&self) -> Instant {
            self.latest
        }

        /// Open times no longer grow after `openings` of them, and runs longer than `run` are all too long.
        pub(in crate::breaker) fn alike(&self, openings: u32, run: u32) -> Alike {
            let ahead = |instant: Instant| instant.as_nanos() - self.latest.as_nanos();
            let until = match self.state {
                State::Open { until } => Some(ahead(until)),
                _ => None,
            };
            let mut probes: Vec<u64> = self.probes.deadlines().map(ahead).collect();
            probes.sort_unstable();
            Alike {
                state: (core::mem::discriminant(&self.state), until),
                run: self.run.min(run),
                window: self.window.bits(),
                probed: self.probed,
                probes,
                openings: self.openings.min(openings),
            }
        }

        /// Whether `pass` still counts.
        pub(in crate::breaker) fn holds(&self, pass: Pass) -> bool {
            if pass.is_probe() {
                let lease = Lease::new(pass.slot(), pass.id(), Instant::MAX);
                self.probes.clone().complete(self.latest, lease).is_ok()
            } else {
                pass.id() == self.period
            }
        }
    }
}
