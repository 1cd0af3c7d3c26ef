//! The budget that threads share, without a lock and without 64-bit atomics.

use super::config::{BudgetConfig, BudgetError, Rule};
use super::{BudgetStats, SLICES, Spend};
use crate::sync::{AtomicU32, Backoff, Ordering, array_of, const_fn};
use crate::time::Instant;

/// A [`Budget`](super::Budget) that any number of threads deposit to and withdraw from.
///
/// It grants what a plain one would grant, and under races never more: each withdrawal is decided and counted in one
/// compare-and-swap that fails if anything was withdrawn, or the slice ended, since it looked.
///
/// *When not to use it:* where one thread owns the budget; the plain one is smaller and its figures are exact. Nor with
/// slices so short that 2³⁰ of them may pass without a call: at a tenth of 10 s that is 34 years, at 1 ms 12 days.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::retry::{BudgetConfig, SharedBudget, Spend};
///
/// static BUDGET: SharedBudget =
///     match SharedBudget::new(BudgetConfig::new().share(1, 5).floor(0).ttl(Duration::from_secs(10))) {
///         Ok(budget) => budget,
///         Err(_) => panic!("a tenth of 10 s is not zero"),
///     };
///
/// let now = Instant::from_secs(100);
/// std::thread::scope(|scope| {
///     for _ in 0..5 {
///         scope.spawn(|| BUDGET.deposit(now));
///     }
/// });
/// assert_eq!(BUDGET.withdraw(now), Spend::Yes);
/// assert!(matches!(BUDGET.withdraw(now), Spend::No { .. }));
/// ```
///
/// # Complexity
///
/// [`deposit`](Self::deposit) one division and one read-modify-write; [`withdraw`](Self::withdraw) looks at ten slices.
/// 168 bytes.
///
/// # Time
///
/// As for the plain budget. The number of the slice is kept in 31 bits: a pause of more than 2³⁰ slices is taken for a
/// clock that went back. A slice holds 2²⁰ − 1 withdrawals; what is beyond is refused until the next one.
///
/// # Concurrency
///
/// Lock-free: a thread that stops at any point holds up nobody. Over the window of every withdrawal granted, withdrawals
/// ≤ deposits × share + floor × ttl. A deposit made while a slice ends may count in the next one, or be lost; it is
/// never counted twice.
///
/// # References
///
/// tower-resilience #370 and #411: counts that are loaded, changed and stored apart lose what others did between.
#[derive(Debug)]
pub struct SharedBudget {
    rule: Rule,
    /// The current [slice](Slice); 0 before the first call.
    head: AtomicU32,
    /// Deposits of each slice. Emptied before the slice begins.
    deposits: [AtomicU32; SLOTS],
    /// Withdrawals of each slice, as a [`Word`].
    withdrawals: [AtomicU32; SLOTS],
    /// Deposits of the slices that were emptied.
    folded: AtomicU32,
    withdrawn: AtomicU32,
    refused: AtomicU32,
}

/// A power of two, so that places stay in turn when the number of the slice wraps; more than a window has slices, so
/// that what is emptied for the next slice is of none that counts.
const SLOTS: usize = if cfg!(divvy_loom) { 4 } else { 16 };

/// The number of a slice modulo 2³¹, doubled, plus 1: never 0.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Slice(u32);

impl Slice {
    const fn new(number: u64) -> Self {
        Self((number as u32) << 1 | 1)
    }

    const fn place(self) -> usize {
        (self.0 >> 1) as usize % SLOTS
    }

    const fn back(self, slices: u32) -> Self {
        Self(self.0.wrapping_sub(slices << 1))
    }

    const fn next(self) -> Self {
        Self(self.0.wrapping_add(2))
    }

    /// How many slices this is later than `other`; 0 if it is not.
    const fn since(self, other: Self) -> u32 {
        let ahead = self.0.wrapping_sub(other.0);
        if ahead > i32::MAX as u32 { 0 } else { ahead >> 1 }
    }
}

/// The withdrawals of a slice, its tag (the lower 11 bits of its number), and whether it is closed: a closed one never
/// changes until its place belongs to a later slice.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Word(u32);

impl Word {
    const CLOSED: u32 = 1 << 20;
    const MOST: u32 = Self::CLOSED - 1;

    const fn open(slice: Slice, count: u32) -> Self {
        Self((slice.0 >> 1) << 21 | count)
    }

