//! Limits under limits.

#[cfg(test)]
mod tests;

use super::quota::{Quota, Span};
use crate::storage::{Inline, InlineSlots, Storage};
use crate::time::Instant;
use core::fmt;
use core::num::NonZeroU32;

/// A level of a [`Hierarchy`]. The name of a level that was removed is not given to another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LevelId {
    slot: u32,
    generation: u32,
}

/// The answer to "may this go now, at every level?"
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a cell that was not admitted must not go"]
pub enum Passage {
    /// It may, and has been counted at every level.
    Yes,
    /// It may not; nothing changed at any level.
    No {
        /// From this instant on every level would let it through, unless others go first: the latest of the levels'.
        retry_at: Instant,
        /// The level that holds it up longest; of several, the one nearest to the cell.
        level: LevelId,
    },
}

/// Why a call was refused. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LevelError {
    /// The level was removed, or belongs to another hierarchy. Remedy: the name of one that is there.
    Unknown,
    /// Every slot holds a level. Remedy: remove one, or more slots.
    Full,
    /// Others lie under the level. Remedy: remove those first. The topmost level cannot be removed.
    HasLevels,
    /// More cells at once than the burst of one of the levels. Remedy: ask for fewer at a time, or give it a larger burst.
    OverBurst {
        /// The most that may go at once through this level.
        burst: u32,
        /// The level nearest to the cells that does not let so many through.
        level: LevelId,
    },
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such level; it may have been removed"),
            Self::Full => f.write_str("every slot holds a level; remove one or make more slots"),
            Self::HasLevels => {
                f.write_str("others lie under this level, or it is the topmost; remove those first")
            }
            Self::OverBurst { burst, .. } => {
                write!(f, "more cells than the burst of {burst} of a level: ask for fewer at a time")
            }
        }
    }
}

impl core::error::Error for LevelError {}

/// Rate limits that lie under each other: a route's under its tenant's, that under everybody's.
///
/// A cell is admitted at its level only if that level and every one above it admit it, and then it is counted at all of
/// them. If one refuses, none counts it: a tenant that is refused by the limit of all has not used up its own.
///
/// *When not to use it:* for a limit for each of very many keys (that is [`Keyed`](super::Keyed), whose keys come and go by
/// themselves), or for one limit (a [`Gcra`](super::Gcra)).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Hierarchy, Passage, Quota};
/// use divvy::storage::Inline;
///
/// let a_second = |n| {
///     let n = NonZeroU32::new(n).expect("not zero");
///     Quota::new(n, Duration::from_secs(1)).and_then(|quota| quota.burst(n))
/// };
/// let mut limits = Hierarchy::<Inline<8>>::new(a_second(3)?);
/// let all = limits.top();
/// let (anna, ben) = (limits.insert(all, a_second(2)?)?, limits.insert(all, a_second(2)?)?);
/// let now = Instant::ZERO;
/// assert_eq!((limits.admit(now, anna)?, limits.admit(now, anna)?), (Passage::Yes, Passage::Yes));
/// assert_eq!(limits.admit(now, anna)?, Passage::No { retry_at: Instant::from_millis(500), level: anna });
/// assert_eq!(limits.admit(now, ben)?, Passage::Yes);
/// // Ben has one left, but all together have not: in a third of a second, on a whole nanosecond.
/// assert_eq!(limits.admit(now, ben)?, Passage::No { retry_at: Instant::from_nanos(333_333_334), level: all });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// *O*(levels above) to ask, without division for one cell; *O*(slots) to insert. 72 bytes a slot.
///
/// # Time
///
/// `now` is when the cell would go. There is one clock for all levels: a `now` earlier than one seen before is taken as
/// that one.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # Errors
///
/// [`LevelError`].
pub struct Hierarchy<S: Storage = Inline<16>> {
    /// The topmost is in the first slot.
    slots: S::Slots<Level>,
    latest: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    quota: Quota,
    next: Span,
    /// The slot of the level above; its own for the topmost.
    above: u32,
    generation: u32,
    /// How many lie directly under it.
    under: u32,
    held: bool,
}

impl Level {
    const fn free(quota: Quota) -> Self {
        Self { quota, next: Span::ZERO, above: 0, generation: 0, under: 0, held: false }
    }
}

const TOP: LevelId = LevelId { slot: 0, generation: 0 };

impl<const N: usize> Hierarchy<Inline<N>> {
    /// One level, the topmost, with room for `N − 1` under it.
    #[must_use]
    pub const fn new(top: Quota) -> Self {
        const { assert!(N > 0 && N < u32::MAX as usize, "one slot for the topmost, numbered in 32 bits") };
        let mut slots = [Level::free(top); N];
        slots[0].held = true;
        Self { slots: InlineSlots(slots), latest: Instant::ZERO }
    }
}

#[cfg(feature = "alloc")]
impl Hierarchy<crate::storage::Heap> {
    /// One level, the topmost, in `capacity` slots (at least one), allocated now.
    #[must_use]
    pub fn with_capacity(capacity: u32, top: Quota) -> Self {
        let mut slots = alloc::vec![Level::free(top); capacity.max(1) as usize].into_boxed_slice();
        slots[0].held = true;
        Self { slots, latest: Instant::ZERO }
    }
}

impl<S: Storage> Hierarchy<S> {
    /// The topmost level, under which all others lie.
    #[must_use]
    pub const fn top(&self) -> LevelId {
        TOP
    }

