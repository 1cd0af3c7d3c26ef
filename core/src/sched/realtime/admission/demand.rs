//! Earliest deadline first on one core: what is demanded against the time there is.

use super::fraction;
use super::set::{Set, Steps};
use super::utilisation::share;
use super::verdict::{Evidence, Reason, Verdict};
use crate::fixed::Q32;
use crate::sched::realtime::Task;
use crate::sched::realtime::task::common_period;
use core::cmp::Ordering;
use core::time::Duration;

/// Whether earliest deadline first meets every deadline on one core: exactly.
///
/// Where no deadline is shorter than its period and there is neither jitter nor blocking, it does if and only if the
/// utilisation is at most 1. Otherwise, if and only if in no time more is demanded than that time: the quick
/// processor-demand analysis looks at the deadlines of the first busy period, from the last to the first, and leaps over most.
///
/// With blocking, the longest of all is taken to be in the way at any time; a failure is then no proof of a miss.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sched::realtime::admission::{self, Evidence, Verdict};
/// use divvy::sched::realtime::{Task, TaskError};
///
/// let ms = Duration::from_millis;
/// let short = Task::new(ms(2), ms(4))?;
/// assert!(admission::earliest_deadline(&[short, Task::new(ms(5), ms(10))?], admission::STEPS).admits());
///
/// // The same load, but half of it due sooner: in the first 16 ms, 18 ms must be done.
/// let tight = Task::new(ms(5), ms(10))?.deadline(ms(6));
/// let verdict = admission::earliest_deadline(&[short, tight], admission::STEPS);
/// assert_eq!(verdict, Verdict::Misses(Evidence::Demand { within: ms(16), demand: ms(18) }));
/// # Ok::<(), TaskError>(())
/// ```
///
/// # Complexity
///
/// A step is *O*(tasks). The number of steps is not bounded by the number of tasks, but small unless the utilisation is nearly 1:
/// dozens are usual.
///
/// # References
///
/// Liu, Layland: *Scheduling algorithms for multiprogramming in a hard-real-time environment*, JACM 20(1), 1973. Baruah, Mok,
/// Rosier: *Preemptively scheduling hard-real-time sporadic tasks on one processor*, RTSS 1990. Spuri: *Analysis of deadline
/// scheduled real-time systems*, INRIA report 2772, 1996 (jitter). Zhang, Burns: *Schedulability analysis for real-time systems
/// with EDF scheduling*, IEEE Transactions on Computers 58(9), 2009.
pub fn earliest_deadline(tasks: &[Task], steps: u32) -> Verdict {
    of_set(Set::all(tasks), steps)
}

pub(super) fn of_set(set: Set<'_>, steps: u32) -> Verdict {
    let shares = set.iter().map(|(_, task)| share(task));
    let load = fraction::compare(shares.clone(), 1);
    let used = Evidence::Utilisation { sum: fraction::rounded_up(shares), bound: Q32::ONE };
    if load == Ordering::Greater {
        return Verdict::Misses(used);
    }
    let implicit = |task: &Task| task.deadline >= task.period && task.jitter == 0 && task.blocking == 0;
    if set.iter().all(|(_, task)| implicit(task)) {
        return Verdict::Meets(used);
    }
    match analyse(set, &mut Steps(steps)) {
        Ok(Outcome { evidence, meets: true }) => Verdict::Meets(evidence),
        Ok(Outcome { evidence, .. }) if set.iter().any(|(_, task)| task.blocking > 0) => {
            Verdict::Unproven(evidence)
        }
        Ok(Outcome { evidence, .. }) => Verdict::Misses(evidence),
        Err(reason) => Verdict::Undecided(reason),
    }
}

struct Outcome {
    meets: bool,
    evidence: Evidence,
}

impl Outcome {
    fn new(meets: bool, within: u64, demand: u64) -> Self {
        let (within, demand) = (Duration::from_nanos(within), Duration::from_nanos(demand));
        Self { meets, evidence: Evidence::Demand { within, demand } }
    }
}

