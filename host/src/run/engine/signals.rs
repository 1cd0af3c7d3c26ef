//! The signals that divvy listens to, as something to wait for.

use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A request to end, with the number of its signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// The first one.
    Once(u8),
    /// Not the first one.
    Again(u8),
}

/// No signal: the pipe that a thread of this process writes to.
const WAKE: u8 = 0;

/// Open pipes that the signal handlers write to.
#[derive(Debug)]
pub(super) struct Signals {
    /// Each signal and its pipe; [`WAKE`] is none.
    pipes: Vec<(u8, UnixStream)>,
    ids: Vec<signal_hook::SigId>,
    /// How often somebody asked divvy to end, and with which signal last.
    asked: u32,
    last: u8,
    /// How much of `asked` was told.
    told: u32,
    /// Whoever writes to it ends the wait.
    waker: UnixStream,
    /// Set by the first request to end, at once.
    end: Arc<AtomicBool>,
}

impl Signals {
    /// From here on the signals no longer end the process.
    pub(super) fn listen() -> io::Result<Self> {
        let (read, waker) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let pipes = vec![(WAKE, read)];
        let mut signals =
            Self { pipes, ids: Vec::new(), asked: 0, last: 0, told: 0, waker, end: Arc::default() };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signals.ids.push(flag::register(signal, signals.end.clone())?);
        }
        for signal in [SIGCHLD, SIGINT, SIGTERM, SIGHUP] {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            signals.ids.push(pipe::register(signal, write)?);
            signals.pipes.push((u8::try_from(signal).unwrap_or(0), read));
        }
        Ok(signals)
    }

    /// Waits for a signal or a client of `socket`, at most for `timeout`. Returns whether there is a client.
    pub(super) fn wait(&mut self, timeout: Option<Duration>, socket: Option<&UnixListener>) -> bool {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let mut polled = Vec::with_capacity(6);
        self.pipes.iter().for_each(|(_, pipe)| polled.push(PollFd::new(pipe, PollFlags::IN)));
        if let Some(socket) = socket {
            polled.push(PollFd::new(socket, PollFlags::IN));
        }
        // An interrupted wait is as good as one that ended; the next one finds what came.
        _ = rustix::event::poll(&mut polled, timeout.as_ref());
        let mut ready = polled.iter().map(|fd| !fd.revents().is_empty());
        let written: Vec<bool> = ready.by_ref().take(self.pipes.len()).collect();
        let client = ready.next().unwrap_or(false);
        for (index, (signal, pipe)) in self.pipes.iter_mut().enumerate() {
            if written[index] {
                let count = drain(pipe);
                if *signal != WAKE && i32::from(*signal) != SIGCHLD {
                    self.asked = self.asked.saturating_add(count);
                    self.last = *signal;
                }
            }
        }
        client
    }

    /// What ends the wait when it is written to.
    pub(super) fn waker(&self) -> io::Result<UnixStream> {
        self.waker.try_clone()
    }

    /// Is set as soon as somebody asks divvy to end.
    pub(super) fn end_flag(&self) -> Arc<AtomicBool> {
        self.end.clone()
    }

    /// Whether somebody asked divvy to end since the last call.
    pub(super) fn told(&mut self) -> Option<Told> {
        if self.asked == self.told {
            return None;
        }
        self.told = self.asked;
        Some(if self.asked == 1 { Told::Once(self.last) } else { Told::Again(self.last) })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.ids.drain(..).for_each(|id| _ = unregister(id));
    }
}

/// Reads whatever is there and says how many signals it was: one byte each.
fn drain(stream: &mut UnixStream) -> u32 {
    let mut buffer = [0; 256];
    let mut total = 0u32;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return total,
            Ok(n) => {
                total = total.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
                if n < buffer.len() {
                    return total;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return total,
        }
    }
}
