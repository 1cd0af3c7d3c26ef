//! Workers, the tasks that were dealt to them, and what each of them did when.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

use divvy::queue::CapacityError;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sched::{Next, Park, Parking, Scheduler, Source, StealPolicy, Take};
use divvy::storage::Heap;

use super::park::Tokens;

/// What the random victims of one worker have beside those of the next.
const APART: u64 = 0x9E37_79B9_7F4A_7C15;

#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) id: u32,
    /// Whom it is given to.
    pub(super) worker: u32,
    pub(super) rounds: u64,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) workers: u32,
    pub(super) half: bool,
    pub(super) tasks: Vec<Task>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Start(u32),
    Finish(u32),
    Stole { victim: u32, count: u32 },
    Idle,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) at: f64,
    pub(super) kind: Kind,
}

/// The scheduler of the library with all that its workers share.
#[derive(Debug)]
pub(super) struct Crew {
    seed: u64,
    sched: Scheduler<Task, Heap, Heap, Heap>,
    tokens: Tokens,
    start: Barrier,
    unfinished: AtomicU32,
}

impl Crew {
    pub(super) fn new(plan: &Plan) -> Result<Self, CapacityError> {
        let count = plan.tasks.len();
        let policy = StealPolicy::new().take(if plan.half { Take::Half } else { Take::One });
        let sched = Scheduler::<Task, Heap, Heap, Heap>::with_capacity(
            plan.workers as usize,
            count.next_power_of_two().max(2),
            2,
        )?
        .with_policy(policy);
        for worker in 0..plan.workers {
            let Some(owner) = sched.worker(worker) else { continue };
            for &task in plan.tasks.iter().filter(|task| task.worker == worker) {
                // Nobody sleeps yet, and a deque has room for all tasks.
                let _ = owner.push(task);
            }
        }
        Ok(Self {
            seed: plan.seed,
            sched,
            tokens: Tokens::new(plan.workers),
            start: Barrier::new(plan.workers as usize),
            unfinished: AtomicU32::new(count as u32),
        })
    }

    pub(super) fn workers(&self) -> u32 {
        self.sched.workers()
    }

    /// Works until nothing is left; `None` if someone else is this worker.
    pub(super) fn work(
        &self,
        worker: u32,
        clock: impl Fn() -> f64,
        job: impl Fn(u64) -> u64,
    ) -> Option<Vec<Event>> {
        let mut me = self.sched.worker(worker)?;
        let mut rng = Xoshiro256PlusPlus::seed(self.seed ^ APART.wrapping_mul(u64::from(worker) + 1));
        let mut log = Vec::with_capacity(1024);
        let mut idle = false;
        self.start.wait();
        loop {
            match me.next(&mut rng) {
                Next::Task { task, from, wake } => {
                    wake.deliver(&self.tokens);
                    idle = false;
                    if let Source::Stolen { victim, count } = from {
                        log.push(Event { at: clock(), kind: Kind::Stole { victim, count } });
                    }
                    log.push(Event { at: clock(), kind: Kind::Start(task.id) });
                    black_box(job(task.rounds));
                    log.push(Event { at: clock(), kind: Kind::Finish(task.id) });
                    // Ordering: Relaxed; the tokens order what the others see.
                    if self.unfinished.fetch_sub(1, Ordering::Relaxed) == 1 {
                        (0..self.workers()).for_each(|other| self.tokens.unpark(other));
                    }
                }
                Next::Idle => {
                    if !core::mem::replace(&mut idle, true) {
                        log.push(Event { at: clock(), kind: Kind::Idle });
                    }
                    if self.is_finished() {
                        return Some(log);
                    }
                    if me.park() == Parking::Stay {
                        continue;
                    }
                    while !me.is_woken() && !self.is_finished() {
                        self.tokens.park(worker);
                    }
                }
            }
        }
    }

    /// Processed, stolen, attempts, sleeps.
    pub(super) fn account(&self, worker: u32) -> [u32; 4] {
        self.sched
            .stats(worker)
            .map_or([0; 4], |stats| [stats.processed, stats.stolen, stats.steal_attempts, stats.parked])
    }

    fn is_finished(&self) -> bool {
        // Ordering: Relaxed, as above.
        self.unfinished.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::thread;

    fn plan(workers: u32, half: bool) -> Plan {
        let tasks = (0..100)
            .map(|id| Task { id, worker: if id < 70 { 0 } else { id % workers }, rounds: 200 })
            .collect();
        Plan { seed: 1, workers, half, tasks }
    }

    fn run(plan: &Plan) -> (Vec<Vec<Event>>, Crew) {
        let crew = Crew::new(plan).unwrap();
        let ticks = AtomicU64::new(0);
        let clock = || ticks.fetch_add(1, Ordering::Relaxed) as f64;
        let job = |rounds| (0..rounds).fold(0, |sum: u64, i| black_box(sum ^ i));
        let logs = thread::scope(|scope| {
            let (crew, clock, job) = (&crew, &clock, &job);
            let running: Vec<_> =
                (0..plan.workers).map(|worker| scope.spawn(move || crew.work(worker, clock, job))).collect();
            running
                .into_iter()
                .map(|worker| worker.join().unwrap().expect("each worker is there once"))
                .collect()
        });
        (logs, crew)
    }

    #[test]
    fn each_task_runs_once_and_the_log_says_what_the_scheduler_counted() {
        for (workers, half) in [(1, true), (2, true), (4, true), (4, false), (8, true)] {
            let plan = plan(workers, half);
            let (logs, crew) = run(&plan);
            let mut finished: Vec<u32> = Vec::new();
            for (worker, log) in logs.iter().enumerate() {
                assert!(log.is_sorted_by_key(|event| event.at as u64));
                let (mut done, mut stolen) = (0, 0);
                for pair in log.windows(2) {
                    if let Kind::Start(task) = pair[0].kind {
                        assert_eq!(pair[1].kind, Kind::Finish(task));
                    }
                }
                for event in log {
                    match event.kind {
                        Kind::Finish(task) => {
                            finished.push(task);
                            done += 1;
                        }
                        Kind::Stole { count, .. } => {
                            assert!(half || count == 1);
                            stolen += count;
                        }
                        _ => {}
                    }
                }
                let [processed, taken, attempts, _] = crew.account(worker as u32);
                assert_eq!((processed, taken), (done, stolen));
                assert!(
                    attempts >= log.iter().filter(|it| matches!(it.kind, Kind::Stole { .. })).count() as u32
                );
                assert_eq!(log.last().unwrap().kind, Kind::Idle);
            }
            finished.sort_unstable();
            assert!(finished.into_iter().eq(0..100));
        }
    }

    #[test]
    fn a_worker_is_there_once() {
        let crew = Crew::new(&plan(2, true)).unwrap();
        let _other = crew.sched.worker(1).unwrap();
        assert!(crew.work(1, || 0.0, |rounds| rounds).is_none());
        assert!(crew.work(2, || 0.0, |rounds| rounds).is_none());
    }
}
