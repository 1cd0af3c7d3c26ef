//! How evenly full jitter spreads, how much retries multiply what is sent, and what a hedge costs and gains.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::retry::{Backoff, Budget, BudgetConfig, Hedge, HedgeConfig, HedgeStep, Retry, Spend};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const DRAWS: u32 = 100_000;
const SOURCE: &str = "uniform in [0, min(cap, base × 2ⁿ⁻¹)]: Brooker, Exponential Backoff And Jitter, 2015";

pub(crate) fn figures() -> Vec<Figure> {
    [jitter(), amplification(), hedging()].concat()
}

fn jitter() -> Vec<Figure> {
    let cap = Duration::from_secs(60);
    let backoff = Backoff::new(Duration::from_millis(100), cap).expect("the base is below the cap");
    let mut rng = Xoshiro256PlusPlus::seed(0xB0FF);
    let now = Instant::from_secs(1);
    let mut wait = |attempt| match backoff.next(now, attempt, &mut rng) {
        Retry::At(when) => when.saturating_duration_since(now).as_secs_f64(),
        Retry::GiveUp => f64::NAN,
    };
    // The fourth ceiling is 800 ms.
    let fourth: Vec<f64> = (0..DRAWS).map(|_| wait(4) / 0.8).collect();
    let mean = fourth.iter().sum::<f64>() / f64::from(DRAWS);
    let square = fourth.iter().map(|share| share * share).sum::<f64>() / f64::from(DRAWS);
    let longest = (0..DRAWS).map(|draw| wait(1 + draw % 100)).fold(0.0, f64::max);
    // A uniform share has the variance 1/12, and its square 4/45: five standard deviations of the means.
    let five = |variance: f64| 5.0 * (variance / f64::from(DRAWS)).sqrt();
    vec![
        Figure::new(
            "retry: mean wait, as a share of the ceiling",
            mean,
            Bound::Within(0.5, five(1.0 / 12.0)),
            SOURCE,
        ),
        Figure::new(
            "retry: mean square of that share",
            square,
            Bound::Within(1.0 / 3.0, five(4.0 / 45.0)),
            SOURCE,
        ),
        Figure::new(
            "retry: longest wait of attempts 1 to 100, as a share of the cap",
            longest / 60.0,
            Bound::AtMost(1.0),
            SOURCE,
        ),
    ]
}

/// Services in a row, each of which tries what it sends three times; the last one is down.
const LAYERS: u32 = 3;
const ATTEMPTS: u32 = 3;

fn amplification() -> Vec<Figure> {
    let fifth = BudgetConfig::new().share(1, 5).ttl(Duration::from_secs(10));
    let floor = 10;
    let seconds = 60;
    let [without, _] = sent_on(None, seconds);
    let [last, layer] = sent_on(Some(fifth.floor(0)), seconds);
    let [_, floored] = sent_on(Some(fifth.floor(floor)), seconds);
    vec![
        Figure::new(
            "retry: requests at a service that is down, for each request of a user 3 services before it, 3 attempts each, no budget",
            without,
            Bound::Exactly(f64::from(ATTEMPTS.pow(LAYERS))),
            "(1 + retries)^services: Site Reliability Engineering, chapter 22",
        ),
        Figure::new(
            "retry: the same with a budget of 20 % at each of them",
            last,
            Bound::AtMost(1.728),
            "(1 + budget)^services: Finagle's RetryBudget",
        ),
        Figure::new(
            "retry: requests sent by one of them for each that it received",
            layer,
            Bound::AtMost(1.2),
            "1 + budget",
        ),
        Figure::new(
            "retry: the same, and 10 retries a second in any case, at 1,000 requests a second for 60 s",
            floored,
            // What the floor is worth over the whole time, and once more for the window at its start.
            Bound::AtMost(1.2 + f64::from(floor) * (seconds as f64 + 10.0) / (1_000.0 * seconds as f64)),
            "1 + budget + floor",
        ),
    ]
}

/// Requests at the last service for each one of the users, and at the second for each one at the first.
fn sent_on(budget: Option<BudgetConfig>, seconds: u64) -> [f64; 2] {
    fn send(at: usize, now: Instant, budgets: &mut Vec<Option<Budget>>, received: &mut [u64]) {
        received[at] += 1;
        if at == LAYERS as usize {
            return;
        }
        if let Some(budget) = &mut budgets[at] {
            budget.deposit(now);
        }
        for attempt in 1..=ATTEMPTS {
            send(at + 1, now, budgets, received);
            let more = budgets[at]
                .as_mut()
                .is_none_or(|budget| attempt < ATTEMPTS && budget.withdraw(now) == Spend::Yes);
            if !more {
                return;
            }
        }
    }
    let mut budgets =
        vec![budget.map(|config| Budget::new(config).expect("a valid budget")); LAYERS as usize];
    let mut received = [0; LAYERS as usize + 1];
    for milli in 0..seconds * 1_000 {
        send(0, Instant::from_millis(milli), &mut budgets, &mut received);
    }
    let [users, .., last] = received;
    [last as f64 / users as f64, received[1] as f64 / users as f64]
}

