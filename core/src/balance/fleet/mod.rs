//! The members that work can go to, and what is known about each.

mod accounts;
mod error;
mod health;
mod history;
mod latency;
mod membership;
mod slot;
mod sync;
#[cfg(test)]
mod tests;

pub use error::FleetError;
pub(super) use history::DOUBLING;
pub use sync::Synced;

use super::calls::Calls;
use super::config::{Config, ConfigError, Tuning};
use super::member::{MemberId, State};
use super::outcome::{Ended, Outcome};
use crate::storage::{Inline, List, Storage};
use crate::time::{Instant, saturating_nanos};
use core::fmt;
use core::time::Duration;
use history::History;
use slot::Slot;

/// The members that work can go to: their weights and states, the calls that each has, and how they fared.
///
/// Counts belong to the fleet and not to a policy, so they survive a change of policy as well as one of membership: a
/// member that is removed keeps its slot until its calls have ended, and one of the same name that comes back finds them.
/// Each call is under a [`Lease`](crate::lease::Lease): a caller that vanishes holds nothing for longer than the fleet's timeout, and its call
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

    /// The fleet's clock: the latest `now` that it saw.
    #[inline(always)]
    pub(super) fn clock(&mut self, now: Instant) -> Instant {
        self.latest = self.latest.max(now);
        self.latest
    }

    fn id_of(&self, slot: u32) -> MemberId {
        MemberId { slot, generation: self.slots[slot as usize].generation }
    }

    /// Whether a member may get less than its full share now.
    #[inline]
    pub(super) fn thins(&self, now: Instant) -> bool {
        now < self.thinning
    }

    /// Whether so few members are up that the others are used as well: see
    /// [`Config::panic_below`](crate::balance::Config::panic_below).
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
    fn heard(&self, slot: u32) -> Option<&History> {
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
