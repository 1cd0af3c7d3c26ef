//! Digest lines: `digest TARGET CORE SCENARIO HEX`, printed by every target, and their comparison.

use std::fmt;

/// Every target, with the number of its cores. All of them answer every scenario.
const TARGETS: [(&str, u32); 4] = [("host", 1), ("chromium", 1), ("mps2-an521", 2), ("virt", 4)];

/// What one scenario came to on one core of one target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    target: String,
    core: u32,
    scenario: String,
    digest: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, core, scenario, digest } = self;
        write!(f, "digest {target} {core} {scenario} {digest:016x}")
    }
}

/// The digest lines in an output that holds other lines as well.
pub(crate) fn parse(output: &str) -> Vec<Line> {
    output.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["digest", target, core, scenario, digest] = words[..] else { return None };
    Some(Line {
        target: target.to_owned(),
        core: core.parse().ok()?,
        scenario: scenario.to_owned(),
        digest: u64::from_str_radix(digest, 16).ok()?,
    })
}

/// The committed file: `SCENARIO HEX`, and comments.
pub(crate) fn parse_golden(file: &str) -> Vec<(String, u64)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (scenario, digest) = line.split_once(' ')?;
            Some((scenario.to_owned(), u64::from_str_radix(digest.trim(), 16).ok()?))
        })
        .collect()
}

/// Whether every core of every target answered every scenario with the committed digest. If not: every scenario, target
/// and core that did not, with what was expected and what was found.
pub(crate) fn compare(golden: &[(String, u64)], found: &[Line]) -> Result<String, String> {
    let mut wrong = Vec::new();
    for (scenario, expected) in golden {
        for (target, cores) in TARGETS {
            for core in 0..cores {
                let is_here =
                    |line: &&Line| line.scenario == *scenario && line.target == target && line.core == core;
                let mut answers = found.iter().filter(is_here).map(|line| line.digest).peekable();
                if answers.peek().is_none() {
                    wrong.push(format!(
                        "scenario `{scenario}` on {target}, core {core}: expected {expected:016x}, found no line"
                    ));
                }
                wrong.extend(answers.filter(|digest| digest != expected).map(|digest| {
                    format!("scenario `{scenario}` on {target}, core {core}: expected {expected:016x}, found {digest:016x}")
                }));
            }
        }
    }
    for line in found {
        let known = golden.iter().any(|(scenario, _)| *scenario == line.scenario);
        let target = TARGETS.iter().any(|&(target, cores)| target == line.target && line.core < cores);
        if !known || !target {
            wrong.push(format!("`{line}`: the scenario or the target is not known here"));
        }
    }
    // A board that ran twice says the same thing twice.
    wrong.dedup();
    if golden.is_empty() {
        wrong.push("tests/golden/digests.txt names no scenario".into());
    }
    if wrong.is_empty() {
        let cores: u32 = TARGETS.iter().map(|(_, cores)| cores).sum();
        Ok(format!("{} scenarios alike on {cores} cores of {} targets", golden.len(), TARGETS.len()))
    } else {
        Err(wrong.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Vec<(String, u64)> {
        parse_golden("# comment\nrng 00000000000000ff\ndeque f3acaa478924829e\n")
    }

    fn complete() -> Vec<Line> {
        let mut text = String::new();
        for (target, cores) in TARGETS {
            for core in 0..cores {
                text += &format!("log before\ndigest {target} {core} rng 00000000000000ff\n");
                text += &format!("  digest {target} {core} deque f3acaa478924829e\n");
            }
        }
        parse(&text)
    }

    #[test]
    fn lines_survive_a_round_trip() {
        let lines = complete();
        assert_eq!(lines.len(), 16);
        let printed: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(parse(&printed.join("\n")), lines);
    }

    #[test]
    fn agreement_is_said_with_its_size() {
        assert_eq!(compare(&golden(), &complete()).unwrap(), "2 scenarios alike on 8 cores of 4 targets");
    }

    #[test]
    fn a_wrong_digest_names_scenario_target_expected_and_found() {
        let mut lines = complete();
        lines[9].digest = 1;
        let Line { target, core, scenario, .. } = lines[9].clone();
        let error = compare(&golden(), &lines).unwrap_err();
        assert_eq!(
            error,
            format!(
                "scenario `{scenario}` on {target}, core {core}: expected f3acaa478924829e, found 0000000000000001"
            )
        );
    }

    #[test]
    fn one_wrong_answer_among_two_is_wrong() {
        let mut lines = complete();
        lines.push(Line { digest: 1, ..lines[0].clone() });
        assert!(compare(&golden(), &lines).is_err());
    }

    #[test]
    fn a_missing_core_is_a_failure() {
        let mut lines = complete();
        lines.retain(|line| !(line.target == "virt" && line.core == 3));
        let error = compare(&golden(), &lines).unwrap_err();
        assert_eq!(error.lines().count(), 2, "{error}");
        assert!(error.contains("virt, core 3") && error.contains("found no line"), "{error}");
    }

    #[test]
    fn what_nobody_knows_is_a_failure() {
        let mut lines = complete();
        lines.push(Line { scenario: "new".into(), ..lines[0].clone() });
        assert!(compare(&golden(), &lines).unwrap_err().contains("digest host 0 new"));
        assert!(compare(&[], &[]).unwrap_err().contains("names no scenario"));
    }
}
