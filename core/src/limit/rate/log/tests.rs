//! The sliding log against every window of every sequence.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn log(cells: u32, window: u64) -> SlidingLog<Inline<8>> {
    SlidingLog::new(count(cells), Duration::from_nanos(window)).unwrap()
}

#[test]
fn nonsense_is_refused() {
    let new = |cells, window| SlidingLog::<Inline<4>>::new(count(cells), window).map(|_| ());
    assert_eq!(new(4, Duration::ZERO), Err(WindowError::Zero));
    assert_eq!(new(4, Duration::MAX), Err(WindowError::TooLong));
    assert_eq!(new(5, Duration::from_secs(1)), Err(WindowError::TooFewSlots));
    assert_eq!(new(u32::MAX, Duration::from_secs(1)), Err(WindowError::TooFewSlots));
    assert_eq!(log(3, 5).admit_n(at(0), count(4)), Err(OverBurst { burst: 3 }));
    assert_eq!(log(3, 5).next_free_n(at(0), count(4)), Err(OverBurst { burst: 3 }));
    let none = SlidingLog::<Inline<0>>::new(count(1), Duration::from_secs(1));
    assert!(none.is_err());
}

#[test]
fn the_longest_window_never_ends() {
    let mut limit = log(2, u64::MAX);
    assert_eq!(limit.admit(at(0)), Admit::Yes);
    assert_eq!(limit.admit(at(7)), Admit::Yes);
    assert_eq!(limit.admit(at(8)), Admit::No { retry_at: Instant::MAX });
    // The window that began at 0 ends at the last instant there is.
    assert_eq!(limit.admit(Instant::MAX), Admit::Yes);
    assert_eq!(limit.admit(Instant::MAX), Admit::No { retry_at: Instant::MAX });
}

/// governor #219: a minute held more than the burst, because some of it is gained back meanwhile. Here no minute does.
#[test]
fn no_minute_holds_more_than_the_quota_governor_219() {
    let mut limit = SlidingLog::<Inline<100>>::new(count(100), Duration::from_secs(60)).unwrap();
    let mut admitted = Vec::new();
    for tick in 0..6_000u64 {
        let now = Instant::from_millis(tick * 100);
        if limit.admit(now) == Admit::Yes {
            admitted.push(now);
        }
    }
    assert_eq!(admitted.len(), 1_000);
    for pair in admitted.windows(101) {
        assert!(pair[100].saturating_duration_since(pair[0]) >= Duration::from_secs(60));
    }
}

/// tower #842: a fixed window lets through the whole quota at its end and again at the start of the next.
#[test]
fn the_edge_of_a_window_is_no_gap_tower_842() {
    let mut limit = SlidingLog::<Inline<100>>::new(count(100), Duration::from_secs(1)).unwrap();
    let asks = |limit: &mut SlidingLog<Inline<100>>, now| {
        (0..100).filter(|_| limit.admit(now) == Admit::Yes).count()
    };
    assert_eq!(asks(&mut limit, Instant::from_millis(900)), 100);
    assert_eq!(asks(&mut limit, Instant::from_millis(1_100)), 0);
    assert_eq!(limit.next_free(Instant::from_millis(1_100)), Instant::from_millis(1_900));
    assert_eq!(asks(&mut limit, Instant::from_millis(1_900)), 100);
}

#[cfg(feature = "alloc")]
#[test]
fn a_log_on_the_heap_has_a_slot_for_each_cell() {
    let mut limit = SlidingLog::with_capacity(count(3), Duration::from_nanos(5)).unwrap();
    assert_eq!(limit.admit_n(at(0), count(3)), Ok(Admit::Yes));
    assert_eq!(limit.admit(at(4)), Admit::No { retry_at: at(5) });
    assert_eq!(limit.set(count(4), Duration::from_nanos(5)), Err(WindowError::TooFewSlots));
    assert_eq!((limit.cells(), limit.window()), (3, Duration::from_nanos(5)));
}

proptest! {
    /// Exactly what counting the window by hand says, also under several cells at once, another limit, and a clock that
    /// stands, jumps and goes back.
    #[test]
    fn the_answers_are_those_of_a_count(
        cells in 1u32..=8,
        window in 1u64..30,
        steps in prop::collection::vec((0u8..10, 0u64..12, 1u32..=8), 1..200),
    ) {
        let mut limit = log(cells, window);
        let (mut cells, mut window) = (cells, window);
        let (mut now, mut latest) = (0u64, 0);
        let mut admitted: Vec<u64> = Vec::new();
        for (what, gap, n) in steps {
            match what {
                0 => now = now.saturating_sub(gap * 3),
                1 => now += gap * 10,
                2 => {
                    (cells, window) = (n, gap + 1);
                    limit.set(count(cells), Duration::from_nanos(window)).unwrap();
                    continue;
                }
                _ => now += gap / 4,
            }
            // As far as the log goes back.
            let known = &admitted[admitted.len().saturating_sub(8)..];
            let inside = |now: u64| known.iter().filter(|then| now - **then < window).count() as u32;
            if n > cells {
                prop_assert_eq!(limit.admit_n(at(now), count(n)), Err(OverBurst { burst: cells }));
                continue;
            }
            latest = latest.max(now);
            let free = (latest..).find(|now| inside(*now) + n <= cells).unwrap();
            prop_assert_eq!(limit.len(at(now)), inside(latest));
            prop_assert_eq!(limit.is_empty(at(now)), inside(latest) == 0);
            prop_assert_eq!(limit.next_free_n(at(now), count(n)), Ok(at(free)));
            let answer = limit.admit_n(at(now), count(n)).unwrap();
            if free > latest {
                prop_assert_eq!(answer, Admit::No { retry_at: at(free) });
            } else {
                prop_assert_eq!(answer, Admit::Yes);
                admitted.extend((0..n).map(|_| latest));
            }
        }
    }

    /// No window of the whole run holds more.
    #[test]
    fn no_window_holds_more(
        cells in 1u32..=8,
        window in 1u64..30,
        gaps in prop::collection::vec(0u64..9, 1..200),
    ) {
        let mut limit = log(cells, window);
        let mut now = 0;
        let mut admitted = Vec::new();
        for gap in gaps {
            now += gap;
            if limit.admit(at(now)) == Admit::Yes {
                admitted.push(now);
            }
        }
        for run in admitted.windows(cells as usize + 1) {
            prop_assert!(run[cells as usize] - run[0] >= window, "{admitted:?}");
        }
    }
}
