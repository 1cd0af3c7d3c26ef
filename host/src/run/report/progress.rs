//! A bar per running task and one for all, on a terminal. Tasks that end at once are never drawn, so short ones cost
//! nothing.

use super::summary;
use super::{Report, Status, plain};
use crate::config::units::show_duration;
use crate::run::event::Event;
use crate::table::shorten;
use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A task is drawn once it has run for this long.
const SHOWN_AFTER: Duration = Duration::from_millis(200);

/// At most so many running tasks are drawn, so that the screen does not scroll.
const MAX_BARS: usize = 16;

/// The longest name of a task in a row of eighty columns.
const MAX_NAME: usize = 30;

pub(super) struct Progress {
    bars: MultiProgress,
    overall: ProgressBar,
    rows: Vec<ProgressBar>,
    frame: usize,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20));
        let overall = bars.add(ProgressBar::new(0));
        overall.set_style(style("{bar:24.green/dim} {pos}/{len} {msg}"));
        Self { bars, overall, rows: Vec::new(), frame: 0 }
    }

    fn print(&self, text: &str) {
        let text = if colours() { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() };
        // The terminal may have gone; the run goes on.
        _ = self.bars.println(text);
    }
}

fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn style(template: &str) -> ProgressStyle {
    let plain = template.replace(".green/dim", "").replace(".cyan/dim", "");
    let template = if colours() { template } else { &plain };
    // The templates are constants of this file; a wrong one would show the default bar.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("##-")
}

impl Report for Progress {
    fn event(&mut self, at: Duration, event: &Event<'_>) {
        match event {
            Event::Dead { .. }
            | Event::DeadBefore { .. }
            | Event::Retry { .. }
            | Event::Stopping { .. }
            | Event::LeftoversKilled { .. } => {
                let colour = match event {
                    Event::Dead { allowed: false, .. } | Event::DeadBefore { .. } => AnsiColor::Red,
                    _ => AnsiColor::Yellow,
                };
                let style = Style::new().fg_color(Some(colour.into()));
                if let Some(line) = plain::line(event) {
                    let (first, rest) =
                        line.split_once('\n').map_or((line.as_str(), ""), |(first, rest)| (first, rest));
                    let text = format!("[{:8.2}] {style}{first}{style:#}\n{rest}", at.as_secs_f64());
                    self.print(text.trim_end());
                }
            }
            Event::Shown { output, .. } => self.bars.suspend(|| summary::print_shown(output)),
            Event::RunFinished(summary) => {
                self.rows.drain(..).for_each(|row| row.finish_and_clear());
                self.overall.finish_and_clear();
                _ = self.bars.clear();
                summary::print(summary);
            }
            _ => {}
        }
    }

    fn animated(&self) -> bool {
        true
    }

    fn tick(&mut self, at: Duration, status: &Status<'_>) {
        self.frame += 1;
        let mut shown: Vec<_> = status.running.iter().filter(|(_, ran, _)| *ran >= SHOWN_AFTER).collect();
        shown.sort_by_key(|(_, ran, _)| std::cmp::Reverse(*ran));
        let hidden = shown.len().saturating_sub(MAX_BARS);
        shown.truncate(MAX_BARS);
        while self.rows.len() > shown.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.bars.remove(&row);
            }
        }
        while self.rows.len() < shown.len() {
            self.rows.push(self.bars.insert_before(&self.overall, ProgressBar::new(1_000)));
        }
        let width =
            shown.iter().map(|(task, _, _)| shorten(task, MAX_NAME).chars().count()).max().unwrap_or(0);
        for (row, (task, ran, expected)) in self.rows.iter().zip(shown) {
            let name = format!("{:<width$}", shorten(task, MAX_NAME));
            match expected.filter(|expected| !expected.is_zero()) {
                Some(expected) => {
                    let part = (ran.as_secs_f64() / expected.as_secs_f64()).min(1.0);
                    row.set_style(style("  {bar:22.cyan/dim} {msg}"));
                    row.set_position((part * 1_000.0) as u64);
                    let of = format!("{} of about {}", show_duration(*ran), show_duration(expected));
                    row.set_message(format!("{name}  {of}"));
                }
                None => {
                    row.set_style(style("  {msg}"));
                    let mark = ["|", "/", "-", "\\"][self.frame % 4];
                    row.set_message(format!("{mark:<22} {name}  {}", show_duration(*ran)));
                }
            }
        }
        self.overall.set_length(status.tasks as u64);
        self.overall.set_position(status.finished as u64);
        let mut text = String::new();
        if status.more {
            text.push_str("(more to come) ");
        }
        if status.failed > 0 {
            text.push_str(&format!("{} failed, ", status.failed));
        }
        if hidden > 0 {
            text.push_str(&format!("{hidden} more running, "));
        }
        text.push_str(&format!("in {}", show_duration(at)));
        if let Some(left) = status.left.filter(|left| !left.is_zero()) {
            text.push_str(&format!(", about {} left", show_duration(left)));
        }
        self.overall.set_message(text);
        self.overall.tick();
    }
}
