//! Points on a circle, found in one step: the search that every ring with points shares.
//!
//! The circle is 32 bits of the hash. The points lie sorted in an array that is half as large again as they are many,
//! each at or a little behind the slot that its position stands for, so that the slot of a key's hash is where the
//! search begins and almost where it ends. A slot without a point of its own repeats the next one, and those behind
//! the last repeat the first: whatever slot the search meets, it is an answer or too early.

use crate::storage::Storage;
use core::fmt;

/// A position on the circle and the node that stands there.
type Slot = [u32; 2];

/// No point stands here, so the end of the circle is free for marks.
const END: u32 = u32::MAX;
/// An open table's slot without a point.
const EMPTY: Slot = [END, 0];
/// What the search compares without asking in between.
const WINDOW: usize = 4;

/// Up to as many points as `P` holds, in 12 bytes each.
pub(super) struct Points<P: Storage> {
    /// Three words for each point, which is one and a half slots.
    words: P::Slots<[u32; 3]>,
    /// How many slots positions are spread over. The slots behind them take what the last of them cannot.
    spread: u32,
    /// How many points there are.
    len: u32,
}

impl<const P: usize> Points<crate::storage::Inline<P>> {
    pub(super) const fn new() -> Self {
        Self { words: crate::storage::InlineSlots([[END; 3]; P]), spread: spread(P), len: 0 }
    }
}

#[cfg(feature = "alloc")]
impl Points<crate::storage::Heap> {
    pub(super) fn with_capacity(capacity: u32) -> Self {
        let capacity = capacity as usize;
        Self { words: alloc::vec![[END; 3]; capacity].into_boxed_slice(), spread: spread(capacity), len: 0 }
    }
}

/// Over how many slots `capacity` points are spread at first: all but some for the overflow of the last ones.
const fn spread(capacity: usize) -> u32 {
    let slots = capacity / 2 * 3 + capacity % 2;
    let tail = if slots / 4 < 16 { slots / 4 } else { 16 };
    let spread = slots - tail;
    // Positions have 32 bits: more slots than that hold nothing.
    if spread > u32::MAX as usize { u32::MAX } else { spread as u32 }
}

