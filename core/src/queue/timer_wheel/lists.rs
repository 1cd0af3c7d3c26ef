//! The timers of each slot: doubly linked lists through one slab of nodes.

use super::slots::{Shape, SlotSet, slot_from};
#[cfg(test)]
use super::slots::{level_of_slot, slot_of};
use crate::storage::Full;
use core::borrow::{Borrow, BorrowMut};
use core::mem;

/// The end of a list. Beyond every node, as [`HEAD`] is.
pub(super) const NONE: u32 = u32::MAX;

/// Set in the link back of a list's first node; the other bits are the number of its head.
const HEAD: u32 = 1 << 31;

/// A slot has one lane, or 2 to the power of this.
pub(super) const LANE_BITS: u32 = 4;
const LANES: usize = 1 << LANE_BITS;

/// A timer, or a place for one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<T> {
    tick: u64,
    /// In a list the node behind this one, or `NONE`. Of a free node, how many nodes further than the one after it in
    /// memory the next free one is: so nodes that were never used are a list already.
    next: u32,
    /// The node before this one, or the head with `HEAD`.
    previous: u32,
    /// How often it was used.
    generation: u32,
    /// Nothing where it is free.
    item: Option<T>,
}

impl<T> Node<T> {
    pub(super) const EMPTY: Self = Self { tick: 0, next: 0, previous: NONE, generation: 0, item: None };
}

/// As many sets of timers as there are slots.
///
/// A slot has several lists, its lanes; which of them a node is in, its number tells. Whoever moves a slot walks all its
/// lanes at once, as the next node is found only by way of the one before it: so the processor waits for one node of each
/// lane at a time, not for one node. Slots of level 0 have their nodes in one lane, whose nodes were just moved there.
pub(super) struct Lists<T, S: Shape> {
    /// The first node of each lane, or `NONE`. The lanes of a slot are side by side.
    heads: S::Heads,
    nodes: S::Slots<Node<T>>,
    /// A slot has 2 to the power of this.
    lane_bits: u32,
    lane_mask: u32,
    /// The next node that will be used; beyond the nodes if there is none.
    free: u32,
    len: u32,
    /// Which slots hold timers.
    occupied: SlotSet,
}

impl<T, S: Shape> Lists<T, S> {
    pub(super) const fn new(heads: S::Heads, nodes: S::Slots<Node<T>>, lane_bits: u32) -> Self {
        Self {
            heads,
            nodes,
            lane_bits,
            lane_mask: (1 << lane_bits) - 1,
            free: 0,
            len: 0,
            occupied: SlotSet::new(),
        }
    }

