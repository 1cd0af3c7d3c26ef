//! How results are printed.

use std::time::{Duration, Instant};

/// What something took: time on the wall, and of the processors. On a machine that does other work as well, only the
/// second says what a step costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) processor: Duration,
}

/// Measures one [`Cost`] from here on.
#[derive(Debug)]
pub(crate) struct Meter {
    begin: Instant,
    processor: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { begin: Instant::now(), processor: processor_time_of_children() }
    }

    pub(crate) fn stop(&self) -> Cost {
        let processor = processor_time_of_children().saturating_sub(self.processor);
        Cost { wall: self.begin.elapsed(), processor }
    }
}

/// What all programs took that were started here and have ended, with those that they waited for.
fn processor_time_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    children_ticks(&stat).map_or(Duration::ZERO, |ticks| Duration::from_millis(10 * ticks))
}

/// User and system time of the children in a line of `/proc/ID/stat`, in hundredths of a second: the fields 16 and 17,
/// counted from the process id; the name, the second, is in parentheses and may hold anything.
fn children_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// A time for people: tenths of a second.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// What a run of the tests came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) costs: Vec<(&'static str, Cost)>,
    pub(crate) failed: Vec<&'static str>,
    pub(crate) skipped: usize,
}

impl Tally {
    /// The steps by their cost, then the closing line, whose form other programs read.
    pub(crate) fn summary(&self) -> String {
        let mut costs = self.costs.clone();
        costs.sort_by_key(|&(_, cost)| std::cmp::Reverse(cost.wall));
        let wall: Duration = costs.iter().map(|(_, cost)| cost.wall).sum();
        let processor: Duration = costs.iter().map(|(_, cost)| cost.processor).sum();
        let mut text = format!("\n{:14} {:>9} {:>10}\n", "step", "time", "processor");
        for (step, cost) in &costs {
            text += &format!("  {step:12} {:>9} {:>10}\n", seconds(cost.wall), seconds(cost.processor));
        }
        text += &format!("{:14} {:>9} {:>10}\n", "all", seconds(wall), seconds(processor));
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
    fn the_childrens_ticks_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 30 12 20 0 1";
        assert_eq!(children_ticks(stat), Some(42));
        assert_eq!(children_ticks("7 (short) S 1"), None);
    }

    #[test]
    fn the_closing_line_has_its_form() {
        let cost = |seconds| Cost {
            wall: Duration::from_secs(seconds),
            processor: Duration::from_secs(2 * seconds),
        };
        let costs = vec![(SETUP, cost(1)), ("fmt", cost(1)), ("test", cost(3))];
        let tally = Tally { costs, failed: vec!["fmt"], skipped: 2 };
        let text = tally.summary();
        assert!(text.ends_with("\n\n1 passed, 1 failed, 2 skipped\n"), "{text}");
        assert!(text.contains("5.0 s") && text.contains("10.0 s") && text.contains("Failed: fmt"), "{text}");
        let test = text.find("  test").unwrap();
        assert!(test < text.find("  fmt").unwrap(), "the dearest comes first: {text}");
    }
}
