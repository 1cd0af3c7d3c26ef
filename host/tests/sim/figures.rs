//! What it prints when nothing is wrong.

use super::{sim, succeeded};
use serde_json::Value;
use std::fs;

const SMALL: &str = r#"
[scenario]
requests = 20_000
[traffic]
load = 0.7
keys = { zipf = 1, of = 500 }
[[server]]
count = 5
"#;

fn folder(scenario: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scenario.toml"), scenario).unwrap();
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it prints JSON")
}

#[test]
fn the_same_seed_prints_the_same_digest_and_another_one_does_not() {
    let folder = folder(&SMALL.replace("20_000", "2_000"));
    let digest = |seed: &str| {
        succeeded(sim(folder.path(), &["scenario.toml", "--digest", "-p", "all", "--seed", seed]))
    };
    let one = digest("1");
    assert_eq!(one, digest("1"));
    let two = digest("2");
    for (one, two) in one.lines().zip(two.lines()) {
        let ((digest, name), (other, same)) = (one.split_once("  ").unwrap(), two.split_once("  ").unwrap());
        assert!(digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
        assert_eq!(name, same);
        assert_ne!(digest, other, "{name} does not depend on the seed");
    }
    // The digest is of the decisions: JSON names the same one.
    let whole = json(&succeeded(sim(folder.path(), &["scenario.toml", "--json", "-p", "p2c"])));
    let in_json = whole["policies"][0]["digest"].as_str().unwrap().to_owned();
    assert!(one.lines().any(|line| line == format!("{in_json}  p2c")), "{in_json}");
}

#[test]
fn the_table_fits_80_columns_and_names_every_policy_in_order() {
    let folder = folder(&SMALL.replace("20_000", "2_000"));
    let all = succeeded(sim(folder.path(), &["scenario.toml", "--policies", "all"]));
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    assert!(!all.contains('\x1b'), "colours in a pipe");
    let table = succeeded(sim(folder.path(), &["scenario.toml", "-p", "p2c,random,p2c"]));
    let rows: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let named: Vec<&&str> = rows.iter().filter(|row| ["p2c", "random"].contains(*row)).collect();
    // Once in the table, once in the chart.
    assert_eq!(named, [&"p2c", &"random", &"p2c", &"random"], "{table}");
}

#[test]
fn a_single_server_behaves_as_theory_says() {
    // M/M/1 at 70 %: a mean of 10 ms / (1 - 0.7).
    let folder = folder(
        "[scenario]\nrequests = 400_000\n[traffic]\nload = 0.7\nservice = { exponential = \"10ms\" }\n[[server]]\n",
    );
    let whole = json(&succeeded(sim(folder.path(), &["scenario.toml", "--json", "-p", "round-robin"])));
    let policy = &whole["policies"][0];
    let mean = policy["latency_ns"]["mean"].as_f64().unwrap() / 1e6;
    assert!((mean - 33.33).abs() < 33.33 * 0.05, "{mean} ms");
    let busy = policy["servers"][0]["utilisation"].as_f64().unwrap();
    assert!((busy - 0.7).abs() < 0.02, "{busy}");
    assert_eq!(policy["succeeded"], policy["requests"]);
}

#[test]
fn two_choices_beat_chance_and_hashing_keeps_keys() {
    let folder = folder(SMALL);
    let whole = json(&succeeded(sim(folder.path(), &["scenario.toml", "--json", "-p", "random,p2c,hash"])));
    let [random, p2c, hash] = [0, 1, 2].map(|at| whole["policies"][at].clone());
    let p99 = |policy: &Value| policy["latency_ns"]["p99"].as_u64().unwrap();
    assert!(p99(&p2c) * 3 < p99(&random) * 2, "{} against {}", p99(&p2c), p99(&random));
    assert_eq!(hash["keys"]["moved"], 0);
    assert!(random["keys"]["moved"].as_u64() > Some(10_000), "{random}");
}

#[test]
fn a_trace_brings_its_own_requests_and_servers() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = String::from("arrival,key,cost\n");
    for i in 0..2_000 {
        // 100 a second of 21 ms each: 2.1 servers' worth, so three of them are 70 % busy.
        trace += &format!("{:.3},k{},21ms\n", f64::from(i) * 0.01, i % 7);
    }
    fs::write(folder.path().join("trace.csv"), trace).unwrap();
    let whole = json(&succeeded(sim(
        folder.path(),
        &["--trace", "trace.csv", "--json", "-p", "round-robin,least-loaded"],
    )));
    assert_eq!(whole["scenario"], "trace");
    for policy in whole["policies"].as_array().unwrap() {
        assert_eq!(
            policy["servers"].as_array().unwrap().len(),
            4,
            "2.1 / 0.7 and what the end adds, rounded up"
        );
        assert_eq!(policy["requests"], 1_800, "the first tenth warms up");
        assert_eq!(policy["latency_ns"]["max"], 21_000_000, "nobody waits");
    }
    let one =
        succeeded(sim(folder.path(), &["--trace", "trace.csv", "--json", "-p", "random", "--servers", "2"]));
    assert_eq!(json(&one)["policies"][0]["servers"].as_array().unwrap().len(), 2);
}

#[test]
fn everything_a_scenario_can_say_is_understood() {
    let folder = folder(
        r#"
[scenario]
name = "everything"
requests = 5_000
warm_up = 100
dispatchers = 2
information = { every = "50ms" }
timeout = "2s"
network = "500us"
idle_reports = true
slow_start = "1s"
[traffic]
rate = "400/s"
arrivals = { on = "1s", off = "500ms" }
service = { bimodal = ["1ms", "20ms"], share = 0.1 }
keys = { hot = 0.5, of = 100, every = "1s" }
[[server]]
name = "a"
count = 2
speed = 1.5
slots = 2
weight = 3
zone = 1
queue = 50
failures = 0.01
[[server]]
name = "late"
joins = "1s"
leaves = "5s"
warm_up = "2s"
warm_up_from = 0.5
service = { pareto = ["1ms", "100ms"], shape = 1.5 }
[[server]]
name = "ill"
outage = { from = "2s", until = "3s", as = { slow = 0.1 }, noticed = "100ms" }
[[server]]
name = "hole"
black_hole = true
"#,
    );
    let whole = json(&succeeded(sim(folder.path(), &["scenario.toml", "--json", "-p", "p2c,jiq"])));
    assert_eq!(whole["scenario"], "everything");
    for policy in whole["policies"].as_array().unwrap() {
        let count = |key: &str| policy[key].as_u64().unwrap();
        let errors: u64 =
            policy["errors"].as_object().unwrap().values().map(|value| value.as_u64().unwrap()).sum();
        assert_eq!(count("requests"), 4_900);
        assert_eq!(count("succeeded") + errors, 4_900, "every request ends once");
        assert!(policy["errors"]["failed"].as_u64() > Some(0));
        let names: Vec<_> =
            policy["servers"].as_array().unwrap().iter().map(|server| server["name"].clone()).collect();
        assert_eq!(names, ["a-1", "a-2", "late", "ill", "hole"]);
    }
}
