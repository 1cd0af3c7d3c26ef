//! Fixed priorities on one core: how long each task takes to respond at worst.

use super::fraction;
use super::set::{Set, Steps, goes_before};
use super::utilisation::share;
use super::verdict::{Evidence, Reason, Verdict};
use crate::fixed::Q32;
use crate::sched::realtime::task::common_period;
use crate::sched::realtime::{Task, deadline_monotonic};
use core::cmp::Ordering;
use core::time::Duration;

/// The longest response time of one task under fixed priorities on one core: exactly, but for blocking.
///
/// It is that of the first job, or of one that follows while the core is busy, when every task that goes before arrives at
/// once, each as late after its arrival as its jitter allows, and then as often as it may. The answer is about this task alone.
///
/// # Complexity
///
/// A step is *O*(tasks). The number of steps is that of the arrivals within the response time at most, and usually
/// much smaller.
///
/// # References
///
/// Joseph, Pandya: *Finding response times in a real-time system*, The Computer Journal 29(5), 1986. Lehoczky: *Fixed priority
/// scheduling of periodic task sets with arbitrary deadlines*, RTSS 1990. Audsley, Burns, Richardson, Tindell, Wellings:
/// *Applying new scheduling theory to static priority pre-emptive scheduling*, Software Engineering Journal 8(5), 1993.
pub fn response_time(tasks: &[Task], task: u32, steps: u32) -> Verdict {
    let set = Set::all(tasks);
    match set.get(task) {
        Some(own) => respond(set, (task, own), &mut Steps(steps)),
        None => Verdict::Undecided(Reason::UnknownTask),
    }
}

/// Whether every task meets its deadlines under fixed priorities on one core: by [`response_time`]. The evidence is the task
/// that comes closest to its deadline, or the first that misses it.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sched::realtime::admission::{self, Evidence, Verdict};
/// use divvy::sched::realtime::{Task, TaskError, deadline_monotonic};
///
/// let ms = Duration::from_millis;
/// let mut tasks = [Task::new(ms(40), ms(100))?, Task::new(ms(40), ms(150))?, Task::new(ms(100), ms(350))?];
/// deadline_monotonic(&mut tasks);
/// let tightest = Evidence::Response { task: 2, response: ms(300), deadline: ms(350) };
/// assert_eq!(admission::response_times(&tasks, admission::STEPS), Verdict::Meets(tightest));
/// // A step is an iteration; these need more than three.
/// assert!(!admission::response_times(&tasks, 3).admits());
/// # Ok::<(), TaskError>(())
/// ```
pub fn response_times(tasks: &[Task], steps: u32) -> Verdict {
    of_set(Set::all(tasks), steps)
}

pub(super) fn of_set(set: Set<'_>, steps: u32) -> Verdict {
    let mut steps = Steps(steps);
    let mut tightest: Option<(Duration, Evidence)> = None;
    for own in set.iter() {
        match respond(set, own, &mut steps) {
            Verdict::Meets(evidence @ Evidence::Response { response, deadline, .. }) => {
                let slack = deadline.saturating_sub(response);
                if tightest.is_none_or(|(least, _)| slack < least) {
                    tightest = Some((slack, evidence));
                }
            }
            other => return other,
        }
    }
    let none = Evidence::Utilisation { sum: Q32::ZERO, bound: Q32::ONE };
    Verdict::Meets(tightest.map_or(none, |(_, evidence)| evidence))
}

/// Finds fixed priorities under which every task meets its deadlines, if there are such: Audsley's assignment.
///
/// From the lowest level up, each goes to the first task that meets its deadlines there while the others go before it. If
/// none does at some level, no priorities will do. Where deadlines are at most the periods and there is neither jitter nor
/// blocking, [`deadline_monotonic`] does the same at once.
///
/// The evidence is as for [`response_times`]. Unless the answer is that every deadline is met, the priorities are deadline
/// monotonic afterwards.
///
/// # Complexity
///
/// *O*(tasks²) times a [`response_time`].
///
/// # References
///
/// Audsley: *Optimal priority assignment and feasibility of static priority tasks with arbitrary start times*, report YCS 164,
/// University of York, 1991.
pub fn audsley(tasks: &mut [Task], steps: u32) -> Verdict {
    const UNASSIGNED: u32 = u32::MAX;
    let mut left = Steps(steps);
    for task in tasks.iter_mut() {
        task.priority = UNASSIGNED;
    }
    for level in 1..=tasks.len() as u32 {
        let mut failure = None;
        let mut found = false;
        for candidate in 0..tasks.len() {
            if tasks[candidate].priority != UNASSIGNED {
                continue;
            }
            tasks[candidate].priority = level;
            let verdict = respond(Set::all(tasks), (candidate as u32, &tasks[candidate]), &mut left);
            if verdict.admits() {
                found = true;
                break;
            }
            tasks[candidate].priority = UNASSIGNED;
            failure = worse(failure, verdict);
        }
        if !found {
            deadline_monotonic(tasks);
            return failure.unwrap_or(Verdict::Undecided(Reason::Steps));
        }
    }
    of_set(Set::all(tasks), steps)
}

