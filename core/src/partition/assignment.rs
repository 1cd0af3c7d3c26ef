//! Items of known cost to parts: the longest first.

use crate::fixed::Q32;
use crate::storage::{Inline, List, Storage};
use core::fmt;
use core::hint::select_unpredictable;
use core::num::NonZeroU32;

/// Why items were not assigned. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AssignError {
    /// There are more items than fit. Remedy: a larger capacity.
    TooManyItems,
    /// There are more parts than fit. Remedy: a larger capacity.
    TooManyParts,
    /// The costs add up to 2⁶⁴ or more. Remedy: a coarser unit.
    Overflow,
}

impl fmt::Display for AssignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyItems => "there are more items than fit; choose a larger capacity",
            Self::TooManyParts => "there are more parts than fit; choose a larger capacity",
            Self::Overflow => "the costs add up to 2^64 or more; use a coarser unit",
        })
    }
}

impl core::error::Error for AssignError {}

#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) cost: u64,
    pub(super) number: u32,
    /// The part of the item whose number is this place: where the two above stand is by cost, this is by number.
    pub(super) part: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) load: u64,
    number: u32,
}

impl Item {
    /// The longest first, equals by number. One wide comparison instead of two that depend on each other.
    const fn rank(&self) -> u128 {
        ((!self.cost as u128) << 32) | self.number as u128
    }
}

impl Part {
    /// The lightest first, equals by number.
    const fn rank(&self) -> u128 {
        ((self.load as u128) << 32) | self.number as u128
    }
}

/// A tree of losers: a knock-out tournament of parts in which the lightest wins.
///
/// Place 0 holds the winner, the other places the losers of their match; the parent of a place is half of it, and part
/// `p` of `n` enters below place `(p + n) / 2`. When the winner gets heavier, only the matches on its way are played
/// again: one comparison for each level, where a heap needs two.
struct Losers<'a>(&'a mut [Part]);

impl Losers<'_> {
    /// All parts, without load: the one with the lower number wins each match, so in a subtree it is the leftmost.
    fn play(parts: &mut [Part]) -> Losers<'_> {
        const EMPTY: u32 = u32::MAX;
        for part in parts.iter_mut() {
            *part = Part { load: 0, number: EMPTY };
        }
        let mut losers = Losers(parts);
        let len = losers.0.len();
        for number in 0..len {
            let mut winner = Part { load: 0, number: number as u32 };
            let mut place = (number + len) / 2;
            // Whoever comes first to a match waits there.
            while place > 0 && losers.0[place].number != EMPTY {
                losers.meet(place, &mut winner);
                place /= 2;
            }
            losers.0[place] = winner;
        }
        losers
    }

    /// The lighter of the two goes on, the other stays.
    fn meet(&mut self, place: usize, winner: &mut Part) {
        let other = self.0[place];
        let stays = other.rank() > winner.rank();
        self.0[place] = select_unpredictable(stays, other, *winner);
        *winner = select_unpredictable(stays, *winner, other);
    }

    /// Adds `cost` to the lightest part; which one that was.
    fn load(&mut self, cost: u64) -> u32 {
        let mut winner = self.0[0];
        let number = winner.number;
        winner.load += cost;
        let mut place = (number as usize + self.0.len()) / 2;
        while place > 0 {
            self.meet(place, &mut winner);
            place /= 2;
        }
        self.0[0] = winner;
        number
    }
}

