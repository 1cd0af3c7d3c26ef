//! The scheduler with three workers, of whom the seed says who takes the next step: tasks that make tasks, steals,
//! sleep, and whom each task wakes.

use crate::Digest;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::{Next, Parking, Scheduler, Source, Wake};
use divvy::storage::Inline;

/// How often a task may split, in its lowest byte.
const GENERATIONS: u32 = 3;

#[derive(Clone, Copy)]
enum Mood {
    Awake,
    Idle,
    Asleep,
}

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x5C4ED);
    let sched = Scheduler::<u32, Inline<3>, Inline<16>, Inline<8>>::new();
    let mut workers = [0, 1, 2].map(|index| sched.worker(index));
    let mut moods = [Mood::Awake; 3];
    for step in 0..6_000u32 {
        // Busy spells, and quiet ones in which everybody falls asleep.
        if step % 500 < 300 && rng.below(15) == 0 {
            let answer = sched.submit(step << 8 | GENERATIONS);
            feed_wake(&mut digest, answer.ok());
        }
        let index = rng.below(3) as usize;
        let Some(worker) = &mut workers[index] else { continue };
        digest.feed(index as u64);
        match moods[index] {
            Mood::Asleep if !worker.is_woken() => continue,
            // Between finding nothing and lying down, others may have made work.
            Mood::Idle => {
                moods[index] = if worker.park() == Parking::Sleep { Mood::Asleep } else { Mood::Awake };
                digest.feed(moods[index] as u64);
                continue;
            }
            Mood::Awake | Mood::Asleep => moods[index] = Mood::Awake,
        }
        match worker.next(&mut rng) {
            Next::Task { task, from, wake } => {
                digest.feed(task.into());
                digest.feed(match from {
                    Source::Own => 1,
                    Source::Injector => 2,
                    Source::Stolen { victim, count } => 3 + u64::from(victim) + (u64::from(count) << 8),
                });
                feed_wake(&mut digest, Some(wake));
                // Up to four tasks come of one, for some generations.
                let children = if task & 0xFF == 0 { 0 } else { rng.below(5) };
                for _ in 0..children {
                    let answer = worker.push(task - 1);
                    feed_wake(&mut digest, answer.ok());
                }
            }
            Next::Idle => moods[index] = Mood::Idle,
        }
    }
    for index in 0..3 {
        let stats = sched.stats(index).unwrap_or_default();
        for count in [stats.processed, stats.injected, stats.stolen, stats.steal_attempts, stats.parked] {
            digest.feed(count.into());
        }
    }
    digest.finish()
}

fn feed_wake(digest: &mut Digest, wake: Option<Wake>) {
    digest.feed(match wake {
        Some(Wake::Worker(worker)) => 2 + u64::from(worker),
        Some(Wake::Nobody) => 1,
        None => 0,
    });
}
