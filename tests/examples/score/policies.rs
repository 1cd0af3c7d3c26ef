//! The laws of single policies: Prequal's, C3's formula, how evenly subsets are dealt, and that zones overload nobody.

use crate::figure::{Bound, Figure};
use divvy::Instant;
use divvy::balance::{
    Balancer, C3, Fleet, Member, Outcome, Pick, Policy, Prequal, PrequalConfig, Report, Request, RoundRobin,
    SmoothWeighted, Subset, View, Why, ZoneAware,
};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) fn figures() -> Vec<Figure> {
    [prequal(), c3(), subset(), zone()].concat()
}

fn fleet<const M: usize, const L: usize>(members: u32) -> Fleet<Inline<M>, Inline<L>> {
    let mut fleet = Fleet::<Inline<M>, Inline<L>>::new(Duration::from_secs(5));
    for name in 0..members {
        fleet.insert(Instant::ZERO, Member::new(&name.to_le_bytes())).expect("there is room");
    }
    fleet
}

/// Q18: a hundred members, random answers, twenty thousand requests, with the usual quantile and with a low one, under
/// which nearly all are hot.
fn prequal() -> Vec<Figure> {
    let usual = PrequalConfig::new();
    let low = usual.quantile(Q32::from_ratio(1, 100).expect("1/100 fits"));
    let mut figures = hot_cold("", usual);
    figures.extend(hot_cold(", quantile 0.01", low));
    let reuse = |members| {
        let uses = PrequalConfig::new().reuse(members).expect("probes outnumber removals");
        uses.to_bits() as f64 / 4_294_967_296.0
    };
    let name = "Prequal: uses of a probe";
    figures.extend([
        Figure::new(
            format!("{name}, 100 members, as 2 ÷ (3 (1 − 16/100) − 1)"),
            reuse(100),
            Bound::Within(2.0 / 1.52, 1e-6),
            PREQUAL,
        ),
        Figure::new(format!("{name}, 48 members"), reuse(48), Bound::Within(2.0, 1e-6), PREQUAL),
    ]);
    figures
}

const PREQUAL: &str = "Wydrowski et al., NSDI 2024";

fn hot_cold(how: &str, config: PrequalConfig) -> Vec<Figure> {
    let policy = Prequal::with(config).expect("the parameters are right");
    let mut balancer = Balancer::new(fleet::<100, 64>(100), policy);
    let mut rng = Xoshiro256PlusPlus::seed(18);
    let (mut violations, mut by, mut pool_most) = (0u32, [0u32; 3], 0);
    let mut now = Instant::ZERO;
    for _ in 0..20_000 {
        now = now.saturating_add(Duration::from_micros(u64::from(rng.below(20_000))));
        while let Some(member) = balancer.probe(now, &mut rng) {
            let latency = Duration::from_micros(u64::from(100 + rng.below(10_000)));
            let answer = Report { in_flight: rng.below(20), latency };
            balancer.report(now, member, &answer).expect("it is a member");
        }
        let pool = balancer.policy().pool().to_vec();
        let hot = balancer.policy().hot_above();
        pool_most = pool_most.max(pool.len());
        let alive = |at: Instant| now.saturating_duration_since(at) < Duration::from_secs(1);
        let usable: Vec<_> = pool.into_iter().filter(|probe| alive(probe.at())).collect();
        let Pick::Member { member, lease, why } = balancer.pick(now, &Request::new(), &mut rng) else {
            violations += 1;
            continue;
        };
        let chosen = usable.iter().find(|probe| probe.slot() == member.slot());
        let cold = usable.iter().filter(|probe| probe.in_flight() <= hot);
        let lawful = match why {
            Why::Cold => chosen.map(|probe| probe.latency()) == cold.map(|probe| probe.latency()).min(),
            Why::Hot => {
                cold.count() == 0
                    && chosen.map(|probe| probe.in_flight())
                        == usable.iter().map(|probe| probe.in_flight()).min()
            }
            _ => usable.len() < 2,
        };
        by[match why {
            Why::Cold => 0,
            Why::Hot => 1,
            _ => 2,
        }] += 1;
        violations += u32::from(!lawful);
        balancer.complete(now, lease, Outcome::Success).expect("it is in time");
    }
    vec![
        Figure::new(
            format!(
                "Prequal: picks against the hot-cold rule{how}, of 20,000 ({} cold, {} hot, {} by chance)",
                by[0], by[1], by[2]
            ),
            violations.into(),
            Bound::Exactly(0.0),
            PREQUAL,
        ),
        Figure::new(
            format!("Prequal: most probes pooled{how}"),
            pool_most as f64,
            Bound::AtMost(16.0),
            PREQUAL,
        ),
    ]
}

