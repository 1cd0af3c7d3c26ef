//! One core: its dispatcher, and the jobs in units of work.

use super::{Kind, MOST, Times};
use crate::machine::Machine;
use core::hint::black_box;
use core::time::Duration;
use divvy::Instant;
use divvy::sched::realtime::{CoreStats, Dispatcher, Event, OnMiss, Policy, TaskStats};
use divvy::storage::Inline;

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// When all tasks arrive for the first time: the same for all cores, and not before they are all there.
    pub from: Instant,
    /// For how long.
    pub span: Duration,
    /// What becomes of a job that is late.
    pub on_miss: OnMiss,
    /// What [`work`] is called with for a unit.
    pub loops: u32,
}

/// What became of it on one core.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// By task. Beyond the tasks that there are, all is zero.
    pub tasks: [TaskStats; MOST],
    /// Of the core.
    pub core: CoreStats,
    /// The longest time between two looks at the clock.
    pub longest_unit: Duration,
}

/// A unit of work: so many rounds of nothing useful.
#[inline(never)]
pub fn work(loops: u32) {
    let mut state = loops;
    for round in 0..loops {
        state = black_box(state.wrapping_mul(0x9E37_79B9).wrapping_add(round));
    }
}

/// Runs the tasks on core `core` until the time is over.
pub fn drive(kinds: &[Kind], times: &Times, rules: &Rules, core: u32, machine: &impl Machine) -> Account {
    let mut own = Dispatcher::<Inline<MOST>>::new(Policy::EarliestDeadline).on_miss(rules.on_miss);
    let mut units = [0; MOST];
    for (kind, units) in kinds.iter().zip(&mut units) {
        // There is room for MOST.
        let _ = own.insert(rules.from, times.task(*kind));
        *units = times.units(*kind);
    }
    let end = rules.from.saturating_add(rules.span);
    wait_until(rules.from, core, machine);

    // Units that are left of each pending job, by its slot.
    let mut left = [0; MOST];
    let mut job = None;
    let mut next = Some(rules.from);
    let mut last_look = machine.clock();
    let mut longest_unit = Duration::ZERO;
    loop {
        let now = machine.clock();
        if now >= end {
            break;
        }
        if job.is_some() {
            longest_unit = longest_unit.max(now.saturating_duration_since(last_look));
        }
        last_look = now;
        if next.is_some_and(|at| at <= now) {
            while let Some(event) = own.advance(now) {
                if let Event::Released(job) = event {
                    left[job.slot() as usize] = units[job.task() as usize];
                }
            }
            job = own.pick(now, 0).job();
            next = own.next_event_at();
        }
        if let Some(running) = job {
            work(rules.loops);
            let left = &mut left[running.slot() as usize];
            *left -= 1;
            if *left == 0 {
                let now = machine.clock();
                if now >= end {
                    break;
                }
                // It runs, and no deadline was looked at since: it cannot have been taken off.
                let _ = own.complete(now, running);
                job = own.pick(now, 0).job();
                next = own.next_event_at();
            }
            machine.turn();
        } else {
            machine.nap(core, next.map_or(end, |at| at.min(end)));
        }
    }
    // What arrives at the end is of no concern; what should have been done by then is.
    while own.advance(end.saturating_sub(Duration::from_nanos(1))).is_some() {}
    let mut tasks = [TaskStats::default(); MOST];
    for (place, stats) in tasks.iter_mut().zip(own.stats()) {
        *place = stats;
    }
    Account { tasks, core: own.core_stats(0).unwrap_or_default(), longest_unit }
}

fn wait_until(at: Instant, core: u32, machine: &impl Machine) {
    while machine.clock() < at {
        machine.nap(core, at);
    }
}
