//! The signals that divvy listens to, as something to wait for.

use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// A request to end, with the number of its signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// The first one.
    Once(u8),
    /// Not the first one.
    Again(u8),
}

/// Open pipes that the signal handlers write to.
#[derive(Debug)]
pub(super) struct Signals {
    child: UnixStream,
    end: Vec<(u8, UnixStream)>,
    ids: Vec<signal_hook::SigId>,
    told: bool,
}

impl Signals {
    /// From here on the signals no longer end the process.
    pub(super) fn listen() -> io::Result<Self> {
        let mut ids = Vec::new();
        let mut listen = |signal| -> io::Result<UnixStream> {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            ids.push(pipe::register(signal, write)?);
            Ok(read)
        };
        let child = listen(SIGCHLD)?;
        let mut end = Vec::new();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            end.push((u8::try_from(signal).unwrap_or(0), listen(signal)?));
        }
        Ok(Self { child, end, ids, told: false })
    }

    /// Waits for a signal or a client of `socket`, at most for `timeout`. Returns whether there is a client.
    pub(super) fn wait(&mut self, timeout: Option<Duration>, socket: Option<&UnixListener>) -> bool {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let streams = std::iter::once(&self.child).chain(self.end.iter().map(|(_, stream)| stream));
        let mut polled: Vec<PollFd<'_>> = streams.map(|stream| PollFd::new(stream, PollFlags::IN)).collect();
        if let Some(socket) = socket {
            polled.push(PollFd::new(socket, PollFlags::IN));
        }
        // An interrupted wait is as good as one that ended.
        _ = rustix::event::poll(&mut polled, timeout.as_ref());
        let asked = socket.is_some() && polled.last().is_some_and(|last| !last.revents().is_empty());
        drain(&mut self.child);
        asked
    }

    /// Whether somebody asked divvy to end since the last call.
    pub(super) fn told(&mut self) -> Option<Told> {
        let mut answer = None;
        for (signal, stream) in &mut self.end {
            for _ in 0..drain(stream) {
                answer = Some(if self.told { Told::Again(*signal) } else { Told::Once(*signal) });
                self.told = true;
            }
        }
        answer
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.ids.drain(..).for_each(|id| _ = unregister(id));
    }
}

/// Reads whatever is there and says how much it was.
fn drain(stream: &mut UnixStream) -> usize {
    let mut buffer = [0; 256];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return total,
            Ok(n) => {
                total += n;
                if n < buffer.len() {
                    return total;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return total,
        }
    }
}
