//! How jobs end, and what follows.

use crate::bed::{Bed, alive, wait_for};
use std::time::{Duration, Instant};

#[test]
fn the_exit_code_says_whether_jobs_failed() {
    let bed = Bed::new();
    bed.map(&["exit {};", ":::", "0", "0"]).code(0);
    let ended = bed.map(&["-j1", "exit {};", ":::", "0", "3", "0", "255"]).code(1);
    ended.says(&["2 of 4 jobs done, 2 failed", "job 2: exit code 3: exit 3;", "job 4: exit code 255"]);
    bed.map(&["kill -9 $$; : ", ":::", "x"]).code(1).says(&["signal 9 (KILL"]);
    let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let mut arguments = vec!["false", ":::"];
    arguments.extend(many.iter().map(String::as_str));
    bed.map(&arguments).code(1).says(&["200 failed", "and 195 more"]);
}

#[test]
fn a_failed_job_is_tried_again() {
    let bed = Bed::new();
    let job = "echo {}; echo x >> tries.{}; [ $(wc -l < tries.{}) -gt {} ]";
    let ended = bed.map(&["-k", "--retries", "2", "--backoff", "1ms,2ms", job, ":::", "0", "2", "3"]).code(1);
    // Of all tries only the last one is shown.
    assert_eq!(ended.out, "0\n2\n3\n");
    let ended = ended.says(&["2 of 3 jobs done, 1 failed, 4 tried again", "job 3: exit code 1"]);
    assert_eq!(["0", "2", "3"].map(|n| bed.lines(&format!("tries.{n}")).len()), [1, 3, 3]);
    drop(ended);
}

#[test]
fn waiting_for_another_try_holds_no_slot() {
    let bed = Bed::new();
    // The first one can only be done after the second one.
    let job = "case {} in 1) [ -e made ];; 2) touch made;; esac";
    bed.map(&["-j1", "--retries", "1000", "--backoff", "10ms,10ms", job, ":::", "1", "2"]).code(0);
}

#[test]
fn a_job_that_takes_too_long_is_ended_with_all_it_started() {
    let bed = Bed::new();
    let job = "case {} in 1) sleep 1000 & echo $! > child; wait;; esac";
    let ended = bed.map(&["--timeout", "0.3", job, ":::", "1", "2"]).code(1);
    ended.says(&["1 of 2 jobs done, 1 failed", "job 1: it was not done after 0.3"]);
    wait_for("the child", || !alive(&bed.read("child")));
}

#[test]
fn a_timeout_can_be_a_part_of_the_median() {
    let bed = Bed::new();
    let start = Instant::now();
    let ended =
        bed.map(&["-j1", "--timeout", "1000%", "sleep {}", ":::", "0.1", "0.1", "0.1", "100", "0.1"]).code(1);
    ended.says(&["job 4: it was not done after"]);
    assert!(start.elapsed() < Duration::from_secs(50));
}

#[test]
fn whoever_ignores_the_first_signal_gets_the_second() {
    let bed = Bed::new();
    let job = "trap '' TERM; echo {}; while :; do sleep 0.05; done";
    let ended = bed.map(&["--timeout", "0.2", "--grace", "0.2", job, ":::", "a"]).code(1);
    // What it printed is shown all the same.
    ended.prints("a\n").says(&["job 1: it was not done after"]);
}

#[test]
fn a_shell_that_ends_at_once_leaves_its_command_the_grace_time() {
    let bed = Bed::new();
    // The shell ends by the signal; what it had started takes a moment to end well.
    bed.write(
        "deaf.sh",
        "trap 'sleep 0.3; echo cleaned > cleaned; exit' TERM\ntouch ready\nwhile :; do sleep 0.01; done\n",
    );
    bed.map(&["--timeout", "1", "sh deaf.sh; echo {}", ":::", "a"]).code(1);
    assert_eq!(bed.read("cleaned"), "cleaned\n");
}

