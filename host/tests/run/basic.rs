//! A pipeline runs, and its result is there.

use crate::bed::{Bed, tasks};

const WORDS: &str = r#"
[pipeline]
name = "words"
[task.list]
run = "ls *.txt > files"
outputs = ["files"]
[task.count]
needs = ["list"]
for_each = { lines = "files" }
run = "wc -w < {item} > {item.stem}.n"
inputs = ["{item}"]
outputs = ["{item.stem}.n"]
[task.sum]
needs = ["count"]
run = "cat *.n | paste -sd+ | tr -d ' ' > sum; cat sum"
outputs = ["sum"]
"#;

#[test]
fn a_fan_out_over_what_a_task_wrote_runs_between_its_neighbours() {
    let bed = Bed::new(WORDS);
    bed.write("a b.txt", "one two three");
    bed.write("it's.txt", "four");
    bed.run(&[])
        .code(0)
        .prints(&[
            "words: done in",
            "tasks       4 = 4 run + 0 up to date",
            "retries     0",
            "work ",
            "speedup",
            "slowest",
        ])
        .says(&[
            "start  list",
            "fan    count: 2 items",
            "start  count:a b.txt",
            "done   count:it's.txt in",
            "done   sum",
        ]);
    assert_eq!(bed.read("sum").trim(), "3+1");
    bed.run(&["--output", "sum"]).code(0).prints(&["3+1"]);
    bed.run(&["--output", "list"]).code(0).says(&["list printed nothing"]);
    bed.run(&["--output", "count:x"]).code(2).says(&["no record of count:x", "help:"]);
    bed.run(&["--output", "cuont"]).code(2).says(&["no task `cuont`", "did you mean `count`?"]);
}

