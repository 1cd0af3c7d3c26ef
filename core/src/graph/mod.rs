//! Work that depends on other work: a directed acyclic graph of tasks.

use crate::heap::{self, Order};
use crate::storage::{Full, Inline, List, Storage};
use core::fmt;

/// A node of a [`Dag`]: its number in order of insertion.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NodeId(u32);

impl NodeId {
    /// The node's number: the first one inserted is 0.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NodeState {
    /// It has predecessors that are not done, or came after the last [`Dag::start`].
    Waiting,
    /// It may run.
    Ready,
    /// Somebody took it.
    Running,
    /// It is finished.
    Done,
}

/// Why two nodes were not connected. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no room for another edge. Remedy: a larger edge capacity.
    Full,
    /// One of the nodes is not of this graph. Remedy: use the ids that [`Dag::insert`] gave.
    UnknownNode,
    /// A node cannot wait for itself. Remedy: leave the edge out.
    SelfLoop,
    /// The later node has been taken already, so it can wait for nothing more. Remedy: connect before it is ready.
    TooLate,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the graph holds no more edges; choose a larger capacity",
            Self::UnknownNode => "a node is not of this graph; use the ids that insert gave",
            Self::SelfLoop => "a node cannot wait for itself",
            Self::TooLate => "the later node is already running or done",
        })
    }
}

impl core::error::Error for ConnectError {}

/// Why a node was not completed. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NodeError {
    /// The node is not of this graph. Remedy: use the ids that [`Dag::insert`] gave.
    Unknown,
    /// The node is not running but in this state. Remedy: complete what [`Dag::next_ready`] gave, once.
    NotRunning(NodeState),
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the node is not of this graph; use the ids that insert gave"),
            Self::NotRunning(state) => {
                write!(f, "the node is {state:?}, not Running; complete each node once")
            }
        }
    }
}

impl core::error::Error for NodeError {}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    cost: u64,
    /// The longest path from here to an end, this node's cost included.
    rank: u64,
    /// The first of the edges that leave.
    edges: u32,
    /// Predecessors that are not done.
    pending: u32,
    /// Scratch of [`Dag::start`]: predecessors not yet ordered; then, on a cycle, the node that comes before or after.
    link: u32,
    state: NodeState,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    to: u32,
    next: u32,
}

/// A graph of tasks, of which each runs when all those before it are done, the most urgent first.
///
/// Urgency is the critical-path rank: the cost of the longest chain from a node to an end. With costs alike, that is
/// the number of steps still to go; equal ranks go in order of insertion.
///
/// Nodes and edges may be added while others run; [`start`](Self::start) is then called again, checks the whole and
/// ranks it anew.
///
/// *When not to use it:* for independent tasks (use a queue), and where *what* runs next depends on more than order
/// (take all ready nodes and queue them by your own rule).
///
/// # Examples
///
/// ```
/// use divvy::graph::{Dag, NodeError, NodeState};
/// use divvy::storage::Inline;
///
/// let mut dag = Dag::<Inline<3>, Inline<3>>::new();
/// let (list, count, merge) = (dag.insert(1)?, dag.insert(5)?, dag.insert(2)?);
/// dag.connect(list, count)?;
/// dag.connect(count, merge)?;
/// dag.start().expect("there is no cycle");
/// assert_eq!(dag.critical_path(), 8);
///
/// assert_eq!(dag.next_ready(), Some(list));
/// assert_eq!(dag.next_ready(), None);
/// dag.complete(list)?;
/// assert_eq!(dag.next_ready(), Some(count));
/// // Completing twice, or out of turn, is refused:
/// assert_eq!(dag.complete(list), Err(NodeError::NotRunning(NodeState::Done)));
///
/// // A cycle is named with its path. Nothing runs until the graph is mended:
/// let mut wrong = Dag::<Inline<2>, Inline<2>>::new();
/// let (a, b) = (wrong.insert(1)?, wrong.insert(1)?);
/// wrong.connect(a, b)?;
/// wrong.connect(b, a)?;
/// let cycle = wrong.start().expect_err("a waits for b and b for a");
/// assert!(cycle.iter().eq([a, b]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// [`insert`](Self::insert) and [`connect`](Self::connect) *O*(1); [`start`](Self::start) *O*(nodes log nodes +
/// edges); [`next_ready`](Self::next_ready) *O*(log ready); [`complete`](Self::complete) *O*(log ready) for each edge
/// that leaves. 36 bytes a node, 8 an edge.
///
/// # References
///
/// The rank is HEFT's upward rank without communication: Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002. Any order that
/// leaves no worker idle is within 2 − 1/m of the best: Graham, SIAM J. Appl. Math. 17(2), 1969.
#[derive(Debug)]
pub struct Dag<N: Storage, E: Storage> {
    nodes: N::List<Node>,
    edges: E::List<Edge>,
    /// The ready nodes as a binary heap, the highest rank first. [`Dag::start`] orders the nodes in it.
    ready: N::List<u32>,
    done: u32,
}

