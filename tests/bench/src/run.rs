//! `divvy run` and `divvy map` beside the programs that they are used instead of: how much does it cost to start a
//! command that does nothing?
//!
//! Given exactly one argument, `true` of the GNU tools loads its locale, which takes it half as long again. So each
//! program that gives its item to the command is measured with the item and without.

use crate::machine::version;
use crate::rounds::{Contender, Samples, interleave};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const TASKS: u32 = 2_000;
/// GNU parallel takes some milliseconds for each.
const FEW_TASKS: u32 = 300;
const NOTHING: &str = "/bin/true";
/// The goal for what `divvy run` adds to a process start.
const GOAL_MICROS: f64 = 100.0;

/// A program that runs many commands, two at a time.
trait Runner {
    /// As the table names it.
    fn name(&self) -> &str;

    /// How many commands it runs in one sample.
    fn tasks(&self) -> u32 {
        TASKS
    }

    /// Writes what the program reads into `dir`, which is new and empty: to run `command`, a path, so many times.
    fn prepare(&self, _dir: &Path, _command: &str) -> io::Result<()> {
        Ok(())
    }

    /// Runs `command` so many times.
    fn run(&self, dir: &Path, command: &str) -> io::Result<()>;
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let work = work_folder().map_err(|error| format!("cannot make a folder beside the bench: {error}"))?;
    let table = measure(rounds, &work);
    let _ = fs::remove_dir_all(&work);
    table
}

fn measure(rounds: u32, work: &Path) -> Result<String, String> {
    let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(Spawn)];
    let mut missing = Vec::new();
    for (program, package, argument) in [
        ("make", "make", "--version"),
        ("xargs", "findutils", "--version"),
        ("ninja", "ninja-build", "--version"),
        ("parallel", "parallel", "--version"),
    ] {
        match version(program, argument) {
            Some(_) => match program {
                "make" => runners.push(Box::new(Make)),
                "xargs" => {
                    runners.push(Box::new(Xargs { item: false }));
                    runners.push(Box::new(Xargs { item: true }));
                }
                "ninja" => runners.push(Box::new(Ninja)),
                _ => runners.push(Box::new(Parallel)),
            },
            None => {
                eprintln!("bench: {program} is not installed; to measure it too: apt-get install {package}");
                missing.push((program.to_owned(), "not installed"));
            }
        }
    }
    let divvy = divvy_binary()?;
    runners.push(Box::new(Divvy { binary: divvy.clone(), shell: false }));
    runners.push(Box::new(Divvy { binary: divvy.clone(), shell: true }));
    runners.push(Box::new(Map { binary: divvy.clone(), name: Map::PLAIN, options: &[], item: false }));
    runners.push(Box::new(Map { binary: divvy.clone(), name: Map::ITEM, options: &[], item: true }));
    runners.push(Box::new(Map {
        binary: divvy,
        name: Map::JOBLOG,
        options: &["--joblog", "log"],
        item: false,
    }));

    // A wrong figure is worse than none: whoever does not run every command is not measured.
    let mut measured = Vec::new();
    for runner in runners {
        match check(runner.as_ref(), work) {
            Ok(()) => measured.push(runner),
            Err(error) if runner.name().starts_with("divvy") => {
                return Err(format!("{}: {error}", runner.name()));
            }
            Err(error) => {
                eprintln!("bench: {} is not measured: {error}", runner.name());
                missing.push((runner.name().to_owned(), "failed"));
            }
        }
    }
    let runners = measured;
    let mut contenders: Vec<Contender<'_>> = runners
        .iter()
        .map(|runner| {
            Contender::new(runner.name(), move || {
                sample(runner.as_ref(), work).unwrap_or_else(|error| {
                    eprintln!("bench: run: {} failed in a later round: {error}", runner.name());
                    f64::NAN
                })
            })
        })
        .collect();
    let samples = interleave(rounds, &mut contenders);
    drop(contenders);

    let of =
        |name: &str| runners.iter().position(|runner| runner.name() == name).map(|index| &samples[index]);
    let (spawn, make) = (&samples[0], of(Make.name()));
    let beyond = |samples: &Samples| samples.beside(spawn, |mine, spawn| mine - spawn) * 1e6;
    let ratio = |samples: &Samples, to: &Samples| samples.beside(to, |mine, theirs| mine / theirs);
    let mut table = String::from(
        "| two at a time | tasks | wall, s, median | min … max | µs a task | µs a task beyond the spawns | ratio to make -j2 |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for (runner, samples) in runners.iter().zip(&samples) {
        let tasks = f64::from(runner.tasks());
        let row = writeln!(
            table,
            "| {} | {tasks} | {:.3} | {:.3} … {:.3} | {:.0} | {:.0} | {} |",
            runner.name(),
            samples.median() * tasks,
            samples.min() * tasks,
            samples.max() * tasks,
            samples.median() * 1e6,
            beyond(samples),
            make.map_or(String::new(), |make| format!("{:.2}", ratio(samples, make))),
        );
        row.expect("a string takes everything");
    }
    for (program, reason) in missing {
        table += &format!("| {program} | | {reason} | | | | |\n");
    }
    if let Some(divvy) = of(Divvy::ARGV) {
        let beyond = beyond(divvy);
        let verdict = |met| if met { "met" } else { "MISSED" };
        table += &format!(
            "\nGoal: `divvy run` adds less than {GOAL_MICROS} µs a task to the process start: {beyond:.0} µs, {}",
            verdict(beyond < GOAL_MICROS)
        );
        if let Some(make) = make {
            let ratio = ratio(divvy, make);
            table += &format!("; and is no slower than `make -j2`: {ratio:.2}, {}", verdict(ratio <= 1.0));
        }
        table += ". It wrote each end to its store, fsync included; make, xargs and parallel keep no record of theirs.\n";
    }
    if let Some(map) = of(Map::PLAIN) {
        let verdict = |met| if met { "met" } else { "MISSED" };
        table += "\nGoal: `divvy map` is";
        if let Some(make) = make {
            let ratio = ratio(map, make);
            table += &format!(" no slower than `make -j2`: {ratio:.2}, {};", verdict(ratio <= 1.0));
        }
        if let Some(parallel) = of(Parallel.name()) {
            let ratio = parallel.beside(map, |theirs, mine| theirs / mine);
            table +=
                &format!(" at least 8 times faster than GNU parallel: {ratio:.1}, {}", verdict(ratio >= 8.0));
        }
        table += ".\n";
    }
    Ok(table)
}

