//! The items of a fan-out.

use super::glob;
use super::pipeline::{ForEach, Items, Pipeline, Template};
use crate::diagnostic::Result;
use std::collections::HashSet;

/// The items of `task`, in the order of their source; one that appears twice counts once.
pub(crate) fn expand(pipeline: &Pipeline, task: &Template, each: &ForEach) -> Result<Vec<String>> {
    let source = &pipeline.source;
    let mut items = match &each.items {
        Items::List(list) => list.clone(),
        Items::Lines(file) => lines(pipeline, task, each, file)?,
        Items::Glob(patterns) => {
            let mut found = Vec::new();
            for pattern in patterns {
                found.extend(glob::expand(&pipeline.root, pattern).map_err(|why| {
                    source
                        .error(each.span.clone(), why)
                        .help("rename the file; an item is part of a task's name, which is text")
                })?);
            }
            found
        }
    };
    let mut seen = HashSet::new();
    items.retain(|item| seen.insert(item.clone()));
    if items.is_empty() && !each.allow_empty {
        let (message, help) = match &each.items {
            Items::List(_) => {
                ("the list of `for_each` is empty".to_owned(), "name at least one item".to_owned())
            }
            Items::Lines(file) => (
                format!("`{file}` has no line for task `{}`", task.name),
                "check what the task before wrote".to_owned(),
            ),
            Items::Glob(patterns) => (
                format!("nothing matches `{}` for task `{}`", patterns.join("`, `"), task.name),
                format!("patterns are relative to {}", pipeline.root.display()),
            ),
        };
        return Err(source
            .error(each.span.clone(), message)
            .help(format!("{help}; if none is fine, add `allow_empty = true` to for_each")));
    }
    two_writers(pipeline, task, each, &items)?;
    Ok(items)
}

fn lines(pipeline: &Pipeline, task: &Template, each: &ForEach, file: &str) -> Result<Vec<String>> {
    let source = &pipeline.source;
    let path = pipeline.resolve(file);
    let bytes = std::fs::read(&path).map_err(|error| {
        let remedy = if task.needs.is_empty() {
            "correct the path, or add the task that writes it to `needs`".to_owned()
        } else {
            "no task before wrote it; check their commands, and add it to their `outputs`".to_owned()
        };
        source
            .error(
                each.span.clone(),
                format!("cannot read {} for task `{}`: {error}", path.display(), task.name),
            )
            .help(remedy)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        source
            .error(each.span.clone(), format!("{} is not UTF-8 text in line {line}", path.display()))
            .help("an item is part of a task's name, which is text")
    })?;
    if let Some(at) = text.lines().position(|line| line.contains('\0')) {
        return Err(source
            .error(each.span.clone(), format!("{} holds a NUL character in line {}", path.display(), at + 1))
            .help("items stand one on a line; `tr '\\0' '\\n'` turns a list with NULs into one"));
    }
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// Two items must not write the same file.
fn two_writers(pipeline: &Pipeline, task: &Template, each: &ForEach, items: &[String]) -> Result<()> {
    if task.outputs.is_empty() {
        return Ok(());
    }
    let mut written = std::collections::HashMap::new();
    for item in items {
        for (output, _) in &task.outputs {
            let path = output.fill(Some(item)).into_owned();
            if let Some(other) = written.insert(path.clone(), item)
                && other != item
            {
                return Err(pipeline
                        .source
                        .error(each.span.clone(), format!("`{other}` and `{item}` of task `{}` both write `{path}`", task.name))
                        .help("name the outputs so that each item has its own, for instance by {item} instead of {item.name}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parse::read;
    use super::*;

    fn items(each: &str) -> std::result::Result<Vec<String>, String> {
        let pipeline = read(&format!("[task.a]\nrun='true'\nneeds=['n']\noutputs=['o/{{item.name}}']\nfor_each={each}\n[task.n]\nrun='true'")).unwrap();
        let task = &pipeline.tasks[0];
        expand(&pipeline, task, task.for_each.as_ref().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_lists_and_patterns_give_items() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lines");
        std::fs::write(&file, "b\n\n  \r\na c\r\nb\n").unwrap();
        assert_eq!(items(&format!("{{lines='{}'}}", file.display())).unwrap(), ["b", "a c"]);
        assert_eq!(items("{list=['x', 2, 'x']}").unwrap(), ["x", "2"]);
        assert_eq!(
            items(&format!("{{glob='{}/l*'}}", folder.path().display())).unwrap(),
            [file.to_str().unwrap()]
        );
        assert_eq!(items("{glob='/nowhere/*', allow_empty=true}").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_gives_none_is_refused() {
        for (each, message) in [
            ("{list=[]}", "is empty"),
            ("{glob='/nowhere/*'}", "nothing matches `/nowhere/*`"),
            ("{lines='/nowhere'}", "cannot read /nowhere"),
            ("{lines='/dev/null'}", "`/dev/null` has no line"),
            ("{list=['a/x', 'b/x']}", "`a/x` and `b/x` of task `a` both write `o/x`"),
        ] {
            let shown = items(each).unwrap_err();
            assert!(
                shown.contains(message) && shown.contains("help:") && shown.contains("p.toml:5"),
                "{shown}"
            );
        }
    }
}
