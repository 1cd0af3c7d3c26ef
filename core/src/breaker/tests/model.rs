//! The breaker against a model that keeps every outcome with its time and lets time pass one nanosecond after the other.

use super::super::window::sealed::Window as _;
use super::*;
use proptest::prelude::*;

/// Which of the outcomes kept count.
#[derive(Clone, Copy, Debug)]
enum Kept {
    Last(usize),
    Buckets { width: u64, count: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    failure_rate: Option<(u64, u64)>,
    slow: Option<(u64, (u64, u64))>,
    consecutive: Option<u32>,
    minimum: Option<u32>,
    confidence: bool,
    base: u64,
    cap: u64,
    factor: (u64, u64),
    jitter: (u64, u64),
    probes: u32,
    close_after: Option<u32>,
    reopen_after: u32,
    probe_timeout: u64,
}

impl Settings {
    fn rules(&self) -> Rules {
        let nanos = Duration::from_nanos;
        let mut config = Config::empty()
            .open(nanos(self.base), nanos(self.cap.max(self.base)), share(self.factor.0, self.factor.1))
            .jitter(share(self.jitter.0, self.jitter.1))
            .seed(self.base)
            .probes(count(self.probes))
            .reopen_after(count(self.reopen_after))
            .probe_timeout(nanos(self.probe_timeout));
        if let Some((part, of)) = self.failure_rate {
            config = config.failure_rate(share(part, of));
        }
        if let Some((longer_than, (part, of))) = self.slow {
            config = config.slow_rate(nanos(longer_than), share(part, of));
        }
        if let Some(failures) = self.consecutive {
            config = config.consecutive(count(failures));
        }
        if let Some(calls) = self.minimum {
            config = config.minimum(calls);
        }
        if self.confidence {
            config = config.confidence(Confidence::P90);
        }
        if let Some(successes) = self.close_after {
            config = config.close_after(count(successes));
        }
        config.build().expect("valid settings")
    }
}

#[derive(Clone, Copy, Debug)]
struct Given {
    pass: Pass,
    period: usize,
    /// When a probe is lost.
    deadline: Option<u64>,
    began: u64,
    held: bool,
}

struct Model {
    settings: Settings,
    rules: Rules,
    kept: Kept,
    slots: usize,
    now: u64,
    state: State,
    /// (when, failed, slow) of each call since it was closed or forced closed.
    log: Vec<(u64, bool, bool)>,
    probed: Counts,
    given: Vec<Given>,
    changes: Vec<Transition>,
    openings: u32,
    totals: [u64; 6],
}

const CALLS: usize = 0;
const FAILURES: usize = 1;
const SLOW: usize = 2;
const IGNORED: usize = 3;
const REJECTED: usize = 4;
const LOST: usize = 5;

impl Model {
    fn window(&self) -> Counts {
        let counted = self.log.iter().rev().enumerate().filter(|(back, (when, ..))| match self.kept {
            Kept::Last(size) => *back < size,
            Kept::Buckets { width, count } => when / width + count > self.now / width,
        });
        counted.fold(Counts::NONE, |sum, (_, (_, failed, slow))| Counts {
            calls: sum.calls + 1,
            failures: sum.failures + u32::from(*failed),
            slow: sum.slow + u32::from(*slow),
        })
    }

    fn enter(&mut self, to: State, why: Cause) {
        let counts = if self.state == State::HalfOpen { self.probed } else { self.window() };
        self.changes.push(Transition { at: at(self.now), from: self.state, to, why, counts });
        self.probed = Counts::NONE;
        if matches!(to, State::Closed | State::ForcedClosed) {
            self.log.clear();
        }
        if !matches!(to, State::Open { .. } | State::HalfOpen) {
            self.openings = 0;
        }
        self.state = to;
    }

    fn open(&mut self, why: Cause) {
        self.openings += 1;
        let until = at(self.now).saturating_add(self.rules.open_time(self.openings));
        self.enter(State::Open { until }, why);
    }

    /// One moment: what is due at it.
    fn tick(&mut self) {
        let due =
            |given: &Given, period, now| given.held && given.period == period && given.deadline == Some(now);
        while self.state == State::HalfOpen {
            let (period, now) = (self.changes.len(), self.now);
            let Some(lost) = self.given.iter_mut().find(|given| due(given, period, now)) else { break };
            lost.held = false;
            self.totals[LOST] += 1;
            self.probe_failed(Cause::ProbeLost);
        }
        if let State::Open { until } = self.state
            && until <= at(self.now)
        {
            self.enter(State::HalfOpen, Cause::TimeOver);
        }
    }

