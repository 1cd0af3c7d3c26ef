//! Dispatch by critical path on a thousand graphs, beside the least time that any order would take.

use crate::figure::{Bound, Figure};
use divvy::graph::{Dag, NodeId};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Heap;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

const GRAPHS: u64 = 1_000;
const WORKERS: [u64; 4] = [2, 4, 8, 16];

pub(crate) fn figures() -> Vec<Figure> {
    let graphs: Vec<Graph> = (0..GRAPHS).map(Graph::seeded).collect();
    let mut figures = Vec::new();
    let wrong = graphs.iter().filter(|graph| graph.dag().critical_path() != graph.longest_path()).count();
    figures.push(Figure::new(
        "graph: wrong critical paths, 1,000 graphs (layers, fork and join, random, chains)",
        wrong as f64,
        Bound::Exactly(0.0),
        "longest path by dynamic programming",
    ));
    for workers in WORKERS {
        let ratios = |order| -> Vec<f64> {
            let ratio =
                |graph: &Graph| graph.makespan(workers, order) as f64 / graph.lower_bound(workers) as f64;
            graphs.iter().map(ratio).collect()
        };
        let mean = |ratios: &[f64]| ratios.iter().sum::<f64>() / ratios.len() as f64;
        let worst = |ratios: &[f64]| ratios.iter().copied().fold(0.0, f64::max);
        let [critical, arrival, chance] = [Order::CriticalPath, Order::Arrival, Order::Chance].map(ratios);
        let best = critical.iter().filter(|ratio| **ratio == 1.0).count();
        figures.extend([
            Figure::new(
                format!("graph: worst time over the lower bound, {workers} workers"),
                worst(&critical),
                Bound::AtMost(2.0 - 1.0 / workers as f64),
                "2 − 1/m: Graham 1969",
            ),
            Figure::new(
                format!(
                    "graph: mean time over the lower bound, {workers} workers ({best} of 1,000 reach it)"
                ),
                mean(&critical),
                Bound::AtMost(mean(&arrival).min(mean(&chance))),
                "the better of the next two",
            ),
            Figure::new(
                format!("– the same in order of arrival, {workers} workers (worst {:.4})", worst(&arrival)),
                mean(&arrival),
                Bound::None,
                "",
            ),
            Figure::new(
                format!("– the same in random order, {workers} workers (worst {:.4})", worst(&chance)),
                mean(&chance),
                Bound::None,
                "",
            ),
        ]);
    }
    figures
}

/// Which of the ready tasks a free worker takes.
#[derive(Clone, Copy)]
enum Order {
    CriticalPath,
    Arrival,
    Chance,
}

/// Costs, and edges from lower to higher indices.
struct Graph {
    costs: Vec<u64>,
    edges: Vec<(usize, usize)>,
}

impl Graph {
    fn seeded(seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut graph = Self { costs: Vec::new(), edges: Vec::new() };
        match seed % 4 {
            0 => graph.layers(&mut rng),
            1 => graph.fork_join(&mut rng),
            2 => graph.random(&mut rng),
            _ => graph.chains(&mut rng),
        }
        graph
    }

    /// Costs from 1 to some thousand, small ones being more frequent.
    fn add(&mut self, rng: &mut impl Rng) -> usize {
        let shift = rng.below(7);
        self.costs.push(1 + u64::from(rng.below(4_096) >> shift));
        self.costs.len() - 1
    }

    /// Layers in which each task waits for some of the layer before.
    fn layers(&mut self, rng: &mut impl Rng) {
        let mut before: Vec<usize> = Vec::new();
        for _ in 0..2 + rng.below(10) {
            let layer: Vec<usize> = (0..1 + rng.below(20)).map(|_| self.add(rng)).collect();
            for &node in &layer {
                for &parent in &before {
                    if rng.below(4) == 0 {
                        self.edges.push((parent, node));
                    }
                }
            }
            before = layer;
        }
    }

