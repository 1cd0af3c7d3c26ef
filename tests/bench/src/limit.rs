//! Rate limiters: 10 million cells a second and a burst that lasts, so that all is admitted, or one that is used up, so that
//! all is refused.
//!
//! Not here: leaky-bucket and tower's `RateLimit`, which are futures that wait on tokio's clock and never refuse; and
//! pingora-limits, which estimates rates and limits nothing.

use crate::rounds::{Contender, StartingLine, cpu_time, nanosecond_table, time_each, undisturbed};
use divvy::hash::xxh3_64;
use divvy::limit::{Admit, Crowded, Gcra, Keyed, Share, SharedGcra, SharedGcra32, SplitGcra};
use divvy::storage::Heap;
use governor::clock::{DefaultClock, FakeRelativeClock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CELLS: u32 = 10_000_000;
/// More than are asked for in all rounds together.
const BURST: u32 = 250_000_000;
const CALLS: u64 = 1_000_000;
/// In the middle of an epoch.
const NOW: divvy::Instant = divvy::Instant::from_secs(1_000);

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

fn quota(burst: u32) -> divvy::limit::Quota {
    divvy::limit::Quota::new(count(CELLS), Duration::from_secs(1))
        .and_then(|quota| quota.burst(count(burst)))
        .expect("a burst of seconds")
}

fn governors(burst: u32) -> governor::Quota {
    governor::Quota::per_second(count(CELLS)).allow_burst(count(burst))
}

/// A limiter that threads may share, asked without a clock: governor and ratelimit read a word instead.
trait Shared: Sync + Sized {
    const NAME: &str;
    /// What a thread asks.
    type Handle<'a>
    where
        Self: 'a;
    fn new(burst: u32) -> Self;
    fn handle(&self) -> Self::Handle<'_>;
    fn admit(handle: &mut Self::Handle<'_>) -> bool;
}

type Fake =
    governor::RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<governor::nanos::Nanos>>;

impl Shared for Fake {
    const NAME: &str = "governor, FakeRelativeClock";
    type Handle<'a> = &'a Self;
    fn new(burst: u32) -> Self {
        let clock = FakeRelativeClock::default();
        clock.advance(Duration::from_nanos(NOW.as_nanos()));
        Self::direct_with_clock(governors(burst), clock)
    }
    fn handle(&self) -> &Self {
        self
    }
    fn admit(handle: &mut &Self) -> bool {
        handle.check().is_ok()
    }
}

/// A clock that stands still, in a word that might change.
struct Standing(AtomicU64);

impl ratelimit::Clock for Standing {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl Shared for ratelimit::Ratelimiter<Standing> {
    const NAME: &str = "ratelimit, a clock that stands still";
    type Handle<'a> = &'a Self;
    fn new(burst: u32) -> Self {
        ratelimit::Builder::with_clock(CELLS.into(), Standing(AtomicU64::new(0)))
            .max_tokens(burst.into())
            .initial_available(burst.into())
            .build()
            .expect("a valid limiter")
    }
    fn handle(&self) -> &Self {
        self
    }
    fn admit(handle: &mut &Self) -> bool {
        handle.try_wait().is_ok()
    }
}

impl Shared for SharedGcra {
    const NAME: &str = "divvy::limit::SharedGcra";
    type Handle<'a> = &'a Self;
    fn new(burst: u32) -> Self {
        Self::new(quota(burst))
    }
    fn handle(&self) -> &Self {
        self
    }
    fn admit(handle: &mut &Self) -> bool {
        SharedGcra::admit(handle, black_box(NOW)) == Admit::Yes
    }
}

impl Shared for SharedGcra32 {
    const NAME: &str = "divvy::limit::SharedGcra32";
    type Handle<'a> = &'a Self;
    fn new(burst: u32) -> Self {
        Self::new(quota(burst))
    }
    fn handle(&self) -> &Self {
        self
    }
    fn admit(handle: &mut &Self) -> bool {
        SharedGcra32::admit(handle, black_box(NOW)) == Admit::Yes
    }
}

impl Shared for SplitGcra {
    const NAME: &str = "divvy::limit::SplitGcra, batches of 16";
    type Handle<'a> = Share<'a>;
    fn new(burst: u32) -> Self {
        Self::new(quota(burst), count(2), count(16))
    }
    fn handle(&self) -> Share<'_> {
        self.share().expect("a place for each thread")
    }
    fn admit(handle: &mut Share<'_>) -> bool {
        handle.admit(black_box(NOW)) == Admit::Yes
    }
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let baseline = || {
        Contender::new("baseline: the time", || {
            time_each(CALLS, |_| {
                black_box(black_box(NOW));
            })
        })
    };
    let admitted = vec![
        baseline(),
        alone::<Fake>(true),
        alone::<ratelimit::Ratelimiter<Standing>>(true),
        plain(true),
        alone::<SharedGcra>(true),
        alone::<SharedGcra32>(true),
        alone::<SplitGcra>(true),
    ];
    let refused = vec![
        baseline(),
        alone::<Fake>(false),
        alone::<ratelimit::Ratelimiter<Standing>>(false),
        plain(false),
        alone::<SharedGcra>(false),
        alone::<SharedGcra32>(false),
        alone::<SplitGcra>(false),
    ];
    let two = vec![
        baseline(),
        both::<Fake>(),
        both::<ratelimit::Ratelimiter<Standing>>(),
        both::<SharedGcra>(),
        both::<SharedGcra32>(),
        both::<SplitGcra>(),
    ];
    Ok([
        nanosecond_table("one thread, admitted, without a clock", rounds, admitted),
        nanosecond_table("one thread, refused, without a clock", rounds, refused),
        nanosecond_table("two threads, admitted, without a clock, by cell of both", rounds, two),
        nanosecond_table("one thread, admitted, and read the clock", rounds, clocks()),
        nanosecond_table("one of 1,000 keys, admitted, without a clock", rounds, keyed(1_000)),
        nanosecond_table("one of 100,000 keys, admitted, without a clock", rounds, keyed(100_000)),
    ]
    .join("\n"))
}

/// A limiter that admits all that are asked for here, or none.
fn limiter<L: Shared>(admits: bool) -> L {
    let limiter = L::new(if admits { BURST } else { 1 });
    if !admits {
        let mut handle = limiter.handle();
        while L::admit(&mut handle) {}
    }
    limiter
}

fn alone<L: Shared + 'static>(admits: bool) -> Contender<'static> {
    let limiter: L = limiter(admits);
    Contender::new(L::NAME, move || {
        let mut handle = limiter.handle();
        time_each(CALLS, |_| {
            assert_eq!(L::admit(&mut handle), admits);
        })
    })
}

fn plain(admits: bool) -> Contender<'static> {
    let mut limiter = Gcra::new(quota(if admits { BURST } else { 1 }));
    if !admits {
        while limiter.admit(NOW) == Admit::Yes {}
    }
    Contender::new("divvy::limit::Gcra (one owner)", move || {
        time_each(CALLS, |_| {
            assert_eq!(limiter.admit(black_box(NOW)) == Admit::Yes, admits);
        })
    })
}

/// Two threads on one limiter; wall time by cell, those of both threads counted.
fn both<L: Shared + 'static>() -> Contender<'static> {
    Contender::new(L::NAME, move || {
        undisturbed(2 * CALLS, || {
            let (limiter, start): (&L, _) = (&limiter(true), &StartingLine::new(2));
            let work = move || {
                let mut handle = limiter.handle();
                start.wait();
                let (begin, before) = (Instant::now(), cpu_time());
                for _ in 0..CALLS {
                    assert!(L::admit(&mut handle));
                }
                (begin, Instant::now(), cpu_time() - before)
            };
            thread::scope(|scope| {
                let threads = [scope.spawn(work), scope.spawn(work)];
                let [one, other] = threads.map(|thread| thread.join().expect("the burst lasts"));
                // From the first one's start: threads that ran one after the other do not count.
                (one.1.max(other.1) - one.0.min(other.0), one.2.min(other.2))
            })
        })
    })
}

/// Each with a clock that it could have in a service.
fn clocks() -> Vec<Contender<'static>> {
    let by_quanta = governor::RateLimiter::direct_with_clock(governors(BURST), DefaultClock::default());
    let by_std = governor::RateLimiter::direct_with_clock(governors(BURST), MonotonicClock);
    let ratelimit = ratelimit::Ratelimiter::builder(CELLS.into())
        .max_tokens(BURST.into())
        .initial_available(BURST.into())
        .build()
        .expect("a valid limiter");
    let mut plain = Gcra::new(quota(BURST));
    let mut plain_by_quanta = Gcra::new(quota(BURST));
    let shared = SharedGcra::new(quota(BURST));
    let shared_by_quanta = SharedGcra::new(quota(BURST));
    let start = Instant::now();
    let std_now = move || divvy::Instant::from_nanos(start.elapsed().as_nanos() as u64);
    let clock = quanta::Clock::new();
    let quanta_start = clock.now();
    let quanta_now = move |clock: &quanta::Clock| {
        divvy::Instant::from_nanos((clock.now() - quanta_start).as_nanos() as u64)
    };
    let other_clock = clock.clone();
    vec![
        Contender::new("baseline: std Instant::now", || {
            time_each(CALLS, |_| {
                black_box(Instant::now());
            })
        }),
        Contender::new("governor, quanta (its default)", move || {
            time_each(CALLS, |_| assert!(by_quanta.check().is_ok()))
        }),
        Contender::new("governor, std Instant", move || {
            time_each(CALLS, |_| assert!(by_std.check().is_ok()))
        }),
        Contender::new("ratelimit, std Instant (its default)", move || {
            time_each(CALLS, |_| assert!(ratelimit.try_wait().is_ok()))
        }),
        Contender::new("divvy::limit::Gcra (one owner), quanta", move || {
            time_each(CALLS, |_| assert_eq!(plain_by_quanta.admit(quanta_now(&clock)), Admit::Yes))
        }),
        Contender::new("divvy::limit::SharedGcra, quanta", move || {
            time_each(CALLS, |_| assert_eq!(shared_by_quanta.admit(quanta_now(&other_clock)), Admit::Yes))
        }),
        Contender::new("divvy::limit::Gcra (one owner), std Instant", move || {
            time_each(CALLS, |_| assert_eq!(plain.admit(std_now()), Admit::Yes))
        }),
        Contender::new("divvy::limit::SharedGcra, std Instant", move || {
            time_each(CALLS, |_| assert_eq!(shared.admit(std_now()), Admit::Yes))
        }),
    ]
}

