//! The scenarios that come with the command.

use super::{sim, succeeded};
use serde_json::Value;
use std::path::Path;

const NAMES: [&str; 4] = ["cascade", "retry-storm", "thundering-herd", "hot-partition"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn json(args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&succeeded(sim(here(), &args))).expect("it prints JSON")
}

/// The row of `list` that has this name under `key`.
fn row<'a>(whole: &'a Value, list: &str, key: &str, name: &str) -> &'a Value {
    let rows = whole[list].as_array().expect("a list");
    rows.iter().find(|row| row[key] == name).unwrap_or_else(|| panic!("no `{name}` in {list}"))
}

#[test]
fn each_is_a_file_to_copy_and_its_table_fits_80_columns() {
    for name in NAMES {
        let table = succeeded(sim(here(), &[name]));
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(!table.contains('\x1b'), "colours in a pipe");
        let file = format!("examples/sim/{name}.toml");
        assert_eq!(table, succeeded(sim(here(), &[&file])), "{name} is the file");
        let digest = succeeded(sim(here(), &[name, "--digest"]));
        assert_eq!(digest, succeeded(sim(here(), &[&file, "--digest", "--seed", "1"])));
        assert!(
            digest.lines().count() > 2 && digest.lines().all(|line| line.as_bytes()[16] == b' '),
            "{digest}"
        );
    }
}

#[test]
fn a_seed_changes_what_chance_decides() {
    for name in ["retry-storm", "hot-partition"] {
        let digest = |seed| succeeded(sim(here(), &[name, "--digest", "--seed", seed]));
        assert_ne!(digest("1"), digest("2"));
    }
}

#[test]
fn who_does_not_need_the_slow_service_is_answered_and_with_a_fallback_everybody() {
    let whole = json(&["cascade"]);
    let answered = |name: &str| {
        let requests = &row(&whole, "protections", "protection", name)["requests"];
        let count = |key: &str| requests[key].as_f64().expect("a count");
        assert_eq!(
            count("succeeded") + count("degraded") + count("failed") + count("unfinished"),
            count("arrived")
        );
        (count("succeeded") + count("degraded")) / count("arrived")
    };
    // 60 % do not need D.
    assert!(answered("none") < 0.55 && answered("+ 2 retries") < 0.2);
    assert!(answered("+ breaker and bulkhead") > 0.6);
    assert!(answered("+ a default answer") > 0.999);
}

#[test]
fn retries_multiply_and_a_budget_bounds_them() {
    let whole = json(&["retry-storm"]);
    let calls = |name: &str| {
        let services = &row(&whole, "protections", "protection", name)["services"];
        row(&serde_json::json!({ "s": services }), "s", "name", "D")["calls_per_request"].as_f64().unwrap()
    };
    assert!(calls("2 retries in each layer") > 20.0);
    assert!(calls("+ budget of 10 %") < 3.0 && calls("+ budget and breakers") < 1.5);
}

#[test]
fn one_task_wakes_one_worker() {
    let whole = json(&["thundering-herd"]);
    let wakes = |name: &str| row(&whole, "policies", "policy", name)["wakes"].as_u64().unwrap();
    assert_eq!((wakes("one is woken (EventCount)"), wakes("all are woken")), (1, 10_000));
    assert!(whole["policies"].as_array().unwrap().iter().all(|policy| policy["lost"] == 0));
}

#[test]
fn hot_keys_are_found_and_split() {
    let whole = json(&["hot-partition"]);
    let way = |name: &str| row(&whole, "ways", "way", name).clone();
    let (hash, split) = (way("by hash"), way("hot keys found and split"));
    assert!(hash["skew"].as_f64() > Some(1.5) && split["skew"].as_f64() < Some(1.05), "{hash} {split}");
    assert!(split["p99_ns"].as_u64().unwrap() * 20 < hash["p99_ns"].as_u64().unwrap());
    assert!(way("by hash, a limit for each key")["refused"].as_u64() > Some(0));
}
