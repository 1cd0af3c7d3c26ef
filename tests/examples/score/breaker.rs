//! Breakers: how often they trip for nothing, how soon for something, and that nothing their callers do wedges them.

use crate::figure::{Bound, Figure};
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::breaker::{
    Admit, Breaker, Confidence, Config, CountWindow, Outcome, Pass, Rules, State, TimeWindow, Window,
};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

type Hundred = Breaker<CountWindow<Inline<4>>, Inline<4>>;

pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = vec![
        Figure::new(
            "breaker: false trips a million calls, the last 100, 50 %, of calls that fail 30 %",
            false_trips(100, None, 20_000_000),
            Bound::AtMost(3.4),
            "3.4 for the raw share of the last 100, by simulation",
        ),
        Figure::new(
            "breaker: the same, the last 20",
            false_trips(20, None, 4_000_000),
            Bound::None,
            "shown for comparison",
        ),
        Figure::new(
            "breaker: the same, the last 20, and 99 % sure",
            false_trips(20, Some(Confidence::P99), 20_000_000),
            Bound::AtMost(10.0),
            "Wilson's bound: a false alarm in a hundred looks at the threshold itself, far fewer below it",
        ),
    ];
    for (size, percent) in [(100, 50), (100, 10), (20, 50), (128, 100)] {
        figures.push(Figure::new(
            format!(
                "breaker: calls until a total failure trips, {percent} % of the last {size}, all good before"
            ),
            detection(size, percent),
            Bound::AtMost((size * percent).div_ceil(100).into()),
            "⌈rate × size⌉",
        ));
    }
    let Half { most, slowest, wedged, sequences } = half_open();
    figures.extend([
        Figure::new(
            format!("breaker: most probes at once where 2 may be, of all {sequences} sequences of 6 actions"),
            f64::from(most),
            Bound::AtMost(2.0),
            "the permits: `Config::probes`",
        ),
        Figure::new(
            "breaker: longest until half-open moves on after every caller vanished, in probe deadlines",
            slowest,
            Bound::AtMost(1.0),
            "a probe is a lease: `Config::probe_timeout`",
        ),
        Figure::new(
            "breaker: sequences after which it never closes again, though calls succeed",
            wedged.into(),
            Bound::Exactly(0.0),
            "resilience4j #903, #935, #1389, nora #585",
        ),
        Figure::new(
            "breaker: calls that a window of the last 100 counts wrongly, against the log of 1,000,000",
            count_error(),
            Bound::Exactly(0.0),
            "two bits a call: `CountWindow`",
        ),
        Figure::new(
            "breaker: age of the oldest call counted or the youngest left out, in buckets off the span",
            time_error(),
            Bound::AtMost(1.0),
            "one bucket: `TimeWindow`; a fixed interval is off by all of it (gobreaker #21)",
        ),
    ]);
    figures
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

fn rules(config: Config) -> Rules {
    config.build().expect("a valid config")
}

fn last(calls: u32) -> CountWindow<Inline<4>> {
    CountWindow::new().last(calls).expect("so many fit")
}

/// Trips for each million calls, 30 % of which fail.
fn false_trips(size: u32, confidence: Option<Confidence>, calls: u32) -> f64 {
    let config = confidence.into_iter().fold(Config::new(), Config::confidence);
    let mut breaker = Hundred::new(rules(config), last(size));
    let mut rng = Xoshiro256PlusPlus::seed(u64::from(size));
    let threshold = u64::MAX / 10 * 3;
    let mut trips = 0;
    for _ in 0..calls {
        let Admit::Yes(pass) = breaker.admit(Instant::ZERO) else {
            unreachable!("it is reset when it trips")
        };
        let outcome = if rng.next_u64() < threshold { Outcome::Failure } else { Outcome::Success };
        if let Ok(Some(_)) = breaker.complete(Instant::ZERO, pass, outcome) {
            trips += 1;
            breaker.reset(Instant::ZERO);
        }
    }
    f64::from(trips) / f64::from(calls) * 1e6
}

/// Failures until it trips, where all calls before were good.
fn detection(size: u32, percent: u32) -> f64 {
    let rate = Q32::from_ratio(percent.into(), 100).expect("a share");
    let mut most = 0;
    for good in 0..=2 * size {
        let mut breaker = Hundred::new(rules(Config::new().failure_rate(rate)), last(size));
        let mut failures = 0;
        for call in 0.. {
            let Admit::Yes(pass) = breaker.admit(Instant::ZERO) else { break };
            let outcome = if call < good { Outcome::Success } else { Outcome::Failure };
            failures += u32::from(call >= good);
            let _ = breaker.complete(Instant::ZERO, pass, outcome);
        }
        most = most.max(failures);
    }
    most.into()
}

struct Half {
    most: u32,
    slowest: f64,
    wedged: u32,
    sequences: u32,
}

