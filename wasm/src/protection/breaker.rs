//! A breaker, and calls that end as the reader says.

use core::time::Duration;

use divvy::Instant;
use divvy::breaker::{
    Admit, Breaker, Confidence, Config, CountWindow, Counts, Outcome, Rejection, State, Transition,
};
use divvy::fixed::Q32;
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use super::choice::Deed;
use crate::number::{Wrong, count, instant_millis, whole};

const MAX_WINDOW: u64 = 1_000;
const MAX_SECONDS: u64 = 3_600;
const MAX_PROBES: u64 = 64;

/// How long a call takes, and the clock moves, unless it is slow.
const USUAL: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(1_500);
/// What takes longer is slow.
const LONGER_THAN: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
const WAIT: Duration = Duration::from_secs(1);
/// The longest open time, in first ones.
const CAP: u32 = 8;

/// A breaker on a clock that moves only by what is done to it.
///
/// Every method that answers a typed array answers rows of a fixed number of columns, one after the other. States are 0
/// for closed, 1 for open, 2 for half-open.
#[wasm_bindgen]
#[derive(Debug)]
pub struct BreakerSim {
    breaker: Breaker<CountWindow<Heap>, Heap>,
    now: Instant,
    rate: Q32,
    minimum: u32,
    /// As sure as it must be; none is as sure as not at all.
    confidence: Confidence,
    changes: Vec<Transition>,
}

