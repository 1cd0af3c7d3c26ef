//! The table at the end of a run.

use crate::config::units::show_duration;
use crate::run::event::Summary;
use crate::table::shorten;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::io::Write as _;

/// Prints the table on standard output, with colours where they are wanted.
pub(super) fn print(summary: &Summary) {
    let mut out = anstream::AutoStream::auto(std::io::stdout());
    // Whoever reads may have gone; the exit code still tells.
    _ = out.write_all(table(summary).as_bytes());
    _ = out.flush();
}

/// Prints what a task printed whose output is a result of the run.
pub(super) fn print_shown(output: &str) {
    let mut out = anstream::AutoStream::auto(std::io::stdout());
    let end = if output.is_empty() || output.ends_with('\n') { "" } else { "\n" };
    _ = out.write_all(output.as_bytes());
    _ = out.write_all(end.as_bytes());
    _ = out.flush();
}

/// At most 80 columns.
pub(super) fn table(summary: &Summary) -> String {
    let bold = Style::new().bold();
    let dim = Style::new().dimmed();
    let colour = |colour: AnsiColor| Style::new().bold().fg_color(Some(colour.into()));
    let Summary { done, up_to_date, dead, interrupted, skipped, .. } = *summary;
    let mut out = String::new();
    let (style, verdict) = match summary.exit_code {
        0 => (colour(AnsiColor::Green), "done"),
        129.. => (colour(AnsiColor::Yellow), "interrupted"),
        _ => (colour(AnsiColor::Red), "not done"),
    };
    _ = writeln!(
        out,
        "\n{bold}{}{bold:#}: {style}{verdict}{style:#} in {}",
        shorten(&summary.pipeline, 50),
        show_duration(summary.wall)
    );
    let mut row = |name: &str, value: String| _ = writeln!(out, "  {dim}{name:<12}{dim:#}{value}");
    let mut parts = vec![format!("{done} run"), format!("{up_to_date} up to date")];
    for (count, name) in [
        (dead, "failed"),
        (summary.allowed_failures, "failed as allowed"),
        (interrupted, "interrupted"),
        (skipped, "not started"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    row("tasks", format!("{} = {}", summary.tasks, parts.join(" + ")));
    if summary.unexpanded > 0 {
        row("", format!("and {} for_each whose items are not known yet", summary.unexpanded));
    }
    row("retries", summary.retries.to_string());
    let (work, span, wall) =
        (show_duration(summary.work), show_duration(summary.span), show_duration(summary.wall));
    row("time", format!("work {work}, span {span}, wall {wall}"));
    if let (Some(speedup), Some(limit), Some(used)) =
        (summary.speedup, summary.speedup_limit, summary.utilisation)
    {
        let cores = if summary.jobs == 1 { "1 core".to_owned() } else { format!("{} cores", summary.jobs) };
        row("speedup", format!("{speedup:.2}x; the critical path allows {limit:.2}x"));
        row("utilisation", format!("{:.0} % of {cores}", used * 100.0));
    }
    for (index, slow) in summary.slowest.iter().enumerate() {
        let name = if index == 0 { "slowest" } else { "" };
        row(name, format!("{:>10}  {}", show_duration(slow.duration), shorten(&slow.task, 52)));
    }
    if dead > 0 {
        let them = if dead == 1 { "it" } else { "them" };
        _ = writeln!(
            out,
            "  {bold}--retry-dead{bold:#} runs {them} again; --output TASK shows what a task printed"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::Slow;
    use std::time::Duration;

    #[test]
    fn the_table_fits_eighty_columns() {
        let slow =
            Slow { task: "count:".to_owned() + &"x".repeat(200), duration: Duration::from_secs(3_000) };
        let summary = Summary {
            pipeline: "registry-words".into(),
            exit_code: 1,
            tasks: 514,
            done: 510,
            up_to_date: 1,
            dead: 1,
            skipped: 2,
            retries: 3,
            work: Duration::from_millis(8_100),
            span: Duration::from_millis(1_200),
            wall: Duration::from_millis(4_200),
            speedup: Some(1.93),
            speedup_limit: Some(6.75),
            utilisation: Some(0.96),
            slowest: vec![slow.clone(), slow],
            jobs: 2,
            ..Summary::default()
        };
        let table = anstream::adapter::strip_str(&table(&summary)).to_string();
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        for part in [
            "registry-words: not done in 4.20 s",
            "514 = 510 run + 1 up to date + 1 failed + 2 not started",
            "work 8.10 s, span 1.20 s, wall 4.20 s",
            "1.93x; the critical path allows 6.75x",
            "96 % of 2 cores",
            "50 min 00 s  count:xxx",
            "--retry-dead",
        ] {
            assert!(table.contains(part), "{part}\n{table}");
        }
    }
}
