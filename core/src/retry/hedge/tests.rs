use super::*;
use crate::retry::{Budget, BudgetConfig};
use crate::sketch::buckets;
use core::num::NonZeroU32;
use proptest::prelude::*;
use std::format;
use std::string::ToString;
use std::vec::Vec;

const MILLI: Duration = Duration::from_millis(1);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

/// Knows the median of 10 ms, in a window of 100 ms.
fn learned(config: HedgeConfig) -> Hedge {
    let config = config.percentile(1, 2).window(100 * MILLI).samples(count(4));
    let mut hedge = Hedge::new(config).unwrap();
    for _ in 0..4 {
        hedge.observe(at(0), 10 * MILLI);
    }
    assert_eq!(hedge.delay(), Some(10 * MILLI));
    hedge
}

fn budget(floor: u32) -> Budget {
    Budget::new(BudgetConfig::new().share(0, 1).floor(floor).ttl(Duration::from_secs(1))).unwrap()
}

#[test]
fn a_call_is_hedged_after_the_delay_and_so_often_as_was_chosen() {
    let (mut hedge, mut budget) = (learned(HedgeConfig::new().hedges(count(2))), budget(10));
    assert_eq!(hedge.ask(at(5), at(1), 0, &mut budget), HedgeStep::Wait { until: at(11) });
    assert_eq!(hedge.ask(at(11), at(1), 0, &mut budget), HedgeStep::Send);
    assert_eq!(hedge.ask(at(11), at(1), 1, &mut budget), HedgeStep::Wait { until: at(21) });
    assert_eq!(hedge.ask(at(30), at(1), 1, &mut budget), HedgeStep::Send);
    assert_eq!(hedge.ask(at(30), at(1), 2, &mut budget), HedgeStep::No(NoHedge::Enough));
    assert_eq!((hedge.stats().sent, budget.stats(at(30)).withdrawn), (2, 2));
}

#[test]
fn a_spent_budget_refuses_and_says_until_when() {
    let (mut hedge, mut budget) = (learned(HedgeConfig::new()), budget(1));
    assert_eq!(hedge.ask(at(20), at(0), 0, &mut budget), HedgeStep::Send);
    let refused = HedgeStep::No(NoHedge::Budget { retry_at: at(1_000) });
    assert_eq!(hedge.ask(at(20), at(0), 0, &mut budget), refused);
    assert_eq!((hedge.stats().sent, hedge.stats().refused), (1, 1));
}

#[test]
fn latencies_are_forgotten_after_half_a_window_to_a_whole_one() {
    for (seen, forgotten) in [(0, 100), (49, 100), (50, 150), (99, 150)] {
        let config = HedgeConfig::new().percentile(1, 2).window(100 * MILLI).samples(count(1));
        let mut hedge = Hedge::<Inline<544>>::new(config).unwrap();
        hedge.observe(at(seen), 10 * MILLI);
        hedge.advance(at(forgotten - 1));
        assert_eq!(hedge.delay(), Some(10 * MILLI), "seen at {seen}");
        assert_eq!(hedge.next_deadline(), at(forgotten));
        hedge.advance(at(forgotten));
        assert_eq!((hedge.delay(), hedge.stats().samples), (None, 0), "seen at {seen}");
        // The same if nobody looked before.
        let mut hedge = Hedge::<Inline<544>>::new(config).unwrap();
        hedge.observe(at(seen), 10 * MILLI);
        hedge.advance(at(forgotten));
        assert_eq!((hedge.delay(), hedge.next_deadline()), (None, at(forgotten + 50)), "seen at {seen}");
    }
}

#[test]
fn a_pause_forgets_everything_however_long() {
    for pause in [150, 151, 199, 200, 1_000, 1_000_000_000_000] {
        let mut hedge = learned(HedgeConfig::new());
        hedge.advance(at(pause));
        assert_eq!(hedge.delay(), None, "{pause}");
        let ahead = hedge.next_deadline().saturating_duration_since(at(pause));
        assert!(ahead > Duration::ZERO && ahead <= 50 * MILLI);
    }
    let mut hedge = learned(HedgeConfig::new());
    hedge.advance(Instant::MAX);
    hedge.observe(Instant::MAX, MILLI);
    assert_eq!((hedge.delay(), hedge.next_deadline()), (None, Instant::MAX));
}

#[test]
fn a_clock_that_goes_back_is_taken_as_the_latest_time() {
    let (mut hedge, mut budget) = (learned(HedgeConfig::new()), budget(10));
    hedge.advance(at(40));
    // Begun "later" than now: due when the delay has passed since.
    assert_eq!(hedge.ask(at(0), at(60), 0, &mut budget), HedgeStep::Wait { until: at(70) });
    // 40 ms is the latest time seen.
    assert_eq!(hedge.ask(at(0), at(30), 0, &mut budget), HedgeStep::Send);
    hedge.observe(at(0), 20 * MILLI);
    assert_eq!(hedge.next_deadline(), at(50));
}

