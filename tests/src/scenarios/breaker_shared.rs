//! The breaker that threads share, by one of them: it trips, waits, probes and closes by several rules, under a clock that
//! stands still, runs and jumps.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::breaker::{
    Admit, Config, Outcome, Pass, Rejection, Rules, SharedBreaker, SharedCountWindow, Stale, State,
    Transition,
};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const STEPS: u32 = 1_200;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xB5EA);
    for (nth, config) in configs().into_iter().enumerate() {
        match config.build() {
            Ok(rules) => drive(&mut digest, &mut rng, rules, 7 + 19 * nth as u32),
            Err(_) => digest.feed(u64::MAX),
        }
    }
    digest.finish()
}

fn configs() -> [Config; 4] {
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    let percent = |n| Q32::from_ratio(n, 100).unwrap_or(Q32::ONE);
    let (millis, second) = (Duration::from_millis(1), Duration::from_secs(1));
    [
        Config::new(),
        Config::empty().consecutive(count(3)).probes(count(1)).open(second, 20 * second, percent(150)),
        Config::new()
            .failure_rate(percent(30))
            .minimum(5)
            .slow_rate(40 * millis, percent(60))
            .jitter(Q32::ONE),
        Config::empty()
            .slow_rate(20 * millis, percent(25))
            .probes(count(4))
            .close_after(count(6))
            .reopen_after(count(2))
            .probe_timeout(second)
            .seed(5),
    ]
}

fn drive(digest: &mut Digest, rng: &mut Xoshiro256PlusPlus, rules: Rules, last: u32) {
    let window = match SharedCountWindow::<Inline<8>>::new().last(last) {
        Ok(window) => window,
        Err(_) => return digest.feed(u64::MAX),
    };
    let breaker = SharedBreaker::<_, Inline<4>>::new(rules, window);
    let mut passes: [Option<Pass>; 8] = [None; 8];
    let mut now = Instant::from_secs(1_000);
    // Of 16 calls, so many fail; it changes as time goes by.
    let mut bad = 1;
    for _ in 0..STEPS {
        now = match rng.below(60) {
            0 => breaker.next_deadline().unwrap_or(now),
            1 => now.saturating_sub(Duration::from_secs(1)),
            2..12 => now,
            _ => now.saturating_add(Duration::from_millis(rng.below(30).into())),
        };
        if rng.below(100) == 0 {
            bad = rng.below(17);
        }
        let change = match rng.below(300) {
            0 => breaker.force_open(now),
            1 => breaker.force_closed(now),
            2 => breaker.disable(now),
            3..8 => Some(breaker.reset(now)),
            8..20 => breaker.advance(now),
            _ => None,
        };
        tell(digest, change);
        let place = &mut passes[rng.below(8) as usize];
        match place.take() {
            None => match breaker.admit(now) {
                Admit::Yes(pass) => {
                    digest.feed(u64::from(pass.is_probe()));
                    *place = Some(pass);
                }
                Admit::No { retry_at, why } => {
                    digest.feed(retry_at.as_nanos());
                    digest.feed(match why {
                        Rejection::Open => 2,
                        Rejection::Probing => 3,
                        _ => 4,
                    });
                }
            },
            // Some callers vanish.
            Some(_) if rng.below(20) == 0 => {}
            Some(pass) => {
                let outcome = match rng.below(16) {
                    n if n < bad => Outcome::Failure,
                    15 => Outcome::Ignored,
                    14 => Outcome::Slow,
                    _ => Outcome::Success,
                };
                match breaker.complete(now, pass, outcome) {
                    Ok(change) => tell(digest, change),
                    Err(stale) => digest.feed(match stale {
                        Stale::Earlier => 5,
                        Stale::Expired => 6,
                        _ => 7,
                    }),
                }
            }
        }
    }
    let stats = breaker.stats(now);
    for count in [stats.window, stats.probed] {
        [count.calls, count.failures, count.slow].into_iter().for_each(|count| digest.feed(count.into()));
    }
    [stats.probes, stats.lost, stats.openings, stats.transitions]
        .into_iter()
        .for_each(|count| digest.feed(count.into()));
    digest.feed(number(stats.state));
}

fn tell(digest: &mut Digest, change: Option<Transition>) {
    let Some(change) = change else { return };
    digest.feed(change.at.as_nanos());
    digest.feed(number(change.from));
    digest.feed(number(change.to));
    digest.feed(change.why as u64);
    digest.feed(change.counts.failures.into());
}

fn number(state: State) -> u64 {
    match state {
        State::Closed => 0,
        // Far from the small numbers: in nanoseconds, after a thousand seconds.
        State::Open { until } => until.as_nanos(),
        State::HalfOpen => 2,
        State::ForcedOpen => 3,
        State::ForcedClosed => 4,
        State::Disabled => 5,
    }
}