    fn probe_failed(&mut self, why: Cause) {
        self.probed.calls += 1;
        self.probed.failures += 1;
        if self.probed.failures == self.settings.reopen_after {
            self.open(why);
        }
    }

    fn pass_time(&mut self, reading: u64) {
        while self.now < reading {
            self.now += 1;
            self.tick();
        }
        self.tick();
    }

    fn held(&self) -> impl Iterator<Item = &Given> {
        let period = self.changes.len();
        self.given
            .iter()
            .filter(move |given| given.held && given.period == period && given.deadline.is_some())
    }

    fn refusal(&self) -> Option<(Instant, Rejection)> {
        match self.state {
            State::Closed | State::ForcedClosed | State::Disabled => None,
            State::Open { until } => Some((until, Rejection::Open)),
            State::ForcedOpen => Some((Instant::MAX, Rejection::Forced)),
            State::HalfOpen => {
                let most = self.slots.min(self.settings.probes as usize);
                let first = self.held().filter_map(|given| given.deadline).min();
                (self.held().count() >= most).then(|| (at(first.expect("somebody")), Rejection::Probing))
            }
        }
    }

    fn complete(&mut self, which: usize, outcome: Outcome) -> Result<(), Stale> {
        let given = self.given[which];
        let current = given.period == self.changes.len();
        match given.deadline {
            None if !current => return Err(Stale::Earlier),
            None => {}
            Some(deadline) if !current || !given.held => {
                return Err(if deadline <= self.now { Stale::Expired } else { Stale::Unknown });
            }
            Some(_) => self.given[which].held = false,
        }
        if self.state == State::Disabled {
            return Ok(());
        }
        if outcome == Outcome::Ignored {
            self.totals[IGNORED] += 1;
            return Ok(());
        }
        let failed = outcome == Outcome::Failure;
        let took_long = self.settings.slow.is_some_and(|(after, _)| self.now - given.began > after);
        let slow = outcome == Outcome::Slow || took_long;
        self.totals[CALLS] += 1;
        self.totals[FAILURES] += u64::from(failed);
        self.totals[SLOW] += u64::from(slow);
        if self.state == State::HalfOpen {
            self.probed.slow += u32::from(slow);
            if failed || slow && self.settings.slow.is_some() {
                self.probe_failed(Cause::ProbeFailed);
            } else {
                self.probed.calls += 1;
                let enough = self.settings.close_after.unwrap_or(self.settings.probes);
                if self.probed.calls - self.probed.failures == enough {
                    self.enter(State::Closed, Cause::ProbesSucceeded);
                }
            }
            return Ok(());
        }
        self.log.push((self.now, failed, slow));
        if self.state == State::Closed
            && (failed || slow)
            && let Some(cause) = self.verdict()
        {
            self.open(cause);
        }
        Ok(())
    }

    fn verdict(&self) -> Option<Cause> {
        let run = self.log.iter().rev().take_while(|(_, failed, _)| *failed).count();
        if self.settings.consecutive.is_some_and(|most| run >= most as usize) {
            return Some(Cause::Consecutive);
        }
        let counts = self.window();
        let minimum = match (self.kept, self.settings.minimum) {
            (Kept::Last(size), asked) => asked.unwrap_or(size as u32).min(size as u32),
            (Kept::Buckets { .. }, asked) => asked.unwrap_or(100),
        };
        let calls = counts.calls.max(minimum);
        let reaches = |part: u32, (num, den): (u64, u64)| {
            u64::from(part) * den >= num * u64::from(calls)
                && (!self.settings.confidence || Confidence::P90.reaches(part, calls, share(num, den)))
        };
        if self.settings.failure_rate.is_some_and(|rate| reaches(counts.failures, rate)) {
            return Some(Cause::Failures);
        }
        self.settings.slow.is_some_and(|(_, rate)| reaches(counts.slow, rate)).then_some(Cause::SlowCalls)
    }
}

#[derive(Clone, Debug)]
enum Op {
    Admit,
    Complete(usize, Outcome),
    Pass(u64),
    Back(u64),
    Advance,
    Force(State),
    Reset,
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Slow),
        1 => Just(Outcome::Ignored),
    ];
    let forced = prop_oneof![Just(State::ForcedOpen), Just(State::ForcedClosed), Just(State::Disabled)];
    prop_oneof![
        100 => Just(Op::Admit),
        // The younger the likelier: passes of long ago are stale.
        80 => (0usize..6, outcome.clone()).prop_map(|(i, outcome)| Op::Complete(i, outcome)),
        10 => (0usize..64, outcome).prop_map(|(i, outcome)| Op::Complete(i, outcome)),
        30 => (0u64..12).prop_map(Op::Pass),
        4 => (0u64..200).prop_map(Op::Pass),
        6 => (0u64..60).prop_map(Op::Back),
        8 => Just(Op::Advance),
        2 => forced.prop_map(Op::Force),
        4 => Just(Op::Reset),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let rate = || prop_oneof![Just((1, 2)), Just((1, 3)), Just((3, 4)), Just((1, 1)), Just((1, 10))];
    let limits = (
        prop::option::weighted(0.7, rate()),
        prop::option::weighted(0.4, (0u64..10, rate())),
        prop::option::weighted(0.4, 1u32..6),
        prop::option::weighted(0.5, 0u32..12),
        prop::bool::weighted(0.2),
    );
    let times = (1u64..20, 1u64..80, prop_oneof![Just((1, 1)), Just((3, 2)), Just((2, 1))]);
    let probes = (1u32..5, prop::option::of(1u32..5), 1u32..4, 1u64..15);
    let jitter = prop_oneof![Just((0, 1)), Just((1, 2)), Just((1, 1))];
    (limits, times, jitter, probes).prop_map(|(limits, (base, cap, factor), jitter, probes)| {
        let (failure_rate, slow, consecutive, minimum, confidence) = limits;
        let (probes, close_after, reopen_after, probe_timeout) = probes;
        let nothing = failure_rate.is_none() && slow.is_none() && consecutive.is_none();
        let consecutive = if nothing { Some(2) } else { consecutive };
        Settings {
            failure_rate,
            slow,
            consecutive,
            minimum,
            confidence,
            base,
            cap,
            factor,
            jitter,
            probes,
            close_after,
            reopen_after,
            probe_timeout,
        }
    })
}

