//! A breaker that any number of threads share by reference.

mod probes;
mod slot;
mod tagged;
mod window;
mod word;

#[cfg(all(test, divvy_loom))]
mod loom_tests;
#[cfg(all(test, not(divvy_loom)))]
mod tests;

pub use window::{SharedCountWindow, SharedTimeWindow, SharedWindow};

use super::config::Rules;
use super::outcome::{Admit, NO_PROBE, Outcome, Pass, Rejection, Stale};
use super::transition::{Cause, Counts, State, Transition};
use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, array_of, const_fn, fence};
use crate::time::Instant;
use core::fmt;
use slot::{Seen, Slot};
use tagged::Tagged;
use window::sealed::Call;
use word::{Code, Word};

/// A [`Breaker`](super::Breaker) that threads, cores and interrupt handlers share by reference.
///
/// It trips, waits and probes by the same [`Rules`] as the plain one, and called by one thread with a clock that does
/// not go back it gives the same answers. What it leaves out is what each call would have to pay for: it does not
/// count all calls since the start nor those it rejected, it remembers no latest time, and once it is open it forgets what
/// the window held.
///
/// *When not to use it:* where one owner can have a [`Breaker`](super::Breaker), which is quicker and tells more.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::Instant;
/// use divvy::breaker::{
///     Admit, Config, Outcome, Rejection, Rules, SharedBreaker, SharedCountWindow, State, WindowError,
/// };
///
/// // Half of the last 128 calls by default, as a static:
/// static BREAKER: SharedBreaker = SharedBreaker::new(Rules::new(), SharedCountWindow::new());
///
/// let now = Instant::from_secs(7);
/// for _ in 0..64 {
///     let Admit::Yes(pass) = BREAKER.admit(now) else { unreachable!("it is closed") };
///     let _ = BREAKER.complete(now, pass, Outcome::Failure);
/// }
/// // Open: calls are refused, and told when to come back.
/// let Admit::No { retry_at, why: Rejection::Open } = BREAKER.admit(now) else { unreachable!("it is open") };
/// // Half-open: three probes close it.
/// for _ in 0..3 {
///     let Admit::Yes(probe) = BREAKER.admit(retry_at) else { unreachable!("its time is over") };
///     let _ = BREAKER.complete(retry_at, probe, Outcome::Success);
/// }
/// assert_eq!(BREAKER.state(retry_at), State::Closed);
/// # Ok::<(), WindowError>(())
/// ```
///
/// # Complexity
///
/// Closed: a load to admit; for a good call one compare-and-swap and four loads, and a second compare-and-swap where it
/// takes the place of a bad one; for a bad call what the [window](SharedCountWindow) takes to count. Open: six loads.
/// Half-open: *O*(probes), and at most *O*(probes²) where many are lost at once. 20 bytes a probe, the window, the rules
/// and 60 bytes.
///
/// # Time
///
/// As of the plain form, but each call goes by its own `now` alone: one that is behind the others sees open times and
/// probes end later, never earlier, and what has happened is not undone.
///
/// # Concurrency
///
/// Lock-free: nothing here waits for another thread, and one that stands still or vanishes at any point holds up nobody.
/// [`admit`](Self::admit) is wait-free while the breaker is closed or forced.
///
/// What never happens, whatever the timing: more probes of one half-open time under way than the rules allow; a permit
/// that is lost for longer than its deadline; a state that is not left; a change of state made twice; an outcome of an
/// earlier period counted in a later one.
///
/// What may: calls that are between being admitted and being counted when the breaker trips go through, as they would
/// have a moment earlier. Of *k* threads that record at the same time, each may judge before the others' calls are
/// counted, so the breaker may trip up to *k* − 1 calls late; of those that judge after the last bad call is counted, one
/// trips it. Where the thread that trips it stands still before it has written until when, the open time begins with the
/// next call that asks. Of several that ask for the last probe's place in the same moment, one gets it.
///
/// Numbers of periods come again after 2²² changes of state, so a pass that is kept for exactly as long would count; as
/// would a write of a thread that stands still, in the middle of one, for exactly 2¹⁶ changes. Rules that ask for more
/// than 65,535 consecutive failures or probes are taken to ask for that many, and the open time's chance repeats itself
/// from the 127th opening without a close.
///
/// # References
///
/// As of [`Breaker`](super::Breaker).
pub struct SharedBreaker<W: SharedWindow = SharedCountWindow<Inline<16>>, P: Storage = Inline<4>> {
    /// What it is, and which period. Read by all; each change begins a period, and who makes it tidies up.
    word: AtomicU32,
    /// Failures since the last success, in this period.
    run: Tagged,
    window: W,
    rules: Rules,
    /// Until when it is open: a slot that is held for the period. Whoever misses it writes it.
    open_until: Slot,
    probes: P::Slots<Slot>,
    /// Probes of this period by how they went.
    succeeded: Tagged,
    failed: Tagged,
    slow: Tagged,
    /// Probes that never reported, from the start.
    lost: AtomicU32,
}

