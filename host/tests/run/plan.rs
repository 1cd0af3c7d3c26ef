//! Looking without running: `--dry-run` and `--explain`.

use crate::bed::Bed;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

const PIPELINE: &str = "[task.a]\nrun='cat in > out'\ninputs=['in']\noutputs=['out']\nenv={MODE='1'}\n[task.b]\nneeds=['a']\nrun='cat out > end'\noutputs=['end']\n[task.f]\nneeds=['a']\nfor_each={lines='out'}\nrun='echo {item}'\n";

fn bed() -> Bed {
    let bed = Bed::new(PIPELINE);
    bed.write("in", "x\ny\n");
    bed
}

#[test]
fn a_dry_run_shows_what_and_why_and_runs_nothing() {
    let bed = bed();
    bed.run(&["--dry-run"]).code(0).prints(&[
        "Plan of p:",
        "a  1 to run",
        "it has not run to an end before",
        "b  1 waiting",
        "it waits for a",
        "f  items not known yet",
        "once for each of the lines of out",
    ]);
    assert!(!bed.path("out").exists() && !bed.store().exists());
    bed.run(&[]).code(0);
    bed.run(&["-n"]).code(0).prints(&["nothing to do", "4 up to date"]);
    bed.write("in", "x\nz\n");
    bed.run(&["-n"]).code(0).prints(&["its input in changed", "items not known yet", "(2 before)"]);
    let events = bed.run(&["-n", "--json"]).code(0).events();
    assert_eq!((events.len(), &events[0]["event"], &events[0]["run"]), (3, &"plan".into(), &1.into()));
    assert_eq!(bed.read("end"), "x\ny\n", "nothing ran");
    bed.run(&["-n", "--yes"]).code(0).prints(&["Plan of p", "p: done in"]);
    assert_eq!(bed.read("end"), "x\nz\n");
}

/// Runs on a terminal of its own, answers `answer` to the question, and returns what was shown.
fn on_terminal(bed: &Bed, arguments: &[&str], answer: &str, no_color: bool) -> (Option<i32>, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let open = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
    let mut command = bed.command(arguments);
    command.stdin(open()).stdout(open()).stderr(open()).env("TERM", "xterm");
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let mut child = command.spawn().unwrap();
    // The command holds the other end open; without it reading here would not end.
    drop(command);
    let mut controller = File::from(controller);
    let mut shown = Vec::new();
    let mut answered = answer.is_empty();
    let mut buffer = [0; 4096];
    // Reading fails once nobody has the terminal any more.
    while let Ok(n @ 1..) = controller.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..n]);
        if !answered && String::from_utf8_lossy(&shown).contains("[y/N]") {
            controller.write_all(answer.as_bytes()).unwrap();
            answered = true;
        }
    }
    (child.wait().unwrap().code(), String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn on_a_terminal_a_dry_run_asks_and_runs_exactly_that() {
    let bed = bed();
    let (code, shown) = on_terminal(&bed, &["-n"], "n\n", false);
    assert!(code == Some(0) && shown.contains("Run it? [y/N]") && !bed.path("out").exists(), "{shown}");
    let (code, shown) = on_terminal(&bed, &["-n"], "y\n", false);
    assert!(code == Some(0) && shown.contains("4 run + 0 up to date"), "{shown}");
    assert_eq!(bed.read("end"), "x\ny\n");
}

#[test]
fn a_terminal_gets_bars_and_colours_unless_it_does_not_want_them() {
    let bed = Bed::new("[task.a]\nrun='sleep 0.6'\n[task.b]\nneeds=['a']\nrun='sleep 0.4; echo oh; false'\n");
    let (code, shown) = on_terminal(&bed, &[], "", false);
    assert_eq!(code, Some(1));
    for part in ["1/2", " a ", "dead   b: exit code 1 [p.toml:5]", "| oh", "\x1b[31m", "\x1b[1m"] {
        assert!(shown.contains(part), "{part:?}\n{shown}");
    }
    let (_, shown) = on_terminal(&bed, &["--retry-dead"], "", true);
    assert!(shown.contains("dead   b") && shown.contains("1/2"), "{shown}");
    // Moving the cursor is no colour; every style begins with a number and ends with `m`.
    let styled = shown
        .split("\x1b[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
    assert!(!styled, "{shown:?}");
}

#[test]
fn explain_names_what_changed() {
    let bed = bed();
    let says = |task: &str, parts: &[&str]| _ = bed.run(&["--explain", task]).code(0).prints(parts);
    says("a", &["a: would run", "it has not run to an end before"]);
    says("b", &["b: waiting", "it waits for a (would run)"]);
    says("f", &["f: waiting", "its items are not known before its needs are finished"]);
    bed.run(&[]).code(0);
    says("a", &["a: up to date", "last time it ended with exit code 0"]);
    says("f:x", &["f:x: up to date", "--output f:x"]);
    says("f", &["2 up to date, such as f:x"]);
    bed.write("in", "q\n");
    says("a", &["a: would run", "its input in changed"]);
    bed.write("in", "x\ny\n");
    bed.write("p.toml", &PIPELINE.replace("MODE='1'", "MODE='2'"));
    says("a", &["the variable MODE changed"]);
    bed.write("p.toml", &PIPELINE.replace("cat in", "cat ./in"));
    says("a", &["its command changed; it was: cat in > out"]);
    bed.write("p.toml", PIPELINE);
    std::fs::remove_file(bed.path("end")).unwrap();
    says("b", &["its output end is missing"]);
    bed.write("out", "changed\n");
    says("b", &["the task a before it gave another result"]);
    bed.run(&["--explain", "f:nothing"]).code(2).says(&["no item `nothing`"]);
}

#[test]
fn explain_says_why_a_failed_task_stays() {
    let bed = Bed::new(
        "[task.a]\nrun='echo no; exit 4'\n[task.b]\nneeds=['a']\nrun='true'\n[task.c]\nneeds=['b']\nrun='true'\n",
    );
    bed.run(&[]).code(1);
    bed.run(&["--explain", "a"]).code(0).prints(&["a: dead", "exit code 4", "--retry-dead", "--output a"]);
    bed.run(&["--explain", "c"]).code(0).prints(&["it waits for b (waiting), which waits for a (dead)"]);
}
