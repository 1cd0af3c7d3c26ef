//! Working until a goal is reached, and sleeping where there is nothing to do.

use crate::pool::shared::seat::Seat;
use crate::pool::shared::{LOOKER, NAP, OPEN, SLEEPERS, Shared};
use crate::pool::sync::{self, Ordering, fence};
use crate::pool::work::context::Context;
use std::sync::Arc;

/// How often a worker looks before it sleeps, and how many pauses it makes between two looks.
const LOOKS: u32 = if cfg!(divvy_loom) { 0 } else { 48 };
/// How often it looks at least, where nobody works who could make work.
const FEW_LOOKS: u32 = 8;
const PAUSES: u32 = 24;

/// What a worker works towards.
pub(in crate::pool) trait Goal {
    /// Whether it is reached; `idle`: there is nothing to do.
    fn is_reached(&self, shared: &Shared, idle: bool) -> bool;
    /// From now on, whoever reaches the goal wakes the occupant of `seat`.
    fn announce(&self, shared: &Arc<Shared>, seat: &Seat);
    /// Whether a guest may have the seat while its occupant sleeps.
    const HOME: bool = false;
}

/// The goal of a worker that waits for nothing: the end of the pool.
pub(in crate::pool) struct Closing;

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
    pub(in crate::pool) fn work_until<G: Goal>(self: &Arc<Self>, cx: &mut Context<'_>, goal: &G) {
        while !goal.is_reached(self, false) {
            if let Some(job) = self.find(cx.seat()) {
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
        while seat.thefts.rests(|| self.now()) && self.injector.is_empty() && !goal.is_reached(self, false) {
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
        let job = self.find(cx.seat());
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
}
