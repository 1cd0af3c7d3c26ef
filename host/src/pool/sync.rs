//! Atomics, cells and threads, from one of two places: `std`, or `loom`, which runs every interleaving that the memory
//! model allows. What threads of a pool hand over to each other, they hand over through these.

#[cfg(not(divvy_loom))]
mod imp {
    pub(in crate::pool) use std::cell::Cell;
    pub(in crate::pool) use std::sync::Mutex;
    pub(in crate::pool) use std::sync::atomic::{
        AtomicBool, AtomicIsize, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
    };
    pub(in crate::pool) use std::thread::{Thread, current, park, park_timeout};
}

#[cfg(divvy_loom)]
mod imp {
    pub(in crate::pool) use loom::cell::Cell;
    pub(in crate::pool) use loom::sync::Mutex;
    pub(in crate::pool) use loom::sync::atomic::{
        AtomicBool, AtomicIsize, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
    };
    pub(in crate::pool) use loom::thread::{Thread, current, park};

    /// Time does not pass under loom: who waits for a while waits until it is woken.
    pub(in crate::pool) fn park_timeout(_: std::time::Duration) {
        park();
    }
}

pub(super) use imp::*;

/// A cell whose pointer lives inside a closure, so that loom sees who looks when.
#[cfg(divvy_loom)]
pub(super) use loom::cell::UnsafeCell;

#[cfg(not(divvy_loom))]
#[derive(Default)]
pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(divvy_loom))]
impl<T> UnsafeCell<T> {
    #[inline(always)]
    pub(super) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(super) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(super) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// What comes after this in a struct (`repr(C)`) shares no cache line with what is before it, and no pair that is fetched
/// together.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Apart;

/// A `const fn`, except under loom, whose atomics are made at run time.
#[cfg(not(divvy_loom))]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
}
#[cfg(divvy_loom)]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => { $(#[$meta])* $vis fn $($rest)* };
}
pub(super) use const_fn;

/// The memory of whoever waits. Under loom, its end is a write and each use of it from elsewhere a read: one that could
/// come after the end fails the model.
pub(super) struct Frame(#[cfg(divvy_loom)] UnsafeCell<()>);

impl Frame {
    const_fn! {
        #[inline(always)]
        pub(super) const fn new() -> Self {
            Self(#[cfg(divvy_loom)] UnsafeCell::new(()))
        }
    }

    #[inline(always)]
    pub(super) fn touch(&self) {
        #[cfg(divvy_loom)]
        self.0.with(|_| ());
    }
}

#[cfg(divvy_loom)]
impl Drop for Frame {
    fn drop(&mut self) {
        self.0.with_mut(|_| ());
    }
}
