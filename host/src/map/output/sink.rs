//! Standard output and standard error, as something that can go away.

use rustix::event::{PollFd, PollFlags, Timespec};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why nothing more can be written.
#[derive(Debug)]
pub(crate) enum Gone {
    /// Whoever read it has gone.
    Reader,
    /// The reader takes nothing, and somebody asked divvy to end.
    Asked,
    /// The machine refused it.
    Broken(io::Error),
}

/// Where outputs go.
#[derive(Debug)]
pub(crate) struct Sink {
    file: File,
    /// Writing never waits for somebody to read.
    regular: bool,
    /// Is set when somebody asks divvy to end: then nobody waits for a reader that takes nothing.
    asked: Option<Arc<AtomicBool>>,
}

/// What can be written into a pipe that has room at all.
const PIECE: usize = 4096;

impl Sink {
    pub(crate) fn new(file: File) -> Self {
        let regular = file.metadata().is_ok_and(|meta| meta.is_file());
        Self { file, regular, asked: None }
    }

    pub(crate) fn asked(mut self, asked: Arc<AtomicBool>) -> Self {
        self.asked = Some(asked);
        self
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if self.regular {
            return self.file.write_all(bytes).map_err(Gone::Broken);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            self.wait()?;
            match self.file.write(&rest[..rest.len().min(PIECE)]) {
                Ok(0) => return Err(Gone::Broken(io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = &rest[written..],
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => {}
                    io::ErrorKind::BrokenPipe => return Err(Gone::Reader),
                    _ => return Err(Gone::Broken(error)),
                },
            }
        }
        Ok(())
    }

    /// Waits until there is room. A write that waits by itself could not be ended.
    fn wait(&self) -> Result<(), Gone> {
        loop {
            let mut polled = [PollFd::new(&self.file, PollFlags::OUT)];
            let a_while = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            if rustix::event::poll(&mut polled, Some(&a_while)).is_ok_and(|ready| ready > 0) {
                return Ok(());
            }
            if self.asked.as_ref().is_some_and(|asked| asked.load(Ordering::Relaxed)) {
                return Err(Gone::Asked);
            }
        }
    }
}
