//! The work-stealing simulation as a class.

use core::time::Duration;

use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::stealing::{self, Activity, Batch, Event, Policy, Stealing, What};
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use super::choice::{Take, Victim};
use crate::number::{MAX_SEED, Wrong, count, instant, instant_millis, millis, whole};

const MAX_WORKERS: u64 = 64;
const MAX_TASKS: u64 = 10_000;
const MAX_COST_MICROS: u64 = 10_000_000;

/// What an event says: column 2 of its row.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// The worker began the task in column 3.
    Start = 0,
    /// The worker finished the task in column 3.
    Finish = 1,
    /// The worker turned to the victim in column 3.
    Attempt = 2,
    /// The worker stole from the victim in column 3 as many tasks as column 4 says.
    Stole = 3,
    /// The worker found nothing at the victim in column 3.
    Missed = 4,
    /// The worker has nothing to do from now on.
    Idle = 5,
}

/// Where a task is: column 3 of its row.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// In the queue of a worker.
    Queued = 0,
    /// On a worker.
    Running = 1,
    /// Finished by a worker.
    Done = 2,
}

/// What a worker does: column 0 of its row.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ActivityKind {
    /// It is about to act.
    Ready = 0,
    /// It runs the task in column 1.
    Running = 1,
    /// It is stealing from the worker in column 1.
    Stealing = 2,
    /// It has nothing to do.
    Idle = 3,
}

/// A simulation of work stealing: tasks of 10 to 100 ms, many of them on worker 0.
///
/// Every method that answers a typed array answers rows of a fixed number of columns, one after the other.
#[wasm_bindgen]
#[derive(Debug)]
pub struct StealingSim {
    sim: Stealing<Heap, Heap>,
    rng: Xoshiro256PlusPlus,
}

