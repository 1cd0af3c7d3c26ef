//! The members that work can go to, and what is known about each.

use super::calls::Calls;
use super::config::{Config, ConfigError, Tuning};
use super::latency::History;
use super::member::{Member, MemberId, Slot, State};
use super::policy::{Ended, Outcome, Report};
use crate::lease::{Lease, Stale};
use crate::storage::{Inline, List, Storage};
use crate::time::{Instant, saturating_nanos};
use core::fmt;
use core::time::Duration;

/// Why the membership did not change. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FleetError {
    /// A member of this name is there already. Remedy: re-weight that one, or remove it first.
    Duplicate,
    /// The id is of a member that is gone. Remedy: none is needed.
    Unknown,
    /// There is no slot for another member. Remedy: a larger capacity, or wait until the calls to a removed one end.
    Full,
    /// The weights together do not fit 32 bits. Remedy: smaller weights in the same proportion.
    TooHeavy,
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "a member of this name is there already; re-weight it or remove it first",
            Self::Unknown => "the member is gone",
            Self::Full => "no slot for another member; choose a larger capacity",
            Self::TooHeavy => "the weights together exceed 32 bits; use smaller ones in the same proportion",
        })
    }
}

impl core::error::Error for FleetError {}

/// The members that work can go to: their weights and states, the calls that each has, and how they fared.
///
/// Counts belong to the fleet and not to a policy, so they survive a change of policy as well as one of membership: a
/// member that is removed keeps its slot until its calls have ended, and one of the same name that comes back finds them.
/// Each call is under a [`Lease`]: a caller that vanishes holds nothing for longer than the fleet's timeout, and its call
/// is then a failure.
///
/// *When not to use it:* by several threads at once; give each a fleet of its own, or see
/// [`SharedBalancer`](super::SharedBalancer).
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Fleet, FleetError, Member, State};
/// use divvy::storage::Inline;
///
/// let now = Instant::ZERO;
/// let mut fleet = Fleet::<Inline<2>, Inline<16>>::new(Duration::from_secs(10));
/// let a = fleet.insert(now, Member::new(b"10.0.0.1:80").weight(3))?;
/// let b = fleet.insert(now, Member::new(b"10.0.0.2:80"))?;
/// assert_eq!(fleet.insert(now, Member::new(b"10.0.0.3:80")), Err(FleetError::Full));
///
/// fleet.drain(a)?;
/// assert_eq!((fleet.state(a.slot()), fleet.ready()), (State::Draining, &[b.slot()][..]));
/// fleet.remove(now, a)?;
/// // Whoever comes next in this slot is somebody else:
/// let c = fleet.insert(now, Member::new(b"10.0.0.3:80"))?;
/// assert_eq!(fleet.resume(a), Err(FleetError::Unknown));
/// assert_eq!((c.slot(), fleet.find_name(b"10.0.0.3:80")), (a.slot(), Some(c)));
/// # Ok::<(), FleetError>(())
/// ```
///
/// # Complexity
///
/// A call that begins, ends or is lost *O*(1); a change of membership *O*(slots). 84 bytes a member and 24 a call; with 8 of
/// each, within a kibibyte.
///
/// # Time
///
/// The fleet's clock is the latest `now` that any method was given: one that goes back has not moved, and one that jumps
/// ahead ends the calls whose timeout has then passed.
///
/// # References
///
/// Counts that survive a change of members: pingora pull request 821 and issue 269. Peak-EWMA: Finagle's and linkerd's load
/// balancers.
pub struct Fleet<M: Storage, L: Storage> {
    pub(super) slots: M::List<Slot>,
    /// The slots that take new work, ascending.
    ready: M::List<u32>,
    calls: Calls<L>,
    tuning: Tuning,
    timeout: u64,
    latest: Instant,
    /// Until when a member may get less than its full share: while one may be in its slow start, or for ever.
    thinning: Instant,
    epoch: u32,
    members: u32,
    weight: u32,
    panicking: bool,
    last_call: u32,
}

impl<const M: usize, const L: usize> Fleet<Inline<M>, Inline<L>> {
    /// An empty fleet for `M` members and `L` calls at once, each of which is lost `timeout` after it began.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        const { assert!(M < u32::MAX as usize, "slots are numbered in 32 bits") };
        Self {
            slots: heapless::Vec::new(),
            ready: heapless::Vec::new(),
            calls: Calls::<Inline<L>>::new(),
            tuning: Tuning::new(saturating_nanos(timeout)),
            timeout: saturating_nanos(timeout),
            latest: Instant::ZERO,
            thinning: Instant::ZERO,
            epoch: 0,
            members: 0,
            weight: 0,
            panicking: false,
            last_call: 0,
        }
    }
}

