//! Ending a run, gently and not.

use crate::bed::{Bed, alive, tasks, wait_for};
use rustix::process::Signal;

/// A command and a grandchild that run until somebody ends them; both write down who they are.
const LONG: &str = "[task.a]\nrun='''\nsleep 1000 & echo $! > grandchild\necho $$ > child\ntouch begun\nwait\n'''\n[task.b]\nneeds=['a']\nrun='true'\n";

/// The same, deaf to SIGTERM.
const DEAF: &str = "[task.a]\nrun='''\ntrap \"\" TERM\nsh -c 'while :; do sleep 0.1; done' & echo $! > grandchild\necho $$ > child\ntouch begun\nwhile :; do sleep 0.1; done\n'''\n";

#[track_caller]
fn both_are_gone(bed: &Bed) {
    for file in ["child", "grandchild"] {
        wait_for(file, || !alive(&bed.read(file)));
    }
}

#[test]
fn an_interrupt_ends_the_whole_group_and_the_task_runs_again() {
    let bed = Bed::new(LONG);
    let going = bed.start(&[]);
    wait_for("the command", || bed.path("begun").exists());
    going.signal(Signal::INT);
    let (code, events) = going.end();
    assert_eq!(code, Some(130));
    both_are_gone(&bed);
    assert_eq!(tasks(&events, "interrupted"), ["a"]);
    assert_eq!(events.last().unwrap()["exit_code"], 130);
    assert!(bed.records().is_empty(), "an interrupted task is no failure");
    bed.write("p.toml", "[task.a]\nrun='true'\n[task.b]\nneeds=['a']\nrun='true'\n");
    bed.run(&[]).code(0).prints(&["2 = 2 run"]);
}

#[test]
fn each_signal_has_its_exit_code() {
    for (signal, expected) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let bed = Bed::new(LONG);
        let going = bed.start(&[]);
        wait_for("the command", || bed.path("begun").exists());
        going.signal(signal);
        assert_eq!(going.end().0, Some(expected));
        both_are_gone(&bed);
    }
}

#[test]
fn after_the_grace_time_commands_are_killed() {
    let bed = Bed::new(DEAF);
    let going = bed.start(&["--grace", "200ms"]);
    wait_for("the command", || bed.path("begun").exists());
    going.signal(Signal::INT);
    assert_eq!(going.end().0, Some(130));
    both_are_gone(&bed);
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let bed = Bed::new(DEAF);
    let mut going = bed.start(&["--grace", "1h"]);
    wait_for("the command", || bed.path("begun").exists());
    going.signal(Signal::INT);
    going.until("stopping");
    assert!(alive(&bed.read("child")));
    going.signal(Signal::INT);
    assert_eq!(going.end().0, Some(130));
    both_are_gone(&bed);
}

#[test]
fn a_command_that_finishes_in_its_grace_time_is_done() {
    let bed = Bed::new(
        "[task.a]\nrun='''\ntrap \"echo finished > result; exit 0\" TERM\ntouch begun\nwhile :; do sleep 0.01; done\n'''\noutputs=['result']\n",
    );
    let going = bed.start(&[]);
    wait_for("the command", || bed.path("begun").exists());
    going.signal(Signal::INT);
    let (code, events) = going.end();
    assert_eq!((code, tasks(&events, "done")), (Some(130), vec!["a".to_owned()]));
    bed.run(&[]).code(0).prints(&["1 = 0 run + 1 up to date"]);
}

#[test]
fn an_interrupt_counts_while_everything_waits_for_a_retry() {
    let bed = Bed::new("[task.a]\nrun='false'\nretries=9\nbackoff={base='1h',cap='2h'}\n");
    let mut going = bed.start(&["--seed", "1"]);
    going.until("retry");
    going.signal(Signal::INT);
    assert_eq!(going.end().0, Some(130));
    assert!(bed.records().is_empty());
}

#[test]
fn what_a_command_leaves_in_the_background_is_its_own_business() {
    let bed =
        Bed::new("[task.a]\nrun='sleep 1000 & echo $! > background'\n[task.b]\nneeds=['a']\nrun='true'\n");
    bed.run(&[]).code(0);
    bed.run(&[]).code(0);
    let background = bed.read("background");
    assert!(alive(&background));
    let pid = rustix::process::Pid::from_raw(background.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_killed_run_leaves_nothing_that_could_disturb_the_next() {
    let bed = Bed::new(LONG);
    let mut going = bed.start(&[]);
    wait_for("the command", || bed.path("begun").exists());
    going.signal(Signal::KILL);
    going.child.wait().unwrap();
    assert!(alive(&bed.read("child")), "SIGKILL leaves commands behind; if not, this test proves nothing");
    let (child, grandchild) = (bed.read("child"), bed.read("grandchild"));
    bed.write("p.toml", "[task.a]\nrun='cat /proc/$(cat child)/cmdline > seen 2>/dev/null; true'\n");
    bed.run(&[]).code(0).says(&["processes that the last run left behind"]);
    assert!(!alive(&child) && !alive(&grandchild));
    assert_eq!(bed.read("seen"), "", "the old command was still there when the new one started");
    // A run that closed leaves nothing to look for.
    let ended = bed.run(&[]).code(0);
    assert!(!ended.err.contains("left behind"), "{}", ended.err);
}

#[test]
fn an_interrupt_ends_a_long_look_at_inputs() {
    let bed = Bed::new("[task.quick]\nrun='true'\n[task.a]\nneeds=['quick']\nrun='true'\ninputs=['large']\n");
    // Many gigabytes without a byte on the disk: reading takes a while, and nobody waits for the end of it.
    std::fs::File::create(bed.path("large")).unwrap().set_len(1 << 40).unwrap();
    let mut going = bed.start(&[]);
    going.until("run_started");
    std::thread::sleep(std::time::Duration::from_millis(300));
    going.signal(Signal::INT);
    let (code, events) = going.end();
    assert_eq!((code, tasks(&events, "dead").len()), (Some(130), 0));
    assert!(!bed.records().contains_key("a"));
}

#[test]
fn a_long_look_at_inputs_holds_nobody_else_up() {
    let bed = Bed::new(
        "[task.a]\nrun='true'\ninputs=['large']\npriority=9\n[task.b]\nrun='true'\ninputs=['large']\npriority=8\n[task.c]\nrun='true'\n",
    );
    std::fs::File::create(bed.path("large")).unwrap().set_len(1 << 40).unwrap();
    let mut going = bed.start(&["-j1"]);
    assert_eq!(going.until("done")["task"], "c");
    bed.run(&["--explain", "b"]).code(0).prints(&["b: reading", "its inputs are being read"]);
    going.signal(Signal::INT);
    assert_eq!(going.end().0, Some(130));
}
