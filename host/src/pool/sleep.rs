//! When a worker sleeps, and who is woken.
//!
//! A worker without work *looks* for a little while, then *naps* once for [`NAP`] if others work or did so of late, and
//! then sleeps until it is woken.
//! Whoever makes work wakes one sleeper, unless somebody looks already: who looks will find it, and wakes the next one
//! when it stops looking with more in sight. So one task wakes one thread, and a pool without work wakes nobody.
//!
//! The nap is what makes a fork cheap. A fork that becomes public takes no fence between the push and the look for
//! sleepers, so that a worker which falls asleep in this very moment and it may miss each other; and it wakes nobody
//! within [`BEAT`] of the wake-up before. After the nap all that is visible, and a worker looks once more.

use super::Policy;
use super::context::Context;
use super::seat::Seat;
use super::shared::{OPEN, Shared};
use super::sync::{self, Ordering, fence};
use divvy::sched::Wake;
use std::sync::Arc;
use std::time::Duration;

/// One looker, in [`Shared::idle`].
const LOOKER: u32 = 1 << 16;
const SLEEPERS: u32 = LOOKER - 1;

/// How often a worker looks before it sleeps, and how many pauses it makes between two looks.
const LOOKS: u32 = if cfg!(divvy_loom) { 0 } else { 48 };
/// How often it looks at least, where nobody works who could make work.
const FEW_LOOKS: u32 = 8;
const PAUSES: u32 = 24;

/// A worker's forks wake somebody at most this often: waking costs a few microseconds, so that is a few percent.
const BEAT: Duration = Duration::from_micros(if cfg!(divvy_loom) { 0 } else { 50 });

/// How long a worker sleeps before it looks for the last time. At least [`BEAT`], for what nobody was woken for.
pub(super) const NAP: Duration = Duration::from_micros(100);

/// What a worker works towards.
pub(super) trait Goal {
    /// Whether it is reached; `idle`: there is nothing to do.
    fn is_reached(&self, shared: &Shared, idle: bool) -> bool;
    /// From now on, whoever reaches the goal wakes the occupant of `seat`.
    fn announce(&self, shared: &Arc<Shared>, seat: &Seat);
    /// Whether a guest may have the seat while its occupant sleeps.
    const HOME: bool = false;
}

/// The goal of a worker that waits for nothing: the end of the pool.
pub(super) struct Closing;

impl Goal for Closing {
    fn is_reached(&self, shared: &Shared, idle: bool) -> bool {
        idle && shared.phase.load(Ordering::Acquire) != OPEN
    }

    fn announce(&self, _: &Arc<Shared>, _: &Seat) {}

    const HOME: bool = true;
}

fn pause() {
    for _ in 0..PAUSES {
        std::hint::spin_loop();
    }
}

impl Shared {
    /// Works on whatever there is until the goal is reached.
    pub(super) fn work_until<G: Goal>(self: &Arc<Self>, cx: &mut Context<'_>, goal: &G) {
        while !goal.is_reached(self, false) {
            if let Some(job) = self.find(cx) {
                cx.go_on_with(job);
                continue;
            }
            cx.report();
            // What was queued before the end of the pool was said is visible only now.
            if !goal.is_reached(self, true) {
                self.idle(cx, goal);
            } else if !G::HOME || !self.has_work() {
                return;
            }
        }
        cx.report();
    }

    /// Looks, naps and sleeps until there may be work, or the goal may be reached.
    fn idle<G: Goal>(self: &Arc<Self>, cx: &mut Context<'_>, goal: &G) {
        let seat = cx.seat();
        self.idle.fetch_add(LOOKER, Ordering::SeqCst);
        while self.rests(seat) && self.injector.is_empty() && !goal.is_reached(self, false) {
            pause();
        }
        for look in 0..LOOKS {
            if look >= FEW_LOOKS && self.nobody_works() {
                break;
            }
            pause();
            if goal.is_reached(self, false) {
                self.idle.fetch_sub(LOOKER, Ordering::SeqCst);
                return;
            }
            if self.has_work() {
                return self.stop_looking(cx);
            }
        }
        if self.sleep(seat, goal) {
            self.stop_looking(cx);
        }
    }

