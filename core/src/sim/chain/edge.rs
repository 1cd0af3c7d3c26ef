//! The protections of a link at work.

use core::time::Duration;

use super::event::{End, Failure};
use super::link::{Adaptive, Calls, Fallback, Link, LinkError, Places};
pub(super) use crate::breaker::Pass;
use crate::breaker::{self, Breaker, Cause, State};
use crate::fixed::Q32;
use crate::lease::Lease;
use crate::limit::{Admission, Bulkhead, Sample, Throttle, Verdict};
use crate::retry::{Backoff, Budget, Hedge, HedgeStep, NoHedge, Retry, Spend};
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};

/// A link and its protections.
pub(super) struct Edge<R: Storage, H: Storage> {
    pub(super) share: Q32,
    pub(super) timeout: Duration,
    pub(super) fallback: Fallback,
    retry: Option<Backoff>,
    budget: Option<Budget>,
    breaker: Option<Breaker<Calls>>,
    hedge: Option<Hedge<H>>,
    bulkhead: Option<Bulkhead<R>>,
    adaptive: Option<Adaptive>,
    throttle: Option<Throttle>,
}

/// What an attempt was let through with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticket {
    pub(super) pass: Option<Pass>,
    pub(super) place: Option<Lease>,
}

/// How an attempt went, as its caller sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Ended(End),
    /// Another attempt was faster.
    Superseded,
}

/// How many calls may be under way in the beginning, if that is limited.
fn places(link: &Link) -> Result<Option<u32>, LinkError> {
    match link.places {
        Some(Places::Fixed(0)) => Err(LinkError::NoPlaces),
        Some(Places::Fixed(places)) => Ok(Some(places)),
        Some(Places::Adaptive(adaptive)) => Ok(Some(adaptive.limit())),
        None => Ok(None),
    }
}

impl<const R: usize, const H: usize> Edge<Inline<R>, Inline<H>> {
    pub(super) fn new(link: &Link) -> Result<Self, LinkError> {
        let hedge = link.hedge.map(Hedge::new).transpose().map_err(LinkError::Hedge)?;
        Self::with(link, hedge, places(link)?.map(|limit| Bulkhead::<Inline<R>>::new(limit, Duration::MAX)))
    }
}

#[cfg(feature = "alloc")]
impl Edge<crate::storage::Heap, crate::storage::Heap> {
    pub(super) fn with_capacity(link: &Link, jobs: u32) -> Result<Self, LinkError> {
        let longest = Duration::from_nanos(u64::MAX);
        let hedge = link.hedge.map(|hedge| Hedge::with_longest(hedge, longest)).transpose();
        let bulkhead = places(link)?
            .map(|limit| Bulkhead::<crate::storage::Heap>::with_capacity(jobs, limit, Duration::MAX));
        Self::with(link, hedge.map_err(LinkError::Hedge)?, bulkhead)
    }
}

impl<R: Storage, H: Storage> Edge<R, H> {
    fn with(link: &Link, hedge: Option<Hedge<H>>, bulkhead: Option<Bulkhead<R>>) -> Result<Self, LinkError> {
        let cached = match link.fallback {
            Fallback::Cached { share } => share,
            _ => Q32::ZERO,
        };
        if link.share > Q32::ONE || cached > Q32::ONE {
            return Err(LinkError::Share);
        }
        if link.timeout.is_zero() {
            return Err(LinkError::Timeout);
        }
        let breaker = match link.breaker {
            Some((rules, calls)) => {
                Some(Breaker::new(rules, Calls::new().last(calls).map_err(LinkError::Window)?))
            }
            None => None,
        };
        Ok(Self {
            share: link.share,
            timeout: link.timeout,
            fallback: link.fallback,
            retry: link.retry,
            budget: link.budget.map(Budget::new).transpose().map_err(LinkError::Budget)?,
            breaker,
            hedge,
            bulkhead,
            adaptive: match link.places {
                Some(Places::Adaptive(adaptive)) => Some(adaptive),
                _ => None,
            },
            throttle: link.throttle.map(Throttle::new),
        })
    }

    /// Whether an attempt may go now.
    pub(super) fn admit(&mut self, now: Instant, rng: &mut impl Rng) -> Result<Ticket, Failure> {
        let mut ticket = Ticket::default();
        if let Some(breaker) = &mut self.breaker {
            match breaker.admit(now) {
                breaker::Admit::Yes(pass) => ticket.pass = Some(pass),
                breaker::Admit::No { .. } => return Err(Failure::BreakerOpen),
            }
        }
        let refusal = self.take_place(now, &mut ticket).and_then(|()| {
            let throttle = self.throttle.as_mut();
            let sent = throttle.is_none_or(|throttle| throttle.admit(now, rng) == Verdict::Run);
            if sent { Ok(()) } else { Err(Failure::Throttled) }
        });
        match refusal {
            Ok(()) => Ok(ticket),
            Err(why) => {
                self.give_back(now, ticket, breaker::Outcome::Ignored);
                Err(why)
            }
        }
    }

