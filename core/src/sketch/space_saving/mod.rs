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
/// [`estimate`](Self::estimate) *O*(1) expected. [`record`](Self::record) as well, amortised: where a key must make room,
/// a pass over the counters finds the lightest, and there are no more passes than records over *m*;
/// [`record_n`](Self::record_n) of more than one may take *O*(m) each time. [`halve`](Self::halve) and
/// [`merge`](Self::merge) *O*(m), [`iter`](Self::iter) *O*(m) for each key. 40 bytes a counter.
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
    counters: S::List<HeavyHitter>,
    /// An open-addressing table with linear probing, four times as many places as counters.
    table: S::Slots<[u32; 4]>,
    total: u64,
    /// No counter is below this, and none before the cursor is at it.
    least: u64,
    cursor: u32,
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
            table: InlineSlots([[NONE; 4]; N]),
            total: 0,
            least: 0,
            cursor: 0,
        }
    }
}

#[cfg(feature = "alloc")]
impl SpaceSaving<crate::storage::Heap> {
    /// `capacity` free counters, allocated now.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            counters: crate::storage::HeapList::with_capacity(capacity),
            table: alloc::vec![[NONE; 4]; capacity].into_boxed_slice(),
            total: 0,
            least: 0,
            cursor: 0,
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
            Err(place) if !self.is_full() => self.start(key, place)?,
            Err(place) => {
                let id = self.lightest()?;
                let error = self.counters[id as usize].count;
                self.give(id, HeavyHitter { key, count: error, error }, place);
                id
            }
        };
        let hitter = &mut self.counters[id as usize];
        hitter.count = hitter.count.saturating_add(n);
        Some(*hitter)
    }

    /// What is known of `key`; `None` if it has no counter. It then came at most [`max_error`](Self::max_error) times.
    #[must_use]
    pub fn estimate(&self, key: u64) -> Option<HeavyHitter> {
        self.find(key).ok().map(|id| self.counters[id as usize])
    }

    /// The counted keys, the heaviest first, equals by key.
    pub fn iter(&self) -> impl Iterator<Item = HeavyHitter> {
        let rank = |hitter: &HeavyHitter| (hitter.count, Reverse(hitter.key));
        let mut last = None;
        core::iter::from_fn(move || {
            let lighter = |hitter: &&HeavyHitter| last.is_none_or(|last| rank(hitter) < last);
            let next = self.counters.iter().filter(lighter).max_by_key(|hitter| rank(hitter)).copied()?;
            last = Some(rank(&next));
            Some(next)
        })
    }

    /// How many records there were: *N*. Halved by [`halve`](Self::halve).
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How often a key without a counter may have come: at most *N* / *m*. *O*(m).
    #[must_use]
    pub fn max_error(&self) -> u64 {
        let lightest = self.counters.iter().map(|hitter| hitter.count).min();
        if self.is_full() { lightest.unwrap_or(0) } else { 0 }
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
        let mut id = 0;
        while let Some(hitter) = self.counters.get_mut(id) {
            let at_least = hitter.at_least() / 2;
            hitter.count /= 2;
            hitter.error = hitter.count - at_least;
            if hitter.count == 0 {
                self.counters.swap_remove(id);
            } else {
                id += 1;
            }
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
        for hitter in self.counters.iter_mut() {
            let (count, at_least) = match other.estimate(hitter.key) {
                Some(other) => (other.count, other.at_least()),
                // It may have come that often there without a counter.
                None => (theirs, 0),
            };
            let at_least = hitter.at_least().saturating_add(at_least);
            hitter.count = hitter.count.saturating_add(count);
            hitter.error = hitter.count - at_least;
        }
        for new in other.counters.iter() {
            let Err(place) = self.find(new.key) else { continue };
            let count = new.count.saturating_add(mine);
            let hitter = HeavyHitter { key: new.key, count, error: count - new.at_least() };
            if !self.is_full() {
                if let Some(id) = self.start(new.key, place) {
                    self.counters[id as usize] = hitter;
                }
                continue;
            }
            // A key of both that lost its counter just now was no heavier than the lightest; nor is it here.
            let Some(id) = self.lightest() else { return };
            if self.counters[id as usize].count < count {
                self.give(id, hitter, place);
            }
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
        self.counters.push(HeavyHitter { key, count: 0, error: 0 }).ok()?;
        *self.table.as_flattened_mut().get_mut(place)? = id;
        Some(id)
    }

    /// The lightest counter, of equals the one that the cursor comes to first; `None` without counters.
    ///
    /// Counts never fall, so what the cursor has passed stays above the least. A pass ends when no counter is at the
    /// least any more. The next one is for a higher least, and with single records that is at most *N* / *m*, so
    /// passes over *m* counters take no more than *N* steps.
    fn lightest(&mut self) -> Option<u32> {
        loop {
            let ahead = self.counters.get(self.cursor as usize..)?;
            if let Some(at) = ahead.iter().position(|hitter| hitter.count == self.least) {
                self.cursor += at as u32;
                return Some(self.cursor);
            }
            self.least = self.counters.iter().map(|hitter| hitter.count).min()?;
            self.cursor = 0;
        }
    }

    /// Gives the counter of another key to `hitter`, whose key belongs at `place` of the table.
    fn give(&mut self, id: u32, hitter: HeavyHitter, place: usize) {
        let Some(counter) = self.counters.get_mut(id as usize) else { return };
        let old = core::mem::replace(counter, hitter);
        let table = self.table.as_flattened_mut();
        let len = table.len();
        table[place] = id;
        // The other place with this counter is that of the old key: it becomes a gap.
        let mut gap = home(old.key, len);
        while table[gap] != id || gap == place {
            gap = next(gap, len);
        }
        // No search may end early at the gap, so whoever's search leads over it moves there and leaves another one.
        let mut place = gap;
        loop {
            place = next(place, len);
            let Some(hitter) = self.counters.get(table[place] as usize) else { break };
            if distance(home(hitter.key, len), place, len) >= distance(gap, place, len) {
                table[gap] = table[place];
                gap = place;
            }
        }
        table[gap] = NONE;
    }

    /// Fills the table anew, and lets the next pass begin at the first counter.
    fn rebuild(&mut self) {
        (self.least, self.cursor) = (0, 0);
        self.table.fill([NONE; 4]);
        for id in 0..self.counters.len() {
            if let Err(place) = self.find(self.counters[id].key) {
                self.table.as_flattened_mut()[place] = id as u32;
            }
        }
    }

    /// The counter of `key`, or the place of the table where it would go.
    #[inline]
    fn find(&self, key: u64) -> Result<u32, usize> {
        let table = self.table.as_flattened();
        let mut place = home(key, table.len());
        // Most of the table is empty, so this ends; without a table it does not begin.
        while let Some(id) = table.get(place) {
            match self.counters.get(*id as usize) {
                None => break,
                Some(hitter) if hitter.key == key => return Ok(*id),
                Some(_) => place = next(place, table.len()),
            }
        }
        Err(place)
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
