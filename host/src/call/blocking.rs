//! Closures: the thread that calls waits.

use super::{Call, CallError, Class, Stop};

/// A [`Call`] that knows what an answer means: see [`Call::classified`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Classified<'a, C> {
    pub(super) call: &'a Call,
    pub(super) class: C,
}

impl<C> Classified<'_, C> {
    /// Calls `f`, again if need be, in this thread: see [`Call::run`].
    ///
    /// # Errors
    ///
    /// [`CallError`]
    pub fn run<T, E>(&self, mut f: impl FnMut() -> Result<T, E>) -> Result<T, CallError<E>>
    where
        C: Fn(&Result<T, E>) -> Class,
    {
        let call = self.call;
        let began = call.clock.now();
        let mut guard = call.admit()?;
        let mut attempts = 1;
        loop {
            let (class, result) = guard.run(|| {
                let result = f();
                ((self.class)(&result), result)
            });
            guard.complete(class);
            if class != Class::Transient {
                return result.map_err(CallError::Failed);
            }
            let at = match call.again(began, attempts) {
                Ok(at) => at,
                Err(why) => return call.give_up(attempts, why, Some(result)),
            };
            call.clock.sleep(at.saturating_duration_since(call.clock.now()));
            guard = match call.enter() {
                Ok(guard) => guard,
                Err(refused) => return call.give_up(attempts, Stop::Refused(refused.why), Some(result)),
            };
            call.counters.retries.count();
            attempts = attempts.saturating_add(1);
        }
    }
}
