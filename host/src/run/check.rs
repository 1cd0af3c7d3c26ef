//! What must hold between the tasks of a pipeline before anything starts.

use super::pipeline::{CORES, Command, EnvValue, Items, MEMORY, Pipeline};

use super::text::Text;
use crate::config::units;
use crate::diagnostic::{Diagnostic, Result};
use divvy::graph::Dag;
use divvy::storage::Heap;
use std::collections::HashMap;
use std::path::PathBuf;

/// Checks everything that the file alone tells, and fills in [`Pipeline::order`].
pub(crate) fn check(pipeline: &mut Pipeline) -> Result<()> {
    pipeline.order = order(pipeline)?;
    demands(pipeline)?;
    let written = outputs(pipeline)?;
    reads(pipeline, &written)?;
    programs(pipeline, &written)
}

/// Needs first; or the cycle, with its path.
fn order(pipeline: &Pipeline) -> Result<Vec<usize>> {
    let edges: usize = pipeline.tasks.iter().map(|task| task.needs.len()).sum();
    // A file of four thousand million tasks would not have been read.
    let clamp = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut dag = Dag::<Heap, Heap>::with_capacity(clamp(pipeline.tasks.len()), clamp(edges));
    // The capacities are exact, so only a task that needs itself is refused here.
    let nodes: Vec<_> = pipeline.tasks.iter().filter_map(|_| dag.insert(1).ok()).collect();
    for (index, task) in pipeline.tasks.iter().enumerate() {
        for &need in &task.needs {
            if dag.connect(nodes[need], nodes[index]).is_err() {
                return Err(cycle(pipeline, &[index]));
            }
        }
    }
    if let Err(found) = dag.start() {
        let path: Vec<usize> = found.iter().map(|node| node.index() as usize).collect();
        return Err(cycle(pipeline, &path));
    }
    let mut order = Vec::new();
    while let Some(node) = dag.next_ready() {
        order.push(node.index() as usize);
        _ = dag.complete(node);
    }
    Ok(order)
}

/// `path` is in dependency order: each one must come before the next, the last before the first.
fn cycle(pipeline: &Pipeline, path: &[usize]) -> Box<Diagnostic> {
    let name = |index: usize| pipeline.tasks[index].name.as_str();
    let first = path[0];
    let last = path[path.len() - 1];
    let span = pipeline.tasks[first].needs.iter().position(|&need| need == last);
    let span =
        span.map_or(pipeline.tasks[first].span.clone(), |at| pipeline.tasks[first].needs_spans[at].clone());
    let mut shown: Vec<&str> = path.iter().rev().map(|&index| name(index)).collect();
    shown.insert(0, name(first));
    pipeline
        .source
        .error(span, format!("tasks need each other in a circle: {}", shown.join(" needs ")))
        .help("take one of these out of `needs`")
}

fn demands(pipeline: &Pipeline) -> Result<()> {
    let resources = &pipeline.resources;
    for task in &pipeline.tasks {
        for (index, (&wanted, &total)) in task.demand.iter().zip(&resources.totals).enumerate() {
            if wanted <= total {
                continue;
            }
            let (wanted, total, remedy) = match index {
                CORES => (
                    format!("{wanted} cores"),
                    total.to_string(),
                    format!("lower it, or run with --jobs {wanted}"),
                ),
                MEMORY => (
                    format!("{} of memory", units::show_bytes(wanted)),
                    units::show_bytes(total),
                    "lower it, or say how much there is as `memory` in [resources]".to_owned(),
                ),
                _ => {
                    let name = &resources.names[index];
                    (
                        format!("{wanted} of `{name}`"),
                        total.to_string(),
                        format!("lower it, or raise `{name}` in [resources]"),
                    )
                }
            };
            return Err(pipeline
                .source
                .error(
                    task.demand_span.clone(),
                    format!("task `{}` asks for {wanted}, but there is {total} in all", task.name),
                )
                .help(remedy));
        }
    }
    Ok(())
}

