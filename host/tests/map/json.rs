//! Events for programs.

use crate::bed::Bed;
use serde_json::Value;

fn events(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("a line is not JSON")).collect()
}

#[test]
fn each_line_is_one_event() {
    let bed = Bed::new();
    let job = "echo {}; echo e >&2; exit {}";
    let ended = bed
        .map(&["-j1", "--json", "--retries", "1", "--backoff", "1ms", "--seed", "7", job, ":::", "0", "3"])
        .code(1);
    let events = events(&ended.out);
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["map_started", "started", "done", "started", "retry", "started", "failed", "map_finished"]
    );
    assert!(events.iter().all(|event| event["time_ms"].as_u64().unwrap() > 1_600_000_000_000));
    assert_eq!((&events[0]["seed"], &events[0]["total"]), (&7.into(), &2.into()));
    assert_eq!((events[2]["stdout"].as_str(), events[2]["stderr"].as_str()), (Some("0\n"), Some("e\n")));
    let failed = &events[6];
    assert_eq!((&failed["job"], &failed["attempt"], &failed["exit_code"]), (&2.into(), &2.into(), &3.into()));
    assert_eq!((&failed["reason"], &failed["items"][0]), (&"exit code 3".into(), &"3".into()));
    let last = &events[7];
    assert_eq!(
        (&last["jobs"], &last["done"], &last["failed"], &last["retries"]),
        (&2.into(), &1.into(), &1.into(), &1.into())
    );
    assert_eq!((&last["exit_code"], &last["all_read"]), (&1.into(), &true.into()));
}

#[test]
fn a_long_output_is_cut_and_counted() {
    let bed = Bed::new();
    let ended = bed.map(&["--json", "head -c 300000 /dev/zero | tr '\\0' {}", ":::", "x"]).code(0);
    let events = events(&ended.out);
    assert_eq!(events[2]["stdout_bytes"], 300_000);
    assert_eq!(events[2]["stdout"].as_str().unwrap().len(), 64 * 1024);
}
