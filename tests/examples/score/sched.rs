//! Who wakes up for a task: ten thousand workers sleep and one task comes.

use crate::figure::{Bound, Figure};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::{EventCount, Next, Parking, Scheduler, Wake};
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
            "scheduler: tasks left over or run twice, 2 workers in 200 interleavings until all sleep",
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
    // Whoever is named will be woken, and so will whoever sees a reason in a sleep that ends early.
    let named = (0..tasks).filter(|_| events.notify_one() != Wake::Nobody).count();
    let woken = sleepers.iter().filter(|sleeper| sleeper.is_woken()).count();
    named.max(woken) as f64
}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Awake,
    /// It found nothing, and is about to lie down: work that comes now must keep it up.
    Idle,
    Asleep,
}

/// Two workers in an order that the seed chooses, woken only by name, and tasks by tens. The number of tasks that had
/// run more or less often than once whenever all were asleep.
fn miscounted(seed: u64) -> u32 {
    const TASKS: u32 = 400;
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let sched = Scheduler::<u32, Inline<2>, Inline<32>, Inline<32>>::new();
    let mut workers: Vec<_> = (0..2).map(|index| sched.worker(index).expect("nobody is it yet")).collect();
    let mut moods = [Mood::Awake; 2];
    let mut ran = [0; TASKS as usize];
    let mut made = 0;
    let (mut goal, mut wrong) = (0, 0);
    loop {
        if made == goal && moods.iter().all(|mood| *mood == Mood::Asleep) {
            wrong += ran[..made as usize].iter().filter(|times| **times != 1).count() as u32;
            if goal == TASKS {
                return wrong;
            }
            goal += 10;
        }
        let index = rng.below(2) as usize;
        let mut wakes = [Wake::Nobody; 2];
        if made < goal && rng.below(12) == 0 {
            if let Ok(wake) = sched.submit(made) {
                made += 1;
                wakes[0] = wake;
            }
        } else if moods[index] == Mood::Idle {
            moods[index] = if workers[index].park() == Parking::Sleep { Mood::Asleep } else { Mood::Awake };
        } else if moods[index] == Mood::Awake {
            match workers[index].next(&mut rng) {
                Next::Task { task, wake, .. } => {
                    ran[task as usize] += 1;
                    wakes[0] = wake;
                    if made < goal
                        && rng.below(2) == 0
                        && let Ok(wake) = workers[index].push(made)
                    {
                        made += 1;
                        wakes[1] = wake;
                    }
                }
                Next::Idle => moods[index] = Mood::Idle,
            }
        }
        for worker in wakes.into_iter().filter_map(Wake::worker) {
            moods[worker as usize] = Mood::Awake;
        }
    }
}
