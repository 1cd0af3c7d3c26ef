//! How evenly each ring spreads keys, and how few of them it moves.

use crate::figure::{Bound, Figure};
use divvy::fixed::Q32;
use divvy::ring::audit::{Audit, Moves, sample};
use divvy::ring::{Anchor, JumpBack, Karger, Maglev, MultiProbe, Node, Rendezvous, Ring};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Heap;

const SEEDS: u64 = 200;
const MILLION: u32 = 1_000_000;

pub(crate) fn figures() -> Vec<Figure> {
    [even(), disruption(), jumps(), tables(), bounded(), weighted()].concat()
}

fn float(number: Option<Q32>) -> f64 {
    number.map_or(f64::NAN, |number| number.to_bits() as f64 / 2f64.powi(32))
}

/// Other names for each seed.
fn members(seed: u64, nodes: u32) -> Vec<Node> {
    (0..nodes).map(|node| Node::new(node, format!("{seed}-node-{node}").as_bytes())).collect()
}

fn filled<R: Ring>(mut ring: R, nodes: &[Node]) -> R {
    for node in nodes {
        ring.insert(*node).expect("room for all");
    }
    ring
}

fn karger(nodes: &[Node]) -> Karger<Heap, Heap> {
    let weight: u32 = nodes.iter().map(Node::share).sum();
    let mut ring = Karger::with_capacity(nodes.len() as u32, 150 * weight);
    ring.extend(nodes).expect("room for all");
    ring
}

fn rendezvous(nodes: &[Node]) -> Rendezvous<Heap> {
    filled(Rendezvous::with_capacity(nodes.len() as u32), nodes)
}

/// Q1 and Q7: peaks.
fn even() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (nodes, most) in [(10, 1.14), (100, 1.23)] {
        let (mut peaks, mut squares) = (0.0, 0.0);
        for seed in 0..SEEDS {
            let mut audit = Audit::<Heap>::with_capacity(nodes);
            audit.measure(&karger(&members(seed, nodes))).expect("room for all");
            peaks += float(audit.peak());
            squares += audit.over_fair().map(|share| (float(Some(share)) - 1.0).powi(2)).sum::<f64>();
        }
        figures.push(Figure::new(
            format!("Karger ring: largest arc share over the mean, {nodes} nodes × 150 points, mean of {SEEDS} seeds"),
            peaks / SEEDS as f64,
            Bound::AtMost(most),
            "Karger et al. 1997, simulated",
        ));
        figures.push(Figure::new(
            format!("– the same, {nodes} nodes, standard deviation of a share over the mean"),
            (squares / (SEEDS as f64 * f64::from(nodes))).sqrt(),
            Bound::Within((f64::from(nodes - 1) / f64::from(150 * nodes + 1)).sqrt(), 0.002),
            "√((n − 1) ÷ (150 n + 1)): arcs of chance, Dirichlet",
        ));
    }
    for (nodes, most) in [(10, 1.06), (100, 1.06)] {
        let peaks = (0..SEEDS).map(|seed| {
            let ring = filled(MultiProbe::<Heap>::with_capacity(nodes), &members(seed, nodes));
            let most = probed(&ring).into_iter().map(|(_, share)| share).fold(0.0, f64::max);
            most * f64::from(nodes)
        });
        figures.push(Figure::new(
            format!(
                "multi-probe, 21 probes: largest share over the mean, {nodes} nodes, mean of {SEEDS} seeds"
            ),
            peaks.sum::<f64>() / SEEDS as f64,
            Bound::AtMost(most),
            "1 + 1 ÷ 20, and 1 % for chance: arXiv:1505.00062",
        ));
    }
    let ring = filled(MultiProbe::<Heap>::with_capacity(100), &members(0, 100));
    let mut audit = Audit::<Heap>::with_capacity(100);
    audit.count(&ring, sample(1, MILLION)).expect("room for all");
    let squares = probed(&ring).into_iter().map(|(id, share)| {
        let expected = share * f64::from(MILLION);
        (audit.shares()[id as usize].keys as f64 - expected).powi(2) / expected
    });
    figures.push(Figure::new(
        "multi-probe, 100 nodes: χ² over its freedom, shares of 1 M keys against those of independent probes",
        squares.sum::<f64>() / 99.0,
        Bound::Within(1.0, 0.43),
        "three standard deviations of χ²",
    ));
    figures
}