/// Every sequence of six out of eight actions on a breaker that has just become half-open.
fn half_open() -> Half {
    const ACTIONS: u32 = 8;
    const LENGTH: u32 = 6;
    let timeout = Duration::from_nanos(10);
    let rules = rules(
        Config::empty()
            .consecutive(count(2))
            .open(timeout, 4 * timeout, Q32::from_int(2))
            .jitter(Q32::ZERO)
            .probes(count(2))
            .close_after(count(2))
            .reopen_after(count(2))
            .probe_timeout(timeout),
    );
    let mut half = Half { most: 0, slowest: 0.0, wedged: 0, sequences: 0 };
    for sequence in 0..ACTIONS.pow(LENGTH) {
        half.sequences += 1;
        let mut breaker = Breaker::<_, Inline<2>>::new(rules, last(3));
        let mut now = Instant::ZERO;
        while let Admit::Yes(pass) = breaker.admit(now) {
            let _ = breaker.complete(now, pass, Outcome::Failure);
        }
        now = breaker.next_deadline().expect("it is open");
        let mut latest = now;
        let mut passes: Vec<Pass> = Vec::with_capacity(8);
        for place in 0..LENGTH {
            match sequence / ACTIONS.pow(place) % ACTIONS {
                0 => passes.extend(match breaker.admit(now) {
                    Admit::Yes(pass) => Some(pass),
                    Admit::No { .. } => None,
                }),
                action @ 1..=3 => {
                    let outcome = [Outcome::Success, Outcome::Failure, Outcome::Ignored][action as usize - 1];
                    // Passes are kept: who reports twice changes nothing.
                    if let Some(pass) = passes.first().copied() {
                        passes.rotate_left(1);
                        let _ = breaker.complete(now, pass, outcome);
                    }
                }
                4 => passes.clear(),
                5 => now = now.saturating_add(timeout / 2),
                6 => now = now.saturating_add(timeout * 3),
                _ => now = now.saturating_sub(timeout),
            }
            latest = latest.max(now);
            half.most = half.most.max(breaker.stats(now).probes);
        }
        // The clock has caught up with what it once read.
        now = latest;
        // All callers vanish. Half-open with probes under way becomes something else, or has room, by their deadline.
        if breaker.state(now) == State::HalfOpen
            && let Admit::No { retry_at, .. } = breaker.admit(now)
        {
            let wait = retry_at.saturating_duration_since(now).as_nanos() as f64;
            half.slowest = half.slowest.max(wait / timeout.as_nanos() as f64);
            now = retry_at;
        }
        // One careful caller whose calls succeed.
        for _ in 0..10 {
            match breaker.admit(now) {
                Admit::Yes(pass) => drop(breaker.complete(now, pass, Outcome::Success)),
                Admit::No { retry_at, .. } => now = retry_at,
            }
        }
        half.wedged += u32::from(breaker.state(now) != State::Closed);
    }
    half
}

/// A breaker that counts and never trips.
fn counting<W: Window>(window: W) -> Breaker<W, Inline<1>> {
    let mut breaker = Breaker::new(rules(Config::new()), window);
    breaker.force_closed(Instant::ZERO);
    breaker
}

fn report<W: Window>(breaker: &mut Breaker<W, Inline<1>>, now: Instant, outcome: Outcome) {
    let Admit::Yes(pass) = breaker.admit(now) else { unreachable!("it is held closed") };
    breaker.complete(now, pass, outcome).expect("the pass is fresh");
}

fn count_error() -> f64 {
    let mut breaker = counting(last(100));
    let mut rng = Xoshiro256PlusPlus::seed(24);
    let (mut log, mut worst) = (vec![], 0);
    let mut truth = 0u32;
    for _ in 0..1_000_000 {
        let failed = rng.below(3) == 0;
        let outcome = if failed { Outcome::Failure } else { Outcome::Success };
        report(&mut breaker, Instant::ZERO, outcome);
        log.push(failed);
        truth += u32::from(failed);
        if log.len() > 100 {
            truth -= u32::from(log[log.len() - 101]);
        }
        let window = breaker.stats(Instant::ZERO).window;
        worst =
            worst.max(window.failures.abs_diff(truth)).max(window.calls.abs_diff(log.len().min(100) as u32));
    }
    worst.into()
}

/// How far the edge of what is counted lies from the span's, at worst, in buckets.
fn time_error() -> f64 {
    const BUCKETS: u64 = 10;
    let (span, width) = (1_000u64, 100);
    let window = TimeWindow::<Inline<{ BUCKETS as usize }>>::new(Duration::from_nanos(span)).expect("a span");
    let mut breaker = counting(window);
    let mut rng = Xoshiro256PlusPlus::seed(25);
    let mut log: Vec<u64> = vec![];
    let (mut now, mut worst) = (0u64, 0u64);
    for _ in 0..200_000 {
        let most = if rng.below(100) == 0 { 3_000 } else { 20 };
        now += u64::from(rng.below(most));
        report(&mut breaker, Instant::from_nanos(now), Outcome::Success);
        log.push(now);
        let counted = breaker.stats(Instant::from_nanos(now)).window.calls as usize;
        // The oldest call counted must not be older than the span, the youngest left out not much younger.
        let oldest = now - log[log.len() - counted];
        worst = worst.max((oldest + 1).saturating_sub(span));
        if counted < log.len() {
            worst = worst.max(span.saturating_sub(now - log[log.len() - counted - 1]));
        }
    }
    worst as f64 / width as f64
}
