//! Points on a circle, found in one step: the search that every ring with points shares.
//!
//! The circle is 32 bits of the hash. The points lie sorted in an array that is half as large again as they are many,
//! each at or a little behind the slot that its position stands for, so that the slot of a key's hash is where the
//! search begins and almost where it ends. A slot without a point of its own repeats the next one, and those behind
//! the last repeat the first: whatever slot the search meets, it is an answer or too early.

use crate::storage::Storage;
use core::fmt;

/// The node that stands at a point, and the point's position on the circle: the two halves of a number by which the
/// points are in order.
type Slot = [u32; 2];

/// No point stands here, so the end of the circle is free for marks.
const END: u32 = u32::MAX;
/// An open table's slot without a point.
const EMPTY: u64 = u64::MAX;
/// What the search compares without asking in between.
const WINDOW: usize = 4;
/// What an insertion moves without asking in between.
const STEPS: usize = 4;

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

const fn point(position: u32, node: u32) -> u64 {
    (position as u64) << 32 | node as u64
}

const fn position_of(point: u64) -> u32 {
    (point >> 32) as u32
}

const fn get(slot: Slot) -> u64 {
    point(slot[1], slot[0])
}

const fn split(point: u64) -> Slot {
    [point as u32, position_of(point)]
}

/// The slot at which the search for `position` begins.
#[inline]
const fn home(position: u32, spread: u32) -> usize {
    ((position as u64 * spread as u64) >> 32) as usize
}

/// Puts `point` among `slots` in order; what falls out at the end comes back.
#[inline]
fn push_in(mut point: u64, slots: &mut [Slot; STEPS]) -> u64 {
    for slot in slots {
        let other = get(*slot);
        *slot = split(other.min(point));
        point = other.max(point);
    }
    point
}

