//! Futures that are dropped before they have an answer: nothing stays taken, and no breaker waits.

use crate::bed::{MILLI, SECOND, backoff, rules};
use divvy::breaker::{Outcome, State};
use divvy::retry::HedgeConfig;
use divvy_host::call::Call;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use tokio::task::yield_now;
use tokio::time::{advance, sleep};

/// Polls `future` so many times, then drops it. Whether it had ended before.
async fn polled<F: Future>(future: F, times: u32) -> bool {
    let mut future = pin!(future);
    for _ in 0..times {
        let ended = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if ended {
            return true;
        }
        // Timers are due, and everybody else has had a turn.
        advance(4 * MILLI).await;
        yield_now().await;
    }
    false
}

/// Fails twice after three awaits each, then succeeds.
async fn call_flaky(call: &Call) -> Option<u32> {
    let calls = std::cell::Cell::new(0);
    let answer = call.run_async(|| {
        calls.set(calls.get() + 1);
        let failed = calls.get() < 3;
        async move {
            yield_now().await;
            sleep(7 * MILLI).await;
            yield_now().await;
            if failed { Err(()) } else { Ok(1) }
        }
    });
    answer.await.ok()
}

/// resilience4j #903, #935, #1389, #1568 and getnora-io/nora #585: a permit of a half-open breaker that was lost with its
/// caller was never given back.
#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_at_any_await_gives_everything_back_resilience4j_903() {
    let mut times = 0;
    loop {
        let hedge = HedgeConfig::new().initial(5 * MILLI);
        let call = Call::new().breaker(rules(1)).bulkhead(1).retry(backoff(3)).attempt_timeout(SECOND);
        let call = call.hedge(hedge).expect("it is valid");
        // Open, then half-open with a single probe.
        assert!(call.run_async(|| async { Err::<(), _>(()) }).await.is_err());
        advance(SECOND).await;
        assert_eq!(call.breaker_state(), Some(State::HalfOpen));
        let ended = polled(call_flaky(&call), times).await;
        assert_eq!(call.in_flight(), Some(0), "dropped after {times} polls");
        if call.breaker_state() != Some(State::HalfOpen) {
            // The probe had failed by then, which opened it again.
            assert!(matches!(call.breaker_state(), Some(State::Open { .. })), "dropped after {times} polls");
            advance(SECOND).await;
        }
        assert_eq!(call.run_async(|| async { Ok::<_, ()>(1) }).await, Ok(1), "dropped after {times} polls");
        assert_eq!(call.breaker_state(), Some(State::Closed));
        if ended {
            break;
        }
        times += 1;
    }
    assert!(times > 3, "it was dropped at every await: {times}");
}

/// The same with everything under way: an attempt and its hedge, waits, and further attempts.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_at_any_await_gives_everything_back() {
    let mut times = 0;
    let (mut most, mut hedges) = (0, 0);
    loop {
        let hedge = HedgeConfig::new().initial(2 * MILLI);
        let call = Call::new().breaker(rules(9)).bulkhead(2).retry(backoff(9)).timeout(SECOND);
        let call = call.hedge(hedge).expect("it is valid").without_budget();
        let ended = polled(call_flaky(&call), times).await;
        assert_eq!(call.in_flight(), Some(0), "dropped after {times} polls");
        assert_eq!(call.run_async(|| async { Ok::<_, ()>(1) }).await, Ok(1), "dropped after {times} polls");
        most = most.max(call.stats().attempts);
        hedges = hedges.max(call.stats().hedges);
        if ended {
            break;
        }
        times += 1;
    }
    assert!(times > 3 && most >= 3 && hedges >= 1, "{times} polls, {most} attempts, {hedges} hedges");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_counts_as_was_chosen() {
    let drop_one = async |call: &Call| {
        let long = call.run_async(|| async {
            sleep(SECOND).await;
            Ok::<_, ()>(())
        });
        assert!(!polled(long, 2).await);
    };
    let call = Call::new().breaker(rules(1));
    drop_one(&call).await;
    assert_eq!((call.breaker_state(), call.stats().dropped), (Some(State::Closed), 1));
    let call = Call::new().breaker(rules(1)).when_dropped(Outcome::Failure);
    drop_one(&call).await;
    assert!(matches!(call.breaker_state(), Some(State::Open { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_never_polled_holds_nothing() {
    let call = Call::new().bulkhead(1).breaker(rules(1));
    drop(call.run_async(|| async { Ok::<_, ()>(()) }));
    assert_eq!((call.stats().attempts, call.in_flight()), (0, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_gives_everything_back() {
    let call = std::sync::Arc::new(Call::new().bulkhead(1).breaker(rules(1)));
    let task = tokio::spawn({
        let call = std::sync::Arc::clone(&call);
        async move { call.run_async(std::future::pending::<Result<(), ()>>).await }
    });
    yield_now().await;
    assert_eq!(call.in_flight(), Some(1));
    task.abort();
    assert!(task.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!((call.in_flight(), call.breaker_state()), (Some(0), Some(State::Closed)));
}
