//! What is recorded is not run again, whatever happens to the input.

use crate::bed::Bed;

/// Every job writes its item down.
const JOB: &str = "echo {} >> ran; [ ! -e fail.{} ]";

/// What ran since the last call, sorted.
fn ran(bed: &Bed) -> Vec<String> {
    let mut ran = bed.lines("ran");
    bed.write("ran", "");
    ran.sort();
    ran
}

fn map(bed: &Bed, options: &[&str], items: &[&str], code: i32) {
    bed.map(&[&["--joblog", "log"], options, &[JOB, ":::"], items].concat()).code(code);
}

#[test]
fn the_log_has_the_columns_of_gnu_parallel() {
    let bed = Bed::new();
    bed.map(&["-j1", "--joblog", "log", "printf abc; exit {};", ":::", "0", "3"]).code(1);
    bed.map(&["--joblog", "killed", "kill -9 $$ {};", ":::", "0"]).code(1);
    let lines = bed.lines("log");
    assert_eq!(lines[0], "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tKey");
    let columns: Vec<&str> = lines[2].split('\t').collect();
    assert_eq!(
        (columns[0], columns[1], &columns[4..9]),
        ("2", ":", &["0", "3", "3", "0", "printf abc; exit 3;"][..])
    );
    let killed: Vec<String> = bed.lines("killed")[1].split('\t').map(str::to_owned).collect();
    assert_eq!((&*killed[6], &*killed[7]), ("0", "9"));
}

#[test]
fn what_ended_is_left_out() {
    let bed = Bed::new();
    bed.write("fail.2", "");
    map(&bed, &[], &["1", "2", "3"], 1);
    assert_eq!(ran(&bed), ["1", "2", "3"]);
    map(&bed, &["--resume"], &["1", "2", "3", "4"], 0);
    assert_eq!(ran(&bed), ["4"]);
    map(&bed, &["--resume-failed"], &["1", "2", "3", "4"], 1);
    assert_eq!(ran(&bed), ["2"]);
    std::fs::remove_file(bed.path("fail.2")).unwrap();
    map(&bed, &["--resume-failed"], &["1", "2", "3", "4"], 0);
    assert_eq!(ran(&bed), ["2"]);
    map(&bed, &["--resume-failed"], &["1", "2", "3", "4"], 0);
    assert!(ran(&bed).is_empty());
    // Without --resume all begins anew.
    map(&bed, &[], &["1"], 0);
    assert_eq!((ran(&bed), bed.lines("log").len()), (vec!["1".to_owned()], 2));
}

/// GNU parallel knows jobs by their numbers: here it would run 1 twice and the new ones never.
#[test]
fn reordered_and_changed_input_is_known_by_its_content() {
    let bed = Bed::new();
    map(&bed, &[], &["1", "2", "3"], 0);
    ran(&bed);
    map(&bed, &["--resume"], &["new", "3", "another", "1", "2"], 0);
    assert_eq!(ran(&bed), ["another", "new"]);
    // Fewer items, then more.
    map(&bed, &["--resume"], &["2"], 0);
    map(&bed, &["--resume"], &["last", "2", "new"], 0);
    assert_eq!(ran(&bed), ["last"]);
    // The same text as one item or as two is not the same.
    map(&bed, &["--resume"], &["1 2"], 0);
    assert_eq!(ran(&bed), ["1 2"]);
}

#[test]
fn another_command_is_other_work() {
    let bed = Bed::new();
    map(&bed, &[], &["1", "2"], 0);
    bed.map(&["--joblog", "log", "--resume", "echo other {} >> ran", ":::", "1", "2"]).code(0);
    assert_eq!(ran(&bed), ["1", "2", "other 1", "other 2"]);
    bed.map(&["--joblog", "log", "--resume", "--shell", "/bin/bash", JOB, ":::", "1"]).code(0);
    assert_eq!(ran(&bed), ["1"]);
    map(&bed, &["--resume"], &["1", "2"], 0);
    assert!(ran(&bed).is_empty());
}

#[test]
fn the_same_item_twice_is_two_jobs() {
    let bed = Bed::new();
    map(&bed, &[], &["1", "1"], 0);
    ran(&bed);
    map(&bed, &["--resume"], &["1", "2", "1", "1"], 0);
    assert_eq!(ran(&bed), ["1", "2"]);
}

#[test]
fn what_failed_and_ran_again_does_not_stand_for_its_twin() {
    let bed = Bed::new();
    bed.write("fail.1", "");
    map(&bed, &["-j1", "--halt", "soon,fail=1"], &["1", "1"], 1);
    std::fs::remove_file(bed.path("fail.1")).unwrap();
    map(&bed, &["-j1", "--resume-failed", "--halt", "soon,done=1"], &["1", "1"], 0);
    assert_eq!(ran(&bed), ["1", "1"]);
    map(&bed, &["--resume"], &["1", "1"], 0);
    assert_eq!(ran(&bed), ["1"], "the second one never ran");
}

#[test]
fn blocks_and_batches_are_known_by_their_content() {
    let bed = Bed::new();
    let map = |input: &str, options: &[&str]| {
        bed.fed(input, &[&["--joblog", "log", "--resume", "-j1"], options].concat()).code(0);
        ran(&bed)
    };
    let pipe = ["--pipe", "--block", "2", "cat >> ran"];
    assert_eq!(map("a\nb\nc\n", &pipe), ["a", "b", "c"]);
    assert_eq!(map("c\nx\na\n", &pipe), ["x"]);
    let batch = ["-n2", "echo {} >> ran"];
    assert_eq!(map("1\n2\n3\n4\n", &batch), ["1 2", "3 4"]);
    assert_eq!(map("3\n4\n2\n1\n", &batch), ["2 1"]);
}

#[test]
fn a_dry_run_shows_what_would_run() {
    let bed = Bed::new();
    map(&bed, &[], &["1", "2"], 0);
    let before = bed.read("log");
    bed.map(&[
        "--joblog",
        "log",
        "--resume",
        "--dry-run",
        "echo {} >> ran; [ ! -e fail.{} ]",
        ":::",
        "3",
        "1",
    ])
    .code(0)
    .prints("echo 3 >> ran; [ ! -e fail.3 ]\n");
    assert_eq!(bed.read("log"), before);
}

#[test]
fn in_order_an_end_is_recorded_when_its_output_was_shown() {
    let bed = Bed::new();
    // The second job ends at once and prints; the first one, whose turn it is, sees no record of it.
    let job = "case {} in 1) while [ ! -e ended.2 ]; do sleep 0.01; done; sleep 0.2; wc -l < log > seen;; 2) echo x; touch ended.2;; 3) true;; esac";
    bed.map(&["-k", "-j3", "--joblog", "log", job, ":::", "1", "2", "3"]).code(0).prints("x\n");
    // The header, and the third one, which printed nothing.
    assert_eq!(bed.read("seen").trim(), "2");
    assert_eq!(bed.lines("log").len(), 4);
}

#[test]
fn only_one_map_has_a_joblog() {
    let bed = Bed::new();
    let child = bed.start(&[
        "--joblog",
        "log",
        "touch began; while [ ! -e go ]; do sleep 0.01; done; echo",
        ":::",
        "1",
    ]);
    crate::bed::wait_for("the first", || bed.path("began").exists());
    bed.map(&["--joblog", "log", "touch", ":::", "x"])
        .code(5)
        .says(&["another divvy map has the joblog log"]);
    bed.write("go", "");
    crate::bed::end(child).code(0);
    assert!(!bed.path("x").exists());
}