const SLOTS: usize = 3;

fn compare<W: Window>(settings: Settings, window: W, kept: Kept, ops: &[Op]) -> Result<(), TestCaseError> {
    let rules = settings.rules();
    let mut breaker = Breaker::<W, Inline<SLOTS>>::new(rules, window);
    let mut model = Model {
        settings,
        rules,
        kept,
        slots: SLOTS,
        now: 0,
        state: State::Closed,
        log: Vec::new(),
        probed: Counts::NONE,
        given: Vec::new(),
        changes: Vec::new(),
        openings: 0,
        totals: [0; 6],
    };
    let mut reading = 0u64;
    for op in ops {
        match op {
            Op::Pass(nanos) => reading += nanos,
            Op::Back(nanos) => reading = reading.saturating_sub(*nanos),
            _ => {}
        }
        let now = at(reading);
        let looked = breaker.state(now);
        let seen = breaker.stats(now);
        model.pass_time(reading);
        // Looking tells what time has done, without doing it.
        prop_assert_eq!(looked, model.state);
        prop_assert_eq!(seen.window, model.window());
        let changes = model.changes.len();
        match op {
            Op::Admit => match (breaker.admit(now), model.refusal()) {
                (Admit::Yes(pass), None) => {
                    let probe = model.state == State::HalfOpen;
                    prop_assert_eq!((pass.is_probe(), pass.began()), (probe, at(model.now)));
                    let deadline = probe.then_some(model.now + settings.probe_timeout);
                    let (period, began) = (changes, model.now);
                    model.given.push(Given { pass, period, deadline, began, held: true });
                }
                (Admit::No { retry_at, why }, refusal) => {
                    prop_assert_eq!(Some((retry_at, why)), refusal);
                    model.totals[REJECTED] += 1;
                }
                (yes, refusal) => prop_assert!(false, "{:?} against {:?}", yes, refusal),
            },
            Op::Complete(back, outcome) if !model.given.is_empty() => {
                let which = model.given.len() - 1 - back % model.given.len();
                let said = breaker.complete(now, model.given[which].pass, *outcome);
                let expected = model.complete(which, *outcome).map(|()| model.changes.get(changes).copied());
                prop_assert_eq!(said, expected);
            }
            Op::Force(to) => {
                let said = match to {
                    State::ForcedOpen => breaker.force_open(now),
                    State::ForcedClosed => breaker.force_closed(now),
                    _ => breaker.disable(now),
                };
                if model.state != *to {
                    model.enter(*to, Cause::Forced);
                }
                prop_assert_eq!(said, model.changes.get(changes).copied());
            }
            Op::Reset => {
                let said = breaker.reset(now);
                model.enter(State::Closed, Cause::Reset);
                prop_assert_eq!(Some(said), model.changes.last().copied());
            }
            _ => {
                breaker.advance(now);
            }
        }
        let stats = breaker.stats(now);
        prop_assert_eq!(stats.state, model.state);
        prop_assert_eq!(breaker.last(), model.changes.last().copied());
        prop_assert_eq!(stats.window, model.window());
        prop_assert_eq!((stats.probed, stats.openings), (model.probed, model.openings));
        prop_assert_eq!(stats.probes as usize, model.held().count());
        let totals = [stats.calls, stats.failures, stats.slow, stats.ignored, stats.rejected, stats.lost];
        prop_assert_eq!(totals, model.totals);
        prop_assert_eq!(stats.transitions() as usize, model.changes.len());
        let next = match model.state {
            State::Open { until } => Some(until),
            State::HalfOpen => model.held().filter_map(|given| given.deadline).min().map(at),
            _ => None,
        };
        prop_assert_eq!(breaker.next_deadline(), next);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn behaves_like_the_model_with_a_window_of_counts(
        settings in settings(),
        size in 1u32..=40,
        ops in prop::collection::vec(op(), 1..300),
    ) {
        let window = CountWindow::<Inline<2>>::new().last(size).unwrap();
        compare(settings, window, Kept::Last(size as usize), &ops)?;
    }

    #[test]
    fn behaves_like_the_model_with_a_window_of_time(
        settings in settings(),
        span in 1u64..100,
        ops in prop::collection::vec(op(), 1..300),
    ) {
        let window = TimeWindow::<Inline<4>>::new(Duration::from_nanos(span)).unwrap();
        let kept = Kept::Buckets { width: span.div_ceil(4), count: 4 };
        compare(settings, window, kept, &ops)?;
    }

    /// Any readings of the clock at all: never a panic, never more probes than permitted, never a call let through early.
    #[test]
    fn no_clock_breaks_it(
        readings in prop::collection::vec(prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), 0u64..100], 1..200),
        outcomes in prop::collection::vec(0usize..4, 200),
        base in 1u64..,
        timeout in 1u64..,
        span in 1u64..,
    ) {
        let nanos = Duration::from_nanos;
        let rules = Config::empty()
            .consecutive(count(2))
            .slow_rate(nanos(span), Q32::ONE)
            .open(nanos(base), nanos(base), Q32::ONE)
            .probes(count(2))
            .probe_timeout(nanos(timeout))
            .build()
            .unwrap();
        let mut breaker = Breaker::<_, Inline<2>>::new(rules, TimeWindow::<Inline<3>>::new(nanos(span)).unwrap());
        let mut latest = 0;
        for (reading, outcome) in readings.into_iter().zip(outcomes) {
            latest = latest.max(reading);
            let before = breaker.state(at(reading));
            match breaker.admit(at(reading)) {
                Admit::Yes(pass) => {
                    let open = matches!(before, State::Open { until } if until > at(latest));
                    prop_assert!(!open, "{:?} at {}", before, latest);
                    let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Slow, Outcome::Ignored];
                    if reading % 3 != 0 {
                        let _ = breaker.complete(at(reading), pass, outcomes[outcome]);
                    }
                }
                Admit::No { retry_at, .. } => prop_assert!(retry_at > at(latest) || latest == u64::MAX),
            }
            let stats = breaker.stats(at(reading));
            prop_assert!(stats.probes <= 2 && stats.window.failures <= stats.window.calls);
        }
    }

    /// The window of time against the log of every call: it covers its width times its buckets, less at most one bucket.
    #[test]
    fn a_window_of_time_is_off_by_at_most_one_bucket(
        span in 1u64..200,
        gaps in prop::collection::vec(0u64..40, 1..200),
    ) {
        let mut window = TimeWindow::<Inline<5>>::new(Duration::from_nanos(span)).unwrap();
        let width = span.div_ceil(5);
        let mut now = 0;
        let mut log = Vec::new();
        for gap in gaps {
            now += gap;
            window.success(at(now));
            log.push(now);
            let within = |length: u64| log.iter().filter(|when| now - **when < length).count() as u32;
            let counted = window.counts(at(now)).calls;
            prop_assert!(counted >= within(4 * width) && counted <= within(5 * width));
        }
    }
}

/// A clock so late that the bucket after it would be past the end of time.
#[test]
fn the_last_bucket_of_time_has_no_next() {
    let mut window = TimeWindow::<Inline<2>>::new(Duration::from_nanos(10)).unwrap();
    for nanos in [0, 4, 5, u64::MAX - 20, u64::MAX - 1, u64::MAX] {
        window.success(at(nanos));
        assert!(window.counts(at(nanos)).calls >= 1);
    }
    assert_eq!(window.counts(Instant::MAX).calls, 2);
}