impl<const N: usize, const E: usize> Default for Dag<Inline<N>, Inline<E>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const E: usize> Dag<Inline<N>, Inline<E>> {
    /// A graph without nodes, for up to `N` nodes and `E` edges.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N < NONE as usize && E < NONE as usize, "nodes and edges are numbered in 32 bits") };
        Self {
            nodes: heapless::Vec::new(),
            edges: heapless::Vec::new(),
            ready: heapless::Vec::new(),
            done: 0,
        }
    }
}

#[cfg(feature = "alloc")]
impl Dag<crate::storage::Heap, crate::storage::Heap> {
    /// A graph without nodes, for up to `nodes` nodes and `edges` edges, allocated now.
    #[must_use]
    pub fn with_capacity(nodes: u32, edges: u32) -> Self {
        use crate::storage::HeapList;
        let (nodes, edges) = (nodes.min(NONE - 1) as usize, edges.min(NONE - 1) as usize);
        Self {
            nodes: HeapList::with_capacity(nodes),
            edges: HeapList::with_capacity(edges),
            ready: HeapList::with_capacity(nodes),
            done: 0,
        }
    }
}

impl<N: Storage, E: Storage> Dag<N, E> {
    /// Adds a node that costs `cost`, in any unit that is the same for all. It becomes ready at the next
    /// [`start`](Self::start) or when its last predecessor is done.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the cost back; nothing changed.
    pub fn insert(&mut self, cost: u64) -> Result<NodeId, Full<u64>> {
        let id = NodeId(self.nodes.len() as u32);
        let node = Node { cost, rank: cost, edges: NONE, pending: 0, link: NONE, state: NodeState::Waiting };
        self.nodes.push(node).map_err(|_| Full(cost))?;
        Ok(id)
    }

    /// Makes `after` wait for `before`. Connecting the same two again has no further effect on the order.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; nothing changed. A cycle is not found here but by [`start`](Self::start).
    pub fn connect(&mut self, before: NodeId, after: NodeId) -> Result<(), ConnectError> {
        let (Some(from), Some(to)) = (self.node(before), self.node(after)) else {
            return Err(ConnectError::UnknownNode);
        };
        if before == after {
            return Err(ConnectError::SelfLoop);
        }
        if matches!(to.state, NodeState::Running | NodeState::Done) {
            return Err(ConnectError::TooLate);
        }
        let satisfied = from.state == NodeState::Done;
        let next = from.edges;
        let edge = self.edges.len() as u32;
        self.edges.push(Edge { to: after.0, next }).map_err(|_| ConnectError::Full)?;
        self.nodes[before.0 as usize].edges = edge;
        if !satisfied {
            let to = &mut self.nodes[after.0 as usize];
            to.pending += 1;
            // It may stand in the ready heap; what is taken from there is checked.
            to.state = NodeState::Waiting;
        }
        Ok(())
    }

