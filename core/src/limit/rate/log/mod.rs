//! Never more than so many in any window: the instants of the last admissions.

#[cfg(test)]
mod tests;

use super::gcra::OverBurst;
use crate::limit::Admit;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::time::{Instant, nanos};
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Why a window was refused. Nothing was made or changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WindowError {
    /// The window is zero, so there would be no limit. Remedy: a window of at least a nanosecond.
    Zero,
    /// The window does not fit 64 bits of nanoseconds (584 years). Remedy: a shorter one.
    TooLong,
    /// More cells a window than there are slots to remember them. Remedy: as many slots as cells, or fewer cells.
    TooFewSlots,
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "the window must be longer than zero",
            Self::TooLong => "the window must be shorter than 584 years",
            Self::TooFewSlots => {
                "the log needs a slot for each cell of a window; give it more or allow fewer cells"
            }
        })
    }
}

impl core::error::Error for WindowError {}

/// A rate limiter that never admits more than so many cells in *any* window of so long: the sliding log.
///
/// Where [`Gcra`](super::Gcra) lets a window that starts with a full bucket hold the burst and what is gained meanwhile,
/// and a fixed window lets twice the quota through around its edge, this one counts back from every instant. It satisfies
/// every fixed window of the same length at once, whenever that one starts: what is needed towards a service that counts
/// so. A window is half-open: a cell at *a* and another at *a* + `window` are never in the same one.
///
/// *When not to use it:* for large quotas (it remembers every cell of a window), or where cells should come evenly: it lets
/// a whole quota go at once and then waits.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Admit, SlidingLog, WindowError};
/// use divvy::storage::Inline;
///
/// let two = NonZeroU32::new(2).expect("two is not zero");
/// let mut limit = SlidingLog::<Inline<2>>::new(two, Duration::from_secs(1))?;
/// let at = Instant::from_millis;
/// assert_eq!((limit.admit(at(0)), limit.admit(at(900))), (Admit::Yes, Admit::Yes));
/// // A fixed window from 1,000 on would let both of these go:
/// assert_eq!(limit.admit(at(1_000)), Admit::Yes);
/// assert_eq!(limit.admit(at(1_000)), Admit::No { retry_at: at(1_900) });
/// let three = NonZeroU32::new(3).expect("three is not zero");
/// assert_eq!(SlidingLog::<Inline<2>>::new(three, Duration::from_secs(1)).unwrap_err(), WindowError::TooFewSlots);
/// # Ok::<(), WindowError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) for a cell, *O*(n) for `n` that are admitted together. 8 bytes a slot and 32 besides.
///
/// # Time
///
/// `now` is when the cell would go. A `now` earlier than one seen before is taken as that one: a clock that goes back
/// neither refunds nor refuses anything.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # Errors
///
/// [`WindowError`] for a window of zero or of more than 584 years, and for more cells than slots. [`OverBurst`] for more
/// cells at once than a window holds.
///
/// # References
///
/// tower issue #842 and governor issue #219, which ask for it.
pub struct SlidingLog<S: Storage = Inline<64>> {
    /// The instants of the last admissions, around in a ring: the next one replaces the oldest.
    slots: S::Slots<Instant>,
    /// Where the next instant goes.
    head: u32,
    /// How many slots are used.
    len: u32,
    cells: u32,
    window: u64,
    latest: Instant,
}

impl<const N: usize> SlidingLog<Inline<N>> {
    /// At most `cells` in any `window`.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if the window is zero or too long, or if `cells` are more than `N`.
    pub const fn new(cells: NonZeroU32, window: Duration) -> Result<Self, WindowError> {
        let window = match valid(cells, window, N) {
            Ok(window) => window,
            Err(error) => return Err(error),
        };
        let slots = InlineSlots([Instant::ZERO; N]);
        Ok(Self { slots, head: 0, len: 0, cells: cells.get(), window, latest: Instant::ZERO })
    }
}

#[cfg(feature = "alloc")]
impl SlidingLog<crate::storage::Heap> {
    /// At most `cells` in any `window`, in as many slots as cells, allocated now.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if the window is zero or too long.
    pub fn with_capacity(cells: NonZeroU32, window: Duration) -> Result<Self, WindowError> {
        let window = valid(cells, window, cells.get() as usize)?;
        let slots = alloc::vec![Instant::ZERO; cells.get() as usize].into_boxed_slice();
        Ok(Self { slots, head: 0, len: 0, cells: cells.get(), window, latest: Instant::ZERO })
    }
}

impl<S: Storage> SlidingLog<S> {
    /// Admits one cell now, or says when it may go.
    pub fn admit(&mut self, now: Instant) -> Admit {
        self.take(now, 1)
    }

