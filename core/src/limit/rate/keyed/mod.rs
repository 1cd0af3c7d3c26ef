//! A limiter for each key, in memory that is bounded.

#[cfg(test)]
mod tests;

use super::gcra::OverBurst;
use super::quota::{Quota, Span};
use crate::limit::Admit;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::time::Instant;
use core::fmt;
use core::num::NonZeroU32;

/// What happens to a new key when every slot that it could have holds a key that is not yet forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Crowded {
    /// The one among them whose bucket is the nearest to full makes room. It is forgotten, and may have up to as much again
    /// as was missing in its bucket. So nobody is refused for lack of memory, and a flood of new keys pushes out its own
    /// kind first, not whoever has been refused a moment ago, as it would if the least recently used made room.
    Evict,
    /// The new key is refused until the first of them has a full bucket. So no key ever gets more than its quota, and a flood of
    /// new keys keeps out others that are new.
    Refuse,
}

/// What a [`Keyed`] limiter has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyedStats {
    /// Calls that were admitted.
    pub admitted: u64,
    /// Calls that were refused because their key had used up its quota.
    pub refused: u64,
    /// Keys that were forgotten before their bucket was full again.
    pub evicted: u64,
    /// Calls that were refused because there was no slot for their key.
    pub crowded: u64,
}

/// A [`Gcra`](super::Gcra) for each key, all under one quota, in a fixed number of slots.
///
/// A key whose bucket is full again is like one that was never seen, so its slot is free for others; only keys that have
/// gone a short while ago need one. As many slots as keys are admitted in the time in which a bucket fills, and half as
/// many again, are enough that hardly ever one is [`Crowded`] out.
///
/// *When not to use it:* for a few keys that are known beforehand (an array of [`Gcra`](super::Gcra) is exact and faster),
/// for keys with different quotas, or against callers who can choose what their keys hash to: two keys with the same
/// hash share a limiter, so hash with a secret seed ([`xxh3_64_seeded`](crate::hash::xxh3_64_seeded) deters, but is not
/// made to withstand, who tries).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::hash::xxh3_64;
/// use divvy::limit::{Admit, Crowded, Keyed, Quota, QuotaError};
/// use divvy::storage::Inline;
///
/// let quota = Quota::new(NonZeroU32::MIN, Duration::from_secs(1))?;
/// let mut limit = Keyed::<Inline<4>>::new(quota, Crowded::Refuse);
/// let (now, later) = (Instant::ZERO, Instant::from_secs(1));
/// for name in ["Anna", "Ben", "Cleo", "Dora"] {
///     let key = xxh3_64(name.as_bytes());
///     assert_eq!(limit.admit(now, key), Admit::Yes);
///     assert_eq!(limit.admit(now, key), Admit::No { retry_at: later });
/// }
/// // Each slot is somebody's until their bucket is full again.
/// let emil = xxh3_64(b"Emil");
/// assert_eq!(limit.admit(now, emil), Admit::No { retry_at: later });
/// assert_eq!(limit.admit(later, emil), Admit::Yes);
/// # Ok::<(), QuotaError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) for each call, however full it is: a key has eight slots to choose from. 24 bytes a slot and 88 besides.
/// [`set_quota`](Self::set_quota), [`len`](Self::len) and [`iter`](Self::iter) are *O*(slots).
///
/// # Time
///
/// `now` is when the cell would go. There is one clock for all keys: a `now` earlier than one seen before, whichever key
/// it came with, is taken as that one.
///
/// # Concurrency
///
/// Single owner (`&mut self`). Several cores keep one each, and give each key to one of them.
///
/// # Errors
///
/// [`OverBurst`] for more cells at once than the burst.
///
/// # References
///
/// Azar, Broder, Karlin, Upfal: *Balanced allocations* (STOC 1994), for why two places of four slots are seldom full.
pub struct Keyed<S: Storage = Inline<64>> {
    slots: S::Slots<Slot>,
    quota: Quota,
    latest: Instant,
    crowded: Crowded,
    stats: KeyedStats,
}

/// One key's limiter. It is in use while its bucket is not full.
#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    next: Span,
}

impl Slot {
    const FREE: Self = Self { key: NOBODY, next: Span::ZERO };

    #[inline]
    fn is_held(&self, now: Instant) -> bool {
        self.next.after(now.as_nanos(), 0)
    }
}

/// The key of a slot that never had one.
const NOBODY: u64 = 0xD6E8_FEB8_6659_FD93;

