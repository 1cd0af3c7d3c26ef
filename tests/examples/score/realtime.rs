//! Tasks with deadlines: what the admission tests claim against simulations, and how much each of them admits.

use crate::figure::{Bound, Figure};
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::realtime::admission::{self, Evidence, Fit, Partition, STEPS, Verdict};
use divvy::sched::realtime::{Dispatcher, Policy, Task, deadline_monotonic, hyperperiod, rate_monotonic};
use divvy::sim::deadline::{Config, Deadline};
use divvy::storage::{Heap, Inline};

/// Divisors of 2,520, so that every set repeats within that.
const PERIODS: [u64; 14] = [8, 9, 10, 12, 14, 15, 18, 20, 24, 28, 30, 35, 40, 42];

pub(crate) fn figures() -> Vec<Figure> {
    [exact(), bounds(), several_cores(), admitted(), bytes()].concat()
}

fn task(wcet: u64, period: u64) -> Task {
    Task::new(Duration::from_nanos(wcet), Duration::from_nanos(period)).expect("neither is zero")
}

/// Tasks that use about so much of a core, in thousandths, each with a random part of it that one core can give.
fn draw(count: u64, load: u64, rng: &mut Xoshiro256PlusPlus) -> Vec<Task> {
    loop {
        let tasks = drawn(count, load, rng);
        if tasks.iter().all(|task| task.wcet() <= task.period()) {
            return tasks;
        }
    }
}

fn drawn(count: u64, load: u64, rng: &mut Xoshiro256PlusPlus) -> Vec<Task> {
    // Cut points in the load, sorted: their distances are the shares (UUniFast by another way).
    let mut cuts: Vec<u64> = (1..count).map(|_| rng.below_u64(load + 1)).chain([0, load]).collect();
    cuts.sort_unstable();
    let shares = cuts.windows(2).map(|pair| pair[1] - pair[0]);
    // A thousand units each, so that shares come out right.
    let make = |share: u64| {
        let period = 1_000 * PERIODS[rng.below(PERIODS.len() as u32) as usize];
        task((share * period / 1_000).max(1), period)
    };
    shares.map(make).collect()
}

/// The misses, and the longest response of each task, from a common arrival on over a hyperperiod.
fn simulate(policy: Policy, tasks: &[Task], homes: Option<&[u32]>, cores: u32) -> (u32, Vec<Duration>) {
    let count = tasks.len() as u32;
    let mut sim =
        Deadline::<Heap, Heap, Heap>::with_capacity(Config::new(policy), cores, count, 4 * count, 1);
    for (index, task) in tasks.iter().enumerate() {
        let inserted = match homes {
            Some(homes) => sim.insert_on(*task, homes[index]),
            None => sim.insert(*task),
        };
        inserted.expect("there is room for all");
    }
    let all = hyperperiod(tasks).expect("it is short");
    let mut rng = Xoshiro256PlusPlus::seed(1);
    while sim.advance(Instant::ZERO.saturating_add(all), &mut rng).is_some() {}
    let missed = sim.stats().map(|stats| stats.missed).sum();
    (missed, sim.stats().map(|stats| stats.response_max).collect())
}

