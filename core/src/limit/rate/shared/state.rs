//! The two words that threads share, and how they move.

use super::ticks::{Price, Ticks};
#[cfg(target_has_atomic = "64")]
use crate::sync::AtomicU64;
use crate::sync::{AtomicU32, Backoff, Ordering, const_fn};
use crate::time::Instant;

/// An atomic word of some width; values wider than it lose their upper bits.
pub(super) trait Word {
    /// All its bits.
    const MASK: u64;
    /// A difference from here on is none ahead but one behind, of less than a quarter of the circle.
    const BEHIND: u64 = Self::MASK / 4 * 3;
    fn load(&self) -> u64;
    /// Whether it was `current` and is `new`.
    fn change(&self, current: u64, new: u64) -> bool;
}

macro_rules! word {
    ($name:ty, $word:ty) => {
        impl Word for $name {
            const MASK: u64 = <$word>::MAX as u64;

            // Ordering: the two words are read one after the other and changed one after the other, see `State`.
            #[inline(always)]
            fn load(&self) -> u64 {
                u64::from(self.load(Ordering::Acquire))
            }

            #[inline(always)]
            fn change(&self, current: u64, new: u64) -> bool {
                // Ordering: as above. What it was instead is read again, with the other word.
                self.compare_exchange_weak(
                    current as $word,
                    new as $word,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok()
            }
        }
    };
}

word!(AtomicU32, u32);
#[cfg(target_has_atomic = "64")]
word!(AtomicU64, u64);

/// A bucket: when it is full again, in ticks modulo the word, and the epoch of the clock that makes this one instant.
///
/// The circle of the word has sixteen parts. A bucket is worth one at most, an epoch two at most. A time to be full
/// again that is more than four parts behind the clock, or more than three ahead, is never seen, because:
///
/// * Whoever comes with a time in a later epoch than `epoch` first brings `next` up to that time if it is behind, and
///   then moves `epoch`. So `next` is never before `epoch` began.
/// * Whoever comes with a time of an earlier epoch takes it to be the beginning of `epoch`, which somebody has seen.
/// * Cells are taken in a time's own epoch, so `next` is at most a bucket past the latest time seen in `epoch`.
///
/// What is more than two epochs behind is known to be long full without asking `next`. `next` is read before `epoch`:
/// so `epoch` is never older than it, and if it is younger, somebody changed `next`, or it was right as it was.
///
/// The words are not changed together. A thread that stops between reading `next` and changing it is told by `next`
/// having changed, unless it is the same again by a whole turn of the circle. Then, and if a thread comes with a time
/// two epochs old at the moment that an epoch is entered after a long pause, `next` may end up anywhere on the circle. All
/// but a quarter of that is ahead, and the quarter is a bucket that was full before: so what follows are refusals, until
/// the next epoch is entered, which takes `next` back to an empty bucket at most.
#[derive(Debug)]
pub(super) struct State<W> {
    next: W,
    epoch: W,
}

macro_rules! make {
    ($atomic:ty, $word:ty) => {
        impl State<$atomic> {
            const_fn! {
                pub(super) const fn full() -> Self {
                    Self { next: <$atomic>::new(0), epoch: <$atomic>::new(0) }
                }
            }

            pub(super) fn new((next, epoch): (u64, u64)) -> Self {
                Self { next: <$atomic>::new(next as $word), epoch: <$atomic>::new(epoch as $word) }
            }
        }
    };
}
make!(AtomicU32, u32);
#[cfg(target_has_atomic = "64")]
make!(AtomicU64, u64);

impl<W: Word> State<W> {
    /// Takes `most` from the bucket, or else `least`, whichever it holds: `Ok` says whether it was `most`, `Err` when it
    /// will hold `least`.
    #[inline]
    pub(super) fn take(
        &self,
        ticks: &Ticks,
        now: Instant,
        most: Price,
        least: Price,
    ) -> Result<bool, Instant> {
        match self.attempt(ticks, now.as_nanos(), most, least) {
            Some(answer) => answer,
            None => self.repeat(ticks, now.as_nanos(), most, least),
        }
    }

    /// As [`take`](Self::take), or nothing if `nanos` is not in the present epoch or somebody else was quicker.
    #[inline(always)]
    fn attempt(&self, ticks: &Ticks, nanos: u64, most: Price, least: Price) -> Option<Result<bool, Instant>> {
        let (next, epoch) = (self.next.load(), self.epoch.load());
        if nanos >> ticks.epoch_shift != epoch {
            return None;
        }
        let (tick, begun) = ticks.at(nanos);
        let ahead = next.wrapping_sub(tick) & W::MASK;
        // Refused by the tick that has begun, charged from the next one: a part of a tick gives nothing away.
        let (from, room) = if ahead >= W::BEHIND { (begun, 0) } else { (ahead.max(begun), ahead) };
        if room > least.room {
            let retry_at = after(nanos, ticks.nanos(room - least.room));
            return (self.next.load() == next).then_some(Err(retry_at));
        }
        let is_most = room <= most.room;
        let cost = if is_most { most.cost } else { least.cost };
        self.next.change(next, tick.wrapping_add(from).wrapping_add(cost) & W::MASK).then_some(Ok(is_most))
    }

    /// Attempts until one succeeds.
    #[cold]
    fn repeat(&self, ticks: &Ticks, now: u64, most: Price, least: Price) -> Result<bool, Instant> {
        let mut backoff = Backoff::new();
        loop {
            let (next, epoch) = (self.next.load(), self.epoch.load());
            if now >> ticks.epoch_shift > epoch {
                // Whoever entered it, there is nobody to wait for.
                self.enter(ticks, now, next, epoch);
                continue;
            }
            if let Some(answer) = self.attempt(ticks, now.max(epoch << ticks.epoch_shift), most, least) {
                return answer;
            }
            backoff.lost();
        }
    }

    /// Puts `cost` back that was taken before; what the bucket does not hold is lost.
    pub(super) fn put_back(&self, ticks: &Ticks, now: Instant, cost: u64) {
        loop {
            let seen = self.see(ticks, now);
            if seen.later {
                self.enter(ticks, seen.nanos, seen.next, seen.epoch);
                continue;
            }
            let ahead = seen.ahead.saturating_sub(cost);
            if seen.ahead == 0 || self.next.change(seen.next, seen.tick.wrapping_add(ahead) & W::MASK) {
                return;
            }
        }
    }

    /// The first instant, not before `now`, at which the bucket holds `price`.
    pub(super) fn next_free(&self, ticks: &Ticks, now: Instant, price: Price) -> Instant {
        loop {
            let seen = self.see(ticks, now);
            if self.next.load() == seen.next {
                let wait = seen.ahead.saturating_sub(price.room);
                return if wait > 0 { after(seen.nanos, ticks.nanos(wait)) } else { now };
            }
        }
    }

    #[cfg(all(test, not(divvy_loom)))]
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load()
    }

    /// Both words for the ticks of another quota, with as many cells in the bucket, to the tick below.
    pub(super) fn carry(&self, ticks: &Ticks, now: Instant, new: &Ticks) -> (u64, u64) {
        let seen = self.see(ticks, now);
        let ahead = new.limit - ticks.carry(ticks.limit.saturating_sub(seen.ahead), new);
        let (tick, begun) = new.at(seen.nanos);
        let next = tick.wrapping_add(ahead + begun) & W::MASK;
        (next, seen.nanos >> new.epoch_shift)
    }

    /// Both words, as they look at `now`, which may be in a later epoch.
    fn see(&self, ticks: &Ticks, now: Instant) -> Seen {
        let (next, epoch) = (self.next.load(), self.epoch.load());
        let mine = now.as_nanos() >> ticks.epoch_shift;
        let nanos = if mine < epoch { epoch << ticks.epoch_shift } else { now.as_nanos() };
        let tick = ticks.at(nanos).0;
        let ahead = next.wrapping_sub(tick) & W::MASK;
        let behind = ahead >= W::BEHIND || mine > epoch.saturating_add(1);
        Seen { next, epoch, later: mine > epoch, nanos, tick, ahead: if behind { 0 } else { ahead } }
    }

    /// Moves the words, which were `next` and `epoch`, into the later epoch of `nanos`; if others moved them first, that is
    /// as good.
    fn enter(&self, ticks: &Ticks, nanos: u64, next: u64, epoch: u64) {
        let mine = nanos >> ticks.epoch_shift;
        let tick = ticks.at(nanos).0;
        let ahead = next.wrapping_sub(tick) & W::MASK;
        let behind = ahead >= W::BEHIND || mine > epoch + 1;
        let entered = tick.wrapping_add(if behind { 0 } else { ahead.min(ticks.limit) }) & W::MASK;
        if entered == next || self.next.change(next, entered) {
            self.epoch.change(epoch, mine);
        }
    }
}

/// Both words at an instant.
struct Seen {
    next: u64,
    epoch: u64,
    /// The instant is in a later epoch.
    later: bool,
    /// The instant, or the beginning of the epoch if that is later.
    nanos: u64,
    /// Its tick, with more bits than the word.
    tick: u64,
    /// How far ahead of the tick `next` is.
    ahead: u64,
}

fn after(nanos: u64, wait: u64) -> Instant {
    Instant::from_nanos(nanos.saturating_add(wait))
}
