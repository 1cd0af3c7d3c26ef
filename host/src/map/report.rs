//! What a map says of itself: nothing but failures, a bar if it was asked for, or JSON.

use super::event::{Event, JobEnd, Summary};
use crate::config::units::show_duration;
use crate::table::shorten;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{BufWriter, IsTerminal, Stdout, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Failures that are named at the end.
const NAMED: usize = 5;

/// How often a line says where the map stands, where there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How often a terminal is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Where the map stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Status {
    pub(crate) ended: u64,
    pub(crate) failed: u64,
    pub(crate) running: usize,
    pub(crate) total: Option<u64>,
    /// Ended in this run; the rest did before.
    pub(crate) ran: u64,
}

/// Tells it.
#[derive(Debug)]
pub(crate) struct Report {
    json: Option<BufWriter<Stdout>>,
    /// A bar on a terminal.
    bar: Option<ProgressBar>,
    /// Lines instead.
    lines: bool,
    /// Nothing is said if there was no job.
    silent_if_empty: bool,
    drawn: Instant,
    failures: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event<'a>,
    time_ms: u64,
}

impl Report {
    pub(crate) fn new(json: bool, progress: bool, silent_if_empty: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (progress && terminal)
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20)));
        Self {
            json: json.then(|| BufWriter::with_capacity(1 << 16, std::io::stdout())),
            bar,
            lines: progress && !terminal,
            silent_if_empty,
            drawn: Instant::now(),
            failures: Vec::new(),
        }
    }

    /// Whether events are of use to anybody.
    pub(crate) fn wants_events(&self) -> bool {
        self.json.is_some()
    }

    pub(crate) fn event(&mut self, event: &Event<'_>) {
        if let Some(out) = &mut self.json {
            let time_ms =
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
            // Whoever reads may have gone; the map goes on without.
            _ = serde_json::to_writer(&mut *out, &Line { event, time_ms });
            _ = out.write_all(b"\n");
        }
    }

    /// Called before the map waits.
    pub(crate) fn flush(&mut self) {
        if let Some(out) = &mut self.json {
            _ = out.flush();
        }
    }

    /// Remembers a failure for the end.
    pub(crate) fn failed(&mut self, end: &JobEnd) {
        if self.failures.len() < NAMED {
            self.failures.push(format!("job {}: {}: {}", end.job, end.reason, shorten(&end.command, 200)));
        }
    }

    /// When to call [`Report::draw`] next, if at all.
    pub(crate) fn next_draw(&self) -> Option<Instant> {
        let every = if self.bar.is_some() { DRAW_EVERY } else { LINE_EVERY };
        (self.bar.is_some() || self.lines).then(|| self.drawn + every)
    }

    pub(crate) fn draw(&mut self, now: Instant, status: Status, wall: Duration) {
        self.drawn = now;
        let left = left(status, wall);
        let mut text = format!("{} running", status.running);
        if status.failed > 0 {
            text.push_str(&format!(", {} failed", status.failed));
        }
        text.push_str(&format!(", in {}", show_duration(wall)));
        if let Some(left) = left {
            text.push_str(&format!(", about {} left", show_duration(left)));
        }
        if let Some(bar) = &self.bar {
            let template = if status.total.is_some() {
                "{bar:24} {pos}/{len}  {msg}"
            } else {
                "{spinner} {pos} done  {msg}"
            };
            // The templates are constants; a wrong one would show the default bar.
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##-"));
            bar.update(|state| {
                status.total.into_iter().for_each(|total| state.set_len(total));
                state.set_pos(status.ended);
            });
            bar.set_message(text);
        } else {
            let of = status.total.map_or_else(String::new, |total| format!("/{total}"));
            note(&format!("{}{of} ended, {text}", status.ended));
        }
    }

    /// Whatever `write` writes on the terminal does not mix with the bar.
    pub(crate) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Says something on standard error.
    pub(crate) fn say(&self, text: &str) {
        self.aside(|| note(text));
    }

    /// The end.
    pub(crate) fn finish(&mut self, summary: Summary, why: Option<&str>) {
        let told = self.bar.is_some() || self.lines;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if told || summary.failed > 0 || why.is_some() {
            note(&sentence(&summary, why));
        }
        if summary.jobs == 0 && summary.all_read && !told && !self.silent_if_empty && self.json.is_none() {
            note("there was no item, so nothing ran");
        }
        for failure in &self.failures {
            note(&format!("  {failure}"));
        }
        if summary.failed as usize > self.failures.len() && !self.failures.is_empty() {
            note(&format!("  and {} more", summary.failed as usize - self.failures.len()));
        }
        self.event(&Event::MapFinished(summary));
        self.flush();
    }
}

/// The time that the rest will take, if it goes on like this.
fn left(status: Status, wall: Duration) -> Option<Duration> {
    let left = status.total?.checked_sub(status.ended).filter(|&left| left > 0)?;
    (status.ran > 0).then(|| wall.mul_f64(left as f64 / status.ran as f64))
}

fn sentence(summary: &Summary, why: Option<&str>) -> String {
    let Summary { jobs, done, failed, skipped, interrupted, retries, requeued, .. } = *summary;
    let mut text = format!("{done} of {jobs} jobs done");
    for (count, what) in [
        (failed, "failed"),
        (skipped, "done before"),
        (interrupted, "interrupted"),
        (retries, "tried again"),
        (requeued, "put back to free memory"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push_str(&format!(", in {}", show_duration(summary.wall)));
    if let Some(why) = why {
        text.push_str(&format!("; stopped: {why}"));
    }
    text
}

fn note(text: &str) {
    // There is nowhere else to say it.
    _ = writeln!(std::io::stderr(), "divvy map: {text}");
}
