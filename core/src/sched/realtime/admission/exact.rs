//! The exact test of one core.

use super::set::Set;
use super::verdict::Verdict;
use super::{demand, response};
use crate::sched::realtime::Policy;

/// Whether the tasks of this core meet their deadlines.
pub(super) fn decide(set: Set<'_>, policy: Policy, steps: u32) -> Verdict {
    match policy {
        Policy::EarliestDeadline => demand::of_set(set, steps),
        Policy::FixedPriority => response::of_set(set, steps),
    }
}