    const fn is_of(self, slice: Slice) -> bool {
        self.0 >> 21 == (slice.0 >> 1) & 0x7FF
    }

    const fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// The withdrawals that count for `slice`: a word that is not its own is of one long past.
    const fn count(self, slice: Slice) -> u32 {
        if self.is_of(slice) { self.0 & Self::MOST } else { 0 }
    }

    /// What this becomes when `slice` ends.
    const fn closed(self, slice: Slice) -> Self {
        Self(Self::open(slice, self.count(slice)).0 | Self::CLOSED)
    }
}

// Why it never grants too much. A withdrawal counts when the word of the current slice *s* goes from open to open. Nobody
// moves `head` away from *s* before that word is closed, so *s* is still current then; the words of earlier slices were
// closed before `head` came to *s*, so what was read of them is what they hold; and deposits only grow, except by
// being forgotten. The one thing that could break this is a thread that stands still between reading a word and
// replacing it for a multiple of 2,048 slices, and finds the same count there.
impl SharedBudget {
    const_fn! {
        /// A budget that has seen nothing: the floor can be spent.
        ///
        /// # Errors
        ///
        /// [`BudgetError`]
        pub const fn new(config: BudgetConfig) -> Result<Self, BudgetError> {
            match config.check() {
                Ok(rule) => Ok(Self {
                    rule,
                    head: AtomicU32::new(0),
                    deposits: array_of!(AtomicU32::new(0)),
                    withdrawals: array_of!(AtomicU32::new(0)),
                    folded: AtomicU32::new(0),
                    withdrawn: AtomicU32::new(0),
                    refused: AtomicU32::new(0),
                }),
                Err(error) => Err(error),
            }
        }
    }

