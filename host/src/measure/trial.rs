//! Runs the work once with each number of workers, round by round.

use super::Point;
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use crate::process::shell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Stands for the number of workers in a command.
pub(crate) const PLACEHOLDER: &str = "{workers}";

/// What tells programs how many threads to have: ours, and what widespread runtimes read.
const VARIABLES: [&str; 4] = ["DIVVY_WORKERS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "GOMAXPROCS"];

/// What is measured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    /// A program and its arguments, or one text for the shell.
    Command(Vec<OsString>),
    /// A pipeline of `divvy run`, with `--jobs`.
    Pipeline(PathBuf),
}

impl Subject {
    /// What these words name: a pipeline, if it is a single one that ends in `.toml`.
    pub(crate) fn of(words: Vec<OsString>) -> Self {
        match words.as_slice() {
            [word] if Path::new(word).extension() == Some(OsStr::new("toml")) => Self::Pipeline(word.into()),
            _ => Self::Command(words),
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Command(words) => {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                words.join(" ")
            }
            Self::Pipeline(path) => path.display().to_string(),
        }
    }

    fn command(&self, workers: u32, scratch: &Path) -> Result<Command> {
        let mut command = match self {
            Self::Command(words) => {
                let words: Vec<OsString> = words.iter().map(|word| fill(word, workers)).collect();
                match words.as_slice() {
                    // One text that is not just a program's name is for the shell.
                    [text] if !text.as_bytes().iter().all(|c| shell::is_plain(*c)) => {
                        let mut command = Command::new("/bin/sh");
                        command.arg("-c").arg(text);
                        command
                    }
                    [program, arguments @ ..] => {
                        let mut command = Command::new(program);
                        command.args(arguments);
                        command
                    }
                    [] => return Err(Diagnostic::new(Exit::Usage, "there is no command to measure")),
                }
            }
            Self::Pipeline(path) => {
                let divvy = std::env::current_exe()
                    .map_err(|error| Diagnostic::system("cannot find the divvy program", error))?;
                // A store of its own each time, or the second round would find everything done.
                let store = scratch.join("measure.redb");
                _ = fs::remove_file(&store);
                let mut command = Command::new(divvy);
                command.arg("run").arg(path).arg("--jobs").arg(workers.to_string());
                command.arg("--store").arg(store);
                command
            }
        };
        for variable in VARIABLES {
            command.env(variable, workers.to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(command)
    }
}

/// Writes the number of workers where its placeholder stands.
fn fill(word: &OsStr, workers: u32) -> OsString {
    let (text, mark) = (word.as_bytes(), PLACEHOLDER.as_bytes());
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(mark) {
            out.extend_from_slice(workers.to_string().as_bytes());
            at += mark.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    OsString::from_vec(out)
}

/// Measures `subject` with each of `workers` (ascending), in `rounds` rounds after one that does not count if `warm`. `done` is told of each run
/// that ended.
pub(crate) fn measure(
    subject: &Subject,
    workers: &[u32],
    rounds: u32,
    warm: bool,
    mut done: impl FnMut(),
) -> Result<Vec<Point>> {
    let scratch = Scratch::new()?;
    let mut runs = vec![Vec::new(); workers.len()];
    for round in 0..rounds + u32::from(warm) {
        for (at, workers) in workers.iter().enumerate() {
            let run = once(subject, *workers, &scratch.0)?;
            done();
            if round >= u32::from(warm) {
                runs[at].push(run);
            }
        }
    }
    let points = workers.iter().zip(runs).map(|(workers, mut runs)| {
        runs.sort_by_key(|(wall, _)| *wall);
        let cpu = runs[(runs.len() - 1) / 2].1;
        Point { workers: *workers, walls: runs.into_iter().map(|(wall, _)| wall).collect(), cpu }
    });
    Ok(points.collect())
}

/// The wall time of one run, and the processor time if the system says it.
fn once(subject: &Subject, workers: u32, scratch: &Path) -> Result<(Duration, Option<Duration>)> {
    let mut command = subject.command(workers, scratch)?;
    let before = children_time();
    let begin = Instant::now();
    let child = command.spawn().map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        Diagnostic::new(Exit::Usage, format!("cannot start `{program}`: {error}"))
            .help("give a program that is in PATH, or the path of one, after `--`")
    })?;
    let output = child
        .wait_with_output()
        .map_err(|error| Diagnostic::system("cannot wait for the command that is measured", error))?;
    let wall = begin.elapsed();
    let cpu = before.zip(children_time()).map(|(before, after)| after.saturating_sub(before));
    if output.status.success() {
        return Ok((wall, cpu));
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = printed.lines().rev().take(5).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    let told =
        if last.is_empty() { String::new() } else { format!("\nit printed last:\n{}", last.join("\n")) };
    let what = format!("with {workers} workers, `{}` ended with {}", subject.name(), ending(output.status));
    Err(Diagnostic::new(Exit::Failed, what)
        .help(format!("a run that fails says nothing about speed: mend it first{told}")))
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

/// The processor time of all children that were waited for, theirs included, to a hundredth of a second.
fn children_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; after it, fields are numbered from 3.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(16 - 3)?.parse::<u64>().ok()? + fields.get(17 - 3)?.parse::<u64>().ok()?;
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// A folder that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("divvy-measure-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| {
            Diagnostic::system(format!("cannot make the folder {}", path.display()), error)
        })?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_workers_is_written_wherever_it_is_asked_for() {
        assert_eq!(fill(OsStr::new("-j{workers}"), 12), "-j12");
        assert_eq!(fill(OsStr::new("{workers}{workers} {worker} {workers"), 3), "33 {worker} {workers");
        assert_eq!(fill(OsStr::from_bytes(b"\xff{workers}"), 3).as_bytes(), b"\xff3");
    }

    #[test]
    fn a_pipeline_is_known_by_its_name() {
        assert_eq!(Subject::of(vec!["a.toml".into()]), Subject::Pipeline("a.toml".into()));
        let command = vec!["cat".into(), "a.toml".into()];
        assert_eq!(Subject::of(command.clone()), Subject::Command(command));
    }

    #[test]
    fn children_s_time_is_known_here() {
        assert!(!cfg!(target_os = "linux") || children_time().is_some());
    }
}
