//! The pool from async code.

use divvy_host::pool::{JoinError, Pool, Priority};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn a_handle_is_awaited_while_the_runtime_runs_on() {
    let pool = Pool::new(1).unwrap();
    let (release, held) = mpsc::channel::<u32>();
    let result = runtime().block_on(async {
        let task = pool.spawn(move || held.recv().unwrap());
        let other = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            release.send(7).unwrap();
        };
        // On one thread: it ends only if awaiting the task lets the other future run.
        tokio::join!(task, other).0
    });
    assert_eq!(result.unwrap(), 7);
}

#[test]
fn panics_and_cancellation_reach_who_awaits() {
    let pool = Pool::new(2).unwrap();
    runtime().block_on(async {
        let error = pool.spawn_async(Priority::Normal, || -> u32 { panic!("within") }).await.unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: within");
        assert_eq!(pool.spawn_async(Priority::High, || 5).await.unwrap(), 5);
        let handle = pool.spawn(|| 1);
        let cancelled = handle.cancel();
        match handle.await {
            Ok(one) => assert!(one == 1 && !cancelled),
            Err(error) => assert!(matches!(error, JoinError::Cancelled) && cancelled),
        }
    });
}

#[test]
fn what_is_more_important_begins_first() {
    let pool = Pool::new(1).unwrap();
    let (release, held) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel::<()>();
    let first = pool.spawn(move || {
        began.send(()).unwrap();
        held.recv().unwrap();
    });
    begun.recv().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let handles: Vec<_> =
        [Priority::Low, Priority::Normal, Priority::High, Priority::Low, Priority::High, Priority::Normal]
            .into_iter()
            .map(|priority| {
                let order = Arc::clone(&order);
                pool.spawn_at(priority, move || order.lock().unwrap().push(priority))
            })
            .collect();
    release.send(()).unwrap();
    first.join().unwrap();
    handles.into_iter().for_each(|handle| handle.join().unwrap());
    let order = order.lock().unwrap();
    let mut sorted = order.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(*order, sorted);
}

#[test]
fn async_code_waits_for_room_without_blocking_its_thread() {
    let pool = Arc::new(Pool::builder().threads(1).queue_capacity(2).build().unwrap());
    let (release, held) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel::<()>();
    let first = pool.spawn(move || {
        began.send(()).unwrap();
        held.recv().unwrap();
    });
    begun.recv().unwrap();
    runtime().block_on(async {
        let tasks: Vec<_> = (0..50_u32)
            .map(|number| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.spawn_async(Priority::Normal, move || number).await.unwrap() })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(5)).await;
        release.send(()).unwrap();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!(sum, 1225);
    });
    first.join().unwrap();
}
