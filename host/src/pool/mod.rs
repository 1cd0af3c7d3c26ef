//! A pool of threads that steal work from each other: fork and join, scopes, tasks, parallel loops, sorting and map-reduce.
//!
//! | to do | call | what it costs |
//! |---|---|---|
//! | divide and conquer | [`Pool::run`], then [`Context::join`] | a few stores per fork |
//! | two calls at once | [`Pool::join`] | a thread-local variable more |
//! | any number of calls that borrow | [`Pool::scope`], [`Scope::spawn`] | a block from a list per task |
//! | a task of its own, from threads or async code | [`Pool::spawn`], [`Handle`] | an allocation per task |
//!
//! A pool starts its threads when it is built and sleeps when there is nothing to do: no timer runs, and no thread wakes
//! up. One task wakes one thread. [`Policy`] says how forks are shared.
//!
//! `builder` builds what `shared` holds: one `seat` per worker, and the `injector` for what comes from outside. `sleep`
//! says who looks for work, who sleeps and who is woken. A `job` is what lies in queues, a `latch` what its owner waits
//! for.

mod builder;
mod context;
mod current;
mod error;
mod forks;
mod injector;
mod job;
mod join;
mod latch;
#[cfg(all(test, divvy_loom))]
mod loom_tests;
mod open;
mod par;
mod pin;
mod policy;
mod promise;
mod run;
mod scope;
mod seat;
mod shared;
mod shutdown;
mod sleep;
mod spawn;
mod stats;
mod steal;
mod sync;
mod task;
mod waker;

pub use builder::Builder;
pub use context::Context;
pub use error::{JoinError, PoolError};
pub use injector::Priority;
pub use par::{Chunked, Chunking, Items};
pub use policy::Policy;
pub use scope::Scope;
pub use shutdown::Unfinished;
pub use spawn::Handle;
pub use stats::WorkerStats;

use shared::Shared;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Threads that work on what they are given, and steal from each other.
///
/// # Examples
///
/// ```
/// use divvy_host::pool::{Context, Pool};
///
/// fn fib(cx: &mut Context, n: u64) -> u64 {
///     if n < 2 {
///         return n;
///     }
///     let (a, b) = cx.join(|cx| fib(cx, n - 1), |cx| fib(cx, n - 2));
///     a + b
/// }
///
/// let pool = Pool::new(2)?;
/// assert_eq!(pool.run(|cx| fib(cx, 20)), 6765);
///
/// assert!(Pool::new(0).is_err());
/// # Ok::<(), divvy_host::pool::PoolError>(())
/// ```
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `threads` threads, with the [`Builder`]'s defaults for the rest.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new(threads: usize) -> Result<Self, PoolError> {
        Self::builder().threads(threads).build()
    }

    /// A pool of your own making.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// How many workers it has.
    pub fn threads(&self) -> usize {
        self.shared.seats.len()
    }

    /// How forks are shared.
    pub fn policy(&self) -> Policy {
        self.shared.policy
    }

    /// What each worker did so far.
    pub fn stats(&self) -> Vec<WorkerStats> {
        self.shared.seats.iter().map(|seat| seat.counts.read()).collect()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads())
            .field("policy", &self.policy())
            .finish_non_exhaustive()
    }
}