    /// How many nodes there are.
    pub(super) fn capacity(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// How many of them are in lists.
    #[inline]
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// The first slot that holds timers.
    #[inline]
    pub(super) const fn first_slot(&self) -> Option<usize> {
        self.occupied.first()
    }

    /// Puts a timer where it belongs, seen from `cursor`: its node, and which use of it this is.
    #[inline]
    pub(super) fn insert(&mut self, cursor: u64, tick: u64, item: T) -> Result<(u32, u32), Full<T>> {
        let index = self.free;
        let Some(node) = self.nodes.get_mut(index as usize) else { return Err(Full(item)) };
        self.free = index.wrapping_add(node.next).wrapping_add(1);
        self.len += 1;
        node.item = Some(item);
        node.generation = node.generation.wrapping_add(1);
        let generation = node.generation;
        self.push(cursor, tick, index);
        Ok((index, generation))
    }

    #[inline]
    fn push(&mut self, cursor: u64, tick: u64, index: u32) {
        let slot = slot_from::<S>(cursor, tick);
        let lane = if slot < S::DIGITS { 0 } else { index & self.lane_mask };
        let head = slot << self.lane_bits | lane as usize;
        let first = mem::replace(&mut self.heads.borrow_mut()[head], index);
        let node = &mut self.nodes[index as usize];
        node.tick = tick;
        node.next = first;
        node.previous = HEAD | head as u32;
        match self.nodes.get_mut(first as usize) {
            Some(first) => first.previous = index,
            None => self.occupied.insert(slot),
        }
    }

    /// Takes the timer of the use `generation` of `index` out, if it is there.
    #[inline]
    pub(super) fn take(&mut self, index: u32, generation: u32) -> Option<T> {
        let node = self.nodes.get_mut(index as usize).filter(|node| node.generation == generation)?;
        let item = node.item.take()?;
        let Node { next, previous, .. } = *node;
        self.release(index);
        if let Some(next) = self.nodes.get_mut(next as usize) {
            next.previous = previous;
        }
        if let Some(previous) = self.nodes.get_mut(previous as usize) {
            previous.next = next;
        } else {
            let head = (previous & !HEAD) as usize;
            self.heads.borrow_mut()[head] = next;
            if next == NONE {
                self.leave(head >> self.lane_bits);
            }
        }
        Some(item)
    }

    /// Takes a timer out of `slot`, which is of level 0: it, and whether it was the only one.
    #[inline]
    pub(super) fn pop(&mut self, slot: usize) -> Option<(T, bool)> {
        let head = slot << self.lane_bits;
        let index = self.heads.borrow()[head];
        let node = self.nodes.get_mut(index as usize)?;
        let (next, item) = (node.next, node.item.take()?);
        self.release(index);
        self.heads.borrow_mut()[head] = next;
        match self.nodes.get_mut(next as usize) {
            Some(node) => node.previous = HEAD | head as u32,
            None => self.occupied.remove(slot),
        }
        Some((item, next == NONE))
    }

    /// Moves up to `most` timers of `slot`, which is at `cursor`, to slots of lower levels: how many, and whether it is
    /// empty now.
    #[inline]
    pub(super) fn drain(&mut self, slot: usize, cursor: u64, most: u32) -> (u32, bool) {
        match self.lane_bits {
            0 => self.drain_lanes::<1>(slot, cursor, most),
            _ => self.drain_lanes::<LANES>(slot, cursor, most),
        }
    }

    #[inline]
    fn drain_lanes<const N: usize>(&mut self, slot: usize, cursor: u64, most: u32) -> (u32, bool) {
        let mut at = [NONE; N];
        at.copy_from_slice(self.lanes(slot));
        let mut read = [(0, NONE); N];
        let (mut moved, mut any) = (0, true);
        while any && moved < most {
            any = false;
            // All are read before any is moved, so that there is little else between the reads.
            for (at, read) in at.iter().zip(&mut read) {
                if let Some(node) = self.nodes.get(*at as usize) {
                    *read = (node.tick, node.next);
                }
            }
            for (at, (tick, next)) in at.iter_mut().zip(&read) {
                if *at != NONE && moved < most {
                    self.push(cursor, *tick, *at);
                    *at = *next;
                    moved += 1;
                    any = true;
                }
            }
        }
        let head = slot << self.lane_bits;
        for (head, first) in (head..).zip(at) {
            self.heads.borrow_mut()[head] = first;
            if let Some(node) = self.nodes.get_mut(first as usize) {
                node.previous = HEAD | head as u32;
            }
        }
        (moved, self.leave(slot))
    }

    /// Notes that `slot` holds no timers, if that is so: whether.
    fn leave(&mut self, slot: usize) -> bool {
        let empty = self.lanes(slot).iter().all(|first| *first == NONE);
        if empty {
            self.occupied.remove(slot);
        }
        empty
    }

    /// Makes `index` free, which is in no list any more.
    #[inline]
    fn release(&mut self, index: u32) {
        self.nodes[index as usize].next = self.free.wrapping_sub(index).wrapping_sub(1);
        self.free = index;
        self.len -= 1;
    }

    /// The earliest tick in `slot`.
    pub(super) fn earliest(&self, slot: usize) -> Option<u64> {
        let mut earliest = None;
        for first in self.lanes(slot) {
            let mut at = *first;
            while let Some(node) = self.nodes.get(at as usize) {
                earliest = earliest.into_iter().chain([node.tick]).min();
                at = node.next;
            }
        }
        earliest
    }

    fn lanes(&self, slot: usize) -> &[u32] {
        &self.heads.borrow()[slot << self.lane_bits..(slot + 1) << self.lane_bits]
    }

    /// Panics where the lists are not what they should be.
    #[cfg(test)]
    pub(super) fn check(&self, cursor: u64) {
        let mut live = 0;
        for slot in 0..self.heads.borrow().len() >> self.lane_bits {
            let mut filled = false;
            for (lane, first) in self.lanes(slot).iter().enumerate() {
                let head = slot << self.lane_bits | lane;
                let (mut at, mut previous) = (*first, HEAD | head as u32);
                while at != NONE {
                    let node = &self.nodes[at as usize];
                    assert!(node.item.is_some() && node.previous == previous);
                    assert!(
                        lane == if slot < S::DIGITS { 0 } else { at as usize & ((1 << self.lane_bits) - 1) }
                    );
                    assert!(node.tick >= cursor && slot_of::<S>(level_of_slot::<S>(slot), node.tick) == slot);
                    (previous, at, filled, live) = (at, node.next, true, live + 1);
                }
            }
            assert_eq!(self.occupied.contains(slot), filled, "slot {slot}");
        }
        let mut free = 0;
        let mut at = self.free;
        while let Some(node) = self.nodes.get(at as usize) {
            assert!(node.item.is_none());
            free += 1;
            at = at.wrapping_add(node.next).wrapping_add(1);
        }
        assert_eq!((live, live + free), (self.len, self.capacity()));
    }
}