#[wasm_bindgen]
impl BreakerSim {
    /// Trips when `percent` (1 to 100) of the last `window` (1 to 1,000) calls failed or were slow, of at least
    /// `minimum` (1 to the window) calls, and if `sure` only where that is 95 % sure; open for `seconds` (1 to 3,600),
    /// twice as long each further time, up to eight times; `probes` (1 to 64) at once, and as many must succeed.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(
        window: f64,
        percent: f64,
        minimum: f64,
        sure: bool,
        seconds: f64,
        probes: f64,
    ) -> Result<Self, Wrong> {
        let window = count("window", window, MAX_WINDOW)?;
        let percent = whole("percent", percent, 1, 100)?;
        let minimum = count("minimum", minimum, u64::from(window.get()))?.get();
        let open = Duration::from_secs(whole("seconds", seconds, 1, MAX_SECONDS)?);
        let probes = count("probes", probes, MAX_PROBES)?;
        let rate = Q32::from_ratio(percent, 100).unwrap_or(Q32::ONE);
        let mut config = Config::empty()
            .failure_rate(rate)
            .slow_rate(LONGER_THAN, rate)
            .minimum(minimum)
            .open(open, open * CAP, Q32::from_int(2))
            .jitter(Q32::ZERO)
            .probes(probes)
            .probe_timeout(PROBE_TIMEOUT);
        let mut confidence = Confidence::from_z(Q32::ZERO);
        if sure {
            confidence = Confidence::P95;
            config = config.confidence(confidence);
        }
        let rules = config.build().map_err(Wrong::of)?;
        Ok(Self {
            breaker: Breaker::<_, Heap>::with_capacity(rules, CountWindow::with_capacity(window)),
            now: Instant::ZERO,
            rate,
            minimum,
            confidence,
            changes: Vec::new(),
        })
    }

    /// Does one thing. Answers one row: when it began and when it was over, in milliseconds; 1 if it was a call that was
    /// admitted, 2 if it was a probe, 3 if the breaker refused it because it is open, 4 because enough probes are under
    /// way, 0 if it was no call; and of a refused one when to try again.
    pub fn act(&mut self, deed: Deed) -> Vec<f64> {
        let began = self.now;
        let (how, retry_at) = match deed {
            Deed::Wait => {
                self.pass(WAIT);
                (0.0, 0.0)
            }
            Deed::Skip => {
                let due = self.breaker.next_deadline().unwrap_or(began.saturating_add(WAIT));
                self.pass(due.saturating_duration_since(began));
                (0.0, 0.0)
            }
            _ => self.call(deed),
        };
        vec![instant_millis(began), instant_millis(self.now), how, retry_at]
    }

    /// A row for each call in the window, the oldest first: whether it failed, whether it was slow.
    pub fn window(&self) -> Vec<f64> {
        let bit = |bit: bool| f64::from(u8::from(bit));
        self.breaker.window().iter().flat_map(|(failed, slow)| [bit(failed), bit(slow)]).collect()
    }

    /// One row: the clock in milliseconds; the state; when time alone next changes something, -1 if never; calls in
    /// the window, failed, slow; how many calls the rate is taken of; how many bad ones trip it; probes under way, that
    /// succeeded, that failed or were lost.
    pub fn summary(&self) -> Vec<f64> {
        let stats = self.breaker.stats(self.now);
        let Counts { calls, failures, slow } = stats.window;
        let judged = calls.max(self.minimum);
        let trips = (1..=judged).find(|bad| {
            let plain = Confidence::from_z(Q32::ZERO);
            plain.reaches(*bad, judged, self.rate) && self.confidence.reaches(*bad, judged, self.rate)
        });
        let deadline = self.breaker.next_deadline().map_or(-1.0, instant_millis);
        let numbers = [
            calls,
            failures,
            slow,
            judged,
            trips.unwrap_or(0),
            stats.probes,
            stats.probed.calls - stats.probed.failures,
            stats.probed.failures,
        ];
        let head = [instant_millis(self.now), f64::from(number(stats.state)), deadline];
        head.into_iter().chain(numbers.map(f64::from)).collect()
    }

    /// One row of sums since the start: calls that counted, of them failed, slow; refused; probes lost; openings since
    /// it was last closed; changes of state.
    pub fn totals(&self) -> Vec<f64> {
        let stats = self.breaker.stats(self.now);
        let sums = [stats.calls, stats.failures, stats.slow, stats.rejected, stats.lost];
        let counts = [stats.openings, stats.transitions()];
        sums.iter().map(|sum| *sum as f64).chain(counts.map(f64::from)).collect()
    }

    /// A row for each change of state: when, from which state, to which one, until when if it opened (-1 if not); and what
    /// was counted in the window or of the probes: calls, failed, slow.
    pub fn changes(&self) -> Vec<f64> {
        let row = |change: &Transition| {
            let until = if let State::Open { until } = change.to { instant_millis(until) } else { -1.0 };
            let Counts { calls, failures, slow } = change.counts;
            let states = [change.from, change.to].map(|state| f64::from(number(state)));
            let counts = [calls, failures, slow].map(f64::from);
            [instant_millis(change.at), states[0], states[1], until, counts[0], counts[1], counts[2]]
        };
        self.changes.iter().flat_map(row).collect()
    }

    /// Why, for each change of state.
    pub fn causes(&self) -> Vec<String> {
        self.changes.iter().map(|change| change.why.to_string()).collect()
    }
}

impl BreakerSim {
    fn call(&mut self, deed: Deed) -> (f64, f64) {
        let pass = match self.breaker.admit(self.now) {
            Admit::Yes(pass) => pass,
            Admit::No { retry_at, why } => {
                // To be refused takes no time worth mentioning, but the next one comes later.
                self.pass(USUAL);
                return (if why == Rejection::Open { 3.0 } else { 4.0 }, instant_millis(retry_at));
            }
        };
        self.pass(if deed == Deed::Slow { SLOW } else { USUAL });
        let outcome = match deed {
            Deed::Fail => Some(Outcome::Failure),
            // Nobody will ever say how this one went.
            Deed::Vanish => None,
            // The breaker sees by itself that it was slow.
            _ => Some(Outcome::Success),
        };
        if let Some(outcome) = outcome
            && let Ok(Some(change)) = self.breaker.complete(self.now, pass, outcome)
        {
            self.changes.push(change);
        }
        (if pass.is_probe() { 2.0 } else { 1.0 }, 0.0)
    }

