//! Why a task is not running, or would run again.

use super::key::Decision;
use super::work::{State, Work};
use crate::config::units::show_duration;
use crate::diagnostic::{Diagnostic, Result, suggest};
use crate::exit::Exit;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The answer to `--explain`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Explanation {
    pub(crate) task: String,
    /// One word: `up_to_date`, `would_run`, `waiting`, `reading`, `ready`, `running`, `backoff`, `done`, `dead`, `cannot_run`,
    /// `interrupted`, or `several` for a fan-out.
    pub(crate) state: String,
    pub(crate) lines: Vec<String>,
}

impl Explanation {
    fn new(task: impl Into<String>, state: &str, line: String) -> Self {
        Self { task: task.into(), state: state.into(), lines: vec![line] }
    }

    /// For people.
    pub(crate) fn show(&self) -> String {
        let mut out = format!("{}: {}\n", self.task, self.state.replace('_', " "));
        for line in &self.lines {
            out.push_str("  ");
            out.push_str(line);
            out.push('\n');
        }
        out
    }
}

/// What a run that is going on knows about one task and a plan does not; `None` for what it does not.
pub(crate) type Live<'a> = &'a dyn Fn(usize) -> Option<String>;

/// Explains the task called `name` (`TASK` or `TASK:ITEM`).
pub(crate) fn explain(work: &Work<'_>, name: &str, live: Option<Live<'_>>) -> Result<Explanation> {
    let (template, item) =
        name.split_once(':').map_or((name, None), |(template, item)| (template, Some(item)));
    let Some(index) = work.pipeline.find(template) else {
        let names: Vec<&str> = work.pipeline.tasks.iter().map(|task| task.name.as_str()).collect();
        return Err(Diagnostic::new(Exit::Usage, format!("there is no task `{template}`"))
            .help(suggest(template, names)));
    };
    let fan_out = work.pipeline.tasks[index].for_each.is_some();
    if !fan_out && item.is_some() {
        return Err(Diagnostic::new(Exit::Usage, format!("task `{template}` has no items"))
            .help(format!("write {template}")));
    }
    let Some(range) = work.range(index) else {
        let waits = waits(work, index, live);
        let line = format!("its items are not known before its needs are finished: {}", waits.join(", "));
        return Ok(Explanation::new(name, "waiting", line));
    };
    if let Some(item) = item {
        let Some(task) = range.clone().find(|&task| work.tasks[task].item.as_deref() == Some(item)) else {
            let items: Vec<&str> = range.filter_map(|task| work.tasks[task].item.as_deref()).collect();
            let help = match crate::diagnostic::did_you_mean(item, items.iter().copied()) {
                Some(near) => format!("did you mean `{template}:{near}`?"),
                None => format!("it has {} items now; --explain {template} sums them up", items.len()),
            };
            return Err(
                Diagnostic::new(Exit::Usage, format!("task `{template}` has no item `{item}`")).help(help)
            );
        };
        return Ok(one(work, task, live));
    }
    if !fan_out {
        return Ok(one(work, range.start, live));
    }
    Ok(several(work, index, live))
}

