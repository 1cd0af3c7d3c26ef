//! The last bars of the Gantt chart.

use super::event::Segment;
use crate::storage::{List, Storage};

/// A list that, once it is full, forgets the oldest for the newest.
pub(super) struct Segments<G: Storage> {
    list: G::List<Segment>,
    /// Where the oldest stands, once the list is full.
    oldest: u32,
    ended: u32,
}

impl<G: Storage> Segments<G> {
    pub(super) const fn new(list: G::List<Segment>) -> Self {
        Self { list, oldest: 0, ended: 0 }
    }

    pub(super) fn record(&mut self, segment: Segment) {
        self.ended = self.ended.wrapping_add(1);
        if self.list.len() < self.list.capacity() {
            // There is room.
            let _ = self.list.push(segment);
        } else if let Some(place) = self.list.get_mut(self.oldest as usize) {
            *place = segment;
            self.oldest = if self.oldest as usize + 1 == self.list.len() { 0 } else { self.oldest + 1 };
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        let (newer, older) = self.list.split_at(self.oldest as usize);
        older.iter().chain(newer)
    }

    pub(super) const fn ended(&self) -> u32 {
        self.ended
    }
}
