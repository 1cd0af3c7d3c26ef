//! One JSON object per line and event, on standard output.

use super::Report;
use crate::run::event::Event;
use serde::Serialize;
use std::io::{BufWriter, Stdout, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) struct Json {
    out: BufWriter<Stdout>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event<'a>,
    time_ms: u64,
}

impl Json {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::with_capacity(1 << 16, std::io::stdout()) }
    }
}

impl Report for Json {
    fn event(&mut self, _at: Duration, event: &Event<'_>) {
        let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
        // Whoever reads may have gone; the run goes on without.
        _ = serde_json::to_writer(&mut self.out, &Line { event, time_ms });
        _ = self.out.write_all(b"\n");
        if matches!(event, Event::RunFinished(_)) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        _ = self.out.flush();
    }
}
