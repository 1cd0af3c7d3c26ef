//! The scheduler's policies on a virtual clock: who is idle beside work, who is robbed, who is kept awake and at what
//! price; and how good plans, estimates and verdicts are.

use crate::figure::{Bound, Figure};
use divvy::Instant;
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::bottleneck::{StageWindow, bottleneck};
use divvy::sched::capacity::CapacityEstimator;
use divvy::sched::consolidate::{ConsolidateConfig, Consolidator};
use divvy::sched::redistribute::{Plan, Rules};
use divvy::sched::{Groups, Next, Parking, Scheduler, Source, StealPolicy, Take, Victim, Wake};
use divvy::storage::{Heap, Inline};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::time::Duration;

const GREEDY: &str =
    "total / m + (1 - 1/m) x longest, for any schedule in which nobody idles beside work (Graham 1969)";

pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = vec![Figure::new(
        "scheduler: workers woken by 1 task, of 10,000 asleep, until all sleep again",
        wakes(1),
        Bound::Exactly(1.0),
        "k tasks wake at most k workers: `sched`",
    )];
    figures.push(Figure::new(
        "scheduler: wake-ups for 1,000 tasks in bursts, 10,000 workers, until all sleep again",
        wakes(1_000),
        Bound::AtMost(1_000.0),
        "k tasks wake at most k workers: `sched`",
    ));
    figures.extend(uneven());
    figures.extend(near());
    figures.extend(plans());
    figures.push(Figure::new(
        "capacity: largest error of a weight learned from 50 completions each, times of +-50 %, 8 workers",
        learned(),
        Bound::AtMost(0.15),
        "the mean of 50 uniform times is off by 4 % (one sigma), the prior of 8 draws by up to a sixth of the gap",
    ));
    figures.extend(verdicts());
    figures.extend(energy());
    figures
}

/// Wake-ups until everything is done: tasks come in bursts of ten.
fn wakes(tasks: u32) -> f64 {
    let sched = Scheduler::<u32, Heap, Heap, Heap>::with_capacity(10_000, 8, 64).expect("valid sizes");
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut workers: Vec<_> =
        (0..10_000).map(|index| sched.worker(index).expect("nobody is it yet")).collect();
    for worker in &mut workers {
        assert_eq!(worker.park(), Parking::Sleep);
    }
    let (mut count, mut awake) = (0, Vec::new());
    let mut wake = |wake: Wake, awake: &mut Vec<u32>| {
        if let Wake::Worker(worker) = wake {
            count += 1;
            awake.push(worker);
        }
    };
    let mut submitted = 0;
    while submitted < tasks || !awake.is_empty() {
        for _ in 0..10.min(tasks - submitted) {
            wake(sched.submit(submitted).expect("there is room for a burst"), &mut awake);
            submitted += 1;
        }
        for worker in std::mem::take(&mut awake) {
            let member = &mut workers[worker as usize];
            match member.next(&mut rng) {
                Next::Task { wake: next, .. } => {
                    wake(next, &mut awake);
                    awake.push(worker);
                }
                Next::Idle if member.park() == Parking::Stay => awake.push(worker),
                Next::Idle => {}
            }
        }
    }
    count.into()
}

/// 100 tasks of 10 to 100 ms, 70 of them on worker 0 of 4.
fn uneven() -> Vec<Figure> {
    let (mut beside, mut worst, mut stolen) = (0, 0f64, 0);
    for seed in 0..50 {
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let sched = Scheduler::<u64, Inline<4>, Inline<128>, Inline<1>>::new();
        let mut workers: [_; 4] =
            std::array::from_fn(|index| sched.worker(index as u32).expect("nobody is it yet"));
        let (mut total, mut longest) = (0, 0);
        for task in 0..100 {
            let home = if task < 70 { 0 } else { 1 + task % 3 };
            let length = 10_000 + u64::from(rng.below(90_001));
            (total, longest) = (total + length, longest.max(length));
            assert_eq!(workers[home].push(length), Ok(Wake::Nobody));
        }
        let mut free_at = BinaryHeap::from_iter((0..4).map(|worker| Reverse((0, worker))));
        let mut end = 0;
        while let Some(Reverse((now, worker))) = free_at.pop() {
            match workers[worker].next(&mut rng) {
                Next::Task { task, .. } => {
                    end = end.max(now + task);
                    free_at.push(Reverse((now + task, worker)));
                }
                Next::Idle => beside += u32::from((0..4).any(|other| sched.waiting(other) >= Some(2))),
            }
        }
        stolen += (0..4).filter_map(|worker| sched.stats(worker)).map(|stats| stats.stolen).sum::<u32>();
        worst = worst.max(end as f64 / (total as f64 / 4.0 + 0.75 * longest as f64));
    }
    vec![
        Figure::new(
            "stealing: workers idle beside two waiting tasks, 100 tasks with 70 on one of 4, 50 seeds",
            beside.into(),
            Bound::Exactly(0.0),
            "an idle worker asks all others",
        ),
        Figure::new(
            "stealing: largest makespan over Graham's bound, the same 50 seeds",
            worst,
            Bound::AtMost(1.0),
            GREEDY,
        ),
        Figure::new(
            "stealing: tasks stolen of 100, mean of the same 50 seeds",
            f64::from(stolen) / 50.0,
            Bound::None,
            "",
        ),
    ]
}

