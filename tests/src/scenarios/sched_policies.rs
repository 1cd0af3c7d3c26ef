//! The scheduler with six workers in clusters of two: victims near and far, tasks that are cancelled while they wait, and
//! workers that are put to sleep and let again.

use crate::Digest;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::{
    CancelToken, CancelTree, Groups, Next, Parking, Scheduler, Source, StealPolicy, Take, Victim,
};
use divvy::storage::Inline;

const WORKERS: usize = 6;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    feed_run::<0>(&mut digest);
    feed_run::<1>(&mut digest);
    feed_run::<2>(&mut digest);
    feed_run::<3>(&mut digest);
    feed_run::<4>(&mut digest);
    feed_run::<5>(&mut digest);
    digest.finish()
}

/// Each victim with each take.
const fn policy(number: u32) -> StealPolicy {
    let victim = match (number / 2, Groups::new(&[2, 4])) {
        (0, _) => Victim::Random,
        (2, Ok(groups)) => Victim::Near(groups),
        _ => Victim::Busiest,
    };
    StealPolicy::new().victim(victim).take(if number.is_multiple_of(2) { Take::One } else { Take::Half })
}

// The scheduler is made by the compiler: one that is put together at run time is on the stack in parts as well. Never inlined:
// the stack of one scheduler at a time.
#[inline(never)]
fn feed_run<const POLICY: u32>(digest: &mut Digest) {
    type Sched = Scheduler<(u32, CancelToken), Inline<WORKERS>, Inline<16>, Inline<4>>;
    let mut rng = Xoshiro256PlusPlus::seed(0x0FF1CE);
    let scopes = CancelTree::<Inline<6>>::new();
    let sched = const { Sched::new().with_policy(policy(POLICY)) };
    let mut workers: [_; WORKERS] = core::array::from_fn(|index| sched.worker(index as u32));
    let mut asleep = [false; WORKERS];
    let Ok(root) = scopes.insert(None) else { return };
    let mut scope = root;
    for step in 0..1_200u32 {
        if step % 100 == 0 {
            // Every other batch of tasks is called off while some of them wait.
            scopes.cancel(scope);
            let parent = if step % 200 == 0 { None } else { Some(root) };
            scope = scopes.insert(parent).unwrap_or(scope);
            digest.feed(scopes.len().into());
            feed_wake(digest, sched.set_awake(1 + rng.below(WORKERS as u32)));
        }
        let index = rng.below(WORKERS as u32) as usize;
        let Some(worker) = &mut workers[index] else { continue };
        if step % 100 < 60 && rng.below(4) == 0 {
            if let Ok(wake) = worker.push((step, scope)) {
                feed_wake(digest, wake);
            }
            continue;
        }
        if asleep[index] && !worker.is_woken() {
            continue;
        }
        asleep[index] = false;
        digest.feed(index as u64);
        match worker.next(&mut rng) {
            Next::Task { task, from, wake } => {
                feed_wake(digest, wake);
                digest.feed(match from {
                    Source::Own => 1,
                    Source::Injector => 2,
                    Source::Stolen { victim, count } => 3 + u64::from(victim) + (u64::from(count) << 8),
                });
                let task = worker.unless_cancelled(task, |(_, scope)| scopes.is_cancelled(*scope));
                digest.feed_option(task.ok().map(|(number, _)| number.into()));
            }
            Next::Idle => {
                asleep[index] = worker.park() == Parking::Sleep;
                digest.feed(u64::from(asleep[index]));
            }
        }
    }
    let _ = sched.close();
    for index in 0..WORKERS as u32 {
        let stats = sched.stats(index).unwrap_or_default();
        let counts = [
            stats.processed,
            stats.cancelled,
            stats.stolen,
            stats.steal_attempts,
            stats.steals,
            stats.parked,
            stats.wakes,
            stats.woken,
            sched.waiting(index).unwrap_or(0),
        ];
        for count in counts {
            digest.feed(count.into());
        }
    }
}

fn feed_wake(digest: &mut Digest, wake: divvy::sched::Wake) {
    digest.feed_option(wake.worker().map(u64::from));
}