/// The position that stands for a hash.
#[inline]
pub(super) const fn position(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The slot at which the search for `position` begins.
#[inline]
const fn home(position: u32, spread: u32) -> usize {
    ((position as u64 * spread as u64) >> 32) as usize
}

impl<P: Storage> fmt::Debug for Points<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Points").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<P: Storage> Points<P> {
    /// How many points fit.
    pub(super) fn capacity(&self) -> usize {
        self.words.len()
    }

    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    /// How many points `node` has.
    pub(super) fn len_of(&self, node: u32) -> usize {
        self.points().filter(|point| point[1] == node).count()
    }

    /// The points in order.
    pub(super) fn points(&self) -> impl Iterator<Item = Slot> {
        let slots = if self.len == 0 { &[] } else { self.slots() };
        let repeats = move |i: usize| slots.get(i + 1) == Some(&slots[i]);
        (0..slots.len()).filter(move |i| slots[*i][0] != END && !repeats(*i)).map(|i| slots[i])
    }

    #[inline]
    fn slots(&self) -> &[Slot] {
        self.words.as_flattened().as_chunks().0
    }

    fn slots_mut(&mut self) -> &mut [Slot] {
        self.words.as_flattened_mut().as_chunks_mut().0
    }

    /// The slot of the first point at or behind `position`, or `None` if there is no point at all.
    #[inline]
    pub(super) fn find(&self, position: u32) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let home = home(position, self.spread);
        let slots = self.slots();
        // Counted instead of branched on: where the search ends is chance, and a wrong guess costs more than all four.
        if let Some(window) = slots.get(home..).and_then(<[Slot]>::first_chunk::<WINDOW>) {
            let before: usize = window.iter().map(|slot| usize::from(slot[0] < position)).sum();
            if before < WINDOW {
                return Some(home + before);
            }
        }
        Some(self.find_on(home, position))
    }

    #[cold]
    fn find_on(&self, home: usize, position: u32) -> usize {
        let slots = self.slots();
        let before = slots[home..].iter().take_while(|slot| slot[0] < position).count();
        if home + before < slots.len() { home + before } else { 0 }
    }

    /// The node of the first point at or behind `position`.
    #[inline]
    pub(super) fn owner(&self, position: u32) -> Option<u32> {
        self.find(position).map(|slot| self.slots()[slot][1])
    }

    /// The nodes of all slots, from that of the first point at or behind `position` once around the circle.
    pub(super) fn around(&self, position: u32) -> impl Iterator<Item = u32> {
        let slots = if self.len == 0 { &[] } else { self.slots() };
        let (before, from) = slots.split_at(self.find(position).unwrap_or(0));
        from.iter().chain(before).map(|slot| slot[1])
    }

    /// Adds points, each a position and a node. `first` says which of two nodes comes first where they share a
    /// position. The caller has seen to it that they fit.
    pub(super) fn insert(
        &mut self,
        points: impl IntoIterator<Item = Slot>,
        first: impl Fn(u32, u32) -> bool,
    ) {
        self.open();
        for [position, node] in points {
            let point = [position.min(END - 1), node];
            while !self.place(point) {
                self.sort(&first);
                self.crowd();
            }
        }
        self.sort(first);
        self.close();
    }

    /// Takes out the points of `node`.
    pub(super) fn remove(&mut self, node: u32) {
        self.open();
        self.settle(|slot| slot[1] != node);
        self.close();
    }

    /// Empties the slots that repeat another.
    fn open(&mut self) {
        if self.len == 0 {
            self.slots_mut().fill(EMPTY);
            return;
        }
        let slots = self.slots_mut();
        for i in 1..slots.len() {
            if slots[i - 1] == slots[i] {
                slots[i - 1] = EMPTY;
            }
        }
        // What marks the end repeats the first, and may stand there once.
        if let Some(last) = slots.last_mut().filter(|last| last[0] == END) {
            *last = EMPTY;
        }
    }

    /// Puts `point` into the first free slot from its own on; says whether there was one.
    fn place(&mut self, point: Slot) -> bool {
        let home = home(point[0], self.spread);
        let free = self.slots_mut()[home..].iter_mut().find(|slot| slot[0] == END);
        free.map(|slot| *slot = point).is_some()
    }

    /// Sorts each run of points. No point leaves its run, and in sorted order none stands before its slot.
    fn sort(&mut self, first: impl Fn(u32, u32) -> bool) {
        let slots = self.slots_mut();
        for i in 1..slots.len() {
            let point = slots[i];
            let mut to = i;
            if point[0] == END {
                continue;
            }
            while to > 0 {
                let before = slots[to - 1];
                // An empty slot ends the run.
                if before[0] == END
                    || before[0] < point[0]
                    || before[0] == point[0] && !first(point[1], before[1])
                {
                    break;
                }
                slots[to] = before;
                to -= 1;
            }
            slots[to] = point;
        }
    }

    /// Spreads the points, which are sorted, over fewer slots, so that there are more behind the last.
    fn crowd(&mut self) {
        let slots = self.slots().len();
        let tail = 2 * slots.saturating_sub(self.spread as usize).max(1);
        self.spread = slots.saturating_sub(tail).max(1) as u32;
        self.settle(|_| true);
    }

    /// Moves the points that `keep` says, which are sorted, as near to their own slots as they can be.
    fn settle(&mut self, keep: impl Fn(Slot) -> bool) {
        let spread = self.spread;
        let slots = self.slots_mut();
        let mut next = 0;
        for i in 0..slots.len() {
            let slot = core::mem::replace(&mut slots[i], EMPTY);
            if slot[0] != END && keep(slot) {
                // Never behind `i`: what stood before it has not moved back either.
                next = home(slot[0], spread).max(next);
                slots[next] = slot;
                next += 1;
            }
        }
    }

    /// Lets each empty slot repeat the next point, and those behind the last the first one.
    fn close(&mut self) {
        let slots = self.slots_mut();
        let Some(first) = slots.iter().find(|slot| slot[0] != END) else {
            self.len = 0;
            return;
        };
        let mut next = [END, first[1]];
        let mut len = 0;
        for slot in slots.iter_mut().rev() {
            if slot[0] == END {
                *slot = next;
            } else {
                len += 1;
                next = *slot;
            }
        }
        self.len = len;
    }
}
