//! Mistakes in scenarios of services, herds and partitions: each is one message that names the place and the remedy.

use super::sim;
use std::fs;

/// Runs with `text` in a file and checks exit code, place, message and remedy.
#[track_caller]
fn refused(text: &str, place: &str, message: &str, help: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.toml"), text).unwrap();
    let output = sim(folder.path(), &["s.toml"]);
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(output.stdout.is_empty());
    assert_eq!(shown.matches("error").count(), 1, "{shown}");
    for part in [&format!("--> s.toml:{place}"), message, help] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
}

const TRAFFIC: &str = "[traffic]\nrate = \"9/s\"\n";
const REST: &str = "[[service]]\nname = \"A\"\n[[protection]]\nname = \"none\"\n";

#[test]
fn sections() {
    refused(REST, "1:1", "has no traffic", "rate = \"400/s\"");
    refused(&format!("{TRAFFIC}[[protection]]\nname = \"none\"\n"), "1:1", "has no service", "[[service]]");
    refused(&format!("{TRAFFIC}[[service]]\nname = \"A\"\n"), "1:1", "has no protection", "[[protection]]");
    refused(&format!("{TRAFFIC}[service]\nname = \"A\"\n"), "3:1", "`service` is a table", "two brackets");
    refused(&format!("[trafic]\n{REST}"), "1:2", "unknown key `trafic`", "did you mean `traffic`?");
    refused(&format!("[traffic]\n{REST}"), "1:1", "how much traffic", "rate = ");
}

#[test]
fn traffic() {
    for (line, column, message) in [
        ("rate = \"fast\"", 8, "`fast` is not a rate"),
        ("rate = \"4000000000/ns\"", 8, "nanosecond apart"),
        ("rate = \"9/s\"\nfor = \"0s\"", 7, "`0s` is not a time"),
        ("rate = \"9/s\"\nfor = \"1000000000s\"", 7, "requests"),
        ("rate = \"9/s\"\nwarm_up = \"2m\"", 11, "takes all the time"),
        ("rate = \"9/s\"\nlow_priority = 1.5", 16, "`low_priority` cannot be 1.5"),
        ("rate = \"9/s\"\narrivals = \"poison\"", 12, "no arrivals `poison`"),
        (
            "rate = \"9/s\"\nsurge = { from = \"2s\", until = \"1s\", rate = \"9/s\" }",
            9,
            "ends before it begins",
        ),
    ] {
        let at = 1 + line.lines().count();
        refused(&format!("[traffic]\n{line}\n{REST}"), &format!("{at}:{column}"), message, "help:");
    }
}

#[test]
fn services() {
    for (line, column, message) in [
        ("workers = 0", 11, "`workers` cannot be 0"),
        ("failures = 2", 12, "`failures` cannot be 2"),
        ("share = -1", 9, "`share` cannot be -1"),
        ("timeout = \"soon\"", 11, "`soon` is not a time"),
        ("outage = { as = \"ill\" }", 17, "`as` is a text"),
        ("outage = { as = { slow = 0.5 } }", 17, "faster, not slower"),
        ("outage = { from = \"2s\", until = \"1s\", as = \"down\" }", 10, "ends before it begins"),
    ] {
        let text = format!("{TRAFFIC}[[service]]\nname = \"A\"\n{line}\n[[protection]]\nname = \"none\"\n");
        refused(&text, &format!("5:{column}"), message, "help:");
    }
    refused(&format!("{TRAFFIC}[[service]]\nworkers = 1\n"), "3:1", "this service has no name", "name = ");
    refused(
        &format!("{TRAFFIC}[[service]]\nname = \"A\"\n[[service]]\nname = \"A\"\n"),
        "6:8",
        "called `A`",
        "own",
    );
}

#[test]
fn protections() {
    for (line, column, message) in [
        ("extends = \"nome\"", 11, "no protection `nome`"),
        ("on = \"B\"", 6, "no service `B`"),
        ("on = \"A\"\nretries = -1", 11, "`retries` cannot be -1"),
        ("on = \"A\"\nbudget = 11", 10, "`budget` cannot be 11"),
        ("on = \"A\"\nbreaker = { failures = 0 }", 11, "a rate must be above 0"),
        ("on = \"A\"\nbreaker = { of = 500 }", 18, "`of` cannot be 500"),
        ("on = \"A\"\nbulkhead = 0", 12, "`bulkhead` cannot be 0"),
        ("on = \"A\"\nbulkhead = \"vega\"", 12, "no limit `vega`"),
        ("on = \"A\"\nthrottle = 0.5", 12, "multiplier"),
        ("on = \"A\"\nfallback = \"else\"", 12, "`fallback` is a text"),
        ("codel = { target = \"5ms\" }", 9, "`interval` is missing"),
        ("codel = { target = \"5ms\", interval = \"1ms\" }", 9, "interval"),
        ("timeouts = 1", 12, "`timeouts` is a whole number"),
    ] {
        let at = 6 + line.lines().count();
        let text = format!("{TRAFFIC}{REST}{line}\n");
        refused(&text, &format!("{at}:{column}"), message, "help:");
    }
}

#[test]
fn herds_and_partitions() {
    refused("[herd]\nworkers = 0\n", "2:11", "`workers` cannot be 0", "help:");
    refused("[herd]\n", "1:1", "has no policy", "[[policy]]");
    refused("[herd]\n[[policy]]\nname = \"x\"\n", "2:1", "who wakes", "\"one\"");
    refused("[herd]\n[[policy]]\nname = \"x\"\nwake = \"oen\"\n", "4:8", "`oen`", "did you mean `one`?");
    refused(
        "[herd]\n[[policy]]\nname = \"x\"\nwake = { poll = \"0s\" }\n",
        "4:17",
        "`0s` is not a time",
        "help:",
    );
    refused("[partition]\nparts = 0\n", "2:9", "`parts` cannot be 0", "help:");
    refused("[partition]\nload = 0\n", "2:8", "no traffic at all", "above 0");
    refused("[partition]\nkeys = 5\nhot_keys = 6\n", "3:12", "6 of 5 keys", "fewer hot keys");
}

#[test]
fn names_and_options() {
    let folder = tempfile::tempdir().unwrap();
    for (args, code, message) in [
        (&["cascad"][..], 3, "did you mean `cascade`?"),
        (&["thundering_herd"], 3, "did you mean `thundering-herd`?"),
        (&["cascade", "-p", "p2c"], 2, "--policies is for scenarios of servers"),
        (&["hot-partition", "--trace", "t.csv"], 2, "--trace is for scenarios of servers"),
        (&["retry-storm", "--json", "--digest"], 2, "cannot be used with"),
    ] {
        let output = sim(folder.path(), args);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{shown}");
        assert!(shown.contains(message) && output.stdout.is_empty(), "{shown}");
    }
}
