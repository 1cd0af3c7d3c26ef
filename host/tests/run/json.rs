//! The events of `--json`, as `host/docs/run.md` documents them.

use crate::bed::Bed;
use serde_json::Value;

/// Each event and the fields it must have, with their types: number, text, boolean, list.
const SCHEMA: [(&str, &[(&str, char)]); 12] = [
    (
        "run_started",
        &[("run", 'n'), ("pipeline", 't'), ("store", 't'), ("jobs", 'n'), ("seed", 'n'), ("tasks", 'n')],
    ),
    ("expanded", &[("task", 't'), ("items", 'n')]),
    ("up_to_date", &[("task", 't')]),
    ("started", &[("task", 't'), ("attempt", 'n'), ("pid", 'n'), ("why", 't')]),
    ("retry", &[("task", 't'), ("attempt", 'n'), ("reason", 't'), ("duration", 'n'), ("wait", 'n')]),
    ("done", &[("task", 't'), ("attempt", 'n'), ("duration", 'n'), ("output_bytes", 'n')]),
    (
        "dead",
        &[
            ("task", 't'),
            ("place", 't'),
            ("attempts", 'n'),
            ("reason", 't'),
            ("duration", 'n'),
            ("output", 't'),
            ("allowed", 'b'),
        ],
    ),
    ("dead_before", &[("task", 't'), ("reason", 't'), ("output", 't')]),
    ("interrupted", &[("task", 't'), ("attempt", 'n')]),
    ("stopping", &[("reason", 't')]),
    ("shown", &[("task", 't'), ("output", 't')]),
    (
        "run_finished",
        &[
            ("pipeline", 't'),
            ("exit_code", 'n'),
            ("tasks", 'n'),
            ("done", 'n'),
            ("up_to_date", 'n'),
            ("dead", 'n'),
            ("dead_before", 'n'),
            ("allowed_failures", 'n'),
            ("interrupted", 'n'),
            ("skipped", 'n'),
            ("unexpanded", 'n'),
            ("retries", 'n'),
            ("work", 'n'),
            ("span", 'n'),
            ("wall", 'n'),
            ("slowest", 'l'),
        ],
    ),
];

fn check(event: &Value) {
    let name = event["event"].as_str().unwrap();
    let (_, fields) = SCHEMA.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}"));
    assert!(event["time_ms"].as_u64().unwrap() > 1_500_000_000_000);
    for (field, kind) in *fields {
        let value = &event[field];
        let right = match kind {
            'n' => value.is_number(),
            't' => value.is_string(),
            'b' => value.is_boolean(),
            _ => value.is_array(),
        };
        assert!(right, "{field} of {event}");
    }
}

#[test]
fn every_event_has_its_fields() {
    let bed = Bed::new(
        "[task.list]\nrun='echo x > lines'\n[task.f]\nneeds=['list']\nfor_each={lines='lines'}\nrun='echo out'\nshow=true\n[task.bad]\nrun='echo no; false'\nretries=1\nbackoff={base='1ms'}\n[task.allowed]\nrun='false'\nallow_failure=true\n",
    );
    let mut events = bed.run(&["-k", "--json"]).code(1).events();
    events.extend(bed.run(&["--json"]).code(1).events());
    bed.write("p.toml", "[task.long]\nrun='touch begun; sleep 1000'\n");
    let going = bed.start(&[]);
    crate::bed::wait_for("the command", || bed.path("begun").exists());
    going.signal(rustix::process::Signal::INT);
    events.extend(going.end().1);
    events.iter().for_each(check);
    for (name, _) in SCHEMA {
        assert!(events.iter().any(|event| event["event"] == name), "no {name}");
    }
    assert_eq!(events[0]["event"], "run_started");
    let done = events.iter().find(|event| event["event"] == "done" && event["task"] == "f:x").unwrap();
    assert_eq!(done["output_bytes"], 4);
    let summary = events.iter().find(|event| event["event"] == "run_finished").unwrap();
    assert_eq!(
        [&summary["tasks"], &summary["done"], &summary["dead"], &summary["allowed_failures"]],
        [4, 2, 1, 1]
    );
    assert_eq!(summary["slowest"].as_array().unwrap().len(), 3);
}

#[test]
fn standard_output_is_data_and_standard_error_is_messages() {
    let bed = Bed::new("[task.a]\nrun='echo said; false'\n");
    let ended = bed.run(&["--json"]).code(1);
    assert_eq!(ended.err, "");
    ended.events().iter().for_each(check);
    let plain = Bed::new("[task.a]\nrun='true'\n").run(&[]).code(0);
    assert!(
        plain.out.starts_with("\np: done in") && !plain.out.contains('\x1b') && !plain.err.contains('\x1b')
    );
    assert!(plain.err.lines().all(|line| line.starts_with('[')), "{}", plain.err);
}
