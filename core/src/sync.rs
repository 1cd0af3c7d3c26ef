//! Atomics, from one of three places: `core`, `portable-atomic` (chips without compare-and-swap), or `loom`, which runs
//! every interleaving that the memory model allows. Nothing else in the core imports an atomic.
//!
//! 32-bit atomics everywhere. 64-bit ones only where the target itself has them: nothing here asks a 32-bit chip for a
//! 64-bit compare-and-swap, not even an emulated one, and whatever uses them has a 32-bit form beside it.

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

/// An atomic of one width, with what the core does with every width.
macro_rules! atomic {
    ($(#[$meta:meta])* $name:ident, $word:ty) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[allow(clippy::disallowed_types, reason = "this is the one place that names it")]
        pub(crate) struct $name {
            value: imp::$name,
            /// See [`touch`](Self::touch).
            #[cfg(divvy_loom)]
            turn: imp::AtomicU32,
        }

        impl $name {
            const_fn! {
                #[allow(clippy::disallowed_types, reason = "as above")]
                pub(crate) const fn new(value: $word) -> Self {
                    Self {
                        value: imp::$name::new(value),
                        #[cfg(divvy_loom)]
                        turn: imp::AtomicU32::new(0),
                    }
                }
            }

            /// Loom looks for another order of two accesses only if the second one is the next after the first: of a
            /// load by one thread, and a load and a store by another, it tries a single order. So before each access
            /// every thread takes its turn at a second atomic, in an operation whose order always counts. That costs
            /// executions, and its modifications could stand in for a missing `SeqCst`; so a model runs with and
            /// without.
            #[inline(always)]
            fn touch(&self) {
                #[cfg(all(test, divvy_loom))]
                if DENSE.get() {
                    self.turn.fetch_or(0, Ordering::Relaxed);
                }
            }

            #[inline(always)]
            pub(crate) fn load(&self, order: Ordering) -> $word {
                self.touch();
                self.value.load(order)
            }

            #[inline(always)]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $word,
                new: $word,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$word, $word> {
                self.touch();
                self.value.compare_exchange_weak(current, new, success, failure)
            }
        }
    };
}

atomic! {
    /// A 32-bit atomic, with the operations that the core uses.
    AtomicU32, u32
}

/// What is done with 32 bits only.
impl AtomicU32 {
    #[inline(always)]
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.touch();
        self.value.store(value, order);
    }

    #[inline(always)]
    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.touch();
        self.value.compare_exchange(current, new, success, failure)
    }

    #[inline(always)]
    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.touch();
        self.value.fetch_add(value, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.touch();
        self.value.fetch_sub(value, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
        self.touch();
        self.value.fetch_and(value, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        self.touch();
        self.value.fetch_or(value, order)
    }
}

#[cfg(target_has_atomic = "64")]
atomic! {
    /// A 64-bit atomic, only where the target itself has them: for what has a 32-bit form beside it.
    AtomicU64, u64
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

/// A value that shares its cache line with nothing else, where there are cache lines to share: on machines of 64 bits. It
/// takes two of them, as they are fetched in pairs.
#[derive(Debug)]
#[cfg_attr(all(target_pointer_width = "64", not(divvy_loom)), repr(align(128)))]
pub(crate) struct Alone<T>(pub(crate) T);

impl<T> core::ops::Deref for Alone<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a thread does after it lost a race for a word: longer and longer, from 4 times to 64, nothing at all, so that the
/// others get on and the word's cache line stops moving. Bounded, so it changes no progress guarantee. It begins with 4: a
/// pause that is over before the line could move does nothing.
#[derive(Debug)]
pub(crate) struct Backoff(u32);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(2)
    }

    pub(crate) fn lost(&mut self) {
        // Under loom time does not pass, and each pause would be one more place to switch threads.
        #[cfg(not(divvy_loom))]
        for _ in 0..1 << self.0 {
            hint::spin_loop();
        }
        self.0 = (self.0 + 1).min(6);
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

#[cfg(all(test, divvy_loom))]
std::thread_local! {
    /// Whether [`AtomicU32::touch`] does anything. Loom runs all threads of a model on one thread of the system.
    static DENSE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `f` under loom, first as it is with at most `preemptions` forced switches per execution, then densely (see
/// [`AtomicU32::touch`]) with at most `dense`. Prints how many executions each took, and fails if the dense one took a single
/// one: a model that explores nothing proves nothing.
#[cfg(all(test, divvy_loom))]
#[allow(clippy::disallowed_types, reason = "the count of the report")]
pub(crate) fn model(name: &str, preemptions: usize, dense: usize, f: impl Fn() + Send + Sync + 'static) {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    let f = Arc::new(f);
    for (is_dense, bound) in [(false, preemptions), (true, dense)] {
        let executions = Arc::new(AtomicUsize::new(0));
        let (counted, f) = (Arc::clone(&executions), Arc::clone(&f));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(bound);
        builder.max_branches = 10_000;
        DENSE.set(is_dense);
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            f();
        });
        let executions = executions.load(Ordering::Relaxed);
        let kind = if is_dense { "dense" } else { "plain" };
        std::println!("loom model {name}: {kind}, {executions} executions, {bound} preemptions");
        // The plain run may end after one, for the reason given at `touch`.
        assert!(
            executions > 1 || !is_dense,
            "loom model {name} explored a single execution: is it built with divvy_loom?"
        );
    }
}
