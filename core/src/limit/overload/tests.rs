use super::codel::spacing;
use super::*;
use crate::fixed::Q32;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::storage::Inline;
use crate::time::Instant;
use core::time::Duration;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::vec::Vec;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn gate() -> Codel {
    Codel::new(Duration::from_millis(5), Duration::from_millis(100)).expect("the defaults of RFC 8289")
}

fn percent(n: u64) -> Q32 {
    Q32::from_ratio(n, 100).expect("it fits")
}

#[test]
#[allow(clippy::disallowed_types, clippy::float_arithmetic, reason = "the reference is in floats")]
fn the_control_law_is_that_of_the_rfc() {
    for interval in [1, 7, 100 * MS, 3_600 * SECOND] {
        for count in (1..2_000).chain([1 << 16, 1 << 24, u32::MAX]) {
            let reference = interval as f64 / f64::from(count).sqrt();
            let distance = (spacing(interval, count) as f64 - reference).abs();
            assert!(distance <= 1.0 + reference * 1e-15, "{interval} / √{count}: {distance}");
        }
    }
    assert_eq!(spacing(100 * MS, 0), 100 * MS);
}

/// The queue of RFC 8289, section 5, as it is written there: one that holds the packets and drops within `dequeue`.
struct Reference {
    queue: VecDeque<u64>,
    first_above: u64,
    drop_next: u64,
    count: u32,
    last_count: u32,
    dropping: bool,
    dropped: Vec<u64>,
}

impl Reference {
    const TARGET: u64 = 5 * MS;
    const INTERVAL: u64 = 100 * MS;

    fn take(&mut self, now: u64) -> (Option<u64>, bool) {
        let Some(queued) = self.queue.pop_front() else {
            self.first_above = 0;
            return (None, false);
        };
        if now - queued < Self::TARGET {
            self.first_above = 0;
            return (Some(queued), false);
        }
        if self.first_above == 0 {
            self.first_above = now + Self::INTERVAL;
            return (Some(queued), false);
        }
        (Some(queued), now >= self.first_above)
    }

    fn dequeue(&mut self, now: u64) -> Option<u64> {
        let (mut packet, mut ok) = self.take(now);
        if self.dropping {
            if !ok {
                self.dropping = false;
            }
            while now >= self.drop_next && self.dropping {
                self.dropped.push(packet.expect("it stands"));
                self.count += 1;
                (packet, ok) = self.take(now);
                if ok {
                    self.drop_next += spacing(Self::INTERVAL, self.count);
                } else {
                    self.dropping = false;
                }
            }
        } else if ok {
            self.dropped.push(packet.expect("it stands"));
            (packet, ok) = self.take(now);
            // The RFC looks at this one again when the next is taken; the gate is asked about it now.
            self.dropping = ok;
            let delta = self.count - self.last_count;
            let soon = now.saturating_sub(self.drop_next) < 16 * Self::INTERVAL;
            self.count = if delta > 1 && soon { delta } else { 1 };
            self.drop_next = now + spacing(Self::INTERVAL, self.count);
            self.last_count = self.count;
        }
        packet
    }
}

