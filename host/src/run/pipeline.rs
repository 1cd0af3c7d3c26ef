//! A pipeline as its file describes it: task templates that are valid together.

use super::text::Text;
use crate::diagnostic::Source;
use divvy::limit::Quota;
use divvy::retry::Backoff;
use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked pipeline. Needs point backwards in [`Pipeline::order`]; every name is known; every demand fits.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) source: Source,
    /// The folder of the file, absolute: what relative paths are relative to.
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    /// Waiting this long raises a task by one level of priority.
    pub(crate) aging: Duration,
    /// In the order of the file.
    pub(crate) tasks: Vec<Template>,
    /// Indices of `tasks`, needs first.
    pub(crate) order: Vec<usize>,
    pub(crate) resources: Resources,
    pub(crate) limits: Vec<Limit>,
}

/// What there is of each thing that running tasks hold.
#[derive(Debug)]
pub(crate) struct Resources {
    /// `cores`, `memory`, then the counters of `[resources]`.
    pub(crate) names: Vec<String>,
    pub(crate) totals: Vec<u64>,
}

/// The index of cores in [`Resources`].
pub(crate) const CORES: usize = 0;
/// The index of memory in [`Resources`].
pub(crate) const MEMORY: usize = 1;

/// A named rate.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) quota: Quota,
}

/// One `[task.NAME]`: one command, or with `for_each` one per item.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
    /// Indices of the tasks that must be finished first.
    pub(crate) needs: Vec<usize>,
    pub(crate) needs_spans: Vec<Range<usize>>,
    pub(crate) command: Command,
    pub(crate) command_span: Range<usize>,
    pub(crate) for_each: Option<ForEach>,
    pub(crate) inputs: Vec<(Text, Range<usize>)>,
    pub(crate) outputs: Vec<(Text, Range<usize>)>,
    /// Sorted by name.
    pub(crate) env: Vec<(String, EnvValue)>,
    pub(crate) dir: Option<(Text, Range<usize>)>,
    /// 0 is lowest; the file counts from -128.
    pub(crate) priority: u8,
    /// Knows how many tries there are.
    pub(crate) backoff: Backoff,
    pub(crate) timeout: Option<Duration>,
    /// How much of each of [`Resources`] it holds while it runs.
    pub(crate) demand: Vec<u64>,
    pub(crate) demand_span: Range<usize>,
    pub(crate) limit: Option<usize>,
    pub(crate) allow_failure: bool,
    /// What it prints is a result of the run.
    pub(crate) shown: bool,
}

/// How the command of a task is started.
#[derive(Debug)]
pub(crate) enum Command {
    /// `run`, by `sh -e -c`.
    Shell(Text),
    /// `run` without anything that needs a shell: its text and its words.
    Simple(Text, Vec<Text>),
    /// `argv`.
    Argv(Vec<Text>),
}

/// The value of a variable in `env`.
#[derive(Debug)]
pub(crate) enum EnvValue {
    /// Set to this.
    Set(Text),
    /// `true` in the file: taken from divvy's own environment, and part of the content hash.
    Inherit,
}

/// Where the items of a fan-out come from.
#[derive(Debug)]
pub(crate) struct ForEach {
    pub(crate) items: Items,
    pub(crate) span: Range<usize>,
    pub(crate) allow_empty: bool,
}

/// The source of items.
#[derive(Debug)]
pub(crate) enum Items {
    /// The non-empty lines of a file.
    Lines(String),
    /// The files that match any of the patterns.
    Glob(Vec<String>),
    /// These.
    List(Vec<String>),
}

impl Pipeline {
    /// The index of the task called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task.name == name)
    }

    /// `path` of the pipeline file as an absolute path. A leading `~/` is the home folder.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        resolve(&self.root, path)
    }

    /// Whether `need` must be finished before `task`, directly or through others.
    pub(crate) fn depends_on(&self, task: usize, need: usize) -> bool {
        let mut open = vec![task];
        let mut seen = vec![false; self.tasks.len()];
        while let Some(at) = open.pop() {
            for &n in &self.tasks[at].needs {
                if n == need {
                    return true;
                }
                if !std::mem::replace(&mut seen[n], true) {
                    open.push(n);
                }
            }
        }
        false
    }
}

/// `path` relative to `root`, `~/` as the home folder, `.` and `..` taken out where that needs no file system.
pub(crate) fn resolve(root: &Path, path: &str) -> PathBuf {
    let joined = match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => root.join(path),
    };
    // `join` keeps "." components at the front only; the same file must give the same path.
    joined.components().collect()
}

impl Template {
    /// How the task with `item` is called: `name`, or `name:item`.
    pub(crate) fn id<'a>(&'a self, item: Option<&str>) -> Cow<'a, str> {
        match item {
            None => Cow::Borrowed(&self.name),
            Some(item) => Cow::Owned(format!("{}:{item}", self.name)),
        }
    }

    /// The folder that the command runs in.
    pub(crate) fn dir(&self, root: &Path, item: Option<&str>) -> PathBuf {
        self.dir.as_ref().map_or_else(|| root.to_owned(), |(dir, _)| resolve(root, &dir.fill(item)))
    }
}

impl Command {
    /// The command as a person reads it.
    pub(crate) fn show(&self, item: Option<&str>) -> String {
        match self {
            Command::Shell(text) => text.fill_shell(item).into_owned(),
            Command::Simple(text, _) => text.fill_shell(item).into_owned(),
            Command::Argv(words) => {
                let words = words.iter().map(|word| crate::process::shell::quoted(&word.fill(item)));
                words.collect::<Vec<_>>().join(" ")
            }
        }
    }
}