/// What a key is called here: itself, but for nobody's, which shares its neighbour's limiter.
#[inline]
const fn name(key: u64) -> u64 {
    key ^ (key == NOBODY) as u64
}

/// Slots that lie together. A key has two such sets to choose from.
const WAYS: usize = 4;

enum Place {
    /// The key's own slot, with what is missing in its bucket, if anything is.
    Own(usize),
    Free(usize),
    /// None is free; this is the one that will be first.
    None(usize),
}

impl<const N: usize> Keyed<Inline<N>> {
    /// Limiters for keys, all with a full bucket of `quota`.
    #[must_use]
    pub const fn new(quota: Quota, crowded: Crowded) -> Self {
        const { assert!(N >= WAYS && N <= 1 << 31, "at least four slots, and they are numbered in 32 bits") };
        Self {
            slots: InlineSlots([Slot::FREE; N]),
            quota,
            latest: Instant::ZERO,
            crowded,
            stats: KeyedStats { admitted: 0, refused: 0, evicted: 0, crowded: 0 },
        }
    }
}

#[cfg(feature = "alloc")]
impl Keyed<crate::storage::Heap> {
    /// Limiters for keys, all with a full bucket of `quota`, in `capacity` slots (at least four), allocated now.
    #[must_use]
    pub fn with_capacity(capacity: u32, quota: Quota, crowded: Crowded) -> Self {
        let capacity = capacity.clamp(WAYS as u32, 1 << 31) as usize;
        Self {
            slots: alloc::vec![Slot::FREE; capacity].into_boxed_slice(),
            quota,
            latest: Instant::ZERO,
            crowded,
            stats: KeyedStats::default(),
        }
    }
}

impl<S: Storage> Keyed<S> {
    /// Admits one cell of `key` now, or says when it may go.
    #[inline]
    pub fn admit(&mut self, now: Instant, key: u64) -> Admit {
        self.take(now, key, 1)
    }

    /// Admits `n` cells of `key` now, all or none, or says when they may go.
    ///
    /// # Errors
    ///
    /// [`OverBurst`] if `n` is more than the burst. Nothing changed.
    #[inline]
    pub fn admit_n(&mut self, now: Instant, key: u64, n: NonZeroU32) -> Result<Admit, OverBurst> {
        self.within_burst(n)?;
        Ok(self.take(now, key, n.get()))
    }

    /// The earliest instant, not before `now`, at which a cell of `key` would be admitted. Nothing changes.
    #[must_use]
    pub fn next_free(&self, now: Instant, key: u64) -> Instant {
        self.earliest(now, key, 1)
    }

    /// The earliest instant, not before `now`, at which `n` cells of `key` would be admitted together. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`OverBurst`] if `n` is more than the burst.
    pub fn next_free_n(&self, now: Instant, key: u64, n: NonZeroU32) -> Result<Instant, OverBurst> {
        self.within_burst(n)?;
        Ok(self.earliest(now, key, n.get()))
    }

    /// Forgets `key`: its bucket is full. Whether there was anything to forget.
    pub fn reset(&mut self, now: Instant, key: u64) -> bool {
        let now = self.see(now);
        match self.place(now, key) {
            Place::Own(slot) if self.slots[slot].is_held(now) => {
                self.slots[slot].next = Span::ZERO;
                true
            }
            _ => false,
        }
    }

    /// Puts another quota in force for every key. A bucket that is full is full afterwards; of the others the tokens stay,
    /// up to the new burst, as with [`Gcra::set_quota`](super::Gcra::set_quota). So at most the larger of the two bursts
    /// goes in an interval that contains the change, and what each rate brings in its time.
    pub fn set_quota(&mut self, now: Instant, quota: Quota) {
        let now = self.see(now);
        for slot in self.slots.iter_mut().filter(|slot| slot.is_held(now)) {
            slot.next = self.quota.carry(slot.next, now, &quota);
        }
        self.quota = quota;
    }

    /// The quota of each key.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// How many keys there is room for.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    /// How many keys are held: those whose bucket is not full now. *O*(slots).
    #[must_use]
    pub fn len(&self, now: Instant) -> u32 {
        self.iter(now).count() as u32
    }

    /// Whether no key is held. *O*(slots).
    #[must_use]
    pub fn is_empty(&self, now: Instant) -> bool {
        self.iter(now).next().is_none()
    }

