//! Who sleeps, and whom to wake: without waking two for one reason, and without missing one.

use core::fmt;

use super::Park;
#[cfg(feature = "alloc")]
use crate::queue::CapacityError;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, array_of, const_fn, fence};

/// Lets workers sleep until there is a reason not to, and tells whom to wake.
///
/// The core never parks a thread and never halts a core. The event count only decides: a worker announces that it is
/// about to sleep, looks once more for work, and sleeps; whoever makes work asks [`EventCount::notify_one`] for one
/// sleeper and wakes that one by the platform's means (`Thread::unpark`, an inter-processor interrupt, `SEV`).
///
/// *When not to use it:* for the workers of a [`Scheduler`](super::Scheduler), which has one inside.
///
/// # Examples
///
/// ```
/// use divvy::sched::{EventCount, Wake};
/// use divvy::storage::Inline;
///
/// static EVENTS: EventCount<Inline<4>> = EventCount::new();
///
/// let waiter = EVENTS.waiter(2).expect("there are four");
/// assert!(EVENTS.waiter(4).is_none());
///
/// waiter.prepare_park();
/// // Here the worker looks for work once more. It finds none, so it sleeps until it is woken:
/// assert!(!waiter.is_woken());
///
/// // Elsewhere, after making work. It is the caller who then wakes worker 2:
/// assert_eq!(EVENTS.notify_one(), Wake::Worker(2));
/// assert!(waiter.is_woken());
/// assert_eq!(EVENTS.notify_one(), Wake::Nobody);
/// ```
///
/// # Complexity
///
/// `prepare_park`, `cancel`, `is_woken`: one operation on one word. `notify_one`: a fence, and *O*(workers / 32) loads.
/// The workers' number of words, of which one in 32 is used with [`Inline`]; one word per 32 workers with `Heap`.
///
/// # Concurrency
///
/// *No wake-up is lost:* let a worker call `prepare_park` and then look for work, and let another thread make work
/// visible and then call `notify_one`. Then the worker sees the work, or the other thread sees the worker (or one
/// that sleeps already). *No wake-up is doubled:* each call wakes at most one, and each sleeper is given to
/// one call. Sleepers are woken in the order of their numbers, not of their arrival: the low numbers stay warm, the
/// high ones sleep long.
///
/// Nothing here waits for another thread. `notify_one` retries only where another call took the same sleeper.
///
/// # References
///
/// The event count of Vyukov (1024cores.net, 2008) and the sleep protocol of Rayon, reduced to what is known once the
/// workers have numbers.
pub struct EventCount<S: Storage> {
    /// Bit *i* of word *w*: worker 32 *w* + *i* sleeps, or is about to, and nobody has woken it. Set by that worker,
    /// cleared by it or by whoever wakes it.
    sleepers: S::Slots<AtomicU32>,
    /// Written once.
    workers: u32,
}

/// Whom to wake, now that there is a reason.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "nobody else will wake this worker: the work waits until it is woken"]
pub enum Wake {
    /// Wake this worker, by the platform's means. Nobody else was or will be told to for the same reason.
    Worker(u32),
    /// Nobody sleeps: whoever is awake looks for work before going to sleep.
    Nobody,
}

impl Wake {
    /// The worker to wake, if any.
    pub const fn worker(self) -> Option<u32> {
        match self {
            Self::Worker(worker) => Some(worker),
            Self::Nobody => None,
        }
    }

    /// Wakes that worker by the means of `park`, if there is one.
    pub fn deliver(self, park: &impl Park) {
        if let Self::Worker(worker) = self {
            park.unpark(worker);
        }
    }
}

impl<const N: usize> EventCount<Inline<N>> {
    const_fn! {
        /// For `N` workers, all awake.
        pub const fn new() -> Self {
            const { assert!(N >= 1 && N <= 1 << 20, "an event count serves from 1 to 2^20 workers") };
            Self { sleepers: InlineSlots(array_of!(AtomicU32::new(0))), workers: N as u32 }
        }
    }
}

