//! What the documents show is what the commands print: every ```` ```console ```` block whose first line is a command of
//! divvy's is run again.

use std::fs;
use std::path::Path;

use super::{Outcome, Work};
use crate::layout::Layout;
use crate::run::Run;

/// The documents that show output which is the same on every machine.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/CHOOSING.md"];
const PROMPT: &str = "$ divvy ";

/// Fails where a document shows anything else than what the command prints.
pub(super) fn docs(work: &Work<'_>) -> Outcome {
    work.cargo(&["build", "--release"])?;
    let mut shown = 0;
    for name in DOCUMENTS {
        let (text, fresh) = reprint(work.layout, name)?;
        if let Some((line, old, new)) = difference(&text, &fresh) {
            return Err(format!(
                "{name}:{line} shows\n    {old}\nbut the command prints\n    {new}\n`cargo xtask docs` prints it anew"
            ));
        }
        shown += text.lines().filter(|line| line.starts_with(PROMPT)).count();
    }
    match shown {
        0 => Err("no document shows a command; each was to begin with `$ divvy `".into()),
        shown => Ok(format!("{shown} commands")),
    }
}

/// Writes the documents with what the commands print now.
pub(crate) fn rewrite(layout: &Layout) -> Result<(), String> {
    Run::new("cargo").args(["build", "--release"]).dir(&layout.root).show()?;
    for name in DOCUMENTS {
        let (text, fresh) = reprint(layout, name)?;
        if text != fresh {
            let file = layout.root.join(name);
            fs::write(&file, fresh).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            println!("{name} is new");
        }
    }
    Ok(())
}

/// The document as it is, and as it should be.
fn reprint(layout: &Layout, name: &str) -> Result<(String, String), String> {
    let file = layout.root.join(name);
    let text =
        fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let divvy = layout.target.join("release/divvy");
    let fresh = with_output(&text, |arguments| run(&divvy, &layout.root, arguments))?;
    Ok((text, fresh))
}

fn run(divvy: &Path, root: &Path, arguments: &str) -> Result<String, String> {
    Run::new(divvy).args(arguments.split_whitespace()).dir(root).read()
}

/// `text` with the output of each command in the place of what stands below it.
fn with_output(text: &str, run: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut fresh = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        fresh += line;
        fresh.push('\n');
        if let Some(arguments) = line.strip_prefix(PROMPT) {
            let output = run(arguments)?;
            fresh += output.trim_end();
            fresh += "\n```\n";
            if !lines.any(|line| line == "```") {
                return Err(format!("the block that begins with `{line}` has no end"));
            }
        }
    }
    Ok(fresh)
}

/// The first line in which two texts differ.
fn difference<'a>(old: &'a str, new: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut old, mut new) = (old.lines(), new.lines());
    (1..).find_map(|line| match (old.next(), new.next()) {
        (None, None) => Some(None),
        (old, new) if old == new => None,
        (old, new) => Some(Some((line, old.unwrap_or("nothing"), new.unwrap_or("nothing")))),
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_replaced_and_the_rest_stays() {
        let text = "# A\n\n```console\n$ divvy sim x\nold\nolder\n```\n\nend\n";
        let fresh = with_output(text, |arguments| Ok(format!("ran {arguments}\n\n"))).unwrap();
        assert_eq!(fresh, "# A\n\n```console\n$ divvy sim x\nran sim x\n```\n\nend\n");
        assert_eq!(difference(text, &fresh), Some((5, "old", "ran sim x")));
        assert_eq!(difference(&fresh, &fresh), None);
        assert!(with_output("$ divvy a\nno end\n", |_| Ok(String::new())).is_err());
        assert_eq!(with_output(text, |_| Err("failed".into())), Err("failed".into()));
    }
}