    /// A looker goes to work. If nobody else looks and there is more, somebody else should.
    fn stop_looking(&self, cx: &mut Context<'_>) {
        let job = self.find(cx);
        let before = self.idle.fetch_sub(LOOKER, Ordering::SeqCst);
        if before < 2 * LOOKER && before & SLEEPERS > 0 && self.has_work() {
            self.wake_one();
        }
        if let Some(job) = job {
            cx.go_on_with(job);
        }
    }

    /// A looker sleeps until it is woken. `true` if it counts as a looker again, `false` if the goal was reached.
    fn sleep<G: Goal>(self: &Arc<Self>, seat: &Seat, goal: &G) -> bool {
        let waiter = self.events.waiter(seat.index).expect("there is one for each seat");
        seat.introduce_guest();
        // It is a sleeper before it stops being a looker: whoever makes work sees one of the two.
        self.idle.fetch_sub(LOOKER - 1, Ordering::SeqCst);
        waiter.prepare_park();
        goal.announce(self, seat);
        // Ordering: between the announcement and the look at the goal, as in `prepare_park` for the work.
        fence(Ordering::SeqCst);
        // Nothing to wait for where nobody works, and nobody forked of late.
        let mut napped = !self.forked.swap(false, Ordering::Relaxed) && self.nobody_works();
        loop {
            if goal.is_reached(self, false) || self.has_work() || goal.is_reached(self, true) {
                if !waiter.cancel() {
                    // Nobody chose it: it is a looker again by its own doing.
                    self.idle.fetch_add(LOOKER - 1, Ordering::SeqCst);
                }
                break;
            }
            seat.counts.parks.add(1);
            if G::HOME {
                seat.offer();
            }
            loop {
                if napped {
                    sync::park();
                } else {
                    sync::park_timeout(NAP);
                }
                if G::HOME && !seat.take_back() {
                    // A guest has the seat: whatever woke this thread was for the guest, or for nobody.
                    napped = true;
                    continue;
                }
                if waiter.is_woken() || !napped || goal.is_reached(self, false) {
                    break;
                }
                if G::HOME {
                    seat.offer();
                }
            }
            napped = true;
            if waiter.is_woken() {
                break;
            }
        }
        if goal.is_reached(self, false) {
            // A wake-up that was meant for work is passed on.
            let before = self.idle.fetch_sub(LOOKER, Ordering::SeqCst);
            if before & SLEEPERS > 0 && before < 2 * LOOKER && self.has_work() {
                self.wake_one();
            }
            return false;
        }
        true
    }