/// A limiter for each of `keys`; each call is for another one than the last.
fn keyed(keys: u64) -> Vec<Contender<'static>> {
    let key = move |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % keys;
    let by_hashmap =
        governor::RateLimiter::hashmap_with_clock(governors(BURST), FakeRelativeClock::default());
    let by_dashmap =
        governor::RateLimiter::dashmap_with_clock(governors(BURST), FakeRelativeClock::default());
    let capacity = u32::try_from(keys * 2).expect("few keys");
    let mut keyed = Keyed::<Heap>::with_capacity(capacity, quota(BURST), Crowded::Evict);
    vec![
        Contender::new("baseline: the key and its hash", move || {
            time_each(CALLS, |i| {
                black_box(xxh3_64(&key(i).to_le_bytes()));
            })
        }),
        Contender::new("governor, hash map behind a lock", move || {
            time_each(CALLS, |i| assert!(by_hashmap.check_key(&key(i)).is_ok()))
        }),
        Contender::new("governor, DashMap", move || {
            time_each(CALLS, |i| assert!(by_dashmap.check_key(&key(i)).is_ok()))
        }),
        Contender::new("divvy::limit::Keyed (one owner), XXH3 of the key", move || {
            time_each(CALLS, |i| {
                let hash = xxh3_64(&key(i).to_le_bytes());
                assert_eq!(keyed.admit(black_box(NOW), hash), Admit::Yes);
            })
        }),
    ]
}
