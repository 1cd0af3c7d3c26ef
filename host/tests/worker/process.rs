//! Pools of child processes: death, hanging, babbling, and what is left behind.

use divvy_host::worker::process::{BuildError, Builder, CallError, Framing, ProcessPool};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Answers `pid` with its id and anything else with itself; `die` ends it, `hang` stops it, `babble` gives two answers.
const SCRIPT: &str = r#"
while read -r line; do
  case $line in
    pid) echo $$ ;;
    die) exit 7 ;;
    kill) kill -KILL $$ ;;
    hang) sleep 1000 ;;
    babble) echo one; echo two ;;
    *) echo "$line" ;;
  esac
done
"#;

fn script(script: &'static str) -> Builder {
    ProcessPool::builder(move || {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    })
}

fn exists(pid: &[u8]) -> bool {
    let pid = std::str::from_utf8(pid).unwrap().trim();
    // A process that was waited for is gone altogether.
    Path::new("/proc").join(pid).exists()
}

#[test]
fn every_request_gets_its_own_reply_whoever_asks() {
    let pool = script(SCRIPT).processes(3).build().unwrap();
    let asked = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let request = format!("request {}", asked.fetch_add(1, Ordering::Relaxed));
                    assert_eq!(pool.call(request.as_bytes()).unwrap(), request.as_bytes());
                }
            });
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.answered, stats.died, stats.restarts), (400, 0, 0));
}

#[test]
fn a_process_that_dies_costs_its_request_and_comes_back() {
    let pool = script(SCRIPT).processes(1).build().unwrap();
    let before = pool.call(b"pid").unwrap();
    assert!(matches!(pool.call(b"die"), Err(CallError::Died(Some(status))) if status.code() == Some(7)));
    let after = pool.call(b"pid").unwrap();
    assert_ne!(before, after);
    assert!(!exists(&before));
    // Killed from outside while it was idle: the next request finds out.
    assert!(matches!(pool.call(b"kill"), Err(CallError::Died(Some(status))) if status.code().is_none()));
    assert_eq!(pool.call(b"hello").unwrap(), b"hello");
    let stats = pool.stats();
    assert_eq!((stats.died, stats.restarts, stats.answered), (2, 2, 3));
}

#[test]
fn a_request_is_retried_only_if_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let pool = ProcessPool::builder(move || {
        let mut command = Command::new("sh");
        // The first process to be asked dies, the second answers.
        command.args(["-c", r#"while read -r l; do [ -e "$0" ] || { : > "$0"; exit 1; }; echo "$l"; done"#]);
        command.arg(&mark);
        command
    })
    .processes(1)
    .retries(1)
    .build()
    .unwrap();
    assert_eq!(pool.call(b"twice").unwrap(), b"twice");
    assert_eq!(pool.stats().died, 1);
}

#[test]
fn a_process_that_hangs_is_killed_with_all_that_it_started() {
    let pool = script(SCRIPT).processes(1).timeout(Duration::from_millis(500)).build().unwrap();
    let pid = pool.call(b"pid").unwrap();
    let begin = Instant::now();
    assert!(matches!(pool.call(b"hang"), Err(CallError::TimedOut)));
    assert!(begin.elapsed() < Duration::from_secs(100), "it was not waited for");
    assert!(!exists(&pid));
    // Its `sleep` held the pipe: had it lived, this would be the answer to nothing.
    assert_eq!(pool.call(b"hello").unwrap(), b"hello");
    assert_eq!(pool.stats().timed_out, 1);
}

#[test]
fn a_process_that_talks_out_of_turn_is_replaced() {
    let pool = script(SCRIPT).processes(1).build().unwrap();
    // The two lines may come together or one by one; then the word too many is found before the next request.
    match pool.call(b"babble") {
        Ok(one) => assert_eq!(one, b"one"),
        Err(error) => assert!(matches!(error, CallError::TalksOutOfTurn), "{error:?}"),
    }
    thread::sleep(Duration::from_millis(200));
    assert_eq!(pool.call(b"hello").unwrap(), b"hello");
    assert_eq!(pool.stats().restarts, 1);
}

#[test]
fn messages_of_any_content_and_size_pass_by_their_lengths() {
    // `cat` answers while it is still being written to: whoever only wrote would never get to the end.
    let cat = || ProcessPool::builder(|| Command::new("cat")).framing(Framing::Lengths).processes(1);
    let pool = cat().build().unwrap();
    for size in [0, 1, 5, 65_536, 3_000_000] {
        let request: Vec<u8> = (0..size).map(|at: u32| (at * 31 % 251) as u8).collect();
        assert!(pool.call(&request).unwrap() == request, "{size} bytes");
    }
    let small = cat().longest_reply(100).build().unwrap();
    assert!(matches!(small.call(&[0; 101]), Err(CallError::TooLong { most: 100 })));
    assert_eq!(small.call(&[7; 100]).unwrap(), [7; 100]);
}

#[test]
fn what_is_no_line_is_refused_and_reaches_nobody() {
    let pool = script(SCRIPT).processes(1).build().unwrap();
    assert!(matches!(pool.call(b"a\nb"), Err(CallError::NotALine)));
    assert_eq!(pool.stats().died, 0);
}

#[test]
fn what_cannot_start_is_said_at_once() {
    assert!(matches!(script("").processes(0).build(), Err(BuildError::NoProcesses)));
    let missing = ProcessPool::builder(|| Command::new("no-such-program-anywhere")).build();
    assert!(matches!(missing, Err(BuildError::Start(_))));
}

#[test]
fn nobody_outlives_the_pool() {
    let pool = script(SCRIPT).processes(4).build().unwrap();
    let ids: HashSet<u32> = pool.idle_processes().into_iter().collect();
    assert_eq!(ids.len(), 4);
    drop(pool);
    // One that ignores the end of its input is killed after the grace time.
    let stubborn = script("sleep 1000 & wait").processes(1).grace(Duration::from_millis(50)).build().unwrap();
    let stubborn_ids = stubborn.idle_processes();
    drop(stubborn);
    for id in ids.into_iter().chain(stubborn_ids) {
        assert!(!exists(id.to_string().as_bytes()), "{id}");
    }
}