fn hedging() -> Vec<Figure> {
    const CALLS: u32 = 400_000;
    let plain = trace(CALLS, None, |_| 1);
    let hedged = trace(CALLS, Some(BudgetConfig::new().floor(0)), |_| 1);
    // All servers become ten times as slow in the middle.
    let overloaded =
        trace(CALLS, Some(BudgetConfig::new().floor(0)), |call| if call < CALLS / 2 { 1 } else { 10 });
    let millis = |nanos: u64| nanos as f64 / 1e6;
    vec![
        Figure::new(
            "hedge: extra load at the 95th percentile, 1 % of the answers stall for a second",
            hedged.extra(),
            Bound::AtMost(0.051),
            "≤ 5.1 %: Dean and Barroso, The Tail at Scale, 2013",
        ),
        Figure::new(
            "hedge: p99.9 with it, as a share of p99.9 without",
            millis(hedged.quantile(0.999)) / millis(plain.quantile(0.999)),
            Bound::AtMost(0.1),
            "at least 10 times better: the same",
        ),
        Figure::new("hedge: p99.9 without, ms", millis(plain.quantile(0.999)), Bound::None, ""),
        Figure::new("hedge: p99.9 with it, ms", millis(hedged.quantile(0.999)), Bound::None, ""),
        Figure::new("hedge: p50 without, ms", millis(plain.quantile(0.5)), Bound::None, ""),
        Figure::new("hedge: p50 with it, ms", millis(hedged.quantile(0.5)), Bound::None, ""),
        Figure::new(
            "hedge: most extra load in any second when all servers become ten times as slow, budget 20 %",
            overloaded.most_extra_in_a_second(),
            // What ten seconds of calls have saved up may be spent within one.
            Bound::AtMost(2.0),
            "budget × ttl",
        ),
        Figure::new(
            "hedge: extra load over the whole of that",
            overloaded.extra(),
            Bound::AtMost(0.2),
            "the budget's share: Finagle's RetryBudget",
        ),
    ]
}

struct Trace {
    /// Sorted, in nanoseconds.
    latencies: Vec<u64>,
    /// When each hedge was sent, in seconds.
    hedges: Vec<u64>,
}

impl Trace {
    fn extra(&self) -> f64 {
        self.hedges.len() as f64 / self.latencies.len() as f64
    }

    fn quantile(&self, share: f64) -> u64 {
        self.latencies[(self.latencies.len() as f64 * share) as usize]
    }

    /// Of a thousand calls a second.
    fn most_extra_in_a_second(&self) -> f64 {
        self.hedges.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0) as f64 / 1_000.0
    }
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Begin,
    Ask { sent: u32 },
    Answer,
}

/// A thousand calls a second, each 5 ms and an exponential time of 10 ms in the mean, times what `slower` says of it; one in a
/// hundred takes a second instead.
fn trace(calls: u32, budget: Option<BudgetConfig>, slower: impl Fn(u32) -> u64) -> Trace {
    let mut rng = Xoshiro256PlusPlus::seed(0x7A11);
    let mut latency = |call: u32| {
        let uniform = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let usual = 5_000_000 + (-10e6 * (1.0 - uniform).ln()) as u64;
        if rng.below(100) == 0 { 1_000_000_000 } else { usual * slower(call) }
    };
    let mut hedge: Hedge = Hedge::new(HedgeConfig::new()).expect("the defaults are valid");
    let mut budget = budget.map(|config| Budget::new(config).expect("a valid budget"));
    let mut ends = vec![u64::MAX; calls as usize];
    let mut agenda: BinaryHeap<_> =
        (0..calls).map(|call| Reverse((u64::from(call) * 1_000_000, call, Event::Begin))).collect();
    let mut trace = Trace { latencies: Vec::new(), hedges: Vec::new() };
    while let Some(Reverse((nanos, call, event))) = agenda.pop() {
        let (now, began) = (Instant::from_nanos(nanos), u64::from(call) * 1_000_000);
        let end = &mut ends[call as usize];
        let mut sent = 0;
        match event {
            Event::Begin => {
                *end = nanos + latency(call);
                agenda.push(Reverse((*end, call, Event::Answer)));
                if let Some(budget) = &mut budget {
                    budget.deposit(now);
                }
            }
            // A hedge was faster, or the other attempt was.
            Event::Answer if *end != nanos => continue,
            Event::Answer => {
                trace.latencies.push(nanos - began);
                hedge.observe(now, Duration::from_nanos(nanos - began));
                continue;
            }
            Event::Ask { .. } if *end <= nanos => continue,
            Event::Ask { sent: already } => sent = already,
        }
        let Some(budget) = &mut budget else { continue };
        match hedge.ask(now, Instant::from_nanos(began), sent, budget) {
            HedgeStep::Wait { until } => agenda.push(Reverse((until.as_nanos(), call, Event::Ask { sent }))),
            HedgeStep::Send => {
                trace.hedges.push(nanos / 1_000_000_000);
                let faster = nanos + latency(call);
                if faster < *end {
                    *end = faster;
                    agenda.push(Reverse((faster, call, Event::Answer)));
                }
            }
            HedgeStep::No(_) => {}
        }
    }
    trace.latencies.sort_unstable();
    assert_eq!(trace.latencies.len(), calls as usize);
    trace
}
