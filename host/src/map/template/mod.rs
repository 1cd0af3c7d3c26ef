//! The command of a map, with the places where items go.

mod parse;
mod path;
#[cfg(test)]
mod tests;

pub(crate) use parse::{How, pieces};

use crate::process::shell::{Quotes, SHELL_WORDS, is_plain, quote};
use divvy::hash::Xxh3;
use path::Part;

/// A part of a command: text as it is, or what is put in for each job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    Literal(Vec<u8>),
    /// All items of the job, each a word of its own.
    All(Part),
    /// One of them, from 1; negative: from the end.
    At(i32, Part),
    /// The number of the job.
    Seq,
    /// The number of the slot that it runs in.
    Slot,
}

/// What the command of a job is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Form {
    /// A program and its arguments.
    Words(Vec<Vec<Piece>>),
    /// A script for the shell.
    Script(Vec<Piece>),
    /// Each item is a command line.
    Lines,
}

/// A command with places for items.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    form: Form,
    /// What makes two maps the same work: the hash of a job is of this and its items.
    identity: Vec<u8>,
}

/// What goes into a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) items: &'a [Vec<u8>],
    pub(crate) seq: u64,
    pub(crate) slot: usize,
}

/// A command that can be started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// A program and its arguments.
    Words(Vec<Vec<u8>>),
    /// For the shell.
    Script(Vec<u8>),
}

impl Line {
    /// The command as one line that a shell would understand.
    pub(crate) fn show(&self) -> Vec<u8> {
        match self {
            Line::Script(script) => script.clone(),
            Line::Words(words) => {
                let mut out = Vec::new();
                for (index, word) in words.iter().enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    quote(word, &mut out);
                }
                out
            }
        }
    }
}

impl Template {
    /// The program that every job starts, if it is the same one and started without a shell.
    pub(crate) fn program(&self) -> Option<&[u8]> {
        let Form::Words(words) = &self.form else { return None };
        match words.first()?.as_slice() {
            [Piece::Literal(program)] => Some(program),
            _ => None,
        }
    }

    /// The largest position that the command asks for.
    pub(crate) fn last_position(&self) -> u32 {
        let pieces: Vec<&Piece> = match &self.form {
            Form::Words(words) => words.iter().flatten().collect(),
            Form::Script(script) => script.iter().collect(),
            Form::Lines => Vec::new(),
        };
        let at = pieces.iter().filter_map(|piece| match piece {
            Piece::At(at, _) => Some(at.unsigned_abs()),
            _ => None,
        });
        at.max().unwrap_or(0)
    }

    /// The content hash of a job with these items.
    pub(crate) fn key(&self, items: &[Vec<u8>]) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.identity);
        for item in items {
            hash.update(&(item.len() as u64).to_le_bytes());
            hash.update(item);
        }
        hash.digest()
    }

    /// How many bytes the command has without items, and how often all items of a job go into it.
    pub(crate) fn weight(&self) -> (usize, usize) {
        let (mut fixed, mut times) = (0, 0);
        let mut count = |pieces: &[Piece]| {
            for piece in pieces {
                match piece {
                    Piece::Literal(text) => fixed += text.len(),
                    Piece::All(_) | Piece::At(..) => times += 1,
                    Piece::Seq | Piece::Slot => fixed += 20,
                }
            }
            fixed += 1;
        };
        match &self.form {
            Form::Words(words) => words.iter().for_each(|word| count(word)),
            Form::Script(script) => count(script),
            Form::Lines => times = 1,
        }
        (fixed, times)
    }

    /// The command for `values`.
    pub(crate) fn fill(&self, values: Values<'_>) -> Line {
        match &self.form {
            Form::Words(words) => {
                let mut out = Vec::with_capacity(words.len() + values.items.len());
                words.iter().for_each(|word| fill_word(word, values, &mut out));
                Line::Words(out)
            }
            Form::Script(pieces) => Line::Script(fill_script(pieces, values)),
            Form::Lines => {
                let line = values.items.join(&b' ');
                match simple_words(&[Piece::Literal(line.clone())]) {
                    Some(words) => {
                        let mut out = Vec::with_capacity(words.len());
                        words.iter().for_each(|word| fill_word(word, values, &mut out));
                        Line::Words(out)
                    }
                    None => Line::Script(line),
                }
            }
        }
    }
}