#[test]
fn a_result_is_shown_by_every_run_that_has_it() {
    let bed = Bed::new("[task.a]\nrun='echo the result'\nshow=true\n[task.b]\nrun='echo aside'");
    for state in ["2 run + 0 up to date", "0 run + 2 up to date"] {
        let said = bed.run(&[]).code(0).prints(&["the result\n", state]);
        assert!(!said.out.contains("aside"), "{}", said.out);
    }
    let said = bed.run(&["--json"]).code(0);
    assert!(said.out.contains(r#""event":"shown","task":"a","output":"the result\n""#), "{}", said.out);
}

#[test]
fn what_a_task_prints_is_shown_where_it_is_wanted() {
    let bed = Bed::new("[task.a]\nrun='echo a result'\nshow=true\n[task.b]\nrun='echo chatter'\n");
    for _ in 0..2 {
        let ended = bed.run(&[]).code(0);
        assert!(
            ended.out.starts_with("a result\n\np: done in") && !ended.out.contains("chatter"),
            "{}",
            ended.out
        );
    }
}

#[test]
fn the_store_lies_beside_the_pipeline_and_stays_out_of_version_control() {
    let bed = Bed::new(WORDS);
    bed.write("a.txt", "one");
    bed.run(&[]).code(0);
    assert!(bed.store().exists());
    assert_eq!(bed.read(".divvy/.gitignore"), "*\n");
    let names = std::fs::read_dir(bed.path(".divvy")).unwrap().count();
    assert_eq!(names, 2, "outputs and sockets leave nothing behind");
    bed.run(&["--store", "other/s.redb"]).code(0);
    assert!(bed.path("other/s.redb").exists());
}

#[test]
fn two_commands_run_at_the_same_time_with_two_cores() {
    // Each waits for the other, so one after the other they would never end.
    let meet = |own: &str, other: &str| {
        format!(
            "touch {own}; i=0; while [ ! -e {other} ]; do i=$((i+1)); [ $i -lt 3000 ] || exit 1; sleep 0.01; done"
        )
    };
    let bed = Bed::new(&format!("[task.a]\nrun='{}'\n[task.b]\nrun='{}'", meet("x", "y"), meet("y", "x")));
    bed.run(&["-j2"]).code(0);
}

#[test]
fn commands_see_their_folder_environment_and_arguments() {
    let bed = Bed::new(
        r#"
        [task.folder]
        run = "mkdir -p 'sub x'"
        outputs = ["sub x"]
        [task.a]
        needs = ["folder"]
        for_each = { list = ["sub x"] }
        argv = ["sh", "-c", "pwd; echo \"$0|$1|$GREETING|$0\"; cat", "{item}", "$HOME *"]
        env = { GREETING = "hello {item}" }
        dir = "{item}"
        [task.literal]
        run = "echo {item} {{item}} ${X:-y}"
        "#,
    );
    bed.run(&[]).code(0);
    let shown = bed.run(&["--output", "a:sub x"]).code(0);
    assert!(shown.out.contains("/sub x\nsub x|$HOME *|hello sub x|sub x\n"), "{}", shown.out);
    assert_eq!(bed.run(&["--output", "literal"]).out, "{item} {{item}} y\n");
}

#[test]
fn a_shell_command_ends_at_its_first_failure() {
    let bed = Bed::new("[task.a]\nrun = '''\nfalse\necho not reached > x\n'''\n");
    bed.run(&[]).code(1);
    assert!(!bed.path("x").exists());
}

#[test]
fn the_longest_chain_starts_first_and_priority_decides_among_equals() {
    let bed = Bed::new(
        "[task.low]\nrun='true'\npriority=-1\n[task.high]\nrun='true'\npriority=5\n[task.first]\nrun='true'\npriority=-9\n[task.last]\nrun='true'\nneeds=['first']",
    );
    let events = bed.run(&["-j1", "--json"]).code(0).events();
    // `first` has a chain of two before it; then `last` is as long as the others, and 0 lies between 5 and -1.
    assert_eq!(tasks(&events, "started"), ["first", "high", "last", "low"]);
}

#[test]
fn what_earlier_runs_measured_decides_the_order() {
    let bed = Bed::new("[task.a]\nrun='true'\n[task.b]\nrun='sleep 0.3'\n[task.c]\nrun='true'");
    let order = |arguments: &[&str]| tasks(&bed.run(arguments).code(0).events(), "started");
    assert_eq!(order(&["-j1", "--json"]), ["a", "b", "c"]);
    let text = std::fs::read_to_string(&bed.pipeline).unwrap().replace("run='", "env={N='1'}\nrun='");
    bed.write("p.toml", &text);
    assert_eq!(order(&["-j1", "--json"])[0], "b");
}

#[test]
fn a_pipeline_of_thousands_of_tasks_is_no_trouble() {
    let items: Vec<String> = (0..3_000).map(|item| format!("\"{item}\"")).collect();
    let list = items.join(",");
    let bed = Bed::new(&format!(
        "[task.a]\nrun='true'\nfor_each={{list=[{list}]}}\n[task.b]\nrun='true'\nneeds=['a']\n"
    ));
    bed.run(&[]).code(0).prints(&["3001 = 3001 run"]);
    bed.run(&[]).code(0).prints(&["3001 = 0 run + 3001 up to date"]);
}

#[test]
fn help_documents_the_file_and_the_exit_codes() {
    let bed = Bed::new("");
    let help = bed.run(&["--help"]).code(0);
    for part in [
        "Exit codes:",
        "5    another run has the store",
        "Signals:",
        "for_each = {",
        "allow_failure",
        "show = false",
        "--retry-dead",
        "--keep-going",
    ] {
        assert!(help.out.contains(part), "{part}\n{}", help.out);
    }
    assert_eq!(bed.run(&["--no-such-option"]).code, Some(2));
    assert_eq!(bed.run(&["--halt", "later"]).code(2).says(&["soon,fail=10%"]).code, Some(2));
    assert_eq!(bed.run(&["--jobs", "0"]).code, Some(2));
}
