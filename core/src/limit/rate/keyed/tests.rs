//! Keyed limiters against one limiter for each key.

use super::*;
use crate::limit::Gcra;
use core::time::Duration;
use proptest::prelude::*;
use std::collections::HashMap;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn quota(cells: u32, per: u64, burst: u32) -> Quota {
    Quota::new(count(cells), Duration::from_nanos(per)).unwrap().burst(count(burst)).unwrap()
}

#[test]
fn keys_do_not_share_a_bucket() {
    let mut limit = Keyed::<Inline<64>>::new(quota(1, 10, 2), Crowded::Refuse);
    for key in [0, 1, u64::MAX, 1 << 32] {
        assert_eq!((limit.admit(at(0), key), limit.admit(at(0), key)), (Admit::Yes, Admit::Yes));
        assert_eq!(limit.admit(at(0), key), Admit::No { retry_at: at(10) });
        assert_eq!(limit.admit_n(at(0), key, count(3)), Err(OverBurst { burst: 2 }));
        assert_eq!(limit.next_free_n(at(0), key, count(2)), Ok(at(20)));
    }
    assert_eq!(limit.len(at(19)), 4);
    assert!(limit.iter(at(0)).all(|(_, next)| next == at(10)));
    assert!(limit.is_empty(at(20)));
    let stats = limit.stats();
    assert_eq!((stats.admitted, stats.refused, stats.evicted, stats.crowded), (8, 4, 0, 0));
}

#[test]
fn nobody_has_a_limiter_too() {
    let mut limit = Keyed::<Inline<4>>::new(quota(1, 100, 1), Crowded::Refuse);
    assert_eq!(limit.admit(at(0), NOBODY), Admit::Yes);
    assert_eq!(limit.admit(at(0), NOBODY), Admit::No { retry_at: at(100) });
    assert_eq!(limit.admit(at(0), NOBODY ^ 1), Admit::No { retry_at: at(100) });
    assert!(limit.reset(at(0), NOBODY));
    assert_eq!(limit.admit(at(0), NOBODY), Admit::Yes);
    assert_eq!(limit.len(at(0)), 1);
}

#[test]
fn forgetting_key_zero_leaves_one_of_it() {
    let mut limit = Keyed::<Inline<4>>::new(quota(1, 100, 1), Crowded::Refuse);
    assert_eq!(limit.admit(at(0), 7), Admit::Yes);
    assert_eq!(limit.admit(at(0), 0), Admit::Yes);
    assert!(limit.reset(at(0), 7));
    assert!(!limit.reset(at(0), 7));
    assert_eq!(limit.admit(at(0), 0), Admit::No { retry_at: at(100) });
    assert_eq!(limit.len(at(0)), 1);
}

#[test]
fn the_fullest_bucket_makes_room() {
    let mut limit = Keyed::<Inline<4>>::new(quota(1, 10, 5), Crowded::Evict);
    assert_eq!(limit.admit_n(at(0), 1, count(5)), Ok(Admit::Yes));
    // A flood of new keys: each pushes out the one before it, and not the one that is refused.
    for key in 2..1_000 {
        assert_eq!(limit.admit(at(0), key), Admit::Yes);
        assert_eq!(limit.admit(at(0), 1), Admit::No { retry_at: at(10) });
    }
    assert_eq!(limit.stats().evicted, 995);
    assert_eq!(limit.len(at(0)), 4);
}

#[test]
fn who_is_refused_for_lack_of_room_is_told_when_there_is_some() {
    let mut limit = Keyed::<Inline<4>>::new(quota(3, 10, 3), Crowded::Refuse);
    assert_eq!(limit.admit(at(0), 1), Admit::Yes);
    for key in 11..14 {
        assert_eq!(limit.admit_n(at(0), key, count(3)), Ok(Admit::Yes));
    }
    // 10/3 ns until the bucket is full, on the next whole nanosecond.
    assert_eq!(limit.next_free(at(0), 2), at(4));
    assert_eq!(limit.admit(at(3), 2), Admit::No { retry_at: at(4) });
    assert_eq!(limit.admit(at(4), 2), Admit::Yes);
    assert_eq!((limit.stats().crowded, limit.stats().evicted), (1, 0));
}

/// Memory does not grow with the keys that were ever seen.
#[test]
fn a_million_keys_one_after_the_other_need_few_slots() {
    let mut limit = Keyed::<Inline<64>>::new(quota(1, 10, 1), Crowded::Refuse);
    for key in 0..1_000_000u64 {
        // 10 keys at a time are not yet forgotten.
        assert_eq!(limit.admit(at(key), key), Admit::Yes);
    }
    assert_eq!((limit.stats().admitted, limit.len(at(999_999))), (1_000_000, 10));
}

