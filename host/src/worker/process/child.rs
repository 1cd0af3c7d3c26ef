//! One child process and the pipes to it.

use super::{CallError, Framing};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

pub(super) struct Child {
    process: Process,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

impl Child {
    /// Starts `command` in a process group of its own.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut process = command.spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(io::Error::other("the pipes of a child were not made"));
        };
        let flags = fcntl_getfl(&input)?;
        fcntl_setfl(&input, flags | OFlags::NONBLOCK)?;
        let flags = fcntl_getfl(&output)?;
        fcntl_setfl(&output, flags | OFlags::NONBLOCK)?;
        Ok(Self { process, input: Some(input), output })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it lives and has said nothing that nobody asked for.
    pub(super) fn is_ready(&mut self) -> bool {
        matches!(self.output.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and waits for its reply, reading while it writes, as the child may.
    pub(super) fn exchange(
        &mut self,
        framing: Framing,
        request: &[u8],
        most: usize,
        deadline: Option<Instant>,
    ) -> Result<Vec<u8>, CallError> {
        let (mut left, mut got) = (request, Vec::new());
        let mut chunk = vec![0; CHUNK];
        loop {
            let Some(input) = &mut self.input else { return Err(CallError::Died(None)) };
            let wait = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Err(CallError::TimedOut),
                Some(left) => Timespec::try_from(left).ok(),
                None => None,
            };
            let mut fds = vec![PollFd::new(&self.output, PollFlags::IN)];
            if !left.is_empty() {
                fds.push(PollFd::new(&*input, PollFlags::OUT));
            }
            match poll(&mut fds, wait.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(CallError::Pipe(error.into())),
            }
            drop(fds);
            if !left.is_empty() {
                match input.write(left) {
                    Ok(written) => left = &left[written..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // It has ended, or closed its input; what it still had to say is read first.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => left = &[],
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(CallError::Pipe(error)),
                }
            }
            match self.output.read(&mut chunk) {
                Ok(0) => return Err(CallError::Died(self.process.wait().ok())),
                Ok(read) => got.extend_from_slice(&chunk[..read]),
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(CallError::Pipe(error)),
            }
            if let Some(reply) = framing.unwrap(&mut got, most)? {
                // A reply before the whole request was read answers something else.
                return if left.is_empty() { Ok(reply) } else { Err(CallError::TalksOutOfTurn) };
            }
        }
    }

    /// Kills it and all that it started.
    pub(super) fn kill(mut self) -> Option<ExitStatus> {
        self.signal();
        self.process.wait().ok()
    }

    /// Closes its input, which tells it to end.
    pub(super) fn close(&mut self) {
        self.input = None;
    }

    /// Waits for it to end; kills it if it has not ended by `deadline`.
    pub(super) fn end(mut self, deadline: Instant) {
        self.close();
        let mut pause = Duration::from_millis(1);
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        self.signal();
        _ = self.process.wait();
    }

    fn signal(&self) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