fn exact() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(0xEDF);
    let (mut below, mut at, mut above) = (0, 0, 0);
    let (mut differ, mut compared) = (0, 0);
    for _ in 0..400 {
        let load = 900 + rng.below_u64(100);
        let mut tasks = draw(6, load, &mut rng);
        below += u32::from(simulate(Policy::EarliestDeadline, &tasks, None, 1).0 > 0);
        // The first task takes what is left of the hyperperiod, to the last nanosecond; then one more.
        let all = hyperperiod(&tasks).expect("it is short").as_nanos() as u64;
        let used: u64 = tasks.iter().map(|task| work(task, all)).sum();
        if let Some(left) = all.checked_sub(used).filter(|left| *left > 0) {
            tasks.push(task(left, all));
            at += u32::from(simulate(Policy::EarliestDeadline, &tasks, None, 1).0 > 0);
            tasks.pop();
            tasks.push(task(left + 1, all));
            let admitted = admission::earliest_deadline(&tasks, STEPS).admits();
            above += u32::from(admitted || simulate(Policy::EarliestDeadline, &tasks, None, 1).0 == 0);
            tasks.pop();
        }
        let load = 500 + rng.below_u64(500);
        let mut tasks = draw(6, load, &mut rng);
        rate_monotonic(&mut tasks);
        let (_, responses) = simulate(Policy::FixedPriority, &tasks, None, 1);
        for (index, seen) in (0..).zip(responses) {
            if let Verdict::Meets(Evidence::Response { response, .. }) =
                admission::response_time(&tasks, index, STEPS)
            {
                differ += u32::from(response != seen);
                compared += 1;
            }
        }
    }
    let theorem = "feasible if and only if U ≤ 1: Liu and Layland 1973";
    vec![
        Figure::new(
            "deadlines: sets below U = 1 that miss under EDF, of 400",
            below.into(),
            Bound::Exactly(0.0),
            theorem,
        ),
        Figure::new(
            "deadlines: sets at exactly U = 1 that miss under EDF",
            at.into(),
            Bound::Exactly(0.0),
            theorem,
        ),
        Figure::new(
            "deadlines: sets a nanosecond of the hyperperiod above U = 1 that are admitted or miss nothing",
            above.into(),
            Bound::Exactly(0.0),
            theorem,
        ),
        Figure::new(
            format!(
                "deadlines: response times other than in the simulation, of {compared} under fixed priorities"
            ),
            differ.into(),
            Bound::Exactly(0.0),
            "exact: Joseph and Pandya 1986",
        ),
    ]
}

fn work(task: &Task, time: u64) -> u64 {
    time / task.period().as_nanos() as u64 * task.wcet().as_nanos() as u64
}

fn bounds() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(0x1973);
    let mut missed = 0;
    let mut admitted = 0;
    let mut demanded = 0;
    let mut tight = 0;
    for _ in 0..600 {
        let load = 600 + rng.below_u64(200);
        let mut tasks = draw(5, load, &mut rng);
        rate_monotonic(&mut tasks);
        if admission::liu_layland(&tasks).admits() {
            admitted += 1;
            missed += u32::from(simulate(Policy::FixedPriority, &tasks, None, 1).0 > 0);
        }
        // Deadlines between the execution time and the period.
        for task in &mut tasks {
            let (wcet, period) = (task.wcet().as_nanos() as u64, task.period().as_nanos() as u64);
            *task =
                task.deadline(Duration::from_nanos(wcet + (period - wcet) * (20 + rng.below_u64(81)) / 100));
        }
        let verdict = admission::earliest_deadline(&tasks, STEPS);
        tight += u32::from(matches!(verdict, Verdict::Meets(_)));
        let misses = simulate(Policy::EarliestDeadline, &tasks, None, 1).0 > 0;
        demanded += u32::from(verdict.admits() == misses || matches!(verdict, Verdict::Undecided(_)));
    }
    vec![
        Figure::new(
            format!("deadlines: rate-monotonic sets within n(2^(1/n) − 1) that miss, of {admitted}"),
            missed.into(),
            Bound::Exactly(0.0),
            "Liu and Layland 1973",
        ),
        Figure::new(
            format!(
                "deadlines: sets with short deadlines that the demand test judges wrongly, of 600 ({tight} meet them)"
            ),
            demanded.into(),
            Bound::Exactly(0.0),
            "exact: Baruah, Mok, Rosier 1990; Zhang and Burns 2009",
        ),
    ]
}

fn four() -> NonZeroU32 {
    NonZeroU32::new(4).expect("it is not zero")
}

