//! The tests of what threads share, under ThreadSanitizer: it sees every access of a real run and says which of them
//! nothing orders. Loom proves small models of the same code; this watches the code itself, with the pool around it.
//!
//! The standard library is built with the same instrumentation. A ready-made one hides what its locks, threads and
//! reference counts order, so that sound code is reported; nothing is suppressed here. Fences order nothing for
//! ThreadSanitizer. It takes ours as they are, because none of them publishes anything: they stand between a store and
//! a load, so that of two threads one sees the other, and what is then handed over goes through Release and Acquire.

use super::{Outcome, Work};
use crate::run::Run;
use crate::steps::host::passed_in;

/// What ThreadSanitizer begins each report with.
const REPORT: &str = "WARNING: ThreadSanitizer: data race";

/// The longest memory of what each thread did. An access that it forgot is not reported, whoever races with it.
const HISTORY: &str = "history_size=7";

/// The core's unit tests of what threads share.
const CORE: [&str; 8] = [
    "queue::deque::",
    "queue::mpmc::",
    "queue::spsc::",
    "sched::event_count::",
    "sched::stealing::",
    "sched::cancel::",
    "shared::",
    "retry::budget::",
];
/// Tests of the pool, of what runs on it, and of the locks.
const HOST: [&str; 5] = ["pool", "par", "lock", "stealing", "worker"];

pub(super) fn tsan(work: &Work<'_>) -> Outcome {
    // A silent tool and a clean program look alike, so first one with a race. Exit code 0 lets its report be read.
    let race = cargo(work, "run")?.args(["-p", "divvy-tests", "--example", "race"]);
    finds_the_race(&work.run(race.env("TSAN_OPTIONS", format!("{HISTORY} exitcode=0")))?)?;

    let core = cargo(work, "test")?.args(["-p", "divvy", "--features", "alloc", "--lib", "--"]).args(CORE);
    let host = HOST
        .into_iter()
        .fold(cargo(work, "test")?.args(["-p", "divvy-host"]), |run, test| run.args(["--test", test]));
    let mut tests = 0;
    for run in [core, host] {
        // Exit code 66, if there was any report at all, is the default; every test of a program runs first.
        let run = run.env("TSAN_OPTIONS", HISTORY).remedy("a report of ThreadSanitizer names both accesses");
        tests += passed_in(&work.run(run)?);
    }
    Ok(format!("{tests} tests"))
}

fn cargo(work: &Work<'_>, subcommand: &str) -> Result<Run, String> {
    let run = work.toolchain.instrumented(work.layout, subcommand)?;
    Ok(run
        .args(["--profile", "plain"])
        .dir(&work.layout.root)
        .env("CARGO_INCREMENTAL", "0")
        // Each access costs ten times what it does otherwise; schedules matter here, not cases.
        .env("PROPTEST_CASES", "16")
        // Tests that panic would read the debug information, for seconds.
        .env("RUST_BACKTRACE", "0"))
}

/// Whether the example that races was reported, and what it does in order was not.
fn finds_the_race(output: &str) -> Result<(), String> {
    let ordered = output.find("\nordered 1\n").ok_or("the example did not run to its first look")?;
    let (before, after) = output.split_at(ordered);
    if before.contains(REPORT) {
        return Err(
            "ThreadSanitizer reports what a queue orders: the core, or the library, is not instrumented"
                .into(),
        );
    }
    if !after.contains(REPORT) || !after.contains("race::get") {
        return Err(
            "ThreadSanitizer is silent about a data race made on purpose, so its silence says nothing".into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_race_that_was_made_may_be_reported() {
        let run =
            |before: &str, after: &str| finds_the_race(&format!("{before}\nordered 1\n{after}raced 1\n"));
        let report =
            format!("{REPORT} (pid=7)\n  Read of size 4 by main thread:\n    #0 race::get race.rs:56:5\n");
        assert_eq!(run("Running race", &report), Ok(()));
        assert!(run("Running race", "").unwrap_err().contains("silent"));
        assert!(run(&report, &report).unwrap_err().contains("not instrumented"));
        assert!(run("", &report.replace("race::get", "main")).unwrap_err().contains("silent"));
        assert!(finds_the_race("killed").is_err());
    }
}
