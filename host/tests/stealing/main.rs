//! The example of 100 uneven tasks on four workers keeps its promises, and so does the scheduler on real threads.

#[path = "../../examples/stealing.rs"]
mod example;

use divvy::rng::SplitMix64;
use divvy::sched::{Groups, Scheduler, StealPolicy, SubmitError, Take, Victim};
use divvy::storage::{Heap, Inline};
use divvy_host::worker::ThreadPark;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn seventy_of_a_hundred_tasks_on_one_worker_are_shared() {
    let outcome = example::run(Duration::from_millis(1), 3);
    let sum = |count: fn(&divvy::sched::WorkerStats) -> u32| outcome.stats.iter().map(count).sum::<u32>();
    assert_eq!(sum(|stats| stats.processed), 100);
    assert!(sum(|stats| stats.stolen) >= 20, "at least what one of the others can do: {outcome:?}");
    for stats in &outcome.stats {
        assert!(stats.steals <= stats.steal_attempts && stats.steals <= stats.stolen, "{outcome:?}");
    }
    assert!(outcome.looks > 0 && example::report(&outcome), "idle beside work: {outcome:?}");
}

/// Every policy, with threads that submit from outside, and more workers than cores.
#[test]
fn every_task_runs_once_under_every_policy() {
    let near = Victim::Near(Groups::new(&[2, 4]).expect("they nest"));
    for victim in [Victim::Random, Victim::Busiest, near] {
        for take in [Take::One, Take::Half] {
            let sched = Scheduler::<u32, Heap, Heap, Heap>::with_capacity(6, 64, 64)
                .expect("valid sizes")
                .with_policy(StealPolicy::new().victim(victim).take(take));
            let park = ThreadPark::new(6);
            let ran: Vec<AtomicU32> = (0..3_000).map(|_| AtomicU32::new(0)).collect();
            thread::scope(|scope| {
                for index in 0..6 {
                    let (sched, park, ran) = (&sched, &park, &ran);
                    scope.spawn(move || {
                        let mut worker = sched.worker(index).expect("each index is used once");
                        worker.run(park, &mut SplitMix64::seed(index.into()), |worker, task| {
                            ran[task as usize].fetch_add(1, Ordering::Relaxed);
                            // Each of the first thousand makes two more.
                            for more in if task < 1_000 { 1_000 + 2 * task..1_002 + 2 * task } else { 0..0 } {
                                match worker.push(more) {
                                    Ok(wake) => wake.deliver(park),
                                    Err(_) => _ = ran[more as usize].fetch_add(1, Ordering::Relaxed),
                                }
                            }
                        });
                    });
                }
                for task in 0..1_000 {
                    loop {
                        match sched.submit(task) {
                            Ok(wake) => break wake.deliver(&park),
                            Err(SubmitError::Full(_)) => thread::yield_now(),
                            Err(error) => unreachable!("{error}"),
                        }
                    }
                }
                sched.close().deliver(&park);
            });
            assert!(ran.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{victim:?} {take:?}");
        }
    }
}

/// One task into a pool of sleeping threads wakes one thread, each time.
#[test]
fn one_task_wakes_one_thread() {
    static SCHED: Scheduler<u32, Inline<8>, Inline<8>, Inline<8>> = Scheduler::new();
    let park = ThreadPark::new(8);
    let ran = AtomicU32::new(0);
    thread::scope(|scope| {
        for index in 0..8 {
            let (park, ran) = (&park, &ran);
            scope.spawn(move || {
                let mut worker = SCHED.worker(index).expect("each index is used once");
                worker.run(park, &mut SplitMix64::seed(index.into()), |_, _| {
                    ran.fetch_add(1, Ordering::SeqCst);
                });
            });
        }
        let stats = || (0..8).filter_map(|index| SCHED.stats(index));
        let slept = || stats().map(|stats| stats.parked).sum::<u32>();
        for task in 0..50 {
            // Whoever ran the task before went to sleep again: once more than there were tasks, plus the eight at first.
            while ran.load(Ordering::SeqCst) < task || slept() < 8 + task {
                thread::yield_now();
            }
            let wake = SCHED.submit(task).expect("there is room");
            assert_ne!(wake, divvy::sched::Wake::Nobody);
            wake.deliver(&park);
        }
        while ran.load(Ordering::SeqCst) < 50 || slept() < 58 {
            thread::yield_now();
        }
        assert_eq!(stats().map(|stats| stats.woken).sum::<u32>(), 50, "one wake-up for each task");
        SCHED.close().deliver(&park);
    });
}
