//! What can go wrong with a pool of processes.

use std::process::ExitStatus;
use std::{error, fmt, io};

/// Why a [`ProcessPool`](super::ProcessPool) was not built. Nothing is left running.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A pool of no processes answers nothing. Remedy: at least 1.
    NoProcesses,
    /// A process cannot be started. Remedy: see the system's reason; is the program in `PATH`?
    Start(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcesses => f.write_str("a pool of no processes answers nothing; ask for at least one"),
            Self::Start(error) => write!(f, "a process of the pool cannot be started: {error}"),
        }
    }
}

impl error::Error for BuildError {}

/// Why a request was not answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// With [`Framing::Lines`](super::Framing::Lines) a request is a line. Remedy: no newline in it, or
    /// [`Framing::Lengths`](super::Framing::Lengths). No process saw it.
    NotALine,
    /// A message is longer than can be said or is allowed. Remedy: a shorter one, or
    /// [`Builder::longest_reply`](super::Builder::longest_reply). If it was a reply, its process was killed.
    TooLong {
        /// How long it may be, in bytes.
        most: usize,
    },
    /// The process ended before it answered: with this status, if the system told. A new one takes its place. Whether the
    /// request had an effect is not known.
    Died(Option<ExitStatus>),
    /// The process took too long and was killed. A new one takes its place. Whether the request had an effect is not known.
    TimedOut,
    /// The process said more than one answer, or answered before it had read the request. It was killed. Remedy: mend the
    /// program; what it wants to log belongs on standard error.
    TalksOutOfTurn,
    /// The place of a process that died could not be filled. No process saw the request. Remedy: see the system's reason.
    Start(io::Error),
    /// A pipe failed; the process was killed.
    Pipe(io::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALine => {
                f.write_str("the request holds a newline; take it out, or frame messages by their lengths")
            }
            Self::TooLong { most } => {
                write!(f, "the message is longer than {most} bytes; send less, or allow more")
            }
            Self::Died(Some(status)) => write!(f, "the process ended before it answered: {status}"),
            Self::Died(None) => f.write_str("the process ended before it answered"),
            Self::TimedOut => f.write_str("the process did not answer in time and was killed"),
            Self::TalksOutOfTurn => f.write_str(
                "the process said more than its answer and was killed; let it log on standard error",
            ),
            Self::Start(error) => write!(f, "the process that died cannot be started again: {error}"),
            Self::Pipe(error) => write!(f, "the pipe to the process failed: {error}"),
        }
    }
}

impl error::Error for CallError {}