/// As [`push_in`], as far as it takes.
#[cold]
fn push_on(mut point: u64, slots: &mut [Slot]) -> u64 {
    for slot in slots {
        let other = get(*slot);
        *slot = split(other.min(point));
        point = other.max(point);
        if point == EMPTY {
            break;
        }
    }
    point
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
        self.points().filter(|(_, other)| *other == node).count()
    }

    /// The positions and nodes of the points in order.
    pub(super) fn points(&self) -> impl Iterator<Item = (u32, u32)> {
        let slots = if self.len == 0 { &[] } else { self.slots() };
        let repeats = move |i: usize| slots.get(i + 1) == Some(&slots[i]);
        let points = (0..slots.len()).filter(move |i| slots[*i][1] != END && !repeats(*i));
        points.map(|i| (slots[i][1], slots[i][0]))
    }

    /// The part of the circle in front of each point, in 2³²ths of it, with the point's node.
    pub(super) fn arcs(&self) -> impl Iterator<Item = (u32, u64)> {
        let mut before = self.points().last().map_or(0, |(position, _)| i64::from(position) - (1 << 32));
        self.points().map(move |(position, node)| {
            let arc = i64::from(position) - before;
            before = i64::from(position);
            (node, arc as u64)
        })
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
            let before: usize = window.iter().map(|slot| usize::from(slot[1] < position)).sum();
            if before < WINDOW {
                return Some(home + before);
            }
        }
        Some(self.find_on(home, position))
    }

    #[cold]
    fn find_on(&self, home: usize, position: u32) -> usize {
        let slots = self.slots();
        let before = slots[home..].iter().take_while(|slot| slot[1] < position).count();
        if home + before < slots.len() { home + before } else { 0 }
    }

    /// The node of the first point at or behind `position`.
    #[inline]
    pub(super) fn owner(&self, position: u32) -> Option<u32> {
        self.find(position).map(|slot| self.slots()[slot][0])
    }

    /// How far the point of `slot`, which is the next one behind `position` or follows it, is ahead of `position`, and
    /// its node.
    #[inline]
    pub(super) fn ahead(&self, slot: usize, position: u32) -> (u32, u32) {
        let slots = self.slots();
        // Behind the last point the first one comes again.
        let [node, at] = if slots[slot][1] == END { slots[0] } else { slots[slot] };
        (at.wrapping_sub(position), node)
    }

    /// The slot of a point that follows the one of `slot`.
    pub(super) fn after(&self, slot: usize) -> usize {
        let slots = self.slots();
        // All slots up to a point's own repeat it, and those behind the last point stand for the first.
        let slot = if slots[slot][1] == END { 0 } else { slot };
        let own = slots[slot..].iter().take_while(|other| **other == slots[slot]).count();
        if slot + own < slots.len() && slots[slot + own][1] != END { slot + own } else { 0 }
    }

    /// The nodes of all slots, from that of the first point at or behind `position` once around the circle.
    pub(super) fn around(&self, position: u32) -> impl Iterator<Item = u32> {
        let slots = if self.len == 0 { &[] } else { self.slots() };
        let (before, from) = slots.split_at(self.find(position).unwrap_or(0));
        from.iter().chain(before).map(|slot| slot[0])
    }

    /// Adds points, each a position and a node. `first` says which of two nodes comes first where they share a
    /// position. The caller has seen to it that they fit.
    pub(super) fn insert(
        &mut self,
        points: impl IntoIterator<Item = (u32, u32)>,
        first: impl Fn(u32, u32) -> bool,
    ) {
        self.open();
        // From inside the iterator, which is a loop in a loop: quicker than to ask it for one after the other.
        points.into_iter().for_each(|(position, node)| {
            let mut rest = self.place(point(position.min(END - 1), node));
            while rest != EMPTY {
                self.crowd();
                rest = self.place(rest);
            }
        });
        self.close(&first);
    }

    /// Takes out the points of `node`.
    pub(super) fn remove(&mut self, node: u32) {
        self.open();
        self.settle(|slot| slot as u32 != node);
        // The others are in order.
        self.close(&|_, _| false);
    }

    /// Empties the slots that repeat another.
    fn open(&mut self) {
        let slots = self.slots_mut();
        let mut before = EMPTY;
        for i in (0..slots.len()).rev() {
            // What marks the end is past every point. No branch: which slots repeat is chance.
            let slot = get(slots[i]);
            let repeats = slot == before || slot >= point(END, 0);
            slots[i] = split(if repeats { EMPTY } else { slot });
            before = slot;
        }
    }

    /// Puts `point` at its place in the order, and moves those behind it up to the next empty slot. What is left over
    /// when there is none comes back; otherwise that is [`EMPTY`].
    #[inline]
    fn place(&mut self, point: u64) -> u64 {
        let home = home(position_of(point), self.spread);
        let slots = self.slots_mut();
        // An empty slot is greater than every point, so that moving on behind it changes nothing: some steps at once
        // instead of a branch on chance after each.
        if let Some(near) = slots[home..].first_chunk_mut::<STEPS>() {
            let rest = push_in(point, near);
            if rest == EMPTY { EMPTY } else { push_on(rest, &mut slots[home + STEPS..]) }
        } else {
            push_on(point, &mut slots[home..])
        }
    }

    /// Spreads the points over fewer slots, so that there are more behind the last.
    fn crowd(&mut self) {
        let slots = self.slots().len();
        let tail = 2 * slots.saturating_sub(self.spread as usize).max(1);
        self.spread = slots.saturating_sub(tail).max(1) as u32;
        self.settle(|_| true);
    }

    /// Moves the points that `keep` says as near to their own slots as they can be.
    fn settle(&mut self, keep: impl Fn(u64) -> bool) {
        let spread = self.spread;
        let slots = self.slots_mut();
        let mut next = 0;
        for i in 0..slots.len() {
            let slot = get(core::mem::replace(&mut slots[i], split(EMPTY)));
            if slot != EMPTY && keep(slot) {
                // Never behind `i`: what stood before it has not moved back either.
                next = home(position_of(slot), spread).max(next);
                slots[next] = split(slot);
                next += 1;
            }
        }
    }

    /// Lets each empty slot repeat the next point, and those behind the last the first one. `first` says which of two
    /// nodes comes first where they share a position.
    fn close(&mut self, first: &dyn Fn(u32, u32) -> bool) {
        let slots = self.slots_mut();
        let Some([lead, _]) = slots.iter().copied().find(|slot| get(*slot) != EMPTY) else {
            self.len = 0;
            return;
        };
        let mut next = point(END, lead);
        let (mut len, mut twice) = (0, false);
        for i in (0..slots.len()).rev() {
            let old = get(slots[i]);
            let empty = old == EMPTY;
            len += u32::from(!empty);
            let tied = position_of(old) == position_of(next) && !empty;
            next = if empty { next } else { old };
            slots[i] = split(next);
            if tied {
                twice |= settle_tie(&mut slots[i..], first);
                next = get(slots[i]);
            }
        }
        // Whose turn comes first, the order of nodes at one position may have changed.
        let lead = slots[0][0];
        for slot in slots.iter_mut().rev().take_while(|slot| slot[1] == END) {
            slot[0] = lead;
        }
        self.len = len;
        if twice {
            // The same point again is taken for a repetition and falls away; those behind it move up.
            self.open();
            self.settle(|_| true);
            self.close(first);
        }
    }
}

