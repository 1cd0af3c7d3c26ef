//! A flaky device on a bus, and what keeps its callers from waiting for it: a breaker and a limiter.
//!
//! The device is simulated in virtual milliseconds, and what it does in each of them is fixed: it is well, then flaky,
//! well, slow, well, dead and well again. One core drives it alone ([`alone`]), which comes to the same decisions
//! everywhere, with the plain forms and with the shared ones; then all cores drive it together ([`Team`]), in whatever
//! order they happen to come, and [`Witness`] says whether the promises were kept.

mod caller;
mod cost;
mod guard;
mod witness;

#[cfg(test)]
mod tests;

pub use cost::{CALLS, Row, measure};
pub use witness::{Tally, Witness};

use caller::{Caller, instant};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use divvy::Instant;
use divvy::breaker::{Admit, Outcome, State, Transition};
use divvy::limit::{Gcra, SharedGcra32};
use divvy::rng::{Rng, SplitMix64};
use guard::{Guard, OfAll, OfOne, Plain, Shared};

/// How long the device is driven.
pub const MILLIS: u32 = 12_288;
/// What the decisions of a core alone come to, with the plain forms as with the shared ones. A test computes it.
pub const EXPECTED: u64 = 0xca56_4439_7b72_61db;

/// Calls that a core may have under way.
const PLACES: usize = 4;
/// The limiter's quota: cells each second, and how many at once.
const RATE: u32 = 250;
/// See [`RATE`].
const BURST: u32 = 16;
const CELL: u32 = 1_000 / RATE;
/// Probes that the breaker lets through at once.
pub const PROBES: u32 = 2;
/// The calls that the breaker judges by.
const WINDOW: u32 = 32;
/// From here on an answer is slow.
const SLOW: Duration = Duration::from_millis(25);
/// The longest that the breaker stays open.
const LONGEST: Duration = Duration::from_millis(1_200);
/// How long a probe may take when callers vanish.
const PROBE_TIMEOUT: Duration = Duration::from_millis(200);
/// When none does, and each of them may stand still for long: no probe is given up.
const NEVER: Duration = Duration::from_secs(3_600);

/// How the device is.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Well,
    /// Most calls fail.
    Flaky,
    /// It answers late.
    Slow,
    /// It does not answer.
    Dead,
}

/// What the device does with a call that comes in a given millisecond, if one comes.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// Somebody wants to call.
    wanted: bool,
    /// Milliseconds until the answer, or until the caller gives up.
    takes: u32,
    fails: bool,
    /// The caller forgets to say how it went.
    vanishes: bool,
}

/// It depends on the millisecond alone, so it is the same on every machine, whichever core calls.
fn answer(millis: u32) -> Answer {
    let mut rng = SplitMix64::seed(0xDE71CE << 32 | u64::from(millis));
    // In bursts somebody calls all the time.
    let wanted = millis % 2_048 < 256 || rng.below(4) == 0;
    let (takes, fails, vanishes) = match phase(millis) {
        Phase::Well => (1 + rng.below(4), 2, 5),
        Phase::Flaky => (1 + rng.below(4), 70, 5),
        Phase::Slow => (30 + rng.below(20), 2, 5),
        // After a while nobody waits any more.
        Phase::Dead => (20, 100, if millis < 8_500 { 5 } else { 95 }),
    };
    let mut chance = |percent| rng.below(100) < percent;
    Answer { wanted, takes, fails: chance(fails), vanishes: chance(vanishes) }
}

fn phase(millis: u32) -> Phase {
    match millis {
        2_048..3_072 => Phase::Flaky,
        5_120..6_144 => Phase::Slow,
        8_192..9_216 => Phase::Dead,
        _ => Phase::Well,
    }
}

/// Which forms of the breaker and the limiter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// For one owner: `Breaker` and `Gcra`.
    Plain,
    /// For all cores: `SharedBreaker` and `SharedGcra32`, which needs no 64-bit compare-and-swap.
    Shared,
}

impl Form {
    /// Bytes of the breaker, and of the limiter.
    pub const fn bytes(self) -> [usize; 2] {
        match self {
            Self::Plain => [size_of::<Plain>(), size_of::<Gcra>()],
            Self::Shared => [size_of::<Shared>(), size_of::<SharedGcra32>()],
        }
    }
}

/// Drives the device by one core, some of whose callers vanish, and hands each change of the breaker's state to `show`. The
/// digest of all decisions: [`EXPECTED`].
pub fn alone(form: Form, witness: &Witness, show: &mut dyn FnMut(Transition)) -> u64 {
    match form {
        Form::Plain => drive(Caller::new(OfOne::new(), witness, true), show),
        Form::Shared => drive(Caller::new(&OfAll::new(PROBE_TIMEOUT), witness, true), show),
    }
}

fn drive<G: Guard>(mut caller: Caller<'_, G>, show: &mut dyn FnMut(Transition)) -> u64 {
    for millis in 0..MILLIS {
        caller.live(millis, show);
    }
    caller.end(show)
}

/// All cores, which call the device through one breaker and one limiter.
#[derive(Debug)]
pub struct Team {
    guard: OfAll,
    witness: Witness,
    /// The millisecond that nobody has taken yet.
    next: AtomicU32,
}

impl Team {
    /// Nobody has called yet.
    pub const fn new() -> Self {
        Self { guard: OfAll::new(NEVER), witness: Witness::new(), next: AtomicU32::new(0) }
    }

    /// What a core does: it takes one millisecond after the other from all of them and may call in it, while others call in
    /// theirs. Hands each change of the breaker's state that it made to `show`; how many milliseconds it took.
    pub fn work(&self, show: &mut dyn FnMut(Transition)) -> u32 {
        let mut caller = Caller::new(&self.guard, &self.witness, false);
        let mut taken = 0;
        loop {
            let millis = self.next.fetch_add(1, Ordering::Relaxed);
            if millis >= MILLIS {
                break;
            }
            caller.live(millis, show);
            taken += 1;
        }
        caller.end(show);
        taken
    }

    /// What was seen of it, when all have done their work.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// How often the breaker changed its state.
    pub fn changes(&self) -> u32 {
        self.guard.breaker.stats(Instant::ZERO).transitions
    }

    /// Whether the breaker closes again once the device is well and all have done their work, whatever state it was left in,
    /// within its longest open time and a few calls.
    pub fn recovers(&self) -> bool {
        let breaker = &self.guard.breaker;
        // The last answers come within 100 ms of the end.
        let end = MILLIS + 100 + LONGEST.as_millis() as u32;
        for millis in MILLIS..end + 8 {
            let now = instant(millis);
            if breaker.state(now) == State::Closed {
                return true;
            }
            if let Admit::Yes(pass) = breaker.admit(now) {
                // Whether it closed is asked at the next turn.
                let _ = breaker.complete(now, pass, Outcome::Success);
            }
        }
        false
    }
}

impl Default for Team {
    fn default() -> Self {
        Self::new()
    }
}
