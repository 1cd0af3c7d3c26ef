use core::time::Duration;

use super::*;
use crate::fixed::Q32;
use crate::rng::Xoshiro256PlusPlus;
use crate::sim::{Arrivals, Service};
use crate::storage::Heap;
use proptest::prelude::*;

const MILLI: Duration = Duration::from_millis(1);

fn run(config: Config, workers: u32) -> Summary {
    let mut herd = Herd::<Heap>::with_capacity(config, workers).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed(1);
    while herd.step(&mut rng).is_some() {}
    let polls = matches!(herd.config.policy, Policy::Poll { .. });
    assert!(polls || herd.awake() == 0, "who was woken sleeps again");
    herd.summary()
}

#[test]
fn one_task_wakes_one_of_ten_thousand_where_all_would_wake_for_nothing() {
    let one = run(Config::new(), 10_000);
    assert_eq!((one.wakes, one.useless, one.lost, one.finished), (1, 0, 0, 1));
    assert_eq!(one.wakes_per_task(), Some(Q32::ONE));
    let all = run(Config::new().policy(Policy::All), 10_000);
    assert_eq!((all.wakes, all.useless, all.finished), (10_000, 9_999, 1));
    let some = run(Config::new().policy(Policy::Some { workers: 10 }), 10_000);
    assert_eq!((some.wakes, some.useless), (10, 9));
    // In the half second before the task comes, each looks five times.
    let poll = run(Config::new().policy(Policy::Poll { every: 100 * MILLI }), 10_000);
    assert!((50_000..50_200).contains(&poll.wakes) && poll.finished == 1, "{poll:?}");
}

#[test]
fn a_herd_at_the_queue_delays_the_next_task() {
    let config = Config::new().tasks(2).arrivals(Arrivals::Constant { gap: MILLI }).wake(Duration::ZERO);
    let quick = run(config, 10_000);
    assert_eq!(quick.mean_delay, Duration::from_micros(1));
    // The second task's worker stands behind nine thousand that look for nothing.
    let herd = run(config.policy(Policy::All), 10_000);
    assert!(herd.mean_delay > 100 * quick.mean_delay || herd.useless > 9_000, "{herd:?}");
}

#[test]
fn what_has_no_meaning_is_refused() {
    let new = |config, workers| Herd::<Heap>::with_capacity(config, workers).err();
    let config = Config::new();
    assert_eq!(new(config, 0), Some(ConfigError::Capacity));
    assert_eq!(new(config, 1 << 21), Some(ConfigError::Capacity));
    assert_eq!(new(config.policy(Policy::Poll { every: Duration::ZERO }), 1), Some(ConfigError::Poll));
    assert_eq!(new(config.policy(Policy::Some { workers: 0 }), 1), Some(ConfigError::Nobody));
    assert!(matches!(
        new(config.arrivals(Arrivals::Constant { gap: Duration::ZERO }), 1),
        Some(ConfigError::Arrivals(_))
    ));
    assert_eq!(run(config.tasks(0), 3), Summary::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever is woken and whenever tasks come: each is done once, and none is left while workers sleep.
    #[test]
    fn no_wake_up_is_lost(
        policy in 0u8..4, workers in 1u32..40, tasks in 0u64..100, gap in 1u64..2_000, service in 0u64..5_000,
        wake in 0u64..300, look in 0u64..50, seed: u64,
    ) {
        let micros = Duration::from_micros;
        let config = Config::new()
            .policy(match policy {
                0 => Policy::Poll { every: micros(700) },
                1 => Policy::All,
                2 => Policy::One,
                _ => Policy::Some { workers: 3 },
            })
            .arrivals(Arrivals::Poisson { gap: micros(gap) })
            .tasks(tasks)
            .service(Service::exponential(micros(service)))
            .wake(micros(wake))
            .look(micros(look));
        let mut herd = Herd::<Heap>::with_capacity(config, workers).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let (mut begun, mut found_nothing) = (0, 0);
        let mut last = Instant::ZERO;
        while let Some(event) = herd.step(&mut rng) {
            prop_assert!(event.at >= last);
            last = event.at;
            match event.what {
                What::Began { task, .. } => {
                    prop_assert_eq!(task, begun);
                    begun += 1;
                }
                What::FoundNothing { .. } => found_nothing += 1,
                _ => {}
            }
        }
        let summary = herd.summary();
        prop_assert_eq!((summary.tasks, summary.finished, summary.lost), (tasks, tasks, 0));
        prop_assert_eq!(begun, tasks);
        prop_assert!(summary.useless <= found_nothing);
        if policy == 2 {
            prop_assert!(summary.wakes <= tasks, "one each at most");
        }
    }
}
