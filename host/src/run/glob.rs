//! Patterns over the file system, component by component, so that only folders that can match are read.

use globset::{GlobBuilder, GlobMatcher};
use std::path::{Path, PathBuf};

/// Says why `pattern` is not one.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("it is empty".to_owned());
    }
    for component in pattern.split('/').filter(|c| is_pattern(c)) {
        matcher(component)?;
    }
    Ok(())
}

/// Whether `text` holds a character of a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

fn matcher(component: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(component).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

/// The paths that match `pattern`, written as the pattern writes them (relative ones stay relative to `root`),
/// sorted. Hidden files match only a component that begins with a dot. Names that are not UTF-8 are an error.
pub(crate) fn expand(root: &Path, pattern: &str) -> Result<Vec<String>, String> {
    let home = std::env::home_dir().map(|home| home.to_string_lossy().into_owned());
    let pattern = match (pattern.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => pattern.to_owned(),
    };
    let (start, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/".to_owned(), rest),
        None => (String::new(), pattern.as_str()),
    };
    let only_folders = rest.ends_with('/');
    let components: Vec<&str> = rest.split('/').filter(|c| !c.is_empty() && *c != ".").collect();
    let mut found = Vec::new();
    walk(root, &start, &components, only_folders, &mut found)?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn walk(
    root: &Path,
    at: &str,
    rest: &[&str],
    only_folders: bool,
    found: &mut Vec<String>,
) -> Result<(), String> {
    let Some((&component, after)) = rest.split_first() else {
        if !at.is_empty() && (!only_folders || root.join(at).is_dir()) {
            found.push(at.to_owned());
        }
        return Ok(());
    };
    if component == "**" {
        walk(root, at, after, only_folders, found)?;
        for (name, folder) in entries(root, at)? {
            if folder && !name.starts_with('.') {
                walk(root, &join(at, &name), rest, only_folders, found)?;
            }
        }
        return Ok(());
    }
    if !is_pattern(component) {
        let next = join(at, component);
        if root.join(&next).symlink_metadata().is_ok() {
            walk(root, &next, after, only_folders, found)?;
        }
        return Ok(());
    }
    let matcher = matcher(component)?;
    for (name, _) in entries(root, at)? {
        if (!name.starts_with('.') || component.starts_with('.')) && matcher.is_match(&name) {
            walk(root, &join(at, &name), after, only_folders, found)?;
        }
    }
    Ok(())
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() || at.ends_with('/') { format!("{at}{name}") } else { format!("{at}/{name}") }
}

/// The names in a folder, and whether each is a folder itself (links are not followed); none if it is no folder.
fn entries(root: &Path, at: &str) -> Result<Vec<(String, bool)>, String> {
    let folder: PathBuf = root.join(at);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match entry.file_name().into_string() {
            Ok(name) => names.push((name, is_folder)),
            Err(name) => {
                return Err(format!("the name {:?} in {} is not UTF-8", name, folder.display()));
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a/x.rs", "a/y.txt", "a/.hidden.rs", "b/c/x.rs", "b/c/[q].rs", ".git/x.rs", "top.rs"] {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| expand(root.path(), pattern).unwrap();
        assert_eq!(found("*.rs"), ["top.rs"]);
        assert_eq!(found("*/*.rs"), ["a/x.rs"]);
        assert_eq!(found("**/*.rs"), ["a/x.rs", "b/c/[q].rs", "b/c/x.rs", "top.rs"]);
        assert_eq!(found("a/.*.rs"), ["a/.hidden.rs"]);
        assert_eq!(found("*/"), ["a", "b"]);
        assert_eq!(found("./a/{x,y}.*"), ["a/x.rs", "a/y.txt"]);
        assert_eq!(found("b/c/[[]q].rs"), ["b/c/[q].rs"]);
        assert_eq!(found("a/x.rs"), ["a/x.rs"]);
        assert!(found("nothing/*").is_empty());
        let absolute = root.path().join("a/*.rs");
        assert_eq!(found(absolute.to_str().unwrap()), [root.path().join("a/x.rs").to_str().unwrap()]);
    }
}
