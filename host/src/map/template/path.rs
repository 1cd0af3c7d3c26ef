//! What of an item a replacement string stands for.

use std::borrow::Cow;

/// What of the item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Whole,
    /// Without the extension: `{.}`.
    Stem,
    /// The last component of a path: `{/}`.
    Name,
    /// The folder: `{//}`.
    Folder,
    /// The last component without the extension: `{/.}`.
    NameStem,
}

impl Part {
    pub(crate) fn of(self, item: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Part::Whole => item.into(),
            Part::Stem => stem(item).into(),
            Part::Name => name(item).into(),
            Part::Folder => folder(item).into(),
            Part::NameStem => stem(name(item)).into(),
        }
    }
}

/// Cuts the last `.` and what follows it, unless that has a `/`.
fn stem(item: &[u8]) -> &[u8] {
    match item.iter().rposition(|&c| c == b'.' || c == b'/') {
        Some(at) if item[at] == b'.' => &item[..at],
        _ => item,
    }
}

fn name(item: &[u8]) -> &[u8] {
    let start = item.iter().rposition(|&c| c == b'/').map_or(0, |at| at + 1);
    &item[start..]
}

/// As dirname(1).
fn folder(item: &[u8]) -> &[u8] {
    let trim = |path: &[u8]| path.iter().rposition(|&c| c != b'/').map_or(0, |at| at + 1);
    let path = &item[..trim(item)];
    if path.is_empty() {
        return if item.is_empty() { b"." } else { b"/" };
    }
    match path.iter().rposition(|&c| c == b'/') {
        None => b".",
        Some(at) => {
            let path = &path[..trim(&path[..at])];
            if path.is_empty() { b"/" } else { path }
        }
    }
}
