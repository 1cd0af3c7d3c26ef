//! Input that is longer than memory, or slower than the jobs.

use crate::bed::{Bed, PATIENCE, wait_for};
use std::io::Write;
use std::time::Instant;

#[test]
fn jobs_start_before_the_input_ends() {
    let bed = Bed::new();
    let mut child = bed.start(&["-j2", "touch"]);
    let mut stdin = child.stdin.take().unwrap();
    for item in ["a", "b", "c"] {
        writeln!(stdin, "{item}").unwrap();
        wait_for(item, || bed.path(item).exists());
    }
    // A line that is not whole is no item yet.
    write!(stdin, "d").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!bed.path("d").exists());
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(bed.path("d").exists());
}

/// The most memory that a process ever had, in KiB.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn a_million_items_take_no_more_memory_than_a_few() {
    let bed = Bed::new();
    let mut child = bed.start(&["-k", "-n", "20000", "--joblog", "log", "sh -c 'echo $#' x"]);
    let mut stdin = child.stdin.take().unwrap();
    let block: String = (0..1_000).map(|n| format!("some item that is not short {n}\n")).collect();
    for _ in 0..1_000 {
        stdin.write_all(block.as_bytes()).unwrap();
    }
    wait_for("the middle", || bed.lines("log").len() > 40);
    let peak = peak(child.id());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let counts: u64 = text.lines().map(|line| line.parse::<u64>().unwrap()).sum();
    assert_eq!(counts, 1_000_000);
    if let Some(peak) = peak {
        // All items are 35 MB.
        assert!(peak < 20_000, "{peak} KiB");
    }
}

#[test]
fn an_endless_input_ends_with_the_halt() {
    let bed = Bed::new();
    let start = Instant::now();
    let shell = "yes | \"$0\" map -j2 --halt soon,done=20 true";
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(shell).arg(env!("CARGO_BIN_EXE_divvy")).current_dir(bed.path(""));
    let status = command.status().unwrap();
    assert!(status.success() && start.elapsed() < PATIENCE);
}

#[test]
fn an_output_larger_than_a_pipe_goes_through_files() {
    let bed = Bed::new();
    let ended =
        bed.map(&["-k", "-j2", "head -c 20000000 /dev/zero | tr '\\0' {}; echo", ":::", "a", "b"]).code(0);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 2);
    for (line, byte) in lines.iter().zip(*b"ab") {
        assert!(line.len() == 20_000_000 && line.bytes().all(|b| b == byte));
    }
}
