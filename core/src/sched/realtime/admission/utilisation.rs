//! Tests that look at nothing but the tasks' shares of a core.

use super::fraction::{self, Term};
use super::verdict::{Evidence, Reason, Verdict};
use crate::fixed::Q32;
use crate::sched::realtime::Task;

/// The fraction bits that products are kept with: up to 2 in 64 bits.
const FRACTION: u32 = 62;
const ONE: u64 = 1 << FRACTION;
const TWO: u64 = 2 << FRACTION;

/// The share of a core that the tasks need in the long run: execution time over period, summed and rounded up.
#[must_use]
pub fn utilisation(tasks: &[Task]) -> Q32 {
    fraction::rounded_up(tasks.iter().map(share))
}

/// The bound of Liu and Layland: *n* tasks meet their deadlines if they use at most *n* (2^(1/*n*) − 1) of the core.
///
/// The priorities must be rate monotonic, or deadline monotonic where deadlines are shorter than periods; execution time
/// over deadline counts then. [`hyperbolic`] admits whatever this does, and more.
///
/// # Complexity
///
/// *O*(tasks²) to look at the priorities, *O*(tasks) otherwise. The bound is irrational, so no set meets it exactly; one that is
/// within tasks × 2⁻⁶⁰ of it may be left unproven.
///
/// # References
///
/// Liu, Layland: *Scheduling algorithms for multiprogramming in a hard-real-time environment*, JACM 20(1), 1973.
pub fn liu_layland(tasks: &[Task]) -> Verdict {
    if !is_monotonic(tasks) {
        return Verdict::Undecided(Reason::Model);
    }
    let count = tasks.len() as u64;
    let sum = fraction::rounded_up(tasks.iter().map(density));
    let evidence = Evidence::Utilisation { sum, bound: liu_layland_bound(count) };
    // The sum is at most the bound exactly if the n-th power of one plus the mean share is at most 2.
    let shares = tasks.iter().map(|task| scaled_up(density(task)));
    let total = shares.fold(0u64, u64::saturating_add);
    let mean = total.div_ceil(count.max(1));
    if power_up(ONE.saturating_add(mean), count) <= TWO {
        Verdict::Meets(evidence)
    } else {
        Verdict::Unproven(evidence)
    }
}

/// The hyperbolic bound of Bini and Buttazzo: deadlines are met if the product of one plus each task's share is at most 2.
///
/// As [`liu_layland`], and never worse: no test that knows nothing but the shares admits more.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::sched::realtime::{Task, admission, rate_monotonic};
///
/// let ms = Duration::from_millis;
/// // One half and one third: 3/2 × 4/3 is exactly 2.
/// let mut tasks = [Task::new(ms(3), ms(6))?, Task::new(ms(1), ms(3))?];
/// rate_monotonic(&mut tasks);
/// assert!(admission::hyperbolic(&tasks).admits());
/// assert!(!admission::liu_layland(&tasks).admits());
/// # Ok::<(), divvy::sched::realtime::TaskError>(())
/// ```
///
/// # Complexity
///
/// As [`liu_layland`]. A product that is 2 but for less than tasks × 2⁻⁶⁰, and is a fraction that 128 bits do not hold, is
/// left unproven.
///
/// # References
///
/// Bini, Buttazzo, Buttazzo: *Rate monotonic analysis: the hyperbolic bound*, IEEE Transactions on Computers 52(7), 2003.
pub fn hyperbolic(tasks: &[Task]) -> Verdict {
    if !is_monotonic(tasks) {
        return Verdict::Undecided(Reason::Model);
    }
    let factors = tasks.iter().map(|task| ONE.saturating_add(scaled_up(density(task))));
    let product = factors.fold(ONE, times_up);
    let evidence = Evidence::Product { product: Q32::from_bits(product.div_ceil(1 << (FRACTION - 32))) };
    let admits = product <= TWO || is_at_most_two(tasks).unwrap_or(false);
    if admits { Verdict::Meets(evidence) } else { Verdict::Unproven(evidence) }
}

/// A task's share of a core.
pub(super) const fn share(task: &Task) -> Term {
    Term::new(task.wcet, task.period)
}

/// A task's share of the time until its deadline or its next arrival.
pub(super) fn density(task: &Task) -> Term {
    // A deadline of zero cannot be met: half a nanosecond makes the share more than one.
    match task.deadline.min(task.period) {
        0 => Term { weight: 2, numerator: task.wcet, denominator: 1 },
        time => Term::new(task.wcet, time),
    }
}

/// Whether a shorter deadline (or period, where that is shorter) never has the lower priority, and there is neither
/// jitter nor blocking.
fn is_monotonic(tasks: &[Task]) -> bool {
    let urgency = |task: &Task| task.deadline.min(task.period);
    tasks.iter().enumerate().all(|(at, task)| {
        let ahead = |(before, other): (usize, &Task)| {
            urgency(other) <= urgency(task)
                || other.priority < task.priority
                || (other.priority == task.priority && before > at)
        };
        task.jitter == 0 && task.blocking == 0 && tasks.iter().enumerate().all(ahead)
    })
}

/// The share of a task, rounded up; what is above 1 counts as so much that no product with it is at most 2.
fn scaled_up(term: Term) -> u64 {
    let scaled = (u128::from(term.numerator) << FRACTION).div_ceil(u128::from(term.denominator));
    u64::try_from(scaled * u128::from(term.weight)).unwrap_or(u64::MAX).min(TWO)
}

/// The product of two numbers of up to 4, rounded up; at most 2⁶⁴ − 1 units.
fn times_up(a: u64, b: u64) -> u64 {
    u64::try_from((u128::from(a) * u128::from(b)).div_ceil(1 << FRACTION)).unwrap_or(u64::MAX)
}

/// `base` to the power of `exponent`, rounded up; once it is above 2, so much.
fn power_up(base: u64, exponent: u64) -> u64 {
    let mut power = ONE;
    for _ in 0..exponent {
        power = times_up(power, base);
        if power > TWO {
            break;
        }
    }
    power
}

/// *n* (2^(1/*n*) − 1), rounded down.
fn liu_layland_bound(count: u64) -> Q32 {
    if count <= 1 {
        return Q32::ONE;
    }
    // The largest root of so many bits whose power is at most 2: from the highest bit on.
    let mut root = 0;
    for bit in (FRACTION - 40..=FRACTION).rev() {
        let next = root | 1 << bit;
        if power_up(next.max(ONE), count) <= TWO {
            root = next;
        }
    }
    let above = u128::from(root.saturating_sub(ONE)) * u128::from(count);
    Q32::from_bits((above >> (FRACTION - 32)) as u64)
}

/// Whether the product of one plus each share is at most 2, in exact fractions; `None` if they do not fit 128 bits.
fn is_at_most_two(tasks: &[Task]) -> Option<bool> {
    let (mut numerator, mut denominator) = (1u128, 1u128);
    for task in tasks {
        let Term { weight, numerator: wcet, denominator: time } = density(task);
        let mut below = u128::from(time);
        let mut above = below + u128::from(wcet) * u128::from(weight);
        cancel(&mut above, &mut below);
        cancel(&mut above, &mut denominator);
        cancel(&mut numerator, &mut below);
        numerator = numerator.checked_mul(above)?;
        denominator = denominator.checked_mul(below)?;
    }
    Some(numerator <= denominator.checked_mul(2)?)
}

/// Takes out what both have in common; neither is 0.
fn cancel(a: &mut u128, b: &mut u128) {
    let (mut divisor, mut rest) = (*a, *b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    *a /= divisor;
    *b /= divisor;
}
