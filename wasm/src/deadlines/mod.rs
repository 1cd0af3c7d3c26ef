//! What the scene about deadlines is made of.
//!
//! The tasks, the tests that say beforehand whether their deadlines will be met, and the simulation that shows it.

mod asked;
mod choice;

use core::num::NonZeroU32;
use core::time::Duration;

use divvy::rng::Xoshiro256PlusPlus;
use divvy::sched::realtime::admission::{Fit, Partition, PartitionError, STEPS, utilisation};
use divvy::sched::realtime::{Policy, Task, deadline_monotonic, hyperperiod, rate_monotonic};
use divvy::sim::deadline::{Activity, Config, Deadline, End, Event, What};
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

pub use self::choice::Order;
use crate::number::{Wrong, count, fraction, instant, instant_millis, millis, whole};

const MAX_TASKS: usize = 16;
const MAX_CORES: u64 = 8;
const MAX_MILLIS: u64 = 1_000;
/// The columns of the tasks that are given.
const COLUMNS: usize = 3;
/// Jobs that may be pending at once, and stretches of time that are kept.
const JOBS: u32 = 4_096;
const SEGMENTS: u32 = 16_384;
/// Stands for no core.
const NONE: f64 = -1.0;

/// Tasks with deadlines on one or several cores: what the admission tests say of them, and what becomes of them.
///
/// Every method that answers a typed array answers rows of a fixed number of columns, one after the other. Times are
/// milliseconds.
#[wasm_bindgen]
#[derive(Debug)]
pub struct DeadlineSim {
    sim: Deadline<Heap, Heap, Heap>,
    rng: Xoshiro256PlusPlus,
    policy: Policy,
    cores: NonZeroU32,
    /// As they were given, with priorities.
    tasks: Vec<Task>,
    /// The core of each task if they are partitioned; `None` for one that no core can take.
    owners: Option<Vec<Option<u32>>>,
}

#[wasm_bindgen]
impl DeadlineSim {
    /// `tasks` has a row for each (1 to 16 of them): how long it runs, its period, and its deadline, in milliseconds (1 to
    /// 1,000). They share `cores` (1 to 8) cores, or each keeps to one if `partitioned`; then those that no core can take
    /// are turned away. All arrive at 0, and then as often as they may.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(order: Order, cores: f64, partitioned: bool, tasks: &[f64]) -> Result<Self, Wrong> {
        let cores = count("cores", cores, MAX_CORES)?;
        let rows = tasks.len() / COLUMNS;
        if rows == 0 || rows > MAX_TASKS || !tasks.len().is_multiple_of(COLUMNS) {
            let message =
                format!("tasks has {} numbers; give 1 to {MAX_TASKS} rows of {COLUMNS}", tasks.len());
            return Err(message.into());
        }
        let mut tasks: Vec<Task> = tasks.chunks(COLUMNS).map(task).collect::<Result<_, Wrong>>()?;
        let policy = match order {
            Order::Edf => Policy::EarliestDeadline,
            Order::Rm => {
                rate_monotonic(&mut tasks);
                Policy::FixedPriority
            }
            Order::Dm => {
                deadline_monotonic(&mut tasks);
                Policy::FixedPriority
            }
            _ => return Err(r#"order is unknown; give "edf", "rm" or "dm""#.into()),
        };
        let owners = partitioned.then(|| partition(&tasks, cores, policy));
        let mut sim =
            Deadline::with_capacity(Config::new(policy), cores.get(), tasks.len() as u32, JOBS, SEGMENTS);
        for (i, &task) in tasks.iter().enumerate() {
            match owners.as_ref().map(|owners| owners[i]) {
                None => sim.insert(task).map_err(Wrong::of)?,
                Some(Some(core)) => sim.insert_on(task, core).map_err(Wrong::of)?,
                // It keeps its number, and has no jobs.
                Some(None) => {
                    let number = sim.insert_on(task.sporadic(), 0).map_err(Wrong::of)?;
                    sim.retire(number);
                    number
                }
            };
        }
        Ok(Self { sim, rng: Xoshiro256PlusPlus::seed(0), policy, cores, tasks, owners })
    }

    /// The share of a core that all tasks need together.
    pub fn utilisation(&self) -> f64 {
        fraction(utilisation(&self.tasks))
    }

    /// The time after which the arrivals repeat; `undefined` beyond 584 years.
    pub fn hyperperiod(&self) -> Option<f64> {
        hyperperiod(&self.tasks).map(millis)
    }

