//! Services that call each other in a row, with and without what protects them, as a class.

use core::num::NonZeroU32;
use core::time::Duration;

use divvy::Instant;
use divvy::breaker::{Config as BreakerConfig, State};
use divvy::fixed::Q32;
use divvy::retry::{Backoff, BudgetConfig};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::chain::{Chain, Config, Fallback, Fault, Link, Outage, Series, Tier};
use divvy::sim::{Arrivals, Service};
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::number::{MAX_SEED, Wrong, instant, instant_millis, millis, whole};

/// Users' requests and attempts that may be in the simulation at once.
const JOBS: u32 = 50_000;
/// The services A to E; D is the one that something happens to.
const SERVICES: u32 = 5;
const ILL: u32 = 3;
const WINDOWS: u32 = 240;
const MAX_RATE: u64 = 10_000;
const MAX_MILLIS: u64 = 600_000;

/// Services A to E, each of which calls the next, and what stands between them. A, B and C have forty workers, D and E twenty;
/// a request takes 5 ms of a worker's own time on average, at D 10 ms; a hundred may wait.
#[wasm_bindgen]
#[derive(Clone, Debug)]
pub struct ChainPlan {
    seed: u64,
    gap: Duration,
    outage: Option<Outage>,
    patience: Option<Duration>,
    attempts: u32,
    budget: bool,
    breaker: bool,
    places: Option<u32>,
    deadlines: bool,
    fallback: bool,
    needs: Q32,
}

#[wasm_bindgen]
impl ChainPlan {
    /// So many requests a second (1 to 10,000) come to A, at random.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be; so does every method here.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: f64, rate: f64) -> Result<Self, Wrong> {
        let seed = whole("seed", seed, 0, MAX_SEED)?;
        let rate = whole("rate", rate, 1, MAX_RATE)? as u32;
        Ok(Self {
            seed,
            gap: Duration::from_secs(1) / rate,
            outage: None,
            patience: None,
            attempts: 1,
            budget: false,
            breaker: false,
            places: None,
            deadlines: false,
            fallback: false,
            needs: Q32::ONE,
        })
    }

    /// D works `factor` (2 to 1,000) times slower `from` one time `until` another, in milliseconds.
    #[wasm_bindgen(js_name = slowD)]
    pub fn slow_d(&mut self, factor: f64, from: f64, until: f64) -> Result<(), Wrong> {
        let factor = Q32::from_int(whole("factor", factor, 2, 1_000)? as u32);
        self.outage = Some(outage(Fault::Slow { factor }, from, until)?);
        Ok(())
    }

    /// So many `percent` (0 to 100) of the requests need D; C answers the others by itself.
    #[wasm_bindgen(js_name = needD)]
    pub fn need_d(&mut self, percent: f64) -> Result<(), Wrong> {
        let percent = whole("percent", percent, 0, 100)?;
        self.needs = Q32::from_ratio(percent, 100).unwrap_or(Q32::ONE);
        Ok(())
    }

    /// D fails every request `from` one time `until` another, in milliseconds.
    #[wasm_bindgen(js_name = failD)]
    pub fn fail_d(&mut self, from: f64, until: f64) -> Result<(), Wrong> {
        self.outage = Some(outage(Fault::Failing { share: Q32::ONE }, from, until)?);
        Ok(())
    }

    /// D waits so many `millis` (1 to 10,000) for E, C twice as long for D, and so on up to the users.
    pub fn timeouts(&mut self, millis: f64) -> Result<(), Wrong> {
        let patience = whole("millis", millis, 1, 10_000)?;
        self.patience = Some(Duration::from_millis(patience));
        Ok(())
    }

    /// Every caller makes up to so many `attempts` (1 to 10).
    pub fn attempts(&mut self, attempts: f64) -> Result<(), Wrong> {
        self.attempts = whole("attempts", attempts, 1, 10)? as u32;
        Ok(())
    }

    /// Retries come out of a budget: a tenth of the first attempts.
    pub fn budget(&mut self, on: bool) {
        self.budget = on;
    }

    /// A breaker stands before D: over 50 calls, it opens at half of them failed or slower than 200 ms.
    pub fn breaker(&mut self, on: bool) {
        self.breaker = on;
    }

    /// At most so many calls (1 to 1,000) of D are under way at once.
    pub fn bulkhead(&mut self, places: f64) -> Result<(), Wrong> {
        let places = whole("places", places, 1, 1_000)?;
        self.places = Some(places as u32);
        Ok(())
    }

    /// Every call carries the time at which its caller gives up.
    pub fn deadlines(&mut self, on: bool) {
        self.deadlines = on;
    }

    /// C answers without D when D does not answer.
    pub fn fallback(&mut self, on: bool) {
        self.fallback = on;
    }
}

