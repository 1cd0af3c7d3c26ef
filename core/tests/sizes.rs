//! The byte counts that the docs state. They hold on 64-bit and on 32-bit targets unless the docs say otherwise.

use core::mem::size_of;
use divvy::balance::{Fleet, LeastLoaded, WeightedLeastLoaded};
use divvy::breaker::{Breaker, CountWindow, Pass, Rules, TimeWindow};
use divvy::graph::Dag;
use divvy::hash::Xxh3;
use divvy::lease::{Lease, Leases};
use divvy::limit::{Gcra, Hierarchy, Keyed, Quota, Reservation, SlidingLog};
use divvy::partition::{Even, HashPartition};
use divvy::queue::PriorityQueue;
use divvy::retry::{Backoff, Budget, Hedge, SharedBudget};
use divvy::ring::{Anchor, JumpBack, Maglev};
use divvy::rng::{SplitMix64, Xoshiro256PlusPlus};
use divvy::storage::Inline;
use divvy::{Instant, fixed::Q32};

/// The bytes that one more item costs, from two sizes that both hide the fixed part.
fn each(larger: usize, smaller: usize) -> usize {
    (larger - smaller) / 100
}

#[test]
fn values_are_as_large_as_documented() {
    assert_eq!((size_of::<Instant>(), size_of::<Q32>()), (8, 8));
    assert_eq!((size_of::<SplitMix64>(), size_of::<Xoshiro256PlusPlus>()), (8, 32));
    assert_eq!((size_of::<Even>(), size_of::<HashPartition>()), (24, 16));
    assert_eq!((size_of::<Quota>(), size_of::<Gcra>(), size_of::<Reservation>()), (40, 96, 40));
    assert_eq!((size_of::<Lease>(), size_of::<Backoff>()), (16, 32));
    assert_eq!((size_of::<Budget>(), size_of::<SharedBudget>()), (168, 168));
    #[cfg(target_pointer_width = "64")]
    assert_eq!((size_of::<Xxh3>(), size_of::<Hedge>()), (544, 4_608));
}

#[test]
fn items_cost_what_is_documented() {
    assert_eq!(each(size_of::<Leases<Inline<200>>>(), size_of::<Leases<Inline<100>>>()), 28);
    assert_eq!(
        each(size_of::<PriorityQueue<u64, Inline<200>>>(), size_of::<PriorityQueue<u64, Inline<100>>>()),
        8 + 16
    );
    type Graph<const N: usize, const E: usize> = Dag<Inline<N>, Inline<E>>;
    assert_eq!(each(size_of::<Graph<200, 8>>(), size_of::<Graph<100, 8>>()), 36);
    assert_eq!(each(size_of::<Graph<8, 200>>(), size_of::<Graph<8, 100>>()), 8);
    assert_eq!(each(size_of::<Anchor<Inline<200>>>(), size_of::<Anchor<Inline<100>>>()), 40);
    assert_eq!(each(size_of::<JumpBack<Inline<200>>>(), size_of::<JumpBack<Inline<100>>>()), 28);
    type Table<const N: usize, const M: usize> = Maglev<Inline<N>, Inline<M>>;
    assert_eq!(each(size_of::<Table<200, 251>>(), size_of::<Table<100, 251>>()), 48);
    assert_eq!(each(size_of::<Table<8, 211>>(), size_of::<Table<8, 101>>()), 8 * 110 / 100);
}

#[test]
fn limiters_of_many_cost_what_is_documented() {
    assert_eq!(size_of::<SlidingLog<Inline<100>>>(), 100 * 8 + 32);
    assert_eq!(size_of::<Keyed<Inline<100>>>(), 100 * 24 + 88);
    assert_eq!(each(size_of::<Hierarchy<Inline<200>>>(), size_of::<Hierarchy<Inline<100>>>()), 72);
}

#[test]
fn a_breaker_costs_what_is_documented() {
    assert_eq!((size_of::<Pass>(), size_of::<Rules>()), (16, 128));
    assert_eq!(each(size_of::<CountWindow<Inline<104>>>(), size_of::<CountWindow<Inline<4>>>()), 8);
    assert_eq!(each(size_of::<TimeWindow<Inline<110>>>(), size_of::<TimeWindow<Inline<10>>>()), 12);
    assert!(size_of::<Breaker>() <= 528);
}

#[test]
fn a_fleet_of_eight_fits_a_kibibyte() {
    assert!(size_of::<Fleet<Inline<8>, Inline<8>>>() <= 1_024);
    type Small<const L: usize> = Fleet<Inline<8>, Inline<L>>;
    assert_eq!(each(size_of::<Small<108>>(), size_of::<Small<8>>()), 24);
    type Wide<const M: usize> = Fleet<Inline<M>, Inline<8>>;
    assert_eq!(each(size_of::<Wide<108>>(), size_of::<Wide<8>>()), 84);
    assert_eq!(each(size_of::<LeastLoaded<Inline<108>>>(), size_of::<LeastLoaded<Inline<8>>>()), 20);
    let weighted =
        each(size_of::<WeightedLeastLoaded<Inline<108>>>(), size_of::<WeightedLeastLoaded<Inline<8>>>());
    assert_eq!(weighted, 16);
}

#[test]
fn limits_are_as_large_as_documented() {
    use divvy::limit::{Aimd, Bulkhead, Codel, Gradient, LoadShed, SharedBulkhead, Throttle, Vegas};
    #[cfg(target_pointer_width = "64")]
    assert_eq!(
        [
            size_of::<Aimd>(),
            size_of::<Vegas>(),
            size_of::<Gradient>(),
            size_of::<Codel>(),
            size_of::<LoadShed>()
        ],
        [80, 144, 144, 120, 136]
    );
    assert_eq!(size_of::<SharedBulkhead>(), 8);
    assert_eq!(each(size_of::<Bulkhead<Inline<116>>>(), size_of::<Bulkhead<Inline<16>>>()), 24);
    assert_eq!(each(size_of::<Throttle<Inline<124>>>(), size_of::<Throttle<Inline<24>>>()), 16);
    #[cfg(target_pointer_width = "64")]
    assert_eq!((size_of::<Bulkhead>() - 16 * 24, size_of::<Throttle>() - 24 * 16), (88, 64));
}

#[test]
fn what_schedules_is_as_large_as_documented() {
    use divvy::sched::bottleneck::StageMeter;
    use divvy::sched::capacity::CapacityEstimator;
    use divvy::sched::consolidate::Consolidator;
    use divvy::sched::redistribute::Plan;
    use divvy::sched::{CancelToken, CancelTree};
    assert_eq!((size_of::<CancelToken>(), size_of::<StageMeter>()), (8, 72));
    assert!(size_of::<Consolidator>() <= 152);
    assert_eq!(each(size_of::<CancelTree<Inline<200>>>(), size_of::<CancelTree<Inline<100>>>()), 12);
    assert_eq!(
        each(size_of::<CapacityEstimator<Inline<200>>>(), size_of::<CapacityEstimator<Inline<100>>>()),
        32
    );
    assert_eq!(each(size_of::<Plan<Inline<200>>>(), size_of::<Plan<Inline<100>>>()), 20);
}
