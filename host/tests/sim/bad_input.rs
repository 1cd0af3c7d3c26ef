//! Every mistake is one message that names the place and the remedy.

use super::sim;
use std::fs;

/// Runs with `text` in `name` and checks exit code, place, message and remedy.
#[track_caller]
fn refused(name: &str, text: &str, place: &str, message: &str, help: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    let args: &[&str] = if name.ends_with(".csv") { &["--trace", name] } else { &[name] };
    let output = sim(folder.path(), args);
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(output.stdout.is_empty());
    assert_eq!(shown.matches("error").count(), 1, "{shown}");
    for part in [&format!("--> {name}:{place}"), message, help] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
}

#[track_caller]
fn scenario(text: &str, place: &str, message: &str, help: &str) {
    refused("s.toml", text, place, message, help);
}

const REST: &str = "\n[[server]]\n";

#[test]
fn scenarios() {
    scenario("[traffic\n", "1:9", "this is not TOML", "help:");
    scenario(
        "[traffic]\nload = 0.5\nlaod = 1\n[[server]]",
        "3:1",
        "unknown key `laod`",
        "did you mean `load`?",
    );
    scenario("[[server]]\n", "1:1", "has no traffic", "[traffic]");
    scenario("[traffic]\nload = 0.5\n", "1:1", "has no server", "[[server]]");
    scenario("[traffic]\nload = 0.5\n[server]\n", "3:1", "`server` is a table", "two brackets");
    scenario(
        "[traffic]\nload = 0.5\nrate = \"5/s\"\n[[server]]",
        "3:8",
        "both a load and a rate",
        "keep one",
    );
    scenario(&format!("[traffic]\n{REST}"), "1:1", "how much traffic", "load = 0.8");
    for (load, message) in [
        ("-1", "cannot be -1"),
        ("nan", "cannot be nan"),
        ("1e3", "cannot be 1e3"),
        ("101", "cannot be 101"),
        ("0", "no traffic at all"),
        ("\"much\"", "`load` is a text"),
    ] {
        scenario(&format!("[traffic]\nload = {load}{REST}"), "2:8", message, "help:");
    }
    scenario(&format!("[traffic]\nrate = \"fast\"{REST}"), "2:8", "`fast` is not a rate", "900/s");
    scenario(
        &format!("[traffic]\nrate = \"4000000000/ns\"{REST}"),
        "1:1",
        "nanosecond apart",
        "smaller rate",
    );
    let traffic = "[traffic]\nload = 0.5\n";
    for (line, column, message) in [
        ("service = 5", 11, "`service` is a whole number"),
        ("service = { exponential = \"soon\" }", 27, "`soon` is not a time"),
        ("service = { exponential = \"0s\" }", 27, "`0s` is not a time"),
        ("service = { pareto = [\"1s\", \"1ms\"], shape = 2 }", 11, "above the largest"),
        ("service = { pareto = [\"1ms\", \"1s\"] }", 11, "`shape` is missing"),
        ("service = { bimodal = [\"1ms\"], share = 0.5 }", 23, "`bimodal` is a list"),
        ("service = { normal = \"1ms\" }", 13, "unknown key `normal`"),
        ("keys = { zipf = 9, of = 10 }", 17, "`zipf` cannot be 9"),
        ("keys = { uniform = 0 }", 20, "`uniform` cannot be 0"),
        ("keys = { hot = 1.5, of = 10 }", 16, "`hot` cannot be 1.5"),
        ("arrivals = \"normal\"", 12, "`arrivals` is a text"),
        ("arrivals = { on = \"1s\" }", 12, "`off` is missing"),
    ] {
        scenario(&format!("{traffic}{line}{REST}"), &format!("3:{column}"), message, "help:");
    }
    for (line, column, message) in [
        ("speed = 0", 9, "too slow"),
        ("slots = 0", 9, "`slots` cannot be 0"),
        ("count = 10001", 9, "`count` cannot be 10001"),
        ("weight = -1", 10, "`weight` cannot be -1"),
        ("zone = 65536", 8, "`zone` cannot be 65536"),
        ("failures = 1.01", 12, "`failures` cannot be 1.01"),
        ("outage = { from = \"2s\", until = \"1s\", as = \"down\" }", 10, "ends before it begins"),
        ("outage = { from = \"1s\", until = \"2s\", as = \"ill\" }", 44, "`as` is a text"),
        ("warm_up = \"1s\"\nwarm_up_from = 0", 11, "must do some work"),
    ] {
        scenario(&format!("{traffic}[[server]]\n{line}\n"), &format!("4:{column}"), message, "help:");
    }
    scenario(
        &format!("{traffic}[[server]]\nname = \"a\"\n[[server]]\nname = \"a\"\n"),
        "6:8",
        "cannot be called `a`",
        "its own",
    );
    scenario(
        "[scenario]\nrequests = 10\nwarm_up = 10\n[traffic]\nload = 1\n[[server]]",
        "3:11",
        "takes all 10",
        "tenth",
    );
    // Weights that do not fit together.
    let heavy = format!("{traffic}[[server]]\ncount = 5000\nweight = 1000000\n");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.toml"), heavy).unwrap();
    let output = sim(folder.path(), &["s.toml", "-p", "random"]);
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && shown.contains("weights"), "{shown}");
}

#[test]
fn all_weights_zero_is_an_answer_not_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[scenario]\nrequests = 1000\n[traffic]\nload = 0.5\n[[server]]\ncount = 3\nweight = 0\n";
    fs::write(folder.path().join("s.toml"), text).unwrap();
    let output = sim(folder.path(), &["s.toml", "-p", "all"]);
    let shown = super::succeeded(output);
    assert!(shown.lines().filter(|line| line.contains("100.0%")).count() >= 2, "{shown}");
}

#[test]
fn traces() {
    let trace = |text, place, message, help| refused("t.csv", text, place, message, help);
    trace("key,cost\na,1\n", "1:1", "no column `arrival`", "arrival,key,cost");
    trace("arrival,cost\n", "1:1", "no requests", "first line names");
    trace("arrival,cost\n0,1\n1,x\n", "3:3", "`x` is not a time for `cost`", "seconds");
    trace("arrival,cost\n1,1\n0,1\n", "3:1", "before the one above", "sort");
    trace("arrival,cost\n1,1,1\n", "2:1", "3 fields", "first line names");
}

#[test]
fn command_lines() {
    let folder = tempfile::tempdir().unwrap();
    for (args, message) in [
        (&["--policies", "p2d"][..], "did you mean `p2c`?"),
        (&["--policies", ""], "there is no policy"),
        (&["--servers", "3"], "--trace"),
        (&["--json", "--digest"], "cannot be used with"),
        (&["--seed", "many"], "--seed"),
    ] {
        let output = sim(folder.path(), args);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{shown}");
        assert!(shown.contains(message) && output.stdout.is_empty(), "{shown}");
    }
    for args in [&["missing.toml"][..], &["--trace", "missing.csv"]] {
        let output = sim(folder.path(), args);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{shown}");
        assert!(shown.contains("cannot read the") && shown.contains("help:"), "{shown}");
    }
}
