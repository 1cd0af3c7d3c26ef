use super::{SharedGcra, SharedGcra32, SplitGcra};
use crate::limit::{Admit, Quota};
use crate::sync::model;
use crate::time::Instant;
use core::num::NonZeroU32;
use core::time::Duration;
use loom::sync::Arc;
use loom::thread;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

/// One a second, so many at once.
fn quota(burst: u32) -> Quota {
    Quota::new(count(1), Duration::from_secs(1)).and_then(|quota| quota.burst(count(burst))).unwrap()
}

/// How many of these times are admitted.
fn ask(mut admit: impl FnMut(Instant) -> Admit, times: &[u64]) -> u32 {
    times.iter().filter(|time| admit(secs(**time)) == Admit::Yes).count() as u32
}

macro_rules! width {
    ($name:ident, $limit:ident, $label:literal) => {
        mod $name {
            use super::*;

            /// Two threads ask at one instant, together for more than the burst: all of it goes, and no more.
            #[test]
            fn loom_a_burst_is_admitted_once() {
                model(concat!($label, ", burst 3, 2 threads that ask twice"), 4, 2, || {
                    let limit = Arc::new($limit::new(quota(3)));
                    let other = {
                        let limit = Arc::clone(&limit);
                        thread::spawn(move || ask(|now| limit.admit(now), &[0, 0]))
                    };
                    let mine = ask(|now| limit.admit(now), &[0, 0]);
                    assert_eq!(mine + other.join().unwrap(), 3);
                    assert_eq!(limit.next_free(secs(0)), secs(1));
                });
            }

            /// Both come after a pause that the words do not span, and move them together; then the bucket is full, once.
            #[test]
            fn loom_both_come_after_a_long_pause() {
                model(concat!($label, ", burst 2, 2 threads after 300 years"), 4, 2, || {
                    let limit = Arc::new($limit::new(quota(2)));
                    assert_eq!(ask(|now| limit.admit(now), &[5, 5, 5]), 2);
                    let later = 9_467_280_000;
                    let other = {
                        let limit = Arc::clone(&limit);
                        thread::spawn(move || ask(|now| limit.admit(now), &[later, later]))
                    };
                    let mine = ask(|now| limit.admit(now), &[later, later]);
                    assert_eq!(mine + other.join().unwrap(), 2);
                    assert_eq!(limit.next_free(secs(later)), secs(later + 1));
                });
            }

            /// One thread's clock has entered the next epoch, the other one's has not.
            #[test]
            fn loom_an_epoch_ends_between_two_clocks() {
                model(concat!($label, ", burst 2, an epoch apart"), 4, 2, || {
                    let limit = Arc::new($limit::new(quota(2)));
                    // The end of an epoch of the present quota's: a power of two of nanoseconds.
                    let end = limit.epoch_nanos();
                    let (before, after) = (Instant::from_nanos(end - 1), Instant::from_nanos(end));
                    let other = {
                        let limit = Arc::clone(&limit);
                        thread::spawn(move || {
                            u32::from(limit.admit(before) == Admit::Yes)
                                + u32::from(limit.admit(after) == Admit::Yes)
                        })
                    };
                    let mine = u32::from(limit.admit(after) == Admit::Yes)
                        + u32::from(limit.admit(before) == Admit::Yes);
                    assert_eq!(mine + other.join().unwrap(), 2);
                });
            }

            /// A thread whose time is a hundred epochs old meets one that comes after a long pause: never more than both
            /// buckets, that of the old time and that of the new one.
            #[test]
            fn loom_a_stale_time_admits_no_more_than_its_own() {
                model(concat!($label, ", burst 1, a time a hundred epochs old"), 4, 2, || {
                    let limit = Arc::new($limit::new(quota(1)));
                    let later = Instant::from_nanos(limit.epoch_nanos() * 100 + 77);
                    let other = {
                        let limit = Arc::clone(&limit);
                        thread::spawn(move || {
                            [secs(3), secs(3)]
                                .map(|now| u32::from(limit.admit(now) == Admit::Yes))
                                .iter()
                                .sum::<u32>()
                        })
                    };
                    let mine: u32 =
                        [later, later].map(|now| u32::from(limit.admit(now) == Admit::Yes)).iter().sum();
                    let theirs = other.join().unwrap();
                    assert!(mine <= 1 && theirs <= 1, "{mine} and {theirs}");
                });
            }
        }
    };
}

width!(wide, SharedGcra, "SharedGcra");
width!(narrow, SharedGcra32, "SharedGcra32");

#[test]
fn loom_shares_admit_the_burst_once() {
    model("SplitGcra, burst 4, 2 shares of batches of 2", 4, 2, || {
        let split = Arc::new(SplitGcra::new(quota(4), count(2), count(2)));
        let other = {
            let split = Arc::clone(&split);
            thread::spawn(move || {
                let mut share = split.share().unwrap();
                let admitted = ask(|now| share.admit(now), &[0, 0, 0]);
                (admitted, share.in_hand())
            })
        };
        let mut share = split.share().unwrap();
        let mine = ask(|now| share.admit(now), &[0, 0, 0]);
        let (theirs, left) = other.join().unwrap();
        // What the other one had left when it was dropped is there to be drawn.
        let rest = ask(|now| share.admit(now), &[0, 0, 0, 0]);
        let all = mine + theirs + rest;
        // The common bucket holds 2; hands start empty.
        assert!((2..=4).contains(&all), "{mine} + {theirs} + {rest}, {left} left");
        assert_eq!(all, split.common_burst(), "nothing is lost");
    });
}

#[test]
fn loom_a_place_has_one_share() {
    model("SplitGcra, 1 place, 2 threads that want it", 6, 3, || {
        let split = Arc::new(SplitGcra::new(quota(4), count(1), count(2)));
        let other = {
            let split = Arc::clone(&split);
            thread::spawn(move || {
                let share = split.share();
                let got = share.is_some();
                core::mem::forget(share);
                got
            })
        };
        let share = split.share();
        let got = share.is_some();
        core::mem::forget(share);
        assert!(got != other.join().unwrap(), "one of them has it");
        assert!(split.share().is_none());
    });
}
