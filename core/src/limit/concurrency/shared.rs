//! So many at once, among any number of threads.

use crate::sync::{AtomicU32, Ordering, const_fn};
use core::fmt;

/// Lets at most so many calls be out at once, for any number of threads, cores and interrupt handlers that share it by
/// reference.
///
/// What it gives is a [`Permit`] that frees the place when it is dropped, and no lease: leases that run out need a list in the
/// order of their deadlines, which threads would have to lock. So a permit that is forgotten (`core::mem::forget`, a thread that is
/// killed) holds its place for ever.
///
/// *When not to use it:* where callers may vanish without a drop, or where one owner asks for all: that is
/// [`Bulkhead`](super::Bulkhead), whose places come back by themselves.
///
/// # Examples
///
/// ```
/// use divvy::limit::SharedBulkhead;
///
/// static CALLS: SharedBulkhead = SharedBulkhead::new(2);
///
/// let first = CALLS.admit().expect("there are two places");
/// let second = CALLS.admit().expect("there is one left");
/// assert!(CALLS.admit().is_none());
/// drop(first);
/// // Lowering the limit ends no call; none is admitted until they are fewer.
/// CALLS.set_limit(1);
/// assert!(CALLS.admit().is_none());
/// drop(second);
/// assert_eq!((CALLS.in_flight(), CALLS.admit().is_some()), (0, true));
/// ```
///
/// # Complexity
///
/// One atomic addition to admit and one to end; a refusal while it is full only reads. 8 bytes.
///
/// # Concurrency
///
/// Wait-free: no call waits for, or repeats itself because of, another. Never more than the limit are out, except after it was
/// lowered. While it is full, a call may be refused although a place was given back in the same moment: several that ask at
/// once count for an instant before they are refused. What was done under a permit happened before what is done under
/// the one that has its place next.
pub struct SharedBulkhead {
    limit: AtomicU32,
    /// Permits that are out, and those that are being refused. Written by everyone.
    out: AtomicU32,
}

/// A limit above this counts as this, so that callers who are being refused cannot make the count wrap.
const MOST: u32 = u32::MAX / 2;

impl SharedBulkhead {
    const_fn! {
        /// At most `limit` at once, and at most 2³¹ − 1.
        #[must_use]
        pub const fn new(limit: u32) -> Self {
            Self { limit: AtomicU32::new(limit), out: AtomicU32::new(0) }
        }
    }

    /// Admits one call, which ends when the answer is dropped; `None` if there is no place.
    #[inline]
    pub fn admit(&self) -> Option<Permit<'_>> {
        let limit = self.limit();
        // Ordering: a look that spares the others a write; the addition below decides.
        if self.out.load(Ordering::Relaxed) >= limit {
            return None;
        }
        // Ordering: acquires what was done under the permit that gave this place back.
        if self.out.fetch_add(1, Ordering::Acquire) >= limit {
            // Ordering: nothing was done.
            self.out.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit { bulkhead: self })
    }

    /// Lets at most `limit` be out from now on. Permits that are out stay.
    pub fn set_limit(&self, limit: u32) {
        // Ordering: a number on its own.
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many may be out.
    #[must_use]
    pub fn limit(&self) -> u32 {
        // Ordering: as old as it may be.
        self.limit.load(Ordering::Relaxed).min(MOST)
    }

    /// How many are out, including those that are being refused just now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        // Ordering: as old as it may be.
        self.out.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for SharedBulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, in_flight) = (self.limit(), self.in_flight());
        f.debug_struct("SharedBulkhead").field("limit", &limit).field("in_flight", &in_flight).finish()
    }
}

/// A place in a [`SharedBulkhead`]. It is given back when this is dropped.
#[must_use = "the place is given back when this is dropped"]
pub struct Permit<'a> {
    bulkhead: &'a SharedBulkhead,
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        // Ordering: releases what was done under this permit to the next one that has the place.
        self.bulkhead.out.fetch_sub(1, Ordering::Release);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(divvy_loom)))]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32 as Count;
    use std::thread;

    #[test]
    #[allow(clippy::disallowed_types, reason = "a count beside the one under test")]
    fn never_more_than_the_limit_are_out() {
        let bulkhead = SharedBulkhead::new(3);
        let (inside, admitted) = (Count::new(0), Count::new(0));
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(permit) = bulkhead.admit() {
                            assert!(inside.fetch_add(1, Ordering::SeqCst) < 3);
                            admitted.fetch_add(1, Ordering::Relaxed);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(permit);
                        }
                    }
                });
            }
        });
        assert_eq!(bulkhead.in_flight(), 0);
        assert!(admitted.into_inner() > 0);
    }

    #[test]
    fn the_largest_limit_does_not_wrap() {
        let bulkhead = SharedBulkhead::new(u32::MAX);
        assert_eq!(bulkhead.limit(), u32::MAX / 2);
        assert!(bulkhead.admit().is_some());
        bulkhead.set_limit(0);
        assert!(bulkhead.admit().is_none());
    }
}

#[cfg(all(test, divvy_loom))]
mod loom_tests {
    use super::*;
    use crate::sync::model;
    use loom::sync::Arc;
    use loom::thread;

    /// Three threads and one place: whoever has it finds what the last one left, or loom shows an order in which an
    /// addition is lost.
    #[test]
    fn loom_one_place_excludes() {
        model("bulkhead of one", 3, 2, || {
            let shared = Arc::new((SharedBulkhead::new(1), AtomicU32::new(0)));
            let work = |shared: &(SharedBulkhead, AtomicU32)| {
                let permit = shared.0.admit();
                if permit.is_some() {
                    // Relaxed on purpose: the permit is what orders them.
                    shared.1.store(shared.1.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                }
                u32::from(permit.is_some())
            };
            let others: std::vec::Vec<_> = (0..2)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || work(&shared))
                })
                .collect();
            let mut admitted = work(&shared);
            for other in others {
                admitted += other.join().expect("it does not panic");
            }
            assert!(admitted >= 1, "a place that nobody has is given to somebody");
            assert_eq!(shared.0.in_flight(), 0);
            assert!(shared.0.admit().is_some());
            assert_eq!(shared.1.load(Ordering::Relaxed), admitted);
        });
    }

    /// The limit is lowered while two ask: the count is whole again at the end.
    #[test]
    fn loom_the_limit_falls() {
        model("bulkhead whose limit falls", 3, 2, || {
            let bulkhead = Arc::new(SharedBulkhead::new(2));
            let other = {
                let bulkhead = Arc::clone(&bulkhead);
                thread::spawn(move || drop(bulkhead.admit()))
            };
            let first = bulkhead.admit();
            bulkhead.set_limit(1);
            let second = bulkhead.admit();
            assert!(first.is_some() && second.is_none(), "two places at first, one of them taken; then one");
            drop((first, second));
            other.join().expect("it does not panic");
            assert_eq!(bulkhead.in_flight(), 0);
            assert!(bulkhead.admit().is_some());
        });
    }
}
