//! Never more than the resources, never more than one start per rate cell.

use crate::bed::Bed;
use serde_json::Value;

/// Notes its start and its end, with something to do between.
const NOTED: &str = "echo + >> log; sleep 0.02; echo - >> log";

fn items(count: usize) -> String {
    let items: Vec<String> = (0..count).map(|item| format!("'{item}'")).collect();
    format!("for_each={{list=[{}]}}", items.join(","))
}

/// How many ran at once by the log: never more than really did.
fn most(bed: &Bed) -> i32 {
    let mut now = 0;
    let steps = bed.lines("log").into_iter().map(|line| {
        now += if line == "+" { 1 } else { -1 };
        now
    });
    steps.max().unwrap_or(0)
}

#[test]
fn cores_are_not_exceeded() {
    let bed = Bed::new(&format!("[task.a]\nrun='{NOTED}'\n{}", items(12)));
    bed.run(&["-j3"]).code(0);
    assert!((1..=3).contains(&most(&bed)), "{}", most(&bed));
    let bed = Bed::new(&format!("[task.a]\nrun='{NOTED}'\nresources={{cores=2}}\n{}", items(8)));
    bed.run(&["-j3"]).code(0);
    assert_eq!(most(&bed), 1);
}

#[test]
fn memory_and_named_counters_are_not_exceeded() {
    for (declared, asked, limit) in
        [("memory='100MiB'", "memory='40MiB'", 2), ("gpu=1", "gpu=1", 1), ("slots=5", "slots=2", 2)]
    {
        let bed = Bed::new(&format!(
            "[resources]\n{declared}\n[task.a]\nrun='{NOTED}'\nresources={{{asked}}}\n{}",
            items(8)
        ));
        bed.run(&["-j8"]).code(0);
        assert!(most(&bed) <= limit, "{asked}: {}", most(&bed));
    }
}

#[test]
fn counters_are_shared_by_all_tasks() {
    let task = |name: &str| format!("[task.{name}]\nrun='{NOTED}'\nresources={{gpu=1}}\n{}\n", items(4));
    let bed = Bed::new(&format!("[resources]\ngpu=1\n{}{}", task("a"), task("b")));
    bed.run(&["-j4"]).code(0);
    assert_eq!(most(&bed), 1);
}

#[test]
fn a_task_that_needs_everything_gets_its_turn() {
    let bed = Bed::new(&format!(
        "[pipeline]\naging='50ms'\n[task.small]\nrun='{NOTED}'\n{}\n[task.large]\nrun='echo large >> order'\nresources={{cores=2}}\npriority=9\n",
        items(30)
    ));
    let events = bed.run(&["-j2", "--json"]).code(0).events();
    assert!(crate::bed::tasks(&events, "done").contains(&"large".to_owned()));
}

#[track_caller]
fn starts_keep_their_distance(events: &[Value], cell_ms: u64, count: usize) {
    let time = |event: &Value| event["time_ms"].as_u64().unwrap();
    let begin = time(&events[0]);
    let starts: Vec<u64> = events.iter().filter(|event| event["event"] == "started").map(time).collect();
    assert_eq!(starts.len(), count);
    for (index, start) in starts.into_iter().enumerate() {
        // A start is told after it was admitted, and the first was not admitted before the run began.
        let earliest = begin + index as u64 * cell_ms;
        assert!(start + 1 >= earliest, "start {index} was {} ms after the beginning", start - begin);
    }
}

#[test]
fn at_most_one_start_per_cell() {
    let bed = Bed::new(&format!("[limit]\napi='20/s'\n[task.a]\nrun='true'\nlimit='api'\n{}", items(8)));
    starts_keep_their_distance(&bed.run(&["-j8", "--json"]).code(0).events(), 50, 8);
}

#[test]
fn a_limit_is_shared_by_name_and_holds_for_retries() {
    let bed = Bed::new(
        "[limit]\napi='20/s'\n[task.a]\nrun='true'\nlimit='api'\n[task.b]\nrun='false'\nlimit='api'\nretries=3\nbackoff={base='1ms',cap='1ms'}\nallow_failure=true\n",
    );
    starts_keep_their_distance(&bed.run(&["-j8", "--json"]).code(0).events(), 50, 5);
}

#[test]
fn a_rate_can_stand_in_the_task() {
    let bed = Bed::new(&format!("[task.a]\nrun='true'\nlimit='1/50ms'\n{}", items(4)));
    starts_keep_their_distance(&bed.run(&["-j8", "--json"]).code(0).events(), 50, 4);
}

#[test]
fn what_has_no_limit_does_not_wait_for_what_has() {
    let bed = Bed::new(
        "[limit]\nslow='1/h'\n[task.a]\nrun='true'\nlimit='slow'\n[task.b]\nrun='true'\nlimit='slow'\n[task.c]\nrun='touch c'\n",
    );
    let mut going = bed.start(&["-j1"]);
    loop {
        if going.until("done")["task"] == "c" {
            break;
        }
    }
    going.signal(rustix::process::Signal::INT);
    let (code, _) = going.end();
    assert_eq!(code, Some(130));
}
