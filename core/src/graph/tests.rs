use super::*;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

type Small = Dag<Inline<16>, Inline<64>>;

fn build(costs: &[u64], edges: &[(u32, u32)]) -> Small {
    let mut dag = Small::new();
    for cost in costs {
        dag.insert(*cost).unwrap();
    }
    for (from, to) in edges {
        dag.connect(NodeId(*from), NodeId(*to)).unwrap();
    }
    dag
}

#[test]
fn the_longest_chain_goes_first() {
    // 0 → 1 → 2 is shorter than 3 → 4; 5 stands alone.
    let mut dag = build(&[1, 1, 1, 1, 9, 2], &[(0, 1), (1, 2), (3, 4)]);
    dag.start().unwrap();
    assert_eq!((dag.critical_path(), dag.total_cost()), (10, 15));
    let order: Vec<u32> = core::iter::from_fn(|| dag.next_ready()).map(NodeId::index).collect();
    assert_eq!(order, [3, 0, 5]);
}

#[test]
fn equal_ranks_go_in_order_of_insertion() {
    let mut dag = build(&[1; 9], &[]);
    dag.start().unwrap();
    let order: Vec<u32> = core::iter::from_fn(|| dag.next_ready()).map(NodeId::index).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_cycle_is_named_without_what_leads_to_it_or_follows_from_it() {
    // 0 → 1 → 2 → 3 → 1, 3 → 4 → 5.
    let mut dag = build(&[1; 6], &[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4), (4, 5)]);
    let cycle = dag.start().unwrap_err();
    assert_eq!(cycle.iter().map(NodeId::index).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(cycle.to_string(), "these nodes wait for each other: 1 -> 2 -> 3 -> 1");
    assert_eq!(dag.next_ready(), None);
}

#[test]
fn bad_edges_and_completions_are_refused_and_change_nothing() {
    let mut dag = Dag::<Inline<2>, Inline<1>>::new();
    let (a, b) = (dag.insert(1).unwrap(), dag.insert(1).unwrap());
    assert_eq!(dag.insert(7), Err(Full(7)));
    assert_eq!(dag.connect(a, a), Err(ConnectError::SelfLoop));
    assert_eq!(dag.connect(a, NodeId(9)), Err(ConnectError::UnknownNode));
    dag.connect(a, b).unwrap();
    assert_eq!(dag.connect(a, b), Err(ConnectError::Full));
    dag.start().unwrap();
    assert_eq!(dag.complete(NodeId(9)), Err(NodeError::Unknown));
    assert_eq!(dag.complete(a), Err(NodeError::NotRunning(NodeState::Ready)));
    assert_eq!(dag.next_ready(), Some(a));
    assert_eq!(dag.connect(b, a), Err(ConnectError::TooLate));
    assert_eq!(dag.predecessors_left(b), Some(1));
    dag.complete(a).unwrap();
    assert_eq!((dag.state(b), dag.done()), (Some(NodeState::Ready), 1));
}

#[test]
fn a_graph_grows_while_it_runs() {
    let mut dag = build(&[1, 1], &[(0, 1)]);
    dag.start().unwrap();
    let list = dag.next_ready().unwrap();
    dag.complete(list).unwrap();
    // `list` found two items: they come between it and the merge, which was ready already.
    let merge = NodeId(1);
    assert_eq!(dag.state(merge), Some(NodeState::Ready));
    for cost in [3, 5] {
        let item = dag.insert(cost).unwrap();
        dag.connect(list, item).unwrap();
        dag.connect(item, merge).unwrap();
    }
    assert_eq!(dag.next_ready(), None, "the merge has to wait again, the items for start");
    dag.start().unwrap();
    let (long, short) = (dag.next_ready().unwrap(), dag.next_ready().unwrap());
    assert_eq!((dag.cost(long), dag.cost(short), dag.next_ready()), (Some(5), Some(3), None));
    dag.complete(short).unwrap();
    dag.complete(long).unwrap();
    assert_eq!(dag.next_ready(), Some(merge));
}

proptest! {
    /// Random graphs run to the end: each node once, never before its predecessors, the most urgent ready one first.
    #[test]
    fn every_node_runs_once_after_its_predecessors(
        costs in prop::collection::vec(0u64..50, 1..16),
        pairs in prop::collection::vec((0u32..16, 0u32..16), 0..40),
        seed: u64,
    ) {
        let n = costs.len() as u32;
        // Edges go from lower to higher numbers of a random order, so there is no cycle.
        let mut order: Vec<u32> = (0..n).collect();
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        rng.shuffle(&mut order);
        let edges: Vec<(u32, u32)> = pairs
            .into_iter()
            .map(|(a, b)| (a % n, b % n))
            .filter(|(a, b)| a != b)
            .map(|(a, b)| (order[a.min(b) as usize], order[a.max(b) as usize]))
            .collect();
        let mut dag = build(&costs, &edges);
        dag.start().unwrap();

        // Ranks against their definition.
        for node in 0..n {
            let after = edges.iter().filter(|(from, _)| *from == node).map(|(_, to)| dag.rank(NodeId(*to)).unwrap());
            prop_assert_eq!(dag.rank(NodeId(node)), Some(costs[node as usize] + after.max().unwrap_or(0)));
        }
        prop_assert_eq!(dag.critical_path(), (0..n).map(|i| dag.rank(NodeId(i)).unwrap()).max().unwrap());

        let mut done = BTreeSet::new();
        let mut running = Vec::new();
        while done.len() < n as usize {
            let ready: Vec<u32> =
                (0..n).filter(|i| dag.state(NodeId(*i)) == Some(NodeState::Ready)).collect();
            let expected: Vec<u32> = (0..n)
                .filter(|i| !done.contains(i) && !running.contains(i))
                .filter(|i| edges.iter().all(|(from, to)| to != i || done.contains(from)))
                .collect();
            prop_assert_eq!(&ready, &expected);
            if rng.below(2) == 0 || running.is_empty() {
                let best = ready.iter().copied().max_by_key(|i| (dag.rank(NodeId(*i)), core::cmp::Reverse(*i)));
                prop_assert_eq!(dag.next_ready().map(NodeId::index), best);
                running.extend(best);
            } else {
                let node = running.swap_remove(rng.below(running.len() as u32) as usize);
                dag.complete(NodeId(node)).unwrap();
                prop_assert!(done.insert(node));
            }
        }
        prop_assert_eq!(dag.next_ready(), None);
        prop_assert_eq!(dag.done(), n as usize);
    }

    /// Any graph either starts or names a real cycle: every step of it is an edge.
    #[test]
    fn a_graph_starts_or_names_a_cycle(
        n in 1u32..12,
        pairs in prop::collection::vec((0u32..12, 0u32..12), 0..40),
    ) {
        let edges: Vec<(u32, u32)> =
            pairs.into_iter().map(|(a, b)| (a % n, b % n)).filter(|(a, b)| a != b).collect();
        let mut dag = build(&vec![1; n as usize], &edges);
        // Reachability by repeated squaring of the relation decides independently.
        let mut reach = vec![vec![false; n as usize]; n as usize];
        for (a, b) in &edges {
            reach[*a as usize][*b as usize] = true;
        }
        for k in 0..n as usize {
            for i in 0..n as usize {
                for j in 0..n as usize {
                    reach[i][j] |= reach[i][k] && reach[k][j];
                }
            }
        }
        let cyclic = (0..n as usize).any(|i| reach[i][i]);
        match dag.start() {
            Ok(()) => prop_assert!(!cyclic),
            Err(cycle) => {
                prop_assert!(cyclic);
                let path: Vec<u32> = cycle.iter().map(NodeId::index).collect();
                let distinct: BTreeSet<u32> = path.iter().copied().collect();
                prop_assert_eq!(distinct.len(), path.len());
                for (i, node) in path.iter().enumerate() {
                    prop_assert!(edges.contains(&(*node, path[(i + 1) % path.len()])));
                }
                prop_assert_eq!(path.first(), distinct.first());
            }
        }
    }
}

#[cfg(feature = "alloc")]
#[test]
fn a_heap_graph_holds_what_was_asked_for() {
    let mut dag = Dag::<crate::storage::Heap, crate::storage::Heap>::with_capacity(1, 0);
    assert!(dag.insert(1).is_ok());
    assert_eq!(dag.insert(2), Err(Full(2)));
}
