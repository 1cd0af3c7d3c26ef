//! What stands before the device: a breaker and a limiter, of one core or of all.

use super::{BURST, LONGEST, PROBE_TIMEOUT, PROBES, RATE, SLOW, WINDOW};
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::breaker::{
    Admit, Breaker, Config, CountWindow, Outcome, Pass, Rules, SharedBreaker, SharedCountWindow, Stale,
    Transition,
};
use divvy::fixed::Q32;
use divvy::limit::{self, Gcra, Quota, SharedGcra32};
use divvy::storage::Inline;

/// The breaker of one core.
pub(super) type Plain = Breaker<CountWindow<Inline<1>>, Inline<{ PROBES as usize }>>;
/// The breaker of all cores.
pub(super) type Shared = SharedBreaker<SharedCountWindow<Inline<4>>, Inline<{ PROBES as usize }>>;

const fn at_least_one(n: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(n - 1)
}

const fn rules(probe_timeout: Duration) -> Rules {
    const HALF: Q32 = Q32::from_ratio(1, 2).unwrap();
    let config = Config::new()
        .failure_rate(HALF)
        .slow_rate(SLOW, HALF)
        .minimum(16)
        .open(Duration::from_millis(300), LONGEST, Q32::from_int(2))
        .seed(4)
        .probes(at_least_one(PROBES))
        .close_after(at_least_one(4))
        .probe_timeout(probe_timeout);
    match config.build() {
        Ok(rules) => rules,
        Err(_) => panic!("the rules of the demo's breaker contradict each other"),
    }
}

/// See [`RATE`].
pub(super) const QUOTA: Quota = match Quota::new(at_least_one(RATE), Duration::from_secs(1)) {
    Ok(quota) => match quota.burst(at_least_one(BURST)) {
        Ok(quota) => quota,
        Err(_) => panic!("the burst of the demo's quota is too long"),
    },
    Err(_) => panic!("the demo's quota has no period"),
};

const fn plain() -> Plain {
    match CountWindow::new().last(WINDOW) {
        Ok(window) => Breaker::new(rules(PROBE_TIMEOUT), window),
        Err(_) => panic!("the window of the demo's breaker has no room"),
    }
}

const fn shared(probe_timeout: Duration) -> Shared {
    match SharedCountWindow::new().last(WINDOW) {
        Ok(window) => SharedBreaker::new(rules(probe_timeout), window),
        Err(_) => panic!("the window of the demo's breaker has no room"),
    }
}

/// A breaker and a limiter, plain or shared.
pub(super) trait Guard {
    fn admit(&mut self, now: Instant) -> Admit;
    fn complete(&mut self, now: Instant, pass: Pass, outcome: Outcome) -> Result<Option<Transition>, Stale>;
    fn advance(&mut self, now: Instant) -> Option<Transition>;
    /// The number of the breaker's present state.
    fn period(&self, now: Instant) -> u32;
    fn limit(&mut self, now: Instant) -> limit::Admit;
}

/// Plain, with one owner.
pub(super) struct OfOne {
    pub(super) breaker: Plain,
    pub(super) limit: Gcra,
}

impl OfOne {
    pub(super) const fn new() -> Self {
        Self { breaker: plain(), limit: Gcra::new(QUOTA) }
    }
}

impl Guard for OfOne {
    fn admit(&mut self, now: Instant) -> Admit {
        self.breaker.admit(now)
    }

    fn complete(&mut self, now: Instant, pass: Pass, outcome: Outcome) -> Result<Option<Transition>, Stale> {
        self.breaker.complete(now, pass, outcome)
    }

    fn advance(&mut self, now: Instant) -> Option<Transition> {
        self.breaker.advance(now)
    }

    fn period(&self, now: Instant) -> u32 {
        self.breaker.stats(now).transitions()
    }

    fn limit(&mut self, now: Instant) -> limit::Admit {
        self.limit.admit(now)
    }
}

/// Shared by reference.
#[derive(Debug)]
pub(super) struct OfAll {
    pub(super) breaker: Shared,
    pub(super) limit: SharedGcra32,
}

impl OfAll {
    pub(super) const fn new(probe_timeout: Duration) -> Self {
        Self { breaker: shared(probe_timeout), limit: SharedGcra32::new(QUOTA) }
    }
}

impl Guard for &OfAll {
    fn admit(&mut self, now: Instant) -> Admit {
        self.breaker.admit(now)
    }

    fn complete(&mut self, now: Instant, pass: Pass, outcome: Outcome) -> Result<Option<Transition>, Stale> {
        self.breaker.complete(now, pass, outcome)
    }

    fn advance(&mut self, now: Instant) -> Option<Transition> {
        self.breaker.advance(now)
    }

    fn period(&self, now: Instant) -> u32 {
        self.breaker.stats(now).transitions
    }

    fn limit(&mut self, now: Instant) -> limit::Admit {
        self.limit.admit(now)
    }
}
