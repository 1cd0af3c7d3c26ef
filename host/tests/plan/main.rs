//! `divvy plan` from outside: what users meet.

mod bad_input;
mod ring;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `divvy plan ring` with `args`, and `input` on standard input.
fn plan_with(args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divvy"));
    command.args(["plan", "ring"]).args(args).env_remove("CLICOLOR_FORCE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    // A command that refuses its arguments does not read.
    _ = child.stdin.take().expect("it is a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn plan(args: &[&str]) -> Output {
    plan_with(args, b"")
}

/// What it printed, with nothing to complain about.
#[track_caller]
fn succeeded(output: Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{complaint}");
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

#[track_caller]
fn json(args: &[&str]) -> serde_json::Value {
    let out = succeeded(plan(&[args, &["--json"]].concat()));
    assert_eq!(out.lines().count(), 1);
    serde_json::from_str(&out).expect("it prints JSON")
}
