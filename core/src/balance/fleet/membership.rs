//! Members that come, go and change.

use super::history::History;
use super::slot::Slot;
use super::{Fleet, FleetError};
use crate::balance::config::Tuning;
use crate::balance::member::{Member, MemberId, State};
use crate::storage::{List, Storage};
use crate::time::Instant;
use core::time::Duration;

impl<M: Storage, L: Storage> Fleet<M, L> {
    /// Adds `member`, which takes work from now on. One of this name that was removed and still has calls out comes
    /// back with them.
    ///
    /// # Errors
    ///
    /// [`FleetError`]; nothing changed.
    pub fn insert(&mut self, now: Instant, member: Member) -> Result<MemberId, FleetError> {
        self.clock(now);
        if self.slots.iter().any(|slot| slot.is_member() && slot.key == member.key) {
            return Err(FleetError::Duplicate);
        }
        if self.weight.checked_add(member.weight).is_none() {
            return Err(FleetError::TooHeavy);
        }
        let id = self.enter(member)?;
        self.changed();
        Ok(id)
    }

    /// Gives `member`, of whom it is known that there is none yet, a slot.
    pub(super) fn enter(&mut self, member: Member) -> Result<MemberId, FleetError> {
        let fresh = Slot {
            key: member.key,
            joined: self.latest,
            history: History::new(),
            generation: 0,
            weight: member.weight,
            in_flight: 0,
            picks: 0,
            others: 0,
            zone: member.zone,
            state: State::Up,
            heard: 0,
        };
        let leaving =
            self.slots.iter().position(|slot| slot.state == State::Leaving && slot.key == member.key);
        let at = match leaving.or_else(|| self.slots.iter().position(|slot| slot.state == State::Vacant)) {
            Some(at) => {
                let old = self.slots[at];
                // Calls to a removed member of the same name are calls to this one.
                self.slots[at] =
                    Slot { generation: old.generation.wrapping_add(1), in_flight: old.in_flight, ..fresh };
                at
            }
            None => {
                self.slots.push(fresh).map_err(|_| FleetError::Full)?;
                self.slots.len() - 1
            }
        };
        Ok(self.id_of(at as u32))
    }

    /// Takes the member out. Calls to it may still be completed.
    ///
    /// # Errors
    ///
    /// [`FleetError::Unknown`]; nothing changed.
    pub fn remove(&mut self, now: Instant, id: MemberId) -> Result<(), FleetError> {
        self.clock(now);
        self.find(id)?.leave();
        self.changed();
        Ok(())
    }

    /// Gives the member another weight. 0: it gets no new work.
    ///
    /// # Errors
    ///
    /// [`FleetError`]; nothing changed.
    pub fn set_weight(&mut self, id: MemberId, weight: u32) -> Result<(), FleetError> {
        let total = self.weight;
        let slot = self.find(id)?;
        (total - slot.weight).checked_add(weight).ok_or(FleetError::TooHeavy)?;
        slot.weight = weight;
        self.changed();
        Ok(())
    }

    /// Gives the member no new work until [`resume`](Self::resume); what it has is finished.
    ///
    /// # Errors
    ///
    /// [`FleetError::Unknown`]; nothing changed.
    pub fn drain(&mut self, id: MemberId) -> Result<(), FleetError> {
        self.set_state(id, State::Draining)
    }

    /// Says that the member cannot work, until [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// [`FleetError::Unknown`]; nothing changed.
    pub fn mark_down(&mut self, id: MemberId) -> Result<(), FleetError> {
        self.set_state(id, State::Down)
    }

    /// Takes the member out because of its own results, until [`resume`](Self::resume): what
    /// [`Outlier`](crate::balance::Outlier) does.
    ///
    /// # Errors
    ///
    /// [`FleetError::Unknown`]; nothing changed.
    pub fn eject(&mut self, id: MemberId) -> Result<(), FleetError> {
        self.set_state(id, State::Ejected)
    }

    /// Lets the member take new work again. One that was down or ejected starts slowly, if the [`Config`](crate::balance::Config) says so, and
    /// what its responses said before is forgotten.
    ///
    /// # Errors
    ///
    /// [`FleetError::Unknown`]; nothing changed.
    pub fn resume(&mut self, id: MemberId) -> Result<(), FleetError> {
        self.set_state(id, State::Up)
    }

    fn set_state(&mut self, id: MemberId, state: State) -> Result<(), FleetError> {
        let latest = self.latest;
        let slot = self.find(id)?;
        if state == State::Up && matches!(slot.state, State::Down | State::Ejected) {
            // It starts again: slowly, and judged by what it does from now on.
            slot.joined = latest;
            slot.heard = 0;
        }
        slot.state = state;
        self.changed();
        Ok(())
    }

    pub(super) fn find(&mut self, id: MemberId) -> Result<&mut Slot, FleetError> {
        self.slots
            .get_mut(id.slot as usize)
            .filter(|slot| slot.generation == id.generation && slot.is_member())
            .ok_or(FleetError::Unknown)
    }

    /// Finds anew, after a change, what follows from the members: who is ready, and until when members are thinned.
    pub(super) fn changed(&mut self) {
        let (mut up, mut usable, mut newest) = (0u64, 0u64, Instant::ZERO);
        (self.members, self.weight) = (0, 0);
        for slot in self.slots.iter().filter(|slot| slot.is_member()) {
            self.members += 1;
            self.weight += slot.weight;
            newest = newest.max(slot.joined);
            up += u64::from(slot.is_usable() && slot.state == State::Up);
            usable += u64::from(slot.is_usable());
        }
        self.panicking = up << 32 < usable * u64::from(self.tuning.panic_below);
        self.ready.clear();
        for (at, slot) in self.slots.iter().enumerate() {
            if slot.is_usable() && (slot.state == State::Up || self.panicking) {
                // As many places as slots: this cannot be refused.
                let _ = self.ready.push(at as u32);
            }
        }
        self.thinning = match self.tuning {
            Tuning { shed: true, .. } => Instant::MAX,
            Tuning { ramp: 0, .. } => Instant::ZERO,
            Tuning { ramp, .. } => newest.saturating_add(Duration::from_nanos(ramp)),
        };
        self.epoch = self.epoch.wrapping_add(1);
    }
}