/// A snapshot of a [`SharedBreaker`]. Its fields are read one after the other while others go on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SharedStats {
    /// What it does with calls.
    pub state: State,
    /// What the window holds, while closed.
    pub window: Counts,
    /// What came of the probes so far, while half-open.
    pub probed: Counts,
    /// Probes under way.
    pub probes: u32,
    /// Probes that never reported, from the start; modulo 2³².
    pub lost: u32,
    /// How often it has opened since it was last closed, up to 127.
    pub openings: u32,
    /// How often it changed its state, modulo 2²².
    pub transitions: u32,
}

impl<W: SharedWindow, const P: usize> SharedBreaker<W, Inline<P>> {
    const_fn! {
        /// A closed breaker that has seen nothing.
        #[must_use]
        pub const fn new(rules: Rules, window: W) -> Self {
            const { assert!(P > 0, "a breaker needs a slot for a probe") };
            Self {
                word: AtomicU32::new(Word::START.0),
                run: Tagged::new(),
                window,
                rules,
                open_until: Slot::new(),
                probes: InlineSlots(array_of!(Slot::new())),
                succeeded: Tagged::new(),
                failed: Tagged::new(),
                slow: Tagged::new(),
                lost: AtomicU32::new(0),
            }
        }
    }
}

#[cfg(feature = "alloc")]
impl<W: SharedWindow> SharedBreaker<W, crate::storage::Heap> {
    /// A closed breaker that has seen nothing, with as many slots as the rules have probes.
    #[must_use]
    pub fn with_capacity(rules: Rules, window: W) -> Self {
        Self {
            word: AtomicU32::new(Word::START.0),
            run: Tagged::new(),
            window,
            rules,
            open_until: Slot::new(),
            probes: (0..rules.probes.get()).map(|_| Slot::new()).collect(),
            succeeded: Tagged::new(),
            failed: Tagged::new(),
            slow: Tagged::new(),
            lost: AtomicU32::new(0),
        }
    }
}

impl<W: SharedWindow, P: Storage> SharedBreaker<W, P> {
    /// May a call go now?
    #[inline]
    pub fn admit(&self, now: Instant) -> Admit {
        let word = self.word();
        match word.code() {
            Code::Closed => Admit::Yes(Pass::new(now, word.period(), NO_PROBE)),
            Code::Open
                if let Some(until) = self.until(word)
                    && now < until =>
            {
                Admit::No { retry_at: until, why: Rejection::Open }
            }
            _ => self.admit_otherwise(now),
        }
    }

    /// Says how a call went, and what that changed, if anything. Of all callers, one is told of each change.
    ///
    /// While the breaker is closed a pass is a plain ticket: who completes it twice is counted twice. A probe counts once.
    ///
    /// # Errors
    ///
    /// [`Stale`]: the outcome counts nowhere. Nothing changed but what the time itself changed.
    #[inline]
    pub fn complete(&self, now: Instant, pass: Pass, outcome: Outcome) -> Result<Option<Transition>, Stale> {
        let current = pass.slot() == NO_PROBE && self.word() == Word::closed(pass.id());
        if current && outcome == Outcome::Success && !self.rules.is_slow(pass.began, now) {
            return match self.count(pass.id(), now, Call { failed: false, slow: false }) {
                Some(_) => Ok(None),
                None => Err(Stale::Earlier),
            };
        }
        self.complete_otherwise(now, pass, outcome)
    }

    /// The state at `now`. Nothing changes.
    #[must_use]
    pub fn state(&self, now: Instant) -> State {
        let word = self.word();
        let mut state = self.as_state(word, now);
        if state == State::HalfOpen
            && let Some(lost) = self.all_lost_at(word)
            && lost <= now
        {
            state = State::Open {
                until: lost.saturating_add(self.rules.open_time(word.next(Code::Open).openings())),
            };
        }
        match state {
            State::Open { until } if until <= now => State::HalfOpen,
            state => state,
        }
    }

    /// Lets no call through until it is [`reset`](Self::reset) or forced into another state.
    pub fn force_open(&self, now: Instant) -> Option<Transition> {
        self.force(now, Code::ForcedOpen)
    }

