//! The host agrees with the golden file, and the golden file with the list of scenarios.

use divvy_tests::{ALL, golden, verify};
use std::collections::BTreeSet;

#[test]
fn every_scenario_comes_to_its_golden_digest() {
    let mut wrong = Vec::new();
    let good = verify("host", 0, &mut |verdict| {
        if !verdict.is_good() {
            wrong.push(verdict.to_string());
        }
    });
    assert!(good && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_scenario_answers_the_same_each_time() {
    for scenario in ALL {
        assert_eq!((scenario.run)(), (scenario.run)(), "{}", scenario.name);
    }
}

#[test]
fn the_golden_file_has_a_line_for_each_scenario_and_no_other() {
    let file = include_str!("../golden/digests.txt");
    let lines: Vec<&str> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let names: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
    assert_eq!(lines, names);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "two scenarios share a name");
    for name in names {
        assert!(golden(name).is_some(), "{name}: not 16 lower-case hexadecimal digits");
    }
}

/// Digests that do not depend on the scenario would make every target agree.
#[test]
fn no_two_scenarios_come_to_the_same_digest() {
    let digests: BTreeSet<u64> = ALL.iter().map(|scenario| (scenario.run)()).collect();
    assert_eq!(digests.len(), ALL.len());
}
