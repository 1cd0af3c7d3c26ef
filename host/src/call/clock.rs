//! What time it is: the only place that asks.

use divvy::Instant;
use std::fmt::Debug;
use std::time::Duration;

/// What a [`Call`](super::Call) reads the time from, and what its blocking form waits on.
///
/// [`SystemClock`] unless another one is given, such as one that a test moves on by hand. Futures wait on tokio's timer.
pub trait Clock: Debug + Send + Sync {
    /// The time since some start, the same one at every call.
    fn now(&self) -> Instant;

    /// Blocks the thread for `duration`.
    fn sleep(&self, duration: Duration);
}

/// The system's monotonic clock, from when this was made.
///
/// It reads the time as tokio does, so in a runtime whose time is paused it is paused too.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: tokio::time::Instant,
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::ZERO.saturating_add(self.origin.elapsed())
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