/// A fan-out: how many of its tasks are in which state, with an example of each.
fn several(work: &Work<'_>, template: usize, live: Option<Live<'_>>) -> Explanation {
    let mut groups: Vec<(String, usize, Explanation)> = Vec::new();
    for task in work.range(template).unwrap_or(0..0) {
        let state = state_word(work, task, live.is_some());
        match groups.iter_mut().find(|(word, _, _)| word == state) {
            Some((_, count, _)) => *count += 1,
            None => groups.push((state.to_owned(), 1, one(work, task, live))),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for (state, count, example) in groups {
        lines.push(format!(
            "{count} {}, such as {}: {}",
            state.replace('_', " "),
            example.task,
            example.lines[0]
        ));
    }
    if lines.is_empty() {
        lines.push("it has no items".to_owned());
    }
    Explanation { task: work.pipeline.tasks[template].name.clone(), state: "several".into(), lines }
}

/// The state of a task in a word. `live`: in a run that is going on.
fn state_word(work: &Work<'_>, task: usize, live: bool) -> &'static str {
    match (work.tasks[task].state, &work.tasks[task].decision) {
        (State::Running, _) => "running",
        (State::Backoff, _) => "backoff",
        (State::Done, _) => "done",
        (State::Interrupted, _) => "interrupted",
        (State::Ready, _) => "ready",
        (State::Reading, _) => "reading",
        (_, Some(Decision::UpToDate)) => "up_to_date",
        (State::Dead | State::DeadBefore, _) | (_, Some(Decision::Dead)) => "dead",
        (_, Some(Decision::Broken(_))) => "cannot_run",
        (State::Allowed, _) => "dead",
        (_, Some(Decision::Run { .. })) if live => "ready",
        (_, Some(Decision::Run { .. })) => "would_run",
        (_, None) => "waiting",
    }
}

fn one(work: &Work<'_>, task: usize, live: Option<Live<'_>>) -> Explanation {
    let id = work.id(task).into_owned();
    let state = state_word(work, task, live.is_some());
    let mut lines = Vec::new();
    if let Some(line) = live.and_then(|live| live(task)) {
        lines.push(line);
    }
    match &work.tasks[task].decision {
        Some(Decision::UpToDate) => {
            lines.push(
                "nothing that it depends on changed since it was done, and its outputs are there".to_owned(),
            );
        }
        Some(Decision::Run { why, .. }) => lines.push(format!("it must run: {why}")),
        Some(Decision::Dead) => {
            lines.push(
                "it failed with the same command, inputs and environment, so it is not run again".to_owned(),
            );
            lines.push("--retry-dead runs it again; so does any change of these".to_owned());
        }
        Some(Decision::Broken(why)) => lines.push(format!("it cannot run: {why}")),
        None => {
            let waits = waits(work, work.tasks[task].template, live);
            lines.extend(waits.into_iter().map(|wait| format!("it waits for {wait}")));
            lines.push("whether it must run then depends on what they write".to_owned());
        }
    }
    if let Some(record) = work.record(task) {
        let ago = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ago = ago.saturating_sub(Duration::from_millis(record.ended_ms));
        let tries = if record.tries > 1 { format!(" after {} tries", record.tries) } else { String::new() };
        lines.push(format!(
            "last time it ended with {}{tries}, {} ago (run {}), and took {}",
            record.reason,
            show_duration(ago),
            record.run,
            show_duration(Duration::from_nanos(record.duration_ns))
        ));
        if record.output {
            lines.push(format!("--output {id} shows what it printed then"));
        }
    }
    Explanation { task: id, state: state.into(), lines }
}

/// What a template waits for: each unfinished need with its state, down to what is the cause.
fn waits(work: &Work<'_>, template: usize, live: Option<Live<'_>>) -> Vec<String> {
    let mut causes = Vec::new();
    for &need in &work.pipeline.tasks[template].needs {
        let name = &work.pipeline.tasks[need].name;
        let Some(range) = work.range(need) else {
            causes.push(format!("{name}, whose items are not known yet"));
            continue;
        };
        let open: Vec<usize> = range.filter(|&task| !work.tasks[task].state.finished()).collect();
        let Some(&first) = open.first() else { continue };
        let dead = open.iter().copied().find(|&task| state_word(work, task, live.is_some()) == "dead");
        let shown = dead.unwrap_or(first);
        let state = state_word(work, shown, live.is_some()).replace('_', " ");
        let which =
            if open.len() > 1 { format!("{} tasks of {name}, such as ", open.len()) } else { String::new() };
        let mut cause = format!("{which}{} ({state})", work.id(shown));
        if state == "waiting" {
            let deeper = waits(work, need, live);
            if let Some(first) = deeper.first() {
                cause.push_str(&format!(", which waits for {first}"));
            }
        }
        causes.push(cause);
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::super::files::Files;
    use super::super::parse::read;
    use super::super::plan;
    use super::*;
    use crate::store::{Outcome, Parts, Record};
    use std::collections::HashMap;

    fn record(outcome: Outcome, key: u64) -> Record {
        Record {
            outcome,
            key,
            parts: Parts { command: "old".into(), ..Parts::default() },
            tries: 3,
            reason: "exit code 7".into(),
            duration_ns: 5,
            ended_ms: 0,
            run: 4,
            output: true,
        }
    }

    #[test]
    fn every_state_has_its_reason() {
        let text = "[task.a]\nrun='true'\n[task.b]\nrun='true'\nneeds=['a']\n[task.c]\nrun='true'\nneeds=['b']\n[task.f]\nrun='true'\nfor_each={list=['x','y']}";
        let pipeline = read(text).unwrap();
        let key = {
            let mut work = Work::new(&pipeline, HashMap::new(), Files::default()).unwrap();
            match work.decide(0, false) {
                Decision::Run { key, .. } => key,
                other => panic!("{other:?}"),
            }
        };
        let explained = |records: HashMap<String, Record>, name: &str| {
            let mut work = Work::new(&pipeline, records, Files::default()).unwrap();
            plan::decide(&mut work, false).unwrap();
            explain(&work, name, None)
                .map(|explanation| explanation.show())
                .map_err(|error| error.to_string())
        };
        let of = |name: &str, record: Record| HashMap::from([(name.to_owned(), record)]);
        let shown = explained(HashMap::new(), "a").unwrap();
        assert!(shown.starts_with("a: would run\n  it must run: it has not run"), "{shown}");
        let shown = explained(of("a", record(Outcome::Done, 0)), "a").unwrap();
        assert!(
            shown.contains("its command changed; it was: old") && shown.contains("exit code 7 after 3 tries"),
            "{shown}"
        );
        let shown = explained(of("a", record(Outcome::Done, key)), "a").unwrap();
        assert!(shown.starts_with("a: up to date"), "{shown}");
        let dead = of("a", record(Outcome::Dead, key));
        let shown = explained(dead.clone(), "a").unwrap();
        assert!(
            shown.starts_with("a: dead") && shown.contains("--retry-dead") && shown.contains("--output a"),
            "{shown}"
        );
        let shown = explained(dead, "c").unwrap();
        assert!(shown.contains("it waits for b (waiting), which waits for a (dead)"), "{shown}");
        let shown = explained(HashMap::new(), "f").unwrap();
        assert!(shown.contains("2 would run, such as f:x: it must run"), "{shown}");
        assert!(explained(HashMap::new(), "f:z").unwrap_err().contains("no item `z`"));
        assert!(explained(HashMap::new(), "g").unwrap_err().contains("no task `g`"));
        assert!(explained(HashMap::new(), "a:x").unwrap_err().contains("has no items"));
    }
}
