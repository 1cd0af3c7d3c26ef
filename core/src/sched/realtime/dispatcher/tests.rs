use super::*;
use crate::storage::Heap;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

fn task(wcet: u64, period: u64) -> Task {
    Task::new(ns(wcet), ns(period)).unwrap()
}

type One = Dispatcher<Inline<4>>;

fn drain<T: Storage, C: Storage>(core: &mut Dispatcher<T, C>, now: u64) -> Vec<Event> {
    core::iter::from_fn(|| core.advance(at(now))).collect()
}

/// What became of a job: its task and number, when it was done, and whether that was in time.
type Done = (u32, u32, u64, bool);

/// Runs every job for its worst-case execution time, event by event.
fn dispatched<T: Storage, C: Storage>(core: &mut Dispatcher<T, C>, until: u64) -> Vec<Done> {
    let mut done = Vec::new();
    let mut now = 0;
    loop {
        for index in 0..core.cores() {
            if let Some(job) = core.running(index)
                && core.next_completion(job) <= now
            {
                let completion = core.complete(at(now), job).unwrap();
                assert_eq!(completion.met, now <= job.deadline().as_nanos());
                done.push((job.task(), job.number(), now, completion.met));
            }
        }
        drain(core, now);
        while let Some(index) = core.unsettled() {
            assert!(!matches!(core.pick(at(now), index), Pick::Keep(_) | Pick::Idle));
        }
        for index in 0..core.cores() {
            match core.pick(at(now), index) {
                Pick::Keep(job) => assert_eq!(Some(job), core.running(index)),
                other => assert_eq!((other, core.running(index)), (Pick::Idle, None)),
            }
        }
        let finish = (0..core.cores())
            .filter_map(|index| core.running(index))
            .map(|job| core.next_completion(job))
            .min();
        let event = core.next_event_at().map(Instant::as_nanos);
        let Some(next) = finish.into_iter().chain(event).min() else { return done };
        assert!(next > now || finish == Some(now), "time goes on");
        now = next;
        if now > until {
            return done;
        }
    }
}

impl<T: Storage, C: Storage> Dispatcher<T, C> {
    fn next_completion(&self, job: Job) -> u64 {
        let left = self.tasks[job.task as usize].wcet - self.executed(job).unwrap().as_nanos() as u64;
        self.latest.as_nanos() + left
    }
}

#[derive(Clone, Debug)]
struct Pending {
    task: usize,
    number: u32,
    deadline: u64,
    left: u64,
    core: Option<usize>,
}

/// The same by the book: at every instant the jobs that go first run, as many as there are cores, the oldest of each task.
fn by_the_book(policy: Policy, cores: usize, tasks: &[(Task, u32)], until: u64) -> Vec<Done> {
    let mut pending: Vec<Pending> = Vec::new();
    let mut numbers = vec![0; tasks.len()];
    let mut done = Vec::new();
    for now in 0..until {
        for (index, (task, _)) in tasks.iter().enumerate() {
            if now >= task.offset && (now - task.offset) % task.period == 0 {
                let number = numbers[index];
                numbers[index] += 1;
                pending.push(Pending {
                    task: index,
                    number,
                    deadline: now + task.deadline,
                    left: task.wcet,
                    core: None,
                });
            }
        }
        let rank = |job: &Pending| match policy {
            // Of equal ones that run, the one on the first core gives way.
            Policy::EarliestDeadline => {
                (job.deadline, job.core.map_or(1, |_| 0), job.core.map_or(job.task, |core| cores - core))
            }
            Policy::FixedPriority => (u64::from(!tasks[job.task].0.priority), 0, job.task),
        };
        let oldest = |job: &&mut Pending, pending: &[Pending]| {
            !pending.iter().any(|other| other.task == job.task && other.number < job.number)
        };
        let all = pending.clone();
        let mut order: Vec<&mut Pending> = pending.iter_mut().filter(|job| oldest(job, &all)).collect();
        order.sort_by_key(|job| rank(job));
        let mut taken: Vec<Option<usize>> = vec![None; cores];
        let mut chosen = Vec::new();
        for (place, job) in order.iter().enumerate() {
            let bound = tasks[job.task].1;
            let room = if bound == ANY { chosen.len() < cores } else { taken[bound as usize].is_none() };
            if room {
                if bound != ANY {
                    taken[bound as usize] = Some(place);
                }
                chosen.push(place);
            }
        }
        // Who ran goes on where it was; the others fill the free cores in order.
        for (place, job) in order.iter_mut().enumerate() {
            if !chosen.contains(&place) {
                job.core = None;
            }
        }
        let mut free: Vec<usize> =
            (0..cores).filter(|core| !order.iter().any(|job| job.core == Some(*core))).collect();
        for place in &chosen {
            let job = &mut order[*place];
            if job.core.is_none() {
                let bound = tasks[job.task].1;
                job.core = Some(if bound == ANY { free.remove(0) } else { bound as usize });
            }
            job.left -= 1;
        }
        for job in pending.iter().filter(|job| job.left == 0) {
            done.push((job.task as u32, job.number, now + 1, now < job.deadline));
        }
        pending.retain(|job| job.left > 0);
    }
    done
}

