//! Typed values out of a TOML table; whatever does not fit is a message that points at it.

use super::units;
use crate::diagnostic::{Diagnostic, Result, Source, suggest};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// One table of the file.
pub(crate) struct Section<'a> {
    pub(crate) source: &'a Source,
    pub(crate) name: String,
    pub(crate) table: &'a DeTable<'a>,
    pub(crate) span: Range<usize>,
}

impl<'a> Section<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.table.get(key)
    }

    pub(crate) fn in_order(&self) -> Vec<(&'a Spanned<std::borrow::Cow<'a, str>>, &'a Value<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
    }

    /// Refuses every key that is not one of `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<()> {
        for (key, _) in self.in_order() {
            if !known.contains(&key.get_ref().as_ref()) {
                let key_name = key.get_ref();
                let place = if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) };
                return Err(self
                    .source
                    .error(key.span(), format!("unknown key `{key_name}`{place}"))
                    .help(suggest(key_name, known.iter().copied())));
            }
        }
        Ok(())
    }

    pub(crate) fn section(&self, key: &str) -> Result<Option<Section<'a>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let Some(table) = value.get_ref().as_table() else {
            return Err(wrong_type(self.source, key, value, "a table")
                .help(format!("write [{key}] on a line of its own")));
        };
        Ok(Some(Section { source: self.source, name: key.to_owned(), table, span: value.span() }))
    }

    pub(crate) fn nested(&self, key: &str, value: &'a Value<'a>, form: &str) -> Result<Section<'a>> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(wrong_type(self.source, key, value, "a table").help(format!("write {form}")));
        };
        Ok(Section { source: self.source, name: format!("{}.{key}", self.name), table, span: value.span() })
    }
}

pub(crate) fn wrong_type(source: &Source, key: &str, value: &Value<'_>, wanted: &str) -> Box<Diagnostic> {
    let found = match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    source.error(value.span(), format!("`{key}` is {found}")).help(format!("it takes {wanted}"))
}

pub(crate) fn string<'a>(source: &Source, key: &str, value: &'a Value<'_>) -> Result<&'a str> {
    value.get_ref().as_str().ok_or_else(|| wrong_type(source, key, value, "a text in quotes"))
}

/// A list of texts; a single text counts as a list of one.
pub(crate) fn strings(source: &Source, key: &str, value: &Value<'_>) -> Result<Vec<(String, Range<usize>)>> {
    let wrong = |value| wrong_type(source, key, value, "a list of texts: [\"a\", \"b\"]");
    match value.get_ref() {
        DeValue::String(text) => Ok(vec![(text.to_string(), value.span())]),
        DeValue::Array(array) => {
            let texts = array
                .iter()
                .map(|v| Ok((v.get_ref().as_str().ok_or_else(|| wrong(v))?.to_owned(), v.span())));
            texts.collect()
        }
        _ => Err(wrong(value)),
    }
}

/// The items of a `list`: texts or whole numbers.
pub(crate) fn items(source: &Source, value: &Value<'_>) -> Result<Vec<String>> {
    let wrong = |value| wrong_type(source, "list", value, "a list of texts or numbers: [\"a\", \"b\"]");
    let array = value.get_ref().as_array().ok_or_else(|| wrong(value))?;
    let mut items = Vec::new();
    for value in array.iter() {
        let item = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(_) => signed(source, "list", value, i64::MIN, i64::MAX)?.to_string(),
            _ => return Err(wrong(value)),
        };
        if item.is_empty() || item.contains(['\0', '\n']) {
            return Err(source
                .error(value.span(), "an item is empty or holds a line break")
                .help("an item is one line of text, because it is part of the task's name"));
        }
        items.push(item);
    }
    Ok(items)
}

pub(crate) fn signed(source: &Source, key: &str, value: &Value<'_>, min: i64, max: i64) -> Result<i64> {
    let wanted = || {
        if min == 0 && max == i64::MAX {
            "a whole number".to_owned()
        } else {
            format!("a whole number from {min} to {max}")
        }
    };
    let Some(number) = value.get_ref().as_integer() else {
        return Err(wrong_type(source, key, value, &wanted()));
    };
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(source
            .error(value.span(), format!("`{key}` cannot be {number}"))
            .help(format!("it takes {}", wanted()))),
    }
}

pub(crate) fn whole(source: &Source, key: &str, value: &Value<'_>, min: u64, max: u64) -> Result<u64> {
    let clamp = |n| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(signed(source, key, value, clamp(min), clamp(max))?.unsigned_abs())
}

pub(crate) fn boolean(source: &Source, key: &str, value: &Value<'_>) -> Result<bool> {
    value.get_ref().as_bool().ok_or_else(|| wrong_type(source, key, value, "true or false"))
}

pub(crate) fn positive_duration(source: &Source, key: &str, value: &Value<'_>) -> Result<Duration> {
    let text = string(source, key, value)
        .map_err(|error| error.help("write a time with its unit: \"250ms\", \"30s\", \"1h30m\""))?;
    units::duration(text).filter(|duration| !duration.is_zero()).ok_or_else(|| {
        source
            .error(value.span(), format!("`{text}` is not a time for `{key}`"))
            .help("write a time with its unit: \"250ms\", \"30s\", \"2m\", \"1h30m\"")
    })
}

pub(crate) fn memory(source: &Source, key: &str, value: &Value<'_>) -> Result<u64> {
    if value.get_ref().is_integer() {
        return whole(source, key, value, 0, i64::MAX as u64);
    }
    let text = string(source, key, value)?;
    units::bytes(text).ok_or_else(|| {
        source
            .error(value.span(), format!("`{text}` is not a size"))
            .help("write bytes with a unit: \"512MiB\", \"4GB\"")
    })
}
