//! A bounded table from key to member that forgets what was not used for longest.

use crate::balance::MemberId;
use crate::storage::{Inline, InlineSlots, List, Storage};
use crate::time::Instant;
use core::fmt;

const NONE: u32 = u32::MAX;

/// A key's member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) key: u64,
    pub(super) member: MemberId,
    pub(super) used: Instant,
    /// The next entry of the same bucket.
    next: u32,
    /// Towards the one that was used last.
    newer: u32,
    /// Towards the one that was not used for longest.
    older: u32,
}

/// Buckets of chained entries, and one list through all entries in the order of their use.
pub(super) struct Table<S: Storage> {
    entries: S::List<Binding>,
    /// The first entry of each bucket, plus 1; 0: none.
    buckets: S::Slots<u32>,
    newest: u32,
    oldest: u32,
}

impl<const N: usize> Table<Inline<N>> {
    pub(super) const fn new() -> Self {
        const { assert!(N < NONE as usize, "entries are numbered in 32 bits") };
        Self { entries: heapless::Vec::new(), buckets: InlineSlots([0; N]), newest: NONE, oldest: NONE }
    }
}

#[cfg(feature = "alloc")]
impl Table<crate::storage::Heap> {
    pub(super) fn with_capacity(keys: u32) -> Self {
        let keys = keys.min(NONE - 1) as usize;
        Self {
            entries: crate::storage::HeapList::with_capacity(keys),
            buckets: alloc::vec![0; keys].into(),
            newest: NONE,
            oldest: NONE,
        }
    }
}

impl<S: Storage> Table<S> {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of `key`.
    pub(super) fn find(&self, key: u64) -> Option<u32> {
        let mut at = self.buckets.get(self.bucket(key))?.wrapping_sub(1);
        while let Some(entry) = self.entries.get(at as usize) {
            if entry.key == key {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    /// What entry `at` says; the entry exists.
    pub(super) fn entry(&self, at: u32) -> &Binding {
        &self.entries[at as usize]
    }

    /// Makes entry `at` the newest, used `now`.
    pub(super) fn touch(&mut self, at: u32, now: Instant) {
        self.entries[at as usize].used = now;
        if self.newest != at {
            self.unlist(at);
            self.list(at);
        }
    }

    /// Gives entry `at` to another member.
    pub(super) fn rebind(&mut self, at: u32, member: MemberId) {
        self.entries[at as usize].member = member;
    }

    /// Adds an entry for `key`, which has none; true if another one was forgotten for it.
    pub(super) fn insert(&mut self, now: Instant, key: u64, member: MemberId) -> bool {
        let fresh = Binding { key, member, used: now, next: NONE, newer: NONE, older: NONE };
        let full = self.entries.push(fresh).is_err();
        let at = if full {
            let at = self.oldest;
            if at == NONE {
                return false;
            }
            self.unlist(at);
            self.unchain(at);
            self.entries[at as usize] = fresh;
            at
        } else {
            self.entries.len() as u32 - 1
        };
        let bucket = self.bucket(key);
        self.entries[at as usize].next = self.buckets[bucket].wrapping_sub(1);
        self.buckets[bucket] = at + 1;
        self.list(at);
        full
    }

    /// Forgets every key.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.buckets.fill(0);
        (self.newest, self.oldest) = (NONE, NONE);
    }

    /// Keys are hashes: their upper half, scaled.
    fn bucket(&self, key: u64) -> usize {
        (((key >> 32) * self.buckets.len() as u64) >> 32) as usize
    }

    fn list(&mut self, at: u32) {
        (self.entries[at as usize].newer, self.entries[at as usize].older) = (NONE, self.newest);
        match self.entries.get_mut(self.newest as usize) {
            Some(second) => second.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlist(&mut self, at: u32) {
        let Binding { newer, older, .. } = self.entries[at as usize];
        match self.entries.get_mut(newer as usize) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        match self.entries.get_mut(older as usize) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn unchain(&mut self, at: u32) {
        let Binding { key, next, .. } = self.entries[at as usize];
        let bucket = self.bucket(key);
        let mut before = self.buckets[bucket].wrapping_sub(1);
        if before == at {
            self.buckets[bucket] = next.wrapping_add(1);
            return;
        }
        while let Some(entry) = self.entries.get_mut(before as usize) {
            if entry.next == at {
                entry.next = next;
                return;
            }
            before = entry.next;
        }
    }
}

impl<S: Storage> fmt::Debug for Table<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("keys", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        /// Against a plain list in the order of use.
        #[test]
        fn remembers_what_was_used_last(ops in prop::collection::vec((any::<bool>(), 0u64..12, 0u32..4), 1..200)) {
            let mut table = Table::<Inline<5>>::new();
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (nth, (touch, key, slot)) in ops.into_iter().enumerate() {
                // Few different buckets, so that chains occur.
                let hash = (key % 3) << 62 | key;
                let now = Instant::from_nanos(nth as u64);
                let member = MemberId { slot, generation: 0 };
                let known = model.iter().position(|(k, _)| *k == hash);
                let at = table.find(hash);
                prop_assert_eq!(at.map(|at| table.entry(at).member.slot()), known.map(|known| model[known].1));
                match (at, known) {
                    (Some(at), Some(known)) => {
                        let (_, mut bound) = model.remove(known);
                        if !touch {
                            table.rebind(at, member);
                            bound = slot;
                        }
                        table.touch(at, now);
                        prop_assert_eq!(table.entry(at).used, now);
                        model.push((hash, bound));
                    }
                    _ => {
                        prop_assert_eq!(table.insert(now, hash, member), model.len() == 5);
                        if model.len() == 5 {
                            model.remove(0);
                        }
                        model.push((hash, slot));
                    }
                }
                prop_assert_eq!(table.len(), model.len());
            }
            table.clear();
            prop_assert!(table.len() == 0 && model.iter().all(|(key, _)| table.find(*key).is_none()));
        }
    }

    #[test]
    fn a_table_for_no_key_keeps_none() {
        let mut table = Table::<Inline<0>>::new();
        assert!(!table.insert(Instant::ZERO, 1, MemberId { slot: 0, generation: 0 }));
        assert_eq!(table.find(1), None);
    }
}
