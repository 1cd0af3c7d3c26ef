use super::*;
use crate::rng::SplitMix64;
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