impl ChainPlan {
    fn tier(&self, tier: u32) -> Tier {
        let workers = if tier < ILL { 40 } else { 20 };
        let work = Duration::from_millis(if tier == ILL { 10 } else { 5 });
        let spec = Tier::new().workers(workers).queue(100).service(Service::exponential(work));
        match self.outage {
            Some(outage) if tier == ILL => spec.outage(outage),
            _ => spec,
        }
    }

    fn link(&self, tier: u32) -> Result<Link, Wrong> {
        let mut link = Link::new();
        if let Some(patience) = self.patience {
            link = link.timeout(patience * (1 << (SERVICES - 1 - tier)));
        }
        if let Some(attempts) = NonZeroU32::new(self.attempts).filter(|attempts| attempts.get() > 1) {
            let backoff =
                Backoff::new(Duration::from_millis(20), Duration::from_millis(200)).map_err(Wrong::of)?;
            link = link.retry(backoff.attempts(attempts));
        }
        if self.budget {
            link = link.budget(BudgetConfig::new().share(1, 10).floor(1));
        }
        if let Some(places) = self.places.filter(|_| tier == ILL) {
            link = link.bulkhead(places);
        }
        if tier == ILL && self.breaker {
            let half = Q32::from_bits(1 << 31);
            let second = Duration::from_secs(1);
            let rules = BreakerConfig::new()
                .slow_rate(Duration::from_millis(200), half)
                .open(second, 8 * second, Q32::from_int(2))
                .probe_timeout(second)
                .build()
                .map_err(Wrong::of)?;
            link = link.breaker(rules, 50);
        }
        if tier == ILL {
            link = link.share(self.needs);
        }
        if tier == ILL && self.fallback {
            link = link.fallback(Fallback::Default);
        }
        Ok(link)
    }
}

fn outage(fault: Fault, from: f64, until: f64) -> Result<Outage, Wrong> {
    let at = |name, millis| Ok::<_, Wrong>(Instant::from_millis(whole(name, millis, 0, MAX_MILLIS)?));
    Ok(Outage { fault, from: at("from", from)?, until: at("until", until)? })
}

/// A `ChainPlan` on a virtual clock. The same plan with other protections meets the same requests.
///
/// Every method that answers a typed array answers rows of a fixed number of columns, one after the other.
#[wasm_bindgen]
#[derive(Debug)]
pub struct ChainSim {
    chain: Chain<Heap, Heap, Heap>,
    rng: Xoshiro256PlusPlus,
    series: Vec<Series<Heap>>,
}

#[wasm_bindgen]
impl ChainSim {
    /// Begins at time 0; `windows` of the series are `width` milliseconds each (1 to 600,000), and twice that whenever there
    /// would be more than 240.
    ///
    /// Throws an `Error` that says what is wrong.
    #[wasm_bindgen(constructor)]
    pub fn new(plan: &ChainPlan, width: f64) -> Result<Self, Wrong> {
        let width = Duration::from_millis(whole("width", width, 1, MAX_MILLIS)?);
        let config = Config::new()
            .seed(plan.seed)
            .arrivals(Arrivals::Poisson { gap: plan.gap })
            .deadlines(plan.deadlines);
        let mut chain = Chain::with_capacity(config, SERVICES, JOBS).map_err(Wrong::of)?;
        for tier in 0..SERVICES {
            chain.insert(plan.tier(tier), plan.link(tier)?).map_err(Wrong::of)?;
        }
        let series = (0..SERVICES).map(|tier| Series::with_capacity(tier, width, WINDOWS)).collect();
        Ok(Self { chain, rng: Xoshiro256PlusPlus::seed(plan.seed), series })
    }

    /// Lets everything up to `time` happen, in milliseconds.
    pub fn advance(&mut self, time: f64) {
        let until = instant(time);
        while self.chain.next_event_at().is_some_and(|at| at <= until) {
            let Some(event) = self.chain.step(&mut self.rng) else { return };
            for series in &mut self.series {
                series.observe(&event, self.chain.level(series.tier()));
            }
        }
    }

    /// The clock, in milliseconds: when the last event happened.
    pub fn now(&self) -> f64 {
        instant_millis(self.chain.now())
    }

    /// A row for each service, A first: requests that wait there, workers that are held, workers, whether something is wrong
    /// with it, and of the breaker before it 0 for none, 1 closed, 2 open, 3 half-open.
    pub fn levels(&self) -> Vec<f64> {
        let level = |tier| self.chain.level(tier);
        (0..SERVICES)
            .filter_map(level)
            .flat_map(|level| {
                [
                    f64::from(level.waiting),
                    f64::from(level.working),
                    f64::from(level.workers),
                    f64::from(u8::from(level.faulty)),
                    breaker(level.breaker),
                ]
            })
            .collect()
    }

