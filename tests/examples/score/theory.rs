//! Bounds that hold for any greedy scheduler: list scheduling against the optimum, work stealing against work and span.

use crate::figure::{Bound, Figure};
use crate::partition::optimum;
use core::time::Duration;
use divvy::Instant;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::realtime::{Dispatcher, Policy, Task};
use divvy::sched::{Next, Scheduler};
use divvy::storage::Heap;

pub(crate) fn figures() -> Vec<Figure> {
    [list_scheduling(), work_stealing()].concat()
}

fn list_scheduling() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(1966);
    let mut of_bound: f64 = 0.0;
    for _ in 0..2_000 {
        let (m, items) = (2 + rng.below(3), 3 + rng.below(8));
        let costs: Vec<u64> = (0..items).map(|_| 1 + rng.below_u64(30)).collect();
        let best = optimum(&costs, &mut vec![0; m as usize], u64::MAX);
        let graham = 2.0 - 1.0 / f64::from(m);
        of_bound = of_bound.max(in_list_order(&costs, m) as f64 / best as f64 / graham);
    }
    // Short ones first, and one at the end that is as long as all before it took.
    let worst: Vec<u64> = [1; 12].into_iter().chain([4]).collect();
    vec![
        Figure::new(
            "list scheduling (dispatcher, any order): makespan over 2 − 1/m times the optimum, largest of 2,000 small cases",
            of_bound,
            Bound::AtMost(1.0),
            "Graham 1966",
        ),
        Figure::new(
            "list scheduling: makespan over the optimum, the worst order for 4 cores",
            in_list_order(&worst, 4) as f64 / 4.0,
            Bound::Exactly(1.75),
            "2 − 1/m is tight: Graham 1966",
        ),
    ]
}

/// When the last of these is done, if a free core takes the first in the list.
fn in_list_order(costs: &[u64], cores: u32) -> u64 {
    let count = costs.len() as u32;
    let mut dispatcher = Dispatcher::<Heap, Heap>::with_capacity(Policy::FixedPriority, cores, count, count);
    for cost in costs {
        // One job each: the next ones are years away.
        let task = Task::new(Duration::from_nanos(*cost), Duration::MAX).expect("it takes some time");
        dispatcher.insert(Instant::ZERO, task).expect("there is room for all");
    }
    while dispatcher.advance(Instant::ZERO).is_some() {}
    let mut now = Instant::ZERO;
    loop {
        let mut running = Vec::new();
        for core in 0..cores {
            if let Some(job) = dispatcher.pick(now, core).job() {
                let executed = dispatcher.executed(job).unwrap_or_default();
                let left = Duration::from_nanos(costs[job.task() as usize]).saturating_sub(executed);
                running.push((now.saturating_add(left), job));
            }
        }
        let Some(next) = running.iter().map(|(done, _)| *done).min() else { return now.as_nanos() };
        now = next;
        for (_, job) in running.into_iter().filter(|(done, _)| *done == now) {
            dispatcher.complete(now, job).expect("it runs");
        }
    }
}

/// Nodes of a computation, each with the nodes that wait for it, and how long it takes.
#[derive(Default)]
struct Computation {
    followers: Vec<Vec<u32>>,
    awaits: Vec<u32>,
    costs: Vec<u64>,
}

impl Computation {
    fn node(&mut self, cost: u64) -> u32 {
        self.followers.push(Vec::new());
        self.awaits.push(0);
        self.costs.push(cost);
        self.costs.len() as u32 - 1
    }

    fn edge(&mut self, from: u32, to: u32) {
        self.followers[from as usize].push(to);
        self.awaits[to as usize] += 1;
    }

    /// A random composition, in series and in parallel, of about so many nodes: its first and its last one.
    fn compose(&mut self, size: u32, longest: u64, rng: &mut Xoshiro256PlusPlus) -> (u32, u32) {
        if size < 4 {
            let only = self.node(1 + rng.below_u64(longest));
            return (only, only);
        }
        let left = 1 + rng.below(size - 2);
        // More often parallel than serial, or little could be stolen.
        let parallel = rng.below(4) > 0;
        let (fork, join) = if parallel { (Some(self.node(1)), Some(self.node(1))) } else { (None, None) };
        let (first, first_end) = self.compose(left, longest, rng);
        let (second, second_end) = self.compose(size - left, longest, rng);
        match fork.zip(join) {
            Some((fork, join)) => {
                [first, second].into_iter().for_each(|begin| self.edge(fork, begin));
                [first_end, second_end].into_iter().for_each(|end| self.edge(end, join));
                (fork, join)
            }
            None => {
                self.edge(first_end, second);
                (first, second_end)
            }
        }
    }

    /// A balanced tree of forks and the joins to it.
    fn tree(&mut self, depth: u32) -> (u32, u32) {
        let fork = self.node(1);
        if depth == 0 {
            return (fork, fork);
        }
        let join = self.node(1);
        for _ in 0..2 {
            let (begin, end) = self.tree(depth - 1);
            self.edge(fork, begin);
            self.edge(end, join);
        }
        (fork, join)
    }

    /// A chain of which every node lets one more go that nobody waits for.
    fn spine(&mut self, length: u32) {
        let mut last = self.node(1);
        for _ in 0..length {
            let (next, side) = (self.node(1), self.node(1));
            self.edge(last, next);
            self.edge(last, side);
            last = next;
        }
    }

    fn work(&self) -> u64 {
        self.costs.iter().sum()
    }