/// 16 workers in clusters of four; one in each cluster has all its tasks.
fn near() -> Vec<Figure> {
    let policies = [Victim::Random, Victim::Near(Groups::new(&[4]).expect("it is a group"))];
    let [random, near] = policies.map(|victim| {
        let (mut far, mut steals, mut early) = (0, 0, 0);
        for seed in 0..20 {
            let mut rng = Xoshiro256PlusPlus::seed(seed);
            let policy = StealPolicy::new().victim(victim).take(Take::One);
            let sched = Scheduler::<(), Inline<16>, Inline<64>, Inline<1>>::new().with_policy(policy);
            let mut workers: Vec<_> =
                (0..16).map(|index| sched.worker(index).expect("nobody is it yet")).collect();
            for home in [0, 4, 8, 12] {
                for _ in 0..40 {
                    assert_eq!(workers[home].push(()), Ok(Wake::Nobody));
                }
            }
            loop {
                let thief = rng.below(16);
                let cluster = thief / 4 * 4;
                let nearby = (cluster..cluster + 4).any(|other| sched.waiting(other) > Some(0));
                match workers[thief as usize].next(&mut rng) {
                    Next::Task { from: Source::Stolen { victim, .. }, .. } => {
                        steals += 1;
                        far += u32::from(victim / 4 * 4 != cluster);
                        early += u32::from(victim / 4 * 4 != cluster && nearby);
                    }
                    Next::Task { .. } => {}
                    Next::Idle => break,
                }
            }
        }
        (100.0 * f64::from(far) / f64::from(steals), f64::from(early))
    });
    vec![
        Figure::new(
            "stealing: % of steals that leave the cluster, random victims",
            random.0,
            Bound::None,
            "",
        ),
        Figure::new(
            "stealing: % of steals that leave the cluster, near victims first",
            near.0,
            Bound::AtMost(random.0 / 4.0),
            "a quarter of what random victims give",
        ),
        Figure::new(
            "stealing: steals that leave the cluster while a neighbour has tasks, near victims first",
            near.1,
            Bound::Exactly(0.0),
            "near first",
        ),
    ]
}

/// Against what no plan can be better than.
fn plans() -> Vec<Figure> {
    let mut plan = Plan::<Inline<64>>::new();
    let mut rng = Xoshiro256PlusPlus::seed(7);
    let (mut level, mut moves) = (0f64, 0f64);
    for _ in 0..1_000 {
        let lengths: Vec<u32> = (0..2 + rng.below(63)).map(|_| rng.below(1_000)).collect();
        let summary = plan.plan(&lengths, Rules::new()).expect("there is room");
        let highest = lengths.iter().sum::<u32>().div_ceil(lengths.len() as u32);
        let excess: u32 = lengths.iter().map(|length| length.saturating_sub(highest)).sum();
        let after = summary.after.to_bits() as f64 / f64::powi(2.0, 32);
        level = level.max(after / f64::from(highest.max(1)));
        moves = moves.max(summary.moved as f64 / f64::from(excess.max(1)));
    }
    vec![
        Figure::new(
            "redistribute: largest highest queue over the mean rounded up, 1,000 fleets of up to 64",
            level,
            Bound::Exactly(1.0),
            "no distribution of whole items is lower",
        ),
        Figure::new(
            "redistribute: most items moved over those above that mean, the same fleets",
            moves,
            Bound::Exactly(1.0),
            "each of those must move once",
        ),
    ]
}

