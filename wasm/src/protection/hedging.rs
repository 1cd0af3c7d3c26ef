//! Calls of which a few stall, with and without a second attempt.

use core::cmp::Reverse;
use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::BinaryHeap;

use divvy::Instant;
use divvy::retry::{Budget, BudgetConfig, Hedge, HedgeConfig, HedgeStep};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sim::Service;
use divvy::sketch::Histogram;
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::number::{MAX_SEED, Wrong, instant, millis, whole};

const MAX_STALLS: u64 = 1_000;
/// A thousand calls a second.
const EVERY: Duration = Duration::from_millis(1);
/// The least that a call takes, the mean of what it takes besides, and what it takes if it stalls.
const LEAST: Duration = Duration::from_millis(5);
const MEAN: Duration = Duration::from_millis(10);
const STALL: Duration = Duration::from_secs(1);
/// How much slower all servers become, if they do, and when.
const SLOWER: u32 = 10;
const SLOWER_AT: Duration = Duration::from_secs(15);
/// Of what time the percentile is.
const WINDOW: Duration = Duration::from_secs(10);
/// Nothing takes longer.
const LONGEST: Duration = Duration::from_secs(60);
/// What tells the chance of second attempts from that of first ones.
const SECOND: u64 = 0x5EC0_0000_0000_0001;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum What {
    Begins,
    /// Without hedging it is answered now.
    EndsAlone,
    /// With hedging, unless another attempt was faster.
    Ends,
    AsksForHedge,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    /// How long it takes without a hedge.
    alone: Duration,
    /// And with one, as far as it is known.
    hedged: Duration,
    /// When the second attempt was sent, since the call began.
    second: Option<Duration>,
}

/// The same thousand calls a second with and without hedging: the first attempts are the same in both.
///
/// Every method that answers a typed array answers rows of a fixed number of columns, one after the other.
#[wasm_bindgen]
#[derive(Debug)]
pub struct HedgingSim {
    first: Xoshiro256PlusPlus,
    second: Xoshiro256PlusPlus,
    stalls: u32,
    slower: bool,
    hedge: Hedge<Heap, 4>,
    budget: Budget,
    now: Instant,
    agenda: BinaryHeap<Reverse<(Instant, u32, What)>>,
    calls: Vec<Call>,
    /// Without hedging and with it.
    latencies: [Histogram<Heap>; 2],
}

#[wasm_bindgen]
impl HedgingSim {
    /// `stalls` (0 to 1,000) of 1,000 attempts take a second. What takes longer than `percentile` (1 to 1,000) of 1,000
    /// calls did gets a second attempt, out of a budget of `budget` (0 to 100) for 100 first attempts. If `slower`, all
    /// servers take ten times as long from the 15th second on.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: f64, stalls: f64, percentile: f64, budget: f64, slower: bool) -> Result<Self, Wrong> {
        let seed = whole("seed", seed, 0, MAX_SEED)?;
        let stalls = whole("stalls", stalls, 0, MAX_STALLS)? as u32;
        let percentile = whole("percentile", percentile, 1, 1_000)? as u32;
        let budget = whole("budget", budget, 0, 100)? as u32;
        let config = HedgeConfig::new().percentile(percentile, 1_000).window(WINDOW);
        let config = config.samples(const { NonZeroU32::new(100).unwrap() });
        Ok(Self {
            first: Xoshiro256PlusPlus::seed(seed),
            second: Xoshiro256PlusPlus::seed(seed ^ SECOND),
            stalls,
            slower,
            hedge: Hedge::with_longest(config, LONGEST).map_err(Wrong::of)?,
            budget: Budget::new(BudgetConfig::new().share(budget, 100).floor(0)).map_err(Wrong::of)?,
            now: Instant::ZERO,
            agenda: [Reverse((Instant::ZERO, 0, What::Begins))].into(),
            calls: Vec::new(),
            latencies: [(); 2].map(|()| Histogram::with_highest(LONGEST.as_nanos() as u64)),
        })
    }

    /// Lets everything up to `time` happen, in milliseconds.
    pub fn advance(&mut self, time: f64) {
        let until = instant(time);
        while let Some(Reverse((now, call, what))) =
            self.agenda.peek().copied().filter(|next| next.0.0 <= until)
        {
            self.agenda.pop();
            self.happen(now, call, what);
        }
        self.now = self.now.max(until);
    }

    /// A row for each of `count` calls, the last ones that began before the latest `before`: how long it takes without a
    /// hedge and with one, in milliseconds, and after how long the second attempt was sent; each -1 while there is none.
    pub fn calls(&self, before: f64, count: f64) -> Vec<f64> {
        let end = self.calls.len().saturating_sub(before as usize);
        let skip = end.saturating_sub(count as usize);
        let row = |(call, number): (&Call, usize)| {
            let began = Instant::ZERO.saturating_add(EVERY * number as u32);
            let answered =
                |latency| if began.saturating_add(latency) <= self.now { millis(latency) } else { -1.0 };
            [answered(call.alone), answered(call.hedged), call.second.map_or(-1.0, millis)]
        };
        self.calls.iter().zip(0..).take(end).skip(skip).flat_map(row).collect()
    }

    /// Two rows, without hedging and with it: calls that were answered, and of these in milliseconds the median, the 99th
    /// percentile, the 99.9th, and the largest.
    pub fn latencies(&self) -> Vec<f64> {
        let millis = |nanos: Option<u64>| nanos.map_or(0.0, |nanos| nanos as f64 / 1e6);
        let row = |latencies: &Histogram<Heap>| {
            let quantile = |per_mille| millis(latencies.quantile(per_mille, 1_000));
            [latencies.count() as f64, quantile(500), quantile(990), quantile(999), millis(latencies.max())]
        };
        self.latencies.iter().flat_map(row).collect()
    }

    /// One row: calls that began, second attempts that were sent, that the budget refused, that the budget would still
    /// pay for, and the delay before a second attempt in milliseconds, -1 while it is not known.
    pub fn hedges(&self) -> Vec<f64> {
        let stats = self.hedge.stats();
        let balance = self.budget.stats(self.now).balance;
        vec![
            self.calls.len() as f64,
            stats.sent as f64,
            stats.refused as f64,
            f64::from(balance),
            stats.delay.map_or(-1.0, millis),
        ]
    }
}