#[test]
fn the_delay_is_never_shorter_than_asked_and_there_is_one_from_the_start_if_asked() {
    let config = HedgeConfig::new().initial(5 * MILLI).at_least(7 * MILLI);
    let mut hedge = Hedge::<Inline<544>>::new(config).unwrap();
    assert_eq!(hedge.delay(), Some(7 * MILLI));
    assert_eq!(hedge.due(at(0), at(0), 0), HedgeStep::Wait { until: at(7) });
    for _ in 0..100 {
        hedge.observe(at(0), MILLI);
    }
    assert_eq!(hedge.delay(), Some(7 * MILLI));
    let config = config.at_least(Duration::ZERO);
    let mut hedge = Hedge::<Inline<544>>::new(config).unwrap();
    assert_eq!(hedge.delay(), Some(5 * MILLI));
    for _ in 0..100 {
        hedge.observe(at(0), MILLI);
    }
    assert_eq!(hedge.delay(), Some(MILLI));
    assert!(format!("{hedge:?}").contains("delay: Some(1ms)"));
}

#[test]
fn nonsense_is_refused_and_the_longest_is_not() {
    let refused = |config| {
        let error = Hedge::<Inline<8>>::new(config).unwrap_err();
        assert!(error.to_string().contains("hedge"));
        error
    };
    assert_eq!(refused(HedgeConfig::new().percentile(1, 0)), HedgeError::Percentile);
    assert_eq!(refused(HedgeConfig::new().percentile(3, 2)), HedgeError::Percentile);
    assert_eq!(refused(HedgeConfig::new().window(Duration::from_nanos(1))), HedgeError::ZeroWindow);
    assert_eq!(refused(HedgeConfig::new().at_least(Duration::MAX)), HedgeError::TooLong);
    let longest = Duration::from_nanos(u64::MAX);
    let config = HedgeConfig::new().window(longest).at_least(longest).samples(count(1));
    let mut hedge = Hedge::<Inline<8>>::new(config).unwrap();
    hedge.observe(Instant::MAX, Duration::MAX);
    assert_eq!(hedge.due(Instant::MAX, at(1), u32::MAX - 1), HedgeStep::No(NoHedge::Enough));
    // A delay of centuries ends with time itself.
    hedge.observe(Instant::MAX, Duration::MAX);
    assert_eq!(hedge.due(at(1), Instant::MAX, 0), HedgeStep::Send);
}

#[cfg(feature = "alloc")]
#[test]
fn the_heap_form_tells_apart_what_it_was_asked_to() {
    let config = HedgeConfig::new().samples(count(1)).percentile(1, 2);
    let mut hedge = Hedge::<crate::storage::Heap, 7>::with_longest(config, Duration::from_secs(1)).unwrap();
    for millis in [1, 500, 5_000] {
        hedge.observe(at(0), Duration::from_millis(millis));
    }
    hedge.look();
    let delay = hedge.delay().unwrap();
    assert!(delay >= 500 * MILLI && delay <= 504 * MILLI, "{delay:?}");
}

proptest! {
    /// The delay is the percentile of the latencies since one of the two last turns, at most sixteen observations
    /// old, and above it by less than 1/16.
    #[test]
    fn the_delay_is_the_percentile_of_a_recent_window(
        observations in prop::collection::vec((prop_oneof![9 => 0u64..3, 1 => 0u64..60], 1u64..1_000_000), 1..400),
        numerator in 1u32..=100,
    ) {
        let config = HedgeConfig::new().percentile(numerator, 100).window(100 * MILLI).samples(count(10));
        let mut hedge = Hedge::<Inline<{ buckets(4, 1_000_000) }>>::new(config).unwrap();
        let mut now = 0;
        let mut seen: Vec<(u64, u64)> = Vec::new();
        let mut recent: Vec<Option<u64>> = Vec::new();
        for (gap, latency) in observations {
            let before = now / 50;
            now += gap;
            hedge.observe(at(now), Duration::from_nanos(latency));
            seen.push((now, latency));
            // The elder histogram goes back to the last but one multiple of 50 ms.
            let since = (now / 50).saturating_sub(1) * 50;
            let mut window: Vec<u64> =
                seen.iter().filter(|(time, _)| *time >= since).map(|(_, latency)| *latency).collect();
            window.sort_unstable();
            let exact = (window.len() >= 10).then(|| {
                window[(window.len() * numerator as usize).div_ceil(100) - 1]
            });
            // Look-ups are every sixteenth observation and at each turn: one of the last sixteen answers holds.
            if now / 50 != before {
                recent.clear();
            }
            recent.push(exact);
            let delay = hedge.delay().map(|delay| delay.as_nanos() as u64);
            prop_assert_eq!(hedge.stats().samples, window.len() as u64);
            let holds = |exact: &Option<u64>| match (exact, delay) {
                (Some(exact), Some(delay)) => delay >= *exact && delay - exact <= exact >> 4,
                (exact, delay) => exact.is_none() && delay.is_none(),
            };
            prop_assert!(
                recent.len() <= 16 && delay.is_none() != (window.len() >= 10)
                    || recent.iter().rev().take(17).any(holds),
                "{delay:?} against {recent:?}"
            );
        }
    }
}