    /// Lets every call through and counts, but never trips, until it is [`reset`](Self::reset) or forced into another
    /// state.
    pub fn force_closed(&self, now: Instant) -> Option<Transition> {
        self.force(now, Code::ForcedClosed)
    }

    /// Lets every call through and counts nothing, until it is [`reset`](Self::reset) or forced into another state.
    pub fn disable(&self, now: Instant) -> Option<Transition> {
        self.force(now, Code::Disabled)
    }

    /// Closes it, whatever its state, with an empty window and the shortest open time next.
    pub fn reset(&self, now: Instant) -> Transition {
        loop {
            self.advance(now);
            if let Some(change) = self.enter(self.word(), now, Code::Closed, Cause::Reset) {
                return change;
            }
        }
    }

    /// When time alone next changes something: the end of the open time, or a probe's deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let word = self.word();
        match word.code() {
            Code::Open => self.until(word),
            Code::HalfOpen => self.deadlines(word).min(),
            _ => None,
        }
    }

    /// Lets time pass: what is due happens at the instants it was due, and the last change that this call made is the
    /// answer. Every other call but the completion of a good one does it too; early and repeated ones do nothing.
    pub fn advance(&self, now: Instant) -> Option<Transition> {
        let mut change = None;
        loop {
            let word = self.word();
            let made = match word.code() {
                Code::Open => {
                    let until = self.until_or_write(word, now);
                    if until > now {
                        return change;
                    }
                    self.enter(word, until, Code::HalfOpen, Cause::TimeOver)
                }
                Code::HalfOpen => match self.reclaim(word, now) {
                    Some(deadline) => self.probe_failed(word, deadline, Cause::ProbeLost).ok().flatten(),
                    None => return change,
                },
                _ => return change,
            };
            change = made.or(change);
        }
    }

    /// What there is to see at `now`. Nothing changes.
    #[must_use]
    pub fn stats(&self, now: Instant) -> SharedStats {
        let word = self.word();
        SharedStats {
            state: self.state(now),
            window: self.window.counts(word.period(), now),
            probed: self.probed(word),
            probes: match word.code() {
                Code::HalfOpen => self.deadlines(word).filter(|deadline| *deadline > now).count() as u32,
                _ => 0,
            },
            // Ordering: as old as it may be.
            lost: self.lost.load(Ordering::Relaxed),
            openings: word.openings(),
            transitions: word.period(),
        }
    }

    /// What it goes by.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    #[inline(always)]
    fn word(&self) -> Word {
        // Ordering: Acquire: who sees a period sees what was done before it began.
        Word(self.word.load(Ordering::Acquire))
    }

    /// Counts a call of a closed period. How many failed in a row, if it matters; `None` if the period is over.
    #[inline(always)]
    fn count(&self, period: u32, now: Instant, call: Call) -> Option<u32> {
        let lasts = || self.word().period() == period;
        let run = match self.rules.consecutive {
            None => 0,
            Some(_) if call.failed => self.run.update(period, lasts, one_more).and_then(one_more)?,
            Some(_) => {
                self.run.update(period, lasts, |run| (run > 0).then_some(0))?;
                0
            }
        };
        self.window.record(period, now, call, lasts).then_some(run)
    }

    #[inline(never)]
    fn admit_otherwise(&self, now: Instant) -> Admit {
        loop {
            self.advance(now);
            let word = self.word();
            let (retry_at, why) = match word.code() {
                Code::Closed | Code::ForcedClosed | Code::Disabled => {
                    return Admit::Yes(Pass::new(now, word.period(), NO_PROBE));
                }
                Code::Open => match self.until_or_write(word, now) {
                    until if now < until => (until, Rejection::Open),
                    // Its time came to an end, or it did, between the one look and the other.
                    _ => continue,
                },
                Code::ForcedOpen => (Instant::MAX, Rejection::Forced),
                Code::HalfOpen => match self.probe(word, now) {
                    Some(answer) => return answer,
                    None => continue,
                },
            };
            return Admit::No { retry_at, why };
        }
    }

    #[inline(never)]
    fn complete_otherwise(
        &self,
        now: Instant,
        pass: Pass,
        outcome: Outcome,
    ) -> Result<Option<Transition>, Stale> {
        self.advance(now);
        let word = self.word();
        let failed = outcome == Outcome::Failure;
        let slow = outcome == Outcome::Slow || self.rules.is_slow(pass.began, now);
        if pass.is_probe() {
            self.release(word, now, pass)?;
            if outcome == Outcome::Ignored {
                return Ok(None);
            }
            return self.count_probe(word, now, Call { failed, slow });
        }
        if pass.id() != word.period() {
            return Err(Stale::Earlier);
        }
        if outcome == Outcome::Ignored || word.code() == Code::Disabled {
            return Ok(None);
        }
        let run = self.count(pass.id(), now, Call { failed, slow }).ok_or(Stale::Earlier)?;
        if word.code() != Code::Closed || !(failed || slow) {
            return Ok(None);
        }
        // Ordering: SeqCst: of two threads that each counted a bad call and then count all of them, at least one sees both.
        fence(Ordering::SeqCst);
        let counts = self.window.counts(pass.id(), now);
        let minimum = self.window.minimum(self.rules.minimum);
        let run = if run == 0xFFFF { u32::MAX } else { run };
        let Some(cause) = self.rules.verdict(counts, run, minimum) else { return Ok(None) };
        Ok(self.enter_from(word, now, Code::Open, cause, counts))
    }

    /// Until when the breaker is open in the period of `word`, if that is written.
    #[inline]
    fn until(&self, word: Word) -> Option<Instant> {
        match self.open_until.look() {
            Seen::Held { period, deadline, .. } if period == word.period() => Some(deadline),
            _ => None,
        }
    }

    /// Until when the breaker is open. Written now, for an open time from `from` on, if nobody has done it.
    fn until_or_write(&self, word: Word, from: Instant) -> Instant {
        if let Some(until) = self.until(word) {
            return until;
        }
        let until = from.saturating_add(self.rules.open_time(word.openings()));
        // Who is overtaken at the first look finds at the second what was written, or somebody else's draft.
        for _ in 0..2 {
            let seen = match self.open_until.look() {
                Seen::Held { period, deadline, .. } if period == word.period() => return deadline,
                Seen::Held { word, .. } | Seen::Free(word) | Seen::Draft(word) => word,
            };
            // Asked after the look: what a younger period wrote is not written over.
            if self.word() != word || self.open_until.claim(seen, word.period(), until).is_some() {
                break;
            }
        }
        until
    }

    fn force(&self, now: Instant, to: Code) -> Option<Transition> {
        loop {
            self.advance(now);
            let word = self.word();
            if word.code() == to {
                return None;
            }
            if let Some(change) = self.enter(word, now, to, Cause::Forced) {
                return Some(change);
            }
        }
    }

    /// As [`enter_from`](Self::enter_from), with what is counted now.
    fn enter(&self, word: Word, at: Instant, to: Code, why: Cause) -> Option<Transition> {
        let counts = match word.code() {
            Code::HalfOpen => self.probed(word),
            _ => self.window.counts(word.period(), at),
        };
        self.enter_from(word, at, to, why, counts)
    }

    /// Begins a new period, unless somebody else did: what was admitted before no longer counts.
    fn enter_from(
        &self,
        word: Word,
        at: Instant,
        to: Code,
        why: Cause,
        counts: Counts,
    ) -> Option<Transition> {
        let next = word.next(to);
        let from = self.as_state(word, at);
        // Ordering: AcqRel: Release for who sees the new period; Acquire since what follows is done in it.
        self.word.compare_exchange(word.0, next.0, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        let lasts = || self.word() == next;
        match to {
            Code::Open => {
                self.until_or_write(next, at);
            }
            Code::HalfOpen => {
                for count in [&self.succeeded, &self.failed, &self.slow] {
                    count.clear(next.period(), lasts);
                }
            }
            Code::Closed | Code::ForcedClosed => {
                self.run.clear(next.period(), lasts);
                self.window.clear(next.period(), lasts);
            }
            Code::ForcedOpen | Code::Disabled => {}
        }
        Some(Transition { at, from, to: self.as_state(next, at), why, counts })
    }

    /// What `word` says in full; of an open time that nobody wrote yet, what it would be from `now` on.
    fn as_state(&self, word: Word, now: Instant) -> State {
        match word.code() {
            Code::Closed => State::Closed,
            Code::Open => State::Open {
                until: self
                    .until(word)
                    .unwrap_or_else(|| now.saturating_add(self.rules.open_time(word.openings()))),
            },
            Code::HalfOpen => State::HalfOpen,
            Code::ForcedOpen => State::ForcedOpen,
            Code::ForcedClosed => State::ForcedClosed,
            Code::Disabled => State::Disabled,
        }
    }
}

/// A count and one, as far as sixteen bits go.
fn one_more(count: u32) -> Option<u32> {
    Some((count + 1).min(0xFFFF))
}

impl<W: SharedWindow, P: Storage> fmt::Debug for SharedBreaker<W, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBreaker")
            .field("word", &self.word())
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
