//! A pool: its threads, and what they share.

use crate::pool::shared::Shared;
use crate::pool::shared::policy::Policy;
use crate::pool::shared::stats::WorkerStats;
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
    pub(in crate::pool) shared: Arc<Shared>,
    pub(in crate::pool) threads: Vec<JoinHandle<()>>,
}

impl Pool {
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
