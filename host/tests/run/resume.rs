//! Finished work is not done again, and changed work is.

use crate::bed::{Bed, tasks};
use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

const CHAIN: &str = r#"
[task.read]
run = "cat in.txt > copy.txt"
inputs = ["in.txt"]
outputs = ["copy.txt"]
env = { MODE = "x", OUTER = true }
[task.first-word]
needs = ["read"]
run = "cut -d' ' -f1 copy.txt > word.txt"
outputs = ["word.txt"]
[task.end]
needs = ["first-word"]
run = "cat word.txt > end.txt"
outputs = ["end.txt"]
"#;

/// What runs.
fn ran(bed: &Bed) -> Vec<String> {
    tasks(&bed.run(&["--json"]).code(0).events(), "started")
}

fn chain() -> Bed {
    let bed = Bed::new(CHAIN);
    bed.write("in.txt", "one two");
    assert_eq!(ran(&bed), ["read", "first-word", "end"]);
    assert!(ran(&bed).is_empty());
    bed
}

fn change(bed: &Bed, from: &str, to: &str) {
    let text = bed.read("p.toml");
    assert!(text.contains(from));
    bed.write("p.toml", &text.replace(from, to));
}

#[test]
fn a_changed_input_runs_again_and_stops_where_the_result_is_the_same() {
    let bed = chain();
    bed.write("in.txt", "one three");
    // `first-word` writes what it wrote before, so `end` has nothing to do.
    assert_eq!(ran(&bed), ["read", "first-word"]);
    bed.write("in.txt", "other three");
    assert_eq!(ran(&bed), ["read", "first-word", "end"]);
    assert_eq!(bed.read("end.txt"), "other\n");
}

#[test]
fn a_new_line_runs_the_new_item_alone() {
    let bed = Bed::new(
        "[task.list]\nrun='cp in.txt items'\ninputs=['in.txt']\noutputs=['items']\n[task.each]\nneeds=['list']\nfor_each={lines='items'}\nrun='echo {item} > {item}.out'\noutputs=['{item}.out']\n[task.all]\nneeds=['each']\nrun='cat *.out'\n",
    );
    bed.write("in.txt", "a\nb\n");
    assert_eq!(ran(&bed).len(), 4);
    bed.write("in.txt", "a\nc\nb\n");
    assert_eq!(ran(&bed), ["list", "each:c", "all"]);
}

#[test]
fn large_inputs_and_outputs_count_like_small_ones() {
    let bed = Bed::new(
        "[task.a]\nrun='cat large > copy'\ninputs=['large', 'small']\noutputs=['copy']\n[task.b]\nneeds=['a']\nfor_each={list=[1,2,3]}\nrun='true'\ninputs=['large']\n",
    );
    // Measured times may change the order.
    let all = |bed: &Bed| {
        let mut ran = ran(bed);
        ran.sort();
        ran
    };
    bed.write("small", "1");
    bed.write("large", &"x".repeat(17 << 20));
    assert_eq!(all(&bed), ["a", "b:1", "b:2", "b:3"]);
    assert!(ran(&bed).is_empty());
    bed.write("large", &("y".to_owned() + &"x".repeat((17 << 20) - 1)));
    assert_eq!(all(&bed), ["a", "b:1", "b:2", "b:3"]);
    assert!(ran(&bed).is_empty());
}

#[test]
fn a_touched_but_equal_input_does_not_run_again() {
    let bed = chain();
    bed.write("in.txt", "one two");
    let late = FileTimes::new().set_modified(SystemTime::now() + Duration::from_secs(100));
    File::options().write(true).open(bed.path("in.txt")).unwrap().set_times(late).unwrap();
    assert!(ran(&bed).is_empty());
}

#[test]
fn a_change_of_equal_length_at_the_same_second_is_seen() {
    let bed = chain();
    // Once the file has settled, its content is known by its stamp.
    std::thread::sleep(Duration::from_millis(100));
    assert!(ran(&bed).is_empty());
    let file = bed.path("in.txt");
    let times = || std::fs::metadata(&file).unwrap();
    let old =
        FileTimes::new().set_modified(times().modified().unwrap()).set_accessed(times().accessed().unwrap());
    bed.write("in.txt", "two two");
    File::options().write(true).open(&file).unwrap().set_times(old).unwrap();
    assert_eq!(ran(&bed), ["read", "first-word", "end"]);
}

