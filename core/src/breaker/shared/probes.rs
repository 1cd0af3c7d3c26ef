//! What a shared breaker does while it is half-open.

use super::slot::{Seen, Slot, generation};
use super::tagged::Tagged;
use super::window::sealed::Call;
use super::word::{Code, Word};
use super::{SharedBreaker, SharedWindow, one_more};
use crate::breaker::outcome::{Admit, Pass, Rejection, Stale};
use crate::breaker::transition::{Cause, Counts, Transition};
use crate::storage::Storage;
use crate::sync::Ordering;
use crate::time::Instant;

impl<W: SharedWindow, P: Storage> SharedBreaker<W, P> {
    /// A place for a probe, or none; `None` if the period ended meanwhile.
    pub(super) fn probe(&self, word: Word, now: Instant) -> Option<Admit> {
        let deadline = now.saturating_add(self.rules.probe_timeout);
        let mut retry_at = deadline;
        // First those that are free, then those that somebody is about to take but does not have yet.
        for drafts in [false, true] {
            for (index, slot) in self.places() {
                let free = match slot.look() {
                    Seen::Free(free) => free,
                    Seen::Draft(draft) if drafts => draft,
                    Seen::Draft(_) => continue,
                    Seen::Held { period, deadline, .. } if period == word.period() => {
                        retry_at = retry_at.min(deadline);
                        continue;
                    }
                    Seen::Held { word, .. } => word,
                };
                // Asked after the look: in a period that is over, what is held may be a younger one's.
                if self.word() != word {
                    return None;
                }
                let Some(generation) = slot.claim(free, word.period(), deadline) else { continue };
                // It may have ended while this thread stood still; then nobody is let through by it.
                if self.word() != word {
                    slot.release(generation);
                    return None;
                }
                return Some(Admit::Yes(Pass::new(now, generation, index)));
            }
        }
        Some(Admit::No { retry_at, why: Rejection::Probing })
    }

    /// Ends a probe's lease, once.
    pub(super) fn release(&self, word: Word, now: Instant, pass: Pass) -> Result<(), Stale> {
        let ended = || match pass.began.saturating_add(self.rules.probe_timeout) <= now {
            true => Err(Stale::Expired),
            false => Err(Stale::Unknown),
        };
        let Some(slot) = self.probes.get(pass.slot() as usize) else { return ended() };
        match slot.look() {
            Seen::Held { word: held, period, deadline } if generation(held) == pass.id() => {
                // One that ran out is left to who reclaims it, and counts as lost.
                let current = period == word.period() && deadline > now;
                if current && slot.release(pass.id()) { Ok(()) } else { ended() }
            }
            _ => ended(),
        }
    }

    /// Counts a probe that reported.
    pub(super) fn count_probe(
        &self,
        word: Word,
        now: Instant,
        call: Call,
    ) -> Result<Option<Transition>, Stale> {
        if call.slow {
            self.add(&self.slow, word).ok_or(Stale::Unknown)?;
        }
        if call.failed || call.slow && self.rules.minds_slow() {
            return self.probe_failed(word, now, Cause::ProbeFailed);
        }
        let successes = self.add(&self.succeeded, word).ok_or(Stale::Unknown)?;
        if successes < self.rules.close_after.get().min(0xFFFF) {
            return Ok(None);
        }
        Ok(self.enter(word, now, Code::Closed, Cause::ProbesSucceeded))
    }

    /// Counts a failed probe, which may be one too many.
    pub(super) fn probe_failed(
        &self,
        word: Word,
        at: Instant,
        cause: Cause,
    ) -> Result<Option<Transition>, Stale> {
        let failures = self.add(&self.failed, word).ok_or(Stale::Unknown)?;
        if failures < self.rules.reopen_after.get().min(0xFFFF) {
            return Ok(None);
        }
        Ok(self.enter(word, at, Code::Open, cause))
    }

    /// One more in the period of `word`; `None` if it is over.
    fn add(&self, count: &Tagged, word: Word) -> Option<u32> {
        count.update(word.period(), || self.word() == word, one_more).and_then(one_more)
    }

    /// Takes back the place of a lost probe, the one that was lost first. When that was.
    pub(super) fn reclaim(&self, word: Word, now: Instant) -> Option<Instant> {
        loop {
            let mut first: Option<(Instant, u32, &Slot)> = None;
            for (_, slot) in self.places() {
                if let Seen::Held { word: held, period, deadline } = slot.look()
                    && period == word.period()
                    && deadline <= now
                    && first.is_none_or(|(earliest, ..)| deadline < earliest)
                {
                    first = Some((deadline, generation(held), slot));
                }
            }
            let (deadline, generation, slot) = first?;
            if slot.release(generation) {
                // Ordering: a count that hands nothing over.
                self.lost.fetch_add(1, Ordering::Relaxed);
                return Some(deadline);
            }
        }
    }

    /// The slots that the rules allow to use, with their numbers.
    fn places(&self) -> impl Iterator<Item = (u32, &Slot)> {
        (0..self.rules.probes.get()).zip(self.probes.iter())
    }

    /// The deadlines of the probes under way.
    pub(super) fn deadlines(&self, word: Word) -> impl Iterator<Item = Instant> + Clone {
        (0..self.rules.probes.get()).zip(self.probes.iter()).filter_map(move |(_, slot)| match slot.look() {
            Seen::Held { period, deadline, .. } if period == word.period() => Some(deadline),
            _ => None,
        })
    }

    /// When so many of the probes under way will be lost that it opens again.
    pub(super) fn all_lost_at(&self, word: Word) -> Option<Instant> {
        let more = self.rules.reopen_after.get().saturating_sub(self.failed.get(word.period())) as usize;
        let deadlines = self.deadlines(word);
        let enough = |deadline: &Instant| deadlines.clone().filter(|other| other <= deadline).count() >= more;
        deadlines.clone().filter(enough).min()
    }

    pub(super) fn probed(&self, word: Word) -> Counts {
        let [succeeded, failures, slow] =
            [&self.succeeded, &self.failed, &self.slow].map(|count| count.get(word.period()));
        Counts { calls: succeeded + failures, failures, slow }
    }
}
