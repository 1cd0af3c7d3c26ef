//! What a run shows of itself: where it stands, and its figures at the end.

use super::{Engine, Stop};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::run::event::{Event, Slow, Summary};
use crate::run::report::{Report, Status};
use crate::run::work::{State, Work};
use crate::store::Store;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Engine<'_> {
    /// Draws where the run stands.
    pub(super) fn draw(&mut self) {
        let ids: Vec<_> = self
            .running
            .iter()
            .flatten()
            .map(|r| (self.work.id(r.task), r.task, r.started.elapsed()))
            .collect();
        let running = ids.iter().map(|(id, task, ran)| {
            let task = &self.work.tasks[*task];
            (id.as_ref(), *ran, task.measured.then_some(task.cost))
        });
        let running = running.collect();
        let by_task: HashMap<usize, Duration> = ids.iter().map(|(_, task, ran)| (*task, *ran)).collect();
        let left =
            self.work.time_left(self.options.jobs, |task| by_task.get(&task).copied().unwrap_or_default());
        let status = Status {
            running,
            finished: self.counts.done + self.counts.up_to_date + self.counts.allowed,
            failed: self.counts.dead,
            tasks: self.work.tasks.len(),
            more: self.work.unexpanded() > 0,
            left,
        };
        self.report.tick(self.begun.elapsed(), &status);
    }

    /// Waits for the store and tells the figures.
    pub(super) fn close(mut self) -> (Exit, Option<Box<Diagnostic>>) {
        self.batch.files = self.work.files.take_fresh();
        self.writer.submit(std::mem::take(&mut self.batch));
        // Whatever is being read is of no use any more.
        self.end.store(true, Ordering::Relaxed);
        let written = self.writer.finish(true);
        if written.is_ok() {
            show(&self.work, self.store, &mut *self.report, self.begun);
        }
        let count = |state: State| self.work.tasks.iter().filter(|task| task.state == state).count();
        let skipped = [State::Waiting, State::Reading, State::Ready, State::Backoff]
            .into_iter()
            .map(count)
            .sum::<usize>();
        let unexpanded = self.work.unexpanded();
        let failed = self.counts.dead + skipped + unexpanded + self.counts.interrupted > 0;
        let problem = written.err().or(self.problem);
        let exit = match (&problem, self.stopping) {
            (Some(problem), _) => problem.exit(),
            (None, Some(Stop::Signal(signal))) => Exit::Interrupted(signal),
            (None, _) if failed => Exit::Failed,
            (None, _) => Exit::Done,
        };
        let (work, span, wall) = (self.counts.work, self.work.span(), self.begun.elapsed());
        let ratio = |a: f64, b: f64| (self.counts.done > 0 && b > 0.0).then(|| a / b);
        let slowest = self.counts.slowest.iter();
        let slowest =
            slowest.map(|&(duration, task)| Slow { task: self.work.id(task).into_owned(), duration });
        let summary = Summary {
            pipeline: self.work.pipeline.name.clone(),
            exit_code: exit.code(),
            tasks: self.work.tasks.len(),
            done: self.counts.done,
            up_to_date: self.counts.up_to_date,
            dead: self.counts.dead,
            dead_before: self.counts.dead_before,
            allowed_failures: self.counts.allowed,
            interrupted: self.counts.interrupted,
            skipped,
            unexpanded,
            retries: self.counts.retries,
            work,
            span,
            wall,
            speedup: ratio(work.as_secs_f64(), wall.as_secs_f64()),
            speedup_limit: ratio(work.as_secs_f64(), span.as_secs_f64()),
            utilisation: ratio(self.counts.held_cores, wall.as_secs_f64() * self.options.jobs as f64),
            slowest: slowest.collect(),
            jobs: self.options.jobs,
        };
        self.report.event(wall, &Event::RunFinished(summary));
        (exit, problem)
    }
}

/// Tells what the tasks printed whose output is a result of the run.
fn show(work: &Work<'_>, store: &Store, report: &mut dyn Report, begun: std::time::Instant) {
    for (index, task) in work.tasks.iter().enumerate() {
        if !work.template(index).shown || !task.state.finished() {
            continue;
        }
        let id = work.id(index);
        // The store has just been written; what it cannot read now, `--output` reports with its reason.
        let output = store.output(&id).ok().flatten().unwrap_or_default();
        let output = String::from_utf8_lossy(&output).into_owned();
        report.event(begun.elapsed(), &Event::Shown { task: &id, output });
    }
}