    /// Wakes the occupant of a seat, if it sleeps.
    pub(super) fn wake(&self, index: u32) {
        let waiter = self.events.waiter(index).expect("there is one for each seat");
        // Ordering: SeqCst: of a thread that reached the goal and looks for a sleeper, and a sleeper that looks at the
        // goal, at least one sees the other.
        self.idle.fetch_add(LOOKER - 1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if waiter.cancel() {
            // It was awake, or somebody else woke it.
            self.idle.fetch_sub(LOOKER - 1, Ordering::SeqCst);
        } else {
            self.unpark(index);
        }
    }

    /// After work became visible: sees to it that somebody looks.
    pub(super) fn notify(&self) {
        // Ordering: as in `EventCount::notify_one`: the work is seen by whoever falls asleep, or the sleeper is seen here.
        fence(Ordering::SeqCst);
        self.notify_fenced();
    }

    /// Under loom no time passes, and a nap ends with a wake-up: what a nap is for, a fence does.
    #[cfg(divvy_loom)]
    fn time_passes(&self) {
        fence(Ordering::SeqCst);
    }

    /// As `notify`, where a nap at worst is early enough.
    #[inline]
    pub(super) fn notify_unfenced(&self) {
        #[cfg(divvy_loom)]
        self.time_passes();
        self.notify_fenced();
    }

    #[inline]
    fn notify_fenced(&self) {
        let idle = self.idle.load(Ordering::Relaxed);
        if idle & SLEEPERS > 0 && idle < LOOKER {
            self.wake_one();
        }
    }

    /// After a fork became public: as `notify_unfenced`, but not more often than the beat.
    pub(super) fn notify_fork(&self, seat: &Seat) {
        #[cfg(divvy_loom)]
        self.time_passes();
        let idle = self.idle.load(Ordering::Relaxed);
        if idle & SLEEPERS == 0 || idle >= LOOKER {
            return;
        }
        if !self.forked.load(Ordering::Relaxed) {
            self.forked.store(true, Ordering::Relaxed);
        }
        if self.policy == Policy::Heartbeat {
            let now = self.now();
            if now.wrapping_sub(seat.woke_at.get()) < BEAT.as_nanos() as u64 {
                return;
            }
            seat.woke_at.set(now);
        }
        self.wake_one();
    }

    /// Whether all workers sleep or look for work.
    fn nobody_works(&self) -> bool {
        let idle = self.idle.load(Ordering::Relaxed);
        (idle & SLEEPERS) + idle / LOOKER >= self.seats.len() as u32
    }

    /// Whether somebody has nothing to do.
    #[inline]
    pub(super) fn somebody_is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed) > 0
    }

    /// Wakes one sleeper, unless somebody looks. Of several threads that call this at once, one wakes.
    #[cold]
    fn wake_one(&self) {
        let mut idle = self.idle.load(Ordering::SeqCst);
        // The sleeper counts as a looker before it is chosen, so that it cannot stop being one before it is counted.
        while idle & SLEEPERS > 0 && idle < LOOKER {
            match self.idle.compare_exchange_weak(
                idle,
                idle + (LOOKER - 1),
                Ordering::SeqCst,
                Ordering::SeqCst,
            ) {
                Ok(_) => {
                    self.choose_one();
                    return;
                }
                Err(now) => idle = now,
            }
        }
    }

    /// Wakes every sleeper.
    pub(super) fn wake_all(&self) {
        for _ in 0..self.seats.len() {
            self.idle.fetch_add(LOOKER - 1, Ordering::SeqCst);
            if !self.choose_one() {
                return;
            }
        }
    }

    /// Wakes one sleeper, which counts as a looker already; if there is none, it does not after all.
    fn choose_one(&self) -> bool {
        match self.events.notify_one() {
            Wake::Worker(index) => {
                self.unpark(index);
                true
            }
            Wake::Nobody => {
                self.idle.fetch_sub(LOOKER - 1, Ordering::SeqCst);
                false
            }
        }
    }

    fn unpark(&self, index: u32) {
        let seat = &self.seats[index as usize];
        seat.counts.wakes.fetch_add(1, Ordering::Relaxed);
        seat.unpark();
    }

    /// A sleeper's seat for a guest, if one is free. The guest calls [`Shared::return_seat`].
    pub(super) fn borrow_seat(&self) -> Option<&Seat> {
        if self.idle.load(Ordering::Relaxed) & SLEEPERS == 0 {
            return None;
        }
        self.idle.fetch_add(LOOKER - 1, Ordering::SeqCst);
        let Wake::Worker(index) = self.events.notify_one() else {
            self.idle.fetch_sub(LOOKER - 1, Ordering::SeqCst);
            return None;
        };
        let seat = &self.seats[index as usize];
        if seat.borrow() {
            self.idle.fetch_sub(LOOKER, Ordering::SeqCst);
            Some(seat)
        } else {
            // Its thread is about to wake up by itself, or waits for something: then it is woken to look for work.
            self.unpark(index);
            None
        }
    }

    /// The guest leaves: the seat's thread sleeps on, unless there is something left to do.
    pub(super) fn return_seat(&self, seat: &Seat) {
        self.idle.fetch_add(1, Ordering::SeqCst);
        seat.give_back();
        self.events.waiter(seat.index).expect("there is one for each seat").prepare_park();
        if self.has_work() {
            self.notify_unfenced();
        }
    }
}
