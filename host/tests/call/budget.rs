//! One budget for several callers, and for retries and hedges.

use crate::bed::{MILLI, SECOND, backoff, budget, by_hand, count};
use divvy::retry::{BudgetConfig, HedgeConfig, SharedBudget};
use divvy_host::call::{Call, CallError, Stop};
use std::sync::Arc;
use tokio::time::sleep;

#[test]
fn two_callers_spend_one_budget() {
    let shared = budget(5);
    let (one, other) = (by_hand().0, by_hand().0);
    let one = one.retry(backoff(4)).budget(Arc::clone(&shared));
    let other = other.retry(backoff(9)).budget(shared);
    let fails = || Err::<(), _>("reset");
    assert!(matches!(one.run(fails), Err(CallError::GaveUp { attempts: 4, why: Stop::Attempts, .. })));
    assert!(matches!(other.run(fails), Err(CallError::GaveUp { attempts: 3, why: Stop::Budget, .. })));
    assert!(matches!(one.run(fails), Err(CallError::GaveUp { attempts: 1, why: Stop::Budget, .. })));
}

/// Four threads, a service that is down, and a fifth of the load on top of it. tower-resilience #370, PR #411: counts that
/// are loaded and stored apart grant more than that.
#[test]
fn threads_that_share_a_call_retry_no_more_than_the_budget_allows_tower_resilience_370() {
    let config = BudgetConfig::new().share(1, 5).floor(0).ttl(10 * SECOND);
    let shared = Arc::new(SharedBudget::new(config).expect("it is valid"));
    let (call, _) = by_hand();
    let call = call
        .retry(divvy::retry::Backoff::new(MILLI / 1_000, MILLI / 1_000).expect("it is valid"))
        .budget(shared);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    assert!(call.run(|| Err::<(), _>("down")).is_err());
                }
            });
        }
    });
    assert_eq!((call.stats().attempts, call.stats().retries), (1_200, 200));
}

#[tokio::test(start_paused = true)]
async fn retries_and_hedges_spend_the_same() {
    let hedge = HedgeConfig::new().initial(10 * MILLI).samples(count(1_000));
    let call = Call::new().retry(backoff(9)).budget(budget(3)).hedge(hedge).expect("it is valid");
    // Two hedges, one for each of two calls.
    for _ in 0..2 {
        let answer = call.run_async(|| async {
            sleep(15 * MILLI).await;
            Ok::<_, ()>(1)
        });
        assert_eq!(answer.await, Ok(1));
    }
    assert_eq!(call.stats().hedges, 2);
    // That leaves one retry.
    let answer = call.run_async(|| async { Err::<(), _>("reset") }).await;
    assert_eq!(answer, Err(CallError::GaveUp { attempts: 2, why: Stop::Budget, last: Some("reset") }));
    let answer = call.run_async(|| async {
        sleep(15 * MILLI).await;
        Ok::<_, ()>(1)
    });
    assert_eq!(answer.await, Ok(1));
    assert_eq!((call.stats().hedges, call.stats().retries), (2, 1));
    assert_eq!(call.hedge_stats().map(|stats| (stats.sent, stats.refused)), Some((2, 1)));
}
