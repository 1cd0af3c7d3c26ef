//! Who owns what, and what moves.

use crate::{json, plan, plan_with, succeeded};

const CHANGE: [&str; 6] = ["--nodes", "a:1,b:2,c:0.5", "--remove", "b", "--add", "d:1"];

#[test]
fn one_ring_in_full() {
    let out = succeeded(plan(&CHANGE));
    for part in [
        "karger: 3 nodes, 10000 keys, sampled with seed 1\n",
        "node  weight  keys   share    fair  ratio\n",
        "\nc        0.5",
        "14.3 %",
        "peak/average 1.0",
        "without b\nwith d\n",
        " of 10000 keys move (6",
        "needless 0\n",
        "from  to  keys\n",
        "afterwards:",
        "█",
    ] {
        assert!(out.contains(part), "{part:?} is not in\n{out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80 && line.trim_end() == line), "{out}");
    assert!(!out.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(succeeded(plan(&CHANGE)), out, "the same each time");
    assert_ne!(succeeded(plan(&[&CHANGE[..], &["--seed", "2"]].concat())), out);
}

#[test]
fn every_ring_side_by_side() {
    let out = succeeded(plan(&[&CHANGE[..], &["--algorithm", "all"]].concat()));
    for name in ["karger", "ketama", "multi-probe", "rendezvous", "maglev", "anchor", "jump-back"] {
        assert!(out.lines().any(|line| line.starts_with(name)), "{name}\n{out}");
    }
    assert!(out.contains("algorithm    peak/avg  min/avg  moved  ideal  needless"), "{out}");
    assert!(out.contains("jump-back cannot do this: only the last node can go or change\n"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let still = succeeded(plan(&["--nodes", "a,b", "--algorithm", "all"]));
    assert!(!still.contains("moved") && !still.contains("cannot"), "{still}");
}

#[test]
fn many_nodes_with_long_names_keep_within_80_columns() {
    let name = |i: u32| format!("cache-{i}.eu-central-1.very.long.example.org:{}", i + 1);
    let nodes: Vec<String> = (0..40).map(name).collect();
    for extra in [&["--algorithm", "all"][..], &["--sample", "100000", "--algorithm", "maglev"]] {
        let gone = "cache-7.eu-central-1.very.long.example.org";
        let nodes = nodes.join(",");
        let out = succeeded(plan(&[&["--nodes", &nodes, "--remove", gone], extra].concat()));
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    }
}

#[test]
fn the_numbers_add_up() {
    let document = json(&[&CHANGE[..], &["--algorithm", "all", "--sample", "20000"]].concat());
    assert_eq!((&document["keys"], &document["seed"]), (&20_000.into(), &1.into()));
    assert_eq!((&document["remove"][0], &document["add"][0]), (&"b".into(), &"d".into()));
    let algorithms = document["algorithms"].as_array().unwrap();
    assert_eq!(algorithms.len(), 7);
    for study in algorithms {
        let name = study["algorithm"].as_str().unwrap();
        let sum = |spread: &serde_json::Value| -> u64 {
            spread["nodes"].as_array().unwrap().iter().map(|node| node["keys"].as_u64().unwrap()).sum()
        };
        assert_eq!(sum(&study["spread"]), 20_000, "{name}");
        let units: Vec<u64> =
            (0..3).map(|at| study["spread"]["nodes"][at]["units"].as_u64().unwrap()).collect();
        assert_eq!(units, [2, 4, 1]);
        assert!(study["bytes"].as_u64().unwrap() > 0 && study["error"].is_null());
        let (peak, least) =
            (study["spread"]["peak"].as_f64().unwrap(), study["spread"]["least"].as_f64().unwrap());
        assert!((1.0..1.2).contains(&peak) && (0.8..=1.0).contains(&least), "{name}: {peak} {least}");
        let change = &study["change"];
        if name == "jump-back" {
            assert!(change["error"].as_str().unwrap().contains("only the last node"));
            continue;
        }
        assert_eq!(sum(&change["spread"]), 20_000, "{name}");
        let moved = change["moved"].as_u64().unwrap();
        let flows: u64 =
            change["flows"].as_array().unwrap().iter().map(|flow| flow["keys"].as_u64().unwrap()).sum();
        assert_eq!(flows, moved, "{name}");
        // Four sevenths have to leave b.
        assert_eq!(change["ideal"], 11_429, "{name}");
        assert!((11_000..15_000).contains(&moved), "{name}: {moved}");
        let needless = change["needless"].as_u64().unwrap();
        assert!(if name == "maglev" { needless < 400 } else { needless == 0 }, "{name}: {needless}");
    }
}

#[test]
fn keys_from_a_file_and_from_standard_input_are_the_lines_that_are_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    // What is not UTF-8 is a key as well.
    let keys = b"user:1\nuser:2\r\n\n\xff\xfe\nuser:2";
    std::fs::write(&path, keys).unwrap();
    let args = ["--nodes", "a,b:2", "--algorithm", "rendezvous", "--keys"];
    let from_file = succeeded(plan(&[&args[..], &[path.to_str().unwrap()]].concat()));
    assert!(from_file.starts_with("rendezvous: 2 nodes, 4 keys\n"), "{from_file}");
    assert_eq!(succeeded(plan_with(&[&args[..], &["-"]].concat(), keys)), from_file);
}

#[test]
fn a_heavier_table_is_a_more_even_one() {
    // Maglev's whole point: shares within a per cent of each other, with keys enough to see it.
    let document = json(&["--nodes", "a,b,c,d,e", "--algorithm", "maglev", "--sample", "500000"]);
    let spread = &document["algorithms"][0]["spread"];
    assert!(spread["peak"].as_f64().unwrap() < 1.01, "{spread}");
}

#[test]
fn help_names_every_algorithm() {
    let help = succeeded(plan(&["--help"]));
    for part in ["multi-probe", "jump-back", "all", "Exit codes:", "--sample", "Examples:"] {
        assert!(help.contains(part), "{part}\n{help}");
    }
}
