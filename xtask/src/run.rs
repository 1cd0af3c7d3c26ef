//! Runs other programs: with a cleaned environment, a time limit, and errors that say what to do.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::env;

/// How long one program may take unless it is told otherwise. Far above what any step needs: it ends what hangs.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// A program to run: what it is called with, and what to do if it fails.
#[derive(Debug)]
pub(crate) struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    set: Vec<(OsString, OsString)>,
    removed: Vec<OsString>,
    dir: Option<PathBuf>,
    limit: Duration,
    remedy: Option<String>,
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            set: Vec::new(),
            removed: Vec::new(),
            dir: None,
            limit: LIMIT,
            remedy: None,
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.set.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.removed.push(name.as_ref().to_owned());
        self
    }

    pub(crate) fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What a reader of the failure should do next, where the program's own output does not say it.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The command line as one would type it, with the variables that are set.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        if let Some(dir) = &self.dir {
            let _ = write!(line, "cd {} && ", quote(dir.as_os_str()));
        }
        for (name, value) in &self.set {
            let _ = write!(line, "{}={} ", name.to_string_lossy(), quote(value));
        }
        line += &quote(&self.program);
        for argument in &self.arguments {
            line.push(' ');
            line += &quote(argument);
        }
        line
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        command.env("PATH", path());
        env::clean(&mut command);
        for name in &self.removed {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    /// Runs it on the terminal.
    pub(crate) fn show(self) -> Result<(), String> {
        let line = self.line();
        let status = self.command().status().map_err(|error| self.not_started(&error))?;
        self.judge(&line, status, None)
    }

    /// Runs it on the terminal with the terminal's input, for as long as its user wants.
    pub(crate) fn interactive(self) -> Result<(), String> {
        let line = self.line();
        let status =
            self.command().stdin(Stdio::inherit()).status().map_err(|error| self.not_started(&error))?;
        self.judge(&line, status, None)
    }

    /// Runs it and answers with what it printed; its error output goes nowhere.
    pub(crate) fn read(self) -> Result<String, String> {
        let line = self.line();
        let output =
            self.command().stderr(Stdio::null()).output().map_err(|error| self.not_started(&error))?;
        self.judge(&line, output.status, None)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it, appends all that it prints to `log`, and answers with that text.
    pub(crate) fn log(self, log: &Path) -> Result<String, String> {
        let line = self.line();
        let unwritable =
            |error| format!("cannot write {}: {error}; is the target folder writable?", log.display());
        let mut file =
            OpenOptions::new().create(true).append(true).read(true).open(log).map_err(unwritable)?;
        writeln!(file, "$ {line}").map_err(unwritable)?;
        let start = file.seek(SeekFrom::End(0)).map_err(unwritable)?;
        let to = |file: &File| file.try_clone().map(Stdio::from).map_err(unwritable);
        let child = self
            .command()
            .stdout(to(&file)?)
            .stderr(to(&file)?)
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let status = self.wait(child, &line, log)?;
        self.judge(&line, status, Some(log))?;
        file.seek(SeekFrom::Start(start)).map_err(unwritable)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unwritable)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn wait(&self, mut child: Child, line: &str, log: &Path) -> Result<ExitStatus, String> {
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(|error| format!("{line}: {error}"))? {
                return Ok(status);
            }
            if begin.elapsed() > self.limit {
                kill_with_descendants(child.id());
                let _ = child.wait();
                return Err(format!(
                    "{line}\n  did not end within {} s and was killed; its output so far: {}",
                    self.limit.as_secs(),
                    log.display()
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn not_started(&self, error: &std::io::Error) -> String {
        let remedy = self.remedy.as_deref().unwrap_or("`cargo xtask setup` installs what is missing");
        format!("{}\n  did not start: {error}; {remedy}", self.line())
    }

    fn judge(&self, line: &str, status: ExitStatus, log: Option<&Path>) -> Result<(), String> {
        if status.success() {
            return Ok(());
        }
        let mut message = format!("{line}\n  failed: {status}");
        if let Some(log) = log {
            let _ = write!(message, "; log: {}", log.display());
        }
        if let Some(remedy) = &self.remedy {
            let _ = write!(message, "\n  {remedy}");
        }
        Err(message)
    }
}

/// Ends a process and all that it started. The programs here start others (cargo, npm, a shell that runs QEMU), which
/// would go on alone; a process group of their own would keep Ctrl-C from them.
fn kill_with_descendants(root: u32) {
    let mut doomed = vec![root];
    let mut next = 0;
    while let Some(&parent) = doomed.get(next) {
        doomed.extend(children(parent));
        next += 1;
    }
    let ids: Vec<String> = doomed.iter().map(u32::to_string).collect();
    let _ = Command::new("sh").arg("-c").arg(format!("kill -9 {}", ids.join(" "))).status();
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        parent_of(&stat) == Some(parent)
    })
    .collect()
}

/// The parent in a line of `/proc/ID/stat`: the second word after the program's name, which is in parentheses and may
/// hold anything.
fn parent_of(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

static FIRST: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Folders to look for programs in before those of `PATH`. Said once, at the start.
pub(crate) fn also_look_in(folders: Vec<PathBuf>) {
    FIRST.set(folders).expect("said once");
}

fn path() -> OsString {
    let first = FIRST.get().cloned().unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(first.into_iter().chain(std::env::split_paths(&path))).unwrap_or(path)
}

/// Where the program of that name is that would be started.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&path()).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead as _;

    #[test]
    fn a_line_can_be_typed() {
        let run =
            Run::new("cargo").args(["test", "it's"]).env("RUSTFLAGS", "--cfg divvy_loom").dir("some where");
        assert_eq!(run.line(), r"cd 'some where' && RUSTFLAGS='--cfg divvy_loom' cargo test 'it'\''s'");
    }

    #[test]
    fn parents_are_read_behind_any_name() {
        assert_eq!(parent_of("12 (a) b) (c) S 7 12 12 0"), Some(7));
        assert_eq!(parent_of("nonsense"), None);
    }

    #[test]
    fn output_and_failure_reach_the_log() {
        let dir = std::env::temp_dir().join(format!("xtask-run-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let log = dir.join("step.log");
        let good = Run::new("sh").args(["-c", "echo one; echo two >&2"]).log(&log).unwrap();
        assert_eq!(good, "one\ntwo\n");
        let bad = Run::new("sh").args(["-c", "echo three; exit 3"]).remedy("mend it").log(&log).unwrap_err();
        assert!(
            bad.contains("exit status: 3") && bad.contains("step.log") && bad.contains("mend it"),
            "{bad}"
        );
        let all = std::fs::read_to_string(&log).unwrap();
        assert!(all.contains("one\n") && all.contains("three\n"), "{all}");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_hangs_is_ended() {
        let dir = std::env::temp_dir().join(format!("xtask-hang-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let run = Run::new("sleep").arg("1000").limit(Duration::from_millis(50));
        let error = run.log(&dir.join("step.log")).unwrap_err();
        assert!(error.contains("did not end within") && error.contains("step.log"), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let stat = format!("/proc/{}/stat", line.trim());
        assert!(Path::new(&stat).exists());
        kill_with_descendants(shell.id());
        shell.wait().unwrap();
        // The signal was sent; the kernel may take a moment to carry it out.
        let ended = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let begin = Instant::now();
        while !ended() {
            assert!(begin.elapsed() < LIMIT, "{stat} is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_program_that_is_not_there_names_the_remedy() {
        let error = Run::new("no-such-program-here").read().unwrap_err();
        assert!(error.contains("did not start") && error.contains("cargo xtask setup"), "{error}");
    }
}
