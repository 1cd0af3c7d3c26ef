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
//! # The house
//!
//! Each floor uses those before it:
//!
//! 1. `sync`, `error`: atomics from `std` or from loom, and what can go wrong.
//! 2. `job`: what lies in queues, a pointer to a job; a `fork`, the list of `forks` that a worker has open, and the `blocks`
//!    that tasks lie in.
//! 3. `shared`: what threads share: one `seat` per worker, the `injector` for what comes from outside, and who sleeps, looks
//!    for work and is woken.
//! 4. `work`: what a worker does, with the `Context` that it gives to jobs.
//! 5. `threads`: the pool itself.
//! 6. `call`: `run`, `join`, `scope` and `spawn`.
//! 7. `life`: building a pool and ending it; `par`: parallel loops, which need `join` and no more.

mod call;
mod error;
mod job;
mod life;
#[cfg(all(test, divvy_loom))]
mod loom_tests;
mod par;
mod shared;
mod sync;
mod threads;
mod work;

pub use call::scope::Scope;
pub use call::spawn::Handle;
pub use error::{JoinError, PoolError};
pub use life::builder::Builder;
pub use life::shutdown::Unfinished;
pub use par::{Chunked, Chunking, Items};
pub use shared::injector::Priority;
pub use shared::policy::Policy;
pub use shared::stats::WorkerStats;
pub use threads::Pool;
pub use work::context::Context;
