//! The simulation of tasks with deadlines: global and partitioned, with misses, overruns, jitter and sporadic arrivals.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sched::realtime::{Abort, OnMiss, OnOverrun, Policy, Task};
use divvy::sim::deadline::{Config, Deadline, End, Event, What};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    for (seed, policy) in (0..).zip([Policy::EarliestDeadline, Policy::FixedPriority]) {
        for on_miss in [OnMiss::Continue, OnMiss::Abort, OnMiss::SkipNext] {
            for partitioned in [false, true] {
                let config = Config::new(policy).on_miss(on_miss).execution(70, 130).gap(40);
                let config = if partitioned { config.on_overrun(OnOverrun::Abort) } else { config };
                feed_run(&mut digest, config, partitioned, 0xDEAD + seed);
            }
        }
    }
    digest.finish()
}

fn feed_run(digest: &mut Digest, config: Config, partitioned: bool, seed: u64) {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut sim = Deadline::<Inline<4>, Inline<2>, Inline<6>>::new(config);
    for (index, (wcet, period, deadline)) in (0..).zip([(3, 7, 7), (5, 11, 9), (8, 13, 20), (4, 10, 10)]) {
        let ms = Duration::from_millis;
        let Ok(task) = Task::new(ms(wcet), ms(period)) else { continue };
        let task = task.deadline(ms(deadline)).priority(4 - index);
        let task = match index {
            1 => task.jitter(ms(2)),
            3 => task.sporadic().offset(ms(5)),
            _ => task,
        };
        let number = if partitioned { sim.insert_on(task, index % 2) } else { sim.insert(task) };
        digest.feed_option(number.ok().map(u64::from));
    }
    while let Some(event) = sim.advance(Instant::from_millis(150), &mut rng) {
        feed_event(digest, event);
    }
    for bar in sim.segments() {
        let end = match bar.end {
            End::Met => 0,
            End::Late => 1,
            End::Preempted => 2,
            End::Aborted => 3,
        };
        [bar.core, bar.task, bar.number, end].into_iter().for_each(|part| digest.feed(part.into()));
        [bar.from, bar.to].into_iter().for_each(|instant| digest.feed(instant.as_nanos()));
    }
    for task in sim.stats() {
        [task.completed, task.missed, task.pending].into_iter().for_each(|count| digest.feed(count.into()));
    }
    for core in (0..2).filter_map(|core| sim.core_stats(core)) {
        digest.feed(u64::try_from(core.busy.as_nanos()).unwrap_or(u64::MAX));
    }
}

fn feed_event(digest: &mut Digest, event: Event) {
    const NONE: u32 = u32::MAX;
    let (kind, task, number, core, other) = match event.what {
        What::Release { task, number, .. } => (0, task, number, NONE, NONE),
        What::Start { core, task, number, preempted } => (1, task, number, core, preempted.unwrap_or(NONE)),
        What::Resume { core, task, number, from, preempted } => {
            (2 + 256 * from, task, number, core, preempted.unwrap_or(NONE))
        }
        What::Complete { core, task, number, met, .. } => (3, task, number, core, met.into()),
        What::Miss { task, number } => (4, task, number, NONE, NONE),
        What::Overrun { task, number } => (5, task, number, NONE, NONE),
        What::Abort { task, number, core, why } => {
            (6, task, number, core.unwrap_or(NONE), (why == Abort::Budget).into())
        }
        What::Skip { task } => (7, task, 0, NONE, NONE),
        What::Lose { task, jobs } => (8, task, jobs, NONE, NONE),
    };
    digest.feed(event.at.as_nanos());
    [kind, task, number, core, other].into_iter().for_each(|part| digest.feed(part.into()));
}