    /// A task, many that wait for it, one that waits for them, and so on: a pipeline of fan-outs.
    fn fork_join(&mut self, rng: &mut impl Rng) {
        let mut last = self.add(rng);
        for _ in 0..1 + rng.below(5) {
            let width = 1 + rng.below(40);
            let fan: Vec<usize> = (0..width).map(|_| self.add(rng)).collect();
            let join = self.add(rng);
            for node in fan {
                self.edges.extend([(last, node), (node, join)]);
            }
            last = join;
        }
    }

    /// Any two tasks may depend on each other, seldom or often.
    fn random(&mut self, rng: &mut impl Rng) {
        let count = 1 + rng.below(120) as usize;
        let one_in = 2 + rng.below(60);
        for node in 0..count {
            self.add(rng);
            self.edges.extend((0..node).filter(|_| rng.below(one_in) == 0).map(|parent| (parent, node)));
        }
    }

    /// Chains side by side, a few of which wait for one another.
    fn chains(&mut self, rng: &mut impl Rng) {
        for _ in 0..1 + rng.below(20) {
            let start = self.add(rng);
            for _ in 0..rng.below(15) {
                let node = self.add(rng);
                self.edges.push((node - 1, node));
            }
            if start > 0 && rng.below(4) == 0 {
                self.edges.push((rng.below(start as u32) as usize, start));
            }
        }
    }

    fn dag(&self) -> Dag<Heap, Heap> {
        let mut dag = Dag::<Heap, Heap>::with_capacity(self.costs.len() as u32, self.edges.len() as u32);
        let ids: Vec<NodeId> =
            self.costs.iter().map(|cost| dag.insert(*cost).expect("there is room")).collect();
        for &(before, after) in &self.edges {
            dag.connect(ids[before], ids[after]).expect("there is room for each edge");
        }
        dag.start().expect("edges lead from lower to higher indices");
        dag
    }

    fn longest_path(&self) -> u64 {
        let mut ends = self.costs.clone();
        let mut edges = self.edges.clone();
        edges.sort_unstable();
        // From the first index on: all edges into a node come from lower ones, whose ends are final.
        for (before, after) in edges {
            ends[after] = ends[after].max(ends[before] + self.costs[after]);
        }
        ends.into_iter().max().unwrap_or(0)
    }

    /// What no order can be quicker than.
    fn lower_bound(&self, workers: u64) -> u64 {
        let longest_task = self.costs.iter().copied().max().unwrap_or(0);
        let share = self.costs.iter().sum::<u64>().div_ceil(workers);
        longest_task.max(share).max(self.longest_path())
    }

    /// The time at which the last task ends if no worker is idle while a task is ready.
    fn makespan(&self, workers: u64, order: Order) -> u64 {
        let mut dag = self.dag();
        let mut rng = Xoshiro256PlusPlus::seed(self.costs.len() as u64);
        let mut ready = VecDeque::new();
        let mut running = BinaryHeap::new();
        let mut now = 0;
        loop {
            while running.len() < workers as usize {
                let next = match order {
                    Order::CriticalPath => dag.next_ready(),
                    Order::Arrival | Order::Chance => {
                        let came = ready.len();
                        while let Some(node) = dag.next_ready() {
                            ready.push_back(node);
                        }
                        // Of those that became ready together, the first inserted is the first to arrive.
                        ready.make_contiguous()[came..].sort_by_key(|node| node.index());
                        match order {
                            Order::Chance => ready.swap_remove_back(rng.below(ready.len() as u32) as usize),
                            _ => ready.pop_front(),
                        }
                    }
                };
                let Some(node) = next else { break };
                running.push(Reverse((now + self.costs[node.index() as usize], node.index(), node)));
            }
            let Some(Reverse((end, _, node))) = running.pop() else { break };
            now = end;
            dag.complete(node).expect("it is running");
        }
        assert_eq!(dag.done(), dag.len(), "every task ran");
        now
    }
}
