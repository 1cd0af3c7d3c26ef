use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::rng::{Rng, Xoshiro256PlusPlus};

const MILLI: Duration = Duration::from_millis(1);

fn policy(take: Take, victim: Victim) -> Policy {
    Policy::new(take, victim, MILLI).unwrap()
}

fn workers(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// The default case: 70 of 100 tasks on worker 0 of 4.
fn case(take: Take, victim: Victim, seed: u64) -> (Stealing<Inline<4>, Inline<128>>, Xoshiro256PlusPlus) {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut sim = Stealing::new(workers(4), policy(take, victim)).unwrap();
    sim.deal(&Batch::default(), &mut rng).unwrap();
    (sim, rng)
}

const STEALING: [(Take, Victim); 4] = [
    (Take::One, Victim::Random),
    (Take::One, Victim::Busiest),
    (Take::Half, Victim::Random),
    (Take::Half, Victim::Busiest),
];

/// Checks what must hold between any two events.
fn check_now<W: Storage, T: Storage>(sim: &Stealing<W, T>) {
    let stats: Vec<WorkerStats> = sim.stats().collect();
    for worker in &stats {
        let all = worker.busy + worker.stealing + worker.idle;
        assert_eq!(all, sim.now().saturating_duration_since(Instant::ZERO), "every instant is booked once");
    }
    let queued: u32 = stats.iter().map(|worker| worker.queued).sum();
    assert_eq!(queued as usize, sim.tasks().filter(|task| is_waiting(sim, task)).count());
    if sim.policy().take() != Take::None && queued > 0 {
        for worker in 0..sim.workers() {
            let idle = matches!(sim.activity(worker), Some(Activity::Idle { .. }));
            assert!(!idle, "worker {worker} idles at {} while {queued} tasks wait", sim.now());
        }
    }
}

/// Whether a task lies in a deque (the one that a thief has just brought is in its hand).
fn is_waiting<W: Storage, T: Storage>(sim: &Stealing<W, T>, task: &Task) -> bool {
    let in_hand = sim.lanes.iter().any(|lane| match lane.state() {
        State::Ready { stolen: Some(index) } => sim.tasks[index as usize] == *task,
        _ => false,
    });
    task.place == Place::Queued && !in_hand
}

/// Checks that `order` says which end of a deque a task lies at, given the tasks `before` the event.
fn check_order<W: Storage, T: Storage>(
    sim: &Stealing<W, T>,
    before: &[Task],
    event: Event,
    last: Option<&Event>,
) {
    let now: Vec<&Task> = sim.tasks().collect();
    let waiting =
        |worker| now.iter().filter(move |task| task.place == Place::Queued && task.worker == worker);
    match event.what {
        // The task that a thief has in hand is the oldest of what it brought.
        What::Start { .. } if last.is_some_and(|last| matches!(last.what, What::Stole { .. })) => {}
        What::Start { task } => {
            let order = before[task as usize].order;
            assert!(waiting(event.worker).all(|other| other.order < order), "the owner takes the newest");
        }
        What::Stole { victim, count } => {
            let moved = |(old, new): &(&Task, &&Task)| old.worker != new.worker;
            let taken: Vec<u32> = before.iter().zip(&now).filter(moved).map(|(old, _)| old.order).collect();
            assert_eq!(taken.len(), count as usize);
            let newest = taken.into_iter().max().unwrap();
            assert!(waiting(victim).all(|other| other.order > newest), "a thief takes the oldest");
        }
        _ => {}
    }
}

/// Runs to the end and checks everything that must hold on the way and then.
fn run<W: Storage, T: Storage>(sim: &mut Stealing<W, T>, rng: &mut impl Rng) -> Vec<Event> {
    let mut events: Vec<Event> = vec![];
    let mut before: Vec<Task> = sim.tasks().copied().collect();
    while let Some(event) = sim.step(rng) {
        check_order(sim, &before, event, events.last());
        before = sim.tasks().copied().collect();
        assert!(events.last().is_none_or(|last| last.at <= event.at), "time went back");
        events.push(event);
        check_now(sim);
        assert!(events.len() < 20_000, "no end in sight");
    }
    let count = |wanted: &dyn Fn(&What) -> bool| events.iter().filter(|event| wanted(&event.what)).count();
    for index in 0..sim.tasks().len() as u32 {
        assert_eq!(count(&|what| *what == What::Start { task: index }), 1, "task {index} starts once");
        assert_eq!(count(&|what| *what == What::Finish { task: index }), 1, "task {index} finishes once");
    }
    let stats: Vec<WorkerStats> = sim.stats().collect();
    assert_eq!(stats.iter().map(|worker| worker.busy).sum::<Duration>(), sim.total());
    let sum = |of: fn(&WorkerStats) -> u32| stats.iter().map(of).sum::<u32>();
    assert_eq!(sum(|worker| worker.stolen), sum(|worker| worker.lost));
    assert_eq!(sum(|worker| worker.attempts) as usize, count(&|what| matches!(what, What::Attempt { .. })));
    assert_eq!(sum(|worker| worker.hits) as usize, count(&|what| matches!(what, What::Stole { .. })));
    assert!(sim.makespan().unwrap() >= sim.lower_bound());
    assert_eq!(sim.next_event_at(), None);
    assert!(sim.tasks().all(|task| task.place == Place::Done));
    events
}

#[test]
fn every_policy_runs_every_task_once() {
    for (take, victim) in STEALING.into_iter().chain([(Take::None, Victim::Random)]) {
        let (mut sim, mut rng) = case(take, victim, 1);
        run(&mut sim, &mut rng);
    }
}

#[test]
fn without_stealing_each_worker_runs_what_it_was_given() {
    let (mut sim, mut rng) = case(Take::None, Victim::Busiest, 3);
    run(&mut sim, &mut rng);
    let processed: Vec<u32> = sim.stats().map(|worker| worker.processed).collect();
    assert_eq!(processed, [70, 10, 10, 10]);
    let first: Duration = sim.tasks().filter(|task| task.origin == 0).map(|task| task.cost).sum();
    assert_eq!(sim.makespan(), Some(first));
}

#[test]
fn stealing_comes_close_to_the_bound() {
    for (take, victim) in STEALING {
        for seed in 0..50 {
            let (mut sim, mut rng) = case(take, victim, seed);
            while sim.step(&mut rng).is_some() {}
            // At the end, one task may still run alone (100 ms), and every worker has spent time on attempts.
            let stealing = sim.stats().map(|worker| worker.stealing).max().unwrap();
            let limit = sim.lower_bound() + Duration::from_millis(100) + stealing;
            assert!(sim.makespan().unwrap() <= limit, "{take:?} {victim:?} seed {seed}");
        }
    }
}

#[test]
fn half_needs_fewer_attempts_than_one() {
    let attempts = |take| -> u32 {
        let (mut sim, mut rng) = case(take, Victim::Busiest, 9);
        run(&mut sim, &mut rng);
        sim.stats().map(|worker| worker.attempts).sum()
    };
    assert!(attempts(Take::Half) * 2 < attempts(Take::One));
}

/// Two workers, three tasks of 10 ms on the first: small enough to follow by hand.
#[test]
fn a_small_case_happens_as_computed_by_hand() {
    let mut rng = Xoshiro256PlusPlus::seed(0);
    let mut sim =
        Stealing::<Inline<2>, Inline<4>>::new(workers(2), policy(Take::Half, Victim::Busiest)).unwrap();
    for _ in 0..3 {
        sim.insert(0, Duration::from_millis(10)).unwrap();
    }
    let at = |millis, worker, what| Event { at: Instant::from_millis(millis), worker, what };
    assert_eq!(
        run(&mut sim, &mut rng),
        [
            at(0, 0, What::Start { task: 2 }),
            at(0, 1, What::Attempt { victim: 0 }),
            at(1, 1, What::Stole { victim: 0, count: 1 }),
            at(1, 1, What::Start { task: 0 }),
            at(10, 0, What::Finish { task: 2 }),
            at(10, 0, What::Start { task: 1 }),
            at(11, 1, What::Finish { task: 0 }),
            at(11, 1, What::Idle),
            at(20, 0, What::Finish { task: 1 }),
        ]
    );
    let stats: Vec<WorkerStats> = sim.stats().collect();
    assert_eq!((stats[0].busy, stats[0].lost, stats[0].idle), (20 * MILLI, 1, Duration::ZERO));
    assert_eq!((stats[1].busy, stats[1].stealing, stats[1].idle), (10 * MILLI, MILLI, 9 * MILLI));
    assert_eq!((stats[1].stolen, stats[1].attempts, stats[1].hits), (1, 1, 1));
}

#[test]
fn at_one_instant_whoever_is_about_to_act_comes_first() {
    let mut rng = Xoshiro256PlusPlus::seed(0);
    let mut sim =
        Stealing::<Inline<2>, Inline<4>>::new(workers(2), policy(Take::None, Victim::Random)).unwrap();
    for worker in [0, 1, 0, 1] {
        sim.insert(worker, Duration::from_millis(10)).unwrap();
    }
    let at_ten: Vec<(u32, What)> = run(&mut sim, &mut rng)
        .into_iter()
        .filter(|event| event.at == Instant::from_millis(10))
        .map(|event| (event.worker, event.what))
        .collect();
    let (finish, start) = (|task| What::Finish { task }, |task| What::Start { task });
    assert_eq!(at_ten, [(0, finish(2)), (0, start(0)), (1, finish(3)), (1, start(1))]);
}

#[test]
fn half_takes_the_older_half_rounded_up() {
    let mut rng = Xoshiro256PlusPlus::seed(0);
    let mut sim =
        Stealing::<Inline<3>, Inline<8>>::new(workers(3), policy(Take::Half, Victim::Busiest)).unwrap();
    for _ in 0..6 {
        sim.insert(0, Duration::from_millis(10)).unwrap();
    }
    let events = run(&mut sim, &mut rng);
    // Worker 0 runs task 5; of 0, 1, 2, 3, 4 worker 1 gets three, and worker 2, which comes second, one of two.
    let steals: Vec<(u32, What)> = events
        .iter()
        .filter(|event| matches!(event.what, What::Stole { .. }))
        .map(|event| (event.worker, event.what))
        .collect();
    let stole = |worker, victim, count| (worker, What::Stole { victim, count });
    // At last, worker 2 is the first without tasks (at 11 ms) and takes the one that worker 1 has waiting.
    assert_eq!(steals, [stole(1, 0, 3), stole(2, 0, 1), stole(2, 1, 1)]);
    let starts: Vec<u32> = events
        .iter()
        .filter_map(|e| if let What::Start { task } = e.what { Some(task) } else { None })
        .collect();
    // After the oldest, a thief runs the newest of what it brought; worker 0 still holds task 4.
    assert_eq!(starts[..3], [5, 0, 3]);
    assert_eq!(sim.makespan(), Some(Duration::from_millis(22)));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let (mut sim, mut rng) = case(Take::Half, Victim::Random, seed);
        run(&mut sim, &mut rng)
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn advancing_in_any_strides_gives_the_run_of_single_steps() {
    let (mut sim, mut rng) = case(Take::Half, Victim::Random, 5);
    let steps = run(&mut sim, &mut rng);
    for stride in [1, 7, 333, 100_000] {
        let (mut sim, mut rng) = case(Take::Half, Victim::Random, 5);
        let (mut events, mut now) = (vec![], Instant::ZERO);
        while sim.unfinished() > 0 {
            while let Some(event) = sim.advance(now, &mut rng) {
                events.push(event);
            }
            assert!(sim.unfinished() == 0 || sim.now() == now);
            // A clock that goes back does nothing.
            assert_eq!(sim.advance(Instant::ZERO, &mut rng), None);
            now = now.saturating_add(stride * MILLI);
        }
        assert_eq!(events, steps);
        // The clock stays at the end.
        assert_eq!(sim.advance(Instant::MAX, &mut rng), None);
        assert_eq!(sim.makespan(), Some(sim.now().saturating_duration_since(Instant::ZERO)));
    }
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    assert_eq!(Policy::new(Take::One, Victim::Random, Duration::ZERO), Err(PolicyError::NoCost));
    assert_eq!(Policy::new(Take::One, Victim::Random, Duration::MAX), Err(PolicyError::CostTooLong));
    let half = policy(Take::Half, Victim::Random);
    assert!(matches!(Stealing::<Inline<2>, Inline<2>>::new(workers(3), half), Err(TooManyWorkers)));

    let mut rng = Xoshiro256PlusPlus::seed(0);
    let mut sim = Stealing::<Inline<2>, Inline<2>>::new(workers(2), half).unwrap();
    assert_eq!(sim.step(&mut rng), None, "nothing happens without tasks");
    assert_eq!(sim.insert(2, MILLI), Err(InsertError::UnknownWorker));
    assert_eq!(sim.insert(0, Duration::MAX), Err(InsertError::TooLong));
    assert_eq!(sim.insert(0, Duration::from_nanos(u64::MAX)), Ok(0));
    assert_eq!(sim.insert(0, Duration::from_nanos(1)), Err(InsertError::TooLong));
    assert_eq!(sim.insert(1, Duration::ZERO), Ok(1));
    assert_eq!(sim.insert(1, Duration::ZERO), Err(InsertError::Full));
    assert_eq!(sim.tasks().len(), 2);
    assert_eq!(sim.step(&mut rng).map(|event| event.what), Some(What::Start { task: 0 }));
    assert_eq!(sim.insert(1, Duration::ZERO), Err(InsertError::Started));
    while sim.step(&mut rng).is_some() {}
    assert_eq!(sim.makespan(), Some(Duration::from_nanos(u64::MAX)));
}

/// What the documentation says.
#[cfg(all(target_pointer_width = "64", not(divvy_loom)))]
#[test]
fn it_takes_the_bytes_that_it_says() {
    assert_eq!(size_of::<Task>(), 32);
    assert_eq!(size_of::<Stealing<Inline<4>, Inline<128>>>(), 7_936);
}

#[cfg(feature = "alloc")]
#[test]
fn the_heap_gives_the_run_of_the_inline_storage() {
    use crate::storage::Heap;

    let (mut inline, mut rng) = case(Take::Half, Victim::Random, 11);
    let expected = run(&mut inline, &mut rng);
    let mut rng = Xoshiro256PlusPlus::seed(11);
    let mut heap =
        Stealing::<Heap, Heap>::with_capacity(workers(4), 100, policy(Take::Half, Victim::Random)).unwrap();
    heap.deal(&Batch::default(), &mut rng).unwrap();
    assert_eq!(run(&mut heap, &mut rng), expected);

    let too_many =
        Stealing::<Heap, Heap>::with_capacity(workers(1), u32::MAX, policy(Take::None, Victim::Random));
    assert!(matches!(too_many, Err(crate::queue::CapacityError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn any_batch_on_any_workers_ends_with_every_task_run_once(
        seed: u64,
        count in 1u32..=8,
        given in proptest::collection::vec((0u32..8, 0u64..50), 0..40),
        way in 0usize..5,
    ) {
        let (take, victim) = STEALING.get(way).copied().unwrap_or((Take::None, Victim::Random));
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut sim = Stealing::<Inline<8>, Inline<64>>::new(workers(count), policy(take, victim)).unwrap();
        for (worker, millis) in given {
            sim.insert(worker % count, Duration::from_millis(millis)).unwrap();
        }
        run(&mut sim, &mut rng);
    }
}
