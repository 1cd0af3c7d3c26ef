//! Tasks with deadlines on two cores, under each policy and each rule: every pick, every event and the account, with a clock
//! that stands still, runs, and jumps either way.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::realtime::{
    Abort, CompleteError, Dispatcher, Event, Job, OnMiss, OnOverrun, Pick, Policy, ReleaseError, Task,
};
use divvy::storage::Inline;

type Cores = Dispatcher<Inline<4>, Inline<2>>;

pub(super) fn edf() -> u64 {
    all(Policy::EarliestDeadline)
}

pub(super) fn fixed_priority() -> u64 {
    all(Policy::FixedPriority)
}

fn all(policy: Policy) -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xED_F1);
    for on_miss in [OnMiss::Continue, OnMiss::Abort, OnMiss::SkipNext] {
        for on_overrun in [OnOverrun::Report, OnOverrun::Abort] {
            for partitioned in [false, true] {
                let cores = Cores::new(policy).on_miss(on_miss).on_overrun(on_overrun);
                drive(cores, partitioned, &mut rng, &mut digest);
            }
        }
    }
    digest.finish()
}

fn drive(mut cores: Cores, partitioned: bool, rng: &mut Xoshiro256PlusPlus, digest: &mut Digest) {
    let mut now = Instant::from_millis(1);
    for (index, (wcet, period, deadline)) in (0..).zip([(4, 10, 9), (6, 14, 14), (9, 25, 40), (3, 8, 8)]) {
        let ms = Duration::from_millis;
        let Ok(task) = Task::new(ms(wcet), ms(period)) else { continue };
        let task = task.deadline(ms(deadline)).offset(ms(u64::from(index))).priority(7 - index);
        let task = if index == 3 { task.sporadic() } else { task };
        let number =
            if partitioned { cores.insert_on(now, task, index % 2) } else { cores.insert(now, task) };
        digest.feed_option(number.ok().map(u64::from));
    }
    let mut stale = None;
    for _ in 0..150 {
        now = match rng.below(30) {
            0 => now.saturating_sub(Duration::from_millis(9)),
            1 => now.saturating_add(Duration::from_secs(1)),
            2..8 => now,
            _ => now.saturating_add(Duration::from_micros(500 * u64::from(rng.below(5)))),
        };
        for core in 0..2 {
            if let Some(job) = cores.running(core).filter(|_| rng.below(8) == 0) {
                if let Ok(done) = cores.complete(now, job) {
                    digest.feed(nanos(done.response));
                    digest.feed(nanos(done.tardiness) << 1 | u64::from(done.met));
                }
                stale = Some(job);
            }
        }
        while let Some(event) = cores.advance(now) {
            feed_event(digest, event);
        }
        match cores.release(now, rng.below(5)) {
            Ok(job) => feed_job(digest, job),
            Err(ReleaseError::TooEarly { retry_at }) => digest.feed(retry_at.as_nanos()),
            Err(error) => digest.feed(match error {
                ReleaseError::UnknownTask => 1,
                ReleaseError::Periodic => 2,
                ReleaseError::Skipped => 3,
                ReleaseError::Full => 4,
                _ => 5,
            }),
        }
        while let Some(core) = cores.unsettled() {
            feed_pick(digest, cores.pick(now, core));
        }
        if let Some(job) = stale {
            digest.feed(u64::from(cores.complete(now, job) == Err(CompleteError::Stale)));
        }
        for instant in [cores.next_event_at(), cores.next_release(), cores.next_deadline()] {
            digest.feed_option(instant.map(Instant::as_nanos));
        }
    }
    for task in cores.stats() {
        for count in
            [task.released, task.completed, task.missed, task.aborted, task.skipped, task.lost, task.overruns]
        {
            digest.feed(count.into());
        }
        digest.feed(nanos(task.response_max));
        digest.feed_option(task.lateness_max.map(|lateness| lateness as u64));
    }
    for core in (0..2).filter_map(|core| cores.core_stats(core)) {
        digest.feed(nanos(core.busy));
        [core.switches, core.preemptions, core.migrations]
            .into_iter()
            .for_each(|count| digest.feed(count.into()));
    }
}

fn feed_pick(digest: &mut Digest, pick: Pick) {
    let (kind, job, from, preempted) = match pick {
        Pick::Keep(job) => (0, Some(job), None, None),
        Pick::Start { job, preempted } => (1, Some(job), None, preempted),
        Pick::Resume { job, from, preempted } => (2, Some(job), Some(from), preempted),
        Pick::Idle => (3, None, None, None),
    };
    digest.feed(kind);
    digest.feed_option(from.map(u64::from));
    for job in [job, preempted].into_iter().flatten() {
        feed_job(digest, job);
    }
}

fn feed_event(digest: &mut Digest, event: Event) {
    let (kind, job) = match event {
        Event::Released(job) => (0, Some(job)),
        Event::Missed(job) => (1, Some(job)),
        Event::Overran(job) => (2, Some(job)),
        Event::Aborted { job, core, why } => {
            digest.feed_option(core.map(u64::from));
            (3 + u64::from(why == Abort::Budget), Some(job))
        }
        Event::Skipped { task } => (8 + u64::from(task), None),
        Event::Lost { task, jobs } => (u64::from(jobs) << 8 | 16 | u64::from(task), None),
    };
    digest.feed(kind);
    if let Some(job) = job {
        feed_job(digest, job);
    }
}

fn feed_job(digest: &mut Digest, job: Job) {
    digest.feed(u64::from(job.task()) << 32 | u64::from(job.number()));
    digest.feed(job.slot().into());
    digest.feed(job.arrival().as_nanos());
    digest.feed(job.deadline().as_nanos());
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