/// Items of known cost, each assigned to one of several parts: the longest processing time rule (LPT).
///
/// The items go to the part with the least load, the longest first. The largest load is then at most
/// 4/3 − 1/(3 *m*) times the smallest that any assignment to *m* parts can reach; with many items per part it is
/// nearly 1. Equal costs go in order of their numbers and equal loads by the part's, so the answer is the same
/// everywhere.
///
/// *When not to use it:* when costs are not known beforehand (let idle workers take the next item), or when a handful of
/// items must fit exactly ([`Annealer`](super::Annealer) goes on from here).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::partition::{AssignError, Assignment};
/// use divvy::storage::Inline;
///
/// let two = NonZeroU32::new(2).expect("two is not zero");
/// let mut files = Assignment::<Inline<5>>::new();
/// files.longest_first(&[20, 70, 30, 40], two)?;
/// assert!(files.parts_of_items().eq([0, 0, 1, 1]));
/// assert_eq!((files.makespan(), files.lower_bound()), (90, 80));
/// assert_eq!(files.longest_first(&[1; 6], two), Err(AssignError::TooManyItems));
/// # Ok::<(), AssignError>(())
/// ```
///
/// # Complexity
///
/// [`longest_first`](Self::longest_first) *O*(items × log items); 16 bytes an item and 16 a part.
///
/// # References
///
/// Graham: *Bounds on multiprocessing timing anomalies*, SIAM Journal on Applied Mathematics 17(2), 1969.
#[derive(Debug)]
pub struct Assignment<S: Storage> {
    /// The longest first.
    pub(super) items: S::List<Item>,
    pub(super) parts: S::List<Part>,
}

impl<const N: usize> Default for Assignment<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Assignment<Inline<N>> {
    /// Nothing assigned yet; up to `N` items and `N` parts fit.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: heapless::Vec::new(), parts: heapless::Vec::new() }
    }
}

#[cfg(feature = "alloc")]
impl Assignment<crate::storage::Heap> {
    /// Nothing assigned yet; up to `items` items and `parts` parts fit, allocated now.
    #[must_use]
    pub fn with_capacity(items: usize, parts: usize) -> Self {
        use crate::storage::HeapList;
        Self { items: HeapList::with_capacity(items), parts: HeapList::with_capacity(parts) }
    }
}

impl<S: Storage> Assignment<S> {
    /// Assigns items of these `costs` to `parts`, in place of what was assigned before.
    ///
    /// # Errors
    ///
    /// [`AssignError`]; nothing changed.
    pub fn longest_first(&mut self, costs: &[u64], parts: NonZeroU32) -> Result<(), AssignError> {
        if costs.len() > self.items.capacity() || costs.len() > u32::MAX as usize {
            return Err(AssignError::TooManyItems);
        }
        if parts.get() as usize > self.parts.capacity() {
            return Err(AssignError::TooManyParts);
        }
        if costs.iter().try_fold(0u64, |sum, cost| sum.checked_add(*cost)).is_none() {
            return Err(AssignError::Overflow);
        }
        self.items.clear();
        self.parts.clear();
        for (number, cost) in (0..).zip(costs) {
            // There is room for all of them and for the parts: it was checked.
            let _ = self.items.push(Item { cost: *cost, number, part: 0 });
        }
        for number in 0..parts.get() {
            let _ = self.parts.push(Part { load: 0, number });
        }
        self.items.sort_unstable_by_key(Item::rank);
        let mut parts = Losers::play(&mut self.parts);
        for place in 0..self.items.len() {
            let Item { cost, number, .. } = self.items[place];
            self.items[number as usize].part = parts.load(cost);
        }
        by_number(&mut self.parts);
        Ok(())
    }

    /// The part that item `item` is assigned to, or `None` if there is no such item.
    #[must_use]
    pub fn part_of(&self, item: u32) -> Option<u32> {
        self.items.get(item as usize).map(|item| item.part)
    }

    /// The part of each item, in order.
    pub fn parts_of_items(&self) -> impl ExactSizeIterator<Item = u32> {
        self.items.iter().map(|item| item.part)
    }

    /// The load of each part, in order.
    pub fn loads(&self) -> impl ExactSizeIterator<Item = u64> {
        self.parts.iter().map(|part| part.load)
    }

    /// The largest load: when the last part is done, if all start together.
    #[must_use]
    pub fn makespan(&self) -> u64 {
        self.loads().max().unwrap_or(0)
    }

    /// What no assignment can be better than: the mean load or the longest item, whichever is more.
    #[must_use]
    pub fn lower_bound(&self) -> u64 {
        let longest = self.items.first().map_or(0, |item| item.cost);
        let total: u64 = self.loads().sum();
        longest.max(total.div_ceil((self.parts.len() as u64).max(1)))
    }

