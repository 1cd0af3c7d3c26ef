//! Closures.

use crate::bed::{MILLI, SECOND, backoff, budget, by_hand, count, rules};
use divvy::breaker::{Rejection, State};
use divvy::limit::Quota;
use divvy::retry::Backoff;
use divvy_host::call::{Call, CallError, Class, Refusal, Refused, Stop};
use std::cell::Cell;

/// Fails so often, then counts up.
fn flaky(failures: u32) -> impl FnMut() -> Result<u32, &'static str> {
    let mut calls = 0;
    move || {
        calls += 1;
        if calls <= failures { Err("reset") } else { Ok(calls) }
    }
}

#[test]
fn without_any_protection_it_is_the_function_itself() {
    assert_eq!(Call::new().run(flaky(0)), Ok(1));
    assert_eq!(Call::default().run(flaky(1)), Err(CallError::Failed("reset")));
}

#[test]
fn what_may_pass_is_tried_again_after_a_wait() {
    let (call, clock) = by_hand();
    let call = call.retry(backoff(4));
    assert_eq!(call.run(flaky(3)), Ok(4));
    assert!(!clock.elapsed().is_zero() && clock.elapsed() <= 30 * MILLI, "{:?}", clock.elapsed());
    let why = Stop::Attempts;
    assert_eq!(call.run(flaky(4)), Err(CallError::GaveUp { attempts: 4, why, last: Some("reset") }));
    assert_eq!((call.stats().attempts, call.stats().retries), (8, 6));
}

#[test]
fn waits_come_from_the_seed() {
    let elapsed = |seed| {
        let (call, clock) = by_hand();
        assert!(call.seed(seed).retry(backoff(4)).run(flaky(3)).is_ok());
        clock.elapsed()
    };
    assert_eq!(elapsed(7), elapsed(7));
    assert_ne!(elapsed(7), elapsed(8));
}

#[test]
fn what_will_not_pass_is_not_tried_again_and_what_says_nothing_is_not_counted() {
    let (call, _) = by_hand();
    let call = call.retry(backoff(4)).breaker(rules(2));
    let class = |result: &Result<u32, u32>| match result {
        Err(404) => Class::Ignored,
        Err(501) => Class::Permanent,
        Err(_) => Class::Transient,
        Ok(_) => Class::Success,
    };
    let calls = Cell::new(0);
    let answer = |status| {
        calls.set(calls.get() + 1);
        call.classified(class).run(|| Err(status))
    };
    for _ in 0..9 {
        assert_eq!(answer(404), Err(CallError::Failed(404)));
    }
    assert_eq!((calls.get(), call.breaker_state()), (9, Some(State::Closed)));
    assert_eq!(answer(501), Err(CallError::Failed(501)));
    assert_eq!(answer(501), Err(CallError::Failed(501)));
    assert!(matches!(call.breaker_state(), Some(State::Open { .. })));
    assert_eq!(call.stats().attempts, 11);
}

#[test]
fn an_ok_that_is_a_failure_is_tried_again_and_returned_in_the_end() {
    let (call, _) = by_hand();
    let call = call.retry(backoff(3));
    let busy = |result: &Result<u32, ()>| if *result == Ok(503) { Class::Transient } else { Class::Success };
    assert_eq!(call.classified(busy).run(|| Ok(503)), Ok(503));
    assert_eq!(call.stats().attempts, 3);
}

#[test]
fn an_open_breaker_refuses_and_says_for_how_long_and_a_probe_closes_it() {
    let (call, clock) = by_hand();
    let call = call.breaker(rules(2));
    for _ in 0..2 {
        assert_eq!(call.run(flaky(1)), Err(CallError::Failed("reset")));
    }
    clock.pass(400 * MILLI);
    let refused = Refused { why: Refusal::Breaker(Rejection::Open), retry_after: Some(600 * MILLI) };
    assert_eq!(call.run(flaky(0)), Err(CallError::Refused(refused)));
    clock.pass(600 * MILLI);
    assert_eq!(call.run(flaky(0)), Ok(1));
    assert_eq!(call.breaker_state(), Some(State::Closed));
    assert_eq!((call.stats().attempts, call.stats().refused), (3, 1));
}