/// Of two answers why no task can have a level, the one that claims less; of equal ones the first.
const fn worse(one: Option<Verdict>, other: Verdict) -> Option<Verdict> {
    const fn claim(verdict: &Verdict) -> u8 {
        match verdict {
            Verdict::Undecided(_) => 0,
            Verdict::Unproven(_) => 1,
            Verdict::Misses(_) => 2,
            Verdict::Meets(_) => 3,
        }
    }
    match one {
        Some(one) if claim(&one) <= claim(&other) => Some(one),
        _ => Some(other),
    }
}

/// The response time of one task among those of its core.
fn respond(set: Set<'_>, own: (u32, &Task), steps: &mut Steps) -> Verdict {
    let (task, Task { deadline, blocking, .. }) = own;
    let evidence = |response| Evidence::Response {
        task,
        response: Duration::from_nanos(response),
        deadline: Duration::from_nanos(*deadline),
    };
    match longest(set, own, steps) {
        Ok(response) if response <= *deadline => Verdict::Meets(evidence(response)),
        // That somebody blocks for so long is possible, but whether at the worst moment is not known.
        Ok(response) if *blocking > 0 => Verdict::Unproven(evidence(response)),
        Ok(response) => Verdict::Misses(evidence(response)),
        Err(reason) => Verdict::Undecided(reason),
    }
}

/// The longest response time, or the first found that is past the deadline.
fn longest(set: Set<'_>, own: (u32, &Task), steps: &mut Steps) -> Result<u64, Reason> {
    let Task { wcet, period, deadline, jitter, blocking, .. } = *own.1;
    let before = set.iter().filter(move |other| goes_before(*other, own));
    // The work that `time` sees arrive from those that go before.
    let ahead = |time: u64| {
        before.clone().try_fold(0u64, |sum, (_, other)| {
            let jobs = time.checked_add(other.jitter)?.div_ceil(other.period);
            sum.checked_add(jobs.checked_mul(other.wcet)?)
        })
    };
    let (mut response, mut arrival) = (0, 0u64);
    // The work of the task itself up to the job in question, and when that is done at the earliest.
    let mut own_work = blocking.checked_add(wcet).ok_or(Reason::Overflow)?;
    let mut done = own_work;
    let mut repeats_after = None;
    loop {
        let since_arrival = loop {
            steps.spend()?;
            let next = ahead(done).and_then(|ahead| ahead.checked_add(own_work)).ok_or(Reason::Overflow)?;
            // The first job arrived earlier by the jitter.
            let since_arrival = next.checked_add(jitter).ok_or(Reason::Overflow)?.saturating_sub(arrival);
            if since_arrival > deadline {
                return Ok(since_arrival);
            }
            if next == done {
                break since_arrival;
            }
            done = next;
        };
        response = response.max(since_arrival);
        if since_arrival <= period {
            return Ok(response);
        }
        // The next job arrives before this one is done. If there is exactly as much to do as can be done, that may be so for
        // ever, but after a hyperperiod no response is longer than the one before it.
        let level = || before.clone().chain([own]).map(|(_, task)| task);
        let all = || match fraction::compare(level().map(share), 1) {
            Ordering::Equal => common_period(level().map(|task| task.period)).unwrap_or(u64::MAX),
            _ => u64::MAX,
        };
        if arrival >= *repeats_after.get_or_insert_with(all) {
            return Ok(response);
        }
        arrival = arrival.checked_add(period).ok_or(Reason::Overflow)?;
        own_work = own_work.checked_add(wcet).ok_or(Reason::Overflow)?;
        done = done.checked_add(wcet).ok_or(Reason::Overflow)?;
    }
}
