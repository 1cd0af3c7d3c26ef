//! Filling a table, a bounded part at a time.

use super::super::node::Node;
use super::super::spread::below;
use crate::heap::{Order, sift_down};
use crate::storage::{List, Storage};
use core::fmt;

/// A table in the making.
///
/// The nodes take turns, in the order of their keys; each takes the first free entry of its own order of all entries,
/// which an offset and a step give. With unequal weights the turns are in proportion: the k-th turn of a node is due at
/// (k + 1/2) / weight.
pub(super) struct Build<N: Storage> {
    candidates: N::List<Candidate>,
    /// The mark of an entry that nobody has: the id of no candidate.
    free: u32,
    /// How many entries from the start of the table are marked as free.
    cleared: u32,
    /// How many entries are to be filled, 0 when nothing is built.
    left: u32,
    /// Whose turn it is, while weights are equal.
    turn: usize,
    equal: bool,
}

impl<N: Storage> fmt::Debug for Build<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Build").field("left", &self.left).finish_non_exhaustive()
    }
}

/// A node that takes turns.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Twice the turns it had, and one.
    turns: u32,
    weight: u32,
    /// The entry it tries next.
    entry: u32,
    /// From there to the one after.
    step: u32,
    /// Its place in the order of keys.
    number: u32,
    id: u32,
}

/// The one whose turn is due.
struct Due;

impl Order<Candidate> for Due {
    fn before(&self, a: &Candidate, b: &Candidate) -> bool {
        let (mine, other) =
            (u64::from(a.turns) * u64::from(b.weight), u64::from(b.turns) * u64::from(a.weight));
        (mine, a.number) < (other, b.number)
    }
}

impl<const N: usize> Build<crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        Self { candidates: heapless::Vec::new(), free: 0, cleared: 0, left: 0, turn: 0, equal: true }
    }
}

#[cfg(feature = "alloc")]
impl Build<crate::storage::Heap> {
    pub(super) fn with_capacity(nodes: u32) -> Self {
        let candidates = crate::storage::HeapList::with_capacity(nodes as usize);
        Self { candidates, free: 0, cleared: 0, left: 0, turn: 0, equal: true }
    }
}

impl<N: Storage> Build<N> {
    pub(super) const fn is_idle(&self) -> bool {
        self.left == 0
    }

    pub(super) const fn stop(&mut self) {
        self.left = 0;
    }

    /// Whether the table begun last is one for no node at all.
    pub(super) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Begins a table of `entries` for the nodes with weight.
    pub(super) fn begin(&mut self, nodes: &[Node], entries: u32) {
        self.candidates.clear();
        // Their places in the list of nodes first, then those in the order of keys.
        for (node, number) in nodes.iter().zip(0..).filter(|(node, _)| node.share() > 0) {
            let candidate = Candidate {
                turns: 1,
                weight: node.share(),
                entry: below(node.key(), entries),
                step: 1 + below(node.key() << 32, entries - 1),
                number,
                id: node.id(),
            };
            // As many fit as there are nodes.
            _ = self.candidates.push(candidate);
        }
        self.candidates.sort_unstable_by_key(|candidate| nodes[candidate.number as usize].key());
        for (candidate, number) in self.candidates.iter_mut().zip(0..) {
            candidate.number = number;
        }
        // One of the first so many and one ids is free.
        self.free = u32::MAX;
        while self.candidates.iter().any(|candidate| candidate.id == self.free) {
            self.free -= 1;
        }
        let first = self.candidates.first().map(|candidate| candidate.weight);
        self.equal = self.candidates.iter().all(|candidate| Some(candidate.weight) == first);
        if !self.equal {
            for at in (0..self.candidates.len() / 2).rev() {
                sift_down(&mut self.candidates, at, &mut Due);
            }
        }
        (self.turn, self.cleared) = (0, 0);
        self.left = if self.candidates.is_empty() { 0 } else { entries };
    }

    /// Clears or tries up to `budget` entries of the table that was begun; how many are left to be filled.
    pub(super) fn step(&mut self, table: &mut [u32], budget: u32) -> u32 {
        if self.left == 0 {
            return 0;
        }
        let clear = budget.min(table.len() as u32 - self.cleared);
        let from = self.cleared as usize;
        table[from..from + clear as usize].fill(self.free);
        self.cleared += clear;
        let budget = budget - clear;
        if self.equal {
            self.in_turn(table, budget)
        } else {
            self.by_weight(table, budget)
        }
        self.left
    }

    fn in_turn(&mut self, table: &mut [u32], mut budget: u32) {
        while self.left > 0 && self.candidates[self.turn].take_entry(table, self.free, &mut budget) {
            self.left -= 1;
            self.turn += 1;
            if self.turn == self.candidates.len() {
                self.turn = 0;
            }
        }
    }

    fn by_weight(&mut self, table: &mut [u32], mut budget: u32) {
        while self.left > 0 && self.candidates[0].take_entry(table, self.free, &mut budget) {
            self.left -= 1;
            sift_down(&mut self.candidates, 0, &mut Due);
        }
    }
}

impl Candidate {
    /// Takes the next free entry of its order. Each entry that it looks at costs one of `budget`; whether that sufficed.
    #[inline]
    fn take_entry(&mut self, table: &mut [u32], free: u32, budget: &mut u32) -> bool {
        let entries = table.len() as u32;
        let mut entry = self.entry;
        while *budget > 0 {
            *budget -= 1;
            let mine = &mut table[entry as usize];
            // The number of entries is a prime, so each step leads past all of them before it comes back.
            entry += self.step;
            if entry >= entries {
                entry -= entries;
            }
            if *mine == free {
                *mine = self.id;
                self.entry = entry;
                self.turns += 2;
                return true;
            }
        }
        self.entry = entry;
        false
    }
}
