//! Who is woken: the protocol between those who make work and those who sleep or look for it.
//!
//! A worker without work *looks* for a little while, then *naps* once for [`NAP`] if others work or did so of late, and
//! then sleeps until it is woken.
//! Whoever makes work wakes one sleeper, unless somebody looks already: who looks will find it, and wakes the next one
//! when it stops looking with more in sight. So one task wakes one thread, and a pool without work wakes nobody.
//!
//! The nap is what makes a fork cheap. A fork that becomes public takes no fence between the push and the look for
//! sleepers, so that a worker which falls asleep in this very moment and it may miss each other; and it wakes nobody
//! within [`BEAT`] of the wake-up before. After the nap all that is visible, and a worker looks once more.

use crate::pool::shared::Shared;
use crate::pool::shared::policy::Policy;
use crate::pool::shared::seat::Seat;
use crate::pool::sync::{Ordering, fence};
use divvy::sched::Wake;
use std::time::Duration;

/// One looker, in [`Shared::idle`].
pub(in crate::pool) const LOOKER: u32 = 1 << 16;
pub(in crate::pool) const SLEEPERS: u32 = LOOKER - 1;

/// A worker's forks wake somebody at most this often: waking costs a few microseconds, so that is a few percent.
const BEAT: Duration = Duration::from_micros(if cfg!(divvy_loom) { 0 } else { 50 });

/// How long a worker sleeps before it looks for the last time. At least [`BEAT`], for what nobody was woken for.
pub(in crate::pool) const NAP: Duration = Duration::from_micros(100);

impl Shared {
    /// Wakes the occupant of a seat, if it sleeps.
    pub(in crate::pool) fn wake(&self, index: u32) {
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
    pub(in crate::pool) fn notify(&self) {
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
    pub(in crate::pool) fn notify_unfenced(&self) {
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
    pub(in crate::pool) fn notify_fork(&self, seat: &Seat) {
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
    pub(in crate::pool) fn nobody_works(&self) -> bool {
        let idle = self.idle.load(Ordering::Relaxed);
        (idle & SLEEPERS) + idle / LOOKER >= self.seats.len() as u32
    }

    /// Whether somebody has nothing to do.
    #[inline]
    pub(in crate::pool) fn somebody_is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed) > 0
    }

    /// Wakes one sleeper, unless somebody looks. Of several threads that call this at once, one wakes.
    #[cold]
    pub(in crate::pool) fn wake_one(&self) {
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
    pub(in crate::pool) fn wake_all(&self) {
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
    pub(in crate::pool) fn borrow_seat(&self) -> Option<&Seat> {
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
    pub(in crate::pool) fn return_seat(&self, seat: &Seat) {
        self.idle.fetch_add(1, Ordering::SeqCst);
        seat.give_back();
        self.events.waiter(seat.index).expect("there is one for each seat").prepare_park();
        if self.has_work() {
            self.notify_unfenced();
        }
    }
}