/// Moves the first of `slots` behind those with the same position whose nodes come before its own. Says whether it
/// is there already.
#[cold]
fn settle_tie(slots: &mut [Slot], first: impl Fn(u32, u32) -> bool) -> bool {
    for i in 1..slots.len() {
        if slots[i][1] != slots[i - 1][1] || !first(slots[i][0], slots[i - 1][0]) {
            return slots[i] == slots[i - 1];
        }
        slots.swap(i - 1, i);
    }
    false
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::storage::Heap;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Positions where trouble is: shared ones, both ends, and runs that overflow the last slots.
    fn positions() -> impl Strategy<Value = u32> {
        prop_oneof![0u32..4, Just(1 << 31), END - 40..=END, any::<u32>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn finds_what_a_sorted_list_finds(
            groups in prop::collection::vec((prop::collection::vec(positions(), 0..30), any::<bool>()), 1..6),
            spare in 0u32..30,
            asked in prop::collection::vec(positions(), 20),
        ) {
            let count: usize = groups.iter().map(|(points, _)| points.len()).sum();
            let mut table = Points::<Heap>::with_capacity(count as u32 + spare);
            let mut model: Vec<(u32, u32)> = Vec::new();
            // Nodes with greater numbers come first, so that the order of numbers is not by chance the right one.
            let first = |a: u32, b: u32| a > b;
            let steps = groups.iter().zip(0u32..).map(|((points, _), node)| (node, Some(points)));
            let removals = groups.iter().zip(0u32..).filter(|((_, goes), _)| *goes).map(|(_, node)| (node, None));
            for (node, points) in steps.chain(removals) {
                if let Some(points) = points {
                    table.insert(points.iter().map(|position| (*position, node)), first);
                    model.extend(points.iter().map(|position| ((*position).min(END - 1), node)));
                } else {
                    table.remove(node);
                    model.retain(|(_, other)| *other != node);
                }
                model.sort_unstable_by_key(|(position, node)| (*position, !node));
                let mut distinct = model.clone();
                distinct.dedup();
                prop_assert_eq!(table.points().collect::<Vec<_>>(), &distinct[..]);
                prop_assert_eq!(table.arcs().map(|(_, arc)| arc).sum::<u64>(), u64::from(!model.is_empty()) << 32);
                prop_assert_eq!(table.len_of(node), distinct.iter().filter(|(_, other)| *other == node).count());
                for position in &asked {
                    let at = distinct.partition_point(|(other, _)| other < position);
                    let expected = distinct.get(at).or(distinct.first());
                    prop_assert_eq!(table.owner(*position), expected.map(|(_, node)| *node));
                    let Some(mut slot) = table.find(*position) else { continue };
                    // Once around, from point to point.
                    for (other, node) in distinct.iter().cycle().skip(at % distinct.len()).take(distinct.len()) {
                        prop_assert_eq!(table.ahead(slot, *position), (other.wrapping_sub(*position), *node));
                        slot = table.after(slot);
                    }
                }
            }
        }
    }

    #[test]
    fn a_table_full_of_one_position_still_finds_it() {
        for position in [0, 1 << 30, END] {
            let mut table = Points::<Heap>::with_capacity(500);
            table.insert((0..500).map(|node| (position, node)), |a, b| a < b);
            assert_eq!((table.len(), table.owner(0), table.owner(END)), (500, Some(0), Some(0)));
            table.remove(0);
            assert_eq!((table.len(), table.owner(7)), (499, Some(1)));
        }
    }
}
