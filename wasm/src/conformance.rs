//! The conformance scenarios, run here.

use std::fmt::Write;

use divvy_tests::{ALL, golden};
use wasm_bindgen::prelude::wasm_bindgen;

/// One line for each scenario, run now: `digest wasm32 0 <scenario> <16 hexadecimal digits>`.
#[wasm_bindgen]
pub fn digests() -> String {
    lines(ALL.iter().map(|scenario| (scenario.name, Some((scenario.run)()))))
}

/// The committed digests in the same form; a scenario that has none is left out.
#[wasm_bindgen(js_name = goldenDigests)]
pub fn golden_digests() -> String {
    lines(ALL.iter().map(|scenario| (scenario.name, golden(scenario.name))))
}

fn lines(digests: impl Iterator<Item = (&'static str, Option<u64>)>) -> String {
    digests.fold(String::new(), |mut text, (name, digest)| {
        if let Some(digest) = digest {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "digest wasm32 0 {name} {digest:016x}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_has_its_line_and_agrees_with_its_golden_one() {
        let found = digests();
        assert_eq!(found.lines().count(), ALL.len());
        assert_eq!(found, golden_digests());
        for (line, scenario) in found.lines().zip(ALL) {
            let digits = line.strip_prefix(&format!("digest wasm32 0 {} ", scenario.name)).unwrap();
            assert_eq!(digits.len(), 16, "{line}");
        }
    }
}
