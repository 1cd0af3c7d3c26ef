//! What a fleet knows of one slot.

use super::history::History;
use crate::balance::member::State;
use crate::time::Instant;

/// What a fleet knows of one slot.
#[derive(Clone, Copy, Debug)]
pub(in crate::balance) struct Slot {
    pub(super) key: u64,
    /// When it last became able to take work: its slow start began then.
    pub(super) joined: Instant,
    pub(super) history: History,
    pub(super) generation: u32,
    pub(super) weight: u32,
    /// Calls that are out.
    pub(super) in_flight: u32,
    /// Calls that were given to it so far, modulo 2³².
    pub(super) picks: u32,
    /// What others had there when it last reported: its report less the calls that were out.
    pub(super) others: u32,
    pub(super) zone: u16,
    pub(in crate::balance) state: State,
    /// Responses that came, up to 255.
    pub(super) heard: u8,
}

impl Slot {
    /// Whether somebody has it who was not removed.
    pub(super) const fn is_member(&self) -> bool {
        !matches!(self.state, State::Vacant | State::Leaving)
    }

    /// Whether its member takes work if it must: health apart.
    pub(super) const fn is_usable(&self) -> bool {
        matches!(self.state, State::Up | State::Down | State::Ejected) && self.weight > 0
    }

    /// Its member is gone, but for the calls that are out.
    pub(super) const fn leave(&mut self) {
        self.state = if self.in_flight == 0 { State::Vacant } else { State::Leaving };
    }
}
