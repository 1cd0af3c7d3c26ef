//! Files that people write: their text, their TOML, and the values in it. Whatever does not fit is a message that names
//! the line and the remedy.

pub(crate) mod section;
pub(crate) mod units;

use crate::diagnostic::{Diagnostic, Result, Source};
use crate::exit::Exit;
use std::path::Path;
use toml::Spanned;
use toml::de::DeTable;

/// The text of the file at `path`, which is a `kind`: "pipeline file".
pub(crate) fn read(path: &Path, kind: &str) -> Result<Source> {
    let text = std::fs::read(path).map_err(|error| {
        Diagnostic::new(Exit::File, format!("cannot read the {kind} {}: {error}", path.display()))
    })?;
    let text = String::from_utf8(text).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let source = Source::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
        source.error(at..at + 1, "the file is not UTF-8 text here").help("save the file as UTF-8")
    })?;
    Ok(Source::new(path, text))
}

/// The TOML in `text`, a copy of that of `source`; `form` says how this kind of file is laid out.
pub(crate) fn toml<'a>(source: &Source, text: &'a str, form: &str) -> Result<Spanned<DeTable<'a>>> {
    DeTable::parse(text).map_err(|error| {
        let message = error.message();
        let help = if message.contains("duplicate key") {
            "every section and every key is written once; rename or remove one".to_owned()
        } else if message.contains("string") || message.contains("quote") {
            "texts stand in quotes: \"…\"; one with backslashes or double quotes in '…', one of several lines in '''…'''"
                .to_owned()
        } else {
            format!("see https://toml.io for the format; a key is written `name = value`, {form}")
        };
        source.error(error.span().unwrap_or(0..0), format!("this is not TOML: {message}")).help(help)
    })
}
