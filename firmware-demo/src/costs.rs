//! What handing out work costs on a chip: the deque, the scheduler, waking another core, and deadlines.

use crate::machine::Machine;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use divvy::Instant;
use divvy::queue::{Deque, Steal};
use divvy::rng::SplitMix64;
use divvy::sched::realtime::{Dispatcher, Event, Policy, Task};
use divvy::sched::{Next, Scheduler};
use divvy::storage::Inline;

/// Items in each round, and rounds.
const ITEMS: u32 = 32;
const ROUNDS: u32 = 32;
/// How often each row's operation runs.
pub const OPERATIONS: u32 = ITEMS * ROUNDS;

type Queue = Deque<u32, Inline<64>>;
type Pair = Scheduler<u32, Inline<2>, Inline<64>, Inline<8>>;

/// What [`OPERATIONS`] of them came to.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What was done.
    pub what: &'static str,
    /// Ticks of the caller's clock for all of them.
    pub ticks: u32,
    /// Items that went another way than they should: none, or something is wrong.
    pub wrong: u32,
}

/// Measures what one core does alone and hands each row to `show`; `ticks` is read before and after.
pub fn measure(ticks: fn() -> u32, show: &mut dyn FnMut(Row)) {
    deque(ticks, show);
    scheduler(ticks, show);
    show(deadlines(ticks));
}

/// Runs `each` round after round; before each round `prepare` is not measured.
fn rounds(ticks: fn() -> u32, mut prepare: impl FnMut(), mut each: impl FnMut()) -> u32 {
    let mut sum = 0u32;
    for _ in 0..ROUNDS {
        prepare();
        let began = ticks();
        each();
        sum = sum.wrapping_add(ticks().wrapping_sub(began));
    }
    sum
}

#[inline(never)]
fn deque(ticks: fn() -> u32, show: &mut dyn FnMut(Row)) {
    let (full, other) = (Queue::new(), Queue::new());
    let (Some(owner), Some(thief)) = (full.worker(), other.worker()) else { return };
    let mut wrong = 0;
    let fill =
        |wrong: &mut u32| *wrong += (0..ITEMS).filter(|item| owner.push(*item).is_err()).count() as u32;
    let drain = || while owner.pop().is_some() {};

    let spent = rounds(ticks, drain, || fill(&mut wrong));
    drain();
    show(Row { what: "deque: push", ticks: spent, wrong });

    let (mut wrong, mut unfit) = (0, 0);
    let spent = rounds(
        ticks,
        || fill(&mut unfit),
        || wrong += (0..ITEMS).filter(|_| black_box(owner.pop()).is_none()).count() as u32,
    );
    show(Row { what: "deque: pop", ticks: spent, wrong: wrong + unfit });

    let (mut wrong, mut unfit) = (0, 0);
    let from = full.stealer();
    let spent = rounds(
        ticks,
        || fill(&mut unfit),
        || {
            wrong += (0..ITEMS).filter(|_| !matches!(black_box(from.steal_one()), Steal::Success(_))).count()
                as u32
        },
    );
    show(Row { what: "deque: steal one", ticks: spent, wrong: wrong + unfit });

    // All of it in halves: 16, 8, 4, 2, 1 and the last one.
    let (mut got, mut unfit) = (0, 0);
    let spent = rounds(
        ticks,
        || {
            while thief.pop().is_some() {}
            fill(&mut unfit);
        },
        || {
            while let Steal::Success((item, count)) = from.steal_half(&thief) {
                black_box(item);
                // One is handed out, the others are in the thief's deque.
                got += 1 + count;
            }
        },
    );
    show(Row { what: "deque: steal half, an item", ticks: spent, wrong: OPERATIONS.abs_diff(got) + unfit });
}

#[inline(never)]
fn scheduler(ticks: fn() -> u32, show: &mut dyn FnMut(Row)) {
    let sched = Pair::new();
    let (Some(mut owner), Some(mut thief)) = (sched.worker(0), sched.worker(1)) else { return };
    let mut rng = SplitMix64::seed(1);
    let (mut push, mut next, mut stolen) = (0u32, 0u32, 0u32);
    let mut wrong = [0; 3];
    for _ in 0..ROUNDS {
        let began = ticks();
        wrong[0] += (0..ITEMS).filter(|item| owner.push(*item).is_err()).count() as u32;
        let pushed = ticks();
        let took = |next: Next<u32>| matches!(next, Next::Task { .. });
        wrong[1] += (0..ITEMS).filter(|_| !took(owner.next(&mut rng))).count() as u32;
        next = next.wrapping_add(ticks().wrapping_sub(pushed));
        push = push.wrapping_add(pushed.wrapping_sub(began));
        wrong[0] += (0..ITEMS).filter(|item| owner.push(*item).is_err()).count() as u32;
        let began = ticks();
        wrong[2] += (0..ITEMS).filter(|_| !took(thief.next(&mut rng))).count() as u32;
        stolen = stolen.wrapping_add(ticks().wrapping_sub(began));
    }
    show(Row { what: "scheduler: push", ticks: push, wrong: wrong[0] });
    show(Row { what: "scheduler: next, its own", ticks: next, wrong: wrong[1] });
    show(Row { what: "scheduler: next, stolen in halves", ticks: stolen, wrong: wrong[2] });
}

