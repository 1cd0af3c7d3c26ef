//! Whatever is wrong gives one message with its remedy, and an exit code that says whose it is.

use crate::{plan, plan_with};
use std::fs;

#[track_caller]
fn refused(args: &[&str], code: i32, parts: &[&str]) {
    let output = plan(args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert_eq!(message.matches("error: ").count(), 1, "{message}");
    assert!(output.stdout.is_empty());
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in\n{message}");
    }
    assert!(message.lines().all(|line| line.chars().count() <= 120), "{message}");
}

#[test]
fn no_nodes() {
    refused(&[], 2, &["--nodes"]);
    refused(&["--nodes", ""], 2, &["a node without a name"]);
    refused(&["--nodes", "a,,b"], 2, &["a node without a name"]);
    refused(&["--nodes", ":3"], 2, &["a node without a name: `:3`", "write NAME:WEIGHT"]);
}

#[test]
fn weights_that_are_none() {
    for weight in ["x", "-1", "1e9", "NaN", "1.2.3", "12345678901"] {
        refused(
            &["--nodes", &format!("a:1,b:{weight}")],
            2,
            &[
                "the weight of `b` is no number that can be used",
                weight,
                "help: write a number such as 2 or 0.5",
            ],
        );
    }
    refused(&["--nodes", "a:0,b:0.0"], 2, &["the weights of all nodes are 0"]);
    refused(&["--nodes", "a:999999999,b:0.000000001"], 2, &["too far apart", "round them"]);
    refused(&["--nodes", "a", "--add", "b:y"], 2, &["the weight of `b`"]);
}

#[test]
fn names_that_do_not_fit() {
    refused(&["--nodes", "a:1,b:2,a:3"], 2, &["two nodes called `a`", "a name of its own"]);
    refused(&["--nodes", "a,b", "--add", "b"], 2, &["two nodes called `b`"]);
    refused(
        &["--nodes", "cache-1,cache-2", "--remove", "cache-3"],
        2,
        &["`--remove` names `cache-3`", "did you mean `cache-"],
    );
    refused(&["--nodes", "a,b", "--remove", "zebra"], 2, &["known: `a`, `b`"]);
    refused(&["--nodes", "a,b", "--remove", "a,b"], 2, &["no node with weight is left", "--add"]);
    refused(&["--nodes", "a,b:0", "--remove", "a"], 2, &["no node with weight is left"]);
}

#[test]
fn algorithms_that_are_none_or_cannot() {
    refused(
        &["--nodes", "a", "--algorithm", "carger"],
        2,
        &["no ring algorithm `carger`", "did you mean `karger`?"],
    );
    refused(&["--nodes", "a", "--algorithm", "quantum"], 2, &["`multi-probe`", "`all`"]);
    refused(
        &["--nodes", "a,b", "--remove", "a", "--algorithm", "jump-back"],
        2,
        &["jump-back cannot make this change: only the last node", "--algorithm all"],
    );
    refused(
        &["--nodes", "a:999999999,b:1", "--algorithm", "anchor"],
        2,
        &["anchor cannot place these nodes: the weights", "--algorithm all"],
    );
}

#[test]
fn keys_that_cannot_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    refused(
        &["--nodes", "a", "--keys", none.to_str().unwrap()],
        3,
        &["the keys cannot be read from", "one key per line"],
    );
    refused(
        &["--nodes", "a", "--keys", folder.path().to_str().unwrap()],
        3,
        &["the keys cannot be read from"],
    );
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n\r\n\n").unwrap();
    refused(
        &["--nodes", "a", "--keys", empty.to_str().unwrap()],
        3,
        &["there is no key in", "one key on each line"],
    );
    refused(&["--nodes", "a", "--keys", "-"], 3, &["there is no key in standard input"]);
    let output = plan_with(&["--nodes", "a", "--keys", "-", "--sample", "5"], b"k\n");
    assert_eq!(output.status.code(), Some(2), "keys and a sample at once");
    refused(&["--nodes", "a", "--sample", "0"], 2, &["--sample"]);
    refused(&["--nodes", "a", "--sample=-5"], 2, &["--sample"]);
}
