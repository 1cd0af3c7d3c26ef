//! `divvy sim` from outside: what users meet.

mod bad_input;
mod builtin;
mod chain;
mod figures;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `divvy sim` in `folder`, where `scenario.toml` and `trace.csv` are what a test put there.
fn sim(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divvy"));
    command.arg("sim").args(args).current_dir(folder).env_remove("CLICOLOR_FORCE");
    command.output().expect("the command runs")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("it prints UTF-8")
}

#[track_caller]
fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(&output).to_owned()
}
