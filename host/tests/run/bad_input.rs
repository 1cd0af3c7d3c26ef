//! Whatever is wrong gives one message with file, line and remedy, and an exit code of its own.

use crate::bed::Bed;

/// Runs `pipeline`, which must be refused with exit code 3 before anything starts.
#[track_caller]
fn refused(pipeline: &str, place: &str, parts: &[&str]) {
    let bed = Bed::new(&format!("[task.first]\nrun = 'touch started'\n{pipeline}"));
    let ended = bed.run(&[]).code(3).says(&[place, "= help: "]).says(parts);
    assert_eq!(ended.err.matches("error: ").count(), 1, "{}", ended.err);
    assert_eq!(ended.out, "");
    assert!(!bed.path("started").exists(), "something was started");
}

#[test]
fn a_syntax_error() {
    refused("[task.a]\nrun = 'x\n", "--> p.toml:4:", &["this is not TOML"]);
}

#[test]
fn an_unknown_key() {
    refused(
        "[task.a]\nrun = 'true'\nretrys = 3\n",
        "--> p.toml:5:1",
        &["unknown key `retrys` in [task.a]", "did you mean `retries`?"],
    );
}

#[test]
fn an_unknown_task_in_needs() {
    refused(
        "[task.a]\nrun = 'true'\nneeds = ['fisrt']\n",
        "--> p.toml:5:10",
        &["task `a` needs `fisrt`", "did you mean `first`?"],
    );
}

#[test]
fn a_cycle_with_its_path() {
    let pipeline = "[task.a]\nrun='true'\nneeds=['b']\n[task.b]\nrun='true'\nneeds=['a']\n";
    refused(
        pipeline,
        "--> p.toml:",
        &["tasks need each other in a circle: ", "take one of these out of `needs`"],
    );
}

#[test]
fn a_for_each_without_match() {
    refused(
        "[task.a]\nrun = 'cat {item}'\nfor_each = { glob = 'no/*.such' }\n",
        "--> p.toml:5:12",
        &["nothing matches `no/*.such`", "allow_empty"],
    );
    refused(
        "[task.a]\nrun = 'cat {item}'\nfor_each = { lines = 'none.txt' }\n",
        "--> p.toml:5:12",
        &["`none.txt` does not exist"],
    );
}

#[test]
fn a_for_each_without_match_while_the_pipeline_runs() {
    let bed = Bed::new(
        "[task.a]\nrun = ': > lines'\n[task.b]\nneeds = ['a']\nrun = 'cat {item}'\nfor_each = { lines = 'lines' }\n[task.c]\nneeds=['b']\nrun='true'",
    );
    bed.run(&[]).code(3).says(&[
        "--> p.toml:6:12",
        "`lines` has no line for task `b`",
        "allow_empty",
        "done   a",
    ]);
    // What is done stays done, and with the remedy the run goes on.
    let text =
        std::fs::read_to_string(&bed.pipeline).unwrap().replace("'lines' }", "'lines', allow_empty = true }");
    bed.write("p.toml", &text);
    bed.run(&[]).code(0).prints(&["2 = 1 run + 1 up to date"]);
}

#[test]
fn a_missing_program() {
    refused(
        "[task.a]\nrun = 'no-such-program --x'\n",
        "--> p.toml:4:7",
        &["`no-such-program`", "not on PATH"],
    );
    refused(
        "[task.a]\nargv = ['./no-such-program']\n",
        "--> p.toml:4:8",
        &["`./no-such-program`", "looked for /"],
    );
}

#[test]
fn a_program_that_only_the_shell_misses() {
    let bed = Bed::new("[task.a]\nrun = 'no-such-program | cat; no-such-program'\n");
    bed.run(&[]).code(1).says(&["exit code 127 (the shell did not find a command)", "no-such-program"]);
}

#[test]
fn demands_that_nothing_can_meet() {
    refused(
        "[task.a]\nrun = 'true'\nresources = { cores = 5000 }\n",
        "--> p.toml:5:13",
        &["5000 cores", "--jobs 5000"],
    );
    refused(
        "[task.a]\nrun = 'true'\nresources = { memory = '900TiB' }\n",
        "--> p.toml:5:13",
        &["900.0 TiB of memory", "[resources]"],
    );
}

#[test]
fn a_file_that_is_not_there_or_not_text() {
    let bed = Bed::new("");
    std::fs::remove_file(&bed.pipeline).unwrap();
    bed.run(&[]).code(3).says(&["cannot read the pipeline file p.toml", "help:"]);
    std::fs::write(&bed.pipeline, b"[task.a]\nrun = '\xff'\n").unwrap();
    bed.run(&[]).code(3).says(&["--> p.toml:2:8", "not UTF-8"]);
}

#[test]
fn two_tasks_that_write_one_file() {
    refused(
        "[task.a]\nrun='true'\noutputs=['x']\n[task.b]\nrun='true'\noutputs=['./x']\n",
        "--> p.toml:8:10",
        &["written by task `a` and by task `b`"],
    );
    refused(
        "[task.a]\nrun='true {item}'\noutputs=['{item.name}']\nfor_each={list=['u/x','v/x']}",
        "--> p.toml:6:10",
        &["`u/x` and `v/x`", "{item}"],
    );
}

#[test]
fn a_bad_pipeline_leaves_the_store_as_it_was() {
    let bed = Bed::new("[task.a]\nrun = 'true'\n");
    bed.run(&[]).code(0);
    let before = std::fs::read(bed.store()).unwrap();
    let text = std::fs::read_to_string(&bed.pipeline).unwrap();
    bed.write("p.toml", &format!("{text}bogus = 1\n"));
    bed.run(&[]).code(3);
    assert_eq!(std::fs::read(bed.store()).unwrap(), before);
    bed.write("p.toml", &text);
    bed.run(&[]).code(0).prints(&["0 run + 1 up to date"]);
}