impl<const N: usize> Default for EventCount<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl EventCount<Heap> {
    /// For `workers` workers, all awake; allocated now.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] unless `workers` is from 1 to 2²⁰.
    pub fn with_capacity(workers: usize) -> Result<Self, CapacityError> {
        const MAX: u32 = 1 << 20;
        match workers {
            0 => Err(CapacityError::Zero),
            n if n > MAX as usize => Err(CapacityError::TooLarge { max: MAX }),
            n => Ok(Self {
                sleepers: (0..n.div_ceil(32)).map(|_| AtomicU32::new(0)).collect(),
                workers: n as u32,
            }),
        }
    }
}

impl<S: Storage> EventCount<S> {
    /// How many workers it serves.
    pub const fn workers(&self) -> u32 {
        self.workers
    }

    /// The side of worker `worker`; `None` if there is no such worker. One thread uses it at a time, or two share
    /// one wake-up.
    pub fn waiter(&self, worker: u32) -> Option<Waiter<'_>> {
        (worker < self.workers)
            .then(|| Waiter { word: &self.sleepers[(worker / 32) as usize], bit: 1 << (worker % 32) })
    }

    /// Chooses one sleeper, which the caller then wakes. Call it after the reason to wake became visible to others.
    pub fn notify_one(&self) -> Wake {
        self.notify_one_among(self.workers)
    }

    /// As [`notify_one`](Self::notify_one), but chooses only among the first `workers` workers: the others sleep on,
    /// whatever comes.
    pub fn notify_one_among(&self, workers: u32) -> Wake {
        self.notify_one_of(|| workers)
    }

    /// As [`notify_one_among`](Self::notify_one_among), with a limit that is read after the fence.
    pub(super) fn notify_one_of(&self, workers: impl FnOnce() -> u32) -> Wake {
        // Ordering: SeqCst, with the fence in `prepare_park`: of a thread that makes work and looks for sleepers, and
        // one that becomes a sleeper and looks for work, at least one sees the other.
        fence(Ordering::SeqCst);
        for (index, (word, mask)) in self.words_among(workers()).enumerate() {
            // Ordering: Relaxed, the fence orders it; the bit is claimed below.
            let mut sleepers = word.load(Ordering::Relaxed) & mask;
            while sleepers != 0 {
                let bit = sleepers & sleepers.wrapping_neg();
                // Ordering: Release: what the caller did before is seen by the woken worker (Acquire in `is_woken`).
                let before = word.fetch_and(!bit, Ordering::Release);
                if before & bit != 0 {
                    return Wake::Worker(index as u32 * 32 + bit.trailing_zeros());
                }
                sleepers = before & !bit & mask;
            }
        }
        Wake::Nobody
    }

    /// Whether one of the first `workers` workers sleeps, or is about to. Of what was visible to the caller before the
    /// call, a worker that is not counted sees all when it looks for work for the last time before its next sleep.
    pub(super) fn is_any_asleep_among(&self, workers: u32) -> bool {
        // Ordering: SeqCst, with the fence in `prepare_park`, as in `notify_one_among`.
        fence(Ordering::SeqCst);
        // Ordering: Relaxed, the fence orders it.
        self.words_among(workers).any(|(word, mask)| word.load(Ordering::Relaxed) & mask != 0)
    }

    /// The words of the first `workers` workers, each with the bits that count.
    fn words_among(&self, workers: u32) -> impl Iterator<Item = (&AtomicU32, u32)> {
        let workers = workers.min(self.workers);
        let words = workers.div_ceil(32) as usize;
        (0..).zip(&self.sleepers[..words]).map(move |(index, word): (u32, _)| {
            let used = (workers - index * 32).min(32);
            (word, u32::MAX >> (32 - used))
        })
    }
}

