//! Processes: starting commands by what their text needs, ending them, and waiting for them. Each command has a
//! process group of its own.

pub(crate) mod leftover;
pub(crate) mod output;
pub(crate) mod shell;
pub(crate) mod signals;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The variable that marks every command of a run, so that a later run can find what outlived a killed one.
pub(crate) const MARK: &str = "DIVVY_RUN";

/// How a try ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    fn of(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Code(-1),
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Exit::Code(127) => f.write_str("exit code 127 (the shell did not find a command)"),
            Exit::Code(126) => f.write_str("exit code 126 (the shell may not execute a command)"),
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => {
                let name = match Signal::from_named_raw(signal) {
                    Some(Signal::KILL) => " (KILL; perhaps the system ran out of memory)",
                    Some(Signal::TERM) => " (TERM)",
                    Some(Signal::SEGV) => " (SEGV)",
                    Some(Signal::ABORT) => " (ABRT)",
                    Some(Signal::INT) => " (INT)",
                    Some(Signal::PIPE) => " (PIPE)",
                    _ => "",
                };
                write!(f, "signal {signal}{name}")
            }
        }
    }
}

/// Puts `mark` into divvy's own environment, and so into that of every command; returns the whole value. The standard
/// library builds an environment anew for each command whose environment differs from that, which costs more than all
/// else that divvy does for a short command. A run inside a command of another run carries both marks.
#[allow(unsafe_code, reason = "one variable, before anything else could look")]
pub(crate) fn set_mark(mark: &str) -> OsString {
    let mark = match std::env::var_os(MARK) {
        Some(mut outer) => {
            outer.push(":");
            outer.push(mark);
            outer
        }
        None => mark.into(),
    };
    // SAFETY: no other thread reads or writes the environment: divvy's others read files for their hashes and write
    // the store, and the standard library's own accesses exclude each other.
    unsafe { std::env::set_var(MARK, &mark) };
    mark
}

/// The process id of a command that was just started; its exit is collected by [`wait_any`], so the handle of the
/// standard library is not kept.
pub(crate) fn id_of(child: &std::process::Child) -> std::io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| std::io::Error::other("no process id"))
}

/// Where the executable `program` is: by itself if it names a folder, else on `path` (divvy's own by default).
pub(crate) fn find_program(program: impl AsRef<OsStr>, path: Option<&str>, dir: &Path) -> Option<PathBuf> {
    let program = program.as_ref();
    let executable = |file: &Path| {
        std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.as_bytes().contains(&b'/') {
        return Some(dir.join(program)).filter(|file| executable(file));
    }
    let path = match path {
        Some(path) => OsString::from(path),
        None => std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
    };
    std::env::split_paths(&path).map(|folder| dir.join(folder).join(program)).find(|file| executable(file))
}

/// The next command that ended, if one did.
pub(crate) fn wait_any() -> Option<(Pid, Exit)> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => return Some((pid, Exit::of(status))),
            Ok(None) => return None,
            Err(rustix::io::Errno::INTR) => {}
            // No child at all.
            Err(_) => return None,
        }
    }
}

/// Makes what commands leave behind when they end children of this process, so that it can be told from what still
/// runs and does not stay as a zombie where process 1 collects none. Only Linux can.
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    {
        // Without it, a run that is interrupted may wait its grace time for processes that are dead.
        _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

/// Sends `signal` to a command and everything it started in its group.
pub(crate) fn signal_group(pid: Pid, signal: Signal) {
    // The group may have ended by itself in between.
    _ = rustix::process::kill_process_group(pid, signal);
}

/// Whether something that a finished command started in its group is still there.
pub(crate) fn group_lives(pid: Pid) -> bool {
    rustix::process::test_kill_process_group(pid).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path_and_by_their_name() {
        let here = Path::new("/");
        assert!(find_program("sh", None, here).is_some());
        assert_eq!(find_program("sh", Some("/nowhere"), here), None);
        assert_eq!(find_program("/bin/sh", Some("/nowhere"), here), Some("/bin/sh".into()));
        assert_eq!(find_program("bin/sh", None, here), Some("/bin/sh".into()));
        assert_eq!(find_program("/etc/passwd", None, here), None);
        assert_eq!(find_program("/bin", None, here), None);
    }

    #[test]
    fn exits_say_what_they_mean() {
        assert_eq!(Exit::Code(3).to_string(), "exit code 3");
        assert!(Exit::Code(127).to_string().contains("did not find"));
        assert!(Exit::Signal(9).to_string().starts_with("signal 9 (KILL"));
    }
}
