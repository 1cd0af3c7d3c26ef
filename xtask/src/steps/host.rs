//! What runs on the host.

use std::fs;

use super::{Outcome, Work};
use crate::digests;
use crate::run::Run;

pub(super) fn test(work: &Work<'_>) -> Outcome {
    // The core must pass with none of its features and with all of them.
    let sets: [&[&str]; 3] = [
        &["--workspace", "--exclude", "divvy"],
        &["--cargo-profile", "plain", "-p", "divvy"],
        &["--cargo-profile", "plain", "-p", "divvy", "--all-features"],
    ];
    let mut passed = 0;
    for set in sets {
        let run = Run::new("cargo-nextest").args(["nextest", "run"]).args(set);
        passed += passed_in(&work.run(run.dir(&work.layout.root))?);
    }
    let run = Run::new("cargo-nextest").args(["nextest", "run", "--locked", "--no-tests", "pass"]);
    let run = run.dir(work.layout.firmware()).env("CARGO_TARGET_DIR", &work.layout.target);
    passed += passed_in(&work.run(run)?);
    Ok(format!("{passed} tests"))
}

pub(super) fn doctest(work: &Work<'_>) -> Outcome {
    let text = work.cargo(&["test", "--doc", "--workspace"])?;
    Ok(format!("{} tests", passed_in(&text)))
}

/// In its own folder: another cfg is another build of everything.
pub(super) fn loom(work: &Work<'_>) -> Outcome {
    let run = work.cargo_run(&["test", "-p", "divvy", "-p", "divvy-host", "--lib", "--release", "loom"]);
    let run =
        run.env("RUSTFLAGS", "--cfg divvy_loom").env("CARGO_TARGET_DIR", work.layout.target.join("loom"));
    // Linking across crates takes longer than the models do.
    let run = run.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    match passed_in(&work.run(run)?) {
        0 => Err("no model ran: `loom` is part of every model's name, and none has it".into()),
        models => Ok(format!("{models} models")),
    }
}

pub(super) fn digests(work: &Work<'_>) -> Outcome {
    let text = work.cargo(&["run", "--release", "-p", "divvy-tests", "--example", "digests"])?;
    keep_digests(work, &text)
}

/// Counts real files; how many depends on what the machine has built.
pub(super) fn example(work: &Work<'_>) -> Outcome {
    let pipeline = "host/examples/registry-words/pipeline.toml";
    let text = work.cargo(&["run", "--release", "--", "run", pipeline])?;
    let ranked = text.lines().filter(|line| is_ranked(line)).count();
    if ranked < 20 {
        return Err(format!("it ended with {ranked} ranked words; there should be 20"));
    }
    Ok(format!("{ranked} ranked words"))
}

/// Whether a line is a count and a word.
fn is_ranked(line: &str) -> bool {
    let (count, word) = line.split_once(' ').unwrap_or_default();
    let letters = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    count.parse::<u64>().is_ok() && letters(word)
}

pub(super) fn score(work: &Work<'_>) -> Outcome {
    work.cargo(&["run", "--release", "-p", "divvy-tests", "--example", "score"])?;
    Ok(String::new())
}

/// Puts the digest lines of a target's output aside for the conformance step.
pub(super) fn keep_digests(work: &Work<'_>, output: &str) -> Outcome {
    let mut lines: Vec<String> = digests::parse(output).iter().map(ToString::to_string).collect();
    // A board that ran twice says the same twice, or two things.
    lines.sort_unstable();
    lines.dedup();
    if lines.is_empty() {
        return Err("it printed no line `digest TARGET CORE SCENARIO HEX`".into());
    }
    let file = work.layout.digests(work.step);
    fs::write(&file, lines.join("\n") + "\n").map_err(|error| {
        format!("cannot write {}: {error}; is the target folder writable?", file.display())
    })?;
    Ok(format!("{} digests", lines.len()))
}

/// How many tests the closing lines of cargo's or nextest's runs say have passed.
pub(super) fn passed_in(output: &str) -> u64 {
    let count = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| word.trim_end_matches([',', ';']) == "passed")?;
        words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
    };
    let closing =
        |line: &&str| line.starts_with("test result:") || line.trim_start().starts_with("Summary [");
    output.lines().filter(closing).filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranked_words_are_told_from_what_stands_around_them() {
        assert!(is_ranked("1234 self"));
        for other in ["1234 5678", "self 1234", "1234 a", "[    0.1] start  list", "", "1234"] {
            assert!(!is_ranked(other), "{other}");
        }
    }

    #[test]
    fn both_runners_closing_lines_are_counted() {
        let cargo = "test a ... ok\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\n\
                     test result: ok. 3 passed; 0 failed\n";
        assert_eq!(passed_in(cargo), 15);
        let nextest = "────────────\n     Summary [   1.234s] 41 tests run: 40 passed (1 slow), 1 skipped\n";
        assert_eq!(passed_in(nextest), 40);
        assert_eq!(passed_in("3 passed by here, said a test"), 0);
    }
}
