//! Futures, on tokio's timer while it is paused.

use crate::bed::{MILLI, SECOND, backoff, rules};
use divvy::breaker::{Rejection, State};
use divvy_host::call::{Call, CallError, Class, Refusal, Stop};
use std::cell::Cell;
use std::future::pending;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_after_a_wait() {
    let call = Call::new().retry(backoff(4));
    let (began, calls) = (Instant::now(), Cell::new(0));
    let answer = call.run_async(|| async {
        calls.set(calls.get() + 1);
        if calls.get() < 4 { Err("reset") } else { Ok(calls.get()) }
    });
    assert_eq!(answer.await, Ok(4));
    assert!(began.elapsed() <= 30 * MILLI + 3 * MILLI);
    assert_eq!((call.stats().attempts, call.stats().retries), (4, 3));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_a_failure_that_may_pass() {
    let call = Call::new().attempt_timeout(50 * MILLI).retry(backoff(2)).breaker(rules(3)).bulkhead(1);
    let began = Instant::now();
    let answer = call.run_async(pending::<Result<(), ()>>).await;
    assert_eq!(answer, Err(CallError::GaveUp { attempts: 2, why: Stop::Attempts, last: None }));
    assert!(began.elapsed() >= 100 * MILLI && began.elapsed() < 120 * MILLI);
    // The third in a row opens the breaker.
    let answer = call.run_async(pending::<Result<(), ()>>).await;
    let why = Stop::Refused(Refusal::Breaker(Rejection::Open));
    assert_eq!(answer, Err(CallError::GaveUp { attempts: 1, why, last: None }));
    assert_eq!((call.stats().timed_out, call.in_flight()), (3, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn the_time_out_of_the_call_bounds_all_of_it() {
    let call =
        Call::new().timeout(75 * MILLI).attempt_timeout(50 * MILLI).retry(backoff(9)).breaker(rules(2));
    let began = Instant::now();
    let answer = call.run_async(pending::<Result<(), ()>>).await;
    assert_eq!(answer, Err(CallError::GaveUp { attempts: 2, why: Stop::Time, last: None }));
    assert!(began.elapsed() >= 75 * MILLI && began.elapsed() < 77 * MILLI, "{:?}", began.elapsed());
    // The second attempt had 25 ms at most, which says nothing.
    assert_eq!(call.breaker_state(), Some(State::Closed));
    // The first of a call has all the time there is.
    let call = Call::new().timeout(75 * MILLI).breaker(rules(1));
    assert_eq!(call.run_async(pending::<Result<(), ()>>).await, Err(CallError::TimedOut));
    assert!(matches!(call.breaker_state(), Some(State::Open { .. })));
}

#[tokio::test(start_paused = true)]
async fn slow_answers_are_counted_by_the_breakers_own_clock() {
    let config = divvy::breaker::Config::empty()
        .slow_rate(100 * MILLI, divvy::fixed::Q32::ONE)
        .minimum(3)
        .build()
        .expect("it is valid");
    let call = Call::new().breaker(config);
    for _ in 0..3 {
        assert_eq!(call.breaker_state(), Some(State::Closed));
        let answer = call.run_async(|| async {
            sleep(101 * MILLI).await;
            Ok::<_, ()>(1)
        });
        assert_eq!(answer.await, Ok(1));
    }
    assert!(matches!(call.breaker_state(), Some(State::Open { .. })));
}

#[tokio::test(start_paused = true)]
async fn answers_are_classified_as_those_of_closures_are() {
    let call = Call::new().retry(backoff(3));
    let status =
        |answer: &Result<u16, ()>| if *answer == Ok(503) { Class::Transient } else { Class::Success };
    assert_eq!(call.classified(status).run_async(|| async { Ok(503) }).await, Ok(503));
    assert_eq!(call.classified(status).run_async(|| async { Ok(200) }).await, Ok(200));
    assert_eq!(call.stats().attempts, 4);
    let ignore = |_: &Result<(), u8>| Class::Ignored;
    assert_eq!(call.classified(ignore).run_async(|| async { Err(4) }).await, Err(CallError::Failed(4)));
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_holds_while_a_future_runs() {
    let call = Call::new().bulkhead(2);
    let slow = || async {
        sleep(SECOND).await;
        Ok::<_, ()>(())
    };
    let (a, b, c) = tokio::join!(call.run_async(slow), call.run_async(slow), call.run_async(slow));
    assert_eq!((a, b), (Ok(()), Ok(())));
    assert!(matches!(c, Err(CallError::Refused(refused)) if refused.why == Refusal::Bulkhead));
    assert_eq!(call.in_flight(), Some(0));
}

/// What a server spawns must be `Send`.
#[tokio::test(start_paused = true)]
async fn a_call_can_be_spawned() {
    let hedge = divvy::retry::HedgeConfig::new();
    let call = Call::new().breaker(rules(3)).bulkhead(9).retry(backoff(3)).timeout(SECOND).hedge(hedge);
    let call = std::sync::Arc::new(call.expect("it is valid"));
    let task = tokio::spawn({
        let call = std::sync::Arc::clone(&call);
        async move { call.run_async(|| async { Ok::<_, String>(String::from("pong")) }).await }
    });
    assert_eq!(task.await.expect("it does not panic"), Ok("pong".into()));
}
