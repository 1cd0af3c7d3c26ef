//! One line per start and end, for pipes and logs, on standard error; the closing table on standard output.

use super::{Report, SHOWN_LINES, quoted, summary};
use crate::config::units::show_duration;
use crate::run::event::Event;
use std::io::{BufWriter, Stderr, Write};
use std::time::Duration;

pub(super) struct Plain {
    out: BufWriter<Stderr>,
}

impl Plain {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::with_capacity(1 << 14, std::io::stderr()) }
    }
}

/// The line for an event, if it has one.
pub(super) fn line(event: &Event<'_>) -> Option<String> {
    let tries = |attempt: u32| if attempt > 1 { format!(" (try {attempt})") } else { String::new() };
    Some(match event {
        Event::RunStarted { run, pipeline, store, jobs, seed, tasks } => {
            let cores = if *jobs == 1 { "core" } else { "cores" };
            format!(
                "run    {pipeline}: run {run}, {tasks} tasks known, {jobs} {cores}, store {store}, seed {seed}"
            )
        }
        Event::LeftoversKilled { processes } => {
            format!("killed {processes} processes that the last run left behind when it was killed")
        }
        Event::Expanded { task, items } => format!("fan    {task}: {items} items"),
        Event::UpToDate { .. } => return None,
        Event::Started { task, attempt, .. } => format!("start  {task}{}", tries(*attempt)),
        Event::Retry { task, attempt, reason, wait, .. } => {
            format!("retry  {task}: try {attempt} failed ({reason}), next in {}", show_duration(*wait))
        }
        Event::Done { task, duration, .. } => format!("done   {task} in {}", show_duration(*duration)),
        Event::Dead { task, place, attempts, reason, output, allowed, .. } => {
            let tries = if *attempts > 1 { format!(" after {attempts} tries") } else { String::new() };
            let word = if *allowed { "failed" } else { "dead  " };
            let note = if *allowed { ", which is allowed" } else { "" };
            format!("{word} {task}{tries}: {reason}{note} [{place}]\n{}", quoted(output, SHOWN_LINES))
                .trim_end()
                .to_owned()
        }
        Event::DeadBefore { task, reason, output } => {
            format!("dead   {task}: failed in an earlier run ({reason})\n{}", quoted(output, SHOWN_LINES))
                .trim_end()
                .to_owned()
        }
        Event::Interrupted { task, .. } => format!("ended  {task}: will run again"),
        Event::Stopping { reason } => format!("stop   {reason}"),
        Event::Shown { .. } | Event::RunFinished(_) => return None,
    })
}

impl Report for Plain {
    fn event(&mut self, at: Duration, event: &Event<'_>) {
        if let Some(line) = line(event) {
            _ = writeln!(self.out, "[{:8.2}] {line}", at.as_secs_f64());
        }
        match event {
            Event::Shown { output, .. } => {
                _ = self.out.flush();
                summary::print_shown(output);
            }
            Event::RunFinished(summary) => {
                _ = self.out.flush();
                summary::print(summary);
            }
            _ => {}
        }
    }

    fn flush(&mut self) {
        _ = self.out.flush();
    }
}
