//! Starting a job.

use super::{Engine, Job, Mode, Phase, Printed, Running};
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use crate::map::event::Event;
use crate::map::output::Lines;
use crate::map::results;
use crate::map::template::{Line, Values};
use crate::process;
use rustix::io::Errno;
use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// How long to wait after the machine refused to start a process.
const REFUSED_WAIT: Duration = Duration::from_millis(100);

/// After so many refusals in a row the map ends.
const MAX_REFUSED: u32 = 300;

/// The exit codes of a shell for a command that cannot be started.
const NOT_FOUND: i32 = 127;
const NOT_STARTED: i32 = 126;

/// Where the program of all jobs is.
pub(super) fn find(program: &[u8]) -> Result<PathBuf> {
    let name = OsStr::from_bytes(program);
    process::find_program(name, None, Path::new("")).ok_or_else(|| {
        let shown = name.display();
        let (message, help) = if program.contains(&b'/') {
            (format!("`{shown}` is not an executable program"), "name a program that is there and executable".into())
        } else {
            let help = format!(
                "install it, or name it with its folder; if `{shown}` is an option of divvy, it stands before the command"
            );
            (format!("the command `{shown}` is not on PATH"), help)
        };
        Diagnostic::new(Exit::Usage, message).help(help)
    })
}

impl Engine<'_> {
    /// Starts a job. `false`: the machine has no room for another process now.
    pub(super) fn start(&mut self, mut job: Job) -> bool {
        let Some(&Reverse(slot)) = self.free.peek() else { return false };
        let line = self.template.fill(Values { items: &job.items, seq: job.seq, slot: slot + 1 });
        let recorded = self.joblog.is_some() || self.report.wants_events();
        let command = if recorded { line.show() } else { Vec::new() };
        let (clock, started) = (SystemTime::now(), Instant::now());
        if job.too_long {
            self.not_started(
                job,
                slot,
                "an item is longer than the 131071 bytes that an argument may have",
                NOT_STARTED,
            );
            return true;
        }
        let (pid, printed) = match self.spawn(&line, &mut job) {
            Ok(started) => started,
            Err(error) if no_room(&error) => {
                self.refused += 1;
                if self.refused > MAX_REFUSED && self.running() == 0 {
                    let problem = Diagnostic::system("cannot start another process", error).help(
                        "raise the limit of processes or open files (ulimit -u, ulimit -n), or lower --jobs",
                    );
                    self.problem(problem);
                }
                self.held_until = Some(started + REFUSED_WAIT);
                self.back.push_front(job);
                return false;
            }
            Err(error) => {
                let (reason, code) = explain(&error, &line);
                self.not_started(job, slot, &reason, code);
                return true;
            }
        };
        self.refused = 0;
        self.last_start = Some(started);
        self.free.pop();
        self.by_pid.insert(pid, slot);
        if self.report.wants_events() {
            let command = String::from_utf8_lossy(&command);
            let (seq, attempt) = (job.seq, job.tries + 1);
            let pid = pid.as_raw_nonzero().get();
            self.report.event(&Event::Started { job: seq, slot: slot + 1, attempt, pid, command: &command });
        }
        self.slots[slot] = Some(Running {
            job,
            pid,
            started,
            clock,
            command,
            printed,
            phase: Phase::Running,
            deadline: None,
            killed: false,
            ended: None,
            given_up: false,
        });
        true
    }

    fn spawn(&mut self, line: &Line, job: &mut Job) -> io::Result<(rustix::process::Pid, Printed)> {
        let mut command = match line {
            Line::Words(words) => {
                let (program, arguments) = words.split_first().ok_or(io::ErrorKind::NotFound)?;
                let name = OsStr::from_bytes(program);
                let mut command = match &self.program {
                    Some(path) => {
                        let mut command = Command::new(path);
                        command.arg0(name);
                        command
                    }
                    None => Command::new(name),
                };
                command.args(arguments.iter().map(|word| OsStr::from_bytes(word)));
                command
            }
            Line::Script(script) => {
                let mut command = Command::new(&self.options.shell);
                command.arg("-c").arg(OsStr::from_bytes(script));
                command
            }
        };
        let input = match &mut job.stdin {
            Some((file, _)) => {
                file.rewind()?;
                file.try_clone()?
            }
            None => self.null.try_clone()?,
        };
        command.stdin(Stdio::from(input)).process_group(0);
        let printed = self.printed(job, &mut command).map_err(|error| {
            if no_room(&error) {
                error
            } else {
                io::Error::other(format!("its output cannot be kept: {error}"))
            }
        })?;
        let spawned = command.spawn().and_then(|child| process::id_of(&child));
        match spawned {
            Ok(pid) => Ok((pid, printed)),
            Err(error) => {
                if let Printed::Files { out, err, named: false } = printed {
                    self.outputs.give_back(out, 0, false);
                    self.outputs.give_back(err, 0, false);
                }
                Err(error)
            }
        }
    }

    /// Says where `command` prints to.
    fn printed(&mut self, job: &Job, command: &mut Command) -> io::Result<Printed> {
        let to = |file: &File| file.try_clone().map(Stdio::from);
        if let Some(folder) = &self.options.results {
            let (out, err) = results::open(folder, job.seq, &job.items)?;
            command.stdout(to(&out)?).stderr(to(&err)?);
            return Ok(Printed::Files { out, err, named: true });
        }
        match self.options.mode {
            Mode::Group => {
                let (out, err) = (self.outputs.take()?, self.outputs.take()?);
                command.stdout(to(&out)?).stderr(to(&err)?);
                Ok(Printed::Files { out, err, named: false })
            }
            Mode::Lines => {
                let ((out, to_out), (err, to_err)) = (Lines::new()?, Lines::new()?);
                command.stdout(to_out).stderr(to_err);
                Ok(Printed::Lines { out, err, received: 0 })
            }
            Mode::Mixed => Ok(Printed::Nowhere),
        }
    }
}

/// Why a program was not started, and what a shell would answer.
fn explain(error: &io::Error, line: &Line) -> (String, i32) {
    let program = match line {
        Line::Words(words) => {
            words.first().map_or_else(String::new, |word| String::from_utf8_lossy(word).into_owned())
        }
        Line::Script(_) => "the shell".to_owned(),
    };
    match (error.kind(), error.raw_os_error().map(Errno::from_raw_os_error)) {
        (_, Some(Errno::TOOBIG)) => (
            "the arguments are longer than the system passes on; give fewer items to a job (-n)".into(),
            NOT_STARTED,
        ),
        (io::ErrorKind::NotFound, _) => (format!("`{program}` is not there"), NOT_FOUND),
        (io::ErrorKind::InvalidInput, _) => {
            ("an item holds a zero byte, which no argument can".into(), NOT_STARTED)
        }
        _ => (format!("`{program}` cannot be started: {error}"), NOT_STARTED),
    }
}

/// Whether the machine had no room for another process or file.
fn no_room(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE))
}
