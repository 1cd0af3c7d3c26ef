//! Atomics, from one of three places: `core`, `portable-atomic` (chips without compare-and-swap), or `loom`, which runs
//! every interleaving that the memory model allows. Nothing else in the core imports an atomic.
//!
//! Only 32-bit atomics: nothing here asks a 32-bit chip for a 64-bit compare-and-swap.

#[cfg(not(any(divvy_loom, feature = "portable-atomic")))]
use core::sync::atomic as imp;
#[cfg(divvy_loom)]
use loom::sync::atomic as imp;
#[cfg(all(feature = "portable-atomic", not(divvy_loom)))]
use portable_atomic as imp;

pub(crate) use imp::{Ordering, fence};

#[cfg(divvy_loom)]
pub(crate) use loom::{cell::UnsafeCell, hint};

#[cfg(not(divvy_loom))]
pub(crate) use core::hint;

/// A `const fn`, except under loom, whose atomics are made at run time.
#[cfg(not(divvy_loom))]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
}
#[cfg(divvy_loom)]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => { $(#[$meta])* $vis fn $($rest)* };
}
pub(crate) use const_fn;

/// A 32-bit atomic, with the operations that the core uses.
#[derive(Debug)]
#[allow(clippy::disallowed_types, reason = "this is the one place that names it")]
pub(crate) struct AtomicU32(imp::AtomicU32);

impl AtomicU32 {
    const_fn! {
        #[allow(clippy::disallowed_types, reason = "as above")]
        pub(crate) const fn new(value: u32) -> Self {
            Self(imp::AtomicU32::new(value))
        }
    }

    #[inline(always)]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    #[inline(always)]
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    #[inline(always)]
    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0.compare_exchange(current, new, success, failure)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0.compare_exchange_weak(current, new, success, failure)
    }

    #[inline(always)]
    pub(crate) fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
        self.0.fetch_and(value, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        self.0.fetch_or(value, order)
    }
}

/// `core`'s cell with loom's interface: the pointer lives inside a closure, so that loom can see who looks when.
#[cfg(not(divvy_loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(divvy_loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// An array whose every element is made by the same expression, in a `const fn` except under loom.
#[cfg(not(divvy_loom))]
macro_rules! array_of {
    ($element:expr) => {
        [const { $element }; _]
    };
}
#[cfg(divvy_loom)]
macro_rules! array_of {
    ($element:expr) => {
        core::array::from_fn(|_| $element)
    };
}
pub(crate) use array_of;

/// Runs `f` under loom with at most `preemptions` forced switches per execution, prints how many executions it took
/// and fails if it was a single one: a model that explores nothing proves nothing.
#[cfg(all(test, divvy_loom))]
pub(crate) fn model(name: &str, preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    let start = std::time::Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        f();
    });
    let executions = executions.load(Relaxed);
    std::println!(
        "loom model {name}: {executions} executions, {preemptions} preemptions, {:.1?}",
        start.elapsed()
    );
    assert!(
        executions > 1,
        "loom model {name} explored a single execution: is the crate built with divvy_loom?"
    );
}