/// The share of each node when a key goes to the point closest behind any of 21 independent probes.
fn probed(ring: &MultiProbe<Heap>) -> Vec<(u32, f64)> {
    let mut arcs: Vec<(u32, f64)> = ring.arcs().map(|(id, arc)| (id, arc as f64 / 2f64.powi(32))).collect();
    arcs.sort_by(|a, b| a.1.total_cmp(&b.1));
    // A probe is further than d from its point with chance S(d) = Σ (arc − d) over the arcs longer than d. A node has
    // the share ∫ 21 S(d)²⁰ from 0 to its arc, which is taken from one arc's length to the next.
    let (mut total, mut from, mut share) = (1.0, 0.0, 0.0);
    let count = arcs.len();
    for (shorter, (_, arc)) in arcs.iter_mut().enumerate() {
        let longer = (count - shorter) as f64;
        let chance = |d: f64| f64::max(total - longer * d, 0.0).powi(21) / longer;
        share += chance(from) - chance(*arc);
        (total, from) = (total - *arc, *arc);
        *arc = share;
    }
    arcs
}

/// Q2: moves without a reason.
fn disruption() -> Vec<Figure> {
    let nodes = members(1, 20);
    let mut figures = Vec::new();
    let mut figure = |name: &str, needless: u64| {
        figures.push(Figure::new(
            format!("{name}: keys moved needlessly as each of 20 nodes goes and comes, 50,000 keys"),
            needless as f64,
            Bound::Exactly(0.0),
            "minimal disruption: Karger 1997, Thaler 1998, arXiv:1505.00062, arXiv:1812.09674",
        ));
    };
    figure("Karger ring", needless(&nodes, || karger(&nodes)));
    figure("rendezvous", needless(&nodes, || rendezvous(&nodes)));
    figure("multi-probe", needless(&nodes, || filled(MultiProbe::<Heap>::with_capacity(20), &nodes)));
    figure("anchor", needless(&nodes, || filled(Anchor::<Heap>::with_capacity(25), &nodes)));
    let heavy: Vec<Node> = nodes.iter().map(|node| node.weight(1 + node.id() % 3)).collect();
    figure("rendezvous, weights 1 to 3", needless(&heavy, || rendezvous(&heavy)));
    figures
}

fn needless<R: Ring>(nodes: &[Node], ring: impl Fn() -> R) -> u64 {
    let (before, mut after) = (ring(), ring());
    let mut moves = Moves::<Heap>::with_capacity(32);
    let mut needless = 0;
    for node in nodes {
        after.remove(node.id()).expect("a member");
        moves.count(&before, &after, sample(2, 50_000)).expect("room for all");
        needless += moves.needless();
        let without = moves.moved();
        moves.count(&after, &before, sample(2, 50_000)).expect("room for all");
        needless += moves.needless();
        assert_eq!(moves.moved(), without, "the way back is as long");
        after.insert(*node).expect("it had room before");
    }
    needless
}

/// Q3: what one more bucket takes.
fn jumps() -> Vec<Figure> {
    [10u32, 100]
        .map(|buckets| {
            let before = filled(JumpBack::<Heap>::with_capacity(buckets), &members(1, buckets));
            let after = filled(JumpBack::<Heap>::with_capacity(buckets + 1), &members(1, buckets + 1));
            let mut moves = Moves::<Heap>::with_capacity(buckets + 1);
            moves.count(&before, &after, sample(3, MILLION)).expect("room for all");
            let ideal = 1.0 / f64::from(buckets + 1);
            let moved = moves.moved() as f64 / f64::from(MILLION);
            vec![
                Figure::new(
                    format!(
                        "jump-back: keys moved from {buckets} to {} buckets over the ideal, 1 M keys",
                        buckets + 1
                    ),
                    moved / ideal,
                    Bound::Within(1.0, 0.01),
                    "1 ÷ (n + 1) of the keys: arXiv:2403.18682",
                ),
                Figure::new(
                    format!("– of them needlessly, {buckets} buckets"),
                    moves.needless() as f64,
                    Bound::Exactly(0.0),
                    "arXiv:2403.18682",
                ),
            ]
        })
        .concat()
}