/// Who writes which file, as far as the file says it without expanding; two writers of one file are an error.
fn outputs(pipeline: &Pipeline) -> Result<HashMap<PathBuf, usize>> {
    let mut written = HashMap::new();
    for (index, task) in pipeline.tasks.iter().enumerate() {
        for (output, span) in &task.outputs {
            let Some(path) = output.fixed() else { continue };
            if path.is_empty() {
                return Err(pipeline
                    .source
                    .error(span.clone(), "an output has no name")
                    .help("name the file that the task writes"));
            }
            if task.for_each.is_some() {
                return Err(pipeline
                    .source
                    .error(span.clone(), format!("every item of task `{}` would write `{path}`", task.name))
                    .help("put {item}, {item.name} or {item.stem} into the name"));
            }
            if let Some(other) = written.insert(pipeline.resolve(path), index) {
                let other = &pipeline.tasks[other].name;
                return Err(pipeline
                    .source
                    .error(
                        span.clone(),
                        format!("`{path}` is written by task `{other}` and by task `{}`", task.name),
                    )
                    .help("let one task write it, or choose another name"));
            }
        }
    }
    Ok(written)
}

/// Whoever reads what another task writes must need that task; what nobody writes must exist.
fn reads(pipeline: &Pipeline, written: &HashMap<PathBuf, usize>) -> Result<()> {
    for (index, task) in pipeline.tasks.iter().enumerate() {
        let mut files: Vec<(&str, _)> =
            task.inputs.iter().filter_map(|(text, span)| Some((text.fixed()?, span.clone()))).collect();
        if let Some(each) = &task.for_each
            && let Items::Lines(file) = &each.items
        {
            files.push((file, each.span.clone()));
        }
        for (file, span) in files {
            let path = pipeline.resolve(file);
            match written.get(&path) {
                Some(&writer) if writer == index => {
                    return Err(pipeline
                        .source
                        .error(span, format!("task `{}` reads `{file}`, which it writes itself", task.name))
                        .help("write another file; a task whose input it changes itself would never be up to date"));
                }
                Some(&writer) if !pipeline.depends_on(index, writer) => {
                    let writer = &pipeline.tasks[writer].name;
                    return Err(pipeline
                        .source
                        .error(
                            span,
                            format!("task `{}` reads `{file}`, which task `{writer}` writes", task.name),
                        )
                        .help(format!("add `{writer}` to its `needs`")));
                }
                None if task.needs.is_empty() && !super::glob::is_pattern(file) && !path.exists() => {
                    return Err(pipeline
                        .source
                        .error(span, format!("`{file}` does not exist, and no task writes it"))
                        .help(format!(
                            "looked for {}; paths are relative to the folder of the pipeline file.\nif a task writes it, add that task to `needs`",
                            path.display()
                        )));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A program that is named outright must be there now, unless an earlier task may bring it.
fn programs(pipeline: &Pipeline, written: &HashMap<PathBuf, usize>) -> Result<()> {
    for task in &pipeline.tasks {
        let words = match &task.command {
            Command::Shell(_) => continue,
            Command::Simple(_, words) | Command::Argv(words) => words,
        };
        let Some(program) = words.first().and_then(Text::fixed) else { continue };
        let dir = match &task.dir {
            Some((dir, span)) => match dir.fixed() {
                Some(fixed) if task.needs.is_empty() && !pipeline.resolve(fixed).is_dir() => {
                    return Err(pipeline
                        .source
                        .error(span.clone(), format!("the folder `{fixed}` does not exist"))
                        .help(format!("looked for {}", pipeline.resolve(fixed).display())));
                }
                Some(fixed) => pipeline.resolve(fixed),
                None => continue,
            },
            None => pipeline.root.clone(),
        };
        let path = task.env.iter().find(|(name, _)| name == "PATH").and_then(|(_, value)| match value {
            EnvValue::Set(text) => text.fixed().map(str::to_owned),
            EnvValue::Inherit => None,
        });
        let may_come =
            program.contains('/') && (!task.needs.is_empty() || written.contains_key(&dir.join(program)));
        if may_come || crate::process::find_program(program, path.as_deref(), &dir).is_some() {
            continue;
        }
        let place = if program.contains('/') {
            format!("looked for {}", dir.join(program).display())
        } else {
            "it is not on PATH".to_owned()
        };
        return Err(pipeline
            .source
            .error(
                task.command_span.clone(),
                format!("task `{}` runs `{program}`, which is not an executable program here", task.name),
            )
            .help(format!("{place}; install it, correct the name, or write its full path")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parse::{read, refused};

    #[test]
    fn a_cycle_is_shown_with_its_path() {
        let task = |name: &str, needs: &str| format!("[task.{name}]\nrun='true'\nneeds=[{needs}]\n");
        refused(&task("a", "'a'"), "in a circle: a needs a", "take one");
        let three =
            [task("top", ""), task("a", "'top','c'"), task("b", "'a'"), task("c", "'b'"), task("end", "'c'")]
                .concat();
        let shown = read(&three).expect_err("it was accepted").to_string();
        let rotations =
            ["a needs c needs b needs a", "c needs b needs a needs c", "b needs a needs c needs b"];
        assert!(rotations.iter().any(|path| shown.contains(&format!("in a circle: {path}\n"))), "{shown}");
    }

    #[test]
    fn order_puts_needs_first() {
        let pipeline = read(
            "[task.z]\nrun='true'\nneeds=['m']\n[task.m]\nrun='true'\nneeds=['a']\n[task.a]\nrun='true'",
        )
        .unwrap();
        assert_eq!(pipeline.order, [2, 1, 0]);
    }

    #[test]
    fn more_than_there_is_is_refused() {
        refused(
            "[task.a]\nrun='true'\nresources={cores=3}",
            "asks for 3 cores, but there is 2 in all",
            "--jobs 3",
        );
        refused(
            "[resources]\nmemory='1MiB'\n[task.a]\nrun='true'\nresources={memory='2MiB'}",
            "2.0 MiB of memory, but there is 1.0 MiB",
            "[resources]",
        );
        refused(
            "[resources]\ngpu=1\n[task.a]\nrun='true'\nresources={gpu=2}",
            "asks for 2 of `gpu`",
            "raise `gpu`",
        );
    }

    #[test]
    fn writers_and_readers_must_agree() {
        let a = "[task.a]\nrun='true'\noutputs=['./x']\n";
        refused(
            &format!("{a}[task.b]\nrun='true'\noutputs=['x']"),
            "written by task `a` and by task `b`",
            "one task",
        );
        refused(
            &format!("{a}[task.b]\nrun='true'\ninputs=['x']"),
            "which task `a` writes",
            "add `a` to its `needs`",
        );
        refused(
            &format!("{a}[task.b]\nrun='true'\nfor_each={{lines='x'}}"),
            "which task `a` writes",
            "add `a`",
        );
        refused(
            "[task.b]\nrun='true'\ninputs=['no-such-file']",
            "`no-such-file` does not exist",
            "looked for",
        );
        refused("[task.b]\nrun='true'\nfor_each={list=['1']}\noutputs=['x']", "every item", "{item}");
        refused("[task.b]\nrun='true'\ninputs=['x']\noutputs=['x']", "writes itself", "another file");
        let chain =
            format!("{a}[task.m]\nrun='true'\nneeds=['a']\n[task.b]\nrun='true'\nneeds=['m']\ninputs=['x']");
        assert!(read(&chain).is_ok());
    }

    #[test]
    fn a_missing_program_is_found_before_the_start() {
        refused(
            "[task.a]\nrun='no-such-program -x'",
            "`no-such-program`, which is not an executable",
            "not on PATH",
        );
        refused("[task.a]\nargv=['./no-such-program']", "`./no-such-program`", "looked for");
        refused("[task.a]\nrun='true'\nenv={PATH='/nowhere'}", "`true`", "not on PATH");
        refused("[task.a]\nrun='true'\ndir='no-such-folder'", "the folder `no-such-folder`", "looked for");
        // The shell finds out by itself; an earlier task may bring a program that is named by its path.
        assert!(read("[task.a]\nrun='no-such-program | cat'").is_ok());
        assert!(read("[task.m]\nrun='true'\n[task.a]\nneeds=['m']\nrun='./made-by-m'").is_ok());
    }
}
