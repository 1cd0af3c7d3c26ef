use super::*;
use crate::rng::SplitMix64;
use crate::sched::Park;
use crate::sync::model;
use loom::sync::Arc;
use loom::thread;

type Small = Scheduler<u32, Inline<2>, Inline<2>, Inline<2>>;

/// One worker until it has run a task: the task, and whom it was told to wake. A lost wake-up is a deadlock, which
/// loom reports.
fn work_until_one_task(sched: &Small, index: u32) -> (u32, Wake) {
    let mut worker = sched.worker(index).unwrap();
    let mut rng = SplitMix64::seed(1);
    loop {
        match worker.next(&mut rng) {
            Next::Task { task, wake, .. } => return (task, wake),
            Next::Idle => {
                if worker.park() == Parking::Sleep {
                    while !worker.is_woken() {
                        thread::park();
                    }
                }
            }
        }
    }
}

#[test]
fn loom_a_submitted_task_finds_the_worker() {
    model("scheduler, submit against park", 6, 3, || {
        let sched = Arc::new(Small::new());
        let worker = {
            let sched = Arc::clone(&sched);
            thread::spawn(move || work_until_one_task(&sched, 1))
        };
        if let Wake::Worker(index) = sched.submit(7).unwrap() {
            assert_eq!(index, 1);
            worker.thread().unpark();
        }
        assert_eq!(worker.join().unwrap(), (7, Wake::Nobody));
    });
}

#[test]
fn loom_a_pushed_task_finds_another_worker() {
    model("scheduler, push against park", 6, 3, || {
        let sched = Arc::new(Small::new());
        let worker = {
            let sched = Arc::clone(&sched);
            thread::spawn(move || work_until_one_task(&sched, 1))
        };
        if let Wake::Worker(index) = sched.worker(0).unwrap().push(7).unwrap() {
            assert_eq!(index, 1);
            worker.thread().unpark();
        }
        assert_eq!(worker.join().unwrap(), (7, Wake::Nobody));
    });
}

#[test]
fn loom_two_tasks_reach_two_workers() {
    model("scheduler, 2 submits against 2 parks", 2, 1, || {
        let sched = Arc::new(Small::new());
        let other = {
            let sched = Arc::clone(&sched);
            thread::spawn(move || work_until_one_task(&sched, 1))
        };
        let submitter = {
            let sched = Arc::clone(&sched);
            let sleepers = [thread::current(), other.thread().clone()];
            thread::spawn(move || {
                for task in [1, 2] {
                    if let Wake::Worker(index) = sched.submit(task).unwrap() {
                        sleepers[index as usize].unpark();
                    }
                }
            })
        };
        let (task, wake) = work_until_one_task(&sched, 0);
        if let Wake::Worker(index) = wake {
            assert_eq!(index, 1);
            other.thread().unpark();
        }
        submitter.join().unwrap();
        // A wake-up for worker 0 has come too late: it has gone.
        let (task_of_other, _) = other.join().unwrap();
        assert_eq!(task + task_of_other, 3);
    });
}

/// Loom's threads as a platform. A worker's thread is known before it sleeps for the first time.
struct Threads([loom::sync::Mutex<Option<thread::Thread>>; 2]);

impl Threads {
    fn new() -> Self {
        Self([loom::sync::Mutex::new(None), loom::sync::Mutex::new(None)])
    }

    fn run(&self, sched: &Small, index: u32, ran: &AtomicU32) {
        *self.0[index as usize].lock().unwrap() = Some(thread::current());
        let mut worker = sched.worker(index).unwrap();
        worker.run(self, &mut SplitMix64::seed(1), |_, task| {
            // Ordering: Relaxed, read after the joins.
            ran.fetch_add(task, Ordering::Relaxed);
        });
    }
}

impl Park for Threads {
    fn park(&self, _: u32) {
        thread::park();
    }

    fn unpark(&self, worker: u32) {
        if let Some(thread) = &*self.0[worker as usize].lock().unwrap() {
            thread.unpark();
        }
    }
}

/// A submit, a close and a worker: the worker's run ends, and the task was run once or given back. A worker that is
/// never told is a deadlock, which loom reports.
#[test]
fn loom_a_submit_against_a_close_is_run_or_given_back() {
    model("scheduler, submit and close against run", 3, 2, || {
        let shared = Arc::new((Small::new(), Threads::new(), AtomicU32::new(0)));
        let worker = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.1.run(&shared.0, 1, &shared.2))
        };
        let submitter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || match shared.0.submit(7) {
                Ok(wake) => {
                    wake.deliver(&shared.1);
                    0
                }
                Err(SubmitError::Closed(task)) => task,
                Err(SubmitError::Full(_)) => unreachable!("there is room for two"),
            })
        };
        shared.0.close().deliver(&shared.1);
        worker.join().unwrap();
        let given_back = submitter.join().unwrap();
        let ran = shared.2.load(Ordering::Relaxed);
        assert_eq!((ran + given_back, shared.0.take_rest()), (7, None));
    });
}

/// Two workers and a close: both end, and what was there is run once.
#[test]
fn loom_all_workers_of_a_closed_scheduler_end() {
    model("scheduler, close against 2 runs", 2, 1, || {
        let shared = Arc::new((Small::new(), Threads::new(), AtomicU32::new(0)));
        assert_eq!(shared.0.submit(5), Ok(Wake::Nobody));
        let workers = [0, 1].map(|index| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.1.run(&shared.0, index, &shared.2))
        });
        shared.0.close().deliver(&shared.1);
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(shared.2.load(Ordering::Relaxed), 5);
    });
}

/// More workers are let while one that was not goes to sleep: it stays up, or it is woken.
#[test]
fn loom_a_worker_that_is_let_again_finds_the_work() {
    model("scheduler, set_awake against park", 4, 2, || {
        let sched = Arc::new(Small::new());
        let _ = sched.set_awake(1);
        let surplus = {
            let sched = Arc::clone(&sched);
            thread::spawn(move || work_until_one_task(&sched, 1))
        };
        // Worker 0 has two tasks, and does none.
        let worker = sched.worker(0).unwrap();
        let mut wakes = [worker.push(3).unwrap(), worker.push(3).unwrap(), sched.set_awake(2)].into_iter();
        if wakes.any(|wake| wake == Wake::Worker(1)) {
            surplus.thread().unpark();
        }
        let (task, _) = surplus.join().unwrap();
        assert_eq!(task, 3);
    });
}
