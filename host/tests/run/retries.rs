//! Failing, trying again, giving up.

use crate::bed::{Bed, tasks};

/// Succeeds at the `n`th try.
fn at_try(n: u32) -> String {
    format!("echo x >> tries; [ $(grep -c x tries) -ge {n} ]")
}

#[test]
fn a_task_is_tried_again_after_a_wait() {
    let bed =
        Bed::new(&format!("[task.a]\nrun='{}'\nretries=3\nbackoff={{base='1ms',cap='2ms'}}", at_try(3)));
    let ended = bed.run(&["--json", "--seed", "7"]).code(0);
    let events = ended.events();
    assert_eq!(tasks(&events, "retry"), ["a", "a"]);
    assert_eq!(events[0]["seed"], 7);
    let retry = events.iter().find(|event| event["event"] == "retry").unwrap();
    assert_eq!((&retry["attempt"], &retry["reason"]), (&1.into(), &"exit code 1".into()));
    assert!(retry["wait"].as_f64().unwrap() <= 0.002);
    assert_eq!(events.last().unwrap()["retries"], 2);
    assert_eq!(bed.records()["a"]["tries"], 3);
}

#[test]
fn waiting_for_the_next_try_holds_no_resources() {
    // With one core, `b` can only run while `a` waits for what `b` writes.
    let bed = Bed::new(
        "[task.a]\nrun='[ -e made ]'\nretries=1000\nbackoff={base='20ms',cap='20ms'}\npriority=9\n[task.b]\nrun='touch made'",
    );
    bed.run(&["-j1"]).code(0);
}

const DEAD: &str = "[task.a]\nrun='echo said; echo why >&2; cat ok'\nretries=1\nbackoff={base='1ms'}\n[task.b]\nneeds=['a']\nrun='true'\n[task.c]\nrun='true'\n[task.d]\nneeds=['c']\nrun='true'\n";

#[test]
fn a_dead_letter_keeps_its_output_and_waits_for_retry_dead() {
    let bed = Bed::new(DEAD);
    bed.run(&["-k"])
        .code(1)
        .says(&[
            "retry  a: try 1 failed (exit code 1)",
            "dead   a after 2 tries: exit code 1",
            "    | said",
            "    | why",
        ])
        .prints(&[
            "not done",
            "4 = 2 run + 0 up to date + 1 failed + 1 not started",
            "--retry-dead runs it again",
        ]);
    let record = bed.records()["a"].clone();
    assert_eq!((record["outcome"].as_str(), record["tries"].as_u64()), (Some("dead"), Some(2)));
    bed.run(&["--output", "a"]).code(0).prints(&["said\nwhy\n"]);

    bed.write("ok", "");
    let again = bed.run(&[]).code(1).says(&["dead   a: failed in an earlier run (exit code 1)", "    | why"]);
    assert!(!again.err.contains("start"), "{}", again.err);
    bed.run(&["--retry-dead"]).code(0).prints(&["4 = 2 run + 2 up to date"]);
    bed.run(&[]).code(0).prints(&["4 = 0 run + 4 up to date"]);
}

#[test]
fn a_dead_letter_runs_again_when_it_changes() {
    let bed = Bed::new(DEAD);
    bed.run(&["-k"]).code(1);
    bed.write("p.toml", &DEAD.replace("cat ok", "true"));
    bed.run(&[]).code(0);
}

#[test]
fn an_earlier_failure_does_not_keep_the_rest_from_running() {
    let bed = Bed::new(DEAD);
    let events = bed.run(&["-j1", "--json"]).code(1).events();
    assert_eq!(tasks(&events, "dead"), ["a"]);
    let events = bed.run(&["-j1", "--json"]).code(1).events();
    assert_eq!(tasks(&events, "dead_before"), ["a"]);
    let summary = events.last().unwrap();
    assert_eq!((&summary["dead_before"], &summary["skipped"]), (&1.into(), &1.into()));
    assert_eq!(bed.records().len(), 3);
}

