//! What the learning policies lose before they know better, how well run times are estimated, and what letting members
//! sleep saves.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{
    Balancer, EnergyAware, EnergyConfig, Fit, Fleet, LeastLoaded, Member, Outcome, P2c, Pick, Policy, Random,
    Regression, Request, Thompson, Ucb,
};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Heap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub(crate) fn figures() -> Vec<Figure> {
    [bandits(), estimates(), makespans(), savings()].concat()
}

/// A fraction in [0, 1).
fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    -mean * (1.0 - unit(rng)).ln()
}

fn fleet(members: u32, calls: u32) -> Fleet<Heap, Heap> {
    let mut fleet = Fleet::<Heap, Heap>::with_capacity(Duration::from_secs(1 << 30), members, calls);
    for member in 0..members {
        fleet.insert(Instant::ZERO, Member::new(&member.to_le_bytes())).expect("there is room");
    }
    fleet
}

/// The means of five members that take 1 ms or nothing.
const MEANS: [f64; 5] = [0.5, 0.1, 0.4, 0.2, 0.3];
const SEEDS: u64 = 20;

fn bandits() -> Vec<Figure> {
    let ucb = |half_life| move || Ucb::<Heap>::with_capacity(5).half_life(half_life);
    let thompson = |half_life| move || Thompson::<Heap>::with_capacity(5).half_life(half_life);
    let gaps = [0.1, 0.2, 0.3, 0.4];
    let sum: f64 = gaps.iter().map(|gap| 1.0 / gap).sum();
    let auer = |calls: f64| 8.0 * calls.ln() * sum + (1.0 + std::f64::consts::PI.powi(2) / 3.0) * 1.0;
    let mut figures = Vec::new();
    let source = "8 Σ ln T ÷ gap + (1 + π²/3) Σ gap: Auer et al. 2002, theorem 1";
    for (name, [early, late]) in [("UCB", regret(ucb(0))), ("Thompson sampling", regret(thompson(0)))] {
        figures.push(Figure::new(
            format!("{name}: regret after 100,000 calls, five members with means .1 to .5, {SEEDS} seeds"),
            late,
            Bound::AtMost(auer(1e5)),
            source,
        ));
        figures.push(Figure::new(
            format!("{name}: regret after 100,000 calls over that after 10,000"),
            late / early,
            Bound::AtMost(2.0),
            "logarithmic 1.25, as a share of all calls 10",
        ));
    }
    figures.push(Figure::new(
        "– chance: regret after 100,000 calls",
        regret(Random::new)[1],
        Bound::None,
        "",
    ));
    for (name, share) in [
        ("UCB", missed_after_change(ucb(1_000))),
        ("Thompson sampling", missed_after_change(thompson(1_000))),
        ("– UCB without forgetting", missed_after_change(ucb(0))),
    ] {
        let bound = if name.starts_with('–') { Bound::None } else { Bound::AtMost(0.2) };
        let source = if name.starts_with('–') { "" } else { "own; half-life 1,000" };
        figures.push(Figure::new(
            format!(
                "{name}: share of calls not to the cheapest in the second 10,000 calls after best and worst changed places"
            ),
            share,
            bound,
            source,
        ));
    }
    figures
}

/// What `policy` cost more than the best member throughout, after 10,000 calls and after 100,000, in milliseconds.
fn regret<P: Policy>(policy: impl Fn() -> P) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for seed in 0..SEEDS {
        let mut balancer = Balancer::new(fleet(5, 1), policy());
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut lost = 0.0;
        for call in 1..=100_000 {
            lost += MEANS[play(&mut balancer, &mut rng, &MEANS)] - 0.1;
            if call == 10_000 {
                sums[0] += lost;
            }
        }
        sums[1] += lost;
    }
    sums.map(|sum| sum / SEEDS as f64)
}

/// One call: which member got it.
fn play<P: Policy>(
    balancer: &mut Balancer<P, Heap, Heap>,
    rng: &mut Xoshiro256PlusPlus,
    means: &[f64; 5],
) -> usize {
    let now = balancer.advance(Instant::ZERO);
    let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), rng) else {
        panic!("one of five is always there")
    };
    let slot = member.slot() as usize;
    let took = if unit(rng) < means[slot] { Duration::from_millis(1) } else { Duration::ZERO };
    balancer.complete(now.saturating_add(took), lease, Outcome::Success).expect("in time");
    slot
}