fn learned() -> f64 {
    let mut worst = 0f64;
    for seed in 0..20 {
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut capacity = CapacityEstimator::<Inline<8>>::new(8, Duration::from_secs(3_600));
        let micros: Vec<u64> = (0..8).map(|_| 1_000 + rng.below_u64(1_000)).collect();
        for _ in 0..50 {
            for (worker, micros) in (0..).zip(&micros) {
                let took = Duration::from_micros(micros / 2 + rng.below_u64(*micros));
                capacity.observe(Instant::ZERO, worker, 1, took).expect("it exists");
            }
        }
        let mut weights = [0; 8];
        capacity.weights(Instant::ZERO, &mut weights);
        let share = |rate: f64, of: &dyn Fn(usize) -> f64| rate / (0..8).map(of).sum::<f64>();
        for worker in 0..8 {
            let learned = share(weights[worker].into(), &|other| weights[other].into());
            let speed = |worker: usize| 1.0 / micros[worker] as f64;
            worst = worst.max((learned / share(speed(worker), &speed) - 1.0).abs());
        }
    }
    worst
}

/// Pipelines of which everything is known: the verdict against what the demands say.
fn verdicts() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(3);
    let (mut wrong, mut off) = (0, 0f64);
    for _ in 0..1_000 {
        let stages = 2 + rng.below(5);
        let demands: Vec<(u32, f64)> =
            (0..stages).map(|_| (1 + rng.below(8), f64::from(1 + rng.below(100_000)) / 1e6)).collect();
        // Items a second that each stage can do, and that come: enough to keep the slowest busy.
        let rate = |(workers, seconds): (u32, f64)| f64::from(workers) / seconds;
        let limit =
            |demands: &[(u32, f64)]| demands.iter().map(|stage| rate(*stage)).fold(f64::MAX, f64::min);
        let offered = limit(&demands) * (0.9 + f64::from(rng.below(200)) / 100.0);
        let mut flow = offered;
        let windows: Vec<StageWindow> = demands
            .iter()
            .map(|stage| {
                let arrivals = flow * 1_000.0;
                flow = flow.min(rate(*stage));
                let completions = flow * 1_000.0;
                StageWindow {
                    arrivals: arrivals as u64,
                    completions: completions as u64,
                    busy: Duration::from_secs_f64(completions * stage.1),
                    ..StageWindow::new(
                        NonZeroU32::new(stage.0).expect("at least one"),
                        Duration::from_secs(1_000),
                    )
                }
            })
            .collect();
        let slowest = demands.iter().map(|stage| rate(*stage)).fold(f64::MAX, f64::min);
        let threshold = Q32::from_ratio(4, 5).expect("it fits");
        let Some(found) = bottleneck(&windows, threshold) else {
            wrong += 1;
            continue;
        };
        let named = demands[found.stage as usize];
        // What comes first behind the slowest gets as much as that lets through.
        wrong += u32::from(rate(named) > slowest * 1.001 && rate(named) > offered * 1.001);
        let mut more = demands.clone();
        more[found.stage as usize].0 += 1;
        let gain = limit(&more).min(offered) / limit(&demands).min(offered);
        let predicted = found.gain.to_bits() as f64 / f64::powi(2.0, 32);
        off = off.max((predicted / gain - 1.0).abs());
    }
    vec![
        Figure::new(
            "bottleneck: stages named that are not the slowest, 1,000 pipelines of 2 to 6 stages",
            wrong.into(),
            Bound::Exactly(0.0),
            "utilisation law (Denning, Buzen 1978)",
        ),
        Figure::new(
            "bottleneck: largest error of the predicted gain of one worker more, the same pipelines",
            off,
            Bound::AtMost(0.01),
            "the same law; counts are whole items",
        ),
    ]
}

/// What a night of sixteen workers costs.
#[derive(Clone, Copy, Debug, Default)]
struct Night {
    /// Worker-seconds not deep asleep.
    up: f64,
    /// Seconds from the submit to the start of a task.
    mean_delay: f64,
    worst_delay: f64,
    wakes: u32,
}

const WORKERS: usize = 16;
/// How long a worker dozes before it sleeps deeply; one that is surplus does so at once.
const DOZE: u64 = 10_000;
/// What it takes to wake up, in microseconds: from a doze, and from deep sleep.
const FROM_DOZE: u64 = 10;
const FROM_DEEP: u64 = 200;
const SECOND: u64 = 1_000_000;

