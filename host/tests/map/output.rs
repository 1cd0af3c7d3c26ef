//! What jobs print never mixes.

use crate::bed::{Bed, read_until};

/// Prints three lines, with time for others in between.
const SLOW: &str = "echo {}1; sleep 0.05; echo {}2; echo {}e >&2; sleep 0.05; printf {}3";

#[test]
fn an_output_is_shown_as_a_whole() {
    let bed = Bed::new();
    let ended = bed.map(&["-j4", SLOW, ":::", "a", "b", "c", "d"]).code(0);
    for item in ["a", "b", "c", "d"] {
        assert!(ended.out.contains(&format!("{item}1\n{item}2\n{item}3")), "{}", ended.out);
        assert!(ended.err.contains(&format!("{item}e\n")), "{}", ended.err);
    }
}

#[test]
fn outputs_are_shown_in_the_order_of_the_items() {
    let bed = Bed::new();
    // Later ones end first; one of them is larger than what is kept in memory.
    let job = "sleep 0.{}; head -c {}00000 /dev/zero | tr '\\0' {}; echo";
    let ended = bed.map(&["-k", "-j4", job, ":::", "4", "3", "2", "1"]).code(0);
    let line = |digit: &str, times: usize| digit.repeat(times * 100_000);
    let expected = [line("4", 4), line("3", 3), line("2", 2), line("1", 1)];
    assert!(ended.out.lines().eq(expected.iter().map(String::as_str)), "not in order, or not whole");
}

#[test]
fn lines_are_shown_as_they_come() {
    let bed = Bed::new();
    let mut child = bed.start(&[
        "--line-buffer",
        "--tag",
        "-j2",
        "echo {}; while [ ! -e go ]; do sleep 0.01; done; printf end",
        ":::",
        "a",
        "b",
    ]);
    let out = child.stdout.as_mut().unwrap();
    let mut shown = read_until(out, "\n");
    while !(shown.contains("a\ta\n") && shown.contains("b\tb\n")) {
        shown += &read_until(out, "\n");
    }
    bed.write("go", "");
    let mut rest = crate::bed::end(child).code(0).out;
    rest.insert_str(0, &shown);
    let mut lines: Vec<&str> = rest.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a\ta", "a\tend", "b\tb", "b\tend"]);
}

#[test]
fn an_endless_background_process_does_not_hold_the_lines_back() {
    let bed = Bed::new();
    let job = "echo {}; (while [ ! -e go ]; do echo background; done) & [ {} = a ] || touch go";
    let ended = bed.map(&["--lb", "-j1", job, ":::", "a", "b"]).code(0);
    let jobs: Vec<&str> = ended.out.lines().filter(|line| *line != "background").collect();
    assert_eq!(jobs, ["a", "b"]);
}

#[test]
fn long_lines_do_not_mix_either() {
    let bed = Bed::new();
    // Lines longer than what is held back of a line.
    let job = "for i in 1 2 3; do head -c 3000000 /dev/zero | tr '\\0' {}; echo; done";
    let ended = bed.map(&["--lb", "-j4", job, ":::", "a", "b", "c", "d"]).code(0);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 12);
    for line in lines {
        assert!(
            line.len() == 3_000_000 && line.bytes().all(|byte| byte == line.as_bytes()[0]),
            "lines are mixed"
        );
    }
}

#[test]
fn tags_stand_in_front_of_every_line() {
    let bed = Bed::new();
    bed.map(&["-k", "--tag", "printf 'x\\ny'; echo z{#} >&2", ":::", "a", ":::", "b"])
        .code(0)
        .prints("a b\tx\na b\ty\n")
        .says(&["a b\tz1\n"]);
    bed.map(&["-k", "--tagstring", "{#}:{/}", "echo {#}", ":::", "d/a", "b"])
        .code(0)
        .prints("1:a\t1\n2:b\t2\n");
}

#[test]
fn mixed_output_is_direct() {
    let bed = Bed::new();
    bed.map(&["-u", "echo", ":::", "a"]).code(0).prints("a\n");
}

#[test]
fn results_are_kept_in_files_too() {
    let bed = Bed::new();
    bed.map(&["-k", "--results", "r", "echo {1}; echo {2} >&2", ":::", "a/b", ":::", "1", "2"])
        .code(0)
        .prints("a/b\na/b\n");
    assert_eq!(bed.read("r/1/a\\_b/2/1/stdout"), "a/b\n");
    assert_eq!(bed.read("r/1/a\\_b/2/2/stderr"), "2\n");
    assert_eq!(bed.read("r/1/a\\_b/2/2/seq"), "2\n");
    // Once more: nothing of the old is left.
    bed.map(&["--results", "r", "echo again", ":::", "a/b", ":::", "1", "2"]).code(0);
    assert_eq!(bed.read("r/1/a\\_b/2/1/stdout"), "again a/b 1\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_map() {
    let bed = Bed::new();
    let mut child = bed.start(
        &["-j2", "echo {}; touch ran.{}", ":::"]
            .into_iter()
            .chain((0..2_000).map(|_| "x"))
            .collect::<Vec<_>>(),
    );
    read_until(child.stdout.as_mut().unwrap(), "x\n");
    drop(child.stdout.take());
    let ended = crate::bed::end(child).code(141);
    assert_eq!(ended.err, "");
}

#[test]
fn what_a_job_leaves_in_the_background_prints_into_no_other_output() {
    let bed = Bed::new();
    let job = "if [ {} = 1 ]; then (sleep 0.2; echo late) & echo 1; else echo {}; sleep 0.1; fi";
    let ended = bed.map(&["-j1", job, ":::", "1", "2", "3", "4"]).code(0);
    assert_eq!(ended.out, "1\n2\n3\n4\n");
}

#[test]
fn temporary_files_leave_nothing_behind() {
    let bed = Bed::new();
    std::fs::create_dir(bed.path("tmp")).unwrap();
    bed.map(&["--tmpdir", "tmp", "echo", ":::", "a", "b"]).code(0);
    assert_eq!(std::fs::read_dir(bed.path("tmp")).unwrap().count(), 0);
    bed.map(&["--tmpdir", "none", "echo", ":::", "a"]).code(6).says(&["none", "--tmpdir"]);
}
