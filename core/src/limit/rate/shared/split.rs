//! One rate for all cores, most of it without sharing a cache line.

use super::state::State;
use super::ticks::Ticks;
use crate::limit::Admit;
use crate::limit::rate::{OverBurst, Quota};
use crate::sync::{AtomicU32, Ordering, const_fn};
use crate::time::Instant;
use core::num::NonZeroU32;

/// A rate limiter whose cells go to cores in batches, so that most are admitted without touching what others touch.
///
/// Each core (thread, worker) has a [`Share`] of its own. The limit is one bucket that all shares draw from, a batch at a
/// time, so whatever one core does not use goes to who asks. All shares together never admit more than the quota: what
/// they can hold in hand, `shares × (batch − 1)`, is taken from the burst of the common bucket.
///
/// So a core that comes alone and after a pause may find up to that many cells less than the burst: those that other
/// shares have in hand, and that its own share has not. The rate is not split: it is all there for whoever draws.
/// [`Share::park`] gives back what a core has in hand before it sleeps.
///
/// *When not to use it:* for a burst of one or of a few cells a share: nothing is left for batches, and each cell is drawn
/// from the common bucket as from [`SharedGcra32`](super::SharedGcra32).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Admit, Quota, QuotaError, SplitGcra};
///
/// let count = |n| NonZeroU32::new(n).expect("not zero");
/// // 100 a second, 20 at once, two shares that draw up to 4 each time.
/// let quota = Quota::new(count(100), Duration::from_secs(1))?.burst(count(20))?;
/// let limit = SplitGcra::new(quota, count(2), count(4));
/// let mut busy = limit.share().expect("two shares");
/// let mut idle = limit.share().expect("two shares");
/// assert!(limit.share().is_none());
///
/// let now = Instant::ZERO;
/// assert_eq!(idle.admit(now), Admit::Yes);
/// // It has 3 more in hand. Together they never exceed 20, here 14 less 3: the common bucket holds 20 − 2 × 3.
/// let admitted = (0..100).filter(|_| busy.admit(now) == Admit::Yes).count();
/// assert_eq!(admitted, 10);
/// assert_eq!(busy.admit(now), Admit::No { retry_at: Instant::from_millis(10) });
/// // What is given back goes to who asks.
/// idle.park(now);
/// assert_eq!((0..100).filter(|_| busy.admit(now) == Admit::Yes).count(), 3);
/// # Ok::<(), QuotaError>(())
/// ```
///
/// # Complexity
///
/// *O*(1). A cell from the hand costs a subtraction in memory of the share's owner; a batch what
/// [`SharedGcra32::admit`](super::SharedGcra32::admit) does, once or twice. A refusal is remembered, and costs a comparison until it
/// is over. 144 bytes and 24 for each share, which lies wherever its owner puts it: on the owner's stack or in its own memory.
///
/// # Time
///
/// As for [`SharedGcra32`](super::SharedGcra32). Cells in the hand are as good as when they were drawn, at any time.
///
/// # Concurrency
///
/// From the hand: no atomic operation. A batch: lock-free. Targets without compare-and-swap draw batches in a
/// critical section (features `portable-atomic` and `critical-section`), and admit from the hand without.
/// A share that is dropped gives back what it has in hand. One that is forgotten (`core::mem::forget`) keeps its place and
/// up to `batch − 1` cells of the burst for good: so much less is admitted at once, never more.
///
/// # Errors
///
/// [`OverBurst`] for more cells at once than the common bucket holds.
#[derive(Debug)]
pub struct SplitGcra {
    state: State<AtomicU32>,
    /// Shares that may still be handed out.
    free: AtomicU32,
    ticks: Ticks,
    /// What the common bucket holds, in cells.
    burst: u32,
    batch: u32,
    quota: Quota,
}

impl SplitGcra {
    const_fn! {
        /// A limit for up to so many `shares`, which draw up to `batch` cells each time; fewer if the burst is less than
        /// `2 × shares × (batch − 1)` cells, so that at least half of it is common. It has admitted nothing yet.
        ///
        /// The larger the batch, the seldomer a core touches the common bucket, and the more of the burst may lie in the
        /// hands of those who do not need it. 16 makes the common bucket a small part of the cost.
        #[must_use]
        pub const fn new(quota: Quota, shares: NonZeroU32, batch: NonZeroU32) -> Self {
            let hand = quota.burst_size() / 2 / shares.get();
            let hand = if hand < batch.get() - 1 { hand } else { batch.get() - 1 };
            let common = quota.burst_size() - hand * shares.get();
            Self {
                state: State::<AtomicU32>::full(),
                free: AtomicU32::new(shares.get()),
                ticks: Ticks::new(&quota, common, 32, 8),
                burst: common,
                batch: if hand < common { hand + 1 } else { common },
                quota,
            }
        }
    }

