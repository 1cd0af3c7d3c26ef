//! `divvy measure` from outside: what users meet.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::tempdir;

fn measure(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divvy"));
    command.arg("measure").args(args).current_dir(folder).env_remove("CLICOLOR_FORCE");
    command.output().expect("the command runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let output = measure(folder, args);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// Work that waits: `{workers}` sleepers share it, so its times do not depend on how busy the machine is.
const WAITS: &str = "sleep $(awk 'BEGIN { print 0.6 / {workers} }')";

#[test]
fn work_that_can_be_shared_is_worth_sharing() {
    let folder = tempdir().unwrap();
    let found =
        json(folder.path(), &["--json", "--rounds", "1", "--cold", "--workers", "1,2,4", "--", WAITS]);
    assert_eq!(found["points"].as_array().unwrap().len(), 3);
    assert_eq!(found["points"][2]["workers"], 4);
    assert_eq!((&found["verdict"]["workers"], &found["verdict"]["why"]), (&4.into(), &"not-reached".into()));
    assert!(found["amdahl"]["contention"].is_number() && found["universal"]["crosstalk"].is_number());
}

#[test]
fn work_that_cannot_be_shared_is_not_worth_it() {
    let folder = tempdir().unwrap();
    let found = json(
        folder.path(),
        &["--json", "--rounds", "1", "--cold", "--workers", "1,2,3", "--", "sleep 0.{workers}"],
    );
    assert_eq!(found["verdict"]["workers"], 1);
}

#[test]
fn the_table_names_the_laws_and_gives_advice_in_80_columns() {
    let folder = tempdir().unwrap();
    let output =
        measure(folder.path(), &["--rounds", "2", "--workers", "1..3", "--", "sleep", "0.0{workers}"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    for expected in [
        "sleep 0.0{workers}",
        "median of 2 rounds",
        "workers",
        "Amdahl's law",
        "universal scalability law",
        "Not worth it",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn the_number_of_workers_is_in_the_command_and_in_the_variables() {
    let folder = tempdir().unwrap();
    let script = "echo {workers} $DIVVY_WORKERS $RAYON_NUM_THREADS $OMP_NUM_THREADS $GOMAXPROCS >> seen";
    json(folder.path(), &["--json", "--rounds", "2", "--cold", "--workers", "3", "--", script]);
    // Everything is compared with one worker; the rounds take turns.
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    assert_eq!(seen, "1 1 1 1 1\n3 3 3 3 3\n1 1 1 1 1\n3 3 3 3 3\n");
}

#[test]
fn a_pipeline_is_run_from_scratch_each_time() {
    let folder = tempdir().unwrap();
    fs::write(
        folder.path().join("two.toml"),
        "[task.wait]\nfor_each = { list = [\"a\", \"b\"] }\nrun = \"echo {item} >> seen; sleep 0.5\"\n",
    )
    .unwrap();
    let found = json(folder.path(), &["two.toml", "--json", "--rounds", "2", "--cold", "--workers", "1,2"]);
    assert_eq!(found["verdict"]["workers"], 2);
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    assert_eq!(seen.lines().count(), 2 * 2 * 2);
    assert!(!folder.path().join(".divvy").exists(), "the pipeline's own store is left alone");
}

#[test]
fn a_run_that_fails_ends_it_and_says_what_was_printed() {
    let folder = tempdir().unwrap();
    let output = measure(
        folder.path(),
        &["--workers", "1,2", "--", "echo no such thing >&2; exit $(({workers} + 3))"],
    );
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(
        told.contains("with 1 workers") && told.contains("exit code 4") && told.contains("no such thing"),
        "{told}"
    );
}

#[test]
fn what_cannot_be_measured_is_a_usage_error_with_a_remedy() {
    let folder = tempdir().unwrap();
    for (args, expected) in [
        (&["--", "no-such-program-anywhere"][..], "cannot start `no-such-program-anywhere`"),
        (&["--workers", "1", "--", "true"], "--workers 1,2,4"),
        (&["--workers", "0..3", "--", "true"], "numbers from 1 to 1024"),
        (&["--rounds", "0", "--", "true"], "--rounds"),
        (&[], "COMMAND"),
    ] {
        let output = measure(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
    }
}
