//! The tasks that one core has.

use super::verdict::Reason;
use crate::sched::realtime::Task;

/// All tasks, or those of one core.
#[derive(Clone, Copy)]
pub(super) struct Set<'a> {
    tasks: &'a [Task],
    /// The core of each task; none if all are meant.
    owners: &'a [u32],
    core: u32,
}

impl<'a> Set<'a> {
    pub(super) const fn all(tasks: &'a [Task]) -> Self {
        Self { tasks, owners: &[], core: 0 }
    }

    pub(super) const fn of_core(tasks: &'a [Task], owners: &'a [u32], core: u32) -> Self {
        Self { tasks, owners, core }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (u32, &'a Task)> + Clone {
        let here = move |task: u32| self.owners.get(task as usize).is_none_or(|owner| *owner == self.core);
        (0..).zip(self.tasks).filter(move |(task, _)| here(*task))
    }

    pub(super) fn get(self, task: u32) -> Option<&'a Task> {
        self.tasks.get(task as usize)
    }
}

/// Whether the jobs of the first task go before those of the second under fixed priorities.
pub(super) fn goes_before((a, first): (u32, &Task), (b, second): (u32, &Task)) -> bool {
    first.priority > second.priority || (first.priority == second.priority && a < b)
}

/// The steps that are left.
pub(super) struct Steps(pub(super) u32);

impl Steps {
    pub(super) fn spend(&mut self) -> Result<(), Reason> {
        self.0 = self.0.checked_sub(1).ok_or(Reason::Steps)?;
        Ok(())
    }
}