    /// Checks that there is no cycle, ranks every node and makes those ready whose predecessors are done.
    ///
    /// Called before the first node runs, and again after nodes or edges were added.
    ///
    /// # Errors
    ///
    /// [`Cycle`] names nodes that wait for each other. No node is ready then; running ones may still complete.
    pub fn start(&mut self) -> Result<(), Cycle<'_, N, E>> {
        self.ready.clear();
        if !self.order() {
            self.ready.clear();
            for node in self.nodes.iter_mut().filter(|node| node.state == NodeState::Ready) {
                node.state = NodeState::Waiting;
            }
            let first = self.find_cycle();
            return Err(Cycle { dag: self, first });
        }
        for i in (0..self.ready.len()).rev() {
            let node = self.ready[i] as usize;
            let longest = self.successor_indices(node).map(|to| self.nodes[to].rank).max().unwrap_or(0);
            self.nodes[node].rank = self.nodes[node].cost.saturating_add(longest);
        }
        self.ready.clear();
        for i in 0..self.nodes.len() {
            let node = &mut self.nodes[i];
            if matches!(node.state, NodeState::Waiting | NodeState::Ready) {
                node.state = NodeState::Waiting;
                if node.pending == 0 {
                    self.make_ready(i);
                }
            }
        }
        Ok(())
    }

    /// Takes the ready node with the highest rank; it is then running.
    pub fn next_ready(&mut self) -> Option<NodeId> {
        loop {
            let first = self.ready.swap_remove(0)?;
            heap::sift_down(&mut self.ready, 0, &mut ByRank(&self.nodes));
            let node = &mut self.nodes[first as usize];
            // A node that got another predecessor after it was ready is not.
            if node.state == NodeState::Ready {
                node.state = NodeState::Running;
                return Some(NodeId(first));
            }
        }
    }

    /// Ends a running node. Those that waited for it alone become ready.
    ///
    /// # Errors
    ///
    /// [`NodeError`]; nothing changed.
    pub fn complete(&mut self, node: NodeId) -> Result<(), NodeError> {
        match self.state(node) {
            None => return Err(NodeError::Unknown),
            Some(NodeState::Running) => {}
            Some(state) => return Err(NodeError::NotRunning(state)),
        }
        self.nodes[node.0 as usize].state = NodeState::Done;
        self.done += 1;
        let mut edge = self.nodes[node.0 as usize].edges;
        while let Some(&Edge { to, next }) = self.edges.get(edge as usize) {
            let to = to as usize;
            self.nodes[to].pending -= 1;
            if self.nodes[to].pending == 0 {
                self.make_ready(to);
            }
            edge = next;
        }
        Ok(())
    }

    /// Where `node` stands, or `None` if it is not of this graph.
    #[must_use]
    pub fn state(&self, node: NodeId) -> Option<NodeState> {
        self.node(node).map(|node| node.state)
    }

    /// What `node` costs, or `None` if it is not of this graph.
    #[must_use]
    pub fn cost(&self, node: NodeId) -> Option<u64> {
        self.node(node).map(|node| node.cost)
    }

    /// The cost of the longest chain from `node` to an end, its own included, as of the last [`start`](Self::start);
    /// at most `u64::MAX`. `None` if the node is not of this graph.
    #[must_use]
    pub fn rank(&self, node: NodeId) -> Option<u64> {
        self.node(node).map(|node| node.rank)
    }

    /// How many edges lead to `node` from nodes that are not done, or `None` if it is not of this graph.
    #[must_use]
    pub fn predecessors_left(&self, node: NodeId) -> Option<u32> {
        self.node(node).map(|node| node.pending)
    }

    /// The nodes that wait for `node`, the edge added last first.
    pub fn successors(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.successor_indices(node.0 as usize).map(|to| NodeId(to as u32))
    }

    /// The cost of the longest chain in the graph: no number of workers finishes sooner.
    #[must_use]
    pub fn critical_path(&self) -> u64 {
        self.nodes.iter().map(|node| node.rank).max().unwrap_or(0)
    }

    /// The cost of all nodes, at most `u64::MAX`.
    #[must_use]
    pub fn total_cost(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.cost))
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many nodes are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done as usize
    }

    fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node.0 as usize)
    }

    fn successor_indices(&self, node: usize) -> impl Iterator<Item = usize> {
        let mut edge = self.nodes.get(node).map_or(NONE, |node| node.edges);
        core::iter::from_fn(move || {
            let &Edge { to, next } = self.edges.get(edge as usize)?;
            edge = next;
            Some(to as usize)
        })
    }

    /// Puts all nodes into `ready`, each after its predecessors. False if a cycle prevents it; `link` is then 0
    /// for those that could be put.
    fn order(&mut self) -> bool {
        for node in self.nodes.iter_mut() {
            node.link = 0;
        }
        for i in 0..self.nodes.len() {
            let mut edge = self.nodes[i].edges;
            while let Some(&Edge { to, next }) = self.edges.get(edge as usize) {
                self.nodes[to as usize].link += 1;
                edge = next;
            }
        }
        for i in 0..self.nodes.len() {
            if self.nodes[i].link == 0 {
                let _ = self.ready.push(i as u32);
            }
        }
        let mut at = 0;
        while let Some(&node) = self.ready.get(at) {
            let mut edge = self.nodes[node as usize].edges;
            while let Some(&Edge { to, next }) = self.edges.get(edge as usize) {
                let link = &mut self.nodes[to as usize].link;
                *link -= 1;
                if *link == 0 {
                    let _ = self.ready.push(to);
                }
                edge = next;
            }
            at += 1;
        }
        self.ready.len() == self.nodes.len()
    }

    /// Links the nodes of one cycle, each to the one after it, and names the lowest of them. Called when
    /// [`order`](Self::order) has left some out: those have a `link` above 0, and each of them a predecessor that was
    /// left out too, so that walking backwards must come round.
    fn find_cycle(&mut self) -> u32 {
        // From counts of predecessors to predecessors; the ordered nodes get none.
        for node in self.nodes.iter_mut() {
            node.link = if node.link == 0 { NONE } else { NONE - 1 };
        }
        for from in 0..self.nodes.len() {
            if self.nodes[from].link == NONE {
                continue;
            }
            let mut edge = self.nodes[from].edges;
            while let Some(&Edge { to, next }) = self.edges.get(edge as usize) {
                self.nodes[to as usize].link = from as u32;
                edge = next;
            }
        }
        let mut node = self.nodes.iter().position(|node| node.link != NONE).unwrap_or(0) as u32;
        for _ in 0..self.nodes.len() {
            node = self.nodes[node as usize].link;
        }
        // `node` is on the cycle. Turn its links round.
        let (start, mut lowest) = (node, node);
        let mut after = node;
        let mut at = self.nodes[node as usize].link;
        while at != start {
            let before = self.nodes[at as usize].link;
            self.nodes[at as usize].link = after;
            lowest = lowest.min(at);
            after = at;
            at = before;
        }
        self.nodes[start as usize].link = after;
        lowest
    }

    fn make_ready(&mut self, node: usize) {
        self.nodes[node].state = NodeState::Ready;
        // Each node enters at most once between two starts, except one that was made to wait again: it is still there.
        if self.ready.push(node as u32).is_err() {
            return;
        }
        let last = self.ready.len() - 1;
        heap::sift_up(&mut self.ready, last, &mut ByRank(&self.nodes));
    }
}

