//! Another quota while cells are in the bucket.

use super::Gcra;
use crate::limit::rate::quota::{Quota, Span};
use crate::time::Instant;

impl Gcra {
    /// Puts another quota in force from now on. The tokens stay: as many cells may go at once after it as before it, to
    /// the fraction of a cell, but no more than the new burst; and what was reserved ahead stays owed.
    ///
    /// So no change of quota gives cells away, whichever way and however often it goes: in any interval that contains the
    /// change, at most the old burst is admitted and what the old rate brings before it and the new rate after it. A
    /// larger burst is earned at the new rate, not granted at once; and nobody waits longer for a cell than the new
    /// quota's time of one, unless cells were reserved ahead. Instants that reservations were promised stay as they are.
    ///
    /// What does not fit the new quota's fractions is rounded up by less than 1/`cells` of a nanosecond, so that nothing
    /// is refunded. The same quota again changes nothing.
    pub fn set_quota(&mut self, now: Instant, quota: Quota) {
        let now = self.see(now);
        self.next = self.quota.carry(self.next, now, &quota);
        if quota.burst != self.quota.burst {
            // What was reserved under another burst is not given back any more: see `release`.
            self.epoch = self.epoch.wrapping_add(1);
        }
        self.quota = quota;
    }
}

impl Quota {
    /// When the bucket of `new` is full again if from `now` on it holds what this one's holds.
    pub(in crate::limit::rate) fn carry(&self, next: Span, now: Instant, new: &Self) -> Span {
        if *self == *new || next.is_never() {
            return next;
        }
        let (old_per, new_per) = (u128::from(self.per_nanos()), u128::from(new.per_nanos()));
        let all = u128::from(self.burst) * old_per;
        let taken = self.taken(next, now);
        // What the new bucket lacks, in parts of 1/cells ns of its own. Each product of two remainders is below 2¹²⁸.
        let lacks = if taken <= all {
            let tokens = all - taken;
            let (whole, rest) = (tokens / old_per, tokens % old_per);
            // Not more tokens than the old burst, so 32 bits of them.
            let Some(whole) = new.burst.checked_sub(whole as u32) else { return Span::at(now) };
            (u128::from(whole) * new_per).saturating_sub(rest * new_per / old_per)
        } else {
            let owed = taken - all;
            let (whole, rest) = (owed / old_per, owed % old_per);
            let Some(cells) = whole.checked_add(u128::from(new.burst)) else { return Span::NEVER };
            let Some(parts) = cells.checked_mul(new_per) else { return Span::NEVER };
            parts.saturating_add((rest * new_per).div_ceil(old_per))
        };
        let cells = u128::from(new.cells);
        match u64::try_from(lacks / cells) {
            Ok(nanos) => Span::at(now).add(Span { nanos, part: (lacks % cells) as u32 }, new.cells),
            Err(_) => Span::NEVER,
        }
    }
}
