//! What the cores need of the machine they run on, beyond sleeping and waking.

use divvy::Instant;
use divvy::sched::Park;

/// A machine whose cores share a clock.
///
/// [`Park`] is how a core sleeps until another one wakes it: `wfe` and `sev` on a Cortex-M, `wfi` and a software
/// interrupt on RISC-V, a thread's park token in the tests.
pub trait Machine: Park {
    /// The time, the same for all cores.
    fn clock(&self) -> Instant;

    /// Lets core `core` sleep until then, or for less.
    fn nap(&self, core: u32, until: Instant);

    /// Lets the other cores go on, where cores take turns. Nothing where they really run at once.
    fn turn(&self);
}