/// The text of `pieces` for `values`, with nothing quoted.
pub(crate) fn fill_text(pieces: &[Piece], values: Values<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    fill_word(pieces, values, &mut out);
    out.join(&b' ')
}

/// One item, or nothing if there are not so many.
fn at(items: &[Vec<u8>], position: i32) -> &[u8] {
    let size = position.unsigned_abs() as usize;
    let index = if position > 0 { size.checked_sub(1) } else { items.len().checked_sub(size) };
    index.and_then(|index| items.get(index)).map_or(&[], Vec::as_slice)
}

/// Adds the words that one word of the command becomes: with several items, text around them stays with the first
/// and the last.
fn fill_word(pieces: &[Piece], values: Values<'_>, out: &mut Vec<Vec<u8>>) {
    let mut word = Vec::new();
    let mut only_items = true;
    for piece in pieces {
        match piece {
            Piece::Literal(text) => {
                only_items = false;
                word.extend_from_slice(text);
            }
            Piece::At(position, part) => {
                only_items = false;
                word.extend_from_slice(&part.of(at(values.items, *position)));
            }
            Piece::Seq | Piece::Slot => {
                only_items = false;
                let number = if *piece == Piece::Seq { values.seq } else { values.slot as u64 };
                word.extend_from_slice(number.to_string().as_bytes());
            }
            Piece::All(part) => {
                for (index, item) in values.items.iter().enumerate() {
                    if index > 0 {
                        out.push(std::mem::take(&mut word));
                    }
                    word.extend_from_slice(&part.of(item));
                }
            }
        }
    }
    // Without any item, a word that was to hold them is none.
    if pieces.is_empty() || !only_items || !values.items.is_empty() {
        out.push(word);
    }
}

/// The script for `values`: each value is quoted so that it stays one word wherever it stands.
fn fill_script(pieces: &[Piece], values: Values<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut quotes = Quotes::default();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => {
                quotes.read(text);
                out.extend_from_slice(text);
            }
            Piece::At(position, part) => quotes.write(&part.of(at(values.items, *position)), &mut out),
            Piece::Seq => quotes.write(values.seq.to_string().as_bytes(), &mut out),
            Piece::Slot => quotes.write(values.slot.to_string().as_bytes(), &mut out),
            Piece::All(part) => {
                for (index, item) in values.items.iter().enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    quotes.write(&part.of(item), &mut out);
                }
            }
        }
    }
    out
}

/// The words of a command that needs no shell: no metacharacter, quote, assignment, builtin or keyword.
fn simple_words(pieces: &[Piece]) -> Option<Vec<Vec<Piece>>> {
    let mut words: Vec<Vec<Piece>> = Vec::new();
    let mut open = false;
    for piece in pieces {
        let Piece::Literal(text) = piece else {
            if !std::mem::replace(&mut open, true) {
                words.push(Vec::new());
            }
            words.last_mut()?.push(piece.clone());
            continue;
        };
        for &c in text {
            if c == b' ' || c == b'\t' {
                open = false;
                continue;
            }
            if !is_plain(c) {
                return None;
            }
            if !std::mem::replace(&mut open, true) {
                words.push(Vec::new());
            }
            let word = words.last_mut()?;
            match word.last_mut() {
                Some(Piece::Literal(literal)) => literal.push(c),
                _ => word.push(Piece::Literal(vec![c])),
            }
        }
    }
    let [Piece::Literal(program)] = words.first()?.as_slice() else { return None };
    let shell = program.contains(&b'=') || SHELL_WORDS.iter().any(|word| word.as_bytes() == program);
    (!shell).then_some(words)
}
