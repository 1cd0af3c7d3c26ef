//! Why a lock was refused.

use std::error::Error;
use std::fmt;
use std::panic::Location;

/// A lock, and where it was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldLock {
    /// The name it was made with.
    pub name: &'static str,
    /// The rank it was made with.
    pub rank: u32,
    /// The call that took it, or wanted to.
    pub place: &'static Location<'static>,
}

impl fmt::Display for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (rank {}, {})", self.name, self.rank, self.place)
    }
}

/// Why a lock was refused. The caller holds what it held before, and nothing more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LockError {
    /// This thread holds a lock that does not rank below the one it asked for: another thread that takes the two the
    /// other way round would wait for this one, and this one for it.
    ///
    /// Remedy: ask for `wanted` before `held`, take both by [`lock_all`](super::lock_all), or mend the ranks.
    Order {
        /// The highest-ranking lock that the thread holds.
        held: HeldLock,
        /// The one it asked for.
        wanted: HeldLock,
    },
    /// The same lock twice in one set, or a lock that this thread holds already: it would wait for itself.
    ///
    /// Remedy: pass the guard on.
    Twice {
        /// The first time.
        held: HeldLock,
        /// The second time.
        wanted: HeldLock,
    },
    /// Somebody panicked while holding it, so what it protects may be half changed.
    ///
    /// Remedy: [`OrderedMutex::repair`](super::OrderedMutex::repair), which is handed the value, leaves it sound, and
    /// opens the lock again for everyone; or let the panic spread.
    Poisoned {
        /// The lock asked for.
        wanted: HeldLock,
    },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { held, wanted } => {
                write!(
                    f,
                    "{wanted} asked for while holding {held}; take them in the order of their ranks or at once"
                )
            }
            Self::Twice { held, wanted } => {
                write!(f, "{wanted} asked for while holding it: {held}; pass the guard on")
            }
            Self::Poisoned { wanted } => {
                write!(f, "{wanted} was held by a thread that panicked; mend what it protects by `repair`")
            }
        }
    }
}

impl Error for LockError {}