fn small_task() -> impl Strategy<Value = Task> {
    (1u64..6, 1u64..12, 1u64..16, 0u64..8, 0u32..3).prop_map(|(wcet, period, deadline, offset, priority)| {
        task(wcet.min(period), period).deadline(ns(deadline)).offset(ns(offset)).priority(priority)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn runs_what_the_book_says(
        tasks in prop::collection::vec(small_task(), 1..6),
        cores in 1u32..4,
        edf: bool,
        partitioned: bool,
    ) {
        let policy = if edf { Policy::EarliestDeadline } else { Policy::FixedPriority };
        let mut core = Dispatcher::<Heap, Heap>::with_capacity(policy, cores, 8, 800);
        let mut bound = Vec::new();
        for (index, task) in tasks.iter().enumerate() {
            let home = if partitioned { index as u32 % cores } else { ANY };
            let number = if partitioned { core.insert_on(at(0), *task, home) } else { core.insert(at(0), *task) };
            prop_assert_eq!(number, Ok(index as u32));
            bound.push((*task, home));
        }
        let mut expected = by_the_book(policy, cores as usize, &bound, 120);
        let mut seen = dispatched(&mut core, 120);
        expected.sort_unstable();
        seen.sort_unstable();
        prop_assert_eq!(&seen, &expected);
        for (index, stats) in core.stats().enumerate() {
            let own = seen.iter().filter(|done| done.0 == index as u32);
            prop_assert_eq!(stats.completed, own.clone().count() as u32);
            prop_assert_eq!(stats.released, stats.completed + stats.pending);
            prop_assert!(stats.missed >= own.clone().filter(|done| !done.3).count() as u32);
            prop_assert_eq!(stats.lost, 0);
            let response = |done: &Done| done.2 - tasks[index].offset - u64::from(done.1) * tasks[index].period;
            prop_assert_eq!(stats.response_max, ns(own.clone().map(response).max().unwrap_or(0)));
            let deadline = tasks[index].deadline as i64;
            prop_assert_eq!(stats.lateness_max, own.map(|done| response(done) as i64 - deadline).max());
        }
        let busy: Duration = (0..cores).map(|index| core.core_stats(index).unwrap().busy).sum();
        let running = (0..cores).filter_map(|index| core.running(index));
        let begun: Duration = running.map(|job| core.executed(job).unwrap()).sum();
        prop_assert!(busy >= begun);
    }

    /// Jobs that all arrive at once, in any order: Graham's list scheduling.
    #[test]
    fn any_order_is_within_two_less_one_over_m_of_the_best(costs in prop::collection::vec(1u64..12, 1..8), m in 1u32..5) {
        fn optimum(costs: &[u64], loads: &mut Vec<u64>, best: u64) -> u64 {
            let Some((cost, rest)) = costs.split_first() else {
                return best.min(loads.iter().copied().max().unwrap_or(0));
            };
            (0..loads.len()).fold(best, |best, part| {
                loads[part] += cost;
                let with = optimum(rest, loads, best);
                loads[part] -= cost;
                with
            })
        }
        let mut core = Dispatcher::<Heap, Heap>::with_capacity(Policy::FixedPriority, m, 8, 8);
        for cost in &costs {
            core.insert(at(0), task(*cost, 1 << 60)).unwrap();
        }
        let done = dispatched(&mut core, 1_000).into_iter().map(|done| done.2).max().unwrap();
        let (best, m) = (optimum(&costs, &mut vec![0; m as usize], u64::MAX), u64::from(m));
        prop_assert!(best <= done && m * done <= (2 * m - 1) * best, "{done} for {best}");
    }

    /// Whatever is called in whatever order: no panic, no job ends twice, and the account adds up.
    #[test]
    fn no_order_of_calls_breaks_the_account(
        tasks in prop::collection::vec((small_task(), any::<bool>()), 1..5),
        ops in prop::collection::vec((0u32..7, 0u32..8, 0u64..20), 1..200),
        edf: bool,
        on_miss in 0usize..3,
        abort: bool,
    ) {
        let policy = if edf { Policy::EarliestDeadline } else { Policy::FixedPriority };
        let on_miss = [OnMiss::Continue, OnMiss::Abort, OnMiss::SkipNext][on_miss];
        let on_overrun = if abort { OnOverrun::Abort } else { OnOverrun::Report };
        let mut core = Dispatcher::<Inline<5>, Inline<2>>::new(policy).on_miss(on_miss).on_overrun(on_overrun);
        for (task, sporadic) in &tasks {
            core.insert(at(0), if *sporadic { task.sporadic() } else { *task }).unwrap();
        }
        let (mut now, mut ended, mut known): (u64, Vec<Job>, Vec<Job>) = (0, Vec::new(), Vec::new());
        for (op, which, passed) in ops {
            match op {
                0 => now += passed,
                1 => now = now.saturating_sub(passed),
                2 => if let Ok(job) = core.release(at(now), which) { known.push(job) },
                3 => if let Some(job) = core.pick(at(now), which % 3).job() { known.push(job) },
                4 => match core.advance(at(now)) {
                    Some(Event::Aborted { job, .. }) => ended.push(job),
                    Some(Event::Released(job)) => known.push(job),
                    _ => {}
                },
                5 => if let Some(job) = known.get(which as usize) {
                    let stale = ended.contains(job);
                    match core.complete(at(now), *job) {
                        Ok(_) => { prop_assert!(!stale); ended.push(*job) }
                        Err(CompleteError::Stale) => prop_assert!(stale),
                        Err(_) => prop_assert!(!stale),
                    }
                },
                _ => if let Some(job) = core.running(which % 2) {
                    prop_assert_eq!(core.core_of(job), Some(which % 2));
                    core.complete(at(now), job).unwrap();
                    ended.push(job);
                },
            }
            let pending: u32 = core.stats().map(|stats| stats.pending).sum();
            prop_assert!(pending <= 5);
            for stats in core.stats() {
                prop_assert_eq!(stats.released, stats.completed + stats.aborted + stats.lost + stats.pending);
                prop_assert!(stats.missed <= stats.released);
            }
            if let (Some(first), Some(second)) = (core.running(0), core.running(1)) {
                prop_assert!(first.task() != second.task());
            }
        }
    }
}

#[test]
fn a_job_is_in_time_at_its_deadline_and_late_after_it() {
    for (done_at, told_first, met) in [(10, true, true), (10, false, false), (11, true, false)] {
        let mut core = One::new(Policy::EarliestDeadline);
        core.insert(at(0), task(10, 20).deadline(ns(10))).unwrap();
        drain(&mut core, 0);
        let job = core.pick(at(0), 0).job().unwrap();
        if !told_first {
            let events = drain(&mut core, 10);
            assert_eq!(events, [Event::Missed(job), Event::Overran(job)]);
        }
        assert_eq!(core.complete(at(done_at), job).unwrap().met, met);
        assert_eq!(core.task_stats(0).unwrap().missed, u32::from(!met));
        assert_eq!(core.task_stats(0).unwrap().lateness_max, Some(done_at as i64 - 10));
        assert_eq!(core.complete(at(12), job), Err(CompleteError::Stale));
        // What is counted is not counted again.
        drain(&mut core, 15);
        assert_eq!(core.task_stats(0).unwrap().missed, u32::from(!met));
    }
}

#[test]
fn a_missed_job_is_taken_off_and_its_handle_is_stale() {
    let mut core = One::new(Policy::FixedPriority).on_miss(OnMiss::Abort);
    core.insert(at(0), task(8, 10).deadline(ns(5))).unwrap();
    core.insert(at(0), task(3, 10)).unwrap();
    drain(&mut core, 0);
    let job = core.pick(at(0), 0).job().unwrap();
    assert_eq!(core.next_event_at(), Some(at(5)));
    assert_eq!(drain(&mut core, 5), [Event::Aborted { job, core: Some(0), why: Abort::Deadline }]);
    assert_eq!((core.running(0), core.executed(job)), (None, None));
    assert_eq!(core.complete(at(6), job), Err(CompleteError::Stale));
    assert!(matches!(core.pick(at(6), 0), Pick::Start { job, preempted: None } if job.task() == 1));
    assert_eq!(core.core_stats(0).unwrap().busy, ns(5));
}

#[test]
fn after_a_miss_the_next_job_is_left_out() {
    let mut core = One::new(Policy::EarliestDeadline).on_miss(OnMiss::SkipNext);
    core.insert(at(0), task(5, 10)).unwrap();
    core.insert(at(0), task(5, 10).sporadic()).unwrap();
    drain(&mut core, 0);
    core.release(at(0), 1).unwrap();
    let job = core.pick(at(0), 0).job().unwrap();
    let events = drain(&mut core, 10);
    assert_eq!(events[0], Event::Overran(job));
    assert!(
        matches!(events[1..], [Event::Missed(_), Event::Skipped { task: 0 }, Event::Missed(_)]),
        "{events:?}"
    );
    assert_eq!(core.release(at(10), 1), Err(ReleaseError::Skipped));
    assert_eq!(core.release(at(11), 1), Err(ReleaseError::TooEarly { retry_at: at(20) }));
    // The job went on meanwhile, and the one after the next is there.
    assert!(core.complete(at(12), job).is_ok());
    assert!(
        drain(&mut core, 20).iter().any(|event| matches!(event, Event::Released(job) if job.number() == 2))
    );
}

#[test]
fn a_jump_of_the_clock_costs_no_call_for_each_job() {
    let mut core = Dispatcher::<Inline<8>>::new(Policy::EarliestDeadline);
    core.insert(at(0), task(1, 3)).unwrap();
    core.insert(at(0), task(1, 7).deadline(ns(20))).unwrap();
    drain(&mut core, 0);
    let now = 3_000_000_002;
    let events = drain(&mut core, now);
    assert!(events.len() < 12, "{events:?}");
    let [first, second] = [0, 1].map(|task| core.task_stats(task).unwrap());
    assert_eq!(u64::from(first.released), now / 3 + 1);
    assert_eq!(u64::from(second.released), now / 7 + 1);
    assert!(first.lost > 999_999_990 && core.next_event_at() > Some(at(now)));
    assert_eq!((first.missed, first.pending), (first.released - 1, 2));
    // The end of the clock is no end of the program.
    assert!(drain(&mut core, u64::MAX).len() < 20);
    assert_eq!(drain(&mut core, u64::MAX), []);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut core = One::new(Policy::EarliestDeadline);
    assert_eq!(core.insert_on(at(0), task(1, 1), 1), Err(InsertError::UnknownCore));
    assert_eq!(core.insert_on(at(5), task(1, 10).sporadic(), 0), Ok(0));
    assert_eq!(core.insert(at(5), task(1, 10)), Ok(1));
    assert_eq!(core.release(at(5), 7), Err(ReleaseError::UnknownTask));
    assert_eq!(core.release(at(5), 1), Err(ReleaseError::Periodic));
    let first = core.release(at(5), 0).unwrap();
    assert_eq!(core.release(at(14), 0), Err(ReleaseError::TooEarly { retry_at: at(15) }));
    let second = core.release(at(15), 0).unwrap();
    assert_eq!(core.complete(at(15), second), Err(CompleteError::NotRunning));
    // The first jobs of the other tasks have places kept for them: two of four are taken, one is kept.
    let third = core.release(at(25), 0).unwrap();
    assert_eq!(core.release(at(35), 0), Err(ReleaseError::Full));
    assert_eq!(
        (core.task_stats(0).unwrap().lost, core.insert(at(35), task(1, 10))),
        (1, Err(InsertError::Full))
    );
    assert_eq!([first, second, third].map(|job| job.number()), [0, 1, 2]);
    assert!(core.retire(0) && core.retire(1) && !core.retire(2));
    assert_eq!(core.release(at(90), 0), Err(ReleaseError::UnknownTask));
    assert_eq!(core.pick(at(90), 9), Pick::Idle);
    assert_eq!(core.next_release(), None);
}

#[test]
fn a_noticed_arrival_has_its_deadline_from_when_it_came() {
    let mut core = One::new(Policy::EarliestDeadline);
    core.insert(at(0), task(1, 10).sporadic()).unwrap();
    let job = core.release_since(at(8), 0, at(5)).unwrap();
    assert_eq!((job.arrival(), job.deadline()), (at(5), at(15)));
    // Not in the future, and not within a period of the one before.
    assert_eq!(core.release_since(at(10), 0, at(14)), Err(ReleaseError::TooEarly { retry_at: at(15) }));
    assert_eq!(core.release_since(at(16), 0, at(40)).unwrap().arrival(), at(16));
}

#[test]
fn a_freed_core_takes_over_what_another_put_away() {
    let mut core = Dispatcher::<Inline<4>, Inline<2>>::new(Policy::FixedPriority);
    let add = |core: &mut Dispatcher<_, _>, offset, priority| {
        core.insert(at(0), task(5, 100).offset(ns(offset)).priority(priority)).unwrap();
    };
    add(&mut core, 0, 3);
    add(&mut core, 0, 1);
    add(&mut core, 1, 2);
    drain(&mut core, 0);
    let [first, second] = [0, 1].map(|index| core.pick(at(0), index).job().unwrap());
    drain(&mut core, 1);
    // The third goes before the second, which runs on core 1: that one must pick, not core 0.
    assert_eq!((core.pick(at(1), 0), core.unsettled()), (Pick::Keep(first), Some(1)));
    assert!(matches!(core.pick(at(1), 1), Pick::Start { preempted: Some(job), .. } if job == second));
    core.complete(at(5), first).unwrap();
    assert_eq!(core.pick(at(5), 0), Pick::Resume { job: second, from: 1, preempted: None });
    let stats = [0, 1].map(|index| core.core_stats(index).unwrap());
    assert_eq!((stats[1].preemptions, stats[0].migrations), (1, 1));
}

#[test]
fn sizes_are_as_documented() {
    if size_of::<usize>() == 8 {
        assert_eq!((size_of::<Task>(), size_of::<Job>()), (56, 32));
        let place = size_of::<Dispatcher<Inline<5>>>() - size_of::<Dispatcher<Inline<4>>>();
        let core = size_of::<Dispatcher<Inline<4>, Inline<2>>>() - size_of::<Dispatcher<Inline<4>>>();
        assert_eq!((place, core, size_of::<Dispatcher<Inline<4>>>()), (208, 32, 928));
    }
}

#[test]
fn it_fits_a_static() {
    static CORE: std::sync::Mutex<Dispatcher<Inline<2>>> =
        std::sync::Mutex::new(Dispatcher::<Inline<2>>::new(Policy::EarliestDeadline).on_miss(OnMiss::Abort));
    assert_eq!(CORE.lock().unwrap().insert(at(0), task(1, 2)), Ok(0));
}
