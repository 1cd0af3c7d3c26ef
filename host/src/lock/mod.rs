//! Locks that are taken in one order, so that no two threads wait for each other in a circle.
//!
//! Each lock has a rank. A thread waits only for a lock that ranks above all it holds; [`lock_all`] takes several at
//! once, those of one rank by address. So along any chain of threads that wait for each other the order only rises,
//! and it closes no circle. Whoever asks against the order is refused with [`LockError::Order`], which names both locks and
//! both places in the code: in the first test that takes this path, not in the one night when two threads meet on it.
//!
//! | | who checks the order | when |
//! |---|---|---|
//! | [`lock_all`] | takes the set in order itself | nothing to check inside the set |
//! | [`OrderedMutex`] | a list of what this thread holds | each `lock`, in release builds too |
//! | [`LevelMutex`] | the compiler | a wrong order does not compile |
//!
//! They go together: a `LevelMutex` is an `OrderedMutex` whose rank is in its type.
//!
//! What no order prevents: a thread that waits for something else while it holds a lock (a channel, a `join`), a guard
//! leaked by [`std::mem::forget`], and locks that are not from here.

mod error;
mod held;
mod level;
mod ordered;
mod set;

pub use error::{HeldLock, LockError};
pub use level::{LevelGuard, LevelKey, LevelMutex, ThreadKey};
pub use ordered::{OrderedGuard, OrderedMutex};
pub use set::{LockSet, lock_all};
