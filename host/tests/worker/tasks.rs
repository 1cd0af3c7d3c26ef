//! Async tasks as workers, on a paused clock: the times are exact.

use divvy::limit::{Aimd, Bounds, ConcurrencyLimit};
use divvy_host::worker::AsyncWorkers;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn fixed(limit: u32) -> AsyncWorkers<Aimd> {
    AsyncWorkers::new(Aimd::new(Bounds::new(limit, limit).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn results_come_in_the_order_of_the_items_whoever_is_first() {
    let mut workers = fixed(4);
    let begin = Instant::now();
    let results = workers
        .map(0..20u64, |n| async move {
            sleep(Duration::from_millis(100 - n)).await;
            n
        })
        .await;
    assert!(results.into_iter().eq(0..20));
    assert_eq!(workers.most_at_once(), 4);
    // Five rows of four, each a little shorter than 100 ms.
    let took = begin.elapsed();
    assert!(took > Duration::from_millis(400) && took < Duration::from_millis(500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_limit_grows_with_what_is_answered_and_falls_with_what_fails() {
    let mut workers = AsyncWorkers::new(Aimd::new(Bounds::new(1, 32).unwrap().initial(2).unwrap()));
    workers.map(0..2_000, |_| sleep(Duration::from_millis(10))).await;
    let grown = workers.limit().limit();
    assert!(grown > 8, "{grown}");
    assert!(workers.most_at_once() <= 32);
    for _ in 0..20 {
        let failed = workers.try_map([0], |_| async { Err::<(), _>("too much") }).await;
        assert_eq!(failed, Err("too much"));
        sleep(Duration::from_secs(10)).await;
    }
    assert!(workers.limit().limit() < grown);
}

#[tokio::test(start_paused = true)]
async fn the_first_error_ends_it_and_nothing_more_is_begun() {
    let begun = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&begun);
    let mut items = 0..;
    let result = fixed(3)
        .try_map(&mut items, move |n| {
            count.fetch_add(1, Ordering::Relaxed);
            async move {
                sleep(Duration::from_millis(n)).await;
                if n == 5 { Err(n) } else { Ok(n) }
            }
        })
        .await;
    assert_eq!(result, Err(5));
    let begun_by_then = begun.load(Ordering::Relaxed);
    assert!(begun_by_then <= 5 + 3, "{begun_by_then}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(begun.load(Ordering::Relaxed), begun_by_then);
}

#[tokio::test(start_paused = true)]
async fn dropping_it_aborts_what_runs() {
    let done = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&done);
    let mut workers = fixed(4);
    let running = workers.map(0..100, move |_| {
        let count = Arc::clone(&count);
        async move {
            sleep(Duration::from_secs(1)).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(tokio::time::timeout(Duration::from_millis(2_500), running).await.is_err());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(done.load(Ordering::Relaxed), 8);
}

#[tokio::test]
#[should_panic(expected = "the third")]
async fn a_panic_goes_to_the_caller() {
    fixed(2).map(0..5, |n| async move { assert_ne!(n, 2, "the third") }).await;
}

#[tokio::test]
async fn nothing_gives_nothing() {
    let results: Vec<u8> = fixed(1).map(Vec::<u8>::new(), |n| async move { n }).await;
    assert!(results.is_empty());
}
