//! The budget of a single owner.

use super::config::{BudgetConfig, BudgetError, Rule};
use super::{BudgetStats, SLICES, Spend};
use crate::time::Instant;

/// What first attempts earn, and retries and hedges spend.
///
/// Retries multiply load just when there is too much of it: three layers that each try three times send 27 requests
/// for one. With a budget of 20 % each layer sends at most 1.2 times what it was asked, whatever fails. One budget
/// serves retries and [hedges](super::super::Hedge) together, so that the two cannot add up.
///
/// At every withdrawal, over the last `ttl`:
///
/// > withdrawals ≤ deposits × share + floor × ttl
///
/// exactly, where the last `ttl` is the current tenth of it and the nine before. In any longer time the sum over its
/// windows holds, for a withdrawal is counted as long as the deposit that could have paid for it.
///
/// *When not to use it:* as a rate limit (that is [`limit`](crate::limit)): first attempts are never refused. A budget
/// belongs to one caller and one service called; one for all services would let a broken one use up everybody's.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::retry::{Budget, BudgetConfig, BudgetError, Spend};
///
/// let mut budget = Budget::new(BudgetConfig::new().share(1, 5).floor(0).ttl(Duration::from_secs(10)))?;
/// let now = Instant::from_secs(100);
/// for _ in 0..5 {
///     budget.deposit(now);
/// }
/// assert_eq!(budget.withdraw(now), Spend::Yes);
/// // Nothing is left, and without further first attempts nothing will be:
/// assert_eq!(budget.withdraw(now), Spend::No { retry_at: Instant::MAX });
///
/// // With a floor it is enough to wait until the earlier retry is forgotten:
/// let mut budget = Budget::new(BudgetConfig::new().share(0, 1).floor(1).ttl(Duration::from_secs(1)))?;
/// assert_eq!(budget.withdraw(now), Spend::Yes);
/// assert_eq!(budget.withdraw(now), Spend::No { retry_at: Instant::from_secs(101) });
/// # Ok::<(), BudgetError>(())
/// ```
///
/// # Complexity
///
/// [`deposit`](Self::deposit) and [`withdraw`](Self::withdraw) *O*(1), with one division in each tenth of the `ttl`; a
/// refusal looks at ten slices. 168 bytes; `Copy`.
///
/// # Time
///
/// `now` is when the attempt is made. A `now` earlier than one seen before is taken as that one: a clock that goes
/// back forgets no withdrawal. A jump forward by the `ttl` or more forgets all of them, and all deposits.
///
/// # References
///
/// `RetryBudget` of Twitter's Finagle; *Site Reliability Engineering*, chapter 22 ("Addressing Cascading Failures");
/// tower's `TpsBudget`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Budget {
    rule: Rule,
    /// Deposits and withdrawals of each slice of the window.
    slices: [(u32, u32); SLICES as usize],
    /// The place of the current slice among them.
    at: u32,
    /// Its number since the start of the clock, and when it ends.
    slice: u64,
    end: Instant,
    /// The sums over `slices`.
    deposits: u64,
    withdrawals: u64,
    deposited: u64,
    withdrawn: u64,
    refused: u64,
}

impl Budget {
    /// A budget that has seen nothing: the floor can be spent.
    ///
    /// # Errors
    ///
    /// [`BudgetError`]
    pub const fn new(config: BudgetConfig) -> Result<Self, BudgetError> {
        let rule = match config.check() {
            Ok(rule) => rule,
            Err(error) => return Err(error),
        };
        Ok(Self {
            rule,
            slices: [(0, 0); SLICES as usize],
            at: 0,
            slice: 0,
            end: Instant::from_nanos(rule.slice),
            deposits: 0,
            withdrawals: 0,
            deposited: 0,
            withdrawn: 0,
            refused: 0,
        })
    }

    /// A first attempt is made.
    ///
    /// A slice counts up to 2³² − 1 of them; more earn nothing.
    #[inline]
    pub fn deposit(&mut self, now: Instant) {
        self.turn(now);
        self.deposited = self.deposited.saturating_add(1);
        let slice = &mut self.slices[self.at as usize];
        if slice.0 < u32::MAX {
            slice.0 += 1;
            self.deposits += 1;
        }
    }

    /// Pays for one more attempt, if there is enough. Otherwise nothing changes but the count of refusals.
    pub fn withdraw(&mut self, now: Instant) -> Spend {
        self.turn(now);
        let slice = &mut self.slices[self.at as usize];
        if slice.1 < u32::MAX && self.rule.grants(self.deposits, self.withdrawals) {
            slice.1 += 1;
            self.withdrawals += 1;
            self.withdrawn = self.withdrawn.saturating_add(1);
            return Spend::Yes;
        }
        self.refused = self.refused.saturating_add(1);
        let (newer, older) = self.slices.split_at(self.at as usize + 1);
        let oldest_first = older.iter().chain(newer).copied();
        self.rule.refusal(self.slice, self.deposits, self.withdrawals, oldest_first)
    }

    /// How many withdrawals would be granted now.
    #[must_use]
    pub fn balance(&self, now: Instant) -> u32 {
        let mut then = *self;
        then.turn(now);
        then.rule.balance(then.deposits, then.withdrawals)
    }

    /// What it has seen, and what is left at `now`.
    #[must_use]
    pub fn stats(&self, now: Instant) -> BudgetStats {
        BudgetStats {
            balance: self.balance(now),
            deposited: self.deposited,
            withdrawn: self.withdrawn,
            refused: self.refused,
        }
    }

    /// Goes on to the slice of `now`, and forgets what has left the window.
    #[inline]
    fn turn(&mut self, now: Instant) {
        if now >= self.end {
            self.turn_to(now.as_nanos() / self.rule.slice);
        }
    }

    #[cold]
    fn turn_to(&mut self, slice: u64) {
        // The last slice of all time ends no later than it began to be the current one: nothing passes then.
        let passed = slice.saturating_sub(self.slice);
        for _ in 0..passed.min(SLICES.into()) {
            self.at = (self.at + 1) % SLICES;
            let (deposits, withdrawals) = core::mem::take(&mut self.slices[self.at as usize]);
            self.deposits -= u64::from(deposits);
            self.withdrawals -= u64::from(withdrawals);
        }
        self.slice = slice;
        let end = slice.saturating_add(1).saturating_mul(self.rule.slice);
        self.end = Instant::from_nanos(end);
    }
}
