//! Which task goes to which core.

use super::exact;
use super::set::Set;
use crate::sched::realtime::{Policy, Task};
use crate::storage::{Inline, List, Storage};
use core::cmp::Ordering;
use core::fmt;
use core::num::NonZeroU32;

/// Which of the cores that can take a task gets it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fit {
    /// The first: the last cores stay empty, and may sleep.
    #[default]
    First,
    /// The one with the highest utilisation: leaves the largest room for what comes.
    Best,
    /// The one with the lowest utilisation: spreads the load, and with it the slack.
    Worst,
}

/// Why tasks were not assigned. There is no assignment then.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PartitionError {
    /// There are more tasks than fit. Remedy: a larger capacity.
    TooManyTasks,
    /// No core can take this task beside what it has, or the steps did not suffice to prove that one can. Another order might
    /// do. Remedy: more cores, more steps, or another [`Fit`].
    NoCore {
        /// Which one.
        task: u32,
    },
}

impl fmt::Display for PartitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyTasks => f.write_str("there are more tasks than fit; choose a larger capacity"),
            Self::NoCore { task } => {
                write!(f, "no core can take task {task} beside what it has; use more cores or another fit")
            }
        }
    }
}

impl core::error::Error for PartitionError {}

/// Tasks, each on a core of its own or shared with others, such that every core meets all deadlines.
///
/// The task with the highest utilisation comes first, and goes to a core that passes the exact test of its policy with it
/// (first, best or worst fit decreasing). Then each core is [inserted into](super::super::Dispatcher::insert_on) and scheduled by
/// itself.
///
/// To find an assignment whenever there is one is as hard as packing bins; this does not. First fit decreasing with
/// earliest deadline first and implicit deadlines succeeds whenever the utilisation is at most (*m* + 1) / 2.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::sched::realtime::admission::{Fit, Partition, PartitionError, STEPS};
/// use divvy::sched::realtime::{Policy, Task};
/// use divvy::storage::Inline;
///
/// let ms = Duration::from_millis;
/// let tasks = [Task::new(ms(3), ms(10))?, Task::new(ms(7), ms(10))?, Task::new(ms(6), ms(10))?, Task::new(ms(4), ms(10))?];
/// let two = NonZeroU32::new(2).expect("two is not zero");
/// let mut partition = Partition::<Inline<4>>::new();
/// partition.assign(&tasks, two, Fit::First, Policy::EarliestDeadline, STEPS)?;
/// assert!(partition.cores_of_tasks().eq([0, 0, 1, 1]));
/// let one = NonZeroU32::MIN;
/// let refused = partition.assign(&tasks, one, Fit::First, Policy::EarliestDeadline, STEPS);
/// assert_eq!(refused, Err(PartitionError::NoCore { task: 2 }));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Complexity
///
/// An exact test for each task and core; 8 bytes a task.
///
/// # References
///
/// López, García, Díaz, García: *Worst-case utilization bound for EDF scheduling on real-time multiprocessor systems*, ECRTS 2000.
pub struct Partition<S: Storage> {
    owners: S::List<u32>,
    /// The tasks in the order in which they are assigned.
    order: S::List<u32>,
}

/// The core of a task that has none yet.
const NONE: u32 = u32::MAX;

impl<const N: usize> Partition<Inline<N>> {
    /// Nothing assigned yet; up to `N` tasks fit.
    #[must_use]
    pub const fn new() -> Self {
        Self { owners: heapless::Vec::new(), order: heapless::Vec::new() }
    }
}

impl<const N: usize> Default for Partition<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Partition<crate::storage::Heap> {
    /// Nothing assigned yet; up to `tasks` tasks fit, allocated now.
    #[must_use]
    pub fn with_capacity(tasks: u32) -> Self {
        use crate::storage::HeapList;
        Self {
            owners: HeapList::with_capacity(tasks as usize),
            order: HeapList::with_capacity(tasks as usize),
        }
    }
}

impl<S: Storage> Partition<S> {
    /// Assigns `tasks` to `cores`, in place of what was assigned before. Each test may take so many steps.
    ///
    /// # Errors
    ///
    /// [`PartitionError`]; nothing is assigned then.
    pub fn assign(
        &mut self,
        tasks: &[Task],
        cores: NonZeroU32,
        fit: Fit,
        policy: Policy,
        steps: u32,
    ) -> Result<(), PartitionError> {
        self.owners.clear();
        self.order.clear();
        if tasks.len() > self.owners.capacity() || tasks.len() >= NONE as usize {
            return Err(PartitionError::TooManyTasks);
        }
        for task in 0..tasks.len() as u32 {
            // There is room for all of them: it was checked.
            let _ = self.owners.push(NONE);
            let _ = self.order.push(task);
        }
        self.order
            .sort_unstable_by(|a, b| by_utilisation(&tasks[*b as usize], &tasks[*a as usize]).then(a.cmp(b)));
        for at in 0..tasks.len() {
            let task = self.order[at];
            match self.fitting(tasks, task, cores, fit, policy, steps) {
                Some(core) => self.owners[task as usize] = core,
                None => {
                    self.owners.clear();
                    return Err(PartitionError::NoCore { task });
                }
            }
        }
        Ok(())
    }

    /// The core that `task` was assigned to.
    #[must_use]
    pub fn core_of(&self, task: u32) -> Option<u32> {
        self.owners.get(task as usize).copied()
    }

    /// The core of each task, by number.
    pub fn cores_of_tasks(&self) -> impl ExactSizeIterator<Item = u32> {
        self.owners.iter().copied()
    }

    fn fitting(
        &mut self,
        tasks: &[Task],
        task: u32,
        cores: NonZeroU32,
        fit: Fit,
        policy: Policy,
        steps: u32,
    ) -> Option<u32> {
        let mut chosen: Option<(u128, u32)> = None;
        for core in 0..cores.get() {
            let load = load(Set::of_core(tasks, &self.owners, core));
            let better = chosen.is_none_or(|(other, _)| match fit {
                Fit::First => false,
                Fit::Best => load > other,
                Fit::Worst => load < other,
            });
            if better {
                self.owners[task as usize] = core;
                if exact::decide(Set::of_core(tasks, &self.owners, core), policy, steps).admits() {
                    chosen = Some((load, core));
                } else if load == 0 {
                    // Not even alone: the other cores can do no better.
                    self.owners[task as usize] = NONE;
                    break;
                }
                self.owners[task as usize] = NONE;
            }
        }
        chosen.map(|(_, core)| core)
    }
}

impl<S: Storage> fmt::Debug for Partition<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition").field("cores_of_tasks", &&self.owners[..]).finish_non_exhaustive()
    }
}

/// The utilisation of a core, rounded up: to tell cores apart, not to admit.
fn load(set: Set<'_>) -> u128 {
    let share = |task: &Task| (u128::from(task.wcet) << 32).div_ceil(u128::from(task.period));
    set.iter().map(|(_, task)| share(task)).fold(0, u128::saturating_add)
}

fn by_utilisation(a: &Task, b: &Task) -> Ordering {
    let (left, right) =
        (u128::from(a.wcet) * u128::from(b.period), u128::from(b.wcet) * u128::from(a.period));
    left.cmp(&right)
}
