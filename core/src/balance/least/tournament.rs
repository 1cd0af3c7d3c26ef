//! Who is first by some measure, kept up to date while one after the other changes.

use crate::storage::{List, Storage};

/// What slots are compared by.
pub(super) trait Rank: Copy {
    /// The rank of who does not take part: it comes after every other.
    const ABSENT: Self;

    /// Whether this goes before `other`.
    fn before(&self, other: &Self) -> bool;

    /// Whether this is [`ABSENT`](Self::ABSENT).
    fn is_absent(&self) -> bool;
}

/// A tournament of slots: the winner of each match is the one that goes before the other, and the winner of the last match
/// goes before all. A change replays the matches of one slot until the outcome stays: *O*(log slots) at most.
pub(super) struct Tournament<R: Rank, S: Storage> {
    /// Of each slot the rank.
    ranks: S::List<R>,
    /// Of each match the winner, from match 1 on, which is the last to be played. Match `i` is between the winners of
    /// matches `2i` and `2i + 1`; numbers from that of the slots on stand for the slots themselves.
    winners: S::List<u32>,
}

impl<R: Rank, const N: usize> Tournament<R, crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        Self { ranks: heapless::Vec::new(), winners: heapless::Vec::new() }
    }
}

#[cfg(feature = "alloc")]
impl<R: Rank> Tournament<R, crate::storage::Heap> {
    pub(super) fn with_capacity(slots: u32) -> Self {
        use crate::storage::HeapList;
        Self {
            ranks: HeapList::with_capacity(slots as usize),
            winners: HeapList::with_capacity(slots as usize),
        }
    }
}

impl<R: Rank, S: Storage> Tournament<R, S> {
    /// How many slots fit.
    pub(super) fn capacity(&self) -> u32 {
        self.ranks.capacity() as u32
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> u32 {
        self.ranks.len() as u32
    }

    /// The rank of `slot`.
    pub(super) fn rank(&self, slot: u32) -> R {
        self.ranks.get(slot as usize).copied().unwrap_or(R::ABSENT)
    }

    /// Begins anew with the slots below `slots`, whose ranks `rank` tells from the ones they had. *O*(slots). More slots
    /// than fit do not take part.
    pub(super) fn rebuild(&mut self, slots: u32, mut rank: impl FnMut(u32, R) -> R) {
        let slots = slots.min(self.capacity());
        for slot in 0..slots {
            let new = rank(slot, self.rank(slot));
            match self.ranks.get_mut(slot as usize) {
                Some(old) => *old = new,
                None => {
                    // It fits, as `slots` is at most the capacity.
                    let _ = self.ranks.push(new);
                }
            }
        }
        while self.ranks.len() > slots as usize {
            self.ranks.pop();
        }
        self.winners.clear();
        while self.winners.len() < slots as usize {
            let _ = self.winners.push(0);
        }
        for at in (1..slots as usize).rev() {
            self.winners[at] = self.play(at);
        }
    }

    /// Gives `slot` another rank.
    pub(super) fn set(&mut self, slot: u32, rank: R) {
        let slots = self.ranks.len();
        let Some(old) = self.ranks.get_mut(slot as usize) else { return };
        *old = rank;
        let mut at = (slots + slot as usize) / 2;
        while at > 0 && slots > 1 {
            let (before, after) = (self.winners[at], self.play(at));
            self.winners[at] = after;
            if before != slot && after != slot {
                // It lost here and still does: nobody above knows of it.
                break;
            }
            at /= 2;
        }
    }

    /// The slot that goes before all others, if any takes part.
    pub(super) fn first(&self) -> Option<u32> {
        let first = match self.ranks.len() {
            0 => return None,
            1 => 0,
            _ => self.winners[1],
        };
        (!self.ranks[first as usize].is_absent()).then_some(first)
    }

    /// The winner of match `at`; the first of two equals.
    fn play(&self, at: usize) -> u32 {
        let contestant = |at: usize| match at.checked_sub(self.ranks.len()) {
            Some(slot) => slot as u32,
            None => self.winners[at],
        };
        let (a, b) = (contestant(2 * at), contestant(2 * at + 1));
        if self.ranks[b as usize].before(&self.ranks[a as usize]) { b } else { a }
    }
}

impl<R: Rank, S: Storage> core::fmt::Debug for Tournament<R, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tournament").field("first", &self.first()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Inline;
    use proptest::prelude::*;
    use std::vec::Vec;

    impl Rank for u64 {
        const ABSENT: Self = Self::MAX;

        fn before(&self, other: &Self) -> bool {
            self < other
        }

        fn is_absent(&self) -> bool {
            *self == Self::MAX
        }
    }

    proptest! {
        #[test]
        fn the_first_is_the_least(
            slots in 0u32..20,
            changes in prop::collection::vec((0u32..22, prop_oneof![4 => 0u64..9, 1 => Just(u64::MAX)]), 0..60),
        ) {
            let mut tournament = Tournament::<u64, Inline<20>>::new();
            tournament.rebuild(slots, |slot, _| u64::from(slot) * 7 % 5);
            let mut model: Vec<u64> = (0..slots).map(|slot| u64::from(slot) * 7 % 5).collect();
            for (slot, rank) in changes {
                tournament.set(slot, rank);
                if let Some(old) = model.get_mut(slot as usize) {
                    *old = rank;
                }
                let least = model.iter().min().copied().filter(|least| *least != u64::MAX);
                prop_assert_eq!(tournament.first().map(|slot| model[slot as usize]), least);
            }
        }
    }
}
