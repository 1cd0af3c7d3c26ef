//! The signals that divvy listens to, as something to wait for.

use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A request to end, with the number of its signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// The first one.
    Once(u8),
    /// Not the first one.
    Again(u8),
}

/// No signal: the pipe that a thread of this process writes to.
const WAKE: u8 = 0;

/// Open pipes that the signal handlers write to.
#[derive(Debug)]
pub(crate) struct Signals {
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
    /// Set by a request to end, at once.
    end: Arc<AtomicBool>,
    rearm: bool,
}

impl Signals {
    /// From here on the signals no longer end the process.
    pub(crate) fn listen() -> io::Result<Self> {
        let (read, waker) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let pipes = vec![(WAKE, read)];
        let mut signals = Self {
            pipes,
            ids: Vec::new(),
            asked: 0,
            last: 0,
            told: 0,
            waker,
            end: Arc::default(),
            rearm: false,
        };
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

    /// Waits for a signal or for one of `others`, at most for `timeout`. `ready` says which of `others` it was.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        others: &[(BorrowedFd<'_>, PollFlags)],
        ready: &mut Vec<bool>,
    ) {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let mut polled = Vec::with_capacity(self.pipes.len() + others.len());
        self.pipes.iter().for_each(|(_, pipe)| polled.push(PollFd::new(pipe, PollFlags::IN)));
        polled.extend(others.iter().map(|&(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        // An interrupted wait is as good as one that ended; the next one finds what came.
        _ = rustix::event::poll(&mut polled, timeout.as_ref());
        let (pipes, others) = polled.split_at(self.pipes.len());
        ready.clear();
        ready.extend(others.iter().map(|fd| !fd.revents().is_empty()));
        let mut written = 0u32;
        for (index, fd) in pipes.iter().enumerate() {
            written |= u32::from(!fd.revents().is_empty()) << index;
        }
        for (index, (signal, pipe)) in self.pipes.iter_mut().enumerate() {
            if written & (1 << index) != 0 {
                let count = drain(pipe);
                if *signal != WAKE && i32::from(*signal) != SIGCHLD {
                    self.asked = self.asked.saturating_add(count);
                    self.last = *signal;
                }
            }
        }
    }

    /// What ends the wait when it is written to.
    pub(crate) fn waker(&self) -> io::Result<UnixStream> {
        self.waker.try_clone()
    }

    /// Takes the flag back whenever [`Signals::told`] says why it was set.
    pub(crate) fn rearm(&mut self) {
        self.rearm = true;
    }

    /// Is set as soon as somebody asks divvy to end.
    pub(crate) fn end_flag(&self) -> Arc<AtomicBool> {
        self.end.clone()
    }

    /// Whether somebody asked divvy to end since the last call.
    pub(crate) fn told(&mut self) -> Option<Told> {
        if self.asked == self.told {
            return None;
        }
        self.told = self.asked;
        if self.rearm {
            self.end.store(false, Ordering::Relaxed);
        }
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