proptest! {
    /// Packets arrive and leave at rates that change; the gate drops those that the RFC's own queue drops.
    #[test]
    fn the_packet_law_drops_what_the_rfc_drops(seed: u64) {
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut reference = Reference {
            queue: VecDeque::new(), first_above: 0, drop_next: 0, count: 0, last_count: 0, dropping: false,
            dropped: Vec::new(),
        };
        let (mut queue, mut dropped) = (VecDeque::new(), Vec::new());
        let mut gate = gate().law(Law::Packet);
        let (mut now, mut arrives, mut gap) = (1, 1, MS);
        for n in 0..4_000 {
            if n % 200 == 0 {
                gap = MS / 2 + rng.below_u64(MS);
            }
            now += MS;
            while arrives <= now {
                reference.queue.push_back(arrives);
                queue.push_back(arrives);
                arrives += gap / 2 + rng.below_u64(gap);
            }
            let expected = reference.dequeue(now);
            let taken = loop {
                let Some(packet) = queue.pop_front() else {
                    gate.emptied(at(now));
                    break None;
                };
                if gate.verdict(at(now), at(packet)) == Verdict::Run {
                    break Some(packet);
                }
                dropped.push(packet);
            };
            prop_assert_eq!(taken, expected);
        }
        prop_assert_eq!(dropped, reference.dropped);
    }

    /// While a queue stands nothing is served that waited for more than twice the target, whatever the clock does.
    #[test]
    fn what_is_served_while_the_queue_stands_is_in_time(steps in prop::collection::vec((0u64..40, 0u64..200), 1..300)) {
        let mut gate = gate();
        let (mut now, mut latest) = (SECOND, SECOND);
        for (step, waited) in steps {
            now = if step == 0 { now - 50 * MS } else { now + step * MS };
            latest = latest.max(now);
            let verdict = gate.verdict(at(now), at(latest - waited * MS));
            if gate.is_overloaded() {
                prop_assert_eq!(verdict == Verdict::Drop, waited > 10);
            } else {
                prop_assert_eq!(verdict, Verdict::Run);
            }
        }
    }

    /// Against an exact log of the last window: the counts differ by no more than one bucket's events, and the chance is the
    /// book's for the counts.
    #[test]
    fn a_throttle_is_a_window_within_one_bucket(seed: u64, gap in 1u64..3_000) {
        const BUCKETS: u64 = 8;
        let window = 800 * MS;
        let config = ThrottleConfig::new().window(Duration::from_nanos(window)).expect("valid");
        let mut throttle = Throttle::<Inline<8>>::new(config);
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut log: Vec<(u64, bool)> = Vec::new();
        let (mut now, mut latest) = (0, 0);
        for _ in 0..500 {
            now = match rng.below(20) {
                0 => now - now.min(100 * MS),
                1 => now + 300 * MS,
                _ => now + rng.below_u64(gap * MS / 100 + 1),
            };
            latest = now.max(latest);
            if throttle.admit(at(now), &mut rng) == Verdict::Run {
                let accepted = rng.below(3) > 0;
                throttle.observe(at(now), accepted);
                log.push((latest, accepted));
            }
            let stats = throttle.stats();
            let within = |from: u64| log.iter().filter(|(at, _)| *at >= from).count() as u64;
            let bucket = latest / (window / BUCKETS) * (window / BUCKETS);
            prop_assert_eq!(stats.sent, within(bucket.saturating_sub(window / BUCKETS * (BUCKETS - 1))));
            prop_assert!(stats.sent <= within((latest + 1).saturating_sub(window)));
            prop_assert!(stats.sent >= within((latest + 1).saturating_sub(window - window / BUCKETS)));
            let excess = stats.requests.saturating_sub(2 * stats.accepts);
            let expected = Q32::from_ratio(excess, stats.requests + 1).expect("below 1");
            prop_assert!(throttle.chance(at(now)) <= expected);
            prop_assert!(throttle.chance(at(now)) >= expected.min(percent(98)));
        }
    }

    /// Nobody is dropped who matters more than somebody who is let in.
    #[test]
    fn criticality_is_an_order(loads in prop::collection::vec(0u64..200, 1..100)) {
        let mut gate = LoadShed::new();
        for load in loads {
            gate.observe(percent(load));
            let verdicts = Criticality::ALL.map(|level| gate.admit(level));
            prop_assert!(verdicts.windows(2).all(|two| two[0] == Verdict::Drop || two[1] == Verdict::Run));
            let dropped = verdicts.iter().filter(|verdict| **verdict == Verdict::Drop).count();
            prop_assert_eq!(gate.lowest(), Criticality::ALL.get(dropped).copied());
            prop_assert!(load < 120 || dropped == 4);
            prop_assert!(load >= 70 || dropped == 0);
        }
    }
}

/// What a throttle sends to a backend that accepts `capacity` of the 1,000 requests of each second.
fn send(
    throttle: &mut Throttle<Inline<24>>,
    rng: &mut impl Rng,
    from: u64,
    to: u64,
    capacity: u64,
) -> (u64, u64) {
    let (mut sent, mut accepted, mut credit) = (0, 0, 0);
    for ms in from * 1_000..to * 1_000 {
        credit = (credit + capacity).min(10_000);
        if throttle.admit(at(ms * MS), rng) == Verdict::Run {
            let is_accepted = credit >= 1_000;
            credit -= if is_accepted { 1_000 } else { 0 };
            throttle.observe(at(ms * MS), is_accepted);
            sent += 1;
            accepted += u64::from(is_accepted);
        }
    }
    (sent, accepted)
}

#[test]
fn what_is_kept_back_counts_as_a_request_go_zero_3837() {
    // go-zero #3837: local rejects that do not count as requests make the throttle send more than K times what is accepted.
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut throttle = Throttle::<Inline<24>>::new(ThrottleConfig::new());
    send(&mut throttle, &mut rng, 0, 240, 100);
    let (sent, accepted) = send(&mut throttle, &mut rng, 240, 600, 100);
    assert!(sent * 100 >= accepted * 198 && sent * 100 <= accepted * 202, "{sent} / {accepted}");
}

