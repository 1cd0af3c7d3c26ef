use super::*;
use crate::rng::SplitMix64;
use crate::sched::realtime::{OnMiss, OnOverrun, Policy};
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use std::vec::Vec;

fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

fn task(wcet: u64, period: u64) -> Task {
    Task::new(ns(wcet), ns(period)).unwrap()
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

type Small = Deadline<Inline<4>, Inline<2>, Inline<4>>;

fn run(sim: &mut Deadline<impl Storage, impl Storage, impl Storage>, until: u64) -> Vec<Event> {
    let mut rng = SplitMix64::seed(3);
    core::iter::from_fn(|| sim.advance(at(until), &mut rng)).collect()
}

#[test]
fn a_preemption_by_hand() {
    let mut sim = Deadline::<Inline<2>, Inline<1>, Inline<8>>::new(Config::new(Policy::EarliestDeadline));
    sim.insert(task(6, 20)).unwrap();
    sim.insert(task(2, 5).offset(ns(1))).unwrap();
    run(&mut sim, 12);
    let bars: Vec<_> =
        sim.segments().map(|bar| (bar.task, bar.from.as_nanos(), bar.to.as_nanos(), bar.end)).collect();
    assert_eq!(
        bars,
        [
            (0, 0, 1, End::Preempted),
            (1, 1, 3, End::Met),
            (0, 3, 6, End::Preempted),
            (1, 6, 8, End::Met),
            (0, 8, 10, End::Met)
        ]
    );
    assert_eq!(
        sim.activity(0),
        Some(Activity::Running { task: 1, number: 2, since: at(11), until: at(13), deadline: at(16) })
    );
    assert_eq!(sim.core_stats(0).unwrap().busy, ns(11));
    assert_eq!(sim.core_stats(0).unwrap().preemptions, 2);
}

#[test]
fn the_oldest_bars_are_forgotten() {
    let mut sim = Small::new(Config::new(Policy::EarliestDeadline));
    sim.insert(task(1, 2)).unwrap();
    run(&mut sim, 20);
    let starts: Vec<_> = sim.segments().map(|bar| bar.from.as_nanos()).collect();
    assert_eq!((starts, sim.segments_ended()), (std::vec![12, 14, 16, 18], 10));
    assert!(format_is_short(&sim));
}

fn format_is_short(sim: &Small) -> bool {
    std::format!("{sim:?}").contains("EarliestDeadline")
}

#[test]
fn jobs_that_run_too_long_are_reported_or_cut() {
    let late = Config::new(Policy::FixedPriority).execution(150, 150);
    for (config, completed, missed, aborted) in [
        (late, 5, 5, 0),
        (late.on_overrun(OnOverrun::Abort), 0, 5, 5),
        (late.on_miss(OnMiss::Abort), 0, 5, 5),
        (late.on_miss(OnMiss::SkipNext), 4, 4, 0),
    ] {
        let mut sim = Deadline::<Inline<2>, Inline<1>, Inline<8>>::new(config);
        // 9 to run, cut at 6 or at the deadline 8.
        sim.insert(task(6, 10).deadline(ns(8))).unwrap();
        run(&mut sim, if config.on_miss == OnMiss::SkipNext { 79 } else { 49 });
        let stats = sim.task_stats(0).unwrap();
        assert_eq!(
            (stats.completed, stats.missed, stats.aborted),
            (completed, missed, aborted),
            "{config:?}"
        );
        assert_eq!(stats.skipped, if config.on_miss == OnMiss::SkipNext { 4 } else { 0 });
        assert!(stats.overruns >= 4);
    }
}

#[cfg(feature = "alloc")]
#[test]
fn both_storages_and_both_ways_to_move_the_clock_agree() {
    let config = Config::new(Policy::EarliestDeadline).execution(90, 190).gap(50).on_miss(OnMiss::SkipNext);
    let tasks = [task(3, 7), task(5, 11).jitter(ns(4)), task(4, 9).sporadic(), task(6, 13).deadline(ns(20))];
    let mut inline = Deadline::<Inline<4>, Inline<2>, Inline<4>>::new(config);
    let mut heap = Deadline::<Heap, Heap, Heap>::with_capacity(config, 2, 4, 4, 4);
    for task in tasks {
        inline.insert(task).unwrap();
        heap.insert(task).unwrap();
    }
    let stepped = run(&mut inline, 2_000);
    let mut rng = SplitMix64::seed(3);
    let mut other = Vec::new();
    for now in 0..=2_000 {
        other.extend(core::iter::from_fn(|| heap.advance(at(now), &mut rng)));
    }
    assert_eq!(stepped, other);
    assert!(inline.segments().eq(heap.segments()));
    assert!(inline.stats().eq(heap.stats()));
    let stats = inline
        .stats()
        .fold((0, 0, 0), |sum, task| (sum.0 + task.missed, sum.1 + task.skipped, sum.2 + task.overruns));
    assert!(stats.0 > 0 && stats.1 > 0 && stats.2 > 0, "{stats:?}");
}

#[test]
fn sizes_are_as_documented() {
    if size_of::<usize>() == 8 {
        let base = size_of::<Small>();
        let place = size_of::<Deadline<Inline<5>, Inline<2>, Inline<4>>>() - base;
        let core = size_of::<Deadline<Inline<4>, Inline<3>, Inline<4>>>() - base;
        let segment = size_of::<Deadline<Inline<4>, Inline<2>, Inline<5>>>() - base;
        assert_eq!((place, core, segment, size_of::<Deadline>()), (240, 88, 32, 4_256));
    }
}
