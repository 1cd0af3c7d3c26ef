//! Every admission test on random task sets: at the bounds, beyond them, with jitter and blocking, and with times that do not
//! fit.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::realtime::admission::{self, Evidence, Fit, Partition, PartitionError, Reason, Verdict};
use divvy::sched::realtime::{Policy, Task, TaskError, deadline_monotonic, hyperperiod, rate_monotonic};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xAD317);
    let Ok(mut tasks) = Task::new(Duration::from_millis(1), Duration::from_millis(2)).map(|task| [task; 4])
    else {
        return 0;
    };
    for round in 0..60 {
        let count = 1 + rng.below(4) as usize;
        for task in &mut tasks[..count] {
            match draw(round, &mut rng) {
                Ok(drawn) => *task = drawn,
                Err(error) => digest.feed(match error {
                    TaskError::NoWork => 1,
                    TaskError::NoPeriod => 2,
                    _ => 3,
                }),
            }
        }
        test(&mut tasks[..count], &mut digest);
    }
    digest.finish()
}

fn draw(round: u32, rng: &mut Xoshiro256PlusPlus) -> Result<Task, TaskError> {
    let unit = [1, 1_000, 1_000_000, 1 << 40][round as usize % 4];
    let times = |n: u32| Duration::from_nanos(unit * u64::from(n));
    let period = 1 + rng.below(40);
    let task = Task::new(times(rng.below(1 + period / 2)), times(period))?;
    Ok(match round % 5 {
        0 => task,
        1 => task.deadline(times(1 + rng.below(period))),
        2 => task.deadline(times(1 + rng.below(3 * period))),
        3 => task.deadline(times(period + 1)).jitter(times(rng.below(4))),
        _ => task.blocking(times(rng.below(4))).priority(rng.below(3)),
    })
}

fn test(tasks: &mut [Task], digest: &mut Digest) {
    const STEPS: u32 = 500;
    digest.feed_option(hyperperiod(tasks).and_then(|all| u64::try_from(all.as_nanos()).ok()));
    digest.feed(admission::utilisation(tasks).to_bits());
    feed(digest, admission::response_times(tasks, STEPS));
    rate_monotonic(tasks);
    feed(digest, admission::liu_layland(tasks));
    feed(digest, admission::hyperbolic(tasks));
    deadline_monotonic(tasks);
    feed(digest, admission::hyperbolic(tasks));
    for task in 0..tasks.len() as u32 {
        feed(digest, admission::response_time(tasks, task, STEPS));
    }
    feed(digest, admission::earliest_deadline(tasks, STEPS));
    for cores in 1..4 {
        let cores = NonZeroU32::MIN.saturating_add(cores - 1);
        feed(digest, admission::goossens_funk_baruah(tasks, cores));
        for policy in [Policy::EarliestDeadline, Policy::FixedPriority] {
            feed(digest, admission::global_response_times(policy, tasks, cores, STEPS));
            feed(digest, admission::decide(policy, tasks, cores, STEPS));
            let mut partition = Partition::<Inline<4>>::new();
            for fit in [Fit::First, Fit::Best, Fit::Worst] {
                match partition.assign(tasks, cores, fit, policy, STEPS) {
                    Ok(()) => partition.cores_of_tasks().for_each(|core| digest.feed(core.into())),
                    Err(PartitionError::NoCore { task }) => digest.feed(8 + u64::from(task)),
                    Err(_) => digest.feed(7),
                }
            }
        }
    }
    feed(digest, admission::audsley(tasks, STEPS));
    tasks.iter().for_each(|task| digest.feed(task.fixed_priority().into()));
}

fn feed(digest: &mut Digest, verdict: Verdict) {
    digest.feed(match verdict {
        Verdict::Meets(_) => 0,
        Verdict::Misses(_) => 1,
        Verdict::Unproven(_) => 2,
        Verdict::Undecided(Reason::Steps) => 3,
        Verdict::Undecided(Reason::Overflow) => 4,
        Verdict::Undecided(_) => 5,
    });
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let (first, second) = match verdict.evidence() {
        Some(Evidence::Utilisation { sum, bound }) => (sum.to_bits(), bound.to_bits()),
        Some(Evidence::Product { product }) => (product.to_bits(), 0),
        Some(Evidence::Response { task, response, .. }) => (nanos(response), task.into()),
        Some(Evidence::Demand { within, demand }) => (nanos(within), nanos(demand)),
        _ => (0, 0),
    };
    digest.feed(first);
    digest.feed(second);
}