    /// A row for each service since the start: calls of it that were answered, that were answered without a service further
    /// down, that failed; the 99th percentile of the time to an answer in milliseconds; attempts that reached it or were
    /// turned away; the share of its workers' time that was for callers that had given up; how often
    /// the breaker before it opened.
    pub fn totals(&self) -> Vec<f64> {
        (0..SERVICES)
            .filter_map(|tier| self.chain.stats(tier))
            .flat_map(|stats| {
                let wasted = stats.wasted.as_nanos() as f64 / (stats.busy.as_nanos() as f64).max(1.0);
                [
                    stats.calls.succeeded as f64,
                    stats.calls.degraded as f64,
                    stats.calls.failed as f64,
                    millis(stats.p99),
                    (stats.attempts + stats.turned_away) as f64,
                    wasted,
                    f64::from(stats.opened),
                ]
            })
            .collect()
    }

    /// One row of what users saw since the start: requests that came, that were answered, that were answered without a
    /// service further down, that failed; the time to an answer in milliseconds: median, 99th percentile, 99.9th.
    pub fn summary(&self) -> Vec<f64> {
        let summary = self.chain.summary();
        vec![
            summary.all.arrived as f64,
            summary.all.succeeded as f64,
            summary.all.degraded as f64,
            summary.all.failed as f64,
            millis(summary.p50),
            millis(summary.p99),
            millis(summary.p999),
        ]
    }

    /// How many milliseconds a window of the series is long.
    pub fn width(&self) -> f64 {
        self.series.first().map_or(0.0, |series| millis(series.width()))
    }

    /// A row for each window of service `tier` (0 is A) up to the last in which something happened there: calls that were
    /// answered in full, that were answered without a service further down, that failed; the 99th percentile in milliseconds
    /// (0 of none); the most that waited, the most workers that were held, and the breaker before it as in `levels`.
    pub fn windows(&self, tier: f64) -> Vec<f64> {
        let Some(series) = self.series.get(tier as usize) else { return vec![] };
        series
            .windows()
            .flat_map(|window| {
                [
                    (window.answered() - window.degraded()) as f64,
                    window.degraded() as f64,
                    window.failed() as f64,
                    window.quantile(99, 100).map_or(0.0, millis),
                    f64::from(window.waiting()),
                    f64::from(window.working()),
                    breaker(window.breaker()),
                ]
            })
            .collect()
    }
}

impl ChainSim {}

fn breaker(state: Option<State>) -> f64 {
    match state {
        None => 0.0,
        Some(State::Open { .. } | State::ForcedOpen) => 2.0,
        Some(State::HalfOpen) => 3.0,
        Some(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ChainPlan {
        let mut plan = ChainPlan::new(1.0, 500.0).unwrap();
        plan.slow_d(20.0, 5_000.0, 60_000.0).unwrap();
        plan
    }

    fn answered(plan: &ChainPlan) -> f64 {
        let mut sim = ChainSim::new(plan, 500.0).unwrap();
        sim.advance(60_000.0);
        let [came, full, degraded, failed, ..] = sim.summary()[..] else { panic!() };
        assert!(came > 15_000.0 && came - full - degraded - failed >= 0.0);
        assert_eq!((sim.levels().len(), sim.totals().len()), (5 * 5, 5 * 7));
        let windows = sim.windows(0.0);
        assert_eq!(windows.len() % 7, 0);
        let seen: f64 = windows.chunks(7).map(|row| row[0] + row[1] + row[2]).sum();
        assert_eq!(seen, full + degraded + failed);
        (full + degraded) / came
    }

    #[test]
    fn a_slow_service_takes_the_chain_along_unless_it_is_protected() {
        let bare = answered(&plan());
        let mut protected = plan();
        protected.timeouts(150.0).unwrap();
        protected.bulkhead(20.0).unwrap();
        protected.breaker(true);
        protected.fallback(true);
        let with = answered(&protected);
        assert!(bare < 0.5 && with > 0.95, "{bare} {with}");
    }

    #[test]
    fn retries_multiply_what_reaches_the_last_service() {
        let amplified = |budget| {
            let mut plan = ChainPlan::new(1.0, 5.0).unwrap();
            plan.fail_d(1_000.0, 20_000.0).unwrap();
            plan.attempts(3.0).unwrap();
            plan.budget(budget);
            let mut sim = ChainSim::new(&plan, 500.0).unwrap();
            sim.advance(20_000.0);
            sim.totals()[3 * 7 + 4] / sim.summary()[0]
        };
        let (without, with) = (amplified(false), amplified(true));
        assert!(without > 40.0 && with < 3.0, "{without} {with}");
    }

    #[test]
    fn wrong_parameters_are_named() {
        assert!(ChainPlan::new(1.0, 0.0).unwrap_err().starts_with("rate is 0;"));
        assert!(ChainPlan::new(-1.0, 1.0).unwrap_err().starts_with("seed is -1;"));
        assert!(ChainSim::new(&plan(), 0.5).unwrap_err().starts_with("width is not a whole number"));
    }
}
