//! A fleet as a list says it should be.

use super::slot::Slot;
use super::{Fleet, FleetError};
use crate::balance::member::{Member, State};
use crate::storage::Storage;
use crate::time::Instant;

/// What [`Fleet::sync`] changed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Synced {
    /// Members that are new.
    pub inserted: u32,
    /// Members that are gone.
    pub removed: u32,
    /// Members whose weight or zone is another.
    pub changed: u32,
}

impl<M: Storage, L: Storage> Fleet<M, L> {
    /// Makes the members those of the list, as service discovery gives it: the new are inserted, the missing removed,
    /// weights and zones set. Who stays keeps slot, state, counts and history; who comes back finds the calls that it
    /// still has. *O*(slots × `members`).
    ///
    /// # Errors
    ///
    /// [`FleetError::Duplicate`], [`FleetError::Full`] or [`FleetError::TooHeavy`]; nothing changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use divvy::Instant;
    /// use divvy::balance::{Fleet, FleetError, Member, Synced};
    /// use divvy::storage::Inline;
    ///
    /// let mut fleet = Fleet::<Inline<2>, Inline<4>>::new(Duration::from_secs(1));
    /// let now = Instant::ZERO;
    /// fleet.sync(now, &[Member::new(b"a"), Member::new(b"b")])?;
    /// let a = fleet.find_name(b"a");
    /// let synced = fleet.sync(now, &[Member::new(b"c"), Member::new(b"a").weight(2)])?;
    /// assert_eq!(synced, Synced { inserted: 1, removed: 1, changed: 1 });
    /// assert_eq!(fleet.find_name(b"a"), a);
    /// // Three do not fit, so nobody moves:
    /// let three = [b"d", b"e", b"f"].map(|name| Member::new(name));
    /// assert_eq!(fleet.sync(now, &three), Err(FleetError::Full));
    /// assert_eq!((fleet.len(), fleet.find_name(b"a")), (2, a));
    /// # Ok::<(), FleetError>(())
    /// ```
    pub fn sync(&mut self, now: Instant, members: &[Member]) -> Result<Synced, FleetError> {
        self.clock(now);
        self.check(members)?;
        let mut synced = Synced::default();
        for slot in &mut *self.slots {
            if slot.is_member() && !members.iter().any(|member| member.key == slot.key) {
                slot.leave();
                synced.removed += 1;
            }
        }
        for member in members {
            let known = self.slots.iter_mut().find(|slot| slot.is_member() && slot.key == member.key);
            if let Some(slot) = known {
                synced.changed += u32::from((slot.weight, slot.zone) != (member.weight, member.zone));
                (slot.weight, slot.zone) = (member.weight, member.zone);
            } else {
                // There is room, as was checked.
                let _ = self.enter(*member);
                synced.inserted += 1;
            }
        }
        if synced != Synced::default() {
            self.changed();
        }
        Ok(synced)
    }

    /// Whether the list is one of members that fit.
    fn check(&self, members: &[Member]) -> Result<(), FleetError> {
        let mut weight = 0u32;
        let mut fresh = 0;
        for (at, member) in members.iter().enumerate() {
            if members[..at].iter().any(|other| other.key == member.key) {
                return Err(FleetError::Duplicate);
            }
            weight = weight.checked_add(member.weight).ok_or(FleetError::TooHeavy)?;
            let known = |slot: &Slot| slot.state != State::Vacant && slot.key == member.key;
            fresh += usize::from(!self.slots.iter().any(known));
        }
        // Slots that will have nobody: those never used, those that are vacant, and those of who leaves without calls.
        let listed = |key| members.iter().any(|member| member.key == key);
        let free = self.slots.iter().filter(|slot| match slot.state {
            State::Vacant => true,
            _ => slot.in_flight == 0 && !listed(slot.key),
        });
        match fresh <= free.count() + self.capacity() as usize - self.slots.len() {
            true => Ok(()),
            false => Err(FleetError::Full),
        }
    }
}
