//! Tasks with deadlines on every core: admitted first, then run by the board's timer, and what became of them.
//!
//! The tasks are partitioned: each core has a [`Dispatcher`](divvy::sched::realtime::Dispatcher) of its own, and runs
//! the job with the earliest deadline. A job is work in small units, and a core asks its dispatcher between two of
//! them, so that a job may be preempted at the end of each unit. For the admission test that is the time that a job
//! with a later deadline may be in the way ([`Task::blocking`]).
//!
//! Where QEMU counts instructions, the cores take turns on one clock, and each gives its turn away after each unit, or
//! after as long if it has nothing to do. A unit then takes as long as one unit of every core, and the worst-case
//! execution times say so.

mod drive;
#[cfg(test)]
mod tests;

pub use drive::{Account, Rules, drive, work};

use crate::machine::Machine;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::fixed::Q32;
use divvy::rng::SplitMix64;
use divvy::sched::realtime::admission::{self, Fit, Partition, PartitionError, Verdict};
use divvy::sched::realtime::{Policy, Task, TaskStats};
use divvy::sim::deadline::{Config, Deadline};
use divvy::storage::Inline;

/// A kind of task, of which there is one for each core. Times are in grains: how long that is depends on how fast the
/// machine's clock goes.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// How the log calls it.
    pub name: &'static str,
    wcet: u32,
    period: u32,
    deadline: u32,
}

impl Kind {
    /// Its period in grains.
    pub const fn period(&self) -> u32 {
        self.period
    }
}

/// How many tasks each core gets.
pub const KINDS: usize = 4;
/// The tasks: 84 % of every core.
pub const ADMITTED: [Kind; KINDS] = [
    Kind { name: "control", wcet: 30, period: 100, deadline: 50 },
    Kind { name: "radio", wcet: 36, period: 150, deadline: 150 },
    Kind { name: "sensor", wcet: 40, period: 200, deadline: 200 },
    Kind { name: "log", wcet: 30, period: 300, deadline: 300 },
];
/// With it a core has 92 % to do, but too much of it within a short time.
pub const ALARM: Kind = Kind { name: "alarm", wcet: 50, period: 600, deadline: 75 };
/// With it a core has 134 % to do.
pub const VIDEO: Kind = Kind { name: "video", wcet: 75, period: 150, deadline: 150 };
/// Grains after which the arrivals repeat.
pub const HYPERPERIOD: u32 = 600;

/// One more than the admitted ones.
pub const MOST: usize = KINDS + 1;
/// Tasks of all cores, of which there may be four.
const ALL: usize = 4 * MOST;

/// How long things take on this machine while all its cores are at work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    /// The unit that [`Kind`] is stated in.
    pub grain: Duration,
    /// A unit of work, with the look at the clock that follows.
    pub unit: Duration,
    /// What the dispatcher takes for a job: release, pick, complete and pick again.
    pub job: Duration,
}

impl Times {
    /// For how long a job with a later deadline may be in the way: it ends its unit, and the dispatcher decides.
    pub fn blocking(&self) -> Duration {
        self.unit + self.job
    }

    /// So many grains.
    pub fn grains(&self, count: u32) -> Duration {
        self.grain * count
    }

    /// How many units a job of this kind does, so that it takes its worst-case execution time.
    pub fn units(&self, kind: Kind) -> u32 {
        let left = self.grains(kind.wcet).saturating_sub(self.job);
        ((left.as_nanos() / self.unit.as_nanos().max(1)) as u32).max(1)
    }

    /// The task, without what keeps it waiting.
    ///
    /// # Panics
    ///
    /// If the grain is zero.
    pub fn unblocked(&self, kind: Kind) -> Task {
        let task = Task::new(self.grains(kind.wcet), self.grains(kind.period));
        task.expect("a grain takes time").deadline(self.grains(kind.deadline))
    }