/// Runs a command that writes a line each time, and counts the lines.
fn check(runner: &dyn Runner, work: &Path) -> io::Result<()> {
    let dir = new_folder(work)?;
    let (script, lines) = (work.join("record"), work.join("recorded"));
    fs::write(&script, format!("#!/bin/sh\necho >> '{}'\n", lines.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    fs::write(&lines, "")?;
    let command = script
        .to_str()
        .ok_or_else(|| io::Error::other("the folder of the bench has a name that is not UTF-8"))?;
    runner.prepare(&dir, command)?;
    runner.run(&dir, command)?;
    let ran = fs::read(&lines)?.len();
    if ran == runner.tasks() as usize {
        return Ok(());
    }
    Err(io::Error::other(format!("ran {ran} of {} commands", runner.tasks())))
}

/// The seconds that a task took in one run of all of them.
fn sample(runner: &dyn Runner, work: &Path) -> io::Result<f64> {
    let dir = new_folder(work)?;
    runner.prepare(&dir, NOTHING)?;
    let start = Instant::now();
    runner.run(&dir, NOTHING)?;
    Ok(start.elapsed().as_secs_f64() / f64::from(runner.tasks()))
}

fn new_folder(work: &Path) -> io::Result<PathBuf> {
    let dir = work.join("round");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir)?;
    Ok(dir)
}

/// Runs `command` to its end; what it printed is the error if it failed.
fn finish(command: &mut Command, dir: &Path) -> io::Result<()> {
    let log = File::create(dir.join("stderr"))?;
    let status = command.current_dir(dir).stdout(Stdio::null()).stderr(log).status()?;
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(dir.join("stderr")).unwrap_or_default();
    Err(io::Error::other(format!("{status}: {}", said.trim())))
}

/// The baseline: starts two processes, and one more whenever one ends. The least that any of the others must do.
struct Spawn;

impl Runner for Spawn {
    fn name(&self) -> &str {
        "baseline: spawn and wait"
    }

    fn run(&self, _dir: &Path, command: &str) -> io::Result<()> {
        let mut left = self.tasks();
        let mut running = 0;
        while left > 0 || running > 0 {
            if left > 0 && running < 2 {
                // The handle is let go: the wait below is for any child.
                drop(Command::new(command).spawn()?);
                left -= 1;
                running += 1;
            } else {
                rustix::process::wait(rustix::process::WaitOptions::empty())?;
                running -= 1;
            }
        }
        Ok(())
    }
}

struct Make;

impl Runner for Make {
    fn name(&self) -> &str {
        "make -j2"
    }

    fn prepare(&self, dir: &Path, command: &str) -> io::Result<()> {
        let targets: Vec<String> = (0..self.tasks()).map(|task| format!("t{task}")).collect();
        let mut file = format!(".PHONY: all {0}\nall: {0}\n", targets.join(" "));
        for target in targets {
            file += &format!("{target}:\n\t@{command}\n");
        }
        fs::write(dir.join("Makefile"), file)
    }

    fn run(&self, dir: &Path, _command: &str) -> io::Result<()> {
        finish(Command::new("make").args(["-j2", "all"]).env_remove("MAKEFLAGS"), dir)
    }
}

struct Ninja;

impl Runner for Ninja {
    fn name(&self) -> &str {
        "ninja -j2 (a shell each)"
    }

    fn prepare(&self, dir: &Path, command: &str) -> io::Result<()> {
        let mut file = format!("rule nothing\n  command = {command}\n");
        for task in 0..self.tasks() {
            file += &format!("build t{task}: nothing\n");
        }
        fs::write(dir.join("build.ninja"), file)
    }

    fn run(&self, dir: &Path, _command: &str) -> io::Result<()> {
        finish(Command::new("ninja").arg("-j2"), dir)
    }
}

/// The lines that `xargs` and `parallel` read.
fn write_lines(dir: &Path, tasks: u32) -> io::Result<()> {
    fs::write(dir.join("lines"), (0..tasks).map(|task| format!("{task}\n")).collect::<String>())
}

/// The same, each line a command.
fn write_commands(dir: &Path, tasks: u32, command: &str) -> io::Result<()> {
    fs::write(dir.join("lines"), format!("{command}\n").repeat(tasks as usize))
}

struct Xargs {
    /// Whether the command gets the line.
    item: bool,
}

impl Runner for Xargs {
    fn name(&self) -> &str {
        if self.item { "xargs -P2 -n1, the item as an argument" } else { "xargs -P2 -I@" }
    }

    fn prepare(&self, dir: &Path, _command: &str) -> io::Result<()> {
        write_lines(dir, self.tasks())
    }

    fn run(&self, dir: &Path, command: &str) -> io::Result<()> {
        let how = if self.item { "-n1" } else { "-I@" };
        finish(Command::new("xargs").args(["-P2", how, command]).stdin(File::open(dir.join("lines"))?), dir)
    }
}

struct Parallel;

impl Runner for Parallel {
    fn name(&self) -> &str {
        "GNU parallel -j2"
    }

    fn tasks(&self) -> u32 {
        FEW_TASKS
    }

    fn prepare(&self, dir: &Path, command: &str) -> io::Result<()> {
        write_commands(dir, self.tasks(), command)
    }

    fn run(&self, dir: &Path, _command: &str) -> io::Result<()> {
        finish(Command::new("parallel").arg("-j2").stdin(File::open(dir.join("lines"))?), dir)
    }
}

struct Map {
    binary: PathBuf,
    name: &'static str,
    options: &'static [&'static str],
    /// Whether the command gets the line.
    item: bool,
}