    /// A share, or `None` if all of them are out.
    #[must_use]
    pub fn share(&self) -> Option<Share<'_>> {
        loop {
            // Ordering: a count that hands nothing over.
            let free = self.free.load(Ordering::Relaxed);
            let left = free.checked_sub(1)?;
            // Ordering: as above.
            if self.free.compare_exchange_weak(free, left, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Some(Share { split: self, hand: 0, latest: Instant::ZERO });
            }
        }
    }

    /// The quota in force.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// How many cells a share draws at a time: what was asked for, or what the burst has room for.
    #[must_use]
    pub const fn batch(&self) -> u32 {
        self.batch
    }

    /// How many cells the common bucket holds: what a core that comes alone after a pause is sure to find, less what others
    /// drew.
    #[must_use]
    pub const fn common_burst(&self) -> u32 {
        self.burst
    }
}

/// A core's share of a [`SplitGcra`].
///
/// # Examples
///
/// See [`SplitGcra`].
#[derive(Debug)]
#[must_use = "a share that is dropped gives its place back"]
pub struct Share<'a> {
    split: &'a SplitGcra,
    /// Cells drawn and not yet admitted.
    hand: u32,
    /// When a batch was last drawn.
    latest: Instant,
}

impl Share<'_> {
    /// Admits one cell now, or says when it may go.
    #[inline]
    pub fn admit(&mut self, now: Instant) -> Admit {
        match self.hand.checked_sub(1) {
            Some(hand) => {
                self.hand = hand;
                Admit::Yes
            }
            None => self.draw(now, 1),
        }
    }

    /// Admits `n` cells now, all or none, or says when they may go.
    ///
    /// # Errors
    ///
    /// [`OverBurst`] if `n` is more than [`SplitGcra::common_burst`]. Nothing changed.
    #[inline]
    pub fn admit_n(&mut self, now: Instant, n: NonZeroU32) -> Result<Admit, OverBurst> {
        let burst = self.split.burst;
        if n.get() > burst {
            return Err(OverBurst { burst });
        }
        Ok(match self.hand.checked_sub(n.get()) {
            Some(hand) => {
                self.hand = hand;
                Admit::Yes
            }
            None => self.draw(now, n.get()),
        })
    }

    /// The earliest instant, not before `now`, at which a cell would be admitted if no other share draws first. Nothing
    /// changes.
    #[must_use]
    pub fn next_free(&self, now: Instant) -> Instant {
        if self.hand > 0 {
            return now;
        }
        self.split.state.next_free(&self.split.ticks, now, self.split.ticks.one)
    }

    /// How many cells this share has in hand.
    #[must_use]
    pub const fn in_hand(&self) -> u32 {
        self.hand
    }

    /// Gives back what is in hand, to be drawn by whoever asks: before its owner sleeps. What the common bucket has no
    /// room for is lost, as it has filled up since.
    pub fn park(&mut self, now: Instant) {
        let cells = core::mem::take(&mut self.hand);
        if cells > 0 {
            self.split.state.put_back(&self.split.ticks, now, self.split.ticks.worth(cells));
        }
    }

    /// Admits `n` cells, more than are in hand: draws what is missing and, if there are as many, a batch in advance.
    #[cold]
    fn draw(&mut self, now: Instant, n: u32) -> Admit {
        let SplitGcra { state, ticks, burst, batch, .. } = self.split;
        let missing = n - self.hand;
        let advance = (batch - 1).min(burst - missing);
        let (most, least) = (ticks.price(missing + advance), ticks.price(missing));
        match state.take(ticks, now, most, least) {
            Ok(in_advance) => {
                self.hand = if in_advance { advance } else { 0 };
                self.latest = now;
                Admit::Yes
            }
            Err(retry_at) => Admit::No { retry_at },
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        // A time that is too early is no harm: what is given back then comes later than it might.
        self.park(self.latest);
        // Ordering: a count that hands nothing over.
        self.split.free.fetch_add(1, Ordering::Relaxed);
    }
}
