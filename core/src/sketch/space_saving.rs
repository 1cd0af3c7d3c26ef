//! The heaviest keys of a stream.

use crate::storage::{Inline, InlineSlots, List, Storage};
use core::cmp::Reverse;
use core::fmt;

/// A key that [`SpaceSaving`] counts, and how far its count can be trusted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HeavyHitter {
    /// The key.
    pub key: u64,
    /// At most so often it came.
    pub count: u64,
    /// By at most so much `count` is too high.
    pub error: u64,
}

impl HeavyHitter {
    /// At least so often the key came.
    #[must_use]
    pub const fn at_least(&self) -> u64 {
        self.count - self.error
    }
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Counter {
    hitter: HeavyHitter,
    /// Where it stands in the order.
    at: u32,
    /// The group of counters with the same count.
    group: u32,
}

/// The SpaceSaving sketch: the heaviest keys of a stream in a fixed number of counters.
///
/// With *m* counters and *N* records, no count is too high by more than *N* / *m* and none is too low, every key that
/// came more than *N* / *m* times has a counter, and each counter knows its own error. A key is a 64-bit number:
/// the hash of what it stands for, unless it is a number already.
///
/// [`halve`](Self::halve) makes it forget: halved once each period, it follows keys whose heat moves.
///
/// *When not to use it:* for the count of a given key that is rare, and against an adversary who chooses keys to
/// collide in its table.
///
/// # Examples
///
/// ```
/// use divvy::sketch::SpaceSaving;
/// use divvy::storage::Inline;
///
/// let mut heavy = SpaceSaving::<Inline<2>>::new();
/// for key in [7, 7, 7, 1, 7, 2, 7] {
///     heavy.record(key);
/// }
/// let first = heavy.iter().next().expect("something was recorded");
/// assert_eq!((first.key, first.count, first.error), (7, 5, 0));
/// // Key 1 had to make room for key 2, which may have come twice:
/// assert_eq!(heavy.estimate(1), None);
/// assert_eq!(heavy.estimate(2).map(|key| (key.at_least(), key.count)), Some((1, 2)));
/// ```
///
/// # Complexity
///
/// [`record`](Self::record) and [`estimate`](Self::estimate) *O*(1) expected, [`record_n`](Self::record_n) *O*(1) and
/// one step for each distinct count it passes, [`halve`](Self::halve) and [`merge`](Self::merge) *O*(m log m). 48 bytes
/// a counter.
///
/// # Concurrency
///
/// Single owner (`&mut self`). Keep one for each core and [`merge`](Self::merge) them.
///
/// # References
///
/// Metwally, Agrawal, El Abbadi: *Efficient computation of frequent and top-k elements in data streams*, ICDT 2005.
/// Merging: Agarwal and others: *Mergeable summaries*, PODS 2012.
pub struct SpaceSaving<S: Storage> {
    counters: S::List<Counter>,
    /// Counters by count, the highest first. Equal counts stand together: that is a group.
    order: S::List<u32>,
    /// Where each group starts in the order; the next free group where there is none.
    groups: S::List<u32>,
    free_group: u32,
    /// An open-addressing table with linear probing, twice as many places as counters.
    table: S::Slots<[u32; 2]>,
    total: u64,
}

impl<const N: usize> Default for SpaceSaving<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> SpaceSaving<Inline<N>> {
    /// `N` free counters.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counters: heapless::Vec::new(),
            order: heapless::Vec::new(),
            groups: heapless::Vec::new(),
            free_group: NONE,
            table: InlineSlots([[NONE; 2]; N]),
            total: 0,
        }
    }
}

#[cfg(feature = "alloc")]
impl SpaceSaving<crate::storage::Heap> {
    /// `capacity` free counters, allocated now.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        use crate::storage::HeapList;
        Self {
            counters: HeapList::with_capacity(capacity),
            order: HeapList::with_capacity(capacity),
            groups: HeapList::with_capacity(capacity),
            free_group: NONE,
            table: alloc::vec![[NONE; 2]; capacity].into_boxed_slice(),
            total: 0,
        }
    }
}

impl<S: Storage> SpaceSaving<S> {
    /// Counts `key`.
    #[inline]
    pub fn record(&mut self, key: u64) -> Option<HeavyHitter> {
        self.record_n(key, 1)
    }

    /// Counts `key` `n` times: what is known of it now. `None` without counters, and for a key without one if `n` is 0.
    ///
    /// Counts end at `u64::MAX`.
    pub fn record_n(&mut self, key: u64, n: u64) -> Option<HeavyHitter> {
        if n == 0 {
            return self.estimate(key);
        }
        self.total = self.total.saturating_add(n);
        let id = match self.find(key) {
            Ok(id) => id,
            Err(place) if self.counters.len() < self.counters.capacity() => self.start(key, place)?,
            Err(_) => self.replace_lightest(key)?,
        };
        self.raise(id, n);
        Some(self.counters[id as usize].hitter)
    }

