//! What every public type can do, whichever features are on: a change here is a change for those who use them.

use divvy::Instant;
use divvy::balance::{
    Balancer, Config, ConfigError, Fleet, FleetError, LeastLoaded, LeastResponseTime, Member, MemberId,
    Outlier, OutlierConfig, P2c, Refusal, RoundRobin, SharedBalancer, SlowStart, Swept, Synced,
    WeightedLeastLoaded,
};
use divvy::breaker;
use divvy::fixed::Q32;
use divvy::graph::{ConnectError, Dag, NodeError, NodeId, NodeState};
use divvy::hash::Xxh3;
use divvy::lease::{Lease, Leases, NoSlot, Stale};
use divvy::limit::{
    Admit, Crowded, Gcra, Hierarchy, Keyed, KeyedStats, LevelError, LevelId, OverBurst, Passage, Quota,
    QuotaError, Refund, Reservation, ReserveError, SlidingLog, WindowError,
};
use divvy::partition::{Even, HashPartition};
use divvy::queue::{CapacityError, Deque, Mpmc, PriorityQueue, Steal};
use divvy::retry::{
    Backoff, BackoffError, Budget, BudgetConfig, BudgetError, BudgetStats, Hedge, HedgeConfig, HedgeError,
    HedgeStats, HedgeStep, NoHedge, Retry, SharedBudget, Spend,
};
use divvy::ring::{
    Algorithm, Anchor, ChangeError, JumpBack, Maglev, Node, Progress, TableError, UnknownAlgorithm,
};
use divvy::rng::{SplitMix64, Xoshiro256PlusPlus};
use divvy::sched::{EventCount, Parking, Scheduler, Source, Wake, WorkerStats};
use divvy::storage::{Full, Inline};
use std::error::Error;
use std::fmt::Debug;

fn moves<T: Send + Debug>() {}
fn is_shared<T: Send + Sync + Debug>() {}
fn is_plain<T: Copy + Send + Sync + Debug + PartialEq>() {}
fn is_error<T: Error + Copy + PartialEq + Send + Sync + 'static>() {}

#[test]
fn values_are_plain() {
    is_plain::<(Instant, Q32, SplitMix64, Xoshiro256PlusPlus)>();
    is_plain::<(Even, HashPartition, Lease, Backoff, Quota, Gcra, NodeId, NodeState)>();
    is_plain::<(Config, SlowStart, OutlierConfig, Swept, Synced, Member, MemberId)>();
    is_plain::<(Admit, Retry, Steal<u8>, Source, Wake, Parking, WorkerStats)>();
    is_plain::<(Algorithm, Node, Progress)>();
    is_plain::<(Crowded, KeyedStats, LevelId, Passage, Refund)>();
    is_plain::<(Budget, BudgetConfig, BudgetStats, Spend)>();
    is_plain::<(HedgeConfig, HedgeStats, HedgeStep, NoHedge)>();
}

#[test]
fn what_a_breaker_says_is_plain() {
    is_plain::<(breaker::Config, breaker::Rules, breaker::Confidence, breaker::Outcome, breaker::Pass)>();
    is_plain::<(breaker::Admit, breaker::State, breaker::Cause, breaker::Counts, breaker::Transition)>();
    is_plain::<breaker::Stats>();
    is_error::<breaker::ConfigError>();
    is_error::<breaker::WindowError>();
    is_error::<breaker::Rejection>();
    is_error::<breaker::Stale>();
    moves::<breaker::Breaker>();
}

#[test]
fn refusals_are_errors() {
    is_error::<ConfigError>();
    is_error::<FleetError>();
    is_error::<Refusal>();
    is_error::<Full<u8>>();
    is_error::<ConnectError>();
    is_error::<NodeError>();
    is_error::<NoSlot>();
    is_error::<Stale>();
    is_error::<QuotaError>();
    is_error::<OverBurst>();
    is_error::<ReserveError>();
    is_error::<WindowError>();
    is_error::<LevelError>();
    is_error::<BackoffError>();
    is_error::<BudgetError>();
    is_error::<HedgeError>();
    is_error::<CapacityError>();
    is_error::<ChangeError>();
    is_error::<TableError>();
    is_error::<UnknownAlgorithm>();
}

#[test]
fn single_owner_structures_move_and_shared_ones_are_shared() {
    moves::<(Dag<Inline<2>, Inline<2>>, Xxh3, Leases<Inline<2>>, PriorityQueue<u8, Inline<2>>)>();
    moves::<(Maglev<Inline<2>, Inline<251>>, Anchor<Inline<2>>, JumpBack<Inline<2>>)>();
    moves::<(Fleet<Inline<2>, Inline<2>>, Balancer<P2c, Inline<2>, Inline<2>>, Outlier<Inline<2>>)>();
    moves::<(RoundRobin, LeastResponseTime, LeastLoaded<Inline<2>>, WeightedLeastLoaded<Inline<2>>)>();
    moves::<Hedge>();
    is_shared::<SharedBudget>();
    moves::<(SlidingLog<Inline<2>>, Keyed<Inline<4>>, Hierarchy<Inline<2>>, Reservation)>();
    is_shared::<SharedBalancer<Inline<2>>>();
    is_shared::<Deque<u8, Inline<2>>>();
    is_shared::<Mpmc<u8, Inline<2>>>();
    is_shared::<EventCount<Inline<2>>>();
    is_shared::<Scheduler<u8, Inline<2>, Inline<2>, Inline<2>>>();
}