fn missed_after_change<P: Policy>(policy: impl Fn() -> P) -> f64 {
    let mut missed = 0u32;
    for seed in 0..SEEDS {
        let mut balancer = Balancer::new(fleet(5, 1), policy());
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut means = MEANS;
        for _ in 0..20_000 {
            play(&mut balancer, &mut rng, &means);
        }
        means.swap(0, 1);
        for call in 0..20_000 {
            let slot = play(&mut balancer, &mut rng, &means);
            missed += u32::from(call >= 10_000 && slot != 0);
        }
    }
    f64::from(missed) / (10_000 * SEEDS) as f64
}

/// A task: what is known of it and how long it takes, in microseconds.
fn task(rng: &mut impl Rng) -> ([u32; 5], f64) {
    let kilobytes = exponential(rng, 200.0).min(5_000.0) as u32;
    let pages = rng.below(40);
    let class = rng.below(3) as usize;
    let mut features = [kilobytes, pages, 0, 0, 0];
    features[2 + class] = 1;
    let clean = [2_000.0, 5_000.0, 20_000.0][class] + 30.0 * f64::from(kilobytes) + 400.0 * f64::from(pages);
    // Give or take a tenth: 5 % on average.
    (features, clean * (0.9 + 0.2 * unit(rng)))
}

const NOISE: f64 = 0.05;

fn estimates() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(0xF17);
    let mut fit = Fit::new();
    let mut lms = [0.0f64; 6];
    let mut scale = [1.0f64; 6];
    let mut mean = 0.0;
    let (mut errors, mut lms_errors, mut mean_errors, mut counted) = (0.0, 0.0, 0.0, 0.0);
    for nth in 0..20_000 {
        let (features, micros) = task(&mut rng);
        let mut terms = [1.0; 6];
        for (at, feature) in features.iter().enumerate() {
            scale[at + 1] = scale[at + 1].max(f64::from(*feature));
            terms[at + 1] = f64::from(*feature) / scale[at + 1];
        }
        let guess: f64 = lms.iter().zip(terms).map(|(weight, term)| weight * term).sum();
        if nth >= 200 {
            let estimate = fit.estimate(&features).expect("it has seen some").as_secs_f64() * 1e6;
            errors += (estimate / micros - 1.0).abs();
            lms_errors += (guess / micros - 1.0).abs();
            mean_errors += (mean / micros - 1.0).abs();
            counted += 1.0;
        }
        fit.note(&features, Duration::from_nanos((micros * 1e3) as u64));
        let power: f64 = terms.iter().map(|term| term * term).sum();
        for (weight, term) in lms.iter_mut().zip(terms) {
            *weight += 0.05 * (micros - guess) * term / power;
        }
        mean += (micros - mean) / f64::from(nth + 1);
    }
    vec![
        Figure::new(
            "run times by recursive least squares, integers: mean absolute error, 20,000 tasks with noise of 0.05",
            errors / counted,
            Bound::AtMost(NOISE + 0.02),
            "the noise + 2 points: own",
        ),
        Figure::new(
            "– by normalised least mean squares, floats, step 0.05",
            lms_errors / counted,
            Bound::None,
            "",
        ),
        Figure::new("– by the mean of all", mean_errors / counted, Bound::None, ""),
    ]
}

/// When the last task ends, over the least that any placement could reach on average.
fn makespan<P: Policy>(policy: P, speeds: &[f64]) -> f64 {
    let members = speeds.len() as u32;
    let mut balancer = Balancer::new(fleet(members, 512), policy);
    let mut rng = Xoshiro256PlusPlus::seed(0x3A7E);
    let mut tasks = Xoshiro256PlusPlus::seed(0x7A5C);
    let capacity: f64 = speeds.iter().sum();
    let mut ratios = 0.0;
    let mut now = 0.0f64;
    const BATCHES: u32 = 30;
    for batch in 0..BATCHES {
        let (mut work, mut free) = (0.0, vec![now; speeds.len()]);
        let mut ends = Vec::new();
        for _ in 0..100 {
            let (features, micros) = task(&mut tasks);
            work += micros;
            let request = Request::new().features(&features);
            let at = Instant::from_nanos((now * 1e3) as u64);
            let Pick::Member { member, lease, .. } = balancer.pick(at, &request, &mut rng) else {
                panic!("everybody is there")
            };
            let slot = member.slot() as usize;
            free[slot] += micros / speeds[slot];
            ends.push((free[slot], lease));
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (end, lease) in &ends {
            let at = Instant::from_nanos((end * 1e3) as u64);
            balancer.complete(at, *lease, Outcome::Success).expect("in time");
        }
        let last = ends.last().expect("there are a hundred").0;
        // The first ten are for learning.
        if batch >= 10 {
            ratios += (last - now) / (work / capacity);
        }
        now = last;
    }
    ratios / f64::from(BATCHES - 10)
}

fn makespans() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, speeds, bound, source) in [
        ("8 alike", [1.0; 8], Bound::AtMost(2.0 - 1.0 / 8.0), "2 − 1/m for any list: Graham 1966"),
        ("8, two of half the speed", [1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.5], Bound::None, ""),
    ] {
        figures.push(Figure::new(
            format!("regression: makespan of 100 tasks over the work per capacity, {name}, 20 batches"),
            makespan(Regression::<Heap>::with_capacity(512), &speeds),
            bound,
            source,
        ));
        figures.push(Figure::new(
            format!("– least loaded: the same, {name}"),
            makespan(LeastLoaded::<Heap>::with_capacity(8), &speeds),
            Bound::None,
            "",
        ));
    }
    figures
}

