//! What comes to a fleet, and what the fleet is: the part of a simulation that all policies share.

use core::time::Duration;

use divvy::Instant;
use divvy::balance::SlowStart;
use divvy::fixed::Q32;
use divvy::sim::dispatch::{Arrivals, Config, Information, Keys, Server, Service};
use wasm_bindgen::prelude::wasm_bindgen;

use super::choice::RunTimes;
use crate::number::{MAX_SEED, Wrong, whole};

const MAX_SERVERS: u64 = 64;
const MAX_DISPATCHERS: u64 = 64;
/// The mean run time of a request on a server of full speed.
const MEAN: Duration = Duration::from_millis(100);
const MAX_MILLIS: u64 = 600_000;
const MAX_KEYS: u64 = 1_000_000;

/// Requests that come to a fleet of servers: the same ones for every policy that is given them. A request runs for
/// 100 ms on average.
#[wasm_bindgen]
#[derive(Clone, Debug)]
pub struct Traffic {
    pub(crate) seed: u64,
    pub(crate) dispatchers: u32,
    pub(crate) slow_start: Option<SlowStart>,
    config: Config,
    servers: u32,
    slow: (u32, Q32),
    joins: Option<Server>,
}

#[wasm_bindgen]
impl Traffic {
    /// Requests at random that keep `servers` (1 to 64) of full speed busy for `load` (1 to 200) of 100 ms.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be; so does every method here.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: f64, servers: f64, load: f64) -> Result<Self, Wrong> {
        let seed = whole("seed", seed, 0, MAX_SEED)?;
        let servers = whole("servers", servers, 1, MAX_SERVERS)? as u32;
        let load = share(whole("load", load, 1, 200)?);
        let arrivals = Arrivals::poisson_at_load(MEAN, servers, load).ok_or("load is too small")?;
        Ok(Self {
            seed,
            dispatchers: 1,
            slow_start: None,
            config: Config::new().seed(seed).arrivals(arrivals).service(Service::exponential(MEAN)),
            servers,
            slow: (0, Q32::ONE),
            joins: None,
        })
    }

    /// How long requests run, with the same mean.
    #[wasm_bindgen(js_name = runTimes)]
    pub fn run_times(&mut self, times: RunTimes) -> Result<(), Wrong> {
        let service = service(times)?;
        self.config = self.config.service(service);
        Ok(())
    }

    /// Gives the last `count` of the servers `percent` (1 to 100) of full speed.
    pub fn slow(&mut self, count: f64, percent: f64) -> Result<(), Wrong> {
        let count = whole("count", count, 0, u64::from(self.servers))? as u32;
        self.slow = (count, share(whole("percent", percent, 1, 100)?));
        Ok(())
    }

    /// Lets dispatchers know the servers' loads only as they were told, each so many `millis` (1 to 600,000).
    #[wasm_bindgen(js_name = toldEvery)]
    pub fn told_every(&mut self, millis: f64) -> Result<(), Wrong> {
        let every = time("millis", millis, 1)?;
        self.config = self.config.information(Information::Snapshot { every });
        Ok(())
    }

    /// Spreads the requests over `count` (1 to 64) dispatchers, each of which knows what it sent itself.
    pub fn dispatchers(&mut self, count: f64) -> Result<(), Wrong> {
        let count = whole("count", count, 1, MAX_DISPATCHERS)?;
        self.dispatchers = count as u32;
        Ok(())
    }

    /// Gives every request one of `count` (1 to 1,000,000) keys, the first of them the most frequent: the key of rank r
    /// comes 1/r as often as that.
    pub fn keys(&mut self, count: f64) -> Result<(), Wrong> {
        let keys = whole("count", count, 1, MAX_KEYS)? as u32;
        self.config = self.config.keys(Keys::Zipf { keys, exponent: Q32::ONE });
        Ok(())
    }

    /// One more server joins `at` so many milliseconds. It begins with `percent` (1 to 100) of full speed and reaches
    /// it after `warm_up` milliseconds.
    pub fn joins(&mut self, at: f64, warm_up: f64, percent: f64) -> Result<(), Wrong> {
        let at = Instant::ZERO.saturating_add(time("at", at, 0)?);
        let percent = share(whole("percent", percent, 1, 100)?);
        self.joins = Some(Server::new().joins_at(at).warm_up(time("warmUp", warm_up, 0)?, percent));
        Ok(())
    }

    /// Gives new members less than their share for so many `millis` (1 to 600,000).
    #[wasm_bindgen(js_name = slowStart)]
    pub fn slow_start(&mut self, millis: f64) -> Result<(), Wrong> {
        let window = time("millis", millis, 1)?;
        self.slow_start = Some(SlowStart::new(window));
        Ok(())
    }
}

impl Traffic {
    pub(crate) const fn config(&self) -> Config {
        self.config
    }

    /// All servers, the one that joins last.
    pub(crate) fn servers(&self) -> impl Iterator<Item = Server> {
        let (slow, speed) = self.slow;
        let full = self.servers.saturating_sub(slow);
        (0..self.servers)
            .map(move |server| if server < full { Server::new() } else { Server::new().speed(speed) })
            .chain(self.joins)
    }
}

fn service(times: RunTimes) -> Result<Service, Wrong> {
    Ok(match times {
        RunTimes::Constant => Service::constant(MEAN),
        RunTimes::Exponential => Service::exponential(MEAN),
        // Nine of ten are short, the tenth runs for 20 times as long.
        RunTimes::Bimodal => {
            let short = MEAN * 10 / 29;
            Service::bimodal(short, short * 20, share(10)).map_err(Wrong::of)?
        }
        // From a third of the mean on, up to 300 times that; the shape gives the mean.
        RunTimes::Pareto => {
            let shape = Q32::from_ratio(145, 100).unwrap_or(Q32::ONE);
            Service::pareto(MEAN / 3, MEAN * 100, shape).map_err(Wrong::of)?
        }
        _ => {
            return Err(
                r#"runTimes is unknown; give "constant", "exponential", "bimodal" or "pareto""#.into()
            );
        }
    })
}

fn share(percent: u64) -> Q32 {
    Q32::from_ratio(percent, 100).unwrap_or(Q32::ONE)
}

fn time(name: &str, millis: f64, low: u64) -> Result<Duration, Wrong> {
    Ok(Duration::from_millis(whole(name, millis, low, MAX_MILLIS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_run_time_has_the_mean() {
        for times in [RunTimes::Constant, RunTimes::Exponential, RunTimes::Bimodal, RunTimes::Pareto] {
            let mean = service(times).unwrap().mean();
            let off = mean.abs_diff(MEAN);
            assert!(off < MEAN / 50, "{times:?}: {mean:?}");
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        let refused = |servers, load| Traffic::new(1.0, servers, load).unwrap_err();
        assert!(refused(0.0, 80.0).starts_with("servers is 0;"));
        assert!(refused(8.0, 0.0).starts_with("load is 0;"));
        assert!(refused(8.0, 80.5).starts_with("load is not a whole number"));
        assert!(Traffic::new(-1.0, 8.0, 80.0).unwrap_err().starts_with("seed is -1;"));
    }
}
