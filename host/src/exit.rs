//! The exit codes of the command, in one place.

use std::process::ExitCode;

/// What the process exit code says. `--help` shows [`Exit::TABLE`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Everything asked for is done.
    Done,
    /// At least one task failed, or was not run because another one failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// A file that people write (a pipeline, a scenario, a trace) cannot be used.
    File,
    /// The store cannot be used.
    Store,
    /// Another run has the store.
    Busy,
    /// The machine refused something divvy needs.
    System,
    /// A signal ended the run.
    Interrupted(u8),
}

impl Exit {
    /// The text of `--help`.
    pub(crate) const TABLE: &str = "\
Exit codes:
  0    every task is done
  1    a task failed, or did not run because another one failed
  2    the command line is wrong
  3    the pipeline file cannot be used
  4    the store cannot be used: damaged, of a newer version, or not accessible
  5    another run has the store
  6    the machine refused something divvy needs, such as writing the store
  129  ended by a hangup, 130 by Ctrl-C, 143 by SIGTERM";

    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::File => 3,
            Exit::Store => 4,
            Exit::Busy => 5,
            Exit::System => 6,
            Exit::Interrupted(signal) => 128u8.saturating_add(signal),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
