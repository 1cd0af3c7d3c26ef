//! Tests that say before anything runs whether every deadline will be met.
//!
//! | test | cores | policy | deadlines | a pass | a failure |
//! |---|---|---|---|---|---|
//! | [`liu_layland`], [`hyperbolic`] | 1 | rate or deadline monotonic | any | proof | says nothing |
//! | [`response_times`] | 1 | fixed priorities | any, jitter, blocking | proof | proof, but for blocking |
//! | [`audsley`] | 1 | finds the fixed priorities | any, jitter, blocking | proof | proof, but for blocking |
//! | [`earliest_deadline`] | 1 | earliest deadline first | any, jitter, blocking | proof | proof, but for blocking |
//! | [`goossens_funk_baruah`] | m, global | earliest deadline first | any | proof | says nothing |
//! | [`global_response_times`] | m, global | either | up to the period | proof | says nothing |
//! | [`Partition`] | m, partitioned | either | any, jitter, blocking | proof | says nothing |
//!
//! [`decide`] takes the sharpest that fits.
//!
//! A pass holds for every pattern of arrivals that the periods and jitters allow, whatever the offsets. A failure that is
//! a proof says that there is such a pattern in which a deadline is missed; the one in which every task arrives at
//! once and then as often as it may is one.
//!
//! Arithmetic is in whole nanoseconds and exact fractions: no rounding decides. Where a number would not fit 64 bits, or
//! more steps would be needed than were granted, the answer says so. In a step every task is looked at once.

mod demand;
mod exact;
mod fraction;
mod global;
mod partition;
mod response;
mod set;
#[cfg(all(test, feature = "alloc"))]
mod tests;
mod utilisation;
mod verdict;

pub use demand::earliest_deadline;
pub use global::{global_response_times, goossens_funk_baruah};
pub use partition::{Fit, Partition, PartitionError};
pub use response::{audsley, response_time, response_times};
pub use utilisation::{hyperbolic, liu_layland, utilisation};
pub use verdict::{Evidence, Reason, Verdict};

use super::{Policy, Task};
use core::num::NonZeroU32;
use set::Set;

/// Steps that suffice for task sets that are not made to be hard.
pub const STEPS: u32 = 10_000;

/// Whether these tasks meet their deadlines under `policy` on so many cores that share them, by the sharpest of the tests.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::sched::realtime::admission::{self, Evidence, Verdict};
/// use divvy::sched::realtime::{Policy, Task, rate_monotonic};
///
/// let ms = Duration::from_millis;
/// let mut tasks = [Task::new(ms(2), ms(5))?, Task::new(ms(4), ms(7))?];
/// rate_monotonic(&mut tasks);
/// let one = NonZeroU32::MIN;
/// // 97 % of a core: enough by deadlines, too much by priorities.
/// let verdict = admission::decide(Policy::EarliestDeadline, &tasks, one, admission::STEPS);
/// assert!(verdict.admits());
/// let verdict = admission::decide(Policy::FixedPriority, &tasks, one, admission::STEPS);
/// let Verdict::Misses(Evidence::Response { task, response, deadline }) = verdict else { panic!("{verdict:?}") };
/// assert_eq!((task, response, deadline), (1, ms(8), ms(7)));
/// # Ok::<(), divvy::sched::realtime::TaskError>(())
/// ```
pub fn decide(policy: Policy, tasks: &[Task], cores: NonZeroU32, steps: u32) -> Verdict {
    if cores.get() == 1 {
        return exact::decide(Set::all(tasks), policy, steps);
    }
    let bound = goossens_funk_baruah(tasks, cores);
    if policy == Policy::EarliestDeadline && bound.admits() {
        return bound;
    }
    match global_response_times(policy, tasks, cores, steps) {
        Verdict::Undecided(_) if policy == Policy::EarliestDeadline => bound,
        sharper => sharper,
    }
}