#[test]
fn the_command_the_environment_and_the_folder_count_and_other_things_do_not() {
    let bed = chain();
    change(&bed, "cat in.txt", "cat < in.txt");
    assert_eq!(ran(&bed), ["read"]);
    change(&bed, "MODE = \"x\"", "MODE = \"y\"");
    assert_eq!(ran(&bed), ["read"]);
    change(
        &bed,
        "outputs = [\"copy.txt\"]",
        "outputs = [\"copy.txt\"]\npriority = 3\nretries = 2\ntimeout = '1m'",
    );
    assert!(ran(&bed).is_empty());
    let with = |value: &str| {
        let output = bed.command(&["--json"]).env("OUTER", value).env("UNNAMED", value).output().unwrap();
        String::from_utf8(output.stdout).unwrap().matches("\"started\"").count()
    };
    assert_eq!((with("1"), with("1"), with("2")), (1, 0, 1));
    change(&bed, "cut -d", "mkdir -p sub; cut -d");
    assert_eq!(ran(&bed), ["read", "first-word"]);
    change(&bed, "cat word.txt > end.txt", "cat ../word.txt > ../end.txt");
    change(&bed, "outputs = [\"end.txt\"]", "outputs = [\"end.txt\"]\ndir = 'sub'");
    assert_eq!(ran(&bed), ["end"]);
}

#[test]
fn a_missing_output_is_made_again() {
    let bed = chain();
    std::fs::remove_file(bed.path("word.txt")).unwrap();
    assert_eq!(ran(&bed), ["first-word"]);
    // Changed by hand, it is another input for what comes after.
    bed.write("word.txt", "by hand");
    assert_eq!(ran(&bed), ["end"]);
}

#[test]
fn an_item_more_or_less_runs_only_what_it_must() {
    let bed = Bed::new(
        "[task.a]\nrun='echo {item} > {item}.out'\nfor_each={glob='*.in'}\noutputs=['{item}.out']\n[task.b]\nneeds=['a']\nrun='cat *.out'",
    );
    bed.write("x.in", "");
    bed.write("y.in", "");
    assert_eq!(ran(&bed), ["a:x.in", "a:y.in", "b"]);
    bed.write("z.in", "");
    assert_eq!(ran(&bed), ["a:z.in", "b"]);
    std::fs::remove_file(bed.path("x.in")).unwrap();
    assert_eq!(ran(&bed), ["b"]);
}

#[test]
fn folders_and_patterns_are_inputs_too() {
    let bed = Bed::new("[task.a]\nrun='true'\ninputs=['tree', '*.c']\n");
    std::fs::create_dir_all(bed.path("tree/deep")).unwrap();
    bed.write("tree/deep/f", "1");
    bed.write("x.c", "1");
    assert_eq!(ran(&bed), ["a"]);
    bed.write("tree/deep/f", "2");
    assert_eq!(ran(&bed), ["a"]);
    bed.write("y.c", "1");
    assert_eq!(ran(&bed), ["a"]);
    assert!(ran(&bed).is_empty());
}

#[test]
fn an_input_that_vanished_is_a_failure_with_its_name() {
    let bed = Bed::new("[task.a]\nrun='true'\n[task.b]\nneeds=['a']\nrun='true'\ninputs=['made.txt']\n");
    bed.run(&[]).code(1).says(&["dead   b: its input made.txt does not exist"]);
    bed.write("made.txt", "");
    assert_eq!(ran(&bed), ["b"]);
}

#[test]
fn a_declared_output_that_is_not_written_is_a_failure() {
    let bed = Bed::new("[task.a]\nrun='true'\noutputs=['x']\n");
    bed.run(&[]).code(1).says(&["exit code 0, but its output x is missing"]);
}

#[test]
fn a_moved_project_stays_up_to_date() {
    let bed = chain();
    let new = tempfile::tempdir().unwrap();
    let place = new.path().join("moved");
    let copied = std::process::Command::new("cp").arg("-a").arg(bed.path(".")).arg(&place).status().unwrap();
    assert!(copied.success());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_divvy"))
        .arg("run")
        .arg(place.join("p.toml"))
        .arg("--json")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!String::from_utf8(output.stdout).unwrap().contains("\"started\""));
}
