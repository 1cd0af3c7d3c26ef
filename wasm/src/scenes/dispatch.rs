//! The simulation of a fleet under a policy, as a class.

use core::time::Duration;

use divvy::balance::{Balancer, Config, Fleet, Kind};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::dispatch::{Dispatch, End, What};
use divvy::sketch::Histogram;
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use super::told::Chooser;
use super::traffic::Traffic;
use crate::number::{Wrong, fraction, instant, instant_millis, millis};

/// Requests that may be in the simulation at once.
const REQUESTS: u32 = 20_000;
/// Longer than any scene.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// A fleet of servers under one policy, and the requests of a `Traffic`.
///
/// Every method that answers a typed array answers rows of a fixed number of columns, one after the other.
#[wasm_bindgen]
#[derive(Debug)]
pub struct DispatchSim {
    sim: Dispatch<Chooser, Heap, Heap, Heap, Heap>,
    rng: Xoshiro256PlusPlus,
    /// The latencies since `recent` was last asked: of all, and of those that the last server answered.
    recent: [Histogram<Heap>; 2],
}

#[wasm_bindgen]
impl DispatchSim {
    /// The policy is one of `policies()`, or one of two that believe what they were last told and forget what they have
    /// sent since: "told-all" takes the member with the fewest requests, "told-two" the better of two at random.
    ///
    /// Throws an `Error` that says what is wrong.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, traffic: &Traffic) -> Result<Self, Wrong> {
        let servers = traffic.servers().count() as u32;
        let mut sim = Dispatch::with_capacity(traffic.config(), traffic.dispatchers, servers, REQUESTS)
            .map_err(Wrong::of)?;
        for server in traffic.servers() {
            sim.insert(server).map_err(Wrong::of)?;
        }
        for _ in 0..traffic.dispatchers {
            let mut fleet = Fleet::with_capacity(TIMEOUT, servers, REQUESTS);
            if let Some(slow_start) = traffic.slow_start {
                let config = Config::new().slow_start(slow_start);
                fleet.configure(config).map_err(Wrong::of)?;
            }
            let balancer = Balancer::new(fleet, Chooser::named(policy, servers)?);
            sim.insert_dispatcher(balancer).map_err(|_| "there is no room for the dispatchers")?;
        }
        // Beyond an hour nothing needs telling apart.
        let recent = [(); 2].map(|()| Histogram::<Heap>::with_highest(TIMEOUT.as_nanos() as u64));
        Ok(Self { sim, rng: Xoshiro256PlusPlus::seed(traffic.seed), recent })
    }

    /// Lets everything up to `time` happen, in milliseconds.
    pub fn advance(&mut self, time: f64) {
        let until = instant(time);
        while self.sim.next_event_at().is_some_and(|at| at <= until) {
            let Some(event) = self.sim.step(&mut self.rng) else { return };
            if let What::Ended { end: End::Success, server, latency, .. } = event.what {
                let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                self.recent[0].record(nanos);
                if server + 1 == self.sim.servers() {
                    self.recent[1].record(nanos);
                }
            }
        }
    }

    /// The clock, in milliseconds: when the last event happened.
    pub fn now(&self) -> f64 {
        instant_millis(self.sim.now())
    }

    /// A row for each server: requests that it holds now, requests that it was sent, the milliseconds that it was busy, and
    /// whether it is in the fleet.
    pub fn servers(&self) -> Vec<f64> {
        self.sim
            .stats()
            .flat_map(|server| {
                [
                    f64::from(server.waiting + server.serving),
                    server.picked as f64,
                    millis(server.busy),
                    f64::from(u8::from(server.present)),
                ]
            })
            .collect()
    }

    /// One row: requests that came, that succeeded, that came to nothing; of the successful ones the latency in
    /// milliseconds: mean, median, 99th percentile, 99.9th, largest; and the largest share of requests over the mean.
    pub fn summary(&self) -> Vec<f64> {
        let summary = self.sim.summary();
        vec![
            summary.arrived as f64,
            summary.succeeded as f64,
            summary.errors() as f64,
            millis(summary.mean),
            millis(summary.p50),
            millis(summary.p99),
            millis(summary.p999),
            millis(summary.max),
            fraction(summary.skew),
        ]
    }

    /// Two rows of what ended well since this was last asked, of all servers and of the last one: requests, mean latency in
    /// milliseconds, 99th percentile.
    pub fn recent(&mut self) -> Vec<f64> {
        let rows = self.recent.iter_mut().flat_map(|recent| {
            let millis = |nanos: Option<u64>| nanos.map_or(0.0, |nanos| nanos as f64 / 1e6);
            let row = [recent.count() as f64, millis(recent.mean()), millis(recent.quantile(99, 100))];
            recent.clear();
            row
        });
        rows.collect()
    }
}

impl DispatchSim {}

/// The names of all policies.
#[wasm_bindgen]
pub fn policies() -> Vec<String> {
    Kind::ALL.iter().map(|kind| kind.name().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(policy: &str, traffic: &Traffic) -> DispatchSim {
        let mut sim = DispatchSim::new(policy, traffic).unwrap();
        sim.advance(60_000.0);
        sim
    }

    #[test]
    fn policies_get_the_same_requests_and_answer_them_differently() {
        let mut traffic = Traffic::new(7.0, 8.0, 80.0).unwrap();
        traffic.slow(1.0, 25.0).unwrap();
        let (turns, two) = (run("round-robin", &traffic), run("p2c", &traffic));
        assert_eq!(turns.summary()[0], two.summary()[0]);
        assert!(turns.summary()[0] > 3_000.0);
        // Who does not see that a server is slow lets requests wait there.
        assert!(turns.summary()[5] > 3.0 * two.summary()[5], "{:?} {:?}", turns.summary(), two.summary());
        assert_eq!(two.servers().len(), 8 * 4);
        let picked: f64 = two.servers().chunks(4).map(|row| row[1]).sum();
        assert_eq!(picked, two.summary()[0]);
    }

    #[test]
    fn old_news_herd_those_that_believe_them() {
        let mut traffic = Traffic::new(3.0, 16.0, 90.0).unwrap();
        traffic.told_every(2_000.0).unwrap();
        let mean = |policy| run(policy, &traffic).summary()[3];
        let (all, two, credit) = (mean("told-all"), mean("told-two"), mean("p2c"));
        assert!(all > 2.0 * two && two > credit, "{all} {two} {credit}");
    }

    #[test]
    fn a_newcomer_gets_its_share_at_once_or_slowly() {
        let mut traffic = Traffic::new(5.0, 4.0, 70.0).unwrap();
        traffic.joins(10_000.0, 10_000.0, 20.0).unwrap();
        let picked = |traffic: &Traffic| {
            let mut sim = DispatchSim::new("round-robin", traffic).unwrap();
            sim.advance(12_000.0);
            let servers = sim.servers();
            assert_eq!(servers.len(), 5 * 4);
            servers[4 * 4 + 1]
        };
        let at_once = picked(&traffic);
        traffic.slow_start(10_000.0).unwrap();
        let slowly = picked(&traffic);
        assert!(slowly > 0.0 && slowly < at_once / 2.0, "{slowly} of {at_once}");
    }

    #[test]
    fn an_unknown_policy_is_named_and_the_known_ones_all_run() {
        let traffic = Traffic::new(1.0, 4.0, 50.0).unwrap();
        let message = DispatchSim::new("best", &traffic).unwrap_err();
        assert!(message.starts_with("best: ") && message.contains("round-robin"), "{message}");
        for name in policies() {
            assert!(run(&name, &traffic).summary()[1] > 100.0, "{name}");
        }
    }
}
