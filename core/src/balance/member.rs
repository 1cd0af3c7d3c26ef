//! Who can be given work, and what is known about them.

use crate::hash::xxh3_64;

/// Names a member of a [`Fleet`](super::Fleet) for as long as it stays one. A later member in the same slot has
/// another generation, so an old id cannot reach it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MemberId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl MemberId {
    /// Which slot of the fleet it has: below the fleet's capacity, and good as an index into the caller's own table.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// How often the slot has changed hands.
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

/// A member to be: its name, weight and zone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Member {
    pub(super) key: u64,
    pub(super) weight: u32,
    pub(super) zone: u16,
}

impl Member {
    /// A member of weight 1 in zone 0 that is called `name`.
    #[must_use]
    pub const fn new(name: &[u8]) -> Self {
        Self { key: xxh3_64(name), weight: 1, zone: 0 }
    }

    /// This member with `weight` instead. 0: a member that gets no new work.
    #[must_use]
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// This member in `zone` instead.
    #[must_use]
    pub const fn zone(mut self, zone: u16) -> Self {
        self.zone = zone;
        self
    }
}

/// Whether a member takes new work.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// It takes new work.
    Up,
    /// It takes none until [`resume`](super::Fleet::resume); what it has is finished.
    Draining,
    /// A health check or its owner says that it cannot work.
    Down,
    /// Its own results took it out for a while.
    Ejected,
    /// It was removed, and calls to it are still out.
    Leaving,
    /// Nobody has this slot.
    Vacant,
}