/// The quick processor-demand analysis of tasks whose utilisation is at most 1.
fn analyse(set: Set<'_>, steps: &mut Steps) -> Result<Outcome, Reason> {
    // A job that is noticed as late as it may be has to run within what is left then.
    let left = |task: &Task| task.deadline.saturating_sub(task.jitter);
    if let Some((_, task)) = set.iter().find(|(_, task)| task.wcet > left(task)) {
        return Ok(Outcome::new(false, left(task), task.wcet));
    }
    let first = set.iter().map(|(_, task)| left(task)).min().unwrap_or(0);
    let horizon = horizon(set, steps)?;
    let Some(last) = deadline_before(set, horizon) else { return Ok(Outcome::new(true, horizon, 0)) };
    let most = demand(set, last).ok_or(Reason::Overflow)?;
    let (mut time, mut demanded) = (last, most);
    loop {
        steps.spend()?;
        if demanded > time {
            return Ok(Outcome::new(false, time, demanded));
        }
        if demanded <= first {
            return Ok(Outcome::new(true, last, most));
        }
        // No deadline between the two can be missed: what is demanded at it is at most what is demanded here.
        time = if demanded < time {
            demanded
        } else {
            match deadline_before(set, time) {
                Some(deadline) => deadline,
                None => return Ok(Outcome::new(true, last, most)),
            }
        };
        demanded = demand(set, time).ok_or(Reason::Overflow)?;
    }
}

/// A time from which on no deadline needs to be looked at.
fn horizon(set: Set<'_>, steps: &mut Steps) -> Result<u64, Reason> {
    let limit = where_the_load_is_below(set).into_iter().chain(where_it_repeats(set)).min();
    let mut busy = longest_blocking(set);
    for (_, task) in set.iter() {
        busy = busy.checked_add(task.wcet).ok_or(Reason::Overflow)?;
    }
    loop {
        if let Some(limit) = limit.filter(|limit| *limit <= busy) {
            return Ok(limit);
        }
        steps.spend()?;
        let next = arriving(set, busy);
        match next {
            Some(next) if next == busy => return Ok(busy),
            Some(next) => busy = next,
            // The busy period is too long, but the other limit need not be.
            None => return limit.ok_or(Reason::Overflow),
        }
    }
}

/// The work of all jobs that arrive before `time`, and what blocks it.
fn arriving(set: Set<'_>, time: u64) -> Option<u64> {
    set.iter().try_fold(longest_blocking(set), |sum, (_, task)| {
        let jobs = time.checked_add(task.jitter)?.div_ceil(task.period);
        sum.checked_add(jobs.checked_mul(task.wcet)?)
    })
}

/// From here on the demand is below the time, as it grows with the utilisation and that is below 1; `None` if it is not, or
/// nearly not. Rounded up.
fn where_the_load_is_below(set: Set<'_>) -> Option<u64> {
    let mut load = 0u128;
    let mut ahead = u128::from(longest_blocking(set));
    for (_, task) in set.iter() {
        let (wcet, period) = (u128::from(task.wcet), u128::from(task.period));
        load = load.checked_add((wcet << 64).div_ceil(period))?;
        let early = (period + u128::from(task.jitter)).saturating_sub(u128::from(task.deadline));
        ahead = ahead.checked_add(early.checked_mul(wcet)?.div_ceil(period))?;
    }
    let spare = (1u128 << 64).checked_sub(load).filter(|spare| *spare > 0)?;
    let ahead = u64::try_from(ahead).ok()?;
    // From the limit itself on, it is below.
    u64::try_from((u128::from(ahead) << 64) / spare).ok()?.checked_add(1)
}

/// From here on nothing new comes: in a hyperperiod more, the demand grows by at most that. `None` if it is too long.
fn where_it_repeats(set: Set<'_>) -> Option<u64> {
    common_period(set.iter().map(|(_, task)| task.period))?.checked_add(1)
}

/// The execution time of all jobs that arrive and have their deadlines within `time`, and what blocks them.
fn demand(set: Set<'_>, time: u64) -> Option<u64> {
    set.iter().try_fold(longest_blocking(set), |sum, (_, task)| {
        let Some(over) = time.checked_add(task.jitter)?.checked_sub(task.deadline) else { return Some(sum) };
        let jobs = (over / task.period).checked_add(1)?;
        sum.checked_add(jobs.checked_mul(task.wcet)?)
    })
}

/// The last deadline before `time`.
fn deadline_before(set: Set<'_>, time: u64) -> Option<u64> {
    let last = |task: &Task| {
        let first = task.deadline.saturating_sub(task.jitter);
        let over = time.checked_sub(first)?.checked_sub(1)?;
        Some(first + over / task.period * task.period)
    };
    set.iter().filter_map(|(_, task)| last(task)).max()
}

fn longest_blocking(set: Set<'_>) -> u64 {
    set.iter().map(|(_, task)| task.blocking).max().unwrap_or(0)
}
