//! Filling a table, a bounded part at a time.

use super::super::node::Node;
use super::super::spread::below;
use crate::heap::{Order, sift_down};
use crate::storage::{List, Storage};
use core::fmt;

/// The mark of an entry that nobody has.
const FREE: u16 = u16::MAX;

/// A table in the making.
///
/// The nodes take turns, in the order of their keys; each takes the first free entry of its own order of all entries,
/// which an offset and a step give. With unequal weights the turns are in proportion: the k-th turn of a node is due at
/// (k + 1/2) / weight.
pub(super) struct Build<N: Storage> {
    candidates: N::List<Candidate>,
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
    number: u16,
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
        Self { candidates: heapless::Vec::new(), cleared: 0, left: 0, turn: 0, equal: true }
    }
}

#[cfg(feature = "alloc")]
impl Build<crate::storage::Heap> {
    pub(super) fn with_capacity(nodes: u32) -> Self {
        let candidates = crate::storage::HeapList::with_capacity(nodes as usize);
        Self { candidates, cleared: 0, left: 0, turn: 0, equal: true }
    }
}

impl<N: Storage> Build<N> {
    pub(super) const fn is_idle(&self) -> bool {
        self.left == 0
    }

    pub(super) const fn stop(&mut self) {
        self.left = 0;
    }

    /// Begins a table of `entries` for the nodes with weight; `ids` becomes what its entries stand for.
    pub(super) fn begin(&mut self, nodes: &[Node], ids: &mut N::List<u32>, entries: u32) {
        self.candidates.clear();
        ids.clear();
        // Places in the list of nodes first, in the order of keys.
        for (at, node) in nodes.iter().enumerate().filter(|(_, node)| node.share() > 0) {
            let candidate = Candidate {
                turns: 1,
                weight: node.share(),
                entry: below(node.key(), entries),
                step: 1 + below(node.key() << 32, entries - 1),
                number: at as u16,
            };
            // As many fit as there are nodes.
            _ = self.candidates.push(candidate);
        }
        self.candidates.sort_unstable_by_key(|candidate| nodes[usize::from(candidate.number)].key());
        for (number, candidate) in self.candidates.iter_mut().enumerate() {
            _ = ids.push(nodes[usize::from(candidate.number)].id());
            candidate.number = number as u16;
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
    pub(super) fn step(&mut self, table: &mut [u16], budget: u32) -> u32 {
        if self.left == 0 {
            return 0;
        }
        let clear = budget.min(table.len() as u32 - self.cleared);
        let from = self.cleared as usize;
        table[from..from + clear as usize].fill(FREE);
        self.cleared += clear;
        let budget = budget - clear;
        if self.equal {
            self.in_turn(table, budget)
        } else {
            self.by_weight(table, budget)
        }
        self.left
    }

    fn in_turn(&mut self, table: &mut [u16], mut budget: u32) {
        while self.left > 0 && self.candidates[self.turn].take_entry(table, &mut budget) {
            self.left -= 1;
            self.turn += 1;
            if self.turn == self.candidates.len() {
                self.turn = 0;
            }
        }
    }

    fn by_weight(&mut self, table: &mut [u16], mut budget: u32) {
        while self.left > 0 && self.candidates[0].take_entry(table, &mut budget) {
            self.left -= 1;
            sift_down(&mut self.candidates, 0, &mut Due);
        }
    }
}

impl Candidate {
    /// Takes the next free entry of its order. Each entry that it looks at costs one of `budget`; whether that sufficed.
    #[inline]
    fn take_entry(&mut self, table: &mut [u16], budget: &mut u32) -> bool {
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
            if *mine == FREE {
                *mine = self.number;
                self.entry = entry;
                self.turns += 2;
                return true;
            }
        }
        self.entry = entry;
        false
    }
}