/// Q4 to Q6: Maglev.
fn tables() -> Vec<Figure> {
    let table = |nodes: &[Node]| {
        let mut ring = Maglev::<Heap, Heap>::with_capacity(nodes.len() as u32, 65_537).expect("a prime");
        ring.extend(nodes).expect("room for all");
        ring
    };
    // Each entry is the slot of an even part of the hashes.
    let entries = || (0..65_537u128).map(|entry| (((entry << 64) + (1 << 63)) / 65_537) as u64);
    let nodes = members(1, 100);
    let full = table(&nodes);
    let mut audit = Audit::<Heap>::with_capacity(100);
    audit.count(&full, entries()).expect("room for all");
    let mut moves = Moves::<Heap>::with_capacity(100);
    let extra = nodes.iter().take(20).map(|gone| {
        let rest: Vec<Node> = nodes.iter().copied().filter(|node| node.id() != gone.id()).collect();
        moves.count(&full, &table(&rest), entries()).expect("room for all");
        (moves.moved() as f64 - moves.ideal() as f64) / 65_537.0 * 100.0
    });
    let extra = extra.sum::<f64>() / 20.0;
    let mut shuffled = nodes.clone();
    Xoshiro256PlusPlus::seed(4).shuffle(&mut shuffled);
    moves.count(&full, &table(&shuffled), entries()).expect("room for all");
    vec![
        Figure::new(
            "Maglev, 100 nodes, 65,537 entries: largest share over the mean",
            float(audit.peak()),
            Bound::AtMost(1.01),
            "Eisenbud et al., NSDI 2016",
        ),
        Figure::new(
            "– entries changed beyond the ideal when one of 100 nodes goes, in % of the table",
            extra,
            Bound::AtMost(0.60),
            "simulated from NSDI 2016: 0.57",
        ),
        Figure::new(
            "– entries that differ for another order of the nodes",
            moves.moved() as f64,
            Bound::Exactly(0.0),
            "envoy#20703",
        ),
    ]
}

/// Q8: bounded loads.
fn bounded() -> Vec<Figure> {
    const KEYS: u64 = 10_000;
    let nodes = members(1, 100);
    // The keys arrive in order, with room for so many beside them as `beside` says.
    let place = |ring: &Karger<Heap, Heap>, slack: Q32, beside: fn(u64) -> u64| -> (Vec<u32>, u64) {
        let mut loads = vec![0u64; 100];
        let owners = sample(5, KEYS as u32).zip(0u64..).map(|(hash, placed)| {
            let owner = ring.owner_bounded(hash, slack, beside(placed), |id| loads[id as usize]);
            let owner = owner.expect("there is always a node that may take one more");
            loads[owner as usize] += 1;
            owner
        });
        let owners: Vec<u32> = owners.collect();
        (owners, loads.into_iter().max().unwrap_or(0))
    };
    let mut figures = Vec::new();
    for (percent, moved_most) in [(110u64, None), (125, Some(1.1))] {
        let slack = Q32::from_ratio(percent, 100).expect("a ratio");
        let full = karger(&nodes);
        let (_, growing) = place(&full, slack, |placed| placed);
        let (owners, known) = place(&full, slack, |_| KEYS - 1);
        let bound = (percent * KEYS).div_ceil(100 * 100);
        let name = format!("bounded load on a Karger ring, slack {percent} %, 100 nodes, 10,000 keys");
        figures.push(Figure::new(
            format!("{name}: the most that a node holds"),
            growing.max(known) as f64,
            Bound::AtMost(bound as f64),
            "⌈(1 + ε) m ÷ n⌉: arXiv:1608.01350",
        ));
        // Over all nodes that may go: the keys that moved over those that the node held.
        let (mut moved, mut held) = (0, 0);
        for gone in nodes.iter().step_by(5) {
            let mut ring = karger(&nodes);
            ring.remove(gone.id()).expect("a member");
            let (after, _) = place(&ring, slack, |_| KEYS - 1);
            moved += owners.iter().zip(&after).filter(|(old, new)| old != new).count();
            held += owners.iter().filter(|owner| **owner == gone.id()).count();
        }
        figures.push(Figure::new(
            format!("{name}: keys moved as a node goes, over those it held"),
            moved as f64 / held as f64,
            moved_most.map_or(Bound::None, Bound::AtMost),
            "simulated: 1.06 at 25 %, 1.48 at 10 %",
        ));
    }
    figures
}

/// Q9: shares in proportion to weights.
fn weighted() -> Vec<Figure> {
    let nodes: Vec<Node> = members(1, 10).iter().map(|node| node.weight(1 + node.id())).collect();
    let mut audit = Audit::<Heap>::with_capacity(10);
    audit.count(&rendezvous(&nodes), sample(6, MILLION)).expect("room for all");
    let error = audit.over_fair().map(|share| (float(Some(share)) - 1.0).abs());
    vec![Figure::new(
        "rendezvous, weights 1 to 10: the largest error of a share, 1 M keys",
        error.fold(0.0, f64::max),
        Bound::AtMost(0.01),
        "w ÷ −log u: Schindelhauer and Schomaker 2005",
    )]
}