impl Map {
    const PLAIN: &str = "divvy map -j2";
    const ITEM: &str = "divvy map -j2, the item as an argument";
    const JOBLOG: &str = "divvy map -j2 --joblog";
}

impl Runner for Map {
    fn name(&self) -> &str {
        self.name
    }

    fn prepare(&self, dir: &Path, command: &str) -> io::Result<()> {
        if self.item { write_lines(dir, self.tasks()) } else { write_commands(dir, self.tasks(), command) }
    }

    fn run(&self, dir: &Path, command: &str) -> io::Result<()> {
        let mut map = Command::new(&self.binary);
        map.args(["map", "-j2"]).args(self.options).stdin(File::open(dir.join("lines"))?);
        if self.item {
            map.arg(command);
        }
        finish(&mut map, dir)
    }
}

struct Divvy {
    binary: PathBuf,
    shell: bool,
}

impl Divvy {
    const ARGV: &str = "divvy run --jobs 2, durable";
    const SHELL: &str = "divvy run --jobs 2, durable (a shell each)";
}

impl Runner for Divvy {
    fn name(&self) -> &str {
        if self.shell { Self::SHELL } else { Self::ARGV }
    }

    fn prepare(&self, dir: &Path, command: &str) -> io::Result<()> {
        let items: Vec<String> = (0..self.tasks()).map(|task| format!("\"{task}\"")).collect();
        let command =
            if self.shell { format!("run = \"exec {command}\"") } else { format!("argv = [\"{command}\"]") };
        let pipeline = format!(
            "[pipeline]\nname = \"nothing\"\n\n[task.nothing]\n{command}\nfor_each = {{ list = [{}] }}\n",
            items.join(", ")
        );
        fs::write(dir.join("pipeline.toml"), pipeline)
    }

    fn run(&self, dir: &Path, _command: &str) -> io::Result<()> {
        finish(
            Command::new(&self.binary).args(["run", "--jobs", "2", "pipeline.toml"]).stdin(Stdio::null()),
            dir,
        )
    }
}

/// A new folder on the disk that the bench was built on; a memory file system would make durability cheap.
fn work_folder() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let dir = program.with_file_name(format!("divvy-bench-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// The `divvy` command: `DIVVY_BIN` if that is set, else built now from the workspace that this one is part of.
fn divvy_binary() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("DIVVY_BIN") {
        return fs::canonicalize(&path).map_err(|error| {
            format!("DIVVY_BIN={}: {error}; unset it to build the command", path.display())
        });
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "--package",
            "divvy-host",
            "--bin",
            "divvy",
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(&root)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!("cannot start cargo to build divvy: {error}; set DIVVY_BIN to a built one")
        })?;
    let messages = io::BufReader::new(cargo.stdout.take().expect("its output is piped"));
    let mut binary = None;
    for line in messages.lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        if let Some(executable) = message["executable"].as_str() {
            binary = Some(PathBuf::from(executable));
        }
    }
    match cargo.wait() {
        Ok(status) if status.success() => binary.ok_or_else(|| "cargo built no divvy binary".into()),
        _ => Err("divvy does not build; see above".into()),
    }
}
