//! What the admission tests say, as numbers.

use core::num::NonZeroU32;
use core::time::Duration;

use divvy::sched::realtime::admission::{
    Evidence, STEPS, Verdict, decide, global_response_times, goossens_funk_baruah, hyperbolic, liu_layland,
    response_time, utilisation,
};
use divvy::sched::realtime::{Policy, Task};

use super::NONE;
use crate::number::{fraction, millis};

pub(super) type Row = [f64; 7];

const SHARPEST: f64 = 0.0;
const LIU_LAYLAND: f64 = 1.0;
const HYPERBOLIC: f64 = 2.0;
const GOOSSENS: f64 = 3.0;
const GLOBAL: f64 = 4.0;
/// The answer of a partition that has no core for a task.
const MISSED: f64 = 1.0;

/// Of tasks that share all cores.
pub(super) fn shared(policy: Policy, tasks: &[Task], cores: NonZeroU32) -> Vec<Row> {
    let mut rows = vec![row(SHARPEST, NONE, decide(policy, tasks, cores, STEPS))];
    if cores.get() == 1 && policy == Policy::FixedPriority {
        rows.push(row(HYPERBOLIC, NONE, hyperbolic(tasks)));
        rows.push(row(LIU_LAYLAND, NONE, liu_layland(tasks)));
    }
    if cores.get() > 1 {
        rows.push(row(GLOBAL, NONE, global_response_times(policy, tasks, cores, STEPS)));
        if policy == Policy::EarliestDeadline {
            rows.push(row(GOOSSENS, NONE, goossens_funk_baruah(tasks, cores)));
        }
    }
    rows
}

/// Of tasks that keep to their cores: whether all have one, then what holds on each core.
pub(super) fn partitioned(
    policy: Policy,
    tasks: &[Task],
    owners: &[Option<u32>],
    cores: NonZeroU32,
) -> Vec<Row> {
    let sum = fraction(utilisation(tasks));
    let away = owners.iter().any(Option::is_none);
    let all = [SHARPEST, NONE, if away { MISSED } else { 0.0 }, 1.0, sum, f64::from(cores.get()), NONE];
    let of_core = |core| {
        let (numbers, set) = members(tasks, owners, core);
        let mut row = row(SHARPEST, f64::from(core), decide(policy, &set, NonZeroU32::MIN, STEPS));
        // The test knows the tasks of this core alone.
        if row[3] == 3.0 {
            row[6] = numbers[row[6] as usize] as f64;
        }
        (!set.is_empty()).then_some(row)
    };
    [all].into_iter().chain((0..cores.get()).filter_map(of_core)).collect()
}

/// The longest response time of task `i`, where a test knows it.
pub(super) fn response(
    policy: Policy,
    tasks: &[Task],
    owners: Option<&[Option<u32>]>,
    cores: NonZeroU32,
    i: usize,
) -> Option<Duration> {
    if policy != Policy::FixedPriority {
        return None;
    }
    let verdict = match owners {
        None if cores.get() > 1 => return None,
        None => response_time(tasks, i as u32, STEPS),
        Some(owners) => {
            let (numbers, set) = members(tasks, owners, owners[i]?);
            let place = numbers.iter().position(|&number| number == i)?;
            response_time(&set, place as u32, STEPS)
        }
    };
    match verdict.evidence()? {
        Evidence::Response { response, .. } => Some(response),
        _ => None,
    }
}

/// The tasks of a core, and their numbers among all.
fn members(tasks: &[Task], owners: &[Option<u32>], core: u32) -> (Vec<usize>, Vec<Task>) {
    (0..tasks.len()).filter(|&i| owners[i] == Some(core)).map(|i| (i, tasks[i])).unzip()
}

fn row(test: f64, core: f64, verdict: Verdict) -> Row {
    let says = match verdict {
        Verdict::Meets(_) => 0.0,
        Verdict::Misses(_) => 1.0,
        Verdict::Unproven(_) => 2.0,
        Verdict::Undecided(_) => 3.0,
    };
    let [kind, a, b, c] = match verdict.evidence() {
        Some(Evidence::Utilisation { sum, bound }) => [1.0, fraction(sum), fraction(bound), NONE],
        Some(Evidence::Product { product }) => [2.0, fraction(product), 2.0, NONE],
        Some(Evidence::Response { task, response, deadline }) => {
            [3.0, millis(response), millis(deadline), f64::from(task)]
        }
        Some(Evidence::Demand { within, demand }) => [4.0, millis(within), millis(demand), NONE],
        _ => [0.0, 0.0, 0.0, NONE],
    };
    [test, core, says, kind, a, b, c]
}