/// Q19: the score against its formula in floating point.
fn c3() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(19);
    let mut worst = 0.0f64;
    for _ in 0..2_000 {
        let callers = rng.below(100);
        let mut balancer = Balancer::new(fleet::<1, 64>(1), C3::<Inline<1>>::new().callers(callers));
        let id = balancer.fleet().id(0).expect("it is a member");
        let mut now = Instant::from_nanos(0);
        let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { continue };
        now = Instant::from_micros(u64::from(1 + rng.below(4_000_000)));
        balancer.complete(now, lease, Outcome::Success).expect("it is in time");
        let response = balancer.fleet().latency(0).expect("it answered").as_nanos() as f64;
        let (mut service, mut queue) = (0.0, 0.0);
        for nth in 0..8 {
            let report = Report {
                in_flight: rng.below(500),
                latency: Duration::from_micros(u64::from(1 + rng.below(4_000_000))),
            };
            balancer.report(now, id, &report).expect("it is a member");
            let alpha = if nth == 0 { 1.0 } else { 0.3 };
            service += alpha * (report.latency.as_nanos() as f64 - service);
            queue += alpha * (f64::from(report.in_flight) - queue);
        }
        let out = rng.below(40);
        for _ in 0..out {
            let _ = balancer.pick(now, &Request::new(), &mut rng);
        }
        let queue: f64 = 1.0 + f64::from(out) * f64::from(callers) + queue;
        let expected = response - service + queue.powi(3) * service;
        let score = balancer.policy().score(balancer.fleet(), 0).expect("it answered") as f64;
        worst = worst.max((score - expected).abs() / expected.abs());
    }
    let name = "C3: largest relative error of a score, 2,000 random states";
    vec![Figure::new(name, worst, Bound::AtMost(0.001), "the formula of NSDI 2015 in floating point")]
}

type Part = Subset<RoundRobin, Inline<300>>;

fn part(mut policy: Part, fleet: &Fleet<Inline<300>, Inline<1>>) -> BTreeSet<u32> {
    let mut rng = Xoshiro256PlusPlus::seed(0);
    let choice = policy.choose(Instant::ZERO, View::of(fleet), &Request::new(), &mut rng);
    choice.expect("somebody is ready");
    policy.slots().iter().copied().collect()
}

