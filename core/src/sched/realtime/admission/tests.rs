//! What the tests say, against simulations of everything small and of much that is not.

use super::fraction::{self, Term};
use super::*;
use crate::Instant;
use crate::fixed::Q32;
use crate::rng::{Rng, SplitMix64};
use crate::sched::realtime::{Dispatcher, Event, Job, deadline_monotonic, hyperperiod, rate_monotonic};
use crate::sim::deadline::{Config, Deadline, What};
use crate::storage::{Heap, Inline};
use core::cmp::Ordering;
use core::time::Duration;
use proptest::prelude::*;
use std::vec::Vec;

fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

fn task(wcet: u64, period: u64) -> Task {
    Task::new(ns(wcet), ns(period)).unwrap()
}

fn cores(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn period_of_all(tasks: &[Task]) -> u64 {
    hyperperiod(tasks).unwrap().as_nanos() as u64
}

/// For each task how many deadlines it missed up to `until`, and the longest response of what was completed.
fn simulated(
    policy: Policy,
    tasks: &[Task],
    homes: Option<&[u32]>,
    cores: u32,
    until: u64,
) -> Vec<(u32, u64)> {
    let mut sim =
        Deadline::<Heap, Heap, Heap>::with_capacity(Config::new(policy), cores, tasks.len() as u32, 64, 1);
    for (index, task) in tasks.iter().enumerate() {
        match homes {
            Some(homes) => sim.insert_on(*task, homes[index]).unwrap(),
            None => sim.insert(*task).unwrap(),
        };
    }
    let mut rng = SplitMix64::seed(0);
    while sim.advance(Instant::from_nanos(until), &mut rng).is_some() {}
    assert!(sim.stats().all(|stats| stats.lost == 0));
    sim.stats().map(|stats| (stats.missed, stats.response_max.as_nanos() as u64)).collect()
}

fn misses(policy: Policy, tasks: &[Task], cores: u32) -> bool {
    let longest = tasks.iter().map(|task| task.deadline).max().unwrap_or(0);
    let offset = tasks.iter().map(|task| task.offset).max().unwrap_or(0);
    // A core with more to do than it can falls back by at least a nanosecond in each hyperperiod.
    let until = Instant::from_nanos(offset + period_of_all(tasks) * (longest + 2));
    let mut sim = Deadline::<Heap, Heap, Heap>::with_capacity(Config::new(policy), cores, 8, 64, 1);
    for task in tasks {
        sim.insert(*task).unwrap();
    }
    let mut rng = SplitMix64::seed(0);
    while let Some(event) = sim.advance(until, &mut rng) {
        assert!(!matches!(event.what, What::Lose { .. }));
        if matches!(event.what, What::Miss { .. }) {
            return true;
        }
    }
    false
}

/// Every multiset of `count` of these.
fn sets(kinds: &[Task], count: usize, each: &mut impl FnMut(&[Task])) {
    fn go(kinds: &[Task], count: usize, set: &mut Vec<Task>, each: &mut impl FnMut(&[Task])) {
        if set.len() == count {
            return each(set);
        }
        for first in 0..kinds.len() {
            set.push(kinds[first]);
            go(&kinds[first..], count, set, each);
            set.pop();
        }
    }
    go(kinds, count, &mut Vec::new(), each);
}

/// Every task with a period of up to `period` and a deadline of up to `beyond` more.
fn kinds(period: u64, beyond: u64) -> Vec<Task> {
    let with_period = move |period| {
        (1..=period).flat_map(move |wcet| {
            (wcet..=period + beyond).map(move |deadline| task(wcet, period).deadline(ns(deadline)))
        })
    };
    (1..=period).flat_map(with_period).collect()
}

/// Every task with a period of up to `period` and that as its deadline.
fn implicit_kinds(period: u64) -> Vec<Task> {
    (1..=period).flat_map(|period| (1..=period).map(move |wcet| task(wcet, period))).collect()
}

#[test]
fn earliest_deadline_first_meets_all_if_and_only_if_the_utilisation_is_at_most_one() {
    let mut counts = [0, 0, 0];
    for count in 1..=3 {
        sets(&implicit_kinds(6), count, &mut |tasks| {
            let h = period_of_all(tasks);
            let work: u64 = tasks.iter().map(|task| task.wcet * (h / task.period)).sum();
            let missed = simulated(Policy::EarliestDeadline, tasks, None, 1, h).iter().any(|task| task.0 > 0);
            assert_eq!(missed, work > h, "{tasks:?}");
            assert_eq!(earliest_deadline(tasks, 0).admits(), work <= h, "{tasks:?}");
            counts[match work.cmp(&h) {
                Ordering::Less => 0,
                Ordering::Equal => 1,
                Ordering::Greater => 2,
            }] += 1;
        });
    }
    std::println!("implicit deadlines, every set: {counts:?} below, at and above 1");
    assert!(counts.iter().all(|count| *count > 30));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Sets of up to eight tasks that use the core exactly, and a nanosecond of the hyperperiod more.
    #[test]
    fn a_nanosecond_more_than_one_misses(periods in prop::collection::vec(0usize..24, 1..8), seed: u64) {
        let h = 5_040;
        let divisors: Vec<u64> = (2..=h / 8).filter(|divisor| h % divisor == 0).collect();
        let mut rng = SplitMix64::seed(seed);
        let (mut tasks, mut left) = (Vec::new(), h - 1);
        for period in periods {
            let period = divisors[period];
            let most = (left / (h / period)).min(period / 2);
            if most > 0 {
                let wcet = 1 + rng.below_u64(most);
                left -= wcet * (h / period);
                tasks.push(task(wcet, period));
            }
        }
        tasks.push(task(left + 1, h));
        prop_assert!(!simulated(Policy::EarliestDeadline, &tasks, None, 1, h).iter().any(|task| task.0 > 0));
        prop_assert!(earliest_deadline(&tasks, 0).admits());
        *tasks.last_mut().unwrap() = task(left + 2, h);
        prop_assert!(simulated(Policy::EarliestDeadline, &tasks, None, 1, h).iter().any(|task| task.0 > 0));
        let verdict = earliest_deadline(&tasks, 0);
        prop_assert!(matches!(verdict, Verdict::Misses(Evidence::Utilisation { .. })), "{verdict}");
    }

    /// Sums of fractions against a common denominator.
    #[test]
    fn sums_of_fractions_are_compared_exactly(
        terms in prop::collection::vec((0u64..30, 1u64..30, 0u32..4), 0..5),
        whole in 0u32..6,
    ) {
        let terms: Vec<Term> = terms.into_iter()
            .map(|(numerator, denominator, weight)| Term { weight, numerator, denominator })
            .collect();
        let common: u128 = terms.iter().map(|term| u128::from(term.denominator)).product();
        let sum: u128 = terms.iter()
            .map(|term| u128::from(term.weight) * u128::from(term.numerator) * (common / u128::from(term.denominator)))
            .sum();
        let expected = sum.cmp(&(u128::from(whole) * common));
        prop_assert_eq!(fraction::compare(terms.iter().copied(), whole), expected);
    }

    /// Two fractions that add up to 1, and what is as near to it as 63 bits allow.
    #[test]
    fn near_one_the_last_bit_counts(a in 1u64..1 << 62, more in 1u64..1 << 62, b in 1u64 << 61..1 << 63) {
        let denominator = a + more;
        let sum = |x, y| fraction::compare([Term::new(a, denominator), Term::new(x, y)].into_iter(), 1);
        prop_assert_eq!(sum(more, denominator), Ordering::Equal);
        prop_assert_eq!(sum(more - 1, denominator), Ordering::Less);
        prop_assert_eq!(sum(more + 1, denominator), Ordering::Greater);
        // The nearest fractions below and above with another denominator.
        let below = (u128::from(more) * u128::from(b) / u128::from(denominator)) as u64;
        let exact = u128::from(below) * u128::from(denominator) == u128::from(more) * u128::from(b);
        prop_assert_eq!(sum(below, b), if exact { Ordering::Equal } else { Ordering::Less });
        prop_assert_eq!(sum(below + 1, b), Ordering::Greater);
    }
}

#[test]
fn many_equal_shares_add_up_to_exactly_one() {
    for n in [3u64, 7, 61, 97] {
        let period = 1_000_003 * n;
        let terms = |last| (0..n).map(move |i| Term::new(1_000_003 - u64::from(i == 0) * last, period));
        assert_eq!(fraction::compare(terms(0), 1), Ordering::Equal);
        assert_eq!(fraction::compare(terms(1), 1), Ordering::Less);
    }
    // Denominators without a common factor: 1/2 + 1/3 + 1/7 + 1/43 + 1/1807 is short of 1 by 1/3263442.
    let sylvester = [2, 3, 7, 43, 1_807].map(|denominator| Term::new(1, denominator));
    assert_eq!(fraction::compare(sylvester.into_iter().chain([Term::new(1, 3_263_442)]), 1), Ordering::Equal);
    assert_eq!(fraction::compare(sylvester.into_iter().chain([Term::new(1, 3_263_443)]), 1), Ordering::Less);
    assert_eq!(
        fraction::compare(sylvester.into_iter().chain([Term::new(1, 3_263_441)]), 1),
        Ordering::Greater
    );
}

#[test]
fn the_demand_test_is_exact_for_every_small_set() {
    let mut counts = [0, 0];
    let mut check = |tasks: &[Task]| {
        let verdict = earliest_deadline(tasks, STEPS);
        let missed = misses(Policy::EarliestDeadline, tasks, 1);
        match verdict {
            Verdict::Meets(_) => assert!(!missed, "{tasks:?}"),
            Verdict::Misses(_) => assert!(missed, "{tasks:?} {verdict}"),
            other => panic!("{tasks:?} {other}"),
        }
        if let Verdict::Misses(Evidence::Demand { within, demand }) = verdict {
            let within = within.as_nanos() as u64;
            let jobs = |task: &Task| {
                (within + task.period).checked_sub(task.deadline).map_or(0, |time| time / task.period)
            };
            let work: u64 = tasks.iter().map(|task| jobs(task) * task.wcet).sum();
            assert_eq!(work, demand.as_nanos() as u64);
            assert!(work > within);
        }
        counts[usize::from(missed)] += 1;
    };
    sets(&kinds(6, 2), 2, &mut check);
    sets(&kinds(4, 0), 3, &mut check);
    std::println!("demand: {counts:?} sets that meet and miss");
    assert!(counts.iter().all(|count| *count > 1_000));
}

#[test]
fn response_times_are_those_of_the_simulation_for_every_small_set() {
    let mut counts = [0, 0];
    let mut check = |tasks: &[Task]| {
        let mut tasks = tasks.to_vec();
        deadline_monotonic(&mut tasks);
        let longest = tasks.iter().map(|task| task.deadline).max().unwrap();
        let until = period_of_all(&tasks) * (longest + 2);
        let seen = simulated(Policy::FixedPriority, &tasks, None, 1, until);
        for (index, (missed, response_max)) in seen.iter().enumerate() {
            match response_time(&tasks, index as u32, STEPS) {
                Verdict::Meets(Evidence::Response { response, .. }) => {
                    assert_eq!((*missed, ns(*response_max)), (0, response), "{tasks:?} {index}");
                }
                Verdict::Misses(Evidence::Response { task, response, deadline }) => {
                    assert!(*missed > 0 && task == index as u32 && response > deadline, "{tasks:?} {index}");
                }
                other => panic!("{tasks:?} {other}"),
            }
        }
        let missed = seen.iter().any(|task| task.0 > 0);
        assert_eq!(response_times(&tasks, STEPS).admits(), !missed);
        counts[usize::from(missed)] += 1;
    };
    sets(&kinds(6, 2), 2, &mut check);
    sets(&kinds(4, 0), 3, &mut check);
    std::println!("response times: {counts:?} sets that meet and miss");
    assert!(counts.iter().all(|count| *count > 1_000));
}

#[test]
fn whatever_the_offsets_a_set_that_was_admitted_misses_nothing() {
    let mut runs = 0;
    let mut check = |tasks: &[Task], all: bool, rng: &mut SplitMix64| {
        for policy in [Policy::EarliestDeadline, Policy::FixedPriority] {
            let mut tasks = tasks.to_vec();
            deadline_monotonic(&mut tasks);
            if !decide(policy, &tasks, cores(1), STEPS).admits() {
                continue;
            }
            let until = 3 * period_of_all(&tasks) + 10;
            for first in 0..tasks[0].period {
                for second in 0..tasks[1].period {
                    let offsets = [first, second, rng.below_u64(5)];
                    if !all && rng.below(3) > 0 {
                        continue;
                    }
                    let offset = |(task, offset): (&Task, u64)| task.offset(ns(offset));
                    let shifted: Vec<Task> = tasks.iter().zip(offsets).map(offset).collect();
                    let seen = simulated(policy, &shifted, None, 1, until);
                    assert!(seen.iter().all(|task| task.0 == 0), "{shifted:?}");
                    runs += 1;
                }
            }
        }
    };
    let mut rng = SplitMix64::seed(5);
    sets(&kinds(5, 1), 2, &mut |tasks| check(tasks, true, &mut rng));
    sets(&kinds(3, 1), 3, &mut |tasks| check(tasks, false, &mut rng));
    std::println!("{runs} runs with offsets");
    assert!(runs > 5_000);
}

/// The worst case with jitter: every first job is noticed at one instant, as late as it may be, and all others in time.
fn with_jitter(policy: Policy, tasks: &[Task], until: u64) -> Vec<(u32, u64)> {
    let most = tasks.iter().map(|task| task.jitter).max().unwrap_or(0);
    let mut core = Dispatcher::<Heap, Heap>::with_capacity(policy, 1, 4, 64);
    for task in tasks {
        core.insert(Instant::ZERO, task.offset(ns(most - task.jitter))).unwrap();
    }
    let mut now = Instant::from_nanos(most);
    let mut done_at: Option<(Instant, Job)> = None;
    loop {
        if let Some((at, job)) = done_at.filter(|(at, _)| *at <= now) {
            assert_eq!(at, now);
            core.complete(now, job).unwrap();
        }
        while let Some(event) = core.advance(now) {
            assert!(!matches!(event, Event::Lost { .. }));
        }
        let picked = core.pick(now, 0).job();
        let left = |job: Job| core.tasks()[job.task() as usize].wcet() - core.executed(job).unwrap();
        done_at = picked.map(|job| (now.saturating_add(left(job)), job));
        let next = core.next_event_at().into_iter().chain(done_at.map(|done| done.0)).min().unwrap();
        now = next;
        if now.as_nanos() > most + until {
            return core.stats().map(|stats| (stats.missed, stats.response_max.as_nanos() as u64)).collect();
        }
    }
}

#[test]
fn with_jitter_the_worst_case_is_the_one_predicted() {
    let mut counts = [0, 0];
    let jittery = |task: Task| (0..3).map(move |jitter| task.jitter(ns(jitter)));
    let kinds: Vec<Task> = kinds(4, 2).into_iter().flat_map(jittery).collect();
    sets(&kinds, 2, &mut |tasks| {
        // A job whose deadline has passed before it is noticed is lost, and never responds.
        if tasks.iter().any(|task| task.wcet + task.jitter > task.deadline) {
            assert!(matches!(earliest_deadline(tasks, STEPS), Verdict::Misses(_)), "{tasks:?}");
            return;
        }
        let mut tasks = tasks.to_vec();
        deadline_monotonic(&mut tasks);
        let until = period_of_all(&tasks) * 9;
        let seen = with_jitter(Policy::FixedPriority, &tasks, until);
        for (index, (missed, response_max)) in seen.iter().enumerate() {
            match response_time(&tasks, index as u32, STEPS) {
                Verdict::Meets(Evidence::Response { response, .. }) => {
                    assert_eq!((*missed, ns(*response_max)), (0, response), "{tasks:?} {index}");
                }
                Verdict::Misses(_) => assert!(*missed > 0, "{tasks:?} {index}"),
                other => panic!("{tasks:?} {other}"),
            }
        }
        let missed = with_jitter(Policy::EarliestDeadline, &tasks, until).iter().any(|task| task.0 > 0);
        match earliest_deadline(&tasks, STEPS) {
            Verdict::Meets(_) => assert!(!missed, "{tasks:?}"),
            Verdict::Misses(_) => assert!(missed, "{tasks:?}"),
            other => panic!("{tasks:?} {other}"),
        }
        counts[usize::from(missed)] += 1;
    });
    std::println!("jitter: {counts:?} sets that meet and miss");
    assert!(counts.iter().all(|count| *count > 500));
}

#[test]
fn the_bounds_of_utilisation_admit_nothing_that_misses() {
    let mut counts = [0, 0, 0, 0];
    let mut check = |tasks: &[Task]| {
        let mut tasks = tasks.to_vec();
        deadline_monotonic(&mut tasks);
        let by_sum = liu_layland(&tasks).admits();
        let by_product = hyperbolic(&tasks).admits();
        // The tests are monotonic in what they know, and the response times are exact.
        let exact = response_times(&tasks, STEPS).admits();
        assert!((!by_sum || by_product) && (!by_product || exact), "{tasks:?}");
        let share = |task: &Task| (u128::from(task.wcet), u128::from(task.period.min(task.deadline)));
        let shares: Vec<_> = tasks.iter().map(share).collect();
        let product = |factor: fn(&(u128, u128)) -> u128| shares.iter().map(factor).product::<u128>();
        let within = product(|(wcet, time)| wcet + time) <= 2 * product(|(_, time)| *time);
        assert_eq!(by_product, within, "{tasks:?}");
        counts[0] += 1;
        counts[1] += u32::from(by_sum);
        counts[2] += u32::from(by_product);
        counts[3] += u32::from(exact);
    };
    sets(&kinds(6, 0), 2, &mut check);
    sets(&implicit_kinds(7), 3, &mut check);
    sets(&implicit_kinds(4), 4, &mut check);
    std::println!("of {counts:?} sets Liu and Layland, hyperbolic, response times admit");
    assert!(counts[1] > 100 && counts[1] < counts[2] && counts[2] < counts[3]);
}

#[test]
fn the_bound_of_liu_and_layland_is_the_published_one() {
    let bound = |n: usize| match liu_layland(&std::vec![task(1, 1 << 40); n]) {
        Verdict::Meets(Evidence::Utilisation { bound, .. }) => bound.to_string(),
        other => panic!("{other}"),
    };
    use std::string::ToString;
    assert_eq!(
        [1, 2, 3, 4, 5, 10, 100].map(bound),
        ["1.000000", "0.828427", "0.779763", "0.756828", "0.743491", "0.717734", "0.695555"]
    );
    // Two tasks that use 2 (√2 − 1) but for a part in 10¹⁵, and as much more.
    let two = |wcet| {
        let mut tasks = [task(wcet, 1_000_000_000_000_000); 2];
        rate_monotonic(&mut tasks);
        liu_layland(&tasks).admits()
    };
    assert_eq!((two(414_213_562_373_095), two(414_213_562_373_096)), (true, false));
    // Other priorities, or jitter: it does not say.
    let tasks = [task(1, 5), task(1, 3)];
    assert_eq!(liu_layland(&tasks), Verdict::Undecided(Reason::Model));
    assert_eq!(hyperbolic(&[task(1, 5).jitter(ns(1))]), Verdict::Undecided(Reason::Model));
    assert!(liu_layland(&[]).admits() && hyperbolic(&[]).admits());
}

#[test]
fn audsley_finds_priorities_whenever_there_are_some() {
    let mut counts = [0, 0, 0];
    let mut check = |tasks: &[Task]| {
        let orders = [[3, 2, 1], [3, 1, 2], [2, 3, 1], [1, 3, 2], [2, 1, 3], [1, 2, 3]];
        let any = orders.iter().any(|order| {
            let with = |(task, priority): (&Task, &u32)| task.priority(*priority);
            let tasks: Vec<Task> = tasks.iter().zip(order).map(with).collect();
            response_times(&tasks, STEPS).admits()
        });
        let mut own = tasks.to_vec();
        let verdict = audsley(&mut own, STEPS);
        assert_eq!(verdict.admits(), any, "{tasks:?}");
        assert_eq!(response_times(&own, STEPS).admits(), any);
        let mut monotonic = tasks.to_vec();
        deadline_monotonic(&mut monotonic);
        let simple = response_times(&monotonic, STEPS).admits();
        assert!(!simple || any);
        if !any {
            assert_eq!(own, monotonic);
        }
        counts[0] += u32::from(any);
        counts[1] += u32::from(!any);
        counts[2] += u32::from(any && !simple);
    };
    sets(&kinds(3, 4), 3, &mut check);
    let jittery = |task: Task| [task, task.jitter(ns(2))];
    let kinds: Vec<Task> = kinds(5, 1).into_iter().flat_map(jittery).collect();
    sets(&kinds, 2, &mut |tasks| {
        let mut tasks = tasks.to_vec();
        tasks.push(task(1, 1_000));
        check(&tasks);
    });
    std::println!("Audsley: {counts:?} found, not found, found where deadline monotonic fails");
    assert!(counts.iter().all(|count| *count > 20));
}

#[test]
fn what_several_cores_admit_misses_nothing() {
    let mut counts = [0, 0, 0, 0];
    let mut rng = SplitMix64::seed(9);
    let mut check = |tasks: &[Task], m: u32| {
        let mut tasks = tasks.to_vec();
        deadline_monotonic(&mut tasks);
        let by_density = goossens_funk_baruah(&tasks, cores(m)).admits();
        let by_response = global_response_times(Policy::EarliestDeadline, &tasks, cores(m), STEPS).admits();
        let by_priority = global_response_times(Policy::FixedPriority, &tasks, cores(m), STEPS).admits();
        for policy in [Policy::EarliestDeadline, Policy::FixedPriority] {
            let admitted =
                if policy == Policy::FixedPriority { by_priority } else { by_density || by_response };
            if !admitted {
                continue;
            }
            for round in 0..3 {
                let shift = |task: &Task, rng: &mut SplitMix64| match round {
                    0 => *task,
                    _ => task.offset(ns(rng.below_u64(task.period))),
                };
                let shifted: Vec<Task> = tasks.iter().map(|task| shift(task, &mut rng)).collect();
                let until = 3 * period_of_all(&tasks) + 10;
                let seen = simulated(policy, &shifted, None, m, until);
                assert!(seen.iter().all(|task| task.0 == 0), "{policy:?} {shifted:?}");
            }
        }
        counts[0] += u32::from(by_density);
        counts[1] += u32::from(by_response);
        counts[2] += u32::from(by_response && !by_density);
        counts[3] += u32::from(by_priority);
    };
    sets(&kinds(4, 0), 3, &mut |tasks| check(tasks, 2));
    sets(&implicit_kinds(4), 4, &mut |tasks| {
        check(tasks, 2);
        check(tasks, 3);
    });
    std::println!("global: {counts:?} by density, by response times, by these alone, by fixed priorities");
    assert!(counts.iter().all(|count| *count > 100));
}

#[test]
fn a_heavy_task_among_light_ones_misses_on_shared_cores_and_not_on_cores_of_their_own() {
    // Dhall's example: little more than one core's work misses on two that share it.
    let light = task(2, 10);
    let tasks = [light, light, task(10, 11).deadline(ns(11))];
    assert!(utilisation(&tasks) < Q32::from_ratio(14, 10).unwrap());
    assert!(misses(Policy::EarliestDeadline, &tasks, 2));
    assert!(!decide(Policy::EarliestDeadline, &tasks, cores(2), STEPS).admits());
    let mut partition = Partition::<Inline<3>>::new();
    partition.assign(&tasks, cores(2), Fit::First, Policy::EarliestDeadline, STEPS).unwrap();
    let homes: Vec<u32> = partition.cores_of_tasks().collect();
    assert_eq!(homes, [1, 1, 0]);
    let seen = simulated(Policy::EarliestDeadline, &tasks, Some(&homes), 2, 2_000);
    assert!(seen.iter().all(|task| task.0 == 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn tasks_on_cores_of_their_own_miss_nothing(
        shapes in prop::collection::vec((1u64..100, 0usize..8, 50u64..130), 1..10),
        m in 1u32..5,
        fit in 0usize..3,
        edf: bool,
    ) {
        let periods = [4u64, 5, 6, 8, 10, 12, 15, 20];
        let mut tasks: Vec<Task> = shapes.iter().map(|(share, period, deadline)| {
            let period = periods[*period];
            task((period * share / 100).max(1), period).deadline(ns((period * deadline / 100).max(1)))
        }).collect();
        deadline_monotonic(&mut tasks);
        let policy = if edf { Policy::EarliestDeadline } else { Policy::FixedPriority };
        let fit = [Fit::First, Fit::Best, Fit::Worst][fit];
        let mut partition = Partition::<Inline<10>>::new();
        match partition.assign(&tasks, cores(m), fit, policy, STEPS) {
            Ok(()) => {
                let homes: Vec<u32> = partition.cores_of_tasks().collect();
                let seen = simulated(policy, &tasks, Some(&homes), m, 240);
                prop_assert!(seen.iter().all(|task| task.0 == 0), "{tasks:?} {homes:?}");
            }
            Err(error) => {
                let no_core = matches!(error, PartitionError::NoCore { .. });
                prop_assert!(no_core);
                prop_assert_eq!(partition.cores_of_tasks().len(), 0);
                // López and others: half of the cores and one half more always suffice.
                let half = Q32::from_ratio(u64::from(m) + 1, 2).unwrap();
                let implicit = tasks.iter().all(|task| task.deadline >= task.period);
                prop_assert!(policy == Policy::FixedPriority || !implicit || utilisation(&tasks) > half);
            }
        }
    }

    /// Whatever the numbers: an answer, and never one that admits more than a core.
    #[test]
    fn no_task_set_is_too_strange(
        shapes in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), 0u32..64), 0..6),
        m in 1u32..4,
    ) {
        let mut tasks: Vec<Task> = shapes.iter().filter_map(|(wcet, period, deadline, jitter, blocking, bits)| {
            let task = Task::new(ns(wcet >> bits), ns(*period)).ok()?;
            Some(task.deadline(ns(*deadline)).jitter(ns(jitter >> bits)).blocking(ns(blocking >> bits)).priority(*bits))
        }).collect();
        let verdicts = [
            liu_layland(&tasks),
            hyperbolic(&tasks),
            earliest_deadline(&tasks, 300),
            response_times(&tasks, 300),
            goossens_funk_baruah(&tasks, cores(m)),
            global_response_times(Policy::EarliestDeadline, &tasks, cores(m), 300),
            global_response_times(Policy::FixedPriority, &tasks, cores(m), 300),
            decide(Policy::EarliestDeadline, &tasks, cores(m), 300),
            audsley(&mut tasks, 300),
        ];
        for verdict in verdicts {
            let over = tasks.iter().any(|task| task.wcet > task.deadline.saturating_sub(task.jitter));
            prop_assert!(!(over && verdict.admits()), "{tasks:?} {verdict}");
            let text = std::format!("{verdict}");
            prop_assert!(!text.is_empty());
        }
        let mut partition = Partition::<Inline<4>>::new();
        let _ = partition.assign(&tasks, cores(m), Fit::Best, Policy::EarliestDeadline, 300);
    }
}