/// Four tasks of one period: each job is released, picked, done, and the next one picked.
#[inline(never)]
pub fn deadlines(ticks: fn() -> u32) -> Row {
    const TASKS: u32 = 4;
    let period = Duration::from_millis(1);
    let mut core = Dispatcher::<Inline<{ TASKS as usize + 1 }>>::new(Policy::EarliestDeadline);
    let mut wrong = 0;
    for _ in 0..TASKS {
        let task = Task::new(Duration::from_micros(100), period);
        wrong += u32::from(!task.is_ok_and(|task| core.insert(Instant::ZERO, task).is_ok()));
    }
    let began = ticks();
    for round in 0..OPERATIONS / TASKS {
        let mut now = black_box(Instant::from_millis(round.into()));
        while let Some(event) = core.advance(now) {
            wrong += u32::from(!matches!(event, Event::Released(_)));
        }
        let mut pick = core.pick(now, 0);
        while let Some(job) = pick.job() {
            black_box(core.next_event_at());
            now = now.saturating_add(Duration::from_micros(100));
            wrong += u32::from(!core.complete(now, job).is_ok_and(|done| done.met));
            pick = core.pick(now, 0);
        }
    }
    let ticks = ticks().wrapping_sub(began);
    let completed: u32 = core.stats().map(|stats| stats.completed).sum();
    Row { what: "EDF: release, pick, complete", ticks, wrong: wrong + OPERATIONS.abs_diff(completed) }
}

/// Two cores: one wakes the other again and again, and the other says when it came to itself.
#[derive(Debug)]
pub struct WakeUp {
    asked: AtomicU32,
    answered: AtomicU32,
    began: AtomicU32,
    /// Ticks from the call to wake until the first instruction of the woken one, of all rounds.
    spent: AtomicU32,
}

/// How often [`WakeUp`] wakes.
pub const WAKES: u32 = 64;

impl WakeUp {
    /// Nobody was woken yet.
    pub const fn new() -> Self {
        Self {
            asked: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            began: AtomicU32::new(0),
            spent: AtomicU32::new(0),
        }
    }

    /// Wakes `other` [`WAKES`] times; the ticks of all of them.
    pub fn wake(&self, other: u32, ticks: fn() -> u32, machine: &impl Machine) -> u32 {
        for round in 1..=WAKES {
            // Ordering: released, so that the sleeper sees when it began; acquired, so that this one sees what it took.
            self.began.store(ticks(), Ordering::Relaxed);
            self.asked.store(round, Ordering::Release);
            machine.unpark(other);
            machine.turn();
            while self.answered.load(Ordering::Acquire) != round {
                machine.turn();
            }
        }
        self.spent.load(Ordering::Relaxed)
    }

    /// Sleeps as core `core` and lets itself be woken.
    pub fn sleep(&self, core: u32, ticks: fn() -> u32, machine: &impl Machine) {
        for round in 1..=WAKES {
            while self.asked.load(Ordering::Acquire) != round {
                machine.park(core);
                machine.turn();
            }
            let spent = ticks().wrapping_sub(self.began.load(Ordering::Relaxed));
            self.spent.fetch_add(spent, Ordering::Relaxed);
            self.answered.store(round, Ordering::Release);
            machine.turn();
        }
    }
}

impl Default for WakeUp {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::team::tests::Threads;
    use std::thread;

    #[test]
    fn every_item_goes_the_way_that_is_measured() {
        let mut rows = 0;
        measure(|| 0, &mut |row| {
            assert_eq!(row.wrong, 0, "{}", row.what);
            rows += 1;
        });
        assert_eq!(rows, 8);
    }

    #[test]
    fn every_wake_up_is_answered_once() {
        static CLOCK: AtomicU32 = AtomicU32::new(0);
        let ticks = || CLOCK.fetch_add(1, Ordering::Relaxed);
        let (wake_up, machine) = (WakeUp::new(), Threads::<2>::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                machine.enter(1);
                wake_up.sleep(1, ticks, &machine);
            });
            while !machine.has_entered(1) {
                thread::yield_now();
            }
            // Each took a look before and one after.
            assert_eq!(wake_up.wake(1, ticks, &machine), WAKES);
        });
        assert_eq!(CLOCK.load(Ordering::Relaxed), 2 * WAKES);
    }
}