#[cfg(feature = "alloc")]
impl Fleet<crate::storage::Heap, crate::storage::Heap> {
    /// An empty fleet for `members` and `calls` at once, allocated now.
    #[must_use]
    pub fn with_capacity(timeout: Duration, members: u32, calls: u32) -> Self {
        use crate::storage::HeapList;
        Self {
            slots: HeapList::with_capacity(members as usize),
            ready: HeapList::with_capacity(members as usize),
            calls: Calls::<crate::storage::Heap>::with_capacity(calls),
            tuning: Tuning::new(saturating_nanos(timeout)),
            timeout: saturating_nanos(timeout),
            latest: Instant::ZERO,
            thinning: Instant::ZERO,
            epoch: 0,
            members: 0,
            weight: 0,
            panicking: false,
            last_call: 0,
        }
    }
}

impl<M: Storage, L: Storage> Fleet<M, L> {
    /// Judges members by `config` from now on. What is known of them stays.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]; nothing changed.
    pub fn configure(&mut self, config: Config) -> Result<(), ConfigError> {
        self.tuning = config.build(self.timeout)?;
        self.changed();
        Ok(())
    }

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
    /// [`Outlier`](super::Outlier) does.
    ///
    /// # Errors
    ///
    /// [`FleetError::Unknown`]; nothing changed.
    pub fn eject(&mut self, id: MemberId) -> Result<(), FleetError> {
        self.set_state(id, State::Ejected)
    }

    /// Lets the member take new work again. One that was down or ejected starts slowly, if the [`Config`] says so, and
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

    /// The member of this name.
    #[must_use]
    pub fn find_name(&self, name: &[u8]) -> Option<MemberId> {
        let key = crate::hash::xxh3_64(name);
        let at = self.slots.iter().position(|slot| slot.is_member() && slot.key == key)?;
        Some(self.id_of(at as u32))
    }

    /// The slots that take new work, ascending.
    #[inline]
    #[must_use]
    pub fn ready(&self) -> &[u32] {
        &self.ready
    }