    /// Lets time pass, one deadline after the other, so that no change is missed.
    fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        while let Some(due) = self.breaker.next_deadline().filter(|due| *due <= self.now) {
            if let Some(change) = self.breaker.advance(due) {
                self.changes.push(change);
            }
        }
    }
}

const fn number(state: State) -> u8 {
    match state {
        State::Open { .. } => 1,
        State::HalfOpen => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use divvy::breaker::Cause;

    fn sim(sure: bool) -> BreakerSim {
        BreakerSim::new(10.0, 50.0, 10.0, sure, 5.0, 2.0).unwrap()
    }

    fn states(sim: &BreakerSim) -> Vec<f64> {
        sim.changes().chunks(7).map(|row| row[2]).collect()
    }

    #[test]
    fn it_trips_probes_and_closes() {
        let mut sim = sim(false);
        for failures in 0..5 {
            assert_eq!(sim.summary()[1], 0.0, "{failures}");
            assert_eq!(sim.act(Deed::Fail)[2], 1.0);
        }
        // Five of ten, and no call goes through for five seconds.
        assert_eq!(sim.summary()[..3], [500.0, 1.0, 5_500.0]);
        assert_eq!(sim.act(Deed::Succeed), [500.0, 600.0, 3.0, 5_500.0]);
        assert_eq!(sim.act(Deed::Skip), [600.0, 5_500.0, 0.0, 0.0]);
        // Two probes may be under way, and one of them is lost.
        assert_eq!(sim.act(Deed::Vanish)[2], 2.0);
        assert_eq!(sim.act(Deed::Vanish)[2], 2.0);
        assert_eq!(sim.act(Deed::Succeed)[2], 4.0);
        sim.act(Deed::Skip);
        assert_eq!(sim.summary()[..3], [8_500.0, 1.0, 18_500.0]);
        sim.act(Deed::Skip);
        sim.act(Deed::Succeed);
        sim.act(Deed::Succeed);
        assert_eq!(states(&sim), [1.0, 2.0, 1.0, 2.0, 0.0]);
        assert_eq!(sim.causes()[2], Cause::ProbeLost.to_string());
        assert_eq!(sim.window().len(), 0);
        assert_eq!(sim.totals(), [7.0, 5.0, 0.0, 2.0, 1.0, 0.0, 5.0]);
    }

    #[test]
    fn it_trips_at_the_number_that_it_says() {
        for sure in [false, true] {
            let mut sim = sim(sure);
            let mut before = 0.0;
            for _ in 0..10 {
                before = sim.summary()[7];
                sim.act(Deed::Fail);
                if sim.summary()[1] == 1.0 {
                    break;
                }
            }
            let last = sim.changes();
            assert_eq!(last[5], before, "{sure}: {last:?}");
        }
        let trips = |sure| sim(sure).summary()[7];
        assert!(trips(true) > trips(false));
    }

    #[test]
    fn the_window_shows_the_last_calls() {
        let mut sim = sim(false);
        for deed in [Deed::Succeed, Deed::Slow, Deed::Vanish, Deed::Fail] {
            sim.act(deed);
        }
        assert_eq!(sim.window(), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(sim.summary()[3..7], [3.0, 1.0, 1.0, 10.0]);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let refused = |window, percent, minimum, seconds, probes| {
            BreakerSim::new(window, percent, minimum, false, seconds, probes).unwrap_err()
        };
        assert!(refused(0.0, 50.0, 1.0, 5.0, 1.0).starts_with("window is 0;"));
        assert!(refused(10.0, 101.0, 1.0, 5.0, 1.0).starts_with("percent is 101;"));
        assert!(refused(10.0, 50.0, 11.0, 5.0, 1.0).starts_with("minimum is 11;"));
        assert!(refused(10.0, 50.0, 1.0, 0.5, 1.0).starts_with("seconds is not a whole number"));
        assert!(refused(10.0, 50.0, 1.0, 5.0, 65.0).starts_with("probes is 65;"));
    }
}
