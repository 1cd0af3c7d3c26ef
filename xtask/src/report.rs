//! How results are printed.

use std::time::Duration;

/// A time for people: tenths of a second.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// What a run of the tests came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) costs: Vec<(&'static str, Duration)>,
    pub(crate) failed: Vec<&'static str>,
    pub(crate) skipped: usize,
}

impl Tally {
    /// The steps by their cost, then the closing line, whose form other programs read.
    pub(crate) fn summary(&self) -> String {
        let mut costs = self.costs.clone();
        costs.sort_by_key(|&(_, time)| std::cmp::Reverse(time));
        let total: Duration = costs.iter().map(|(_, time)| *time).sum();
        let mut text = format!("\nTime of each step, {} in all:\n", seconds(total));
        for (step, time) in &costs {
            let share = 100.0 * time.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
            text += &format!("  {step:12} {:>9} {share:5.1} %\n", seconds(*time));
        }
        if !self.failed.is_empty() {
            text += &format!("Failed: {}\n", self.failed.join(", "));
        }
        let steps = costs.iter().filter(|(step, _)| *step != SETUP).count();
        let passed = steps - self.failed.len();
        text + &format!("\n{passed} passed, {} failed, {} skipped\n", self.failed.len(), self.skipped)
    }
}

/// Has a cost like a step, but is none.
pub(crate) const SETUP: &str = "setup";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_has_its_form() {
        let second = Duration::from_secs(1);
        let costs = vec![(SETUP, second), ("fmt", second), ("test", 3 * second)];
        let tally = Tally { costs, failed: vec!["fmt"], skipped: 2 };
        let text = tally.summary();
        assert!(text.ends_with("\n\n1 passed, 1 failed, 2 skipped\n"), "{text}");
        assert!(
            text.contains("5.0 s in all") && text.contains("60.0 %") && text.contains("Failed: fmt"),
            "{text}"
        );
        let test = text.find("  test").unwrap();
        assert!(test < text.find("  fmt").unwrap(), "the dearest comes first: {text}");
    }
}