#[test]
fn the_default_starts_nothing_more_after_a_failure_and_lets_running_commands_finish() {
    let bed = Bed::new(
        "[task.bad]\nrun='while [ ! -e started ]; do sleep 0.01; done; false'\npriority=9\n[task.slow]\nrun='touch started; sleep 0.5; touch finished'\npriority=8\n[task.later]\nrun='touch later'\n",
    );
    let ended = bed.run(&["-j2"]).code(1).says(&["stop   a task failed: nothing more is started"]);
    assert!(bed.path("finished").exists() && !bed.path("later").exists(), "{}", ended.err);
    let bed = Bed::new("[task.bad]\nrun='false'\npriority=9\n[task.later]\nrun='touch later'\n");
    bed.run(&["-j1", "--keep-going"]).code(1);
    assert!(bed.path("later").exists());
}

#[test]
fn halt_now_ends_running_commands_and_they_run_next_time() {
    let bed = Bed::new(
        "[task.bad]\nrun='while [ ! -e started ]; do sleep 0.01; done; exit 3'\n[task.slow]\nrun='touch started; [ -e second ] || sleep 100'\n",
    );
    let events = bed.run(&["-j2", "--halt", "now", "--json"]).code(1).events();
    assert_eq!(tasks(&events, "interrupted"), ["slow"]);
    assert!(!bed.records().contains_key("slow"));
    bed.write("second", "");
    let events = bed.run(&["--json"]).code(1).events();
    assert_eq!(tasks(&events, "done"), ["slow"]);
}

#[test]
fn halt_counts_failures() {
    let list: Vec<String> = (0..10).map(|n| format!("'{n}'")).collect();
    let pipeline = format!("[task.a]\nrun='false'\nfor_each={{list=[{}]}}", list.join(","));
    for (policy, dead) in [("soon", 1), ("soon,fail=3", 3), ("soon,fail=40%", 4), ("never", 10)] {
        let events = Bed::new(&pipeline).run(&["-j1", "--halt", policy, "--json"]).code(1).events();
        assert_eq!(tasks(&events, "dead").len(), dead, "{policy}");
    }
}

#[test]
fn an_allowed_failure_holds_nobody_up() {
    let bed =
        Bed::new("[task.a]\nrun='echo no; [ -e ok ]'\nallow_failure=true\n[task.b]\nneeds=['a']\nrun='true'");
    bed.run(&[]).code(0).says(&["failed a: exit code 1, which is allowed"]).prints(&["1 failed as allowed"]);
    // It is not tried again by itself, and does not count as a failure.
    bed.run(&[]).code(0).prints(&["2 = 0 run + 1 up to date + 1 failed as allowed"]);
    bed.write("ok", "");
    bed.run(&["--retry-dead"]).code(0).prints(&["2 = 2 run"]);
}

#[test]
fn a_timeout_is_a_failed_try_and_ends_the_whole_group() {
    let bed = Bed::new(
        "[task.a]\nrun='''\n[ -e second ] && exit 0\ntouch second\nsh -c 'trap \"echo > asked; exit\" TERM; echo > ready; while :; do sleep 0.01; done' & echo $! > grandchild\nwait\n'''\ntimeout='1s'\nretries=1\nbackoff={base='1ms'}",
    );
    let ended = bed.run(&[]).code(0).says(&["try 1 failed (timed out after 1.00 s)"]);
    assert!(!bed.path("ready").exists() || bed.path("asked").exists(), "only the leader was asked to end");
    assert!(!crate::bed::alive(&bed.read("grandchild")), "{}", ended.err);
    let bed = Bed::new("[task.a]\nrun='trap \"\" TERM; while :; do sleep 0.05; done'\ntimeout='100ms'");
    bed.run(&["--grace", "100ms"]).code(1).says(&["dead   a: timed out after 0.10 s"]);
}

#[test]
fn long_outputs_keep_their_end() {
    let bed = Bed::new("[task.a]\nrun='seq 100000; false'");
    bed.run(&[]).code(1).says(&["lines before", "    | 100000"]);
    let kept = bed.run(&["--output", "a"]).code(0).out;
    assert!(kept.len() <= 65_536 && kept.ends_with("\n99999\n100000\n"), "{}", kept.len());
}
