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

/// A slot of level 0 has no more lanes than 2 to the power of this: to look for one that is not empty costs more than it
/// saves where there are few timers to a lane.
const FIRING_LANE_BITS: u32 = 2;

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
/// lanes at once, and whoever fires one takes from its lanes in turn, as the next node is found only by way of the one
/// before it: so the processor waits for one node of each lane at a time, not for one node.
pub(super) struct Lists<T, S: Shape> {
    /// The first node of each lane of each slot, or `NONE`: all slots' first lanes, then all their second ones.
    heads: S::Heads,
    nodes: S::Slots<Node<T>>,
    /// The number of a slot's last lane, which is a mask as well.
    last_lane: u32,
    /// The same for slots of level 0.
    last_firing_lane: u32,
    /// Which lane is fired from next, unless it is empty; the other bits mean nothing.
    firing_lane: u32,
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
            last_lane: (1 << lane_bits) - 1,
            last_firing_lane: (1 << if lane_bits < FIRING_LANE_BITS { lane_bits } else { FIRING_LANE_BITS })
                - 1,
            firing_lane: 0,
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
        let lane = index & if slot < S::DIGITS { self.last_firing_lane } else { self.last_lane };
        let head = slot + lane as usize * S::STRIDE;
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
                self.leave(head % S::STRIDE, self.last_lane);
            }
        }
        Some(item)
    }

    /// Takes a timer out of `slot`, which is of level 0: it, and whether it was the last.
    #[inline]
    pub(super) fn pop(&mut self, slot: usize) -> Option<(T, bool)> {
        let mut lane = self.firing_lane & self.last_firing_lane;
        let mut head = slot + lane as usize * S::STRIDE;
        let mut index = self.heads.borrow()[head];
        if index == NONE {
            for _ in 0..self.last_firing_lane {
                lane = (lane + 1) & self.last_firing_lane;
                head = slot + lane as usize * S::STRIDE;
                index = self.heads.borrow()[head];
                if index != NONE {
                    break;
                }
            }
        }
        self.firing_lane = lane + 1;
        let node = self.nodes.get_mut(index as usize)?;
        let (next, item) = (node.next, node.item.take()?);
        self.release(index);
        self.heads.borrow_mut()[head] = next;
        let emptied = match self.nodes.get_mut(next as usize) {
            Some(node) => {
                node.previous = HEAD | head as u32;
                false
            }
            None => self.leave(slot, self.last_firing_lane),
        };
        Some((item, emptied))
    }

    /// Moves up to `most` timers of `slot`, which is at `cursor`, to slots of lower levels: how many, and whether it is
    /// empty now.
    #[inline]
    pub(super) fn drain(&mut self, slot: usize, cursor: u64, most: u32) -> (u32, bool) {
        match self.last_lane {
            0 => self.drain_lanes::<1>(slot, cursor, most),
            _ => self.drain_lanes::<LANES>(slot, cursor, most),
        }
    }

    #[inline]
    fn drain_lanes<const N: usize>(&mut self, slot: usize, cursor: u64, most: u32) -> (u32, bool) {
        let mut at = [NONE; N];
        for (at, first) in at.iter_mut().zip(self.lanes(slot)) {
            *at = *first;
        }
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
        for (head, first) in (slot..).step_by(S::STRIDE).zip(at) {
            self.heads.borrow_mut()[head] = first;
            if let Some(node) = self.nodes.get_mut(first as usize) {
                node.previous = HEAD | head as u32;
            }
        }
        (moved, self.leave(slot, self.last_lane))
    }

    /// Notes that `slot`, whose last lane is `last`, holds no timers, if that is so: whether.
    fn leave(&mut self, slot: usize, last: u32) -> bool {
        let empty = (0..=last as usize).all(|lane| self.heads.borrow()[slot + lane * S::STRIDE] == NONE);
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

    /// The first node of each lane of `slot`.
    fn lanes(&self, slot: usize) -> impl Iterator<Item = &u32> {
        self.heads.borrow()[slot..].iter().step_by(S::STRIDE)
    }

    /// Panics where the lists are not what they should be.
    #[cfg(test)]
    pub(super) fn check(&self, cursor: u64) {
        let mut live = 0;
        for slot in 0..S::SLOTS {
            let mut filled = false;
            for (lane, first) in self.lanes(slot).enumerate() {
                let head = slot + lane * S::STRIDE;
                let (mut at, mut previous) = (*first, HEAD | head as u32);
                while at != NONE {
                    let node = &self.nodes[at as usize];
                    assert!(node.item.is_some() && node.previous == previous);
                    assert!(
                        lane as u32
                            == at & if slot < S::DIGITS { self.last_firing_lane } else { self.last_lane }
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