fn several_cores() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(0x2003);
    let mut missed = [0; 3];
    let mut admitted = [0; 3];
    let mut refused = 0;
    for _ in 0..200 {
        let load = 1_200 + rng.below_u64(1_300);
        let mut tasks = draw(12, load, &mut rng);
        deadline_monotonic(&mut tasks);
        for (at, verdict) in [
            admission::goossens_funk_baruah(&tasks, four()),
            admission::global_response_times(Policy::EarliestDeadline, &tasks, four(), STEPS),
        ]
        .into_iter()
        .enumerate()
        {
            if verdict.admits() {
                admitted[at] += 1;
                missed[at] += u32::from(simulate(Policy::EarliestDeadline, &tasks, None, 4).0 > 0);
            }
        }
        let mut partition = Partition::<Heap>::with_capacity(12);
        let fits = partition.assign(&tasks, four(), Fit::First, Policy::EarliestDeadline, STEPS).is_ok();
        refused +=
            u32::from(!fits && admission::utilisation(&tasks) <= Q32::from_ratio(5, 2).expect("it fits"));
        if fits {
            admitted[2] += 1;
            let homes: Vec<u32> = partition.cores_of_tasks().collect();
            missed[2] += u32::from(simulate(Policy::EarliestDeadline, &tasks, Some(&homes), 4).0 > 0);
        }
    }
    let figure = |at: usize, name: &str, source| {
        let name = format!("deadlines: sets on 4 cores that miss, of {} admitted by {name}", admitted[at]);
        Figure::new(name, f64::from(missed[at]), Bound::Exactly(0.0), source)
    };
    vec![
        figure(0, "U ≤ m − (m − 1) × the largest share", "Goossens, Funk, Baruah 2003"),
        figure(1, "global response times", "Bertogna, Cirinei 2007"),
        figure(2, "first fit decreasing, a core's test each", "Liu and Layland 1973, for each core"),
        Figure::new(
            "deadlines: sets with U ≤ (m + 1) / 2 that first fit finds no cores for",
            refused.into(),
            Bound::Exactly(0.0),
            "López, García, Díaz, García 2000",
        ),
    ]
}

/// How much of what could be admitted each test admits: one core at 80 %, four at 80 %.
fn admitted() -> Vec<Figure> {
    const SETS: u32 = 500;
    let mut rng = Xoshiro256PlusPlus::seed(0xACCE);
    let mut counts = [0u32; 8];
    for _ in 0..SETS {
        let mut tasks = draw(6, 800, &mut rng);
        rate_monotonic(&mut tasks);
        let mut wide = draw(16, 2_000, &mut rng);
        deadline_monotonic(&mut wide);
        let mut partition = Partition::<Heap>::with_capacity(16);
        let passed = [
            admission::liu_layland(&tasks).admits(),
            admission::hyperbolic(&tasks).admits(),
            admission::response_times(&tasks, STEPS).admits(),
            admission::earliest_deadline(&tasks, STEPS).admits(),
            admission::goossens_funk_baruah(&wide, four()).admits(),
            admission::decide(Policy::EarliestDeadline, &wide, four(), STEPS).admits(),
            admission::decide(Policy::FixedPriority, &wide, four(), STEPS).admits(),
            partition.assign(&wide, four(), Fit::First, Policy::EarliestDeadline, STEPS).is_ok(),
        ];
        for (count, passed) in counts.iter_mut().zip(passed) {
            *count += u32::from(passed);
        }
    }
    let names = [
        "one core at 80 %, 6 tasks: Liu and Layland",
        "one core at 80 %, 6 tasks: hyperbolic",
        "one core at 80 %, 6 tasks: response times",
        "one core at 80 %, 6 tasks: EDF",
        "four cores at 50 %, 16 tasks: density bound",
        "four cores at 50 %, 16 tasks: density bound or response times, EDF",
        "four cores at 50 %, 16 tasks: response times, fixed priorities",
        "four cores at 50 %, 16 tasks: partitioned first fit, EDF",
    ];
    let share = |count: u32| f64::from(count) / f64::from(SETS);
    let row = |(name, count): (&str, u32)| {
        let bound = if name.ends_with("tasks: EDF") { Bound::Exactly(1.0) } else { Bound::None };
        let source = if name.ends_with("tasks: EDF") { "all with U ≤ 1" } else { "" };
        Figure::new(format!("– share admitted, {name}"), share(count), bound, source)
    };
    names.into_iter().zip(counts).map(row).collect()
}

fn bytes() -> Vec<Figure> {
    vec![Figure::new(
        "deadlines: bytes of a dispatcher for 8 tasks on one core, 64-bit machine",
        size_of::<Dispatcher<Inline<8>>>() as f64,
        Bound::AtMost(1_800.0),
        "208 a task",
    )]
}
