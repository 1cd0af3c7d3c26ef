//! The sums of load, group by group.

use super::{Select, TreeError};
use crate::Rng;
use crate::storage::{Inline, List, Storage};
use core::fmt;

/// Load and weight, of a member or of all below a group.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Load {
    pub(super) load: u64,
    pub(super) weight: u64,
}

impl Load {
    /// Whether one more here would leave less load per weight than one more there.
    fn lighter(self, other: Self) -> bool {
        match (self.load.checked_add(1), other.load.checked_add(1)) {
            // Without 128 bits where 64 do: nearly always.
            (Some(a), Some(b)) => match (a.checked_mul(other.weight), b.checked_mul(self.weight)) {
                (Some(a), Some(b)) => a < b,
                _ => u128::from(a) * u128::from(other.weight) < u128::from(b) * u128::from(self.weight),
            },
            (a, b) => a.is_some() && b.is_none(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Group {
    sum: Load,
    parent: u32,
    /// The first of the groups below it, and how many there are.
    first: u32,
    groups: u32,
    /// Where in `Tree::order` the slots right below it begin, and how many there are.
    start: u32,
    slots: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Leaf {
    /// What the sums above have of it: no weight while it is not a candidate.
    load: u32,
    weight: u32,
    group: u32,
    hidden: bool,
}

/// A tree whose groups are numbered level by level, so that those of one parent stand side by side.
pub(super) struct Tree<S: Storage> {
    groups: S::List<Group>,
    leaves: S::List<Leaf>,
    /// The slots, those of one group side by side.
    order: S::List<u32>,
    /// Of the complete tree, until the caller gives another.
    fan_out: u32,
}

impl<const N: usize> Tree<Inline<N>> {
    pub(super) const fn new(fan_out: u32) -> Self {
        Self {
            groups: heapless::Vec::new(),
            leaves: heapless::Vec::new(),
            order: heapless::Vec::new(),
            fan_out: if fan_out < 2 { 2 } else { fan_out },
        }
    }
}

#[cfg(feature = "alloc")]
impl Tree<crate::storage::Heap> {
    pub(super) fn with_capacity(members: u32, fan_out: u32) -> Self {
        use crate::storage::HeapList;
        Self {
            groups: HeapList::with_capacity(members as usize),
            leaves: HeapList::with_capacity(members as usize),
            order: HeapList::with_capacity(members as usize),
            fan_out: fan_out.max(2),
        }
    }
}

impl<S: Storage> Tree<S> {
    /// Makes this the tree.
    pub(super) fn set(&mut self, parents: &[u32], group_of: &[u32]) -> Result<(), TreeError> {
        if parents.len() > self.groups.capacity() || group_of.len() > self.leaves.capacity() {
            return Err(TreeError::TooMany);
        }
        let rising = parents.windows(2).all(|pair| pair[0] <= pair[1]);
        let below =
            (0u32..).zip(parents).all(|(group, parent)| *parent < group || group == 0 && *parent == 0);
        if parents.is_empty() || !rising || !below {
            return Err(TreeError::Order);
        }
        if group_of.iter().any(|group| *group as usize >= parents.len()) {
            return Err(TreeError::Unknown);
        }
        self.groups.clear();
        self.leaves.clear();
        for &parent in parents {
            self.add_group(parent);
        }
        for &group in group_of {
            // Checked against the capacity above.
            let _ = self.leaves.push(Leaf { group, ..Leaf::default() });
        }
        Ok(())
    }

    /// The complete tree over `slots`, numbered as a heap is: its lowest groups have the slots in order.
    fn complete(&mut self, slots: u32) {
        let k = u64::from(self.fan_out);
        let lowest = u64::from(slots).div_ceil(k).max(1);
        // Each group that has groups below it turns one place into k.
        let upper = (lowest - 1).div_ceil(k - 1);
        for group in 0..upper + lowest {
            self.add_group(if group == 0 { 0 } else { ((group - 1) / k) as u32 });
        }
        for slot in 0..u64::from(slots) {
            let _ = self.leaves.push(Leaf { group: (upper + slot / k) as u32, ..Leaf::default() });
        }
    }

    fn add_group(&mut self, parent: u32) {
        let number = self.groups.len() as u32;
        let group = Group { sum: Load::default(), parent, first: 0, groups: 0, start: 0, slots: 0 };
        if self.groups.push(group).is_ok() && number > 0 {
            let parent = &mut self.groups[parent as usize];
            if parent.groups == 0 {
                parent.first = number;
            }
            parent.groups += 1;
        }
    }

    /// Adds up anew, for `slots` slots of which the `candidates` have load and weight.
    pub(super) fn rebuild(
        &mut self,
        slots: u32,
        candidates: impl Iterator<Item = (u32, Load)>,
    ) -> Result<(), TreeError> {
        if slots as usize > self.leaves.capacity() {
            return Err(TreeError::TooMany);
        }
        if self.groups.is_empty() {
            self.complete(slots);
        }
        while self.leaves.len() < slots as usize {
            let _ = self.leaves.push(Leaf::default());
        }
        for group in self.groups.iter_mut() {
            (group.sum, group.slots) = (Load::default(), 0);
        }
        // Slots in the order of their groups, by counting.
        for leaf in self.leaves.iter() {
            self.groups[leaf.group as usize].slots += 1;
        }
        let mut start = 0;
        for group in self.groups.iter_mut() {
            group.start = start;
            start += group.slots;
            group.slots = 0;
        }
        self.order.clear();
        for _ in 0..self.leaves.len() {
            let _ = self.order.push(0);
        }
        for (slot, leaf) in self.leaves.iter_mut().enumerate() {
            let group = &mut self.groups[leaf.group as usize];
            self.order[(group.start + group.slots) as usize] = slot as u32;
            group.slots += 1;
            *leaf = Leaf { group: leaf.group, ..Leaf::default() };
        }
        for (slot, sum) in candidates {
            if let Some(leaf) = self.leaves.get_mut(slot as usize) {
                (leaf.load, leaf.weight) = (sum.load as u32, sum.weight as u32);
                self.groups[leaf.group as usize].sum.load += sum.load;
                self.groups[leaf.group as usize].sum.weight += sum.weight;
            }
        }
        for at in (1..self.groups.len()).rev() {
            let Group { sum, parent, .. } = self.groups[at];
            self.groups[parent as usize].sum.load += sum.load;
            self.groups[parent as usize].sum.weight += sum.weight;
        }
        Ok(())
    }

    /// The candidate in `slot` has this load now.
    pub(super) fn set_load(&mut self, slot: u32, load: u32) {
        if let Some(leaf) = self.leaves.get_mut(slot as usize).filter(|leaf| leaf.weight > 0) {
            let (old, group) = (leaf.load, leaf.group);
            leaf.load = load;
            self.climb(group, |sum| sum.load = sum.load - u64::from(old) + u64::from(load));
        }
    }

    /// Takes the candidate in `slot` out of the sums, until [`show`](Self::show).
    pub(super) fn hide(&mut self, slot: u32) {
        if let Some(leaf) = self.leaves.get_mut(slot as usize).filter(|leaf| leaf.weight > 0 && !leaf.hidden)
        {
            leaf.hidden = true;
            let Leaf { load, weight, group, .. } = *leaf;
            self.climb(group, |sum| {
                sum.load -= u64::from(load);
                sum.weight -= u64::from(weight);
            });
        }
    }

    /// Undoes [`hide`](Self::hide).
    pub(super) fn show(&mut self, slot: u32) {
        if let Some(leaf) = self.leaves.get_mut(slot as usize).filter(|leaf| leaf.hidden) {
            leaf.hidden = false;
            let Leaf { load, weight, group, .. } = *leaf;
            self.climb(group, |sum| {
                sum.load += u64::from(load);
                sum.weight += u64::from(weight);
            });
        }
    }

    /// Changes the sums of `group` and of all above it.
    fn climb(&mut self, mut group: u32, change: impl Fn(&mut Load)) {
        loop {
            let at = &mut self.groups[group as usize];
            change(&mut at.sum);
            if group == 0 {
                return;
            }
            group = at.parent;
        }
    }

    /// From the root down to a slot; `None` if none has weight.
    pub(super) fn descend(&self, select: Select, rng: &mut impl Rng) -> Option<u32> {
        let mut group = self.groups.first().filter(|root| root.sum.weight > 0)?;
        loop {
            // The groups below it and the slots below it are one row of places.
            let place = |at: u32| -> Load {
                if at < group.groups {
                    self.groups[(group.first + at) as usize].sum
                } else {
                    let leaf = &self.leaves[self.order[(group.start + at - group.groups) as usize] as usize];
                    let weight = if leaf.hidden { 0 } else { leaf.weight };
                    Load { load: leaf.load.into(), weight: weight.into() }
                }
            };
            let at = choose(select, group.groups + group.slots, place, rng)?;
            if at >= group.groups {
                return Some(self.order[(group.start + at - group.groups) as usize]);
            }
            group = &self.groups[(group.first + at) as usize];
        }
    }
}

impl<S: Storage> fmt::Debug for Tree<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("groups", &&*self.groups).finish_non_exhaustive()
    }
}

/// One of `len` places that has weight.
fn choose(select: Select, len: u32, place: impl Fn(u32) -> Load, rng: &mut impl Rng) -> Option<u32> {
    if len <= 1 {
        return (0..len).find(|at| place(*at).weight > 0);
    }
    // One draw: where to begin and, for the second of two, how far from there.
    let draw = rng.next_u64();
    let scale = |half: u64, n: u32| ((half * u64::from(n)) >> 32) as u32;
    let start = scale(draw >> 32, len);
    if select == Select::LowerOfTwo {
        let other = (u64::from(start) + 1 + u64::from(scale(draw & 0xFFFF_FFFF, len - 1))) % u64::from(len);
        let (a, b) = (place(start), place(other as u32));
        if a.weight > 0 && b.weight > 0 {
            return Some(if b.lighter(a) { other as u32 } else { start });
        }
    }
    let mut best: Option<(u32, Load)> = None;
    for at in (start..len).chain(0..start) {
        let load = place(at);
        if load.weight > 0 && best.is_none_or(|(_, least)| load.lighter(least)) {
            best = Some((at, load));
        }
    }
    best.map(|(at, _)| at)
}

#[cfg(test)]
impl<S: Storage> Tree<S> {
    /// The sums of all groups, as kept and as added up anew.
    pub(super) fn sums(&self) -> std::vec::Vec<(Load, Load)> {
        let mut exact = std::vec![Load::default(); self.groups.len()];
        for leaf in self.leaves.iter().filter(|leaf| leaf.weight > 0) {
            let mut group = leaf.group as usize;
            loop {
                exact[group].load += u64::from(leaf.load);
                exact[group].weight += u64::from(leaf.weight);
                if group == 0 {
                    break;
                }
                group = self.groups[group].parent as usize;
            }
        }
        self.groups.iter().map(|group| group.sum).zip(exact).collect()
    }

    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }
}
