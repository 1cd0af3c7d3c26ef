//! What a simulation came to.

use core::time::Duration;

use super::event::End;
use crate::Instant;
use crate::fixed::Q32;
use crate::sketch::Histogram;
use crate::storage::Storage;

/// What one server did since the figures began, and what it has now.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerStats {
    /// Requests that were sent to it.
    pub picked: u64,
    /// Requests that it served, those included whose callers had given up.
    pub served: u64,
    /// Requests that it failed.
    pub failed: u64,
    /// Requests that found its queue full.
    pub rejected: u64,
    /// Requests that were lost with it.
    pub lost: u64,
    /// Requests that wait in its queue now.
    pub waiting: u32,
    /// Requests that it serves now.
    pub serving: u32,
    /// The most requests that it had at once, served ones included.
    pub peak: u32,
    /// The time spent serving, summed over its slots.
    pub busy: Duration,
    /// [`busy`](Self::busy) as a share of all the time of all its slots.
    pub utilisation: Q32,
    /// The requests that it had, averaged over time.
    pub mean_held: Q32,
    /// Whether it is in the fleets.
    pub present: bool,
    /// Whether something is wrong with it.
    pub faulty: bool,
}

/// What the whole simulation came to since the figures began.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Summary {
    /// The time that the figures cover: up to the last event.
    pub elapsed: Duration,
    /// Requests that came.
    pub arrived: u64,
    /// Requests that were served in time.
    pub succeeded: u64,
    /// Requests that their server failed, black holes included.
    pub failed: u64,
    /// Requests that found a full queue.
    pub rejected: u64,
    /// Requests that were lost with their server.
    pub lost: u64,
    /// Requests whose callers gave up.
    pub timed_out: u64,
    /// Requests that went to no server.
    pub refused: u64,
    /// Requests that have not ended yet.
    pub unfinished: u64,
    /// Requests that were served after their callers had given up.
    pub late: u64,
    /// The mean latency of those that succeeded, rounded down.
    pub mean: Duration,
    /// The latency that half of them do not exceed.
    pub p50: Duration,
    /// The latency that 99 in 100 do not exceed.
    pub p99: Duration,
    /// The latency that 999 in 1,000 do not exceed.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
    /// The requests in all servers, averaged over time.
    pub mean_held: Q32,
    /// How far the servers are apart: the standard deviation of the requests that they have at one time, as the root of the
    /// variance's average over time.
    pub spread: Q32,
    /// The requests of the server that got most for its weight, over the mean: 1 is perfectly fair.
    pub skew: Q32,
    /// The share of time that the busiest server's slots served.
    pub utilisation: Q32,
    /// Requests with a key that was seen before.
    pub repeated: u64,
    /// Those of them that went to another server than the last one with their key.
    pub moved: u64,
    /// Probes that were sent.
    pub probes: u64,
    /// Probes for which there was no room.
    pub probes_dropped: u64,
}

impl Summary {
    /// Requests that came to nothing, for whatever reason.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.failed + self.rejected + self.lost + self.timed_out + self.refused
    }
}

/// What is counted.
pub(super) struct Figures<H: Storage> {
    pub(super) latency: Histogram<H>,
    pub(super) begun: Instant,
    /// The last event.
    pub(super) last: Instant,
    pub(super) arrived: u64,
    pub(super) refused: u64,
    pub(super) ends: [u64; 5],
    pub(super) late: u64,
    pub(super) repeated: u64,
    pub(super) moved: u64,
    pub(super) probes: u64,
    pub(super) probes_dropped: u64,
    pub(super) spread: Spread,
}

impl<H: Storage> Figures<H> {
    pub(super) const fn new(latency: Histogram<H>) -> Self {
        Self {
            latency,
            begun: Instant::ZERO,
            last: Instant::ZERO,
            arrived: 0,
            refused: 0,
            ends: [0; 5],
            late: 0,
            repeated: 0,
            moved: 0,
            probes: 0,
            probes_dropped: 0,
            spread: Spread::new(),
        }
    }

