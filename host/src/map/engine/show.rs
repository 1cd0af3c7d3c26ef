//! Showing what jobs printed, and then recording that they ended.

use super::next::MAX_MEMORY;
use super::{Engine, Job, Printed, Stop};
use crate::diagnostic::Diagnostic;
use crate::map::event::{Event, JobEnd};
use crate::map::joblog::Record;
use crate::map::output::{Gone, Held, write_file};
use crate::map::template::{Values, fill_text};
use crate::process;
use rustix::process::Pid;

/// A job that ended, and what is left to do about it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) seq: u64,
    pub(super) out: Held,
    pub(super) err: Held,
    pub(super) tag: Option<Vec<u8>>,
    pub(super) record: Option<Record>,
    pub(super) end: Option<JobEnd>,
    pub(super) interrupted: bool,
}

impl Engine<'_> {
    /// What a job printed, now that it has ended, and how many bytes it sent to standard output. What was shown
    /// already is empty. `None`: divvy cannot go on.
    pub(super) fn hold(
        &mut self,
        printed: Printed,
        pid: Pid,
        job: &Job,
        slot: usize,
    ) -> Option<(Held, Held, u64)> {
        match printed {
            Printed::Nowhere => Some((Held::Empty, Held::Empty, 0)),
            Printed::Lines { out, err, received } => {
                let tag = self.tag(job, slot);
                let (stdout, stderr) = (&mut self.out, &mut self.err);
                let shown = self.report.aside(|| {
                    let more = out.finish(tag.as_deref(), stdout)?;
                    err.finish(tag.as_deref(), stderr)?;
                    Ok(received + more)
                });
                let received = shown.unwrap_or_else(|gone| {
                    self.gone(gone);
                    received
                });
                Some((Held::Empty, Held::Empty, received))
            }
            Printed::Files { out, err, named } => {
                let lengths = out.metadata().and_then(|out| Ok((out.len(), err.metadata()?.len())));
                let (out_len, err_len) = match lengths {
                    Ok(lengths) => lengths,
                    Err(error) => {
                        self.problem(Diagnostic::system("cannot read what a job printed", error));
                        return None;
                    }
                };
                // Files that something in the background may still write to are not used again.
                let shared = named || process::group_lives(pid);
                let turn = self.order.as_ref().is_none_or(|order| order.is_next(job.seq));
                if !turn || self.report.wants_events() || out_len + err_len == 0 {
                    let held = self.keep(out, out_len, shared).and_then(|out| {
                        let err = self.keep(err, err_len, shared)?;
                        Ok((out, err, out_len))
                    });
                    return held
                        .map_err(|error| {
                            self.problem(Diagnostic::system("cannot read what a job printed", error));
                        })
                        .ok();
                }
                // The usual case: from the file of the slot to where it goes.
                let tag = self.tag(job, slot);
                let (stdout, stderr) = (&mut self.out, &mut self.err);
                let shown = self.report.aside(|| {
                    write_file(&out, out_len, tag.as_deref(), stdout)?;
                    write_file(&err, err_len, tag.as_deref(), stderr)
                });
                self.outputs.give_back(out, out_len, shared);
                self.outputs.give_back(err, err_len, shared);
                if let Err(gone) = shown {
                    self.gone(gone);
                }
                Some((Held::Empty, Held::Empty, out_len))
            }
        }
    }

    fn keep(&mut self, file: std::fs::File, len: u64, shared: bool) -> std::io::Result<Held> {
        let crowded = self.order.as_ref().is_some_and(|order| order.memory > MAX_MEMORY);
        let (held, file) = Held::new(file, len, crowded)?;
        if let Some(file) = file {
            self.outputs.give_back(file, len, shared);
        }
        Ok(held)
    }

    fn tag(&self, job: &Job, slot: usize) -> Option<Vec<u8>> {
        let values = Values { items: &job.items, seq: job.seq, slot: slot + 1 };
        self.options.tag.as_ref().map(|tag| {
            let mut tag = fill_text(tag, values);
            tag.push(b'\t');
            tag
        })
    }

    /// Forwards the whole lines that a running job printed.
    pub(super) fn forward(&mut self, slot: usize) {
        let Some(running) = &self.slots[slot] else { return };
        let tag = self.tag(&running.job, slot);
        let Some(running) = &mut self.slots[slot] else { return };
        let Printed::Lines { out, err, received } = &mut running.printed else { return };
        let (stdout, stderr) = (&mut self.out, &mut self.err);
        let shown = self.report.aside(|| {
            *received += out.forward(tag.as_deref(), stdout)?;
            err.forward(tag.as_deref(), stderr)
        });
        if let Err(gone) = shown {
            self.gone(gone);
        }
    }

    /// Shows the end of a job, if it is its turn.
    pub(super) fn show_or_wait(&mut self, ended: Ended) {
        let Some(order) = &mut self.order else { return self.show(ended) };
        let nothing = ended.out.len() + ended.err.len() == 0;
        if nothing || order.is_next(ended.seq) {
            let seq = ended.seq;
            order.pass(seq);
            return self.show(ended);
        }
        for held in [&ended.out, &ended.err] {
            order.memory += held.in_memory();
            order.files += usize::from(matches!(held, Held::Disk(..)));
        }
        order.wait(ended.seq, ended);
    }

    /// Shows what has waited for its turn.
    pub(super) fn show_turns(&mut self) {
        while let Some(order) = &mut self.order
            && let Some(ended) = order.take()
        {
            for held in [&ended.out, &ended.err] {
                order.memory -= held.in_memory();
                order.files -= usize::from(matches!(held, Held::Disk(..)));
            }
            self.show(ended);
        }
    }

    /// Nothing else will come: shows what waits for a turn that never comes.
    pub(super) fn show_rest(&mut self) {
        let rest: Vec<Ended> = self.order.as_mut().map(|order| order.drain().collect()).unwrap_or_default();
        rest.into_iter().for_each(|ended| self.show(ended));
    }

    fn show(&mut self, ended: Ended) {
        let Ended { seq, out, err, tag, record, end, interrupted } = ended;
        if !self.report.wants_events() && !matches!(self.stopping, Some(Stop::NoReader)) {
            let (stdout, stderr) = (&mut self.out, &mut self.err);
            let shown = self.report.aside(|| {
                out.write(tag.as_deref(), stdout)?;
                err.write(tag.as_deref(), stderr)
            });
            if let Err(gone) = shown {
                self.gone(gone);
                return;
            }
        }
        // What was not shown is not recorded.
        if matches!(self.stopping, Some(Stop::NoReader)) {
            return;
        }
        if let (Some(record), Some(joblog)) = (record, &mut self.joblog)
            && let Err(problem) = joblog.record(&record)
        {
            self.problem(problem);
        }
        if interrupted {
            self.report.event(&Event::Interrupted { job: seq });
        } else if let Some(end) = end {
            self.report.event(&if end.reason.is_empty() { Event::Done(end) } else { Event::Failed(end) });
        }
    }

    /// Nobody takes what the jobs print.
    fn gone(&mut self, gone: Gone) {
        match gone {
            Gone::Reader | Gone::Asked => self.stop(Stop::NoReader, "nobody reads the output"),
            Gone::Broken(error) => self.problem(Diagnostic::system("cannot write what a job printed", error)),
        }
        self.end_running();
    }
}
