//! One rate for all cores, in 32-bit words.

use super::limiter::limiter;
use super::state::State;
use super::ticks::{Price, Ticks};
use crate::limit::Admit;
use crate::limit::rate::{OverBurst, Quota};
use crate::sync::AtomicU32;
use crate::time::Instant;
use core::num::NonZeroU32;

/// A rate limiter that cores share without a 64-bit compare-and-swap: [`Gcra`](crate::limit::Gcra) in two words of 32 bits.
///
/// One word says when the bucket is full again, in ticks that wrap around; the other one, which seldom changes, which
/// epoch of the clock is meant. The quota's rate is exact, but time counts in ticks, of which a cell has a whole number:
/// between 8 and 20 ns, or up to 2⁻²⁶ of the burst's time if that is longer. A cell may have to wait for the next tick, and so
/// may the last one of a burst that comes all at one instant between two ticks: what is rounded is never given away. Only for quotas of
/// more than 125 million cells a second a tick holds many cells, and what one call asks for is rounded up to whole ticks.
///
/// *When not to use it:* where the limiter has one owner ([`Gcra`](crate::limit::Gcra)), and on targets with 64-bit
/// atomics (`SharedGcra` is exact to the nanosecond).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Admit, Quota, QuotaError, SharedGcra32};
///
/// let five = NonZeroU32::new(5).expect("five is not zero");
/// let limit = SharedGcra32::new(Quota::new(five, Duration::from_secs(1))?);
/// assert_eq!(limit.admit(Instant::ZERO), Admit::Yes);
/// assert_eq!(limit.admit(Instant::ZERO), Admit::No { retry_at: Instant::from_millis(200) });
/// // A pause of a hundred years is no trouble for 32 bits.
/// let later = Instant::from_secs(3_155_760_000);
/// assert_eq!(limit.admit(later), Admit::Yes);
/// assert_eq!(limit.next_free(later), Instant::from_millis(3_155_760_000_200));
/// # Ok::<(), QuotaError>(())
/// ```
///
/// # Complexity
///
/// *O*(1): two loads, some multiplications and a 32-bit compare-and-swap for what is admitted, three loads for what is
/// refused; once in an epoch one or two more compare-and-swaps. 128 bytes, of which 8 change.
///
/// # Time
///
/// `now` is when the cell would go, any 64 bits of it. `retry_at` is up to a tick late. Threads may come with times that
/// are out of order: a time that is older than what others came with may be refused although theirs was admitted, and
/// refunds nothing. In any interval of length *L* by the times they came with, at most `burst + L × cells / per` cells
/// are admitted, in whatever order they came. A time older than the present epoch (a power of two of nanoseconds, at
/// least 4 s and the burst's time) counts as its beginning, which others have seen.
///
/// # Concurrency
///
/// Lock-free: a call repeats itself only because another one was admitted, or moved to the next epoch. `&self`; fits a
/// `static`. A thread may stop anywhere for any time and hinders nobody. If it stops in the middle of a call until the word
/// has gone once around (at least 32 s, and 16 times the burst's time) and is exactly the same again, or calls with a time
/// two epochs old just when others come back after a pause as long, cells are refused that might go, until the
/// next epoch; none is admitted that may not.
///
/// # Errors
///
/// [`OverBurst`] for more cells at once than the burst.
///
/// # References
///
/// ITU-T I.371, annex A (virtual scheduling).
#[derive(Debug)]
pub struct SharedGcra32 {
    state: State<AtomicU32>,
    ticks: Ticks,
    quota: Quota,
}

limiter!(SharedGcra32, AtomicU32, 32, 8);