#[test]
fn what_cannot_be_told_is_said() {
    let long = task(u64::MAX / 2, u64::MAX - 1);
    let tasks = [long.deadline(ns(u64::MAX - 2)), long];
    assert_eq!(
        response_times(&[task(u64::MAX / 2, 1 << 63), task(1 << 63, u64::MAX)], STEPS),
        Verdict::Undecided(Reason::Overflow)
    );
    assert!(earliest_deadline(&tasks, STEPS).admits());
    let slow = [task(1, 3), task(4, 9), task(2, 9).deadline(ns(8))];
    assert_eq!(earliest_deadline(&slow, 1), Verdict::Undecided(Reason::Steps));
    assert_eq!(response_time(&slow, 3, 9), Verdict::Undecided(Reason::UnknownTask));
    assert_eq!(
        goossens_funk_baruah(&[task(1, 3).blocking(ns(1))], cores(2)),
        Verdict::Undecided(Reason::Model)
    );
    let mut none = Partition::<Inline<2>>::new();
    let refused = none.assign(&slow, cores(9), Fit::First, Policy::EarliestDeadline, STEPS);
    assert_eq!(refused, Err(PartitionError::TooManyTasks));
}

#[test]
fn blocking_counts_and_its_failures_are_no_proof() {
    let mut tasks = [task(2, 10).deadline(ns(5)), task(4, 20)];
    deadline_monotonic(&mut tasks);
    let tightest = |tasks: &[Task]| response_times(tasks, STEPS);
    assert!(tightest(&tasks).admits() && earliest_deadline(&tasks, STEPS).admits());
    tasks[0] = tasks[0].blocking(ns(3));
    assert!(tightest(&tasks).admits() && earliest_deadline(&tasks, STEPS).admits());
    tasks[0] = tasks[0].blocking(ns(4));
    let response = Evidence::Response { task: 0, response: ns(6), deadline: ns(5) };
    assert_eq!(tightest(&tasks), Verdict::Unproven(response));
    assert!(matches!(earliest_deadline(&tasks, STEPS), Verdict::Unproven(Evidence::Demand { .. })));
}