#[test]
fn nobody_waits_for_a_breaker_that_stays_open() {
    let (call, clock) = by_hand();
    let call = call.breaker(rules(2)).retry(backoff(9));
    let why = Stop::Refused(Refusal::Breaker(Rejection::Open));
    assert_eq!(call.run(flaky(9)), Err(CallError::GaveUp { attempts: 2, why, last: Some("reset") }));
    assert!(clock.elapsed() <= 10 * MILLI);
}

#[test]
fn a_refusal_of_the_rate_gives_back_the_probe_and_the_place() {
    let (call, clock) = by_hand();
    // One call in 1.5 s; open for 1 s.
    let call =
        call.breaker(rules(1)).bulkhead(1).rate(Quota::new(count(2), 3 * SECOND).expect("it is valid"));
    assert_eq!(call.run(flaky(1)), Err(CallError::Failed("reset")));
    clock.pass(SECOND);
    let refused = Refused { why: Refusal::Rate, retry_after: Some(500 * MILLI) };
    for _ in 0..5 {
        assert_eq!(call.run(flaky(0)), Err(CallError::Refused(refused)));
        assert_eq!(call.in_flight(), Some(0));
    }
    clock.pass(500 * MILLI);
    assert_eq!(call.run(flaky(0)), Ok(1));
    assert_eq!(call.breaker_state(), Some(State::Closed));
}

#[test]
fn a_full_bulkhead_refuses_until_a_guard_is_dropped() {
    let (call, _) = by_hand();
    let call = call.bulkhead(2);
    let first = call.admit().expect("there are two places");
    let second = call.admit().expect("there is one");
    let refused = Refused { why: Refusal::Bulkhead, retry_after: None };
    assert_eq!(call.run(flaky(0)), Err(CallError::Refused(refused)));
    drop(first);
    assert_eq!(call.run(flaky(0)), Ok(1));
    second.complete(Class::Success);
    assert_eq!((call.in_flight(), call.stats().dropped), (Some(0), 1));
}

#[test]
fn a_spent_budget_ends_the_retries() {
    let (call, _) = by_hand();
    let call = call.retry(backoff(9)).budget(budget(3));
    let why = Stop::Budget;
    assert_eq!(call.run(flaky(9)), Err(CallError::GaveUp { attempts: 4, why, last: Some("reset") }));
    assert_eq!(call.run(flaky(9)), Err(CallError::GaveUp { attempts: 1, why, last: Some("reset") }));
    let unbounded = by_hand().0.retry(backoff(9)).without_budget();
    assert_eq!(unbounded.run(flaky(8)), Ok(9));
}

#[test]
fn no_attempt_begins_after_the_time_out() {
    let (call, clock) = by_hand();
    let call = call.retry(backoff(99)).timeout(50 * MILLI).without_budget();
    let result = call.run(|| {
        clock.pass(20 * MILLI);
        Err::<(), _>("reset")
    });
    let Err(CallError::GaveUp { attempts, why: Stop::Time, last: Some("reset") }) = result else {
        panic!("{result:?}");
    };
    assert!((2..=3).contains(&attempts), "{attempts}");
    assert!(clock.elapsed() < 70 * MILLI);
}

#[test]
fn the_messages_say_what_happened() {
    let (call, clock) = by_hand();
    let call = call.retry(backoff(2)).breaker(rules(3));
    let message = |result: Result<u32, CallError<&'static str>>| match result {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    };
    assert_eq!(
        message(call.run(flaky(9))),
        "given up after 2 attempts, because no attempt is left; the last one: reset"
    );
    assert_eq!(call.run(flaky(9)).map_err(CallError::into_last), Err(Some("reset")));
    assert_eq!(
        message(call.run(flaky(9))),
        "not called: the breaker is open; answer from elsewhere until it lets probes through (at the earliest in 1s)"
    );
    drop(clock);
}

#[test]
fn without_a_retry_the_longest_back_off_is_no_matter() {
    let endless = Backoff::new(SECOND, 1_000 * SECOND).expect("it is valid");
    let (call, clock) = by_hand();
    let call = call.retry(endless).timeout(SECOND);
    assert!(call.run(flaky(99)).is_err());
    assert!(clock.elapsed() <= SECOND);
}