impl<S: Storage> fmt::Debug for EventCount<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventCount").field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// One worker's side of an [`EventCount`].
///
/// The protocol: [`Waiter::prepare_park`]; look for work; then either [`Waiter::cancel`] because there is some, or wait
/// by the platform's means until [`Waiter::is_woken`]. The platform's wait must remember a wake-up that came before it
/// (a thread's park token, a core's event register, a pending interrupt), and may end early: ask `is_woken` again.
pub struct Waiter<'a> {
    word: &'a AtomicU32,
    bit: u32,
}

impl Waiter<'_> {
    /// Announces that this worker is about to sleep. It may be chosen from this moment on.
    pub fn prepare_park(&self) {
        // Ordering: Relaxed, the fence orders it before the look that follows.
        self.word.fetch_or(self.bit, Ordering::Relaxed);
        // Ordering: SeqCst, with the fence in `notify_one`.
        fence(Ordering::SeqCst);
    }

    /// Withdraws the announcement. `true` if this worker had been chosen already: its wake-up was spent, and the work
    /// that it was meant for is this worker's to look for.
    pub fn cancel(&self) -> bool {
        // Ordering: Acquire as in `is_woken`.
        self.word.fetch_and(!self.bit, Ordering::Acquire) & self.bit == 0
    }

    /// Whether this worker was chosen since [`Waiter::prepare_park`], so that it must not sleep any longer.
    pub fn is_woken(&self) -> bool {
        // Ordering: Acquire pairs with the Release of `notify_one`: what its caller did before is seen.
        self.word.load(Ordering::Acquire) & self.bit == 0
    }
}