    fn take_place(&mut self, now: Instant, ticket: &mut Ticket) -> Result<(), Failure> {
        let Some(bulkhead) = &mut self.bulkhead else { return Ok(()) };
        match bulkhead.admit(now) {
            Admission::Yes(lease) => {
                ticket.place = Some(lease);
                Ok(())
            }
            Admission::No { .. } => Err(Failure::BulkheadFull),
        }
    }

    /// What the bulkhead saw of it.
    fn give_back(&mut self, now: Instant, ticket: Ticket, outcome: breaker::Outcome) -> Option<Sample> {
        if let (Some(breaker), Some(pass)) = (&mut self.breaker, ticket.pass) {
            // A probe that was lost counted already.
            let _ = breaker.complete(now, pass, outcome);
        }
        self.bulkhead
            .as_mut()
            .zip(ticket.place)
            .and_then(|(bulkhead, place)| bulkhead.complete(now, place).ok())
    }

    /// A first attempt goes.
    pub(super) fn first(&mut self, now: Instant) {
        if let Some(budget) = &mut self.budget {
            budget.deposit(now);
        }
    }

    /// An attempt that was let through has ended.
    pub(super) fn complete(&mut self, now: Instant, ticket: Ticket, outcome: Outcome) {
        let verdict = match outcome {
            Outcome::Ended(End::Success | End::Degraded) => breaker::Outcome::Success,
            // Not the service's fault, or its way to protect those that matter more.
            Outcome::Superseded | Outcome::Ended(End::Failed(Failure::NoRoom | Failure::Shed)) => {
                breaker::Outcome::Ignored
            }
            Outcome::Ended(End::Failed(_)) => breaker::Outcome::Failure,
        };
        let sample = self.give_back(now, ticket, verdict);
        let too_much = match outcome {
            Outcome::Ended(End::Failed(why)) => why.is_overload(),
            _ => false,
        };
        if let Some(throttle) = &mut self.throttle {
            throttle.observe(now, !too_much);
        }
        // How long a failure took says nothing about the load.
        let telling = too_much || matches!(outcome, Outcome::Ended(End::Success | End::Degraded));
        if let (Some(adaptive), Some(bulkhead), Some(sample)) =
            (&mut self.adaptive, &mut self.bulkhead, sample)
            && telling
        {
            adaptive.observe(now, Sample { dropped: too_much, ..sample });
            bulkhead.set_limit(adaptive.limit());
        }
    }

    /// How many calls may be under way, if that is limited.
    pub(super) fn limit(&self) -> Option<u32> {
        self.bulkhead.as_ref().map(Bulkhead::limit)
    }

    /// When to make another attempt after `attempts` of them, if one may be made before `deadline`.
    pub(super) fn retry(
        &mut self,
        now: Instant,
        attempts: u32,
        deadline: Instant,
        rng: &mut impl Rng,
    ) -> Again {
        let Some(backoff) = &self.retry else { return Again::No };
        let Retry::At(at) = backoff.next(now, attempts, rng) else { return Again::No };
        if at >= deadline {
            return Again::No;
        }
        let paid = self.budget.as_mut().is_none_or(|budget| budget.withdraw(now) == Spend::Yes);
        if paid { Again::At(at) } else { Again::NoBudget }
    }

    /// When an attempt that goes now may be joined by a second one.
    pub(super) fn hedge_at(&self, now: Instant) -> Instant {
        let delay = self.hedge.as_ref().and_then(Hedge::delay);
        delay.map_or(Instant::MAX, |delay| now.saturating_add(delay))
    }

    /// Whether the second attempt is made now, beside one from `since`.
    pub(super) fn hedge(&mut self, now: Instant, since: Instant) -> HedgeStep {
        match (&mut self.hedge, &mut self.budget) {
            (Some(hedge), Some(budget)) => hedge.ask(now, since, 0, budget),
            (Some(hedge), None) => hedge.due(now, since, 0),
            (None, _) => HedgeStep::No(NoHedge::Unknown),
        }
    }

    /// A call was answered so long after it began.
    pub(super) fn answered(&mut self, now: Instant, latency: Duration) {
        if let Some(hedge) = &mut self.hedge {
            hedge.observe(now, latency);
        }
    }

    pub(super) fn breaker(&self, now: Instant) -> Option<State> {
        self.breaker.as_ref().map(|breaker| breaker.state(now))
    }

    /// How often the breaker opened.
    pub(super) fn opened(&self, now: Instant) -> u32 {
        let opening =
            [Cause::Failures, Cause::Consecutive, Cause::SlowCalls, Cause::ProbeFailed, Cause::ProbeLost];
        let stats = self.breaker.as_ref().map(|breaker| breaker.stats(now));
        stats.map_or(0, |stats| opening.iter().map(|cause| stats.caused_by(*cause)).sum())
    }
}

/// Whether there is another attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Again {
    At(Instant),
    No,
    NoBudget,
}
