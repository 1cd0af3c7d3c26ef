//! A folder with a pipeline in it, and ways to run it.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes long; whoever waits for longer than this waits for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in\n{}\n--- out\n{}", self.err, self.out);
        }
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part), "{part:?} is not in\n{}\n--- err\n{}", self.out, self.err);
        }
        self
    }

    /// The events of `--json`.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line is not JSON")).collect()
    }
}

/// The tasks of the events called `name`, in order.
pub(crate) fn tasks(events: &[Value], name: &str) -> Vec<String> {
    let named = events.iter().filter(|event| event["event"] == name);
    named.map(|event| event["task"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A folder of its own for one test.
pub(crate) struct Bed {
    folder: TempDir,
    pub(crate) pipeline: PathBuf,
}

impl Bed {
    pub(crate) fn new(pipeline: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        fs::write(&path, pipeline).unwrap();
        Self { folder, pipeline: path }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path(".divvy/p.redb")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_divvy"));
        command.current_dir(self.folder.path()).arg("run").arg("p.toml").args(arguments);
        command.env_remove("NO_COLOR").env_remove("DIVVY_RUN").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a run with `--json`, whose events are read as they come.
    pub(crate) fn start(&self, arguments: &[&str]) -> Going {
        let mut command = self.command(arguments);
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Going { child, lines, events: Vec::new() }
    }

    /// The records of the store: what each task ended with.
    pub(crate) fn records(&self) -> BTreeMap<String, Value> {
        records(&self.store())
    }
}

/// The records in a store. Reads a copy, so the store is left as it was found.
pub(crate) fn records(store: &Path) -> BTreeMap<String, Value> {
    const TASKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tasks");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.redb");
    if fs::copy(store, &copy).is_err() {
        return BTreeMap::new();
    }
    let Ok(database) = Database::open(&copy) else { return BTreeMap::new() };
    let read = database.begin_read().unwrap();
    let Ok(table) = read.open_table(TASKS) else { return BTreeMap::new() };
    let entries = table.iter().unwrap().map(|entry| entry.unwrap());
    entries
        .map(|(id, record)| (id.value().to_owned(), serde_json::from_slice(record.value()).unwrap()))
        .collect()
}

/// A run that is going on.
pub(crate) struct Going {
    pub(crate) child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) events: Vec<Value>,
}

impl Going {
    /// Reads events until one called `name` comes.
    #[track_caller]
    pub(crate) fn until(&mut self, name: &str) -> Value {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                panic!("the run ended before {name}: {:#?}", self.events);
            }
            let event: Value = serde_json::from_str(&line).unwrap();
            self.events.push(event.clone());
            if event["event"] == name {
                return event;
            }
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads the rest and returns the exit code.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<Value>) {
        for line in self.lines.by_ref().lines() {
            self.events.push(serde_json::from_str(&line.unwrap()).unwrap());
        }
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.events))
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Waits until `done` says so.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the process with the number in `text` runs (a zombie does not).
pub(crate) fn alive(text: &str) -> bool {
    let pid = text.trim();
    assert!(!pid.is_empty());
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with(['Z', 'X']),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => Command::new("kill").args(["-0", pid]).status().unwrap().success(),
    }
}
