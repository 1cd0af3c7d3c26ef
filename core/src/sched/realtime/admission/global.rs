//! Several cores that share all tasks.

use super::fraction::{self, Term};
use super::set::{Set, Steps, goes_before};
use super::utilisation::density;
use super::verdict::{Evidence, Reason, Verdict};
use crate::fixed::Q32;
use crate::sched::realtime::{Policy, Task};
use core::cmp::Ordering;
use core::num::NonZeroU32;
use core::time::Duration;

/// The density bound for earliest deadline first on *m* cores: deadlines are met if the sum of the shares is at most
/// *m* − (*m* − 1) × the largest share.
///
/// A share is the execution time over the deadline, or over the period where that is shorter. One heavy task costs
/// nearly all but one core: [`global_response_times`] may admit what this does not, and a [`Partition`](super::Partition) even
/// more.
///
/// # Complexity
///
/// *O*(tasks), and *O*(tasks²) where the sum is exactly the bound.
///
/// # References
///
/// Goossens, Funk, Baruah: *Priority-driven scheduling of periodic task systems on multiprocessors*, Real-Time Systems 25, 2003.
/// Bertogna, Cirinei, Lipari: *Improved schedulability analysis of EDF on multiprocessor platforms*, ECRTS 2005 (deadlines
/// other than periods).
pub fn goossens_funk_baruah(tasks: &[Task], cores: NonZeroU32) -> Verdict {
    if tasks.iter().any(|task| task.jitter > 0 || task.blocking > 0) {
        return Verdict::Undecided(Reason::Model);
    }
    let shares = tasks.iter().map(density);
    let largest = shares.clone().reduce(|a, b| if is_less(a, b) { b } else { a });
    let others = cores.get() - 1;
    // A share of more than one is far beyond the bound, and would be too large a weight.
    let excess = largest.map(|largest| Term { weight: others.saturating_mul(largest.weight), ..largest });
    let sum = fraction::rounded_up(shares.clone());
    let spared = fraction::rounded_up(excess.into_iter());
    let bound = Q32::from_int(cores.get()).saturating_sub(spared);
    let evidence = Evidence::Utilisation { sum, bound };
    if fraction::compare(shares.chain(excess), cores.get()) == Ordering::Greater {
        Verdict::Unproven(evidence)
    } else {
        Verdict::Meets(evidence)
    }
}

/// Whether every task meets its deadlines on so many cores, by a bound on how long each can be kept from running.
///
/// A task waits only while all cores run others, so for at most a part 1/*m* of the work that these can do meanwhile. For fixed
/// priorities and for earliest deadline first; deadlines must be at most the periods.
///
/// The evidence is the task that comes closest to its deadline by the bound, or the first for which the bound is beyond it. Only a
/// task that cannot even meet its deadline alone is known to miss it.
///
/// # Complexity
///
/// A step is *O*(tasks); for each task up to one for each nanosecond of slack, usually a few.
///
/// # References
///
/// Bertogna, Cirinei: *Response-time analysis for globally scheduled symmetric multiprocessor platforms*, RTSS 2007.
pub fn global_response_times(policy: Policy, tasks: &[Task], cores: NonZeroU32, steps: u32) -> Verdict {
    let set = Set::all(tasks);
    let evidence = |task, response, own: &Task| Evidence::Response {
        task,
        response: Duration::from_nanos(response),
        deadline: Duration::from_nanos(own.deadline),
    };
    if let Some((task, own)) = set.iter().find(|(_, own)| own.wcet > own.deadline) {
        return Verdict::Misses(evidence(task, own.wcet, own));
    }
    if tasks.iter().any(|task| task.jitter > 0 || task.blocking > 0 || task.deadline > task.period) {
        return Verdict::Undecided(Reason::Model);
    }
    let mut steps = Steps(steps);
    let mut tightest: Option<(u64, Evidence)> = None;
    for own in set.iter() {
        match bound(policy, set, own, cores, &mut steps) {
            Err(reason) => return Verdict::Undecided(reason),
            Ok(response) => {
                let evidence = evidence(own.0, response, own.1);
                let Some(slack) = own.1.deadline.checked_sub(response) else {
                    return Verdict::Unproven(evidence);
                };
                if tightest.is_none_or(|(least, _)| slack < least) {
                    tightest = Some((slack, evidence));
                }
            }
        }
    }
    let none = Evidence::Utilisation { sum: Q32::ZERO, bound: Q32::ONE };
    Verdict::Meets(tightest.map_or(none, |(_, evidence)| evidence))
}

/// A bound on the response time of one task, or one that is past its deadline.
fn bound(
    policy: Policy,
    set: Set<'_>,
    own: (u32, &Task),
    cores: NonZeroU32,
    steps: &mut Steps,
) -> Result<u64, Reason> {
    let Task { wcet, deadline, .. } = *own.1;
    let others = set.iter().filter(move |other| match policy {
        Policy::FixedPriority => goes_before(*other, own),
        Policy::EarliestDeadline => other.0 != own.0,
    });
    let mut response = wcet;
    loop {
        steps.spend()?;
        // Whoever runs beside the task does not delay it: more than the time that it waits need not be counted.
        let wait = response - wcet + 1;
        let mut delay = 0u64;
        for (_, other) in others.clone() {
            let mut work = workload(other, response).ok_or(Reason::Overflow)?;
            if policy == Policy::EarliestDeadline {
                let due = deadline / other.period;
                let rest = (deadline % other.period).min(other.wcet);
                let due = due.checked_mul(other.wcet).and_then(|all| all.checked_add(rest));
                work = work.min(due.ok_or(Reason::Overflow)?);
            }
            delay = delay.checked_add(work.min(wait)).ok_or(Reason::Overflow)?;
        }
        let next = wcet.checked_add(delay / u64::from(cores.get())).ok_or(Reason::Overflow)?;
        if next == response || next > deadline {
            return Ok(next);
        }
        response = next;
    }
}

/// The most that a task that meets its deadlines can run within `time`: a job that ends with its deadline, and the next
/// ones as early as they can.
fn workload(task: &Task, time: u64) -> Option<u64> {
    let span = time.checked_add(task.deadline - task.wcet)?;
    let jobs = span / task.period;
    jobs.checked_mul(task.wcet)?.checked_add((span % task.period).min(task.wcet))
}

fn is_less(a: Term, b: Term) -> bool {
    // Weights other than 1 are those of deadlines of zero, which are above all others.
    if a.weight != b.weight {
        return a.weight < b.weight;
    }
    u128::from(a.numerator) * u128::from(b.denominator) < u128::from(b.numerator) * u128::from(a.denominator)
}