impl fmt::Debug for Waiter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("is_woken", &self.is_woken()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(divvy_loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_call_wakes_one_and_each_sleeper_is_woken_once() {
        let events = EventCount::<Inline<100>>::new();
        for worker in [99, 40, 3, 31, 32] {
            events.waiter(worker).unwrap().prepare_park();
        }
        for expected in [3, 31, 32, 40, 99] {
            let waiter = events.waiter(expected).unwrap();
            assert!(!waiter.is_woken());
            assert_eq!(events.notify_one(), Wake::Worker(expected));
            assert!(waiter.is_woken());
        }
        assert_eq!(events.notify_one(), Wake::Nobody);
    }

    #[test]
    fn workers_past_the_limit_sleep_on() {
        let events = EventCount::<Inline<70>>::new();
        for worker in [5, 33, 34, 69] {
            events.waiter(worker).unwrap().prepare_park();
        }
        assert_eq!(events.notify_one_among(5), Wake::Nobody);
        assert!(!events.is_any_asleep_among(5) && events.is_any_asleep_among(6));
        assert_eq!(events.notify_one_among(0), Wake::Nobody);
        assert_eq!(events.notify_one_among(34), Wake::Worker(5));
        assert_eq!(events.notify_one_among(34), Wake::Worker(33));
        assert_eq!(events.notify_one_among(34), Wake::Nobody);
        assert!(!events.is_any_asleep_among(34) && events.is_any_asleep_among(64));
        assert_eq!(events.notify_one_among(u32::MAX), Wake::Worker(34));
        assert_eq!(events.notify_one(), Wake::Worker(69));
    }

    #[test]
    fn who_cancels_learns_whether_it_was_chosen() {
        let events = EventCount::<Inline<2>>::new();
        let waiter = events.waiter(1).unwrap();
        waiter.prepare_park();
        assert!(!waiter.cancel());
        assert_eq!(events.notify_one(), Wake::Nobody);
        waiter.prepare_park();
        assert_eq!(events.notify_one(), Wake::Worker(1));
        assert!(waiter.cancel());
    }

    #[test]
    fn there_is_no_waiter_past_the_last_worker() {
        let events = EventCount::<Inline<32>>::new();
        assert!(events.waiter(31).is_some());
        assert!(events.waiter(32).is_none());
        assert!(events.waiter(u32::MAX).is_none());
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_event_count_serves_as_many_as_were_asked_for() {
        let events = EventCount::<Heap>::with_capacity(33).unwrap();
        events.waiter(32).unwrap().prepare_park();
        assert!(events.waiter(33).is_none());
        assert_eq!(events.notify_one(), Wake::Worker(32));
        assert_eq!(EventCount::<Heap>::with_capacity(0).unwrap_err(), CapacityError::Zero);
        let too_many = EventCount::<Heap>::with_capacity((1 << 20) + 1).unwrap_err();
        assert_eq!(too_many, CapacityError::TooLarge { max: 1 << 20 });
    }

    #[test]
    fn sizes_are_as_documented() {
        assert_eq!(size_of::<EventCount<Inline<4>>>(), 4 * 4 + 4);
    }
}

#[cfg(all(test, divvy_loom))]
mod loom_tests {
    use super::*;
    use crate::sync::model;
    use loom::sync::Arc;
    use loom::thread;
    use std::vec::Vec;

    /// Waits for the flag as a worker waits for work. A lost wake-up is a deadlock, which loom reports.
    fn sleep_until_set(events: &EventCount<Inline<2>>, worker: u32, flag: &AtomicU32) {
        let waiter = events.waiter(worker).unwrap();
        loop {
            waiter.prepare_park();
            if flag.load(Ordering::Relaxed) == 1 {
                waiter.cancel();
                return;
            }
            while !waiter.is_woken() {
                thread::park();
            }
        }
    }

    #[test]
    fn loom_no_wake_up_is_lost() {
        model("event count, 1 sleeper, 1 notifier", 5, 4, || {
            let shared = Arc::new((EventCount::<Inline<2>>::new(), AtomicU32::new(0)));
            let sleeper = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || sleep_until_set(&shared.0, 1, &shared.1))
            };
            shared.1.store(1, Ordering::Relaxed);
            match shared.0.notify_one() {
                Wake::Worker(worker) => {
                    assert_eq!(worker, 1);
                    sleeper.thread().unpark();
                }
                Wake::Nobody => {}
            }
            sleeper.join().unwrap();
        });
    }

    #[test]
    fn loom_the_woken_one_sees_what_was_done_before() {
        model("event count, what the waker wrote", 4, 3, || {
            let shared = Arc::new((EventCount::<Inline<1>>::new(), crate::sync::UnsafeCell::new(0)));
            shared.0.waiter(0).unwrap().prepare_park();
            let waker = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.1.with_mut(|_| ());
                    assert_eq!(shared.0.notify_one(), Wake::Worker(0));
                })
            };
            if shared.0.waiter(0).unwrap().is_woken() {
                shared.1.with(|_| ());
            }
            waker.join().unwrap();
        });
    }

    #[test]
    fn loom_each_sleeper_is_given_to_one_notifier() {
        model("event count, 2 sleepers, 2 notifiers", 4, 4, || {
            let events = Arc::new(EventCount::<Inline<2>>::new());
            events.waiter(0).unwrap().prepare_park();
            events.waiter(1).unwrap().prepare_park();
            let other = {
                let events = Arc::clone(&events);
                thread::spawn(move || events.notify_one())
            };
            let mut woken: Vec<_> =
                [events.notify_one(), other.join().unwrap()].into_iter().filter_map(Wake::worker).collect();
            woken.sort_unstable();
            assert_eq!(woken, [0, 1]);
            assert_eq!(events.notify_one(), Wake::Nobody);
        });
    }

    #[test]
    fn loom_a_cancelled_sleep_is_not_woken_twice() {
        model("event count, cancel against notify", 5, 4, || {
            let events = Arc::new(EventCount::<Inline<2>>::new());
            events.waiter(0).unwrap().prepare_park();
            let other = {
                let events = Arc::clone(&events);
                thread::spawn(move || events.notify_one())
            };
            let chosen = events.waiter(0).unwrap().cancel();
            assert_eq!(other.join().unwrap().worker().is_some(), chosen);
        });
    }
}
