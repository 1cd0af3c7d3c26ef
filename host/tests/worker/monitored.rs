//! Workers that are watched: dying, falling silent, coming back late.

use divvy_host::worker::{Health, MonitorConfig, MonitorError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[test]
fn workers_that_return_have_ended() {
    let workers = MonitorConfig::new().workers(3).start(|pulse| {
        for _ in 0..5 {
            pulse.beat().expect("nobody replaces it");
        }
    });
    for report in workers.unwrap().join() {
        assert_eq!((report.health, report.beats, report.panics, report.stuck), (Health::Ended, 5, 0, 0));
    }
}

#[test]
fn one_that_keeps_dying_without_a_beat_is_given_up() {
    let began = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&began);
    let config = MonitorConfig::new().restarts(3).pause(Duration::from_micros(100));
    let workers = config.start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        panic!("it dies at once");
    });
    let report = workers.unwrap().join()[0];
    assert_eq!((report.health, report.panics), (Health::GivenUp, 4));
    assert_eq!(began.load(Ordering::Relaxed), 4);
}

#[test]
fn one_that_gets_on_between_its_deaths_is_replaced_for_ever() {
    let began = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&began);
    let config = MonitorConfig::new().restarts(1).pause(Duration::from_micros(100));
    let workers = config.start(move |pulse| {
        pulse.beat().unwrap();
        assert!(count.fetch_add(1, Ordering::Relaxed) >= 20, "it dies after a beat");
    });
    let report = workers.unwrap().join()[0];
    assert_eq!((report.health, report.panics, report.beats), (Health::Ended, 20, 21));
}

#[test]
fn one_that_is_silent_is_replaced_and_learns_it_when_it_comes_back() {
    let (late, learned) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let workers = MonitorConfig::new().silence(Duration::from_millis(200)).start(move |pulse| {
        pulse.beat().expect("it has just begun");
        // The first to come hangs until the test lets it go; the others are done.
        let hanging = wait.lock().unwrap().take();
        if let Some(hanging) = hanging {
            hanging.recv().unwrap();
            late.send(pulse.beat().is_err()).unwrap();
        }
    });
    let report = workers.unwrap().join()[0];
    assert_eq!((report.health, report.stuck, report.panics), (Health::Ended, 1, 0));
    release.send(()).unwrap();
    assert!(learned.recv_timeout(Duration::from_secs(60)).unwrap(), "it was told that it was replaced");
}

#[test]
fn dropping_the_handle_ends_them_at_their_next_beat() {
    let running = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&running);
    let workers = MonitorConfig::new().workers(4).start(move |pulse| {
        count.fetch_add(1, Ordering::SeqCst);
        while pulse.beat().is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
        count.fetch_sub(1, Ordering::SeqCst);
    });
    let workers = workers.unwrap();
    while running.load(Ordering::SeqCst) < 4 {
        thread::yield_now();
    }
    assert!(workers.reports().iter().all(|report| report.health == Health::Beating));
    drop(workers);
    assert_eq!(running.load(Ordering::SeqCst), 0);
}

#[test]
fn what_cannot_be_watched_is_refused() {
    assert!(matches!(MonitorConfig::new().workers(0).start(|_| ()), Err(MonitorError::NoWorkers)));
    let silent = MonitorConfig::new().silence(Duration::ZERO).start(|_| ());
    assert!(matches!(silent, Err(MonitorError::NoSilence)));
}