    /// Admits `n` cells now, all or none, or says when they may go.
    ///
    /// # Errors
    ///
    /// [`OverBurst`] if `n` is more than a window holds. Nothing changed.
    pub fn admit_n(&mut self, now: Instant, n: NonZeroU32) -> Result<Admit, OverBurst> {
        self.within_window(n)?;
        Ok(self.take(now, n.get()))
    }

    /// The earliest instant, not before `now`, at which a cell would be admitted. Nothing changes.
    #[must_use]
    pub fn next_free(&self, now: Instant) -> Instant {
        self.earliest(1).max(self.latest).max(now)
    }

    /// The earliest instant, not before `now`, at which `n` cells would be admitted together. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`OverBurst`] if `n` is more than a window holds.
    pub fn next_free_n(&self, now: Instant, n: NonZeroU32) -> Result<Instant, OverBurst> {
        self.within_window(n)?;
        Ok(self.earliest(n.get()).max(self.latest).max(now))
    }

    /// At most `cells` in any `window` from now on. What was admitted before counts as if this had always been the limit,
    /// as far as the log goes back: to the last cells for which it has slots.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if the window is zero or too long, or if `cells` are more than slots. Nothing changed.
    pub fn set(&mut self, cells: NonZeroU32, window: Duration) -> Result<(), WindowError> {
        self.window = valid(cells, window, self.slots.len())?;
        self.cells = cells.get();
        Ok(())
    }

    /// How many cells a window holds.
    #[must_use]
    pub const fn cells(&self) -> u32 {
        self.cells
    }

    /// How long a window is.
    #[must_use]
    pub const fn window(&self) -> Duration {
        Duration::from_nanos(self.window)
    }

    /// How many cells are in the window that ends now. *O*(log cells).
    #[must_use]
    pub fn len(&self, now: Instant) -> u32 {
        let now = now.max(self.latest);
        let (mut inside, mut outside) = (0, self.len.saturating_add(1));
        // The last `inside` are in the window, the last `outside` are not, or there are not so many.
        while outside - inside > 1 {
            let middle = inside + (outside - inside) / 2;
            if now.as_nanos() - self.last(middle).as_nanos() < self.window {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    }

    /// Whether no cell is in the window that ends now.
    #[must_use]
    pub fn is_empty(&self, now: Instant) -> bool {
        self.len(now) == 0
    }

    fn take(&mut self, now: Instant, n: u32) -> Admit {
        self.latest = self.latest.max(now);
        let back = self.cells - n + 1;
        // `n` more fit if the last `cells − n + 1` do not all lie in the window that ends now.
        if back <= self.len && self.latest.as_nanos() - self.last(back).as_nanos() < self.window {
            return Admit::No { retry_at: self.earliest(n) };
        }
        let slots = self.slots.len() as u32;
        for _ in 0..n {
            self.slots[self.head as usize] = self.latest;
            self.head = if self.head + 1 == slots { 0 } else { self.head + 1 };
        }
        self.len = self.len.saturating_add(n).min(slots);
        Admit::Yes
    }

    /// When `n` cells, no more than a window holds, may go: possibly long ago.
    fn earliest(&self, n: u32) -> Instant {
        let back = self.cells - n + 1;
        if back > self.len {
            return Instant::ZERO;
        }
        Instant::from_nanos(self.last(back).as_nanos().saturating_add(self.window))
    }

    /// The instant of the `back`-th last cell, counted from one: not more than there are.
    fn last(&self, back: u32) -> Instant {
        let at =
            if back <= self.head { self.head - back } else { self.head + (self.slots.len() as u32 - back) };
        self.slots[at as usize]
    }

    fn within_window(&self, n: NonZeroU32) -> Result<(), OverBurst> {
        let burst = self.cells;
        if n.get() > burst { Err(OverBurst { burst }) } else { Ok(()) }
    }
}

impl<S: Storage> fmt::Debug for SlidingLog<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlidingLog")
            .field("cells", &self.cells)
            .field("window", &self.window())
            .field("latest", &self.latest)
            .finish_non_exhaustive()
    }
}

const fn valid(cells: NonZeroU32, window: Duration, slots: usize) -> Result<u64, WindowError> {
    let Some(window) = nanos(window) else { return Err(WindowError::TooLong) };
    if window == 0 {
        return Err(WindowError::Zero);
    }
    // Positions are counted in 32 bits.
    if cells.get() as usize > slots || slots > u32::MAX as usize {
        return Err(WindowError::TooFewSlots);
    }
    Ok(window)
}
