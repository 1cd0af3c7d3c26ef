//! A folder with a pipeline in it, and ways to run it.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) use crate::command::{Ended, Folder, alive, wait_for};

impl Ended {
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
    folder: Folder,
    pub(crate) pipeline: PathBuf,
}

impl Deref for Bed {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Bed {
    pub(crate) fn new(pipeline: &str) -> Self {
        let folder = Folder::new();
        folder.write("p.toml", pipeline);
        Self { pipeline: folder.path("p.toml"), folder }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path(".divvy/p.redb")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.divvy("run");
        command.arg("p.toml").args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
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
        crate::command::signal(&self.child, signal);
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
