//! Memory and load hold jobs back.

use crate::bed::{Bed, end, wait_for};
use std::path::Path;
use std::process::{Child, Stdio};

/// Starts a map that takes the figures of the kernel from the folder `proc`.
fn start(bed: &Bed, arguments: &[&str]) -> Child {
    let mut command = bed.command(arguments);
    command.env("DIVVY_PROC", bed.path("proc")).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn memory(bed: &Bed, available: u64) {
    let folder = bed.path("proc");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!("MemTotal: 1000000 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n");
    replace(&folder.join("meminfo"), &text);
}

/// Whoever reads sees the old text or the new one.
fn replace(path: &Path, text: &str) {
    std::fs::write(path.with_extension("new"), text).unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
}

const JOB: &str = "echo {} >> began; while [ ! -e go ]; do sleep 0.01; done; echo {}";

#[test]
fn nothing_starts_while_memory_is_short() {
    let bed = Bed::new();
    memory(&bed, 99);
    let child = start(&bed, &["-j2", "--memfree", "100k", JOB, ":::", "1", "2"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!bed.path("began").exists());
    memory(&bed, 100);
    wait_for("both", || bed.lines("began").len() == 2);
    bed.write("go", "");
    end(child).code(0);
}

#[test]
fn the_youngest_is_killed_and_runs_again() {
    let bed = Bed::new();
    memory(&bed, 1_000);
    let child = start(
        &bed,
        &["-j2", "-k", "--memfree", "100k", "--delay", "0.1", "--joblog", "log", JOB, ":::", "1", "2"],
    );
    wait_for("both", || bed.lines("began").len() == 2);
    memory(&bed, 49);
    // Nothing is started again before there is memory.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(bed.lines("began"), ["1", "2"]);
    memory(&bed, 1_000);
    wait_for("the second one again", || bed.lines("began").len() == 3);
    bed.write("go", "");
    end(child).code(0).prints("1\n2\n");
    assert_eq!(bed.lines("began"), ["1", "2", "2"]);
    assert_eq!(bed.lines("log").len(), 3, "each end once");
}

#[test]
fn load_holds_back_all_but_one() {
    let bed = Bed::new();
    memory(&bed, 1_000);
    replace(&bed.path("proc/loadavg"), "9.0 1 1 1/1 1\n");
    let child = start(&bed, &["-j2", "--load", "5", JOB, ":::", "1", "2"]);
    wait_for("the first", || bed.lines("began").len() == 1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(bed.lines("began").len(), 1);
    replace(&bed.path("proc/loadavg"), "4.0 1 1 1/1 1\n");
    wait_for("the second", || bed.lines("began").len() == 2);
    bed.write("go", "");
    end(child).code(0);
}
