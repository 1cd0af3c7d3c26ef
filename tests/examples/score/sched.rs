//! Who wakes up for a task: ten thousand workers sleep and one task comes.

use crate::figure::{Bound, Figure};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::{EventCount, Next, Park, Scheduler, Wake};
use divvy::storage::{Heap, Inline};

const CONTRACT: &str = "each task wakes one sleeper, if there is one: `sched`";

pub(crate) fn figures() -> Vec<Figure> {
    vec![
        Figure::new(
            "scheduler: workers woken by one task, of 10,000 asleep",
            woken(1),
            Bound::Exactly(1.0),
            CONTRACT,
        ),
        Figure::new(
            "scheduler: workers woken by 100 tasks, of 10,000 asleep",
            woken(100),
            Bound::Exactly(100.0),
            CONTRACT,
        ),
        Figure::new(
            "scheduler: tasks left over or run twice, 8 workers in 200 interleavings until all sleep",
            f64::from((0..200).map(miscounted).sum::<u32>()),
            Bound::Exactly(0.0),
            "every task is handed out exactly once, no wake-up is lost: `sched`",
        ),
    ]
}

fn woken(tasks: u32) -> f64 {
    let events = EventCount::<Heap>::with_capacity(10_000).expect("a valid number of workers");
    let sleepers: Vec<_> = (0..10_000).map(|worker| events.waiter(worker).expect("it exists")).collect();
    for sleeper in &sleepers {
        sleeper.prepare_park();
    }
    let told = (0..tasks).filter(|_| events.notify_one() != Wake::Nobody).count();
    let woken = sleepers.iter().filter(|sleeper| sleeper.is_woken()).count();
    assert_eq!(told, woken, "whoever is awake was named to somebody");
    woken as f64
}

/// Eight workers in an order that the seed chooses, woken only by name. The number of tasks that ran more or less often
/// than once.
fn miscounted(seed: u64) -> u32 {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let sched = Scheduler::<u32, Inline<8>, Inline<32>, Inline<32>>::new();
    let mut workers: Vec<_> = (0..8).map(|index| sched.worker(index).expect("nobody is it yet")).collect();
    let mut asleep = [false; 8];
    let mut ran = [0u32; 400];
    let mut made = 0;
    while made < 400 || asleep.contains(&false) {
        let wake = if made < 400 && rng.below(6) == 0 {
            match sched.submit(made) {
                Ok(wake) => {
                    made += 1;
                    wake
                }
                Err(_) => Wake::Nobody,
            }
        } else {
            let index = rng.below(8) as usize;
            if asleep[index] {
                continue;
            }
            match workers[index].next(&mut rng) {
                Next::Task { task, wake, .. } => {
                    ran[task as usize] += 1;
                    if let Wake::Worker(worker) = wake {
                        asleep[worker as usize] = false;
                    }
                    let more = made < 400 && rng.below(2) == 0;
                    match if more { workers[index].push(made).ok() } else { None } {
                        Some(wake) => {
                            made += 1;
                            wake
                        }
                        None => Wake::Nobody,
                    }
                }
                Next::Idle => {
                    asleep[index] = workers[index].park() == Park::Sleep;
                    Wake::Nobody
                }
            }
        };
        if let Wake::Worker(worker) = wake {
            asleep[worker as usize] = false;
        }
    }
    ran.iter().filter(|times| **times != 1).count() as u32
}
