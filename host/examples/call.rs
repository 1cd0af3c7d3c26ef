//! A service that has a bad day, and callers that are protected from it.
//!
//! `cargo run --release -p divvy-host --example call` sends it 200 requests a second for eight seconds. It answers in some
//! milliseconds, but one request in fifty stalls for a second; in the third and fourth second it is down. What comes of
//! it is printed each second.

use divvy::breaker::{Config, State};
use divvy::fixed::Q32;
use divvy::retry::{Backoff, HedgeConfig};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy_host::call::{Call, CallError};
use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, interval, sleep};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The service. `chance` is a number of 32 bits.
async fn request(began: Instant, chance: u32) -> Result<u32, &'static str> {
    sleep(MILLI * (2 + chance % 7)).await;
    if (2 * SECOND..4 * SECOND).contains(&began.elapsed()) {
        return Err("connection refused");
    }
    if chance >> 8 < (1 << 24) / 50 {
        sleep(SECOND).await;
    }
    Ok(chance)
}

/// What came of the requests of a second.
#[derive(Default)]
struct Tally {
    answered: AtomicU32,
    refused: AtomicU32,
    failed: AtomicU32,
    slowest: AtomicU32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let count = |n| NonZeroU32::new(n).ok_or("not zero");
    let call = Call::new()
        .timeout(2 * SECOND)
        .attempt_timeout(SECOND / 2)
        .retry(Backoff::new(10 * MILLI, 100 * MILLI)?.attempts(count(3)?))
        .hedge(HedgeConfig::new().samples(count(50)?))?
        .breaker(Config::new().open(SECOND / 2, 4 * SECOND, Q32::from_int(2)).build()?)
        .bulkhead(100);
    let call = Arc::new(call);
    let began = Instant::now();
    let mut rng = Xoshiro256PlusPlus::seed(1);

    println!("second  answered  refused  failed  slowest  retries  hedges  breaker");
    for second in 1..=8 {
        let tally = Arc::new(Tally::default());
        let before = call.stats();
        let mut ticks = interval(SECOND / 200);
        for _ in 0..200 {
            ticks.tick().await;
            let (call, tally, mut rng) =
                (Arc::clone(&call), Arc::clone(&tally), Xoshiro256PlusPlus::seed(rng.next_u64()));
            tokio::spawn(async move {
                let asked = Instant::now();
                let kind = match call.run_async(|| request(began, rng.next_u64() as u32)).await {
                    Ok(_) => &tally.answered,
                    Err(CallError::Refused(_)) => &tally.refused,
                    Err(_) => &tally.failed,
                };
                kind.fetch_add(1, Ordering::Relaxed);
                tally.slowest.fetch_max(asked.elapsed().as_millis() as u32, Ordering::Relaxed);
            });
        }
        let after = call.stats();
        let of = |count: &AtomicU32| count.load(Ordering::Relaxed);
        println!(
            "{second:>6}  {:>8}  {:>7}  {:>6}  {:>4} ms  {:>7}  {:>6}  {}",
            of(&tally.answered),
            of(&tally.refused),
            of(&tally.failed),
            of(&tally.slowest),
            after.retries - before.retries,
            after.hedges - before.hedges,
            match call.breaker_state() {
                Some(State::Open { .. }) => "open",
                Some(State::HalfOpen) => "half-open",
                _ => "closed",
            },
        );
    }
    Ok(())
}