    /// A first attempt is made.
    ///
    /// A slice counts up to 2³¹ of them; more earn nothing.
    #[inline]
    pub fn deposit(&self, now: Instant) {
        let slice = self.turn(Slice::new(now.as_nanos() / self.rule.slice));
        let deposits = &self.deposits[slice.place()];
        // Ordering: whoever misses it grants less.
        if deposits.load(Ordering::Relaxed) < 1 << 31 {
            deposits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Pays for one more attempt, if there is enough.
    pub fn withdraw(&self, now: Instant) -> Spend {
        let number = now.as_nanos() / self.rule.slice;
        let wanted = Slice::new(number);
        let mut backoff = Backoff::new();
        loop {
            let slice = self.turn(wanted);
            let place = &self.withdrawals[slice.place()];
            let Some(word) = self.word_in(slice) else { continue };
            if word.is_of(slice) && word.is_closed() {
                // Somebody closed it and did not get to move on. Its clock is at least one slice further.
                self.leave(slice, slice.next());
                continue;
            }
            let mine = word.count(slice);
            let (deposits, withdrawals) = self.sums(slice, mine);
            if mine == Word::MOST || !self.rule.grants(deposits, withdrawals) {
                // Ordering: a figure, nothing else depends on it.
                self.refused.fetch_add(1, Ordering::Relaxed);
                let oldest_first = (0..SLICES).rev().map(|back| self.of_slice(slice.back(back)));
                let number = number.saturating_add(slice.since(wanted).into());
                return self.rule.refusal(number, deposits, withdrawals, oldest_first);
            }
            // Ordering: released with what was seen of earlier slices, so that who closes this one passes it on.
            match place.compare_exchange_weak(
                word.0,
                Word::open(slice, mine + 1).0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    // Ordering: a figure.
                    self.withdrawn.fetch_add(1, Ordering::Relaxed);
                    return Spend::Yes;
                }
                Err(_) => backoff.lost(),
            }
        }
    }

    /// How many withdrawals would be granted now.
    #[must_use]
    pub fn balance(&self, now: Instant) -> u32 {
        let slice = self.turn(Slice::new(now.as_nanos() / self.rule.slice));
        // Ordering: as in `word_in`; a figure that may be old when it is read.
        let word = Word(self.withdrawals[slice.place()].load(Ordering::Acquire));
        let (deposits, withdrawals) = self.sums(slice, word.count(slice));
        self.rule.balance(deposits, withdrawals)
    }

    /// What it has seen, each count modulo 2³² and taken on its own, and what is left at `now`.
    #[must_use]
    pub fn stats(&self, now: Instant) -> BudgetStats {
        let balance = self.balance(now);
        // Ordering: figures.
        let current = self.deposits.iter().map(|deposits| deposits.load(Ordering::Relaxed));
        let deposited = current.fold(self.folded.load(Ordering::Relaxed), u32::wrapping_add);
        BudgetStats {
            balance,
            deposited: deposited.into(),
            withdrawn: self.withdrawn.load(Ordering::Relaxed).into(),
            refused: self.refused.load(Ordering::Relaxed).into(),
        }
    }

    /// The word at the place of `slice`, or `None` if `slice` is no longer the current one.
    fn word_in(&self, slice: Slice) -> Option<Word> {
        // Ordering: acquired from whoever wrote it, who had seen the slice that it is of begin; if that is a later one,
        // the next load finds it.
        let word = Word(self.withdrawals[slice.place()].load(Ordering::Acquire));
        (self.head.load(Ordering::Acquire) == slice.0).then_some(word)
    }

    /// Deposits and withdrawals in the window of `slice`, of which `mine` were withdrawn in it.
    fn sums(&self, slice: Slice, mine: u32) -> (u64, u64) {
        let (mine_deposited, _) = self.of_slice(slice);
        (1..SLICES).map(|back| self.of_slice(slice.back(back))).fold(
            (mine_deposited.into(), mine.into()),
            |(deposits, withdrawals), (deposited, withdrawn)| {
                (deposits + u64::from(deposited), withdrawals + u64::from(withdrawn))
            },
        )
    }

    /// Deposits and withdrawals of one slice.
    fn of_slice(&self, slice: Slice) -> (u32, u32) {
        // Ordering: emptying a place, and closing a slice, happened before `head` came here, and that was acquired. What
        // is newer than that may be seen or not.
        let deposited = self.deposits[slice.place()].load(Ordering::Relaxed);
        let word = Word(self.withdrawals[slice.place()].load(Ordering::Relaxed));
        (deposited, word.count(slice))
    }

    /// Goes on to `wanted`, unless a later slice is current; the current one.
    #[inline]
    fn turn(&self, wanted: Slice) -> Slice {
        // Ordering: acquires what was emptied and closed before this slice began.
        let head = self.head.load(Ordering::Acquire);
        if head == wanted.0 { wanted } else { self.turn_to(head, wanted) }
    }

    #[cold]
    fn turn_to(&self, mut head: u32, wanted: Slice) -> Slice {
        if head == 0 {
            // Ordering: nothing was written before the first slice; on failure, as above.
            match self.head.compare_exchange(0, wanted.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return wanted,
                Err(current) => head = current,
            }
        }
        let mut slice = Slice(head);
        while wanted.since(slice) > 0 {
            slice = self.leave(slice, wanted);
        }
        slice
    }

    /// Ends `slice` in favour of `next`, which is later; the slice that is current afterwards.
    fn leave(&self, slice: Slice, next: Slice) -> Slice {
        // Ordering, here and below: as in `turn`.
        let current = || Slice(self.head.load(Ordering::Acquire));
        // From here on nobody withdraws in it.
        loop {
            let Some(word) = self.word_in(slice) else { return current() };
            if word.is_of(slice) && word.is_closed() {
                break;
            }
            // Ordering: acquires the last withdrawal, which the next slice is going to count.
            let place = &self.withdrawals[slice.place()];
            let (old, new) = (word.0, word.closed(slice).0);
            if place.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                break;
            }
        }
        // The places of the slices that begin or are skipped. A thread that comes late here empties a place in use: its
        // deposits are lost, which grants less.
        let mut stale = [0; SLOTS];
        let skipped = || (0..next.since(slice).min(SLOTS as u32)).map(|back| next.back(back));
        for slice in skipped() {
            // Ordering: released by `head` below.
            stale[slice.place()] = self.withdrawals[slice.place()].load(Ordering::Relaxed);
            let deposits = &self.deposits[slice.place()];
            if deposits.load(Ordering::Relaxed) > 0 {
                self.folded.fetch_add(deposits.fetch_and(0, Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        // Ordering: releases all of the above to whoever acquires `head`.
        if let Err(head) = self.head.compare_exchange(slice.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
            return Slice(head);
        }
        // Words that nobody has touched for 2,048 slices would be taken for recent ones. That grants less, so there is no
        // hurry, and if this thread stops here, no harm.
        for slice in skipped() {
            let place = &self.withdrawals[slice.place()];
            let (old, new) = (stale[slice.place()], Word::open(slice, 0).0);
            // Ordering: it counts nothing.
            let _ = place.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed);
        }
        next
    }
}
