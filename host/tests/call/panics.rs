//! A caller's own code that panics.

use crate::bed::{SECOND, by_hand, rules};
use divvy::breaker::{Outcome, State};
use divvy_host::call::{Call, CallError, Class};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn panics(call: &Call) {
    let result = catch_unwind(AssertUnwindSafe(|| call.run(|| -> Result<(), ()> { panic!("on purpose") })));
    assert!(result.is_err());
}

#[test]
fn a_panic_counts_as_a_failure_and_gives_everything_back() {
    let (call, clock) = by_hand();
    let call = call.bulkhead(1).breaker(rules(2));
    panics(&call);
    panics(&call);
    assert!(matches!(call.breaker_state(), Some(State::Open { .. })));
    // The probe panics too; the next one is not kept waiting for it.
    clock.pass(SECOND);
    panics(&call);
    clock.pass(SECOND);
    assert_eq!(call.run(|| Ok::<_, ()>(1)), Ok(1));
    assert_eq!((call.in_flight(), call.breaker_state()), (Some(0), Some(State::Closed)));
    assert_eq!((call.stats().panicked, call.stats().dropped), (3, 0));
}

#[test]
fn a_panic_counts_as_was_chosen() {
    let (call, _) = by_hand();
    let call = call.breaker(rules(1)).when_panicked(Outcome::Ignored);
    panics(&call);
    assert_eq!(call.breaker_state(), Some(State::Closed));
}

#[test]
fn a_panic_of_the_classification_is_the_callers_too() {
    let (call, _) = by_hand();
    let call = call.bulkhead(1).breaker(rules(1));
    let class = |_: &Result<(), ()>| -> Class { panic!("on purpose") };
    assert!(catch_unwind(AssertUnwindSafe(|| call.classified(class).run(|| Ok(())))).is_err());
    assert_eq!((call.in_flight(), call.stats().panicked), (Some(0), 1));
    assert!(matches!(call.run(|| Ok::<_, ()>(())), Err(CallError::Refused(_))));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_gives_everything_back() {
    let call = std::sync::Arc::new(Call::new().bulkhead(1).breaker(rules(1)).timeout(SECOND));
    for before in [true, false] {
        let held = std::sync::Arc::clone(&call);
        let task = tokio::spawn(async move {
            held.run_async(|| {
                assert!(!before, "on purpose, before there is a future");
                async {
                    tokio::task::yield_now().await;
                    panic!("on purpose, in the future")
                }
            })
            .await
            .map_err(|_: CallError<()>| ())
            .map(|(): ()| ())
        });
        assert!(task.await.is_err_and(|error| error.is_panic()));
        assert_eq!(call.in_flight(), Some(0));
        assert!(matches!(call.breaker_state(), Some(State::Open { .. })));
        tokio::time::advance(SECOND).await;
    }
    assert_eq!((call.stats().panicked, call.stats().dropped), (2, 0));
    assert_eq!(call.run_async(|| async { Ok::<_, ()>(7) }).await, Ok(7));
}
