//! Output that is shown while its job runs, whole lines at a time.

use super::{Gone, Sink};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A line that grows beyond this is written in parts, which other jobs must not interrupt.
const LONG: usize = 1 << 20;

/// The reading end of a job's output.
#[derive(Debug)]
pub(crate) struct Lines {
    pipe: Option<File>,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The beginning of the line is written already.
    begun: bool,
}

impl Lines {
    /// Returns the reading and the writing end.
    pub(crate) fn new() -> io::Result<(Self, File)> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        fcntl_setfl(&read, fcntl_getfl(&read)? | OFlags::NONBLOCK)?;
        let lines = Self { pipe: Some(read.into()), partial: Vec::new(), begun: false };
        Ok((lines, OwnedFd::into(write)))
    }

    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Nobody else may write before the line that is written in parts has ended.
    pub(crate) fn amid_line(&self) -> bool {
        self.begun
    }

    /// Writes the whole lines among what is there. Returns how many bytes came.
    pub(crate) fn forward(&mut self, tag: Option<&[u8]>, sink: &mut Sink) -> Result<u64, Gone> {
        let mut total = 0;
        let mut buffer = [0; 32 * 1024];
        // What comes faster than it is written must not keep the others waiting.
        for _ in 0..32 {
            let Some(pipe) = &mut self.pipe else { break };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(read) => {
                    total += read as u64;
                    self.add(&buffer[..read], tag, sink)?;
                    if read < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(Gone::Broken(error)),
            }
        }
        Ok(total)
    }

    /// The job ended: what it left is its last line.
    pub(crate) fn finish(mut self, tag: Option<&[u8]>, sink: &mut Sink) -> Result<u64, Gone> {
        let mut total = 0;
        // No pipe holds more than this: what comes after it is from something that the job left in the background.
        while total < 2 << 20 {
            match self.forward(tag, sink)? {
                0 => break,
                more => total += more,
            }
        }
        if self.begun || !self.partial.is_empty() {
            self.partial.push(b'\n');
            let rest = std::mem::take(&mut self.partial);
            self.write(&rest, tag, sink)?;
        }
        Ok(total)
    }

    fn add(&mut self, bytes: &[u8], tag: Option<&[u8]>, sink: &mut Sink) -> Result<(), Gone> {
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if whole > 0 {
            let mut lines = std::mem::take(&mut self.partial);
            lines.extend_from_slice(&bytes[..whole]);
            self.write(&lines, tag, sink)?;
        }
        self.partial.extend_from_slice(&bytes[whole..]);
        if self.partial.len() > LONG || self.begun && !self.partial.is_empty() {
            let part = std::mem::take(&mut self.partial);
            self.write(&part, tag, sink)?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], tag: Option<&[u8]>, sink: &mut Sink) -> Result<(), Gone> {
        let mut fresh = !self.begun;
        match tag {
            Some(tag) => sink.write(&super::tagged(bytes, tag, &mut fresh))?,
            None => {
                fresh = bytes.ends_with(b"\n");
                sink.write(bytes)?;
            }
        }
        self.begun = !fresh;
        Ok(())
    }
}
