//! What is wrong, where, and how to mend it: one message per run.

use crate::exit::Exit;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The result of whatever can end with a message to the user.
pub(crate) type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// One problem, for a person to read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Diagnostic {
    exit: Exit,
    message: String,
    place: Option<Place>,
    help: Option<String>,
}

/// A marked part of one line of a file.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    file: String,
    line: usize,
    column: usize,
    text: String,
    width: usize,
}

impl Diagnostic {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { exit, message: message.into(), place: None, help: None })
    }

    /// A problem with the machine: what divvy was doing, and what the machine answered.
    pub(crate) fn system(doing: impl fmt::Display, error: impl fmt::Display) -> Box<Self> {
        Self::new(Exit::System, format!("{doing}: {error}"))
    }

    /// Adds the remedy.
    pub(crate) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }

    /// Adds the remedy if there is none yet.
    pub(crate) fn or_help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help.get_or_insert_with(|| help.into());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The message and the remedy.
    pub(crate) fn into_parts(self) -> (String, String) {
        (self.message, self.help.unwrap_or_default())
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The whole message as it goes to a terminal; `anstream` takes the colours out elsewhere.
    pub(crate) fn render(&self) -> String {
        use anstyle::{AnsiColor, Style};
        let (red, blue, bold) = (
            Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
            Style::new().bold().fg_color(Some(AnsiColor::Blue.into())),
            Style::new().bold(),
        );
        let mut out = format!("{red}error{red:#}{bold}: {}{bold:#}\n", self.message);
        let gutter = self.place.as_ref().map_or(1, |place| place.line.to_string().len());
        if let Some(place) = &self.place {
            let Place { file, line, column, text, width } = place;
            let before = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' });
            let before: String = before.collect();
            let marks = "^".repeat((*width).max(1));
            _ = writeln!(out, "{:gutter$}{blue}-->{blue:#} {file}:{line}:{column}", "");
            _ = writeln!(out, "{:gutter$} {blue}|{blue:#}", "");
            _ = writeln!(out, "{blue}{line} |{blue:#} {text}");
            _ = writeln!(out, "{:gutter$} {blue}|{blue:#} {before}{red}{marks}{red:#}", "");
        }
        if let Some(help) = &self.help {
            let pad = " ".repeat(gutter + 8);
            let help = help.replace('\n', &format!("\n{pad}"));
            _ = writeln!(out, "{:gutter$} {blue}={blue:#} {bold}help:{bold:#} {help}", "");
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&anstream::adapter::strip_str(&self.render()).to_string())
    }
}

/// A pipeline file and its text, to point into.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// As the user named it.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), text }
    }

    /// A problem at `span` of this file.
    pub(crate) fn error(&self, span: Range<usize>, message: impl Into<String>) -> Box<Diagnostic> {
        let mut diagnostic = Diagnostic::new(Exit::File, message);
        diagnostic.place = Some(self.place(span));
        diagnostic
    }

    /// File and line of `span`, as editors and terminals understand it.
    pub(crate) fn line(&self, span: Range<usize>) -> String {
        let Place { file, line, .. } = self.place(span);
        format!("{file}:{line}")
    }

    fn place(&self, span: Range<usize>) -> Place {
        let text = self.text.as_str();
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_text = text[line_start..].lines().next().unwrap_or("");
        let column = text[line_start..start].chars().count() + 1;
        let end = span.end.clamp(start, (line_start + line_text.len()).max(start));
        let width = text.get(start..end).map_or(1, |marked| marked.chars().count());
        Place {
            file: self.path.display().to_string(),
            line: text[..start].matches('\n').count() + 1,
            column,
            text: line_text.to_owned(),
            width,
        }
    }
}

/// The one of `known` that `word` was probably meant to be.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 3;
    let scored = known.into_iter().map(|k| (edit_distance(&word.to_lowercase(), &k.to_lowercase()), k));
    scored.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= limit).map(|(_, k)| k)
}

/// The remedy for an unknown `word`: the nearest known one, or all of them.
pub(crate) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = did_you_mean(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<String> = known.into_iter().map(|k| format!("`{k}`")).collect();
    if known.is_empty() { "there is none".to_owned() } else { format!("known: {}", known.join(", ")) }
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            rows[i][j] = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                rows[i][j] = rows[i][j].min(rows[i - 2][j - 2] + 1);
            }
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_file_line_column_and_remedy() {
        let source = Source::new(Path::new("p.toml"), "[task.a]\nrun = 'é' # x\nretrys = 2\n".to_owned());
        let at = source.text.find("retrys").unwrap();
        let shown =
            source.error(at..at + 6, "unknown key `retrys`").help("did you mean `retries`?").to_string();
        assert_eq!(
            shown,
            "error: unknown key `retrys`\n --> p.toml:3:1\n  |\n3 | retrys = 2\n  | ^^^^^^\n  = help: did you mean `retries`?\n"
        );
    }

    #[test]
    fn any_span_is_shown_without_a_panic() {
        let source = Source::new(Path::new("p.toml"), "é\tü\nab".to_owned());
        for start in 0..12 {
            for end in 0..12 {
                assert!(source.error(start..end, "x").to_string().contains("p.toml:"));
            }
        }
        assert!(Source::new(Path::new("e"), String::new()).error(0..0, "x").to_string().contains("e:1:1"));
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["run", "argv", "needs", "retries"];
        assert_eq!(did_you_mean("retires", known), Some("retries"));
        assert_eq!(did_you_mean("Needs", known), Some("needs"));
        assert_eq!(did_you_mean("colour", known), None);
        assert_eq!(suggest("colour", known), "known: `run`, `argv`, `needs`, `retries`");
    }
}