/// Sixty seconds in which the load swells from 1 to 9 workers and ebbs again; tasks of 0.5 to 1.5 ms, at random.
fn night(mut energy: Option<Consolidator>) -> Night {
    #[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
    enum Event {
        Arrival,
        Free(usize),
        Tick,
    }
    let mut rng = Xoshiro256PlusPlus::seed(11);
    let sched = Scheduler::<u64, Inline<WORKERS>, Inline<8>, Inline<4096>>::new();
    let mut workers: Vec<_> =
        (0..WORKERS).map(|index| sched.worker(index as u32).expect("nobody is it yet")).collect();
    // Since when a worker sleeps, and whether deeply from the start.
    let mut asleep: [Option<(u64, bool)>; WORKERS] = [None; WORKERS];
    let mut events = BinaryHeap::new();
    for worker in 0..WORKERS {
        events.push(Reverse((0, Event::Free(worker))));
    }
    events.push(Reverse((0, Event::Arrival)));
    events.push(Reverse((0, Event::Tick)));
    let (mut night, mut tasks, mut busy) = (Night::default(), 0u32, 0u64);
    let mut up = 0;
    while let Some(Reverse((now, event))) = events.pop() {
        let mut wake = Wake::Nobody;
        match event {
            Event::Arrival if now < 60 * SECOND => {
                wake = sched.submit(now).expect("there is room");
                let phase = (now / SECOND) as u32;
                let load = 1 + if phase < 30 { phase } else { 60 - phase } * 8 / 30;
                // Times between arrivals from 0 to twice their mean.
                let gap = u64::from(rng.below(2 * 1_000 / load + 1));
                events.push(Reverse((now + gap, Event::Arrival)));
            }
            Event::Arrival => {}
            Event::Tick if now < 61 * SECOND => {
                if let Some(energy) = &mut energy {
                    let waiting = sched.injected();
                    let busy = Duration::from_micros(std::mem::take(&mut busy));
                    wake = sched.set_awake(energy.observe(Instant::from_micros(now), busy, waiting));
                }
                events.push(Reverse((now + 10_000, Event::Tick)));
            }
            Event::Tick => {}
            Event::Free(worker) => match workers[worker].next(&mut rng) {
                Next::Task { task, wake: next, .. } => {
                    wake = next;
                    let delay = (now - task) as f64 / SECOND as f64;
                    night.mean_delay += delay;
                    night.worst_delay = night.worst_delay.max(delay);
                    tasks += 1;
                    let length = 500 + rng.below_u64(1_001);
                    (busy, up) = (busy + length, up + length);
                    events.push(Reverse((now + length, Event::Free(worker))));
                }
                Next::Idle => match workers[worker].park() {
                    Parking::Sleep => asleep[worker] = Some((now, workers[worker].is_surplus())),
                    Parking::Stay => events.push(Reverse((now + 1, Event::Free(worker)))),
                },
            },
        }
        if let Wake::Worker(worker) = wake
            && let Some((since, deep)) = asleep[worker as usize].take()
        {
            night.wakes += 1;
            let dozed = if deep { 0 } else { (now - since).min(DOZE) };
            let latency = if deep || dozed == DOZE { FROM_DEEP } else { FROM_DOZE };
            up += dozed + latency;
            events.push(Reverse((now + latency, Event::Free(worker as usize))));
        }
    }
    up += asleep.iter().flatten().filter(|(_, deep)| !deep).count() as u64 * DOZE;
    night.up = up as f64 / SECOND as f64;
    night.mean_delay /= f64::from(tasks);
    night
}

fn energy() -> Vec<Figure> {
    let alone = night(None);
    let config = ConsolidateConfig::new(NonZeroU32::new(WORKERS as u32).expect("sixteen"));
    let few = night(Some(config.build().expect("the defaults are valid")));
    let row = |name: &str, value: f64, bound, source| {
        Figure::new(format!("energy: {name}, 16 workers, load 1 to 9 and back in 60 s"), value, bound, source)
    };
    vec![
        row("worker-seconds up, everybody may wake", alone.up, Bound::None, ""),
        row(
            "worker-seconds up, consolidated",
            few.up,
            Bound::AtMost(alone.up),
            "fewer than where everybody may wake",
        ),
        row("wake-ups a second, everybody may wake", f64::from(alone.wakes) / 60.0, Bound::None, ""),
        row("wake-ups a second, consolidated", f64::from(few.wakes) / 60.0, Bound::None, ""),
        row("mean delay in ms, everybody may wake", alone.mean_delay * 1e3, Bound::None, ""),
        row(
            "mean delay in ms, consolidated",
            few.mean_delay * 1e3,
            Bound::AtMost(1.0),
            "a task's own mean time, at no more than 80 % busy",
        ),
        row("longest delay in ms, consolidated", few.worst_delay * 1e3, Bound::None, ""),
    ]
}