/// The highest rank first, equal ones in order of insertion.
struct ByRank<'a>(&'a [Node]);

impl Order<u32> for ByRank<'_> {
    fn before(&self, a: &u32, b: &u32) -> bool {
        (self.0[*a as usize].rank, b) > (self.0[*b as usize].rank, a)
    }
}

/// Nodes that wait for each other. Remedy: leave out one of the edges between them.
pub struct Cycle<'a, N: Storage, E: Storage> {
    dag: &'a Dag<N, E>,
    first: u32,
}

impl<N: Storage, E: Storage> Cycle<'_, N, E> {
    /// The nodes in order of dependency: each comes before the next, the last before the first. Starts with the one
    /// inserted first.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> {
        let mut next = Some(self.first);
        core::iter::from_fn(move || {
            let node = next?;
            let link = self.dag.nodes[node as usize].link;
            next = (link != self.first).then_some(link);
            Some(NodeId(node))
        })
    }
}

impl<N: Storage, E: Storage> fmt::Debug for Cycle<'_, N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<N: Storage, E: Storage> fmt::Display for Cycle<'_, N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these nodes wait for each other: ")?;
        for node in self.iter() {
            write!(f, "{} -> ", node.0)?;
        }
        write!(f, "{}", self.first)
    }
}

impl<N: Storage, E: Storage> core::error::Error for Cycle<'_, N, E> {}

#[cfg(test)]
mod tests;
