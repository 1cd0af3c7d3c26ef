//! What jobs print: held until the job ends, or until its turn, so that no two outputs mix.

mod lines;
mod order;
mod sink;

pub(crate) use lines::Lines;
pub(crate) use order::Order;
pub(crate) use sink::{Gone, Sink};

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// An output of a job that ended.
#[derive(Debug)]
pub(crate) enum Held {
    Empty,
    Memory(Vec<u8>),
    /// A file of its own, and its length.
    Disk(File, u64),
}

/// So much of an output is kept in memory while it waits for its turn.
const SMALL: u64 = 64 * 1024;

impl Held {
    /// The output in `file`, which holds `len` bytes. Returns the file if it is not needed any more. `crowded`: too
    /// much is in memory already.
    pub(crate) fn new(file: File, len: u64, crowded: bool) -> io::Result<(Self, Option<File>)> {
        if len == 0 {
            return Ok((Held::Empty, Some(file)));
        }
        if len > SMALL || crowded {
            return Ok((Held::Disk(file, len), None));
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok((Held::Memory(bytes), Some(file)))
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Held::Empty => 0,
            Held::Memory(bytes) => bytes.len() as u64,
            Held::Disk(_, len) => *len,
        }
    }

    pub(crate) fn in_memory(&self) -> u64 {
        if matches!(self, Held::Memory(_)) { self.len() } else { 0 }
    }

    /// Writes it, each line behind `tag`.
    pub(crate) fn write(&self, tag: Option<&[u8]>, sink: &mut Sink) -> Result<(), Gone> {
        match self {
            Held::Empty => Ok(()),
            Held::Memory(bytes) => write(|write| write(bytes), tag, sink),
            Held::Disk(file, len) => write_file(file, *len, tag, sink),
        }
    }

    /// The last `most` bytes, as text.
    pub(crate) fn text(&self, most: u64) -> String {
        let bytes = match self {
            Held::Empty => Vec::new(),
            Held::Memory(bytes) => bytes.clone(),
            Held::Disk(file, _) => crate::process::output::tail(file, most).unwrap_or_default(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Writes what is in `file`.
pub(crate) fn write_file(file: &File, len: u64, tag: Option<&[u8]>, sink: &mut Sink) -> Result<(), Gone> {
    let blocks = |write: &mut dyn FnMut(&[u8]) -> Result<(), Gone>| {
        let mut buffer = vec![0; len.min(256 * 1024) as usize];
        let mut at = 0;
        while at < len {
            match file.read_at(&mut buffer, at) {
                Ok(0) => break,
                Ok(read) => {
                    let read = read.min((len - at) as usize);
                    write(&buffer[..read])?;
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Gone::Broken(error)),
            }
        }
        Ok(())
    };
    write(blocks, tag, sink)
}

fn write(
    blocks: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Gone>) -> Result<(), Gone>,
    tag: Option<&[u8]>,
    sink: &mut Sink,
) -> Result<(), Gone> {
    let Some(tag) = tag else {
        return blocks(&mut |bytes| sink.write(bytes));
    };
    let mut fresh = true;
    blocks(&mut |bytes| sink.write(&tagged(bytes, tag, &mut fresh)))?;
    if fresh { Ok(()) } else { sink.write(b"\n") }
}

/// `bytes` with `tag` in front of each line. `fresh`: a line begins here.
fn tagged(bytes: &[u8], tag: &[u8], fresh: &mut bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4 + tag.len());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if *fresh {
            out.extend_from_slice(tag);
        }
        out.extend_from_slice(line);
        *fresh = line.ends_with(b"\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn written(write: impl FnOnce(&mut Sink) -> Result<(), Gone>) -> Vec<u8> {
        let (mut read, to) = io::pipe().unwrap();
        let mut sink = Sink::new(std::os::fd::OwnedFd::from(to).into());
        write(&mut sink).unwrap();
        drop(sink);
        let mut out = Vec::new();
        read.read_to_end(&mut out).unwrap();
        out
    }

    fn file(bytes: &[u8]) -> File {
        let mut file: File = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn small_outputs_are_kept_in_memory_and_large_ones_in_their_file() {
        let hold = |len: u64, crowded| Held::new(file(&vec![b'x'; len as usize]), len, crowded).unwrap();
        assert!(matches!(hold(0, true), (Held::Empty, Some(_))));
        assert!(matches!(hold(9, false), (Held::Memory(bytes), Some(_)) if bytes == b"xxxxxxxxx"));
        assert!(matches!(hold(9, true), (Held::Disk(_, 9), None)));
        assert!(matches!(hold(SMALL + 1, false), (Held::Disk(..), None)));
    }

    #[test]
    fn an_output_is_written_as_it_is() {
        for bytes in [&b""[..], b"a\nb", b"a\n\n", b"\0\xff\n"] {
            let len = bytes.len() as u64;
            assert_eq!(written(|sink| write_file(&file(bytes), len, None, sink)), bytes);
            assert_eq!(written(|sink| Held::Memory(bytes.to_vec()).write(None, sink)), bytes);
        }
    }

    #[test]
    fn with_a_tag_every_line_has_it_and_an_end() {
        let tagged = |bytes: &[u8]| written(|sink| Held::Memory(bytes.to_vec()).write(Some(b"t:"), sink));
        assert_eq!(tagged(b"a\n\nb"), b"t:a\nt:\nt:b\n");
        assert_eq!(tagged(b"a\n"), b"t:a\n");
        // A line that is longer than a block has one tag.
        let long = vec![b'x'; 600 * 1024];
        let out = written_in_thread(long.clone());
        assert_eq!(out.len(), long.len() + 3);
    }

    fn written_in_thread(bytes: Vec<u8>) -> Vec<u8> {
        let (mut read, to) = io::pipe().unwrap();
        let writer = std::thread::spawn(move || {
            let mut sink = Sink::new(std::os::fd::OwnedFd::from(to).into());
            write_file(&file(&bytes), bytes.len() as u64, Some(b"t:"), &mut sink).unwrap();
        });
        let mut out = Vec::new();
        read.read_to_end(&mut out).unwrap();
        writer.join().unwrap();
        out
    }
}