    /// A row for each test that was asked, the decisive ones first: which (0 the sharpest for the case, 1 Liu and Layland, 2
    /// hyperbolic, 3 Goossens, Funk and Baruah, 4 global response times), the core that it is about (-1 for all), what it says (0 every deadline is
    /// met, 1 one is missed, 2 not proven, 3 undecided), and the evidence: 0 none; 1 the utilisation and its bound; 2 a
    /// product, which may be 2; 3 a response time, the deadline and the task; 4 a time and what is demanded in it.
    pub fn verdicts(&self) -> Vec<f64> {
        let verdicts = match &self.owners {
            None => asked::shared(self.policy, &self.tasks, self.cores),
            Some(owners) => asked::partitioned(self.policy, &self.tasks, owners, self.cores),
        };
        verdicts.into_iter().flatten().collect()
    }

    /// A row for each task: the core that it keeps to (-1 if it may run on all, or on none), whether it is turned away, its
    /// longest response time by analysis (-1 where that is not known), and its fixed priority (0 if there is none).
    pub fn tasks(&self) -> Vec<f64> {
        let row = |(i, task): (usize, &Task)| {
            let owner = self.owners.as_ref().map(|owners| owners[i]);
            [
                owner.flatten().map_or(NONE, f64::from),
                f64::from(u8::from(owner == Some(None))),
                asked::response(self.policy, &self.tasks, self.owners.as_deref(), self.cores, i)
                    .map_or(NONE, millis),
                if self.policy == Policy::FixedPriority { task.fixed_priority().into() } else { 0.0 },
            ]
        };
        self.tasks.iter().enumerate().flat_map(row).collect()
    }

    /// Lets everything up to `time` happen. Answers a row for each arrival, miss and completion: when, which of them (0, 1,
    /// 2), the task, its job's number; the deadline of what arrived, the response time of what was completed.
    pub fn advance(&mut self, time: f64) -> Vec<f64> {
        let (time, mut rows) = (instant(time), Vec::new());
        while let Some(event) = self.sim.advance(time, &mut self.rng) {
            rows.extend(row(event).into_iter().flatten());
        }
        rows
    }

    /// A row for each stretch of time in which a core ran a job: core, task, the job's number, from, to, and how it ended: 0
    /// in time, 1 late, 2 it was preempted, 3 it was taken off, 4 it is running.
    pub fn segments(&self) -> Vec<f64> {
        let ended = self.sim.segments().map(|segment| {
            let end = match segment.end {
                End::Met => 0,
                End::Late => 1,
                End::Preempted => 2,
                End::Aborted => 3,
            };
            let (from, to) = (instant_millis(segment.from), instant_millis(segment.to));
            [segment.core.into(), segment.task.into(), segment.number.into(), from, to, f64::from(end)]
        });
        let now = instant_millis(self.sim.now());
        let running = (0..self.sim.cores()).filter_map(|core| match self.sim.activity(core)? {
            Activity::Running { task, number, since, .. } => {
                let since = instant_millis(since);
                Some([core.into(), task.into(), number.into(), since, now, 4.0])
            }
            Activity::Idle { .. } => None,
        });
        ended.chain(running).flatten().collect()
    }

    /// A row for each task: jobs that arrived, that were completed, that missed their deadlines, that are pending; the
    /// longest time from arrival to completion, and from a deadline to a completion after it.
    pub fn stats(&self) -> Vec<f64> {
        self.sim
            .stats()
            .flat_map(|stats| {
                [
                    stats.released.into(),
                    stats.completed.into(),
                    stats.missed.into(),
                    stats.pending.into(),
                    millis(stats.response_max),
                    millis(stats.tardiness_max),
                ]
            })
            .collect()
    }

    /// A row for each core: the time that it was busy, preemptions, and jobs that it went on with after another core.
    #[wasm_bindgen(js_name = coreStats)]
    pub fn core_stats(&self) -> Vec<f64> {
        (0..self.sim.cores())
            .filter_map(|core| self.sim.core_stats(core))
            .flat_map(|stats| [millis(stats.busy), stats.preemptions.into(), stats.migrations.into()])
            .collect()
    }
}

fn task(row: &[f64]) -> Result<Task, Wrong> {
    let [wcet, period, deadline] = [("wcet", row[0]), ("period", row[1]), ("deadline", row[2])]
        .map(|(name, value)| whole(name, value, 1, MAX_MILLIS).map(Duration::from_millis));
    Ok(Task::new(wcet?, period?).map_err(Wrong::of)?.deadline(deadline?))
}

/// Where each task goes. One that no core can take beside the others is turned away, and the others are tried again.
fn partition(tasks: &[Task], cores: NonZeroU32, policy: Policy) -> Vec<Option<u32>> {
    let mut admitted: Vec<usize> = (0..tasks.len()).collect();
    let mut owners = vec![None; tasks.len()];
    loop {
        let set: Vec<Task> = admitted.iter().map(|&i| tasks[i]).collect();
        let mut partition = Partition::<Heap>::with_capacity(set.len() as u32);
        match partition.assign(&set, cores, Fit::First, policy, STEPS) {
            Ok(()) => {
                for (&i, core) in admitted.iter().zip(partition.cores_of_tasks()) {
                    owners[i] = Some(core);
                }
                return owners;
            }
            Err(PartitionError::NoCore { task }) => {
                admitted.remove(task as usize);
            }
            Err(_) => return owners,
        }
    }
}

