//! One hundred tasks of uneven length on four workers, 70 of them on one: who did what, and who stole how often.
//!
//! `cargo run --release --example stealing` prints processed, stolen, attempts and the success rate of each worker. A
//! worker that goes to sleep looks over all deques: it must not sleep while another one has two tasks waiting.

use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::{Next, Park, Parking, Scheduler, Wake, Worker, WorkerStats};
use divvy::storage::Inline;
use divvy_host::worker::ThreadPark;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WORKERS: usize = 4;
const TASKS: u32 = 100;
const ON_FIRST: u32 = 70;

type Sched = Scheduler<Duration, Inline<WORKERS>, Inline<128>, Inline<1>>;
type Member<'a> = Worker<'a, Duration, Inline<WORKERS>, Inline<128>, Inline<1>>;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What each worker did.
    pub(crate) stats: [WorkerStats; WORKERS],
    /// Times that a worker went to sleep or slept on while another one had two tasks waiting, and nobody woke it.
    pub(crate) idle_beside_work: u32,
    /// Times that a worker went to sleep and looked.
    pub(crate) looks: u32,
    /// All tasks one after another.
    pub(crate) total: Duration,
    /// From the start to the end of the last task.
    pub(crate) elapsed: Duration,
}

/// What all workers share.
struct Shop {
    sched: Sched,
    park: ThreadPark,
    left: AtomicU32,
    looks: AtomicU32,
    idle_beside_work: AtomicU32,
}

/// Runs [`TASKS`] tasks that take from 1 to 10 times `shortest` each: they sleep, as if they waited for a disk.
pub(crate) fn run(shortest: Duration, seed: u64) -> Outcome {
    let shop = Shop {
        sched: Sched::new(),
        park: ThreadPark::new(WORKERS as u32),
        left: AtomicU32::new(TASKS),
        looks: AtomicU32::new(0),
        idle_beside_work: AtomicU32::new(0),
    };
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let tasks: Vec<Duration> = (0..TASKS).map(|_| shortest * (10 + rng.below(91)) / 10).collect();
    for index in 0..WORKERS as u32 {
        let worker = shop.sched.worker(index).expect("each index is used once");
        for (task, length) in (0..).zip(&tasks) {
            let home = if task < ON_FIRST { 0 } else { 1 + task % (WORKERS as u32 - 1) };
            if home == index {
                let wake = worker.push(*length).expect("a deque has room for all");
                assert_eq!(wake, Wake::Nobody, "nobody sleeps yet");
            }
        }
    }
    let barrier = Barrier::new(WORKERS);
    let start = Instant::now();
    thread::scope(|scope| {
        for index in 0..WORKERS as u32 {
            let (shop, barrier) = (&shop, &barrier);
            scope.spawn(move || {
                let worker = shop.sched.worker(index).expect("each index is used once");
                barrier.wait();
                work(shop, worker, seed + u64::from(index));
            });
        }
    });
    Outcome {
        stats: std::array::from_fn(|index| shop.sched.stats(index as u32).unwrap_or_default()),
        idle_beside_work: shop.idle_beside_work.into_inner(),
        looks: shop.looks.into_inner(),
        total: tasks.iter().sum(),
        elapsed: start.elapsed(),
    }
}

/// The loop of [`Worker::run`], written out, with a look around before each sleep.
fn work(shop: &Shop, mut worker: Member<'_>, seed: u64) {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    loop {
        match worker.next(&mut rng) {
            Next::Task { task, wake, .. } => {
                wake.deliver(&shop.park);
                thread::sleep(task);
                if shop.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    while let wake @ Wake::Worker(_) = shop.sched.wake_one() {
                        wake.deliver(&shop.park);
                    }
                }
            }
            Next::Idle => {
                let idle = Instant::now();
                if worker.park() == Parking::Sleep {
                    look_around(shop, &worker);
                    while !worker.is_woken() && shop.left.load(Ordering::SeqCst) > 0 {
                        shop.park.park(worker.index());
                    }
                }
                worker.add_idle(idle.elapsed());
            }
        }
        if shop.left.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
}

/// Whether somebody has two tasks waiting beside this worker, which is about to sleep and was not woken. A thief that
/// is just bringing tasks home wakes somebody when it is done with that: it gets the time for it.
fn look_around(shop: &Shop, worker: &Member<'_>) {
    shop.looks.fetch_add(1, Ordering::Relaxed);
    let beside_work = || {
        let waiting = (0..WORKERS as u32).any(|other| shop.sched.waiting(other) >= Some(2));
        waiting && !worker.is_woken()
    };
    for _ in 0..1_000 {
        if !beside_work() {
            return;
        }
        thread::sleep(Duration::from_micros(100));
    }
    shop.idle_beside_work.fetch_add(1, Ordering::Relaxed);
}

/// Prints the outcome; whether no worker was idle beside work.
pub(crate) fn report(outcome: &Outcome) -> bool {
    println!("worker  processed  stolen  attempts  successful  success rate   idle");
    for (index, stats) in outcome.stats.iter().enumerate() {
        let rate = stats.success_rate().map_or_else(|| "-".into(), |rate| format!("{:.4}", rate.to_string()));
        println!(
            "{index:>6} {:>10} {:>7} {:>9} {:>11} {rate:>13} {:>4} ms",
            stats.processed,
            stats.stolen,
            stats.steal_attempts,
            stats.steals,
            stats.idle.as_millis()
        );
    }
    println!(
        "{:.0?} of work in {:.0?}: {:.2} times as fast as one worker",
        outcome.total,
        outcome.elapsed,
        outcome.total.as_secs_f64() / outcome.elapsed.as_secs_f64()
    );
    println!(
        "idle while another had two tasks waiting: {} of {} times",
        outcome.idle_beside_work, outcome.looks
    );
    outcome.idle_beside_work == 0
}

#[allow(dead_code, reason = "a test includes this file")]
fn main() -> ExitCode {
    let outcome = run(Duration::from_millis(10), 7);
    if report(&outcome) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
