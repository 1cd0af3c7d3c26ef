//! The simulation of work stealing under every policy: what each event says, and what it came to for each worker.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::Digest;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::stealing::{Batch, Event, Policy, Stealing, Take, Victim, What};
use divvy::storage::Inline;

/// Fewer tasks than the playground starts with, so that they fit the stack of a small core.
const BATCH: Batch = Batch {
    tasks: 16,
    on_first: 11,
    shortest: Duration::from_millis(10),
    longest: Duration::from_millis(100),
};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    for take in [Take::None, Take::One, Take::Half] {
        for victim in [Victim::Random, Victim::Busiest] {
            for seed in 0..4 {
                feed_run(&mut digest, take, victim, 0x57EA1 + seed);
            }
        }
    }
    digest.finish()
}

fn feed_run(digest: &mut Digest, take: Take, victim: Victim, seed: u64) {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let Ok(policy) = Policy::new(take, victim, Duration::from_millis(1)) else { return };
    let four = NonZeroU32::MIN.saturating_add(3);
    let Ok(mut sim) = Stealing::<Inline<4>, Inline<16>>::new(four, policy) else { return };
    digest.feed(u64::from(sim.deal(&BATCH, &mut rng).is_ok()));
    while let Some(event) = sim.step(&mut rng) {
        feed_event(digest, &event);
    }
    digest.feed_option(sim.makespan().map(nanos));
    digest.feed(nanos(sim.lower_bound()));
    for worker in sim.stats() {
        for count in [worker.processed, worker.stolen, worker.lost, worker.attempts, worker.hits] {
            digest.feed(count.into());
        }
        for time in [worker.busy, worker.stealing, worker.idle] {
            digest.feed(nanos(time));
        }
    }
}

fn feed_event(digest: &mut Digest, event: &Event) {
    let (kind, subject, count) = match event.what {
        What::Start { task } => (0, task, 0),
        What::Finish { task } => (1, task, 0),
        What::Attempt { victim } => (2, victim, 0),
        What::Stole { victim, count } => (3, victim, count),
        What::Missed { victim } => (4, victim, 0),
        What::Idle => (5, 0, 0),
    };
    digest.feed(event.at.as_nanos());
    for part in [event.worker, kind, subject, count] {
        digest.feed(part.into());
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
