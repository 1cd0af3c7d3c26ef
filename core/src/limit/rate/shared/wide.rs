//! One rate for all threads, in one 64-bit word.

use super::limiter::limiter;
use super::state::State;
use super::ticks::{Price, Ticks};
use crate::limit::Admit;
use crate::limit::rate::{OverBurst, Quota};
use crate::sync::AtomicU64;
use crate::time::Instant;
use core::num::NonZeroU32;

/// A rate limiter that any number of threads share by reference: [`Gcra`](crate::limit::Gcra) in an atomic word of 64 bits.
///
/// It admits what [`Gcra`](crate::limit::Gcra) would admit if it were asked by one thread after the other, to the
/// nanosecond and with fractions of one carried, as long as burst × period in nanoseconds, less the factors that it has
/// in common with the number of cells, is at most 2⁶⁰: with a period of a second, any burst up to 2³⁰. Beyond that time
/// counts in ticks of up to 2 ns (or 2⁻⁵⁹ of the burst's time if that is longer), and a cell may have to wait for the next
/// one.
///
/// *When not to use it:* where the limiter has one owner ([`Gcra`](crate::limit::Gcra)), on targets without 64-bit
/// atomics ([`SharedGcra32`](super::SharedGcra32)), and where so many are admitted from several cores that they wait for
/// each other's cache line ([`SplitGcra`](super::SplitGcra)).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Admit, Quota, SharedGcra};
///
/// const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// static LIMIT: SharedGcra = SharedGcra::new(match Quota::new(FIVE, Duration::from_secs(1)) {
///     Ok(quota) => quota,
///     Err(_) => panic!("a second is longer than nothing"),
/// });
///
/// std::thread::scope(|scope| {
///     let ask = || LIMIT.admit(Instant::ZERO) == Admit::Yes;
///     let threads = [scope.spawn(ask), scope.spawn(ask)];
///     let admitted = threads.map(|thread| thread.join().unwrap());
///     // One of them goes, whichever was first.
///     assert_ne!(admitted[0], admitted[1]);
/// });
/// assert_eq!(LIMIT.admit(Instant::ZERO), Admit::No { retry_at: Instant::from_millis(200) });
/// assert_eq!(LIMIT.admit(Instant::from_millis(200)), Admit::Yes);
/// ```
///
/// # Complexity
///
/// *O*(1): two loads and a compare-and-swap for what is admitted, three loads for what is refused. 136 bytes, of which 16
/// change; put it on a cache line of its own if what lies beside it changes often.
///
/// # Time
///
/// `now` is when the cell would go. Threads may come with times that are out of order: a time that is older than what
/// others came with may be refused although theirs was admitted, and refunds nothing. In any interval of length *L* by the
/// times they came with, at most `burst + L × cells / per` cells are admitted, in whatever order they came. A
/// time older than the present epoch (a power of two of nanoseconds, at least 1/2 s and 8 times the burst's time) counts
/// as its beginning.
///
/// # Concurrency
///
/// Lock-free: a call repeats itself only because another one was admitted. `&self`; fits a `static`. A thread may stop
/// anywhere for any time and hinders nobody. If it stops in the middle of a call for so long that the word has gone once
/// around (at least 16 times the burst's time) and is exactly the same again, cells are refused that might go, until
/// the next epoch; none is admitted that may not.
///
/// # Errors
///
/// [`OverBurst`] for more cells at once than the burst.
///
/// # References
///
/// ITU-T I.371, annex A (virtual scheduling).
#[derive(Debug)]
pub struct SharedGcra {
    state: State<AtomicU64>,
    ticks: Ticks,
    quota: Quota,
}

limiter!(SharedGcra, AtomicU64, 64, 1);