#[cfg(feature = "alloc")]
#[test]
fn three_keys_in_four_slots_hardly_ever_crowd() {
    let mut limit = Keyed::with_capacity(4_096, quota(1, 1_000_000, 1), Crowded::Refuse);
    for key in 0..3_072u64 {
        let _ = limit.admit(at(0), key);
    }
    let crowded = limit.stats().crowded;
    assert!(crowded * 100 < 3_072, "{crowded} of 3,072");
    assert_eq!(limit.capacity(), 4_096);
    assert_eq!(Keyed::with_capacity(0, quota(1, 1, 1), Crowded::Refuse).capacity(), 4);
}

#[test]
fn every_slot_is_used() {
    let mut limit = Keyed::<Inline<7>>::new(quota(1, 1_000, 1), Crowded::Evict);
    for key in 0..10_000 {
        assert_eq!(limit.admit(at(0), key), Admit::Yes);
    }
    assert_eq!(limit.len(at(0)), 7);
}

proptest! {
    /// While nobody is crowded out: exactly as if each key had a limiter of its own and all the memory in the world,
    /// under any clock.
    #[test]
    fn each_key_has_its_own_limiter(
        cells in 1u32..10,
        per in 1u64..40,
        burst in 1u32..5,
        steps in prop::collection::vec((0u8..12, 0u64..10, 0u64..8, 1u32..5), 1..200),
    ) {
        let mut quota = quota(cells, per, burst);
        let mut limit = Keyed::<Inline<64>>::new(quota, Crowded::Refuse);
        let mut each: HashMap<u64, Gcra> = HashMap::new();
        let (mut now, mut latest) = (0u64, 0u64);
        for (what, gap, key, n) in steps {
            match what {
                0 => now = now.saturating_sub(gap),
                1 => now += gap * 20,
                2 => {
                    quota = self::quota(n, gap + 1, n);
                    limit.set_quota(at(now), quota);
                    latest = latest.max(now);
                    for gcra in each.values_mut() {
                        // A full bucket is a full one afterwards.
                        if gcra.available(at(latest)) == gcra.quota().burst_size() {
                            *gcra = Gcra::new(quota);
                        } else {
                            gcra.set_quota(at(latest), quota);
                        }
                    }
                    continue;
                }
                3 => {
                    latest = latest.max(now);
                    prop_assert_eq!(limit.reset(at(now), key), each.remove(&key).is_some_and(
                        |gcra| gcra.available(at(latest)) < quota.burst_size(),
                    ));
                    continue;
                }
                _ => now += gap / 5,
            }
            let gcra = each.entry(key).or_insert(Gcra::new(quota));
            if n > quota.burst_size() {
                prop_assert_eq!(limit.admit_n(at(now), key, count(n)), Err(OverBurst { burst: quota.burst_size() }));
                continue;
            }
            latest = latest.max(now);
            prop_assert_eq!(limit.next_free_n(at(now), key, count(n)), gcra.next_free_n(at(latest), count(n)));
            prop_assert_eq!(limit.admit_n(at(now), key, count(n)), gcra.admit_n(at(latest), count(n)));
        }
        prop_assert_eq!((limit.stats().evicted, limit.stats().crowded), (0, 0));
    }

    /// Crowded or not, a key that is never evicted keeps to its quota; one that is may have a burst more each time.
    #[test]
    fn who_is_refused_in_a_crowd_never_gets_more(
        evict: bool,
        steps in prop::collection::vec((0u64..4, 0u64..12), 1..300),
    ) {
        let (cells, per, burst) = (1, 10, 3);
        let crowded = if evict { Crowded::Evict } else { Crowded::Refuse };
        let mut limit = Keyed::<Inline<4>>::new(quota(cells, per, burst), crowded);
        let mut now = 0;
        let mut admitted: HashMap<u64, std::vec::Vec<u64>> = HashMap::new();
        for (gap, key) in steps {
            now += gap;
            let free = limit.next_free(at(now), key);
            let answer = limit.admit(at(now), key);
            prop_assert_eq!(answer, if free > at(now) { Admit::No { retry_at: free } } else { Admit::Yes });
            if answer == Admit::Yes {
                admitted.entry(key).or_default().push(now);
            }
        }
        let evicted = limit.stats().evicted;
        prop_assert!(evict || evicted == 0);
        for times in admitted.values() {
            for (i, start) in times.iter().enumerate() {
                for (j, end) in times.iter().enumerate().skip(i) {
                    let share = (1 + evicted) * u64::from(burst) * per + (end - start) * u64::from(cells);
                    prop_assert!((j - i + 1) as u64 * per <= share);
                }
            }
        }
    }
}
