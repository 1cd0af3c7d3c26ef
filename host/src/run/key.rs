//! The content hash of a task, and what follows from it: must the task run?

use super::files::Files;
use super::glob;
use super::pipeline::{EnvValue, Pipeline, Template};
use crate::store::{Outcome, Parts, Record};
use divvy::hash::{Xxh3, xxh3_64};
use std::fmt;
use std::path::Path;

/// What is to be done with a task whose needs are finished.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// It ran with these contents, and its outputs are there.
    UpToDate,
    /// It failed with these contents in an earlier run.
    Dead,
    /// It must run.
    Run { parts: Parts, key: u64, why: Why },
    /// It cannot run: an input is missing or cannot be read.
    Broken(String),
}

/// Why a task must run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Why {
    /// No record of it: it never ran, or never to an end.
    New,
    /// It failed, and `--retry-dead` was given.
    RetryDead,
    /// An output is gone.
    OutputMissing(String),
    /// Its command is another.
    Command { was: String },
    /// Its folder is another.
    Dir { was: String },
    /// A variable has another value.
    Env(String),
    /// A variable counts now, or no longer.
    EnvNames,
    /// An input has other content.
    Input(String),
    /// An input counts now that did not.
    InputAdded(String),
    /// An input counted that does not any more.
    InputRemoved(String),
    /// A task before it gave another result.
    Need(String),
    /// It needs other tasks than before.
    Needs,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::New => f.write_str("it has not run to an end before"),
            Why::RetryDead => f.write_str("it failed before, and --retry-dead was given"),
            Why::OutputMissing(path) => write!(f, "its output {path} is missing"),
            Why::Command { was } => write!(f, "its command changed; it was: {was}"),
            Why::Dir { was } if was.is_empty() => f.write_str("its `dir` changed; it had none"),
            Why::Dir { was } => write!(f, "its `dir` changed; it was: {was}"),
            Why::Env(name) => write!(f, "the variable {name} changed"),
            Why::EnvNames => f.write_str("other variables are named in its `env`"),
            Why::Input(path) => write!(f, "its input {path} changed"),
            Why::InputAdded(path) => write!(f, "its input {path} is new"),
            Why::InputRemoved(path) => write!(f, "its input {path} is no longer one"),
            Why::Need(name) => write!(f, "the task {name} before it gave another result"),
            Why::Needs => f.write_str("it needs other tasks than before"),
        }
    }
}

/// What the content hash of a task is made of now. `needs`: name and digest of each need. The error says what is
/// missing.
pub(crate) fn parts(
    pipeline: &Pipeline,
    task: &Template,
    item: Option<&str>,
    files: &mut Files,
    needs: Vec<(String, u64)>,
) -> Result<Parts, String> {
    let hash = |text: &str| xxh3_64(text.as_bytes());
    let env = task.env.iter().map(|(name, value)| {
        let value = match value {
            EnvValue::Set(text) => Some(hash(&text.fill(item))),
            EnvValue::Inherit => std::env::var_os(name).map(|value| xxh3_64(value.as_encoded_bytes())),
        };
        (name.clone(), value)
    });
    let mut inputs = Vec::new();
    for (text, _) in &task.inputs {
        let input = text.fill(item);
        let path = pipeline.resolve(&input);
        match read(files, &path, &input)? {
            Some(content) => inputs.push((input.into_owned(), content)),
            None if glob::is_pattern(&input) => {
                let found = glob::expand(&pipeline.root, &input)?;
                if found.is_empty() {
                    return Err(format!("nothing matches its input {input}"));
                }
                for input in found {
                    let content = read(files, &pipeline.resolve(&input), &input)?;
                    inputs.push((input, content.unwrap_or(0)));
                }
            }
            None => return Err(format!("its input {input} does not exist")),
        }
    }
    Ok(Parts {
        command: task.command.show(item),
        env: env.collect(),
        dir: task.dir.as_ref().map_or_else(String::new, |(dir, _)| dir.fill(item).into_owned()),
        inputs,
        needs,
    })
}

