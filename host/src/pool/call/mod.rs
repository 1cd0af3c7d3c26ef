//! What is called from outside and from within, and what each call waits with: `join` with a job on the `stack` and a `latch`,
//! `scope` with a count, `spawn` with a `promise`; `run` comes into the pool first.

mod join;
mod latch;
pub(super) mod promise;
mod run;
pub(super) mod scope;
pub(super) mod spawn;
mod stack;