#[wasm_bindgen]
impl StealingSim {
    /// `workers` (1 to 64) and `tasks` (1 to 10,000), `on_first` of which land on worker 0. A steal attempt lasts
    /// `cost_micros` microseconds (1 to 10,000,000). Run times and random victims follow from `seed`.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(
        seed: f64,
        workers: f64,
        tasks: f64,
        on_first: f64,
        take: Take,
        victim: Victim,
        cost_micros: f64,
    ) -> Result<Self, Wrong> {
        let seed = whole("seed", seed, 0, MAX_SEED)?;
        let workers = count("workers", workers, MAX_WORKERS)?;
        let tasks = whole("tasks", tasks, 1, MAX_TASKS)? as u32;
        let on_first = whole("onFirst", on_first, 0, u64::from(tasks))? as u32;
        let cost = Duration::from_micros(whole("costMicros", cost_micros, 1, MAX_COST_MICROS)?);
        let take = match take {
            Take::None => stealing::Take::None,
            Take::One => stealing::Take::One,
            Take::Half => stealing::Take::Half,
            _ => return Err(r#"take is unknown; give "none", "one" or "half""#.into()),
        };
        let victim = match victim {
            Victim::Random => stealing::Victim::Random,
            Victim::Busiest => stealing::Victim::Busiest,
            _ => return Err(r#"victim is unknown; give "random" or "busiest""#.into()),
        };
        let policy = Policy::new(take, victim, cost).map_err(Wrong::of)?;
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut sim = Stealing::with_capacity(workers, tasks, policy).map_err(Wrong::of)?;
        sim.deal(&Batch { tasks, on_first, ..Batch::default() }, &mut rng).map_err(Wrong::of)?;
        Ok(Self { sim, rng })
    }

    /// When the next event is due, in milliseconds; `undefined` once every task is finished.
    #[wasm_bindgen(js_name = nextEventAt)]
    pub fn next_event_at(&self) -> Option<f64> {
        self.sim.next_event_at().map(instant_millis)
    }

    /// Lets the next event happen. Answers its row: time, worker, `EventKind`, task or victim, count (0 where the
    /// kind has none). Empty once every task is finished.
    pub fn step(&mut self) -> Vec<f64> {
        self.sim.step(&mut self.rng).map_or_else(Vec::new, |event| row(event).into())
    }

    /// Lets every event up to `time` happen and moves the clock there. Answers their rows, as `step` does.
    pub fn advance(&mut self, time: f64) -> Vec<f64> {
        let (time, mut rows) = (instant(time), Vec::new());
        while let Some(event) = self.sim.advance(time, &mut self.rng) {
            rows.extend(row(event));
        }
        rows
    }

    /// The clock, in milliseconds.
    pub fn now(&self) -> f64 {
        instant_millis(self.sim.now())
    }

    /// How many workers there are.
    pub fn workers(&self) -> u32 {
        self.sim.workers()
    }

    /// How many tasks are not finished.
    pub fn unfinished(&self) -> u32 {
        self.sim.unfinished()
    }

    /// When the last task ended; `undefined` while one is unfinished.
    pub fn makespan(&self) -> Option<f64> {
        self.sim.makespan().map(millis)
    }

    /// The earliest possible end: the longest task, or the work divided evenly, whichever is longer.
    #[wasm_bindgen(js_name = lowerBound)]
    pub fn lower_bound(&self) -> f64 {
        millis(self.sim.lower_bound())
    }

    /// The run times of all tasks together.
    pub fn total(&self) -> f64 {
        millis(self.sim.total())
    }

    /// How many tasks wait in the queue of each worker: one column.
    pub fn queues(&self) -> Vec<u32> {
        self.sim.stats().map(|worker| worker.queued).collect()
    }

    /// A row for each task: run time, the worker it was given to, the worker that has or had it, `Place`, and its
    /// order in the queue (the owner takes the highest, a thief the lowest).
    pub fn tasks(&self) -> Vec<f64> {
        let place = |place| match place {
            stealing::Place::Queued => Place::Queued,
            stealing::Place::Running => Place::Running,
            stealing::Place::Done => Place::Done,
        };
        self.sim
            .tasks()
            .flat_map(|task| {
                [
                    millis(task.cost),
                    f64::from(task.origin),
                    f64::from(task.worker),
                    f64::from(place(task.place) as u32),
                    f64::from(task.order),
                ]
            })
            .collect()
    }

    /// A row for each worker: `ActivityKind`, task or victim, since, until (0 where the kind has none).
    pub fn activities(&self) -> Vec<f64> {
        let row = |activity| match activity {
            Activity::Ready => [f64::from(ActivityKind::Ready as u32), 0.0, 0.0, 0.0],
            Activity::Running { task, since, until } => {
                let kind = f64::from(ActivityKind::Running as u32);
                [kind, f64::from(task), instant_millis(since), instant_millis(until)]
            }
            Activity::Stealing { victim, since, until } => {
                let kind = f64::from(ActivityKind::Stealing as u32);
                [kind, f64::from(victim), instant_millis(since), instant_millis(until)]
            }
            Activity::Idle { since } => {
                [f64::from(ActivityKind::Idle as u32), 0.0, instant_millis(since), 0.0]
            }
        };
        (0..self.sim.workers()).filter_map(|worker| self.sim.activity(worker)).flat_map(row).collect()
    }

    /// A row for each worker: queued, processed, stolen, lost, attempts, hits, and the milliseconds it was busy,
    /// stealing and idle.
    pub fn stats(&self) -> Vec<f64> {
        self.sim
            .stats()
            .flat_map(|worker| {
                [
                    f64::from(worker.queued),
                    f64::from(worker.processed),
                    f64::from(worker.stolen),
                    f64::from(worker.lost),
                    f64::from(worker.attempts),
                    f64::from(worker.hits),
                    millis(worker.busy),
                    millis(worker.stealing),
                    millis(worker.idle),
                ]
            })
            .collect()
    }
}

fn row(event: Event) -> [f64; 5] {
    let (kind, subject, count) = match event.what {
        What::Start { task } => (EventKind::Start, task, 0),
        What::Finish { task } => (EventKind::Finish, task, 0),
        What::Attempt { victim } => (EventKind::Attempt, victim, 0),
        What::Stole { victim, count } => (EventKind::Stole, victim, count),
        What::Missed { victim } => (EventKind::Missed, victim, 0),
        What::Idle => (EventKind::Idle, 0, 0),
    };
    [
        instant_millis(event.at),
        f64::from(event.worker),
        f64::from(kind as u32),
        f64::from(subject),
        f64::from(count),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sim() -> StealingSim {
        StealingSim::new(7.0, 4.0, 100.0, 70.0, Take::Half, Victim::Random, 1000.0).unwrap()
    }

    #[test]
    fn wrong_parameters_are_named() {
        let refused = |seed, workers, tasks, on_first, cost| {
            StealingSim::new(seed, workers, tasks, on_first, Take::Half, Victim::Random, cost).unwrap_err()
        };
        assert!(
            refused(-1.0, 4.0, 100.0, 70.0, 1.0).starts_with("seed is -1; give a whole number from 0 to")
        );
        assert!(
            refused(0.0, 65.0, 100.0, 70.0, 1.0).starts_with("workers is 65; give a whole number from 1")
        );
        assert!(refused(0.0, 4.0, 0.0, 0.0, 1.0).starts_with("tasks is 0;"));
        assert!(refused(0.0, 4.0, 100.0, 101.0, 1.0).starts_with("onFirst is 101;"));
        assert!(refused(0.0, 4.0, 100.0, 70.0, 0.0).starts_with("costMicros is 0;"));
    }

    #[test]
    fn rows_have_their_columns_and_a_stride_gives_the_steps() {
        let (mut stepped, mut strode) = (sim(), sim());
        let mut steps = Vec::new();
        loop {
            let row = stepped.step();
            if row.is_empty() {
                break;
            }
            assert_eq!(row.len(), 5);
            steps.extend(row);
        }
        let mut rows = strode.advance(300.0);
        assert_eq!(strode.now(), 300.0);
        assert_eq!((strode.tasks().len(), strode.activities().len(), strode.stats().len()), (500, 16, 36));
        assert_eq!(strode.queues().len(), 4);
        rows.extend(strode.advance(f64::INFINITY));
        assert_eq!(rows, steps);
        assert_eq!(strode.makespan(), Some(strode.now()));
        assert!(strode.now() >= strode.lower_bound());
        assert_eq!(strode.next_event_at(), None);
    }
}
