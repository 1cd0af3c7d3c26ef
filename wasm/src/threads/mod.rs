//! The work-stealing scheduler with workers that run at the same time: every Web Worker runs one on the same memory.
//!
//! All instances of the module share what is `static` here. One of them calls [`deal`] before any calls [`work`].

mod crew;
mod park;

use std::sync::OnceLock;

use divvy::hash::xxh3_64;
use wasm_bindgen::prelude::wasm_bindgen;

use self::crew::{Crew, Kind, Plan, Task};
use crate::number::{MAX_SEED, Wrong, whole};

const MAX_WORKERS: u64 = 64;
const MAX_TASKS: usize = 10_000;
/// A minute or more on any machine.
const MAX_ROUNDS: u64 = 10_000_000_000;
/// The columns of the tasks that are dealt.
const COLUMNS: usize = 2;

static CREW: OnceLock<Crew> = OnceLock::new();

#[wasm_bindgen]
extern "C" {
    /// The caller's clock, in milliseconds since its `performance.timeOrigin`.
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// Deals tasks to the queues of `workers` (1 to 64) workers. `tasks` has a row for each (1 to 10,000 of them): the
/// worker that it is given to, and how many times it hashes. Who has nothing to do steals half of the tasks of another
/// worker, or one task if not `half`; whom from follows from `seed`.
///
/// Throws an `Error` that says which parameter is wrong and what it may be.
#[wasm_bindgen]
pub fn deal(seed: f64, workers: f64, half: bool, tasks: &[f64]) -> Result<(), Wrong> {
    CREW.set(crew(seed, workers, half, tasks)?)
        .map_err(|_| "the tasks were dealt; take another memory".into())
}

/// Works as worker `worker` until all tasks are finished, by whomever; begins once all workers are here. Answers a row
/// for each event: time, kind, task or victim, count. The kinds: 0 it began the task, 1 it finished the task, 2 it stole
/// from the victim as many tasks as the count says, 3 it has nothing to do from now on.
///
/// Blocks: not for the thread that draws a page. Throws an `Error` if nothing was dealt or someone else is this worker.
#[wasm_bindgen]
pub fn work(worker: f64) -> Result<Vec<f64>, Wrong> {
    let crew = dealt()?;
    let worker = whole("worker", worker, 0, u64::from(crew.workers()) - 1)? as u32;
    let log = crew.work(worker, now, hash).ok_or("this worker is there already; start each one once")?;
    let row = |event: crew::Event| {
        let (kind, subject, count) = match event.kind {
            Kind::Start(task) => (0, task, 0),
            Kind::Finish(task) => (1, task, 0),
            Kind::Stole { victim, count } => (2, victim, count),
            Kind::Idle => (3, 0, 0),
        };
        [event.at, kind.into(), subject.into(), count.into()]
    };
    Ok(log.into_iter().flat_map(row).collect())
}

/// One row for worker `worker`: tasks that it processed, that it stole, its steal attempts, and how often it slept.
#[wasm_bindgen]
pub fn account(worker: f64) -> Result<Vec<u32>, Wrong> {
    let crew = dealt()?;
    let worker = whole("worker", worker, 0, u64::from(crew.workers()) - 1)? as u32;
    Ok(crew.account(worker).into())
}

/// Hashes so many times, each time what came out of the time before: what tasks do.
#[wasm_bindgen(js_name = hashRounds)]
pub fn hash_rounds(rounds: f64) -> Result<f64, Wrong> {
    Ok(hash(whole("rounds", rounds, 0, MAX_ROUNDS)?) as u32 as f64)
}

fn hash(rounds: u64) -> u64 {
    (0..rounds).fold(0, |hash, _| xxh3_64(&u64::to_le_bytes(hash)))
}

fn dealt() -> Result<&'static Crew, Wrong> {
    CREW.get().ok_or_else(|| "there are no tasks; deal some first".into())
}

fn crew(seed: f64, workers: f64, half: bool, tasks: &[f64]) -> Result<Crew, Wrong> {
    let seed = whole("seed", seed, 0, MAX_SEED)?;
    let workers = whole("workers", workers, 1, MAX_WORKERS)? as u32;
    let count = tasks.len() / COLUMNS;
    if count == 0 || count > MAX_TASKS || !tasks.len().is_multiple_of(COLUMNS) {
        return Err(
            format!("tasks has {} numbers; give 1 to {MAX_TASKS} rows of {COLUMNS}", tasks.len()).into()
        );
    }
    let task = |(id, row): (usize, &[f64])| {
        let worker = whole("worker", row[0], 0, u64::from(workers) - 1)? as u32;
        Ok(Task { id: id as u32, worker, rounds: whole("rounds", row[1], 0, MAX_ROUNDS)? })
    };
    let tasks: Vec<Task> = tasks.chunks(COLUMNS).enumerate().map(task).collect::<Result<_, Wrong>>()?;
    Crew::new(&Plan { seed, workers, half, tasks }).map_err(Wrong::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_numbers_are_named() {
        let refused =
            |workers, tasks: &[f64]| crew(1.0, workers, true, tasks).map(drop).unwrap_err().to_string();
        assert!(refused(0.0, &[0.0, 1.0]).starts_with("workers is 0;"));
        assert!(refused(2.0, &[]).starts_with("tasks has 0 numbers;"));
        assert!(refused(2.0, &[0.0, 1.0, 0.0]).starts_with("tasks has 3 numbers;"));
        assert!(refused(2.0, &[2.0, 1.0]).starts_with("worker is 2;"));
        assert!(refused(2.0, &[0.0, -1.0]).starts_with("rounds is -1;"));
    }

    #[test]
    fn nothing_works_before_tasks_are_dealt_and_they_are_dealt_once() {
        assert!(account(0.0).unwrap_err().starts_with("there are no tasks;"));
        deal(1.0, 1.0, true, &[0.0, 3.0]).unwrap();
        assert!(deal(1.0, 1.0, true, &[0.0, 3.0]).unwrap_err().starts_with("the tasks were dealt;"));
        assert_eq!(account(0.0).unwrap(), [0; 4]);
    }

    #[test]
    fn rounds_are_chained() {
        assert_eq!(hash(2), xxh3_64(&xxh3_64(&0u64.to_le_bytes()).to_le_bytes()));
        assert_eq!(hash_rounds(0.0).unwrap(), 0.0);
    }
}
