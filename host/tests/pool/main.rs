//! The pool of threads, as its users see it.

mod awaited;
mod fork;
mod idle;
mod scope;
mod shutdown;
mod spawn;

use divvy_host::pool::{Policy, Pool};

/// Runs `test` on pools of both policies and several sizes.
fn each_pool(test: impl Fn(&Pool)) {
    for policy in [Policy::Heartbeat, Policy::Eager] {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::builder().threads(threads).policy(policy).build().unwrap();
            test(&pool);
        }
    }
}

/// What a panic was called with.
fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("?")
}