#[test]
fn own_rejects_do_not_keep_it_from_recovering_go_zero_5011_5551_kratos_2777() {
    // go-zero #5011, PR #5551 and kratos #2777: the throttle counts what it kept back as failures of the backend, so a
    // backend that is well again is throttled for ever. Here a window and a bucket after its last refusal nothing is kept back.
    for (outage, rate) in [(1_000, 1), (1_000, 50)] {
        let mut rng = Xoshiro256PlusPlus::seed(rate);
        let mut throttle = Throttle::<Inline<24>>::new(ThrottleConfig::new());
        send(&mut throttle, &mut rng, 0, outage, 0);
        assert!(throttle.chance(at(outage * SECOND)) >= percent(98));
        send(&mut throttle, &mut rng, outage, outage + 125, 1_000);
        assert_eq!(throttle.chance(at((outage + 125) * SECOND)), Q32::ZERO);
    }
    // Even where so little is asked for that most buckets see nothing sent.
    let mut rng = Xoshiro256PlusPlus::seed(3);
    let mut throttle = Throttle::<Inline<24>>::new(ThrottleConfig::new());
    for second in 0..1_000 {
        if throttle.admit(at(second * SECOND), &mut rng) == Verdict::Run {
            throttle.observe(at(second * SECOND), second >= 800);
        }
        assert!(second < 800 + 125 || throttle.chance(at(second * SECOND)) == Q32::ZERO);
    }
}

#[test]
fn a_backend_that_accepts_everything_is_never_throttled() {
    let mut rng = Xoshiro256PlusPlus::seed(1);
    for k in [100, 110, 200] {
        let config = ThrottleConfig::new().multiplier(percent(k)).expect("at least 1");
        let mut throttle = Throttle::<Inline<24>>::new(config);
        assert_eq!(send(&mut throttle, &mut rng, 0, 300, 1_000).0, 300_000);
    }
}

#[test]
fn thrice_the_target_is_dropped_only_after_an_interval() {
    let mut gate = gate();
    for ms in 0..100 {
        assert_eq!(gate.verdict(at((1_000 + ms) * MS), at((985 + ms) * MS)), Verdict::Run, "{ms}");
    }
    assert_eq!(gate.verdict(at(1_100 * MS), at(1_085 * MS)), Verdict::Drop);
    gate.emptied(at(1_101 * MS));
    assert_eq!((gate.order(), gate.is_overloaded()), (Order::Fifo, false));
    // It returns at once, without another interval of grace.
    assert_eq!(gate.verdict(at(1_150 * MS), at(1_135 * MS)), Verdict::Drop);
    // Without a drop for an interval it is over, even if nobody says that the queue is empty.
    assert_eq!(gate.verdict(at(1_250 * MS), at(1_244 * MS)), Verdict::Run);
    assert!(!gate.is_overloaded());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let ms = Duration::from_millis;
    assert_eq!(Codel::new(Duration::ZERO, ms(1)), Err(CodelError::ZeroTarget));
    assert_eq!(Codel::new(ms(5), ms(5)), Err(CodelError::ShortInterval));
    assert_eq!(Codel::new(ms(5), Duration::MAX), Err(CodelError::TooLong));
    assert_eq!(Codel::new(ms(5), Duration::from_secs(10_000_000_000)), Err(CodelError::TooLong));
    let config = ThrottleConfig::new();
    assert_eq!(config.multiplier(percent(99)), Err(ThrottleError::Multiplier));
    assert_eq!(config.least(percent(101)), Err(ThrottleError::Least));
    assert_eq!(config.window(Duration::ZERO), Err(ThrottleError::ZeroWindow));
    assert_eq!(config.window(Duration::MAX), Err(ThrottleError::TooLong));
    let inverted = LoadShed::new().level(Criticality::Critical, percent(100), percent(101));
    assert_eq!(inverted, Err(LoadShedError::Inverted));
    let never = LoadShed::new().level(Criticality::CriticalPlus, Q32::MAX, Q32::MAX).expect("in order");
    let mut gate = never;
    gate.observe(Q32::MAX);
    assert_eq!(gate.lowest(), Some(Criticality::CriticalPlus));
}

#[test]
fn a_window_of_a_nanosecond_and_one_of_centuries_work() {
    let mut rng = Xoshiro256PlusPlus::seed(1);
    for window in [1, u64::MAX] {
        let config = ThrottleConfig::new().window(Duration::from_nanos(window)).expect("valid");
        let mut throttle = Throttle::<Inline<3>>::new(config);
        for now in [0, u64::MAX / 2, 5, u64::MAX, 0] {
            if throttle.admit(at(now), &mut rng) == Verdict::Run {
                throttle.observe(at(now), false);
            }
        }
        assert!(throttle.stats().sent <= 5);
    }
}

#[cfg(feature = "alloc")]
#[test]
fn a_window_on_the_heap_is_the_same() {
    let mut inline = Throttle::<Inline<6>>::new(ThrottleConfig::new());
    let mut heap = Throttle::<crate::storage::Heap>::with_capacity(ThrottleConfig::new(), 6);
    let (mut a, mut b) = (Xoshiro256PlusPlus::seed(1), Xoshiro256PlusPlus::seed(1));
    for n in 0..5_000 {
        let now = at(n * 50 * MS);
        let verdict = inline.admit(now, &mut a);
        assert_eq!(verdict, heap.admit(now, &mut b));
        inline.observe(now, n % 3 == 0);
        heap.observe(now, n % 3 == 0);
        assert_eq!(inline.stats(), heap.stats());
    }
}
