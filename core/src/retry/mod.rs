//! Trying again: when, how often, and when to give up.

mod backoff;

pub use backoff::{Backoff, BackoffError, Retry};
