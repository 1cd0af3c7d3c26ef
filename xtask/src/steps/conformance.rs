//! One algorithm, four homes, one answer.

use std::fs;

use super::{Outcome, STEPS, Work, name};
use crate::digests;

pub(super) fn conformance(work: &Work<'_>) -> Outcome {
    let golden = work.layout.root.join("tests/golden/digests.txt");
    let golden = fs::read_to_string(&golden).map_err(|error| format!("{}: {error}", golden.display()))?;
    let mut found = Vec::new();
    let uses = STEPS.iter().find(|step| step.name == name::CONFORMANCE).map_or(&[][..], |step| step.after);
    for step in uses {
        // A missing file is a missing target, which the comparison names.
        found.extend(digests::parse(&fs::read_to_string(work.layout.digests(step)).unwrap_or_default()));
    }
    digests::compare(&digests::parse_golden(&golden), &found)
}