fn read(files: &mut Files, path: &Path, shown: &str) -> Result<Option<u64>, String> {
    files.hash(path).map_err(|error| format!("its input {shown} cannot be read: {error}"))
}

/// The content hash.
pub(crate) fn key(parts: &Parts) -> u64 {
    let Parts { command, env, dir, inputs, needs } = parts;
    let mut hash = Xxh3::with_seed(1);
    let mut text = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    text(command);
    text(dir);
    for (name, _) in env.iter() {
        text(name);
    }
    for (name, _) in inputs.iter().chain(needs) {
        text(name);
    }
    for (_, value) in env {
        hash.update(&value.unwrap_or(0).to_le_bytes());
        hash.update(&[u8::from(value.is_some())]);
    }
    for (_, content) in inputs.iter().chain(needs) {
        hash.update(&content.to_le_bytes());
    }
    for len in [env.len(), inputs.len(), needs.len()] {
        hash.update(&(len as u64).to_le_bytes());
    }
    hash.digest()
}

/// Compares what a task is made of now with the record of its last end.
pub(crate) fn decide(
    pipeline: &Pipeline,
    task: &Template,
    item: Option<&str>,
    parts: Result<Parts, String>,
    record: Option<&Record>,
    retry_dead: bool,
) -> Decision {
    let parts = match parts {
        Ok(parts) => parts,
        Err(why) => return Decision::Broken(why),
    };
    let key = key(&parts);
    let run = |why| Decision::Run { parts: parts.clone(), key, why };
    let Some(record) = record else { return run(Why::New) };
    if record.key != key {
        return run(difference(&record.parts, &parts));
    }
    if record.outcome == Outcome::Dead {
        return if retry_dead { run(Why::RetryDead) } else { Decision::Dead };
    }
    match missing_output(pipeline, task, item) {
        Some(path) => run(Why::OutputMissing(path)),
        None => Decision::UpToDate,
    }
}

/// The first declared output that is not there.
pub(crate) fn missing_output(pipeline: &Pipeline, task: &Template, item: Option<&str>) -> Option<String> {
    let outputs = task.outputs.iter().map(|(output, _)| output.fill(item));
    outputs.into_iter().find(|output| !pipeline.resolve(output).exists()).map(|output| output.into_owned())
}

/// What the result of a finished task is for those that need it: its outputs' contents, or its key without any.
pub(crate) fn result(
    pipeline: &Pipeline,
    task: &Template,
    item: Option<&str>,
    files: &mut Files,
    key: u64,
    failed: bool,
) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(item.unwrap_or_default().as_bytes());
    if task.outputs.is_empty() || failed {
        hash.update(&key.to_le_bytes());
        hash.update(&[u8::from(failed)]);
    }
    for (output, _) in &task.outputs {
        let path = output.fill(item);
        // What cannot be read now will be noticed by the command that reads it.
        let content = files.hash(&pipeline.resolve(&path)).ok().flatten();
        hash.update(path.as_bytes());
        hash.update(&content.unwrap_or(0).to_le_bytes());
        hash.update(&[u8::from(content.is_some())]);
    }
    hash.digest()
}

/// The first difference that a person would name.
fn difference(was: &Parts, now: &Parts) -> Why {
    if was.command != now.command {
        return Why::Command { was: was.command.clone() };
    }
    if was.dir != now.dir {
        return Why::Dir { was: was.dir.clone() };
    }
    if was.env != now.env {
        let same_names = was.env.iter().map(|e| &e.0).eq(now.env.iter().map(|e| &e.0));
        let changed = was.env.iter().zip(&now.env).find(|(was, now)| was.1 != now.1);
        return match changed {
            Some((_, (name, _))) if same_names => Why::Env(name.clone()),
            _ => Why::EnvNames,
        };
    }
    for (path, content) in &now.inputs {
        match was.inputs.iter().find(|(before, _)| before == path) {
            None => return Why::InputAdded(path.clone()),
            Some((_, before)) if before != content => return Why::Input(path.clone()),
            Some(_) => {}
        }
    }
    if let Some((path, _)) =
        was.inputs.iter().find(|(path, _)| !now.inputs.iter().any(|(now, _)| now == path))
    {
        return Why::InputRemoved(path.clone());
    }
    for (name, digest) in &now.needs {
        if was.needs.iter().any(|(before, other)| before == name && other != digest) {
            return Why::Need(name.clone());
        }
    }
    Why::Needs
}

