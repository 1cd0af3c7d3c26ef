//! A second attempt while the first one still runs.

mod config;
#[cfg(all(test, not(divvy_loom)))]
mod tests;

pub use config::{HedgeConfig, HedgeError};

use super::{Spend, Withdraw};
use crate::sketch::Histogram;
use crate::storage::{Inline, Storage};
use crate::time::{Instant, saturating_nanos};
use core::fmt;
use core::time::Duration;

/// After how many observations the percentile is looked up again.
const EVERY: u64 = 16;

/// What to do about a call that has no answer yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a hedge that was granted is paid for, and one that was not must not be sent"]
pub enum HedgeStep {
    /// Send another attempt now; the first answer counts. It is paid for.
    Send,
    /// Ask again then, unless there is an answer first.
    Wait {
        /// When the next attempt is due.
        until: Instant,
    },
    /// No further attempt, and why.
    No(NoHedge),
}

/// Why a call gets no hedge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoHedge {
    /// It has had all that a call may have.
    Enough,
    /// The latency is not known yet: too few samples in the window.
    Unknown,
    /// The budget is spent.
    Budget {
        /// When it may grant another one: see [`Spend::No`].
        retry_at: Instant,
    },
}

/// What a hedge has seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct HedgeStats {
    /// Latencies that the percentile is taken from.
    pub samples: u64,
    /// The delay before the first hedge; `None` while it is not known.
    pub delay: Option<Duration>,
    /// Hedges granted so far.
    pub sent: u64,
    /// Hedges that were due and that the budget refused.
    pub refused: u64,
}

/// When a second attempt is worth making while the first one still runs.
///
/// Learns how long answers take, and lets a call that takes longer than a percentile of them be sent again, to another
/// server. Whoever answers first wins, and the caller drops or cancels the other. At the 95th percentile that is 5 %
/// more load at most, and a stall of one server no longer shows in the tail.
///
/// *When not to use it:* for calls that must not run twice: a hedged call often *does* run twice, to the end, even if
/// the loser is cancelled. Only reads and calls that are idempotent (by an idempotency key, for example) may be hedged.
/// Nor where every server is slow for the same reason: the second attempt waits in the same queue, and costs a place
/// in it.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::retry::{Budget, BudgetConfig, Hedge, HedgeConfig, HedgeStep, NoHedge};
///
/// let mut hedge: Hedge = Hedge::new(HedgeConfig::new()).expect("the defaults are valid");
/// let mut budget = Budget::new(BudgetConfig::new()).expect("the defaults are valid");
/// let began = Instant::from_secs(1);
/// assert_eq!(hedge.ask(began, began, 0, &mut budget), HedgeStep::No(NoHedge::Unknown));
/// for millis in 1..=100 {
///     hedge.observe(began, Duration::from_millis(millis));
/// }
/// // The 95th of a hundred, to 1/16; sooner than that there is nothing to do:
/// let Some(delay) = hedge.delay() else { unreachable!("there are enough samples") };
/// assert!(delay >= Duration::from_millis(95) && delay < Duration::from_millis(101));
/// let due = began.saturating_add(delay);
/// assert_eq!(hedge.ask(began, began, 0, &mut budget), HedgeStep::Wait { until: due });
/// assert_eq!(hedge.ask(due, began, 0, &mut budget), HedgeStep::Send);
/// assert_eq!(hedge.ask(due, began, 1, &mut budget), HedgeStep::No(NoHedge::Enough));
/// ```
///
/// # Complexity
///
/// [`ask`](Self::ask) *O*(1). [`observe`](Self::observe) counts in two histograms, and every sixteenth time walks
/// one. Two histograms of `S` with 2<sup>`BITS`</sup> buckets for each doubling: 4.6 KB by default, for latencies up to
/// 137 s (longer ones are counted as the longest seen) to 1/16.
///
/// # Time
///
/// `now` is when the answer came or the question is asked. A `now` earlier than one seen before is taken as that one.
/// Latencies are forgotten after between half the window and all of it.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # References
///
/// Dean, Barroso: *The Tail at Scale*, CACM 56(2), 2013 ("hedged requests").
pub struct Hedge<S: Storage = Inline<544>, const BITS: u32 = 4> {
    config: HedgeConfig,
    /// Both count every latency; each is emptied when it is a window old, the two half a window apart.
    histograms: [Histogram<S, BITS>; 2],
    /// Which of them goes back further.
    elder: u8,
    /// When it is emptied.
    turn: Instant,
    latest: Instant,
    /// The percentile as of the last look, in nanoseconds.
    delay: Option<u64>,
    sent: u64,
    refused: u64,
}

impl<const N: usize, const BITS: u32> Hedge<Inline<N>, BITS> {
    /// A hedge that knows nothing yet, with `N` buckets in each of its two histograms
    /// ([`buckets`](crate::sketch::buckets)`(BITS, nanoseconds)` says how many).
    ///
    /// # Errors
    ///
    /// [`HedgeError`]
    pub const fn new(config: HedgeConfig) -> Result<Self, HedgeError> {
        match config.check() {
            Ok(()) => Ok(Self::with(config, [Histogram::new(), Histogram::new()])),
            Err(error) => Err(error),
        }
    }
}

