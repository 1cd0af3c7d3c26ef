//! Whatever is wrong gives one message with a remedy before anything starts, and an exit code of its own.

use crate::bed::Bed;

#[track_caller]
fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let bed = Bed::new();
    let ended = bed.map(arguments).code(code).says(&["error: "]).says(parts);
    assert_eq!(ended.err.matches("error: ").count(), 1, "{}", ended.err);
    assert_eq!(ended.out, "");
    assert!(!bed.path("started").exists(), "something was started");
}

#[test]
fn values_of_options() {
    for (option, value, says) in [
        ("--jobs", "x", "50%, +1, -1"),
        ("--jobs", "-x", "50%, +1, -1"),
        ("--delimiter", "ab", "one character"),
        ("--colsep", "\\s", "not a pattern"),
        ("--colsep", "", "cannot be empty"),
        ("--max-args", "0", "0 is not in 1.."),
        ("--retries", "-1", "--retries"),
        ("--backoff", "0", "longer than zero"),
        ("--backoff", "2s,1s", "at least its base"),
        ("--timeout", "5x", "200%"),
        ("--timeout", "20%", "half of all jobs"),
        ("--grace", "soon", "500ms"),
        ("--halt", "later", "soon,fail=1 or now,fail=10%"),
        ("--memfree", "lots", "512MiB"),
        ("--load", "0", "80%"),
        ("--delay", "x", "500ms"),
        ("--nice", "99", "--nice"),
        ("--seed", "x", "--seed"),
    ] {
        let argument = format!("{option}={value}");
        refused(&[&argument, "touch", "started", ":::", "a"], 2, &[option, says]);
    }
    refused(&["--pipe", "--block", "0", "touch", "started"], 2, &["--block", "512MiB"]);
}

#[test]
fn options_that_exclude_or_need_each_other() {
    let touch = ["touch", "started", ":::", "a"];
    for (options, says) in [
        (&["--resume"][..], "--joblog"),
        (&["--resume-failed"], "--joblog"),
        (&["--block", "5"], "--pipe"),
        (&["-k", "--line-buffer"], "--line-buffer"),
        (&["--json", "--tag"], "--tag"),
        (&["-0", "-d,"], "--delimiter"),
        (&["--pipe", "-n2"], "--pipe"),
    ] {
        refused(&[options, &touch].concat(), 2, &[says]);
    }
    refused(&["--pipe", "touch", "started", ":::", "a"], 2, &["--pipe gives blocks", "leave ::: out"]);
    refused(&["--pipe"], 2, &["--pipe gives blocks"]);
}

#[test]
fn an_unknown_option() {
    refused(&["--job", "2", "touch", "started", ":::", "a"], 2, &["unexpected argument '--job'", "--jobs"]);
}

#[test]
fn replacement_strings() {
    refused(
        &["touch", "started", "{..}", ":::", "a"],
        2,
        &["unknown replacement string `{..}`", "known: {}"],
    );
    refused(&["touch", "started", "{0}", ":::", "a"], 2, &["`{0}`", "from 1"]);
    refused(&["touch", "started", "{3}", ":::", "a", ":::", "b"], 2, &["asks for item {3}", "has only 2"]);
    refused(&["touch", "started", "{= s/a// =}", ":::", "a"], 2, &["Perl"]);
    refused(&["--tagstring", "{+}", "touch", "started", ":::", "a"], 2, &["`{+}`"]);
    refused(&["-I", "", "touch", "started", ":::", "a"], 2, &["-I"]);
    refused(&["bash", "-c", "touch started", ":::", "a"], 2, &["only the first word", "-q"]);
}

#[test]
fn sources() {
    refused(&["touch", "started", ":::"], 2, &["no item after :::", "-r"]);
    refused(&["touch", "started", "::::"], 2, &["no file after ::::"]);
    refused(&["touch", "started", ":::+", "a"], 2, &[":::+ links", "begin with :::"]);
    refused(&["touch", "started", "::::", "-", "-"], 2, &["standard input is named twice"]);
    refused(&["touch", "started", "::::", "none"], 3, &["cannot read the items in none", "help:"]);
    refused(&["-a", ".", "touch", "started"], 3, &["it is a folder"]);
}

#[test]
fn programs() {
    refused(&["no-such-program", ":::", "a"], 2, &["`no-such-program` is not on PATH", "before the command"]);
    refused(&["./none", ":::", "a"], 2, &["`./none` is not an executable program"]);
    refused(&["-q", "no such", ":::", "a"], 2, &["`no such`"]);
    refused(&["--shell", "/none", "touch started; true", ":::", "a"], 2, &["/none"]);
}

#[test]
fn joblogs() {
    let bed = Bed::new();
    bed.write("precious", "my thesis\n");
    for resume in [&[][..], &["--resume"], &["--resume-failed"]] {
        let arguments = [resume, &["--joblog", "precious", "touch", "started", ":::", "a"]].concat();
        bed.map(&arguments).code(4).says(&["precious", "help:"]);
    }
    assert_eq!(bed.read("precious"), "my thesis\n");
    bed.map(&["--joblog", "none/log", "touch", "started", ":::", "a"]).code(4).says(&["none/log"]);
    assert!(!bed.path("started").exists());
}

#[test]
fn more_memory_than_there_is() {
    refused(
        &["--memfree", "900TiB", "touch", "started", ":::", "a"],
        2,
        &["900.0 TiB", "nothing would ever start"],
    );
}