    /// The longest path.
    fn span(&self) -> u64 {
        let mut awaits = self.awaits.clone();
        let mut ends = self.costs.clone();
        let mut ready: Vec<u32> =
            (0..).zip(&awaits).filter(|(_, awaits)| **awaits == 0).map(|(node, _)| node).collect();
        while let Some(node) = ready.pop() {
            for &next in &self.followers[node as usize] {
                let through = ends[node as usize] + self.costs[next as usize];
                ends[next as usize] = ends[next as usize].max(through);
                awaits[next as usize] -= 1;
                if awaits[next as usize] == 0 {
                    ready.push(next);
                }
            }
        }
        ends.into_iter().max().unwrap_or(0)
    }

    /// When the last node is done, on so many workers of the scheduler. Going around the others to steal takes a unit of time,
    /// or one for each attempt on the way.
    fn stolen(&self, workers: u32, seed: u64, cost: Cost) -> u64 {
        let sched = Scheduler::<u32, Heap, Heap, Heap>::with_capacity(workers as usize, 1 << 10, 16)
            .expect("valid capacities");
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut lanes: Vec<_> =
            (0..workers).map(|index| sched.worker(index).expect("nobody is it yet")).collect();
        let mut awaits = self.awaits.clone();
        for root in (0..).zip(&awaits).filter(|(_, awaits)| **awaits == 0).map(|(node, _)| node) {
            // They sleep never, so nobody need be woken.
            let _ = lanes[0].push(root).expect("there is room");
        }
        // When each acts next, and the node that it has in hand then.
        let mut acts: Vec<(u64, Option<u32>)> = vec![(0, None); workers as usize];
        let mut left = self.costs.len();
        loop {
            let (index, (now, done)) = acts
                .iter()
                .copied()
                .enumerate()
                .min_by_key(|(index, (at, _))| (*at, *index))
                .expect("there is one");
            if let Some(node) = done {
                left -= 1;
                if left == 0 {
                    return now;
                }
                for &next in &self.followers[node as usize] {
                    awaits[next as usize] -= 1;
                    if awaits[next as usize] == 0 {
                        let _ = lanes[index].push(next).expect("there is room");
                    }
                }
            }
            let before = lanes[index].stats().steal_attempts;
            let next = lanes[index].next(&mut rng);
            let attempts = u64::from(lanes[index].stats().steal_attempts.wrapping_sub(before));
            let attempts = if cost == Cost::Round { attempts.min(1) } else { attempts };
            acts[index] = match next {
                Next::Task { task, .. } => (now + attempts + self.costs[task as usize], Some(task)),
                _ => (now + attempts.max(1), None),
            };
        }
    }
}

fn computations() -> Vec<Computation> {
    let mut rng = Xoshiro256PlusPlus::seed(1999);
    let mut all = Vec::new();
    for _ in 0..12 {
        for (size, longest) in [(500, 1), (5_000, 1), (2_000, 40)] {
            let mut random = Computation::default();
            random.compose(size, longest, &mut rng);
            all.push(random);
        }
    }
    for depth in [4, 8, 12] {
        let mut tree = Computation::default();
        tree.tree(depth);
        all.push(tree);
    }
    for length in [50, 1_000] {
        let mut spine = Computation::default();
        spine.spine(length);
        all.push(spine);
    }
    all
}

/// What takes a unit of time while a worker looks for something to steal.
#[derive(Clone, Copy, PartialEq)]
enum Cost {
    Round,
    Attempt,
}

/// For each computation, what each of several runs took beyond the work of each worker, in spans.
fn constants(workers: u32, cost: Cost, computations: &[Computation]) -> Vec<[f64; SEEDS]> {
    let each = |computation: &Computation| {
        let (work, span) = (computation.work() as f64, computation.span() as f64);
        core::array::from_fn(|seed| {
            let time = computation.stolen(workers, seed as u64, cost) as f64;
            (time - work / f64::from(workers)) / span
        })
    };
    computations.iter().map(each).collect()
}

fn work_stealing() -> Vec<Figure> {
    let computations = computations();
    let mut figures = Vec::new();
    for workers in [2, 4, 8, 16] {
        let largest =
            |cost| constants(workers, cost, &computations).into_iter().flatten().fold(f64::MIN, f64::max);
        figures.extend([
            Figure::new(
                format!(
                    "work stealing: c in T = T1/P + c T∞, largest of {} runs, {workers} workers, a unit of time a round of attempts",
                    computations.len() * SEEDS
                ),
                largest(Cost::Round),
                Bound::AtMost(STEALING),
                "own; O(T∞): Blumofe and Leiserson 1999",
            ),
            Figure::new(
                format!("– the same, {workers} workers, a unit each attempt: a round that finds nothing is paid in full"),
                largest(Cost::Attempt),
                Bound::None,
                "",
            ),
        ]);
    }
    figures
}

const SEEDS: usize = 10;

/// The constant that every run keeps to.
const STEALING: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_run_beats_the_lower_bounds_and_none_exceeds_work_and_span() {
        for computation in computations() {
            let (work, span) = (computation.work(), computation.span());
            assert_eq!(computation.stolen(1, 7, Cost::Attempt), work);
            for workers in [2, 3, 16] {
                let time = computation.stolen(workers, 7, Cost::Round);
                assert!(time >= span.max(work.div_ceil(workers.into())));
                assert!((time as f64) <= work as f64 / f64::from(workers) + STEALING * span as f64);
            }
        }
    }

    #[test]
    fn any_order_is_within_grahams_bound() {
        let mut rng = Xoshiro256PlusPlus::seed(2);
        for _ in 0..500 {
            let (m, items) = (1 + rng.below(4), 1 + rng.below(7));
            let costs: Vec<u64> = (0..items).map(|_| 1 + rng.below_u64(12)).collect();
            let best = optimum(&costs, &mut vec![0; m as usize], u64::MAX);
            let made = in_list_order(&costs, m);
            assert!(best <= made && u64::from(m) * made <= (2 * u64::from(m) - 1) * best, "{costs:?} {m}");
        }
    }
}
