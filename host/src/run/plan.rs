//! What a run would do, without doing it.

use super::key::Decision;
use super::pipeline::Items;
use super::work::{State, Step, Work};
use crate::diagnostic::Result;
use crate::table::shorten;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Write as _;

/// What a run would do with the tasks of one template.
#[derive(Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) task: String,
    /// These run for certain.
    pub(crate) run: usize,
    pub(crate) up_to_date: usize,
    /// These failed before and are left alone.
    pub(crate) dead: usize,
    /// These wait for tasks that run; whether they run depends on what those write.
    pub(crate) waiting: usize,
    /// Whether the items are known. If not, the other numbers are zero.
    pub(crate) items_known: bool,
    /// The reasons, the most frequent first, and how many tasks each is for.
    pub(crate) why: Vec<(String, usize)>,
}

/// Decides what can be decided without running anything, and keeps it in `work`.
pub(crate) fn decide(work: &mut Work<'_>, retry_dead: bool) -> Result<()> {
    loop {
        let mut expanded = false;
        while let Some(step) = work.next() {
            match step {
                Step::Decide(task) => match work.decide(task, retry_dead) {
                    Decision::UpToDate => work.set(task, State::UpToDate),
                    Decision::Dead | Decision::Broken(_) if work.template(task).allow_failure => {
                        work.set(task, State::Allowed);
                    }
                    _ => {}
                },
                Step::Expand(template) => {
                    work.expand(template)?;
                    expanded = true;
                }
            }
        }
        if !expanded {
            return Ok(());
        }
        work.connect();
    }
}

/// One row for each template, in the order in which they can run.
pub(crate) fn rows(work: &Work<'_>) -> Vec<Row> {
    work.pipeline.order.iter().map(|&template| row(work, template)).collect()
}

fn row(work: &Work<'_>, template: usize) -> Row {
    let task = &work.pipeline.tasks[template];
    let mut row = Row {
        task: task.name.clone(),
        run: 0,
        up_to_date: 0,
        dead: 0,
        waiting: 0,
        items_known: true,
        why: Vec::new(),
    };
    let needs = || {
        let need = work.unfinished_need(template).map_or("", |need| work.pipeline.tasks[need].name.as_str());
        format!("it waits for {need}")
    };
    let Some(range) = work.range(template) else {
        row.items_known = false;
        let source = match task.for_each.as_ref().map(|each| &each.items) {
            Some(Items::Lines(file)) => format!("the lines of {file}"),
            Some(Items::Glob(patterns)) => format!("what matches {}", patterns.join(", ")),
            _ => "its list".to_owned(),
        };
        let before = match work.known_items(template) {
            0 => String::new(),
            count => format!(" ({count} before)"),
        };
        row.why.push((format!("{}; then once for each of {source}{before}", needs()), 0));
        return row;
    };
    let mut why: HashMap<String, usize> = HashMap::new();
    for index in range {
        let reason = match &work.tasks[index].decision {
            Some(Decision::UpToDate) => {
                row.up_to_date += 1;
                continue;
            }
            Some(Decision::Run { why, .. }) => {
                row.run += 1;
                why.to_string()
            }
            Some(Decision::Dead) => {
                row.dead += 1;
                let reason = work.record(index).map_or("", |record| record.reason.as_str());
                format!("it failed before ({reason})")
            }
            Some(Decision::Broken(reason)) => {
                row.dead += 1;
                format!("it cannot run: {reason}")
            }
            None => {
                row.waiting += 1;
                needs()
            }
        };
        *why.entry(reason).or_default() += 1;
    }
    row.why = why.into_iter().collect();
    row.why.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    row
}

/// The plan for people.
pub(crate) fn show(name: &str, rows: &[Row]) -> String {
    const REASONS: usize = 3;
    let mut out = format!("Plan of {name}:\n");
    let width = rows.iter().map(|row| row.task.chars().count()).max().unwrap_or(0).min(24);
    for row in rows {
        let counts = [
            (row.run, "to run"),
            (row.waiting, "waiting"),
            (row.dead, "failed before"),
            (row.up_to_date, "up to date"),
        ];
        let mut parts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if parts.is_empty() {
            parts.push(if row.items_known { "no items" } else { "items not known yet" }.to_owned());
        }
        _ = writeln!(out, "  {:width$}  {}", row.task, parts.join(", "));
        for (why, count) in row.why.iter().take(REASONS) {
            let count = if *count > 1 { format!("{count} times: ") } else { String::new() };
            let why = why.lines().next().unwrap_or_default();
            _ = writeln!(out, "  {:width$}    {count}{}", "", shorten(why, 74 - width.min(24)));
        }
        if row.why.len() > REASONS {
            _ = writeln!(
                out,
                "  {:width$}    and {} other reasons; --explain {}:ITEM names each",
                "",
                row.why.len() - REASONS,
                row.task
            );
        }
    }
    let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
    let unknown =
        if rows.iter().any(|row| !row.items_known) { ", and more that are not known yet" } else { "" };
    let (run, waiting) = (sum(|row| row.run), sum(|row| row.waiting));
    let verdict = if run + waiting == 0 && unknown.is_empty() {
        "nothing to do".to_owned()
    } else {
        format!("{run} to run, {waiting} waiting for them{unknown}")
    };
    let (fresh, dead) = (sum(|row| row.up_to_date), sum(|row| row.dead));
    _ = writeln!(out, "In all: {verdict}\n        {fresh} up to date, {dead} failed before");
    out
}

#[cfg(test)]
mod tests {
    use super::super::files::Files;
    use super::super::parse::read;
    use super::*;

    #[test]
    fn a_plan_says_what_runs_and_what_waits() {
        let pipeline = read(
            "[task.list]\nrun='true'\n[task.each]\nrun='true'\nneeds=['list']\nfor_each={lines='x.txt'}\n[task.two]\nrun='true'\nfor_each={list=['a','b']}\n[task.end]\nrun='true'\nneeds=['two']",
        )
        .unwrap();
        let mut work = Work::new(&pipeline, HashMap::new(), Files::default()).unwrap();
        decide(&mut work, false).unwrap();
        let shown = show("p", &rows(&work));
        for part in [
            "list  1 to run\n",
            "it has not run to an end before",
            "each  items not known yet",
            "it waits for list; then once for each of the lines of x.txt",
            "two   2 to run",
            "2 times: it has not run",
            "end   1 waiting",
            "it waits for two",
            "In all: 3 to run, 1 waiting for them, and more that are not known yet\n        0 up to date, 0 failed before\n",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}
