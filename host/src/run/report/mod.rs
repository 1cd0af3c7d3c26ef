//! What a run shows: a drawing on a terminal, lines in a pipe, or JSON.

mod json;
mod plain;
mod progress;
mod summary;

use super::event::Event;
use std::io::IsTerminal;
use std::time::Duration;

/// Shows events.
pub(crate) trait Report {
    /// `at`: since the start of the run.
    fn event(&mut self, at: Duration, event: &Event<'_>);

    /// Whether [`Report::tick`] draws anything.
    fn animated(&self) -> bool {
        false
    }

    /// Called some times a second while the run goes on, if `animated`.
    fn tick(&mut self, _at: Duration, _status: &Status<'_>) {}

    /// Called before the run waits: whatever was held back is to be shown now.
    fn flush(&mut self) {}
}

/// Where the run stands.
#[derive(Debug)]
pub(crate) struct Status<'a> {
    /// What runs, for how long, and how long it is expected to take.
    pub(crate) running: Vec<(&'a str, Duration, Option<Duration>)>,
    pub(crate) finished: usize,
    pub(crate) failed: usize,
    pub(crate) tasks: usize,
    /// Whether fan-outs will add tasks.
    pub(crate) more: bool,
    pub(crate) left: Option<Duration>,
}

/// The report for where standard output and standard error go.
pub(crate) fn choose(json: bool) -> Box<dyn Report> {
    if json {
        Box::new(json::Json::new())
    } else if std::io::stderr().is_terminal() {
        Box::new(progress::Progress::new())
    } else {
        Box::new(plain::Plain::new())
    }
}

/// The last lines of an output, each behind a bar.
fn quoted(output: &str, lines: usize) -> String {
    let all: Vec<&str> = output.lines().collect();
    let start = all.len().saturating_sub(lines);
    let mut out = String::new();
    if start > 0 {
        out.push_str(&format!("    | ... {start} lines before\n"));
    }
    for line in &all[start..] {
        out.push_str("    | ");
        out.extend(line.chars().filter(|c| !c.is_control() || *c == '\t'));
        out.push('\n');
    }
    out
}

/// How many lines of a failed task's output are shown.
const SHOWN_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output_is_quoted() {
        assert_eq!(quoted("a\n\x1b[31mb\r\nc\n", 2), "    | ... 1 lines before\n    | [31mb\n    | c\n");
        assert_eq!(quoted("", 2), "");
    }
}
