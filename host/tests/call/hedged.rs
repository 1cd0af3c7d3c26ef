//! A second attempt while the first one runs.

use crate::bed::{MILLI, SECOND, backoff, count, rules};
use divvy::breaker::State;
use divvy::limit::Quota;
use divvy::retry::{HedgeConfig, HedgeError};
use divvy_host::call::{Call, CallError, Stop};
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Hedges after 10 ms and learns nothing.
fn hedged() -> Call {
    let config = HedgeConfig::new().initial(10 * MILLI).samples(count(1_000));
    Call::new().hedge(config).expect("it is valid").bulkhead(2).breaker(rules(2))
}

/// Says when it is dropped.
struct Dropped<'a>(&'a Cell<u32>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// The first attempt takes `first` and gives `answer`; the others take a millisecond and give their number.
async fn run(
    call: &Call,
    first: Duration,
    answer: Result<u32, u32>,
) -> (Result<u32, CallError<u32>>, Duration, u32) {
    let (attempts, dropped) = (Cell::new(0), Cell::new(0));
    let began = Instant::now();
    let result = call
        .run_async(|| {
            attempts.set(attempts.get() + 1);
            let number = attempts.get();
            let dropped = Dropped(&dropped);
            async move {
                let _dropped = dropped;
                if number == 1 {
                    sleep(first).await;
                    return answer;
                }
                sleep(MILLI).await;
                Ok(number)
            }
        })
        .await;
    assert_eq!(dropped.get(), attempts.get(), "a loser is dropped before the answer is there");
    (result, began.elapsed(), attempts.get())
}

#[tokio::test(start_paused = true)]
async fn a_fast_answer_needs_no_hedge() {
    let call = hedged();
    let (result, elapsed, attempts) = run(&call, 9 * MILLI, Ok(1)).await;
    assert_eq!((result, attempts), (Ok(1), 1));
    assert!(elapsed <= 10 * MILLI);
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_wins_and_the_loser_is_dropped() {
    let call = hedged();
    let (result, elapsed, attempts) = run(&call, SECOND, Ok(1)).await;
    assert_eq!((result, attempts), (Ok(2), 2));
    assert!(elapsed >= 11 * MILLI && elapsed <= 13 * MILLI, "{elapsed:?}");
    assert_eq!((call.in_flight(), call.breaker_state()), (Some(0), Some(State::Closed)));
    assert_eq!((call.stats().hedges, call.stats().dropped), (1, 1));
    // The first may win as well.
    let (result, elapsed, attempts) = run(&call, 10 * MILLI + MILLI / 2, Ok(1)).await;
    assert_eq!((result, attempts), (Ok(1), 2));
    assert!(elapsed <= 12 * MILLI, "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_waits_for_the_other_attempt() {
    let call = hedged();
    let (result, elapsed, attempts) = run(&call, 10 * MILLI + MILLI / 2, Err(500)).await;
    assert_eq!((result, attempts), (Ok(2), 2));
    assert!(elapsed >= 11 * MILLI);
    // If both fail, the last failure counts, and retries come after it.
    let call = hedged().retry(backoff(2)).breaker(rules(99));
    let answer = call.run_async(|| async {
        sleep(15 * MILLI).await;
        Err::<(), _>("reset")
    });
    assert_eq!(
        answer.await,
        Err(CallError::GaveUp { attempts: 2, why: Stop::Attempts, last: Some("reset") })
    );
    assert_eq!((call.stats().attempts, call.stats().hedges, call.stats().retries), (4, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_hedge_is_due_sends_none() {
    let call = hedged();
    let (result, _, attempts) = run(&call, 5 * MILLI, Err(500)).await;
    assert_eq!((result, attempts), (Err(CallError::Failed(500)), 1));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_refused_leaves_the_first_attempt_alone() {
    // No place, no budget, no cell of the rate: the first attempt is all there is.
    let one_a_second = Quota::new(count(1), SECOND).expect("it is valid");
    for call in [hedged().bulkhead(1), hedged().budget(crate::bed::budget(0)), hedged().rate(one_a_second)] {
        let (result, elapsed, attempts) = run(&call, 50 * MILLI, Ok(1)).await;
        assert_eq!((result, attempts), (Ok(1), 1));
        assert!(elapsed >= 50 * MILLI);
        assert_eq!((call.in_flight(), call.breaker_state()), (Some(0), Some(State::Closed)));
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_time_out_and_the_call_one_for_all() {
    let call = hedged().attempt_timeout(20 * MILLI).breaker(rules(99));
    let began = Instant::now();
    let answer = call.run_async(std::future::pending::<Result<(), ()>>).await;
    assert_eq!(answer, Err(CallError::TimedOut));
    // The hedge began after 10 ms.
    assert!(began.elapsed() >= 30 * MILLI && began.elapsed() <= 32 * MILLI, "{:?}", began.elapsed());
    assert_eq!(call.stats().timed_out, 2);
    let call = hedged().timeout(20 * MILLI);
    let began = Instant::now();
    assert_eq!(call.run_async(std::future::pending::<Result<(), ()>>).await, Err(CallError::TimedOut));
    assert!(began.elapsed() <= 22 * MILLI, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_learned_from_the_answers() {
    let config = HedgeConfig::new().samples(count(20)).percentile(9, 10);
    let call = Call::new().hedge(config).expect("it is valid");
    for millis in 1..=20 {
        let (result, ..) = run(&call, millis * MILLI, Ok(1)).await;
        assert_eq!(result, Ok(1));
    }
    assert_eq!(call.stats().hedges, 0);
    let stats = call.hedge_stats().expect("there is one");
    let delay = stats.delay.expect("there are enough samples");
    // The 18th of 20, to a millisecond of the timer and 1/16.
    assert!(delay >= 18 * MILLI && delay <= 21 * MILLI, "{delay:?}");
    let (result, elapsed, _) = run(&call, SECOND, Ok(1)).await;
    assert_eq!(result, Ok(2));
    assert!(elapsed <= delay + 3 * MILLI, "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn several_hedges_come_one_after_the_other() {
    let config = HedgeConfig::new().initial(10 * MILLI).hedges(count(3));
    let call = Call::new().hedge(config).expect("it is valid");
    let (attempts, began) = (Cell::new(0), Instant::now());
    let answer = call.run_async(|| {
        attempts.set(attempts.get() + 1);
        let number = attempts.get();
        async move {
            if number < 4 {
                std::future::pending::<()>().await;
            }
            Ok::<_, ()>(number)
        }
    });
    assert_eq!(answer.await, Ok(4));
    assert!(began.elapsed() >= 30 * MILLI && began.elapsed() <= 34 * MILLI, "{:?}", began.elapsed());
}

#[test]
fn nonsense_is_refused() {
    let refused = Call::new().hedge(HedgeConfig::new().percentile(1, 0));
    assert!(matches!(refused, Err(HedgeError::Percentile)));
}
