//! Calls that begin, end and are lost, and what members report.

use super::{Fleet, FleetError};
use crate::balance::member::{MemberId, State};
use crate::balance::outcome::{Ended, Outcome, Report};
use crate::lease::{Lease, Stale};
use crate::storage::Storage;
use crate::time::Instant;
use core::time::Duration;

impl<M: Storage, L: Storage> Fleet<M, L> {
    /// Notes a call to the member in `slot`, at the fleet's own time.
    #[inline(always)]
    pub(in crate::balance) fn claim(&mut self, slot: u32) -> Option<(MemberId, Lease)> {
        let member = self.slots.get_mut(slot as usize)?;
        let lease = self.calls.claim(self.latest.as_nanos(), slot, self.timeout)?;
        self.last_call = lease.slot();
        member.in_flight += 1;
        member.picks = member.picks.wrapping_add(1);
        Some((MemberId { slot, generation: member.generation }, lease))
    }

    /// Ends a call in time.
    #[inline(always)]
    pub(in crate::balance) fn complete(
        &mut self,
        now: Instant,
        lease: Lease,
        outcome: Outcome,
    ) -> Result<Ended, Stale> {
        self.clock(now);
        let (slot, began) = self.calls.complete(self.latest.as_nanos(), lease, self.timeout)?;
        self.last_call = lease.slot();
        Ok(self.end(slot, outcome, began))
    }

    /// Whether a call may be lost that was not taken back yet.
    #[inline(always)]
    pub(in crate::balance) fn may_be_overdue(&self) -> bool {
        self.calls.may_be_overdue(self.latest.as_nanos())
    }

    /// Finds anew when the next call is lost.
    pub(in crate::balance) fn look_ahead(&mut self) {
        self.calls.look_ahead(self.latest.as_nanos(), self.timeout);
    }

    /// Takes back the oldest call whose time is over.
    #[inline]
    pub(in crate::balance) fn reclaim(&mut self, now: Instant) -> Option<Ended> {
        self.clock(now);
        let oldest = self.calls.oldest();
        let (slot, began) = self.calls.reclaim(self.latest.as_nanos(), self.timeout)?;
        self.last_call = oldest;
        Some(self.end(slot, Outcome::Failure, began))
    }

    /// The member says how it is.
    pub(in crate::balance) fn report(
        &mut self,
        now: Instant,
        id: MemberId,
        report: &Report,
    ) -> Result<(), FleetError> {
        self.clock(now);
        let slot = self.find(id)?;
        slot.others = report.in_flight.saturating_sub(slot.in_flight);
        Ok(())
    }

    #[inline(always)]
    fn end(&mut self, slot: u32, outcome: Outcome, began: u64) -> Ended {
        let now = self.latest.as_nanos();
        // Calls begin at the fleet's own time, which never goes back.
        let took = now - began;
        let member = &mut self.slots[slot as usize];
        if outcome != Outcome::Ignored {
            let failed = outcome == Outcome::Failure;
            member.history.note(&self.tuning, now, took, failed, member.in_flight, &mut member.heard);
        }
        member.in_flight -= 1;
        if member.state == State::Leaving && member.in_flight == 0 {
            member.state = State::Vacant;
        }
        Ended { slot, outcome, latency: Duration::from_nanos(took) }
    }

    /// The responses of the member in `slot` since this was last asked, and the failures among them: both, or both halved
    /// until they fit 16 bits.
    pub(in crate::balance) fn take_counts(&mut self, slot: u32) -> (u32, u32) {
        self.slots.get_mut(slot as usize).map_or((0, 0), |slot| slot.history.take_counts())
    }
}
