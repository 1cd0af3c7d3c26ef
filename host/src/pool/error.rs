//! What can go wrong with a pool.

use std::any::Any;
use std::fmt;
use std::panic::resume_unwind;

/// Why there is no such pool. No thread is left running.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PoolError {
    /// A pool has at least one thread.
    NoThreads,
    /// Remedy: at most `max`.
    TooManyThreads {
        /// The largest number of threads.
        max: usize,
    },
    /// A queue's capacity is a power of two from 2 to 2¹⁴.
    QueueCapacity,
    /// The system refused to start a thread. Remedy: fewer threads, a smaller stack, or a higher limit
    /// (`ulimit -u`).
    Spawn(std::io::ErrorKind),
    /// Cores cannot be pinned on this system. Remedy: `pin_cores(false)`.
    PinUnsupported,
    /// The system refused to pin a thread to a core. Remedy: `pin_cores(false)`.
    Pin(std::io::ErrorKind),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoThreads => f.write_str("a pool of no threads; choose at least 1"),
            Self::TooManyThreads { max } => write!(f, "too many threads; choose at most {max}"),
            Self::QueueCapacity => f.write_str("a queue's capacity is a power of two from 2 to 16384"),
            Self::Spawn(kind) => {
                write!(f, "the system started no thread ({kind}); choose fewer, or a smaller stack")
            }
            Self::PinUnsupported => f.write_str("this system pins no threads to cores; leave pin_cores off"),
            Self::Pin(kind) => write!(f, "a thread was not pinned to its core ({kind}); leave pin_cores off"),
        }
    }
}

impl std::error::Error for PoolError {}

/// Why a task has no result.
pub enum JoinError {
    /// It panicked, with this.
    Panicked(Box<dyn Any + Send>),
    /// It was cancelled before it began, or the pool was shut down.
    Cancelled,
}

impl JoinError {
    /// Passes a panic on; `Cancelled` comes back.
    pub fn resume_panic(self) -> Self {
        match self {
            Self::Panicked(panic) => resume_unwind(panic),
            Self::Cancelled => self,
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => {
                let message = panic.downcast_ref::<&str>().copied();
                let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                write!(f, "the task panicked: {}", message.unwrap_or("(no message)"))
            }
            Self::Cancelled => f.write_str("the task was cancelled before it began"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JoinError {}