    /// Another number after each change of [`ready`](Self::ready) or of a weight.
    #[inline]
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How many slots there may be; slot numbers are below it.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.slots.capacity() as u32
    }

    /// How many members there are, whatever their state.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.members
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// The member in `slot`.
    #[inline]
    #[must_use]
    pub fn id(&self, slot: u32) -> Option<MemberId> {
        self.slots.get(slot as usize).filter(|slot| slot.is_member())?;
        Some(self.id_of(slot))
    }

    /// The hash of the name of the member in `slot`; 0 where nobody is.
    #[must_use]
    pub fn key(&self, slot: u32) -> u64 {
        self.slots.get(slot as usize).map_or(0, |slot| slot.key)
    }

    /// The weight of the member in `slot`; 0 where nobody is.
    #[inline]
    #[must_use]
    pub fn weight(&self, slot: u32) -> u32 {
        self.slots.get(slot as usize).map_or(0, |slot| slot.weight)
    }

    /// The zone of the member in `slot`.
    #[must_use]
    pub fn zone(&self, slot: u32) -> u16 {
        self.slots.get(slot as usize).map_or(0, |slot| slot.zone)
    }

    /// The state of `slot`.
    #[must_use]
    pub fn state(&self, slot: u32) -> State {
        self.slots.get(slot as usize).map_or(State::Vacant, |slot| slot.state)
    }

    /// The calls that the member in `slot` has from this fleet.
    #[inline]
    #[must_use]
    pub fn in_flight(&self, slot: u32) -> u32 {
        self.slots.get(slot as usize).map_or(0, |slot| slot.in_flight)
    }

    /// The load that policies compare: the calls that this fleet has there, and those that others had there when the
    /// member last reported. So what is sent after a report counts at once, and what ends no longer counts.
    #[inline]
    #[must_use]
    pub fn load(&self, slot: u32) -> u32 {
        self.slots.get(slot as usize).map_or(0, |slot| slot.in_flight.saturating_add(slot.others))
    }

    /// How many calls were given to the member in `slot`, modulo 2³².
    #[must_use]
    pub fn picks(&self, slot: u32) -> u32 {
        self.slots.get(slot as usize).map_or(0, |slot| slot.picks)
    }

    /// Calls that are out.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.calls.len()
    }

    /// Whether there is no place for another call.
    #[inline]
    #[must_use]
    pub fn calls_full(&self) -> bool {
        self.calls.is_full()
    }

    /// The number of the call that began or ended last, below the capacity for calls and its own while it is out: under
    /// it a policy keeps what it must know of a call, in `started`, and finds it again, in `ended`.
    #[must_use]
    pub const fn last_call(&self) -> u32 {
        self.last_call
    }

    /// The time that a call counts for: what it took, and if it failed no less than the penalty.
    #[must_use]
    pub fn cost(&self, ended: &Ended) -> Duration {
        match ended.outcome {
            Outcome::Failure => ended.latency.max(Duration::from_nanos(self.tuning.penalty)),
            _ => ended.latency,
        }
    }

    /// When something happens by itself: a call is lost.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.calls.next_deadline(self.timeout)
    }

    /// Notes a call to the member in `slot`, at the fleet's own time.
    #[inline(always)]
    pub(super) fn claim(&mut self, slot: u32) -> Option<(MemberId, Lease)> {
        let member = self.slots.get_mut(slot as usize)?;
        let lease = self.calls.claim(self.latest.as_nanos(), slot, self.timeout)?;
        self.last_call = lease.slot();
        member.in_flight += 1;
        member.picks = member.picks.wrapping_add(1);
        Some((MemberId { slot, generation: member.generation }, lease))
    }

    /// Ends a call in time.
    #[inline(always)]
    pub(super) fn complete(&mut self, now: Instant, lease: Lease, outcome: Outcome) -> Result<Ended, Stale> {
        self.clock(now);
        let (slot, began) = self.calls.complete(self.latest.as_nanos(), lease, self.timeout)?;
        self.last_call = lease.slot();
        Ok(self.end(slot, outcome, began))
    }

    /// Whether a call may be lost that was not taken back yet.
    #[inline(always)]
    pub(super) fn may_be_overdue(&self) -> bool {
        self.calls.may_be_overdue(self.latest.as_nanos())
    }

    /// Finds anew when the next call is lost.
    pub(super) fn look_ahead(&mut self) {
        self.calls.look_ahead(self.latest.as_nanos(), self.timeout);
    }

    /// Takes back the oldest call whose time is over.
    #[inline]
    pub(super) fn reclaim(&mut self, now: Instant) -> Option<Ended> {
        self.clock(now);
        let oldest = self.calls.oldest();
        let (slot, began) = self.calls.reclaim(self.latest.as_nanos(), self.timeout)?;
        self.last_call = oldest;
        Some(self.end(slot, Outcome::Failure, began))
    }

    /// The member says how it is.
    pub(super) fn report(&mut self, now: Instant, id: MemberId, report: &Report) -> Result<(), FleetError> {
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

    /// The fleet's clock: the latest `now` that it saw.
    #[inline(always)]
    pub(super) fn clock(&mut self, now: Instant) -> Instant {
        self.latest = self.latest.max(now);
        self.latest
    }

    fn id_of(&self, slot: u32) -> MemberId {
        MemberId { slot, generation: self.slots[slot as usize].generation }
    }

    fn find(&mut self, id: MemberId) -> Result<&mut Slot, FleetError> {
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

    /// Whether a member may get less than its full share now.
    #[inline]
    pub(super) fn thins(&self, now: Instant) -> bool {
        now < self.thinning
    }

    /// The responses of the member in `slot` since this was last asked, and the failures among them: both, or both halved
    /// until they fit 16 bits.
    pub(super) fn take_counts(&mut self, slot: u32) -> (u32, u32) {
        self.slots.get_mut(slot as usize).map_or((0, 0), |slot| slot.history.take_counts())
    }

    /// Whether so few members are up that the others are used as well: see
    /// [`Config::panic_below`](super::Config::panic_below).
    #[must_use]
    pub const fn is_panicking(&self) -> bool {
        self.panicking
    }

    pub(super) const fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    pub(super) fn joined(&self, slot: u32) -> Instant {
        self.slots.get(slot as usize).map_or(Instant::ZERO, |slot| slot.joined)
    }

    /// The responses of the member in `slot`, if any came.
    pub(super) fn heard(&self, slot: u32) -> Option<&History> {
        self.slots.get(slot as usize).filter(|slot| slot.heard > 0).map(|slot| &slot.history)
    }
}

impl<M: Storage, L: Storage> fmt::Debug for Fleet<M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("slots", &&*self.slots)
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

impl Slot {
    /// Whether somebody has it who was not removed.
    pub(super) const fn is_member(&self) -> bool {
        !matches!(self.state, State::Vacant | State::Leaving)
    }

    /// Whether its member takes work if it must: health apart.
    const fn is_usable(&self) -> bool {
        matches!(self.state, State::Up | State::Down | State::Ejected) && self.weight > 0
    }

    /// Its member is gone, but for the calls that are out.
    pub(super) const fn leave(&mut self) {
        self.state = if self.in_flight == 0 { State::Vacant } else { State::Leaving };
    }
}