    /// Begins anew at `now`.
    pub(super) fn reset(&mut self, now: Instant) {
        self.latency.clear();
        self.begun = now;
        (self.arrived, self.refused, self.late) = (0, 0, 0);
        (self.repeated, self.moved, self.probes, self.probes_dropped) = (0, 0, 0, 0);
        self.ends = [0; 5];
        self.spread.reset(now);
    }

    pub(super) fn end(&mut self, end: End, latency: u64) {
        self.ends[end as usize] += 1;
        if end == End::Success {
            self.latency.record(latency);
        }
    }
}

/// The requests of all servers over time: their mean and their variance between servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    servers: u64,
    sum: u64,
    squares: u64,
    touched: Instant,
    /// Nanoseconds times the sum.
    held: u128,
    /// Nanoseconds times n² variances, while n servers are there.
    squared: u128,
    /// Nanoseconds times n variances, from before.
    apart: u128,
    /// Nanoseconds times the servers, to average over.
    present: u128,
}

impl Spread {
    const fn new() -> Self {
        Self {
            servers: 0,
            sum: 0,
            squares: 0,
            touched: Instant::ZERO,
            held: 0,
            squared: 0,
            apart: 0,
            present: 0,
        }
    }

    const fn reset(&mut self, now: Instant) {
        self.touched = now;
        (self.held, self.squared, self.apart, self.present) = (0, 0, 0, 0);
    }

    /// Accounts for the time up to `now`. To be called before anything changes.
    pub(super) fn touch(&mut self, now: Instant) {
        let since = u128::from(now.as_nanos() - self.touched.as_nanos());
        self.touched = now;
        self.held += since * u128::from(self.sum);
        // n² variances are n Σq² − (Σq)².
        self.squared +=
            since * (u128::from(self.servers) * u128::from(self.squares) - u128::from(self.sum).pow(2));
        self.present += since * u128::from(self.servers);
    }

    /// The number of servers is about to change.
    fn close(&mut self) {
        self.apart += self.squared.checked_div(self.servers.into()).unwrap_or(0);
        self.squared = 0;
    }

    pub(super) fn join(&mut self, q: u32) {
        self.close();
        self.servers += 1;
        self.sum += q as u64;
        self.squares += q as u64 * q as u64;
    }

    pub(super) fn leave(&mut self, q: u32) {
        self.close();
        self.servers -= 1;
        self.sum -= q as u64;
        self.squares -= q as u64 * q as u64;
    }

    /// A server that has `q` requests gets one more.
    pub(super) const fn more(&mut self, q: u32) {
        self.sum += 1;
        self.squares += 2 * q as u64 + 1;
    }

    /// A server that has `q` requests gets rid of one.
    pub(super) const fn fewer(&mut self, q: u32) {
        self.sum -= 1;
        self.squares -= 2 * q as u64 - 1;
    }

    pub(super) fn mean_held(&self, elapsed: Duration) -> Q32 {
        ratio(self.held, elapsed.as_nanos())
    }

    /// The root of the variance's average.
    pub(super) fn deviation(mut self) -> Q32 {
        self.close();
        let variance = ratio(self.apart, self.present);
        // √(v × 2³²) × 2¹⁶ = √v × 2³²
        Q32::from_bits((u128::from(variance.to_bits()) << 32).isqrt() as u64)
    }
}

/// The quotient, at most [`Q32::MAX`]; 0 for one without meaning.
pub(super) fn ratio(numerator: u128, denominator: u128) -> Q32 {
    if denominator == 0 {
        return Q32::ZERO;
    }
    // What both can do without is dropped until the quotient fits.
    let drop = (u128::BITS - numerator.leading_zeros()).saturating_sub(95);
    let (numerator, denominator) = (numerator >> drop, (denominator >> drop).max(1));
    Q32::from_bits(u64::try_from((numerator << 32) / denominator).unwrap_or(u64::MAX))
}