    /// A new level with a full bucket of `quota` under `above`.
    ///
    /// # Errors
    ///
    /// [`LevelError::Unknown`] if `above` is not there, [`LevelError::Full`] if there is no slot.
    pub fn insert(&mut self, above: LevelId, quota: Quota) -> Result<LevelId, LevelError> {
        let above = self.slot(above)?;
        let slot = self.slots.iter().position(|level| !level.held).ok_or(LevelError::Full)?;
        self.slots[above].under += 1;
        let generation = self.slots[slot].generation;
        self.slots[slot] = Level { above: above as u32, generation, held: true, ..Level::free(quota) };
        Ok(LevelId { slot: slot as u32, generation })
    }

    /// Removes a level, under which there is none.
    ///
    /// # Errors
    ///
    /// [`LevelError::Unknown`] if it is not there, [`LevelError::HasLevels`] if others lie under it or it is the topmost.
    pub fn remove(&mut self, level: LevelId) -> Result<(), LevelError> {
        let slot = self.slot(level)?;
        if slot == 0 || self.slots[slot].under > 0 {
            return Err(LevelError::HasLevels);
        }
        self.slots[slot].held = false;
        self.slots[slot].generation = self.slots[slot].generation.wrapping_add(1);
        let above = self.slots[slot].above as usize;
        self.slots[above].under -= 1;
        Ok(())
    }

    /// Admits one cell at `level` and all above it, or says when it may go and which of them refuses.
    ///
    /// # Errors
    ///
    /// [`LevelError::Unknown`] if the level is not there.
    pub fn admit(&mut self, now: Instant, level: LevelId) -> Result<Passage, LevelError> {
        self.admit_n(now, level, NonZeroU32::MIN)
    }

    /// Admits `n` cells at `level` and all above it, all or none, or says when they may go and which level refuses.
    ///
    /// # Errors
    ///
    /// [`LevelError::Unknown`] if the level is not there, [`LevelError::OverBurst`] if one of the levels can never admit so
    /// many.
    pub fn admit_n(&mut self, now: Instant, level: LevelId, n: NonZeroU32) -> Result<Passage, LevelError> {
        let now = now.max(self.latest);
        let refused = self.refused(now, level, n.get())?;
        self.latest = now;
        if let Some((retry_at, level)) = refused {
            return Ok(Passage::No { retry_at, level });
        }
        let mut slot = level.slot as usize;
        loop {
            let level = &mut self.slots[slot];
            if let Ok(next) = level.quota.admit_n(level.next, now, n.get()) {
                level.next = next;
            }
            if slot == 0 {
                return Ok(Passage::Yes);
            }
            slot = level.above as usize;
        }
    }

    /// The earliest instant, not before `now`, at which `n` cells would be admitted at `level` and all above. Nothing
    /// changes.
    ///
    /// # Errors
    ///
    /// As [`admit_n`](Self::admit_n).
    pub fn next_free_n(&self, now: Instant, level: LevelId, n: NonZeroU32) -> Result<Instant, LevelError> {
        let now = now.max(self.latest);
        Ok(self.refused(now, level, n.get())?.map_or(now, |(retry_at, _)| retry_at))
    }

    /// Puts another quota in force at a level; the tokens stay, as with [`Gcra::set_quota`](super::Gcra::set_quota).
    ///
    /// # Errors
    ///
    /// [`LevelError::Unknown`] if the level is not there.
    pub fn set_quota(&mut self, now: Instant, level: LevelId, quota: Quota) -> Result<(), LevelError> {
        let slot = self.slot(level)?;
        self.latest = self.latest.max(now);
        let level = &mut self.slots[slot];
        level.next = level.quota.carry(level.next, self.latest, &quota);
        level.quota = quota;
        Ok(())
    }

    /// The quota of a level.
    ///
    /// # Errors
    ///
    /// [`LevelError::Unknown`] if the level is not there.
    pub fn quota(&self, level: LevelId) -> Result<Quota, LevelError> {
        Ok(self.slots[self.slot(level)?].quota)
    }

    /// The level above, or `None` for the topmost.
    ///
    /// # Errors
    ///
    /// [`LevelError::Unknown`] if the level is not there.
    pub fn above(&self, level: LevelId) -> Result<Option<LevelId>, LevelError> {
        let slot = self.slot(level)?;
        Ok((slot > 0).then(|| self.id(self.slots[slot].above as usize)))
    }

    /// Every level, in no particular order but the topmost first.
    pub fn iter(&self) -> impl Iterator<Item = LevelId> {
        (0..self.slots.len()).filter(|slot| self.slots[*slot].held).map(|slot| self.id(slot))
    }

    fn slot(&self, level: LevelId) -> Result<usize, LevelError> {
        match self.slots.get(level.slot as usize) {
            Some(slot) if slot.held && slot.generation == level.generation => Ok(level.slot as usize),
            _ => Err(LevelError::Unknown),
        }
    }

    fn id(&self, slot: usize) -> LevelId {
        LevelId { slot: slot as u32, generation: self.slots[slot].generation }
    }

    /// When the last of the levels that do not let `n` cells through at `now` will, and which that is.
    fn refused(
        &self,
        now: Instant,
        level: LevelId,
        n: u32,
    ) -> Result<Option<(Instant, LevelId)>, LevelError> {
        let mut slot = self.slot(level)?;
        let mut refused: Option<(Instant, LevelId)> = None;
        loop {
            let level = &self.slots[slot];
            let burst = level.quota.burst_size();
            if n > burst {
                return Err(LevelError::OverBurst { burst, level: self.id(slot) });
            }
            if let Err(retry_at) = level.quota.admit_n(level.next, now, n)
                && refused.is_none_or(|(latest, _)| retry_at > latest)
            {
                refused = Some((retry_at, self.id(slot)));
            }
            if slot == 0 {
                return Ok(refused);
            }
            slot = level.above as usize;
        }
    }
}

impl<S: Storage> fmt::Debug for Hierarchy<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.slots.iter().filter(|level| level.held)).finish()
    }
}
