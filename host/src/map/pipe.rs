//! `--pipe`: standard input in blocks, each for one job to read.

use super::items::Next;
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use crate::process::output::Outputs;
use divvy::hash::Xxh3;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// Standard input, to be cut after a delimiter.
#[derive(Debug)]
pub(crate) struct Blocks {
    file: File,
    delimiter: u8,
    /// A block ends with the first record that makes it this long.
    size: usize,
    regular: bool,
    readable: bool,
    ended: bool,
    read: Vec<u8>,
    used: usize,
    /// The block in the making, and the hash of what it has.
    begun: Option<Block>,
    hash: Box<Xxh3>,
}

/// What one job reads: a file without a name.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) file: File,
    pub(crate) len: u64,
    pub(crate) hash: u64,
}

/// So much is read at once.
const READ: usize = 256 * 1024;

impl Blocks {
    pub(crate) fn new(file: File, delimiter: u8, size: usize) -> Self {
        let regular = file.metadata().is_ok_and(|meta| meta.is_file());
        let (read, begun, hash) = (Vec::new(), None, Box::new(Xxh3::new()));
        Self { file, delimiter, size, regular, readable: regular, ended: false, read, used: 0, begun, hash }
    }

    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.file.as_fd())
    }

    pub(crate) fn readable(&mut self) {
        self.readable = true;
    }

    /// The next block. Its file comes from `files`.
    pub(crate) fn next(&mut self, files: &mut Outputs) -> Result<Next<Block>> {
        loop {
            let rest = &self.read[self.used..];
            if !rest.is_empty() {
                let begun = match &mut self.begun {
                    Some(begun) => begun,
                    None => {
                        let file = files.take().map_err(spooling)?;
                        self.begun.insert(Block { file, len: 0, hash: 0 })
                    }
                };
                // A record that crosses the size is the last one of the block.
                let missing = (self.size as u64).saturating_sub(begun.len) as usize;
                let look = missing.saturating_sub(1).min(rest.len());
                let end =
                    rest[look..].iter().position(|&byte| byte == self.delimiter).map(|at| look + at + 1);
                let part = &rest[..end.unwrap_or(rest.len())];
                begun.file.write_all(part).map_err(spooling)?;
                self.hash.update(part);
                begun.len += part.len() as u64;
                self.used += part.len();
                if end.is_some() {
                    return Ok(self.take());
                }
                continue;
            }
            if self.ended {
                return Ok(self.take());
            }
            if !self.readable {
                return Ok(Next::Wait);
            }
            self.fill()?;
        }
    }

    fn take(&mut self) -> Next<Block> {
        match self.begun.take() {
            Some(mut block) => {
                block.hash = std::mem::replace(&mut *self.hash, Xxh3::new()).digest();
                Next::Item(block)
            }
            None => Next::End,
        }
    }

    fn fill(&mut self) -> Result<()> {
        self.read.resize(READ, 0);
        self.used = 0;
        let read = loop {
            match self.file.read(&mut self.read) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.read.clear();
                    self.readable = false;
                    return Ok(());
                }
                Err(error) => {
                    self.read.clear();
                    return Err(Diagnostic::new(Exit::File, format!("cannot read standard input: {error}")));
                }
                Ok(read) => break read,
            }
        };
        self.read.truncate(read);
        self.readable = self.regular;
        self.ended = read == 0;
        Ok(())
    }
}

fn spooling(error: io::Error) -> Box<Diagnostic> {
    Diagnostic::system("cannot keep a block of standard input in a file", error)
        .help("make room, or name another folder with --tmpdir")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Seek;
    use std::os::unix::fs::FileExt;

    fn blocks(content: &[u8], size: usize) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Outputs::new(folder.path());
        let mut file: File = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        let mut blocks = Blocks::new(file, b'\n', size);
        let mut out = Vec::new();
        while let Next::Item(block) = blocks.next(&mut files).unwrap() {
            let mut bytes = vec![0; block.len as usize];
            block.file.read_exact_at(&mut bytes, 0).unwrap();
            assert_eq!(block.hash, divvy::hash::xxh3_64(&bytes));
            out.push(bytes);
        }
        out
    }

    #[test]
    fn a_block_ends_with_the_record_that_fills_it() {
        assert_eq!(blocks(b"aa\nbb\ncc\n", 3), [b"aa\n", b"bb\n", b"cc\n"]);
        assert_eq!(blocks(b"aa\nbb\ncc\n", 4), [&b"aa\nbb\n"[..], b"cc\n"]);
        assert_eq!(blocks(b"aaaaaaaa\nb", 1), [&b"aaaaaaaa\n"[..], b"b"]);
        assert!(blocks(b"", 5).is_empty());
    }

    proptest! {
        #[test]
        fn blocks_are_the_input_cut_after_records(content in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400), size in 1usize..50) {
            let blocks = blocks(&content, size);
            prop_assert_eq!(&blocks.concat(), &content);
            for (index, block) in blocks.iter().enumerate() {
                prop_assert!(!block.is_empty());
                let last = index + 1 == blocks.len();
                prop_assert!(last || (block.len() >= size && block.ends_with(b"\n")));
                // Without its last record it was not full.
                let before = block[..block.len() - 1].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                prop_assert!(before < size);
            }
        }
    }
}