    /// The task.
    ///
    /// # Panics
    ///
    /// If the grain is zero.
    pub fn task(&self, kind: Kind) -> Task {
        self.unblocked(kind).blocking(self.blocking())
    }
}

/// Whether one core can do the [`ADMITTED`] tasks and this one, even if nothing keeps them waiting.
pub fn admit_with(more: Kind, times: &Times) -> Verdict {
    let [a, b, c, d] = ADMITTED.map(|kind| times.unblocked(kind));
    admission::earliest_deadline(&[a, b, c, d, times.unblocked(more)], admission::STEPS)
}

/// Whether one core can do the [`ADMITTED`] tasks.
pub fn admit(times: &Times) -> Verdict {
    admission::earliest_deadline(&ADMITTED.map(|kind| times.task(kind)), admission::STEPS)
}

/// How much of a core these tasks take.
pub fn utilisation(kinds: &[Kind; KINDS], times: &Times) -> Q32 {
    admission::utilisation(&kinds.map(|kind| times.unblocked(kind)))
}

/// How many units [`time_units`] does.
pub const UNITS: u32 = 200;

/// The ticks of [`UNITS`] units of work; `ticks` is read before and after.
pub fn time_units(loops: u32, ticks: fn() -> u32, machine: &impl Machine) -> u32 {
    work(loops);
    let began = ticks();
    for _ in 0..UNITS {
        work(loops);
        core::hint::black_box(machine.clock());
        machine.turn();
    }
    ticks().wrapping_sub(began)
}

/// The longest response times of these tasks by simulation: all arrive at once, and each job takes its worst-case
/// execution time. That a job ends its unit first is not simulated: add [`Times::blocking`].
pub fn predict(kinds: &[Kind], times: &Times) -> [Duration; MOST] {
    type One = Deadline<Inline<MOST>, Inline<1>, Inline<1>>;
    let mut sim = One::new(Config::new(Policy::EarliestDeadline));
    for kind in kinds {
        // There is room for MOST.
        let _ = sim.insert(times.unblocked(*kind));
    }
    let end = Instant::ZERO.saturating_add(times.grains(HYPERPERIOD));
    // Nothing is drawn: neither run times nor arrivals vary.
    while sim.advance(end, &mut SplitMix64::seed(0)).is_some() {}
    let mut responses = [Duration::ZERO; MOST];
    for (place, TaskStats { response_max, .. }) in responses.iter_mut().zip(sim.stats()) {
        *place = response_max;
    }
    responses
}

/// Which core does what.
#[derive(Debug)]
pub struct Plan<const CORES: usize> {
    partition: Partition<Inline<ALL>>,
}

impl<const CORES: usize> Plan<CORES> {
    /// Gives the admitted tasks of all cores to the cores, each to the one with the least to do that can take it.
    ///
    /// # Errors
    ///
    /// A task finds no core: the machine is too slow for all of it.
    pub fn new(times: &Times) -> Result<Self, PartitionError> {
        const { assert!(CORES >= 1 && CORES * KINDS <= ALL) };
        let tasks = [ADMITTED.map(|kind| times.task(kind)); CORES];
        let mut partition = Partition::new();
        let cores = NonZeroU32::new(CORES as u32).unwrap_or(NonZeroU32::MIN);
        let policy = Policy::EarliestDeadline;
        partition.assign(tasks.as_flattened(), cores, Fit::Worst, policy, admission::STEPS)?;
        Ok(Self { partition })
    }

    /// The tasks of `core`, and how many they are. Behind them is one more, [`VIDEO`].
    pub fn kinds(&self, core: usize) -> ([Kind; MOST], usize) {
        let mut kinds = [VIDEO; MOST];
        let mut count = 0;
        for (task, owner) in self.partition.cores_of_tasks().enumerate() {
            if owner as usize == core && count < KINDS {
                kinds[count] = ADMITTED[task % KINDS];
                count += 1;
            }
        }
        (kinds, count)
    }
}
