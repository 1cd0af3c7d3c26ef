//! Breakers by every criterion over both windows, under callers who vanish and a clock that stands still, runs, and jumps
//! either way.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::breaker::{
    Admit, Breaker, Cause, Confidence, Config, CountWindow, Outcome, Pass, Rejection, Rules, Stale, State,
    TimeWindow, Transition, Window,
};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xB2EA);
    let millis = Duration::from_millis;
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    let percent = |n: u64| Q32::from_ratio(n, 100).unwrap_or(Q32::ONE);
    let times = |config: Config| {
        config.open(millis(100), millis(2_000), percent(150)).jitter(percent(20)).probe_timeout(millis(40))
    };
    let rate = times(Config::new().failure_rate(percent(50)).seed(1));
    let sure = rate.confidence(Confidence::P99).minimum(1).seed(2);
    let row = times(Config::empty().consecutive(count(4)).probes(count(1)).seed(3));
    let slow = times(Config::empty().slow_rate(millis(20), percent(60)).minimum(10).seed(4));
    let all = rate.consecutive(count(9)).slow_rate(millis(25), percent(90)).minimum(20);
    let all = all.probes(count(4)).close_after(count(6)).reopen_after(count(2)).seed(5);
    for config in [rate, sure, row, slow, all, Config::empty(), all.jitter(percent(101))] {
        let Ok(rules) = config.build() else {
            digest.feed(u64::MAX);
            continue;
        };
        if let Ok(window) = CountWindow::<Inline<2>>::new().last(50) {
            drive(&mut digest, &mut rng, rules, window);
        }
        if let Ok(window) = TimeWindow::<Inline<5>>::new(millis(300)) {
            drive(&mut digest, &mut rng, rules, window);
        }
    }
    digest.finish()
}

/// The calls under way, at most so many.
const CALLS: usize = 8;

#[inline(never)]
fn drive<W: Window>(digest: &mut Digest, rng: &mut Xoshiro256PlusPlus, rules: Rules, window: W) {
    let mut breaker = Breaker::<W, Inline<3>>::new(rules, window);
    let mut calls: [Option<Pass>; CALLS] = [None; CALLS];
    let mut now = Instant::from_secs(1_000);
    for step in 0..1_500 {
        now = match rng.below(100) {
            0 => now.saturating_sub(Duration::from_millis(u64::from(rng.below(500)))),
            1 => now.saturating_add(Duration::from_millis(u64::from(rng.below(5_000)))),
            2..20 => now,
            _ => now.saturating_add(Duration::from_micros(u64::from(rng.below(8_000)))),
        };
        // The service fails more the longer it goes well, and recovers.
        let failing = step % 500 * 100 / 500;
        let place = rng.below(CALLS as u32) as usize;
        match calls[place].take() {
            // One in sixteen callers vanishes.
            Some(_) if rng.below(16) == 0 => {}
            Some(pass) => {
                let outcome = match rng.below(100) {
                    n if n < failing => Outcome::Failure,
                    98 => Outcome::Slow,
                    99 => Outcome::Ignored,
                    _ => Outcome::Success,
                };
                match breaker.complete(now, pass, outcome) {
                    Ok(change) => feed(digest, change),
                    Err(Stale::Earlier) => digest.feed(2),
                    Err(Stale::Expired) => digest.feed(3),
                    Err(_) => digest.feed(4),
                }
            }
            None => match breaker.admit(now) {
                Admit::Yes(pass) => {
                    digest.feed(pass.began().as_nanos());
                    digest.feed(pass.is_probe().into());
                    calls[place] = Some(pass);
                }
                Admit::No { retry_at, why } => {
                    digest.feed(retry_at.as_nanos());
                    digest.feed(match why {
                        Rejection::Open => 0,
                        Rejection::Probing => 1,
                        _ => 2,
                    });
                }
            },
        }
        match rng.below(800) {
            0 => feed(digest, breaker.force_open(now)),
            1 => feed(digest, breaker.force_closed(now)),
            2 => feed(digest, breaker.disable(now)),
            3..9 => feed(digest, Some(breaker.reset(now))),
            9..100 => feed(digest, breaker.advance(now)),
            _ => digest.feed_option(breaker.next_deadline().map(Instant::as_nanos)),
        }
        if step % 64 == 0 {
            let stats = breaker.stats(now);
            digest.feed(state(stats.state));
            digest.feed(stats.window.error_rate().to_bits());
            digest.feed(stats.window.slow_rate().to_bits());
            for sum in [stats.calls, stats.failures, stats.slow, stats.ignored, stats.rejected, stats.lost] {
                digest.feed(sum);
            }
            for cause in [Cause::Failures, Cause::Consecutive, Cause::SlowCalls, Cause::ProbeLost] {
                digest.feed(stats.caused_by(cause).into());
            }
            digest.feed((u64::from(stats.transitions()) << 32) | u64::from(stats.probes));
        }
    }
}

fn state(state: State) -> u64 {
    match state {
        State::Closed => 1,
        State::Open { until } => until.as_nanos(),
        State::HalfOpen => 2,
        State::ForcedOpen => 3,
        State::ForcedClosed => 4,
        State::Disabled => 5,
    }
}

fn feed(digest: &mut Digest, change: Option<Transition>) {
    let Some(Transition { at, from, to, why, counts }) = change else {
        digest.feed(0);
        return;
    };
    digest.feed(at.as_nanos());
    digest.feed(state(from));
    digest.feed(state(to));
    digest.feed(match why {
        Cause::Failures => 1,
        Cause::Consecutive => 2,
        Cause::SlowCalls => 3,
        Cause::ProbeFailed => 4,
        Cause::ProbeLost => 5,
        Cause::ProbesSucceeded => 6,
        Cause::TimeOver => 7,
        Cause::Forced => 8,
        _ => 9,
    });
    digest.feed((u64::from(counts.failures) << 32) | u64::from(counts.slow));
    digest.feed(counts.calls.into());
}
