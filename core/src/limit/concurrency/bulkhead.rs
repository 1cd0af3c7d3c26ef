//! So many at once, and no more.

use super::Sample;
use crate::balance::calls::Calls;
use crate::lease::{Lease, Stale};
use crate::storage::{Inline, Storage};
use crate::time::{Instant, saturating_nanos};
use core::fmt;
use core::time::Duration;

/// The answer to "may one more run now?"
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a call that was not admitted must not run"]
pub enum Admission {
    /// It may, in the place that this holds.
    Yes(Lease),
    /// It may not; nothing changed but the count of the rejected.
    No {
        /// When the oldest call that is out is given up, which is the first time that a place may come back by itself; `None` if
        /// the limit is 0. A call that ends brings one back sooner.
        retry_at: Option<Instant>,
    },
}

/// What a [`Bulkhead`] did so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BulkheadStats {
    /// How many may be out.
    pub limit: u32,
    /// How many are out. More than the limit after it was lowered, until enough of them have ended.
    pub in_flight: u32,
    /// The most that were out at once.
    pub most: u32,
    /// How many were admitted.
    pub admitted: u64,
    /// How many were not.
    pub rejected: u64,
    /// How many of the admitted ended in time.
    pub completed: u64,
    /// How many of the admitted were given up at their deadline.
    pub expired: u64,
}

/// Keeps one part of a system from taking all of it: at most so many calls are out at once.
///
/// A place is a [`Lease`] that ends by itself after the time-out, so a caller that vanishes costs a place for
/// that long and no longer, and one that comes back late is told so. The limit may change at any time, for instance to what
/// a [`ConcurrencyLimit`](super::ConcurrencyLimit) says: calls that are out stay, and none is admitted until they are
/// fewer than the new limit. A call that finds no place is refused at once; for it to wait, put it into a
/// [queue](crate::queue) and take from that one whenever [`complete`](Self::complete) or [`reclaim`](Self::reclaim) has given a
/// place back (with priorities: [`PriorityQueue`](crate::queue::PriorityQueue)).
///
/// *When not to use it:* where threads share one without a lock: that is [`SharedBulkhead`](super::SharedBulkhead). To limit how
/// often calls begin: [`Gcra`](crate::limit::Gcra).
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::lease::Stale;
/// use divvy::limit::{Admission, Bulkhead};
/// use divvy::storage::Inline;
///
/// let mut bulkhead = Bulkhead::<Inline<8>>::new(1, Duration::from_secs(2));
/// let Admission::Yes(lost) = bulkhead.admit(Instant::ZERO) else { unreachable!("it is empty") };
/// assert_eq!(bulkhead.admit(Instant::ZERO), Admission::No { retry_at: Some(Instant::from_secs(2)) });
/// // The caller vanished. Its place comes back, and its late answer counts for nothing:
/// let late = Instant::from_secs(2);
/// assert!(matches!(bulkhead.admit(late), Admission::Yes(_)));
/// assert_eq!(bulkhead.complete(late, lost), Err(Stale::Unknown));
/// ```
///
/// # Complexity
///
/// [`admit`](Self::admit) gives up at most two overdue calls first; everything is *O*(1), except
/// [`advance`](Self::advance), which takes a step for each call that it gives up. All places last equally long, so they
/// end in the order in which they began, and a list serves where a [`Leases`](crate::lease::Leases) needs a heap. 24 bytes a
/// place and 88.
///
/// # Time
///
/// `now` is when the call begins or ends. A `now` earlier than one seen before is taken as that one: a clock that goes
/// back neither revives a place nor ends one. With a time-out of zero every place ends at once; with one beyond 584 years,
/// never.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
pub struct Bulkhead<S: Storage = Inline<16>> {
    calls: Calls<S>,
    limit: u32,
    most: u32,
    timeout: u64,
    latest: u64,
    admitted: u64,
    rejected: u64,
    completed: u64,
    expired: u64,
}

impl<const N: usize> Bulkhead<Inline<N>> {
    /// At most `limit` at once, and at most `N`. Each for at most `timeout`.
    #[must_use]
    pub const fn new(limit: u32, timeout: Duration) -> Self {
        Self::over(Calls::<Inline<N>>::new(), limit, timeout)
    }
}