#[test]
fn failures_end_the_map_soon_or_now() {
    let bed = Bed::new();
    let job = "echo {} >> ran; [ {} != 2 ]";
    let ended = bed.map(&["-j1", "--halt", "soon,fail=1", job, ":::", "1", "2", "3", "4"]).code(1);
    ended.says(&["1 of 2 jobs done, 1 failed", "stopped: by --halt"]);
    assert_eq!(bed.lines("ran"), ["1", "2"]);
    let job = "case {} in 1) sleep 1000;; 2) while ! [ -e never ]; do exit 1; done;; esac";
    let start = Instant::now();
    bed.map(&["-j2", "--halt", "now,fail=1", job, ":::", "1", "2", "3"]).code(1).says(&["1 interrupted"]);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_part_of_the_jobs_can_end_the_map() {
    let bed = Bed::new();
    let job = "echo {} >> ran; false";
    bed.map(&["-j1", "--halt", "soon,fail=50%", job, ":::", "1", "2", "3", "4"]).code(1);
    assert_eq!(bed.lines("ran").len(), 2);
    // Of a stream nobody knows how long it is.
    let ended = bed.fed("1\n".repeat(100_000), &["-j1", "--halt", "now,fail=50%", "false"]).code(1);
    ended.says(&["0 of 10 jobs done, 10 failed"]);
}

#[test]
fn a_success_can_end_the_map_too() {
    let bed = Bed::new();
    let job = "case {} in 2) ;; *) sleep 1000;; esac";
    bed.map(&["-j3", "--halt", "now,success=1", job, ":::", "1", "2", "3", "4"]).code(0);
    let ended = bed.map(&["-j1", "--halt", "soon,done=2", "echo {}; false", ":::", "1", "2", "3"]).code(0);
    ended.prints("1\n2\n");
}

#[test]
fn a_program_that_is_not_there_is_a_failure_of_its_job() {
    let bed = Bed::new();
    bed.fed("no-such-program-a x\ntrue\n", &["-j1"])
        .code(1)
        .says(&["job 1: `no-such-program-a` is not there"]);
    bed.map(&["--joblog", "log", "{} x", ":::", "no-such-program-b"]).code(1).says(&["exit code 127"]);
    bed.fed("./not-executable\n", &[]).code(1);
}

#[test]
fn arguments_that_are_too_long_fail_alone() {
    let bed = Bed::new();
    let input = format!("a\n{}\nb\n", "x".repeat(200_000));
    let ended = bed.fed(&input, &["-k", "echo"]).code(1);
    assert_eq!(ended.out, "a\nb\n");
    let ended = ended.says(&["job 2: an item is longer than the 131071 bytes"]);
    assert!(ended.err.len() < 1_000, "the item itself is not shown");
    bed.fed("a\0b\n", &["-k", "echo"]).code(1).says(&["zero byte"]);
    // Doubled it is too long for a shell's script; that is the job's failure as well.
    let input = format!("{}\n", "y".repeat(100_000));
    bed.fed(&input, &["echo {} {} | wc -c"]).code(1).says(&["longer than the system passes on"]);
}

#[test]
fn starts_are_apart_by_the_delay() {
    let bed = Bed::new();
    let start = Instant::now();
    bed.map(&["-j8", "--delay", "0.1", "true", ":::", "1", "2", "3", "4"]).code(0);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn never_more_run_than_there_are_slots() {
    let bed = Bed::new();
    let job = "mkdir slot{%} || echo taken; ls -d slot* | wc -l >> seen; sleep 0.02; rmdir slot{%}";
    let mut arguments = vec!["-j3", job, ":::"];
    arguments.extend(["x"; 30]);
    bed.map(&arguments).code(0).prints("");
    let seen: Vec<u32> = bed.lines("seen").iter().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!((seen.len(), seen.iter().max()), (30, Some(&3)));
}
