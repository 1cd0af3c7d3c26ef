//! Futures, on tokio's timer.

use super::{Call, CallError, Class, Classified, Guard, Stop, lock};
use divvy::Instant;
use divvy::breaker::Outcome;
use divvy::retry::HedgeStep;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Sleep, sleep, timeout};

/// How an attempt ended.
struct Answer<T, E> {
    /// `None` if there was no answer in time.
    result: Option<Result<T, E>>,
    class: Class,
}

/// How long an attempt may take, and what it counts as if that is over.
#[derive(Clone, Copy)]
struct Limit {
    time: Duration,
    outcome: Outcome,
}

/// What happened first while attempts are under way.
enum Event<T, E> {
    Answer(Answer<T, E>),
    /// It is time to ask about a hedge.
    Due,
}

impl<C> Classified<'_, C> {
    /// Awaits the future that `f` makes, and further ones if need be: see [`Call::run_async`].
    ///
    /// # Errors
    ///
    /// [`CallError`]
    pub async fn run_async<T, E, Fut>(&self, mut f: impl FnMut() -> Fut) -> Result<T, CallError<E>>
    where
        C: Fn(&Result<T, E>) -> Class,
        Fut: Future<Output = Result<T, E>>,
    {
        let call = self.call;
        let began = call.clock.now();
        let mut guard = call.admit()?;
        let mut attempts = 1;
        loop {
            let Answer { result, class } = self.round(guard, &mut f, began, attempts).await;
            if class != Class::Transient
                && let Some(result) = result
            {
                return result.map_err(CallError::Failed);
            }
            let at = match call.again(began, attempts) {
                Ok(at) => at,
                Err(why) => return call.give_up(attempts, why, result),
            };
            sleep(at.saturating_duration_since(call.clock.now())).await;
            guard = match call.enter() {
                Ok(guard) => guard,
                Err(refused) => return call.give_up(attempts, Stop::Refused(refused.why), result),
            };
            call.counters.retries.count();
            attempts = attempts.saturating_add(1);
        }
    }

    /// One attempt and its hedges: the first good answer, or the last bad one. What is still under way then is dropped.
    async fn round<T, E, Fut>(
        &self,
        guard: Guard<'_>,
        f: &mut impl FnMut() -> Fut,
        call_began: Instant,
        attempts: u32,
    ) -> Answer<T, E>
    where
        C: Fn(&Result<T, E>) -> Class,
        Fut: Future<Output = Result<T, E>>,
    {
        let call = self.call;
        let began = call.clock.now();
        let limit = || call.limit(call_began, attempts);
        let mut first = pin!(self.attempt(guard, f, limit()));
        let Some(hedge) = &call.hedge else { return first.await };
        let mut first = Some(first.as_mut());
        let mut hedges = Vec::new();
        let mut sent = 0;
        let mut asks = true;
        loop {
            let mut timer: Option<Pin<Box<Sleep>>> = None;
            if asks {
                match call.ask(hedge, began, sent) {
                    HedgeStep::Wait { until } => {
                        timer = Some(Box::pin(sleep(until.saturating_duration_since(call.clock.now()))));
                    }
                    HedgeStep::Send => {
                        sent += 1;
                        match call.enter() {
                            Ok(guard) => {
                                call.counters.hedges.count();
                                hedges.push(Box::pin(self.attempt(guard, f, limit())));
                                continue;
                            }
                            // There is no place for it, so there will be none.
                            Err(_) => asks = false,
                        }
                    }
                    HedgeStep::No(_) => asks = false,
                }
            }
            let event = poll_fn(|context| {
                if let Some(attempt) = &mut first
                    && let Poll::Ready(answer) = attempt.as_mut().poll(context)
                {
                    first = None;
                    return Poll::Ready(Event::Answer(answer));
                }
                for at in 0..hedges.len() {
                    if let Poll::Ready(answer) = hedges[at].as_mut().poll(context) {
                        drop(hedges.swap_remove(at));
                        return Poll::Ready(Event::Answer(answer));
                    }
                }
                match &mut timer {
                    Some(timer) => timer.as_mut().poll(context).map(|()| Event::Due),
                    None => Poll::Pending,
                }
            });
            let Event::Answer(answer) = event.await else { continue };
            if matches!(answer.class, Class::Success | Class::Slow) {
                let now = call.clock.now();
                lock(hedge).observe(now, now.saturating_duration_since(began));
            }
            if answer.class != Class::Transient || first.is_none() && hedges.is_empty() {
                return answer;
            }
            // Another one is still under way, and retries come after it.
            asks = false;
        }
    }

    /// One attempt. The future that `f` makes is made now.
    fn attempt<'a, T, E, Fut, F>(
        &'a self,
        mut guard: Guard<'a>,
        f: &mut F,
        limit: Option<Limit>,
    ) -> impl Future<Output = Answer<T, E>> + use<'a, C, T, E, Fut, F>
    where
        C: Fn(&Result<T, E>) -> Class,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let future = guard.run(f);
        async move {
            let result = {
                // Dropped before the place is given back.
                let mut future = pin!(future);
                let polled = poll_fn(|context| guard.run(|| future.as_mut().poll(context)));
                match limit {
                    Some(limit) => timeout(limit.time, polled).await.ok(),
                    None => Some(polled.await),
                }
            };
            match (&result, limit) {
                (Some(answer), _) => {
                    let class = guard.run(|| (self.class)(answer));
                    guard.complete(class);
                    Answer { result, class }
                }
                (None, limit) => {
                    self.call.counters.timed_out.count();
                    guard.end(limit.map_or(Outcome::Failure, |limit| limit.outcome));
                    Answer { result, class: Class::Transient }
                }
            }
        }
    }
}

impl Call {
    /// The limit of the next attempt of a call that began at `began`, of which this is number `attempts`.
    fn limit(&self, began: Instant, attempts: u32) -> Option<Limit> {
        let own = self.attempt_timeout.map(|time| Limit { time, outcome: Outcome::Failure });
        let Some(timeout) = self.timeout else { return own };
        let left = began.saturating_add(timeout).saturating_duration_since(self.clock.now());
        match own {
            Some(own) if own.time <= left => Some(own),
            _ => {
                let outcome = if attempts == 1 { Outcome::Failure } else { Outcome::Ignored };
                Some(Limit { time: left, outcome })
            }
        }
    }
}