#[cfg(test)]
mod tests {
    use super::super::parse::read;
    use super::*;

    fn sample() -> Parts {
        Parts {
            command: "c".into(),
            env: vec![("A".into(), Some(1)), ("B".into(), None)],
            dir: "d".into(),
            inputs: vec![("i".into(), 1), ("j".into(), 2)],
            needs: vec![("n".into(), 3)],
        }
    }

    #[test]
    fn every_part_changes_the_key_and_is_named() {
        let base = sample();
        type Change = (&'static str, fn(&mut Parts));
        let changes: [Change; 9] = [
            ("its command changed; it was: c", |p| p.command = "x".into()),
            ("its `dir` changed; it was: d", |p| p.dir = "x".into()),
            ("the variable A changed", |p| p.env[0].1 = Some(2)),
            ("the variable B changed", |p| p.env[1].1 = Some(0)),
            ("other variables are named in its `env`", |p| p.env[1].0 = "C".into()),
            ("its input j changed", |p| p.inputs[1].1 = 9),
            ("its input k is new", |p| p.inputs.push(("k".into(), 0))),
            ("its input j is no longer one", |p| _ = p.inputs.pop()),
            ("the task n before it gave another result", |p| p.needs[0].1 = 4),
        ];
        let mut keys = vec![key(&base)];
        for (shown, change) in changes {
            let mut changed = base.clone();
            change(&mut changed);
            keys.push(key(&changed));
            assert_eq!(difference(&base, &changed).to_string(), shown);
        }
        let mut other_needs = base.clone();
        other_needs.needs[0].0 = "m".into();
        keys.push(key(&other_needs));
        assert_eq!(difference(&base, &other_needs), Why::Needs);
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let parts =
            |command: &str, dir: &str| Parts { command: command.into(), dir: dir.into(), ..Parts::default() };
        assert_ne!(key(&parts("ab", "c")), key(&parts("a", "bc")));
    }

    #[test]
    fn a_record_decides() {
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("in"), folder.path().join("out"));
        std::fs::write(&input, "1").unwrap();
        let pipeline = read(&format!(
            "[task.a]\nrun='true'\ninputs=['{}']\noutputs=['{}']",
            input.display(),
            output.display()
        ))
        .unwrap();
        let task = &pipeline.tasks[0];
        let mut files = Files::default();
        let mut decided = |record: Option<&Record>, retry| {
            let parts = parts(&pipeline, task, None, &mut files, vec![]);
            decide(&pipeline, task, None, parts, record, retry)
        };
        let Decision::Run { parts, key, why: Why::New } = decided(None, false) else { panic!("it must run") };
        let record = |outcome| Record {
            outcome,
            key,
            parts: parts.clone(),
            tries: 1,
            reason: String::new(),
            duration_ns: 0,
            ended_ms: 0,
            run: 1,
            output: false,
        };
        let (done, dead) = (record(Outcome::Done), record(Outcome::Dead));
        assert!(matches!(decided(Some(&done), false), Decision::Run { why: Why::OutputMissing(_), .. }));
        std::fs::write(&output, "").unwrap();
        assert!(matches!(decided(Some(&done), false), Decision::UpToDate));
        assert!(matches!(decided(Some(&dead), false), Decision::Dead));
        assert!(matches!(decided(Some(&dead), true), Decision::Run { why: Why::RetryDead, .. }));
        std::fs::write(&input, "2").unwrap();
        assert!(matches!(decided(Some(&dead), false), Decision::Run { why: Why::Input(_), .. }));
        std::fs::remove_file(&input).unwrap();
        assert!(
            matches!(decided(Some(&done), false), Decision::Broken(why) if why.contains("does not exist"))
        );
    }
}
