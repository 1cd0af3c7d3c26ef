//! Ending a map, gently and not.

use crate::bed::{Bed, alive, end, read_until, signal, wait_for};
use rustix::process::Signal;

/// Runs until somebody ends it, or lets it go.
const LONG: &str = "sleep 1000 & echo $! > grandchild.{}; echo $$ > child.{}; while [ ! -e go ]; do sleep 0.01; done; kill $!; echo {}";

#[track_caller]
fn gone(bed: &Bed) {
    for file in ["child.1", "grandchild.1", "child.2", "grandchild.2"] {
        wait_for(file, || !alive(&bed.read(file)));
    }
    assert!(!bed.path("child.3").exists());
}

fn began(bed: &Bed) {
    wait_for("both", || bed.path("child.1").exists() && bed.path("child.2").exists());
}

#[test]
fn the_first_interrupt_lets_running_jobs_finish() {
    let bed = Bed::new();
    let mut child = bed.start(&["-j2", "-k", "--joblog", "log", LONG, ":::", "1", "2", "3"]);
    began(&bed);
    signal(&child, Signal::INT);
    read_until(child.stderr.as_mut().unwrap(), "nothing more is started; 2 running; once more ends them");
    bed.write("go", "");
    end(child).code(130).prints("1\n2\n").says(&["2 of 2 jobs done", "stopped: by a signal"]);
    gone(&bed);
    bed.map(&["-j2", "--joblog", "log", "--resume", LONG, ":::", "1", "2", "3"]).code(0).prints("3\n");
}

#[test]
fn the_second_one_ends_them_with_all_they_started() {
    let bed = Bed::new();
    let mut child = bed.start(&["-j2", "--joblog", "log", LONG, ":::", "1", "2", "3"]);
    began(&bed);
    signal(&child, Signal::TERM);
    read_until(child.stderr.as_mut().unwrap(), "once more ends them");
    signal(&child, Signal::TERM);
    end(child).code(143).says(&["0 of 2 jobs done, 2 interrupted"]);
    gone(&bed);
    assert_eq!(bed.lines("log").len(), 1, "what was interrupted did not end");
}

#[test]
fn the_third_one_kills() {
    let bed = Bed::new();
    let job = "trap '' TERM; echo $$ > child.{}; echo $$ > grandchild.{}; while :; do sleep 0.01; done";
    let mut child = bed.start(&["-j2", "--grace", "1h", job, ":::", "1", "2", "3"]);
    began(&bed);
    signal(&child, Signal::INT);
    read_until(child.stderr.as_mut().unwrap(), "once more ends them");
    signal(&child, Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(alive(&bed.read("child.1")));
    signal(&child, Signal::INT);
    end(child).code(130);
    gone(&bed);
}

#[test]
fn a_hangup_ends_everything() {
    let bed = Bed::new();
    let child = bed.start(&["-j2", LONG, ":::", "1", "2", "3"]);
    began(&bed);
    signal(&child, Signal::HUP);
    end(child).code(129);
    gone(&bed);
}

#[test]
fn an_interrupt_counts_while_nothing_runs() {
    let bed = Bed::new();
    // Waiting for input, for a try more, and for memory.
    let mut child = bed.start(&["true"]);
    let stdin = child.stdin.take();
    std::thread::sleep(std::time::Duration::from_millis(200));
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(stdin);
    let mut child =
        bed.start(&["--retries", "1", "--backoff", "1000s,1000s", "touch tried; false", ":::", "1"]);
    wait_for("the try", || bed.path("tried").exists());
    drop(child.stdin.take());
    std::thread::sleep(std::time::Duration::from_millis(100));
    signal(&child, Signal::INT);
    end(child).code(130);
}

#[test]
fn an_interrupt_counts_while_nobody_reads_the_output() {
    let bed = Bed::new();
    let child = bed.start(&["-j1", "head -c 1000000 /dev/zero; touch ended.{}", ":::", "1", "2"]);
    wait_for("the output", || bed.path("ended.1").exists());
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&child, Signal::INT);
    let mut child = child;
    wait_for("the end", || child.try_wait().unwrap().is_some());
}
