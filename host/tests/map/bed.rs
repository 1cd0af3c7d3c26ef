//! A folder, and ways to run `divvy map` in it.

use std::io::{Read, Write};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};

pub(crate) use crate::command::{Ended, Folder, PATIENCE, alive, signal, wait_for};

impl Ended {
    /// Exactly this on standard output.
    #[track_caller]
    pub(crate) fn prints(self, expected: &str) -> Self {
        assert_eq!(self.out, expected, "\n--- err\n{}", self.err);
        self
    }

    /// The lines of standard output, sorted: jobs end in any order.
    pub(crate) fn sorted(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.out.lines().collect();
        lines.sort_unstable();
        lines
    }
}

/// A folder of its own for one test.
pub(crate) struct Bed {
    folder: Folder,
}

impl Deref for Bed {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self { folder: Folder::new() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.divvy("map");
        command.args(arguments);
        command
    }

    /// Runs `divvy map` with nothing on standard input.
    pub(crate) fn map(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs it with `input` on standard input, which is a pipe.
    pub(crate) fn fed(&self, input: impl AsRef<[u8]>, arguments: &[&str]) -> Ended {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        let input = input.as_ref().to_vec();
        let writer = std::thread::spawn(move || {
            // Whoever ends early does not read all of it.
            _ = stdin.write_all(&input);
        });
        let ended = child.wait_with_output().unwrap().into();
        writer.join().unwrap();
        ended
    }

    /// Starts it with pipes all around.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

/// Waits for the end of a command that [`Bed::start`] started.
pub(crate) fn end(mut child: Child) -> Ended {
    drop(child.stdin.take());
    child.wait_with_output().unwrap().into()
}

/// Reads until what was read contains `text`.
#[track_caller]
pub(crate) fn read_until(from: &mut impl Read, text: &str) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = from.read(&mut buffer).unwrap();
        assert!(read > 0, "the end came before {text:?}: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..read]);
        let shown = String::from_utf8_lossy(&all);
        if shown.contains(text) {
            return shown.into_owned();
        }
    }
}