    /// The keys that are held, and when each may go next, which may be now. In no particular order, but the same everywhere.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (u64, Instant)> {
        let now = now.max(self.latest);
        let held = self.slots.iter().filter(move |slot| slot.is_held(now));
        held.map(move |slot| (slot.key, self.quota.earliest(slot.next, 1).max(now)))
    }

    /// What was admitted and refused so far.
    #[must_use]
    pub const fn stats(&self) -> KeyedStats {
        self.stats
    }

    #[inline]
    fn see(&mut self, now: Instant) -> Instant {
        if now < self.latest {
            return self.latest;
        }
        self.latest = now;
        now
    }

    #[inline]
    fn within_burst(&self, n: NonZeroU32) -> Result<(), OverBurst> {
        let burst = self.quota.burst_size();
        if n.get() > burst { Err(OverBurst { burst }) } else { Ok(()) }
    }

    #[inline]
    fn take(&mut self, now: Instant, key: u64, n: u32) -> Admit {
        let now = self.see(now);
        let slot = match self.place(now, key) {
            Place::Own(slot) => slot,
            Place::Free(slot) => {
                self.slots[slot] = Slot { key: name(key), next: Span::ZERO };
                slot
            }
            Place::None(slot) if self.crowded == Crowded::Evict => {
                self.stats.evicted += 1;
                self.slots[slot] = Slot { key: name(key), next: Span::ZERO };
                slot
            }
            Place::None(slot) => {
                self.stats.crowded += 1;
                return Admit::No { retry_at: self.slots[slot].next.ceil() };
            }
        };
        let slot = &mut self.slots[slot];
        match self.quota.admit_n(slot.next, now, n) {
            Ok(next) => {
                self.stats.admitted += 1;
                slot.next = next;
                Admit::Yes
            }
            Err(retry_at) => {
                self.stats.refused += 1;
                Admit::No { retry_at }
            }
        }
    }

    fn earliest(&self, now: Instant, key: u64, n: u32) -> Instant {
        let now = now.max(self.latest);
        match self.place(now, key) {
            Place::Own(slot) => self.quota.earliest(self.slots[slot].next, n).max(now),
            Place::None(slot) if self.crowded == Crowded::Refuse => self.slots[slot].next.ceil(),
            _ => now,
        }
    }

    /// The key's slot, or a free one in the emptier of its two sets, or the one that will be free first. At most one slot
    /// has a given key, because a key takes another only if it has none.
    #[inline]
    fn place(&self, now: Instant, key: u64) -> Place {
        let key = name(key);
        let [first, second] = self.sets(key);
        let mut own = usize::MAX;
        // Without branches: in which of the eight a key is, is not foreseeable.
        for start in [first, second] {
            for (way, slot) in self.set(start).iter().enumerate() {
                own = if slot.key == key { start + way } else { own };
            }
        }
        if own != usize::MAX { Place::Own(own) } else { self.room(now, [first, second]) }
    }

    /// A slot for a key that has none.
    #[cold]
    fn room(&self, now: Instant, [first, second]: [usize; 2]) -> Place {
        let free = |start| self.set(start).iter().filter(|slot| !slot.is_held(now)).count();
        let emptier = if free(first) >= free(second) { first } else { second };
        if let Some(way) = self.set(emptier).iter().position(|slot| !slot.is_held(now)) {
            return Place::Free(emptier + way);
        }
        let mut least = first;
        for slot in (first..first + WAYS).chain(second..second + WAYS) {
            let (next, best) = (self.slots[slot].next, self.slots[least].next);
            if best.after(next.nanos, next.part) {
                least = slot;
            }
        }
        Place::None(least)
    }

    #[inline]
    fn set(&self, start: usize) -> &[Slot] {
        &self.slots[start..start + WAYS]
    }

    /// Where the two sets of a key start. They may overlap, and are the same if there is room for one only.
    #[inline]
    fn sets(&self, key: u64) -> [usize; 2] {
        // Folds the product, so that keys which are small numbers, or differ in a few bits only, spread as well.
        let product = u128::from(key ^ 0x9E37_79B9_7F4A_7C15) * 0xA076_1D64_78BD_642F;
        let mixed = (product >> 64) as u64 ^ product as u64;
        // Either half, scaled to the number of places where a set can start.
        let starts = (self.slots.len() - WAYS + 1) as u64;
        let place = |half: u64| ((half * starts) >> 32) as usize;
        [place(mixed >> 32), place(mixed & 0xFFFF_FFFF)]
    }
}

impl<S: Storage> fmt::Debug for Keyed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("quota", &self.quota)
            .field("capacity", &self.capacity())
            .field("crowded", &self.crowded)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