#[cfg(feature = "alloc")]
impl<const BITS: u32> Hedge<crate::storage::Heap, BITS> {
    /// A hedge that tells latencies up to `longest` apart, allocated now.
    ///
    /// # Errors
    ///
    /// [`HedgeError`]
    pub fn with_longest(config: HedgeConfig, longest: Duration) -> Result<Self, HedgeError> {
        config.check()?;
        let longest = saturating_nanos(longest);
        Ok(Self::with(config, [Histogram::with_highest(longest), Histogram::with_highest(longest)]))
    }
}

impl<S: Storage, const BITS: u32> Hedge<S, BITS> {
    const fn with(config: HedgeConfig, histograms: [Histogram<S, BITS>; 2]) -> Self {
        let turn = Instant::from_nanos(saturating_nanos(config.window) / 2);
        let delay = match config.initial {
            Some(initial) => Some(saturating_nanos(initial)),
            None => None,
        };
        Self { config, histograms, elder: 0, turn, latest: Instant::ZERO, delay, sent: 0, refused: 0 }
    }

    /// An answer came after `latency`, measured from when the call began.
    ///
    /// Tell it of every call that was answered, hedged or not, once, with the time to the first answer: a call that was
    /// hedged took longer than the delay whoever answered, so the percentile stays where it is. Leave failures out that
    /// come at once.
    pub fn observe(&mut self, now: Instant, latency: Duration) {
        self.advance(now);
        let latency = saturating_nanos(latency);
        for histogram in &mut self.histograms {
            histogram.record(latency);
        }
        let count = self.elder().count();
        if count.is_multiple_of(EVERY) || count == u64::from(self.config.samples.get()) {
            self.look();
        }
    }

    /// What to do at `now` about a call that began at `began`, has `sent` hedges under way and no answer.
    ///
    /// The first hedge is due after the [`delay`](Self::delay), the second after twice that, and so on. One that is due
    /// is paid for from `budget`, which retries share. A call that is refused for want of budget may be asked about
    /// again; each time counts.
    pub fn ask(&mut self, now: Instant, began: Instant, sent: u32, budget: &mut impl Withdraw) -> HedgeStep {
        match self.due(now, began, sent) {
            HedgeStep::Send => match budget.withdraw(self.latest) {
                Spend::Yes => {
                    self.sent = self.sent.saturating_add(1);
                    HedgeStep::Send
                }
                Spend::No { retry_at } => {
                    self.refused = self.refused.saturating_add(1);
                    HedgeStep::No(NoHedge::Budget { retry_at })
                }
            },
            other => other,
        }
    }

    /// The same without a budget: nothing bounds the hedges but the percentile.
    pub fn due(&mut self, now: Instant, began: Instant, sent: u32) -> HedgeStep {
        self.advance(now);
        if sent >= self.config.hedges.get() {
            return HedgeStep::No(NoHedge::Enough);
        }
        let Some(delay) = self.delay() else { return HedgeStep::No(NoHedge::Unknown) };
        let wait = saturating_nanos(delay).saturating_mul(u64::from(sent) + 1);
        let until = began.saturating_add(Duration::from_nanos(wait));
        if until <= self.latest { HedgeStep::Send } else { HedgeStep::Wait { until } }
    }

    /// How long to wait before the first hedge; `None` while it is not known. It is as of the latest time seen and up
    /// to sixteen observations old.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay.map(|nanos| Duration::from_nanos(nanos).max(self.config.at_least))
    }

    /// What it has seen.
    #[must_use]
    pub fn stats(&self) -> HedgeStats {
        HedgeStats {
            samples: self.elder().count(),
            delay: self.delay(),
            sent: self.sent,
            refused: self.refused,
        }
    }

    /// When latencies are forgotten next.
    #[must_use]
    pub const fn next_deadline(&self) -> Instant {
        self.turn
    }

    /// Forgets what is due to be forgotten at `now`. The other calls do it as well.
    #[inline]
    pub fn advance(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
        // The end of time comes once; nothing is forgotten then.
        if self.latest >= self.turn && self.turn < Instant::MAX {
            self.forget();
        }
    }

    #[cold]
    fn forget(&mut self) {
        let half = saturating_nanos(self.config.window) / 2;
        let late = saturating_nanos(self.latest.saturating_duration_since(self.turn));
        self.histograms[usize::from(self.elder)].clear();
        self.elder ^= 1;
        if late >= half {
            // The other one's turn came as well meanwhile.
            self.histograms[usize::from(self.elder)].clear();
        }
        // On the grid of half windows, so that it does not matter when somebody looks.
        self.turn =
            Instant::from_nanos(self.turn.as_nanos().saturating_add((late / half + 1).saturating_mul(half)));
        self.look();
    }

    const fn elder(&self) -> &Histogram<S, BITS> {
        let [first, second] = &self.histograms;
        if self.elder == 0 { first } else { second }
    }

    /// Looks the percentile up.
    fn look(&mut self) {
        let elder = self.elder();
        self.delay = if elder.count() < u64::from(self.config.samples.get()) {
            self.config.initial.map(saturating_nanos)
        } else {
            elder.quantile(self.config.numerator, self.config.denominator)
        };
    }
}

impl<S: Storage, const BITS: u32> fmt::Debug for Hedge<S, BITS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge")
            .field("config", &self.config)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