    /// The skew factor: the largest load over the mean. `None` without load.
    #[must_use]
    pub fn skew(&self) -> Option<Q32> {
        super::skew::of(self.loads())
    }
}

/// Puts parts, each number from 0 up once, into their order.
fn by_number(parts: &mut [Part]) {
    for place in 0..parts.len() {
        // Each exchange puts one part where it belongs, so there are fewer of them than parts.
        loop {
            let home = parts[place].number as usize;
            if home == place {
                break;
            }
            parts.swap(place, home);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cmp::Reverse;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn parts(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("tests ask for at least one part")
    }

    /// The smallest makespan there is, by trying everything; parts that are loaded alike are tried once.
    fn optimum(costs: &[u64], loads: &mut Vec<u64>, best: u64) -> u64 {
        let largest = loads.iter().copied().max().unwrap();
        let Some((cost, rest)) = costs.split_first() else { return largest.min(best) };
        let mut best = best;
        for part in 0..loads.len() {
            if loads[..part].contains(&loads[part]) || loads[part] + cost >= best {
                continue;
            }
            loads[part] += cost;
            best = optimum(rest, loads, best);
            loads[part] -= cost;
        }
        best
    }

    proptest! {
        #[test]
        fn the_makespan_keeps_grahams_bound(costs in prop::collection::vec(0u64..40, 1..10), m in 1u32..5) {
            let mut assignment = Assignment::<Inline<10>>::new();
            assignment.longest_first(&costs, parts(m)).unwrap();
            let best = optimum(&costs, &mut vec![0; m as usize], u64::MAX);
            let (m, makespan) = (u64::from(m), assignment.makespan());
            prop_assert!(best <= makespan && 3 * m * makespan <= (4 * m - 1) * best, "{makespan} for {best}");
            prop_assert!(assignment.lower_bound() <= best);
        }

        /// Against the rule as it is written: sort, scan for the least load.
        #[test]
        fn every_item_goes_where_a_scan_would_put_it(
            costs in prop::collection::vec(prop_oneof![0u64..5, any::<u32>().prop_map(u64::from)], 0..60), m in 1u32..20,
        ) {
            let mut assignment = Assignment::<Inline<60>>::new();
            assignment.longest_first(&[9; 60], parts(7)).unwrap();
            assignment.longest_first(&costs, parts(m)).unwrap();
            let mut order: Vec<usize> = (0..costs.len()).collect();
            order.sort_by_key(|item| Reverse(costs[*item]));
            let mut loads = vec![0u64; m as usize];
            for item in order {
                let lightest = (0..loads.len()).min_by_key(|part| loads[*part]).unwrap();
                prop_assert_eq!(assignment.part_of(item as u32), Some(lightest as u32));
                loads[lightest] += costs[item];
            }
            prop_assert_eq!(assignment.loads().collect::<Vec<_>>(), loads.clone());
            prop_assert_eq!(assignment.skew(), super::super::skew(&loads));
            prop_assert_eq!(assignment.parts_of_items().len(), costs.len());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut assignment = Assignment::<Inline<3>>::default();
        assignment.longest_first(&[1, 2, 3], parts(2)).unwrap();
        for (costs, m, error) in [
            (&[1; 4][..], 2, AssignError::TooManyItems),
            (&[1], 4, AssignError::TooManyParts),
            (&[u64::MAX, 1], 1, AssignError::Overflow),
        ] {
            assert_eq!(assignment.longest_first(costs, parts(m)), Err(error));
        }
        assert!(assignment.loads().eq([3, 3]));
        assignment.longest_first(&[], parts(2)).unwrap();
        assert_eq!((assignment.makespan(), assignment.lower_bound(), assignment.skew()), (0, 0, None));
        assignment.longest_first(&[u64::MAX], parts(2)).unwrap();
        assert_eq!((assignment.makespan(), assignment.lower_bound()), (u64::MAX, u64::MAX));
    }
}