fn row(event: Event) -> Option<[f64; 5]> {
    let at = instant_millis(event.at);
    Some(match event.what {
        What::Release { task, number, deadline } => {
            [at, 0.0, task.into(), number.into(), instant_millis(deadline)]
        }
        What::Miss { task, number } => [at, 1.0, task.into(), number.into(), 0.0],
        What::Complete { task, number, response, .. } => {
            [at, 2.0, task.into(), number.into(), millis(response)]
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 97 % of a core.
    const TIGHT: [f64; 6] = [2.0, 5.0, 5.0, 4.0, 7.0, 7.0];

    fn missed(sim: &mut DeadlineSim, until: f64) -> f64 {
        let rows = sim.advance(until);
        let seen = rows.chunks(5).filter(|row| row[1] == 1.0).count() as f64;
        assert_eq!(seen, sim.stats().chunks(6).map(|row| row[2]).sum::<f64>());
        seen
    }

    #[test]
    fn what_rate_monotonic_misses_earliest_deadline_first_meets_and_the_tests_knew_it() {
        let mut rm = DeadlineSim::new(Order::Rm, 1.0, false, &TIGHT).unwrap();
        assert_eq!(rm.hyperperiod(), Some(35.0));
        assert!((rm.utilisation() - 34.0 / 35.0).abs() < 1e-6);
        assert_eq!(rm.verdicts()[..7], [0.0, NONE, 1.0, 3.0, 8.0, 7.0, 1.0]);
        assert_eq!(rm.tasks(), [NONE, 0.0, 2.0, 2.0, NONE, 0.0, 8.0, 1.0]);
        assert!(missed(&mut rm, 35.0) > 0.0);
        let mut edf = DeadlineSim::new(Order::Edf, 1.0, false, &TIGHT).unwrap();
        assert_eq!(edf.verdicts()[2], 0.0);
        assert_eq!(missed(&mut edf, 350.0), 0.0);
        let busy: f64 = edf.segments().chunks(6).map(|row| row[4] - row[3]).sum();
        assert!((busy - edf.core_stats()[0]).abs() < 1e-6);
    }

    #[test]
    fn a_heavy_task_beside_light_ones_needs_a_core_of_its_own() {
        let dhall = [2.0, 10.0, 10.0, 2.0, 10.0, 10.0, 11.0, 12.0, 12.0];
        let mut global = DeadlineSim::new(Order::Edf, 2.0, false, &dhall).unwrap();
        assert_eq!(global.verdicts()[2], 2.0, "not proven");
        assert!(missed(&mut global, 60.0) > 0.0);
        let mut apart = DeadlineSim::new(Order::Edf, 2.0, true, &dhall).unwrap();
        assert_eq!(missed(&mut apart, 600.0), 0.0);
        assert!(apart.verdicts().chunks(7).all(|row| row[2] == 0.0));
        assert_eq!(apart.core_stats().chunks(3).map(|row| row[2]).sum::<f64>(), 0.0, "nobody migrates");
    }

    #[test]
    fn who_fits_nowhere_is_turned_away_and_the_others_meet_their_deadlines() {
        let many = [6.0, 10.0, 10.0, 7.0, 10.0, 10.0, 8.0, 10.0, 10.0];
        let mut sim = DeadlineSim::new(Order::Edf, 2.0, true, &many).unwrap();
        let away: Vec<f64> = sim.tasks().chunks(4).map(|row| row[1]).collect();
        assert_eq!(away, [1.0, 0.0, 0.0]);
        assert_eq!(missed(&mut sim, 100.0), 0.0);
        assert_eq!(sim.stats()[0], 0.0, "it has no jobs");
        assert_eq!(sim.verdicts()[2], 1.0, "one is turned away");
    }

    #[test]
    fn wrong_numbers_are_named() {
        let refused = |cores, tasks: &[f64]| DeadlineSim::new(Order::Edf, cores, false, tasks).unwrap_err();
        assert!(refused(9.0, &TIGHT).starts_with("cores is 9;"));
        assert!(refused(1.0, &[]).starts_with("tasks has 0 numbers;"));
        assert!(refused(1.0, &[1.0, 2.0]).starts_with("tasks has 2 numbers;"));
        assert!(refused(1.0, &[0.0, 2.0, 2.0]).starts_with("wcet is 0;"));
        assert!(refused(1.0, &[1.0, 2.5, 2.0]).starts_with("period is not a whole number"));
        assert!(refused(1.0, &[1.0, 2.0, 1001.0]).starts_with("deadline is 1001;"));
    }
}