#[cfg(feature = "defmt")]
#[test]
fn values_and_refusals_can_be_logged_on_a_chip() {
    fn is_logged<T: defmt::Format>() {}
    is_logged::<(Instant, Q32, SplitMix64, Xoshiro256PlusPlus)>();
    is_logged::<(Even, HashPartition, Lease, Backoff, Quota, Gcra)>();
    is_logged::<(NodeId, NodeState, Admit, Retry, Steal<u8>)>();
    is_logged::<(Source, Wake, Parking, WorkerStats)>();
    is_logged::<(ConnectError, NodeError, NoSlot, Stale)>();
    is_logged::<(Algorithm, Node, Progress, ChangeError, TableError, UnknownAlgorithm)>();
    is_logged::<(Budget, BudgetConfig, BudgetStats, Spend, BudgetError)>();
    is_logged::<(HedgeConfig, HedgeStats, HedgeStep, NoHedge, HedgeError)>();
    is_logged::<(Crowded, KeyedStats, LevelId, Passage, Refund, Reservation)>();
    is_logged::<(OverBurst, ReserveError, WindowError, LevelError)>();
    is_logged::<(QuotaError, BackoffError, CapacityError, Full<u8>)>();
}

#[cfg(feature = "rand_core-0_10")]
#[test]
fn generators_of_rand_core_serve() {
    use divvy::rng::{FromRandCore, Rng};

    struct Counter(u64);
    impl rand_core::TryRng for Counter {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.try_next_u64().map(|word| word as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.0 += 1 << 62;
            Ok(self.0)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            unreachable!("the adapter asks for words")
        }
    }
    let mut rng = FromRandCore(Counter(0));
    assert_eq!([rng.below(4), rng.below(4), rng.below(4)], [1, 2, 3]);
}

#[test]
fn limits_and_gates_can_do_what_others_can() {
    use divvy::limit::{
        Admission, Aimd, Bounds, Bulkhead, BulkheadStats, Codel, CodelError, CodelStats, Criticality,
        Gradient, Law, LimitError, LoadShed, LoadShedError, LoadShedStats, Order, Permit, Sample,
        SharedBulkhead, Throttle, ThrottleConfig, ThrottleError, ThrottleStats, Vegas, Verdict,
    };
    is_plain::<(Aimd, Bounds, Vegas, Gradient, Sample, Admission, BulkheadStats, Codel, CodelStats)>();
    is_plain::<(Criticality, Law, LoadShed, LoadShedStats, Order, ThrottleConfig, ThrottleStats, Verdict)>();
    is_error::<LimitError>();
    is_error::<CodelError>();
    is_error::<LoadShedError>();
    is_error::<ThrottleError>();
    moves::<(Bulkhead<Inline<2>>, Throttle<Inline<2>>)>();
    is_shared::<(SharedBulkhead, Permit<'static>)>();
}

#[test]
fn what_schedules_can_do_what_others_can() {
    use divvy::sched::bottleneck::{Bottleneck, StageFigures, StageMeter, StageWindow};
    use divvy::sched::capacity::{CapacityEstimator, Estimate, UnknownWorker};
    use divvy::sched::consolidate::{ConsolidateConfig, ConsolidateError, Consolidator};
    use divvy::sched::redistribute::{End, Move, Plan, PlanError, Rules, Summary};
    use divvy::sched::{
        CancelError, CancelScope, CancelToken, CancelTree, Cancelled, Groups, GroupsError, StealPolicy,
        SubmitError, Take, Victim,
    };
    is_plain::<(StealPolicy, Victim, Take, Groups, CancelToken, Estimate, ConsolidateConfig)>();
    is_plain::<(StageWindow, StageFigures, Bottleneck, Rules<'static>, Summary, End, Move)>();
    is_error::<SubmitError<u8>>();
    is_error::<Cancelled<u8>>();
    is_error::<CancelError>();
    is_error::<GroupsError>();
    is_error::<UnknownWorker>();
    is_error::<ConsolidateError>();
    is_error::<PlanError>();
    is_shared::<(CancelTree<Inline<2>>, CancelScope<'static, Inline<2>>)>();
    moves::<(CapacityEstimator<Inline<2>>, Plan<Inline<2>>, StageMeter, Consolidator)>();
    moves::<divvy::sched::Worker<'static, u8, Inline<2>, Inline<2>, Inline<2>>>();
}