    /// What is known of `key`; `None` if it has no counter. It then came at most [`max_error`](Self::max_error) times.
    #[must_use]
    pub fn estimate(&self, key: u64) -> Option<HeavyHitter> {
        self.find(key).ok().map(|id| self.counters[id as usize].hitter)
    }

    /// The counted keys, the heaviest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = HeavyHitter> {
        self.order.iter().map(|id| self.counters[*id as usize].hitter)
    }

    /// How many records there were: *N*. Halved by [`halve`](Self::halve).
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How often a key without a counter may have come: at most *N* / *m*.
    #[must_use]
    pub fn max_error(&self) -> u64 {
        match self.order.last() {
            Some(id) if self.is_full() => self.counters[*id as usize].hitter.count,
            _ => 0,
        }
    }

    /// How many keys have a counter.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// Whether no key has a counter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    /// Whether the next new key takes the counter of another one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.counters.len() == self.counters.capacity()
    }

    /// How many counters there are: *m*.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.counters.capacity()
    }

    /// Halves every count, rounded down, as if each key had come half as often. Keys that are left with nothing lose
    /// their counter.
    ///
    /// All guarantees go on to hold for the halved counts, though rounding may leave an error 1 above *N* / *m*.
    pub fn halve(&mut self) {
        self.total /= 2;
        for counter in self.counters.iter_mut() {
            let at_least = counter.hitter.at_least() / 2;
            counter.hitter.count /= 2;
            counter.hitter.error = counter.hitter.count - at_least;
        }
        self.rebuild();
    }

    /// Adds what `other` counted.
    ///
    /// No count is then too high by more than the sum of what it could be in either: with as many counters in both,
    /// all guarantees go on to hold, for the records of both.
    pub fn merge<R: Storage>(&mut self, other: &SpaceSaving<R>) {
        let (mine, theirs) = (self.max_error(), other.max_error());
        self.total = self.total.saturating_add(other.total);
        for counter in self.counters.iter_mut() {
            let hitter = &mut counter.hitter;
            let (count, error) = match other.estimate(hitter.key) {
                Some(other) => (other.count, other.error),
                // It may have come that often there without a counter.
                None => (theirs, theirs),
            };
            let at_least = hitter.at_least().saturating_add(count - error);
            hitter.count = hitter.count.saturating_add(count);
            hitter.error = hitter.count - at_least;
        }
        self.rebuild();
        for new in other.iter() {
            let Err(place) = self.find(new.key) else { continue };
            let count = new.count.saturating_add(mine);
            // A key of both that lost its counter just now was no heavier than the lightest; nor is it here.
            let id = if !self.is_full() {
                self.start(new.key, place)
            } else if count > self.max_error() {
                self.replace_lightest(new.key)
            } else {
                continue;
            };
            let Some(id) = id else { return };
            let at = self.counters[id as usize].hitter.count;
            self.raise(id, count - at);
            self.counters[id as usize].hitter.error = count - new.at_least();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counters.clear();
        self.total = 0;
        self.rebuild();
    }

    /// A counter at zero for `key`, which belongs at `place` of the table.
    fn start(&mut self, key: u64, place: usize) -> Option<u32> {
        let id = self.counters.len() as u32;
        let group = self.group_at(id);
        let hitter = HeavyHitter { key, count: 0, error: 0 };
        self.counters.push(Counter { hitter, at: id, group }).ok()?;
        self.order.push(id).ok()?;
        self.table.as_flattened_mut()[place] = id;
        Some(id)
    }

    /// Gives the lightest counter to `key`, with its count as the error.
    fn replace_lightest(&mut self, key: u64) -> Option<u32> {
        let id = *self.order.last()?;
        let lightest = self.counters[id as usize].hitter;
        self.forget(lightest.key);
        self.counters[id as usize].hitter = HeavyHitter { key, count: lightest.count, error: lightest.count };
        if let Err(place) = self.find(key) {
            self.table.as_flattened_mut()[place] = id;
        }
        Some(id)
    }

    /// Adds `n` to a counter and moves it to where it then stands.
    fn raise(&mut self, id: u32, n: u64) {
        let Counter { hitter, at, group } = self.counters[id as usize];
        let count = hitter.count.saturating_add(n);
        if count == hitter.count {
            return;
        }
        self.counters[id as usize].hitter.count = count;
        let mut to = self.groups[group as usize];
        let alone =
            self.order.get(to as usize + 1).is_none_or(|next| self.counters[*next as usize].group != group);
        let before =
            |to: u32| to.checked_sub(1).map(|before| self.counters[self.order[before as usize] as usize]);
        match before(to) {
            // Nobody to pass: the group rises with its only counter.
            None if alone => return,
            Some(heavier) if alone && heavier.hitter.count > count => return,
            _ => {}
        }
        self.swap(at, to);
        if alone {
            self.groups[group as usize] = self.free_group;
            self.free_group = group;
        } else {
            self.groups[group as usize] = to + 1;
        }
        let group = loop {
            let Some(before) = to.checked_sub(1) else { break self.group_at(to) };
            let other = self.counters[self.order[before as usize] as usize];
            if other.hitter.count == count {
                break other.group;
            }
            if other.hitter.count > count {
                break self.group_at(to);
            }
            // The first of the group goes to its end, which makes room in front of it.
            let first = self.groups[other.group as usize];
            self.swap(to, first);
            self.groups[other.group as usize] = first + 1;
            to = first;
        };
        self.counters[id as usize].group = group;
    }

    /// Lets the counters at two places of the order change places.
    #[inline]
    fn swap(&mut self, a: u32, b: u32) {
        if a != b {
            let (first, second) = (self.order[a as usize], self.order[b as usize]);
            self.order[a as usize] = second;
            self.order[b as usize] = first;
            self.counters[first as usize].at = b;
            self.counters[second as usize].at = a;
        }
    }

    /// A new group that starts at `at`.
    fn group_at(&mut self, at: u32) -> u32 {
        let group = self.free_group;
        if let Some(start) = self.groups.get_mut(group as usize) {
            self.free_group = *start;
            *start = at;
            return group;
        }
        // There is room: there are never more groups than counters.
        let _ = self.groups.push(at);
        self.groups.len() as u32 - 1
    }

    /// Orders the counters anew by their counts, equals by key, and drops those at zero.
    fn rebuild(&mut self) {
        self.counters.sort_unstable_by_key(|counter| (Reverse(counter.hitter.count), counter.hitter.key));
        while self.counters.last().is_some_and(|counter| counter.hitter.count == 0) {
            self.counters.pop();
        }
        self.order.clear();
        self.groups.clear();
        self.free_group = NONE;
        self.table.fill([NONE; 2]);
        for id in 0..self.counters.len() {
            let Counter { hitter, .. } = self.counters[id];
            let group = match id.checked_sub(1).map(|before| self.counters[before]) {
                Some(before) if before.hitter.count == hitter.count => before.group,
                _ => self.group_at(id as u32),
            };
            self.counters[id].at = id as u32;
            self.counters[id].group = group;
            // There is room for as many as there are counters.
            let _ = self.order.push(id as u32);
            if let Err(place) = self.find(hitter.key) {
                self.table.as_flattened_mut()[place] = id as u32;
            }
        }
    }

    /// The counter of `key`, or the place of the table where it would go.
    #[inline]
    fn find(&self, key: u64) -> Result<u32, usize> {
        let table = self.table.as_flattened();
        let mut place = home(key, table.len());
        // Half of the table is empty, so this ends; without a table it does not begin.
        while let Some(id) = table.get(place) {
            match self.counters.get(*id as usize) {
                None => break,
                Some(counter) if counter.hitter.key == key => return Ok(*id),
                Some(_) => place = next(place, table.len()),
            }
        }
        Err(place)
    }

    /// Takes `key` out of the table and closes the gap, so that no search ends early at it.
    fn forget(&mut self, key: u64) {
        let table = self.table.as_flattened_mut();
        let len = table.len();
        let mut gap = home(key, len);
        while self.counters.get(table[gap] as usize).is_some_and(|counter| counter.hitter.key != key) {
            gap = next(gap, len);
        }
        let mut place = gap;
        loop {
            place = next(place, len);
            let Some(counter) = self.counters.get(table[place] as usize) else { break };
            let home = home(counter.hitter.key, len);
            // It may fill the gap unless its search begins after the gap.
            let (from_home, from_gap) = (distance(home, place, len), distance(gap, place, len));
            if from_home >= from_gap {
                table[gap] = table[place];
                gap = place;
            }
        }
        table[gap] = NONE;
    }
}

/// The figures and the heaviest keys, not the table.
impl<S: Storage> fmt::Debug for SpaceSaving<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpaceSaving")
            .field("counters", &self.capacity())
            .field("total", &self.total)
            .field("max_error", &self.max_error())
            .field("heaviest", &self.iter().next())
            .finish_non_exhaustive()
    }
}

/// Where the search for `key` begins. Numbers that are no hashes are spread by the multiplication.
#[inline]
fn home(key: u64, len: usize) -> usize {
    let spread = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    ((spread * len as u64) >> 32) as usize
}

#[inline]
fn next(place: usize, len: usize) -> usize {
    if place + 1 == len { 0 } else { place + 1 }
}

/// How many steps lead from one place to the other.
fn distance(from: usize, to: usize, len: usize) -> usize {
    if to >= from { to - from } else { to + len - from }
}

#[cfg(test)]
mod tests;
