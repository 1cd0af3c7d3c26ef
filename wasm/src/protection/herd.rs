//! Workers that sleep until there is a task, and the ways to wake them, as a class.

use core::time::Duration;

use divvy::Instant;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::Arrivals;
use divvy::sim::herd::{Config, Herd, Policy, State};
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::number::{MAX_SEED, Wrong, fraction, whole};

const MAX_WORKERS: u64 = 10_000;
const MAX_TASKS: u64 = 1_000;
const MAX_MICROS: u64 = 10_000_000;
const MICRO: f64 = 1_000.0;
/// When the first task comes.
const FIRST: Instant = Instant::from_millis(2);

/// Workers that all sleep; tasks of a millisecond that come from 2 ms on. To wake up takes 50 µs, to look at the queue 1 µs, one
/// worker after the other. Times are microseconds here.
#[wasm_bindgen]
#[derive(Debug)]
pub struct HerdSim {
    herd: Herd<Heap>,
    rng: Xoshiro256PlusPlus,
}

#[wasm_bindgen]
impl HerdSim {
    /// `wake` says who wakes when a task comes: "poll" for nobody, each worker looks by itself every `every` microseconds
    /// (1 to 10,000,000); "all" for all that sleep, "one" for one of them, chosen by the library's event count. Of `workers`
    /// (1 to 10,000); `tasks` (1 to 1,000) come, `gap` microseconds (1 to 10,000,000) after each other.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: f64, wake: &str, every: f64, workers: f64, tasks: f64, gap: f64) -> Result<Self, Wrong> {
        let seed = whole("seed", seed, 0, MAX_SEED)?;
        let every = Duration::from_micros(whole("every", every, 1, MAX_MICROS)?);
        let workers = whole("workers", workers, 1, MAX_WORKERS)? as u32;
        let tasks = whole("tasks", tasks, 1, MAX_TASKS)?;
        let gap = Duration::from_micros(whole("gap", gap, 1, MAX_MICROS)?);
        let policy = match wake {
            "poll" => Policy::Poll { every },
            "all" => Policy::All,
            "one" => Policy::One,
            _ => return Err(r#"wake is unknown; give "poll", "all" or "one""#.into()),
        };
        let config = Config::new().policy(policy).at(FIRST).tasks(tasks).arrivals(Arrivals::Constant { gap });
        let herd = Herd::with_capacity(config, workers).map_err(Wrong::of)?;
        Ok(Self { herd, rng: Xoshiro256PlusPlus::seed(seed) })
    }

    /// Lets everything up to `time` happen, in microseconds.
    pub fn advance(&mut self, time: f64) {
        let until = Instant::from_nanos((time * MICRO).round().max(0.0) as u64);
        while self.herd.next_event_at().is_some_and(|at| at <= until) {
            if self.herd.step(&mut self.rng).is_none() {
                return;
            }
        }
    }

    /// A number for each worker: 0 asleep, 1 waking up or waiting to look at the queue, 2 at work.
    pub fn states(&self) -> Vec<u8> {
        let state = |worker| match self.herd.state(worker) {
            None | Some(State::Asleep) => 0,
            Some(State::Waking | State::Looking { .. }) => 1,
            Some(State::Working) => 2,
        };
        (0..self.herd.workers()).map(state).collect()
    }

    /// How many workers are awake.
    pub fn awake(&self) -> f64 {
        self.herd.awake().into()
    }

    /// One row: tasks that came, that were begun; how often a worker woke, how often for nothing; wakes for each task that was
    /// begun; how long tasks waited on average and what waking and looking took of the workers' time, in microseconds.
    pub fn summary(&self) -> Vec<f64> {
        let summary = self.herd.summary();
        let micros = |duration: Duration| duration.as_nanos() as f64 / MICRO;
        vec![
            summary.tasks as f64,
            summary.begun as f64,
            summary.wakes as f64,
            summary.useless as f64,
            summary.wakes_per_task().map_or(0.0, fraction),
            micros(summary.mean_delay),
            micros(summary.overhead),
        ]
    }
}

impl HerdSim {}

#[cfg(test)]
mod tests {
    use super::*;

    fn wakes(wake: &str) -> Vec<f64> {
        let mut herd = HerdSim::new(1.0, wake, 100_000.0, 1_000.0, 1.0, 1_000.0).unwrap();
        herd.advance(1_999.0);
        assert_eq!((herd.awake(), herd.states()), (0.0, vec![0; 1_000]), "{wake}");
        herd.advance(50_000.0);
        herd.summary()
    }

    #[test]
    fn one_task_wakes_one_worker_or_all() {
        let (one, all) = (wakes("one"), wakes("all"));
        assert_eq!(one[..5], [1.0, 1.0, 1.0, 0.0, 1.0]);
        assert_eq!(all[..5], [1.0, 1.0, 1_000.0, 999.0, 1_000.0]);
        assert_eq!(one[5], 51.0);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let refused = |wake, workers| HerdSim::new(1.0, wake, 1.0, workers, 1.0, 1.0).unwrap_err();
        assert!(refused("two", 1.0).starts_with("wake is unknown;"));
        assert!(refused("all", 0.0).starts_with("workers is 0;"));
        assert!(refused("one", 1.5).starts_with("workers is not a whole number"));
    }
}