/// Q21: callers per member, and what a leaving member changes.
fn subset() -> Vec<Figure> {
    let source = "Site Reliability Engineering, chapter 20";
    let mut figures = Vec::new();
    let spread = |members, callers, size, make: fn(u32, u32, RoundRobin) -> Part| {
        let fleet = fleet::<300, 1>(members);
        let mut served = vec![0u32; members as usize];
        for caller in 0..callers {
            for slot in part(make(caller, size, RoundRobin::new()), &fleet) {
                served[slot as usize] += 1;
            }
        }
        f64::from(served.iter().max().unwrap_or(&0) - served.iter().min().unwrap_or(&0))
    };
    for (members, callers, size, most) in [(300, 300, 30, 0.0), (100, 97, 10, 1.0), (100, 97, 32, 1.0)] {
        let name = format!("of callers per member, {callers} callers × {size} of {members}");
        let even = spread(members, callers, size, Part::even);
        figures.push(Figure::new(
            format!("even subsets: spread {name}"),
            even,
            Bound::AtMost(most),
            if most == 0.0 { source } else { "dealt on across decks" },
        ));
        let near = spread(members, callers, size, Part::rendezvous);
        figures.push(Figure::new(format!("– rendezvous subsets: spread {name}"), near, Bound::None, ""));
    }
    // One of a hundred members goes; which share of all places in subsets changes hands beyond its own?
    for (name, make, bound) in [
        ("even subsets", Part::even as fn(u32, u32, RoundRobin) -> Part, Bound::None),
        ("rendezvous subsets", Part::rendezvous, Bound::Exactly(0.0)),
    ] {
        let mut fleet = fleet::<300, 1>(100);
        let gone = fleet.id(17).expect("it is a member");
        let parts = |fleet: &Fleet<Inline<300>, Inline<1>>| -> Vec<_> {
            (0..97).map(|caller| part(make(caller, 10, RoundRobin::new()), fleet)).collect()
        };
        let before = parts(&fleet);
        fleet.remove(Instant::ZERO, gone).expect("it is a member");
        let after = parts(&fleet);
        let lost = |(before, after): (&BTreeSet<u32>, &BTreeSet<u32>)| {
            before.difference(after).filter(|slot| **slot != gone.slot()).count()
        };
        let moved: usize = before.iter().zip(&after).map(lost).sum();
        let of = if name.starts_with("even") { "– " } else { "" };
        figures.push(Figure::new(
            format!("{of}{name}: share of places that change though their member stayed, one of 100 goes"),
            moved as f64 / 970.0,
            bound,
            if of.is_empty() { "Thaler, Ravishankar 1998" } else { "" },
        ));
    }
    figures
}

/// Three zones, the traffic at odds with their sizes.
fn zone() -> Vec<Figure> {
    let mut fleet = Fleet::<Inline<16>, Inline<1>>::new(Duration::from_secs(1));
    for (name, zone) in [0, 1, 1, 1, 1, 2, 2, 2, 2, 2].into_iter().enumerate() {
        fleet.insert(Instant::ZERO, Member::new(&name.to_le_bytes()).zone(zone)).expect("there is room");
    }
    let inner = SmoothWeighted::<Inline<16>>::new();
    let mut policy = ZoneAware::<_, Inline<16>>::new(0, inner).counted();
    let mut rng = Xoshiro256PlusPlus::seed(4);
    let (mut counts, mut near) = ([0u32; 10], 0u32);
    const PICKS: u32 = 200_000;
    for _ in 0..PICKS {
        // 60 %, 20 % and 20 % of the traffic for 10 %, 40 % and 50 % of the members.
        let from = [0, 0, 0, 1, 2][rng.below(5) as usize];
        let request = Request::new().zone(from);
        let choice =
            policy.choose(Instant::ZERO, View::of(&fleet), &request, &mut rng).expect("somebody is ready");
        counts[choice.slot as usize] += 1;
        near += u32::from(fleet.zone(choice.slot) == from);
    }
    let mean = f64::from(PICKS) / 10.0;
    let off = counts.iter().map(|count| (f64::from(*count) / mean - 1.0).abs()).fold(0.0, f64::max);
    let source = "Envoy's zone aware law: all members carry the same";
    vec![
        Figure::new(
            "zone-aware: furthest from its share any member is, 60 % of traffic for 10 % of members",
            off,
            Bound::AtMost(0.02),
            source,
        ),
        Figure::new(
            "zone-aware: share that stays near",
            f64::from(near) / f64::from(PICKS),
            Bound::Within(0.5, 0.01),
            "Σ min(traffic, members)",
        ),
    ]
}