#[cfg(feature = "alloc")]
impl Bulkhead<crate::storage::Heap> {
    /// At most `limit` at once, and at most `capacity`, allocated now. Each for at most `timeout`.
    #[must_use]
    pub fn with_capacity(capacity: u32, limit: u32, timeout: Duration) -> Self {
        Self::over(Calls::<crate::storage::Heap>::with_capacity(capacity), limit, timeout)
    }
}

impl<S: Storage> Bulkhead<S> {
    const fn over(calls: Calls<S>, limit: u32, timeout: Duration) -> Self {
        Self {
            calls,
            limit,
            most: 0,
            timeout: saturating_nanos(timeout),
            latest: 0,
            admitted: 0,
            rejected: 0,
            completed: 0,
            expired: 0,
        }
    }

    /// Admits one call now, or says when to ask again.
    pub fn admit(&mut self, now: Instant) -> Admission {
        self.see(now);
        // Twice as fast as places are lost, so that none is refused for those who vanished.
        for _ in 0..2 {
            if self.give_up().is_none() {
                break;
            }
        }
        if self.calls.len() < self.limit
            && let Some(lease) = self.calls.claim(self.latest, 0, self.timeout)
        {
            self.admitted = self.admitted.saturating_add(1);
            self.most = self.most.max(self.calls.len());
            return Admission::Yes(lease);
        }
        self.rejected = self.rejected.saturating_add(1);
        Admission::No { retry_at: if self.limit == 0 { None } else { self.next_deadline() } }
    }

    /// Ends a call in time: its place is free. What it tells is for a
    /// [`ConcurrencyLimit`](super::ConcurrencyLimit), where it counts as not dropped unless you say so.
    ///
    /// # Errors
    ///
    /// [`Stale`] if its time was over or it had ended before; nothing changed.
    pub fn complete(&mut self, now: Instant, lease: Lease) -> Result<Sample, Stale> {
        self.see(now);
        let in_flight = self.calls.len();
        let (_, began) = self.calls.complete(self.latest, lease, self.timeout)?;
        self.completed = self.completed.saturating_add(1);
        Ok(Sample { latency: Duration::from_nanos(self.latest - began), in_flight, dropped: false })
    }

    /// Gives up one call whose time is over, the oldest first: its place is free. It counts as dropped for a
    /// [`ConcurrencyLimit`](super::ConcurrencyLimit). Call it until it answers `None`.
    pub fn reclaim(&mut self, now: Instant) -> Option<Sample> {
        self.see(now);
        self.give_up()
    }

    /// Gives up every call whose time is over; how many there were.
    pub fn advance(&mut self, now: Instant) -> u32 {
        let mut given_up = 0;
        while self.reclaim(now).is_some() {
            given_up += 1;
        }
        given_up
    }

    /// When the oldest call's time is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.calls.next_deadline(self.timeout)
    }

    /// Lets at most `limit` be out from now on. Calls that are out stay. What exceeds the capacity counts as the
    /// capacity; with 0 none is admitted.
    pub const fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// How many may be out.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.min(self.capacity())
    }

    /// How many are out, those included that are overdue and have not been given up yet.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.calls.len()
    }

    /// How many places there are.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.calls.capacity()
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> BulkheadStats {
        BulkheadStats {
            limit: self.limit(),
            in_flight: self.calls.len(),
            most: self.most,
            admitted: self.admitted,
            rejected: self.rejected,
            completed: self.completed,
            expired: self.expired,
        }
    }

    fn see(&mut self, now: Instant) {
        self.latest = self.latest.max(now.as_nanos());
    }

    fn give_up(&mut self) -> Option<Sample> {
        let in_flight = self.calls.len();
        let (_, began) = self.calls.reclaim(self.latest, self.timeout)?;
        self.expired = self.expired.saturating_add(1);
        Some(Sample { latency: Duration::from_nanos(self.latest - began), in_flight, dropped: true })
    }
}

impl<S: Storage> fmt::Debug for Bulkhead<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