/// Ten minutes of calls to 16 members with four lanes each, at 10 to 70 % of what they can do, twice up and down: the
/// 99th percentile of the response times in milliseconds, and the policy as it then is.
fn day<P: Policy + Clone>(policy: P) -> (f64, P) {
    const LANES: usize = 4;
    const MEMBERS: usize = 16;
    const SERVICE: f64 = 0.01;
    let mut balancer = Balancer::new(fleet(MEMBERS as u32, 8_192), policy);
    let mut rng = Xoshiro256PlusPlus::seed(0xE6E);
    let mut choices = Xoshiro256PlusPlus::seed(0xE6F);
    let mut lanes = [[0.0f64; LANES]; MEMBERS];
    let mut ends = BinaryHeap::new();
    let mut leases = Vec::new();
    let mut times = Vec::new();
    let mut now = 0.0;
    let at = |secs: f64| Instant::from_nanos((secs * 1e9) as u64);
    while now < 600.0 {
        let load = 0.4 - 0.3 * (now / 300.0 * std::f64::consts::TAU).cos();
        now += exponential(&mut rng, SERVICE / (load * (LANES * MEMBERS) as f64));
        while let Some(Reverse((nanos, call))) =
            ends.peek().copied().filter(|Reverse((nanos, _))| *nanos <= at(now).as_nanos())
        {
            ends.pop();
            let lease: divvy::lease::Lease = leases[call];
            balancer.complete(Instant::from_nanos(nanos), lease, Outcome::Success).expect("in time");
        }
        let Pick::Member { member, lease, .. } = balancer.pick(at(now), &Request::new(), &mut choices) else {
            panic!("there is room for all")
        };
        let lane =
            lanes[member.slot() as usize].iter_mut().min_by(|a, b| a.total_cmp(b)).expect("there are four");
        *lane = lane.max(now) + exponential(&mut rng, SERVICE);
        times.push((*lane - now) * 1e3);
        ends.push(Reverse((at(*lane).as_nanos(), leases.len())));
        leases.push(lease);
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() * 99 / 100], balancer.policy().clone())
}

fn savings() -> Vec<Figure> {
    let (all, _) = day(P2c::new());
    let config = EnergyConfig::new(4).dwell(Duration::from_secs(5));
    let (few, policy) = day(EnergyAware::new(P2c::new(), config));
    let stats = policy.stats();
    let awake = stats.awake_micros as f64 / stats.ready_micros as f64;
    vec![
        Figure::new(
            "energy: member-time awake over all, load of 10 to 70 %, 40 % on average, 16 members",
            awake,
            Bound::AtMost(0.75),
            "own; the load itself is 0.40, with 3 √load in reserve 0.64",
        ),
        Figure::new(
            "energy: p99 in ms while the others sleep",
            few,
            Bound::AtMost(2.0 * all),
            "own: at most twice that of all awake",
        ),
        Figure::new("– p99 in ms with all awake, power of two choices", all, Bound::None, ""),
        Figure::new(
            "energy: members woken and released in ten minutes, dwell of 5 s",
            (stats.woken + stats.released) as f64,
            Bound::AtMost(2.0 * (600.0 / 5.0) + 16.0),
            "two a dwell, and the fleet: docs",
        ),
    ]
}
