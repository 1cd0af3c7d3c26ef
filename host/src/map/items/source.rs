//! One source of items.

use super::Next;
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// The longest argument that Linux lets a program have.
pub(crate) const MAX_ITEM: usize = 128 * 1024 - 1;

/// So much is read at once.
const BLOCK: usize = 64 * 1024;

/// A list, or something to read.
#[derive(Debug)]
pub(crate) enum Source {
    List(std::vec::IntoIter<Vec<u8>>),
    Stream(Stream),
}

/// A file, a pipe or a terminal.
#[derive(Debug)]
pub(crate) struct Stream {
    file: File,
    name: String,
    delimiter: u8,
    /// Reading never waits.
    regular: bool,
    /// The next read does not wait.
    readable: bool,
    ended: bool,
    block: Vec<u8>,
    /// What of `block` is used up.
    used: usize,
    /// The beginning of an item whose end is not read yet; never much longer than the longest item.
    begun: Vec<u8>,
}

impl Source {
    pub(crate) fn list(items: Vec<Vec<u8>>) -> Self {
        Source::List(items.into_iter())
    }

    /// The items of `file`, each ended by `delimiter`.
    pub(crate) fn stream(file: File, name: String, delimiter: u8) -> Self {
        let regular = file.metadata().is_ok_and(|meta| meta.is_file());
        let (block, begun) = (Vec::new(), Vec::new());
        Source::Stream(Stream {
            file,
            name,
            delimiter,
            regular,
            readable: regular,
            ended: false,
            block,
            used: 0,
            begun,
        })
    }

    /// The items of the file at `path`.
    pub(crate) fn open(path: &Path, delimiter: u8) -> Result<Self> {
        let file = File::open(path).and_then(|file| {
            if file.metadata()?.is_dir() { Err(std::io::Error::other("it is a folder")) } else { Ok(file) }
        });
        let file = file.map_err(|error| {
            Diagnostic::new(Exit::File, format!("cannot read the items in {}: {error}", path.display()))
                .help("an item is one line of the file; `-` is standard input")
        })?;
        Ok(Self::stream(file, path.display().to_string(), delimiter))
    }

    /// How many items are left, if nothing has to be read to know.
    pub(crate) fn listed(&self) -> Option<usize> {
        match self {
            Source::List(items) => Some(items.len()),
            Source::Stream(_) => None,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Next<Vec<u8>>> {
        match self {
            Source::List(items) => Ok(items.next().map_or(Next::End, Next::Item)),
            Source::Stream(stream) => stream.next(),
        }
    }

    /// Waits for the next item.
    pub(super) fn next_waiting(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            match self.next()? {
                Next::Item(item) => return Ok(Some(item)),
                Next::Wait => self.readable(),
                Next::End => return Ok(None),
            }
        }
    }

    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Source::Stream(stream) if !stream.ended => Some(stream.file.as_fd()),
            _ => None,
        }
    }

    pub(super) fn readable(&mut self) {
        if let Source::Stream(stream) = self {
            stream.readable = true;
        }
    }
}

impl Stream {
    fn next(&mut self) -> Result<Next<Vec<u8>>> {
        loop {
            let rest = &self.block[self.used..];
            if let Some(at) = rest.iter().position(|&byte| byte == self.delimiter) {
                let item = if self.begun.is_empty() {
                    rest[..at.min(MAX_ITEM + 1)].to_vec()
                } else {
                    extend(&mut self.begun, &rest[..at]);
                    std::mem::take(&mut self.begun)
                };
                self.used += at + 1;
                return Ok(Next::Item(item));
            }
            if self.ended {
                let begun = !self.begun.is_empty();
                return Ok(if begun { Next::Item(std::mem::take(&mut self.begun)) } else { Next::End });
            }
            if !self.readable {
                return Ok(Next::Wait);
            }
            extend(&mut self.begun, rest);
            self.fill()?;
        }
    }

    /// Reads a block.
    fn fill(&mut self) -> Result<()> {
        self.block.resize(BLOCK, 0);
        self.used = 0;
        let read = loop {
            match self.file.read(&mut self.block) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // Somebody else read what was there.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.block.clear();
                    self.readable = false;
                    return Ok(());
                }
                Err(error) => {
                    return Err(Diagnostic::new(
                        Exit::File,
                        format!("cannot read the items in {}: {error}", self.name),
                    ));
                }
                Ok(read) => break read,
            }
        };
        self.block.truncate(read);
        self.readable = self.regular;
        self.ended = read == 0;
        Ok(())
    }
}

/// Adds to an item; one that is too long anyway does not grow.
fn extend(item: &mut Vec<u8>, more: &[u8]) {
    let room = (MAX_ITEM + 1).saturating_sub(item.len());
    item.extend_from_slice(&more[..more.len().min(room)]);
}