impl HedgingSim {
    fn happen(&mut self, now: Instant, number: u32, what: What) {
        let began = Instant::ZERO.saturating_add(EVERY * number);
        let sent = match what {
            What::Begins => {
                let latency = self.latency(now, false);
                self.calls.push(Call { alone: latency, hedged: latency, second: None });
                self.budget.deposit(now);
                let next = began.saturating_add(EVERY);
                self.agenda.push(Reverse((next, number + 1, What::Begins)));
                for what in [What::EndsAlone, What::Ends] {
                    self.agenda.push(Reverse((began.saturating_add(latency), number, what)));
                }
                0
            }
            What::EndsAlone => {
                let alone = self.calls[number as usize].alone;
                return self.latencies[0].record(alone.as_nanos() as u64);
            }
            What::Ends => {
                let latency = self.calls[number as usize].hedged;
                if began.saturating_add(latency) == now {
                    self.latencies[1].record(latency.as_nanos() as u64);
                    self.hedge.observe(now, latency);
                }
                return;
            }
            What::AsksForHedge => {
                let call = &self.calls[number as usize];
                if began.saturating_add(call.hedged) <= now {
                    return;
                }
                u32::from(call.second.is_some())
            }
        };
        match self.hedge.ask(now, began, sent, &mut self.budget) {
            HedgeStep::Wait { until } => self.agenda.push(Reverse((until, number, What::AsksForHedge))),
            HedgeStep::Send => {
                let second = now.saturating_duration_since(began);
                let answered = second + self.latency(now, true);
                let call = &mut self.calls[number as usize];
                call.second = Some(second);
                if answered < call.hedged {
                    call.hedged = answered;
                    self.agenda.push(Reverse((began.saturating_add(answered), number, What::Ends)));
                }
            }
            HedgeStep::No(_) => {}
        }
    }

    /// How long an attempt takes.
    fn latency(&mut self, now: Instant, second: bool) -> Duration {
        let rng = if second { &mut self.second } else { &mut self.first };
        let usual = LEAST + Service::exponential(MEAN).sample(rng);
        let stalls = rng.below(1_000) < self.stalls;
        let slower = self.slower && now >= Instant::ZERO.saturating_add(SLOWER_AT);
        if stalls { STALL } else { usual * if slower { SLOWER } else { 1 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(percentile: f64, budget: f64, slower: bool) -> HedgingSim {
        let mut sim = HedgingSim::new(1.0, 10.0, percentile, budget, slower).unwrap();
        sim.advance(30_000.0);
        sim
    }

    #[test]
    fn a_stall_no_longer_shows_in_the_tail() {
        let sim = run(950.0, 20.0, false);
        let [calls, sent, refused, ..] = sim.hedges()[..] else { panic!() };
        assert_eq!(calls, 30_001.0);
        assert!(sent / calls > 0.03 && sent / calls < 0.055, "{sent} of {calls}");
        assert!(refused < 10.0, "{refused}");
        let latencies = sim.latencies();
        assert!(latencies[3] > 900.0 && latencies[8] < 100.0, "{latencies:?}");
        // Without a budget nothing is sent twice, and both are the same.
        let none = run(950.0, 0.0, false);
        let latencies = none.latencies();
        assert_eq!(none.hedges()[1], 0.0);
        assert_eq!(latencies[..5], latencies[5..]);
    }

    #[test]
    fn the_budget_holds_when_everything_becomes_slow() {
        for budget in [5.0, 8.0, 20.0] {
            let sim = run(950.0, budget, true);
            let [calls, sent, refused, ..] = sim.hedges()[..] else { panic!() };
            assert!(sent <= calls * budget / 100.0, "{sent} of {calls}");
            assert!(budget == 20.0 || refused > 100.0, "{refused} refused of a budget of {budget} %");
        }
    }

    #[test]
    fn each_call_says_what_became_of_it() {
        let mut sim = run(900.0, 50.0, false);
        sim.advance(40_000.0);
        let rows = sim.calls(0.0, 20_000.0);
        let hedged: Vec<_> = rows.chunks(3).filter(|row| row[2] >= 0.0).collect();
        assert!(hedged.len() > 1_000);
        for row in rows.chunks(3).take(18_000) {
            assert!(row[1] <= row[0] && (row[2] >= 0.0 || row[1] == row[0]), "{row:?}");
        }
        assert_eq!(sim.calls(0.0, 1e9).len() / 3, 40_001);
        assert_eq!(sim.calls(5.0, 10.0), rows[rows.len() - 45..rows.len() - 15]);
        assert_eq!([sim.calls(0.0, 0.0).len(), sim.calls(1e9, 10.0).len()], [0, 0]);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let refused =
            |stalls, percentile, budget| HedgingSim::new(0.0, stalls, percentile, budget, false).unwrap_err();
        assert!(refused(1_001.0, 950.0, 20.0).starts_with("stalls is 1001;"));
        assert!(refused(10.0, 0.0, 20.0).starts_with("percentile is 0;"));
        assert!(refused(10.0, 950.0, 101.0).starts_with("budget is 101;"));
        assert!(refused(10.0, 95.5, 20.0).starts_with("percentile is not a whole number"));
    }
}
