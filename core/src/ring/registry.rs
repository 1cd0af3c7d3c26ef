//! The algorithms by name, for configuration files and command lines.

use super::{Ketama, Node};
use core::fmt;
use core::str::FromStr;

/// An algorithm that places keys on nodes.
///
/// # Examples
///
/// ```
/// use divvy::ring::Algorithm;
///
/// assert_eq!("multi-probe".parse(), Ok(Algorithm::MultiProbe));
/// let refusal = "multiprobe".parse::<Algorithm>().unwrap_err();
/// assert!(refusal.to_string().contains("multi-probe"));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Algorithm {
    /// [`Karger`](super::Karger): a circle of points.
    Karger,
    /// [`Ketama`](super::Ketama): the circle of nginx.
    Ketama,
    /// [`MultiProbe`](super::MultiProbe): few points, many looks.
    MultiProbe,
    /// [`Rendezvous`](super::Rendezvous): the highest score of all nodes.
    Rendezvous,
    /// [`Maglev`](super::Maglev): a table.
    Maglev,
    /// [`Anchor`](super::Anchor): buckets any of which may go.
    Anchor,
    /// [`JumpBack`](super::JumpBack): buckets the last of which may go.
    JumpBack,
}

impl Algorithm {
    /// Every one of them, as they are listed to users.
    pub const ALL: [Self; 7] = [
        Self::Karger,
        Self::Ketama,
        Self::MultiProbe,
        Self::Rendezvous,
        Self::Maglev,
        Self::Anchor,
        Self::JumpBack,
    ];

    /// What users call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Karger => "karger",
            Self::Ketama => "ketama",
            Self::MultiProbe => "multi-probe",
            Self::Rendezvous => "rendezvous",
            Self::Maglev => "maglev",
            Self::Anchor => "anchor",
            Self::JumpBack => "jump-back",
        }
    }

    /// A node of weight 1 that the caller numbers `id` and that is called `name`, as this algorithm knows it.
    #[must_use]
    pub const fn node(self, id: u32, name: &[u8]) -> Node {
        match self {
            Self::Ketama => Ketama::server(id, name),
            _ => Node::new(id, name),
        }
    }
}

/// The name.
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No algorithm has this name. Remedy: one of the names that the message lists.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownAlgorithm;

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no ring algorithm has this name; there are ")?;
        for (at, algorithm) in Algorithm::ALL.into_iter().enumerate() {
            let separator = match at {
                0 => "",
                _ if at + 1 == Algorithm::ALL.len() => " and ",
                _ => ", ",
            };
            write!(f, "{separator}{algorithm}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownAlgorithm {}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or(UnknownAlgorithm)
    }
}

#[cfg(feature = "alloc")]
pub use any::Any;

#[cfg(feature = "alloc")]
mod any {
    use super::super::maglev::table_size;
    use super::super::{
        Anchor, ChangeError, JumpBack, Karger, Ketama, Maglev, MultiProbe, Node, Rendezvous, Ring,
    };
    use super::Algorithm;
    use crate::storage::Heap;
    use core::ops::ControlFlow;

    /// Points of a [`Karger`] ring for each unit of weight.
    const KARGER: u32 = 150;
    /// Points of a [`Ketama`] ring for each unit of weight.
    const KETAMA: u32 = 160;
    /// Entries of a [`Maglev`] table for each unit of weight, or for each node if that were too many.
    const ENTRIES: u32 = 100;
    /// How many entries are enough where weights are large.
    const AMPLE: u32 = 65_537;
    /// More points than this are not made room for.
    const MOST: u32 = 1 << 24;

    /// A ring of an algorithm chosen at run time.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy::ring::{Algorithm, Ring};
    ///
    /// for algorithm in Algorithm::ALL {
    ///     let mut ring = algorithm.ring(2, 3);
    ///     ring.insert(algorithm.node(0, b"a"))?;
    ///     ring.insert(algorithm.node(1, b"b").weight(2))?;
    ///     assert!(ring.owner_of(b"user:42").is_some());
    /// }
    /// # Ok::<(), divvy::ring::ChangeError>(())
    /// ```
    #[derive(Debug)]
    #[non_exhaustive]
    pub enum Any {
        /// [`Algorithm::Karger`].
        Karger(Karger<Heap, Heap>),
        /// [`Algorithm::Ketama`].
        Ketama(Ketama<Heap, Heap>),
        /// [`Algorithm::MultiProbe`].
        MultiProbe(MultiProbe<Heap>),
        /// [`Algorithm::Rendezvous`].
        Rendezvous(Rendezvous<Heap>),
        /// [`Algorithm::Maglev`].
        Maglev(Maglev<Heap, Heap>),
        /// [`Algorithm::Anchor`].
        Anchor(Anchor<Heap>),
        /// [`Algorithm::JumpBack`].
        JumpBack(JumpBack<Heap>),
    }

    impl Algorithm {
        /// An empty ring with room for `nodes` nodes whose weights sum to at most `weight`.
        ///
        /// Points: 150 for each unit of weight ([`Algorithm::Ketama`] 160, [`Algorithm::MultiProbe`] 1), together at
        /// most 2²⁴. Maglev's table: 100 entries for each unit of weight, but no more than 65,537 or 100 for each node.
        /// Anchor: twice the weight, at most 65,535. What does not fit is [`ChangeError::Full`] when it is inserted.
        #[must_use]
        pub fn ring(self, nodes: u32, weight: u32) -> Any {
            let room = Room::new(nodes, weight);
            match self {
                Self::Karger => Any::Karger(Karger::with_capacity(nodes, room.points(KARGER))),
                Self::Ketama => Any::Ketama(Ketama::with_capacity(nodes, room.points(KETAMA))),
                Self::MultiProbe => Any::MultiProbe(MultiProbe::with_capacity(room.points(1))),
                Self::Rendezvous => Any::Rendezvous(Rendezvous::with_capacity(nodes)),
                Self::Maglev => Any::Maglev(
                    // A size that `entries` answers is a prime.
                    Maglev::with_capacity(nodes, room.entries()).unwrap_or_else(|_| unreachable!()),
                ),
                Self::Anchor => Any::Anchor(Anchor::with_capacity(room.buckets())),
                Self::JumpBack => Any::JumpBack(JumpBack::with_capacity(nodes)),
            }
        }

        /// About how many bytes [`ring`](Self::ring) allocates for so many nodes and so much weight.
        #[must_use]
        pub fn bytes(self, nodes: u32, weight: u32) -> u64 {
            let room = Room::new(nodes, weight);
            let members = 24 * u64::from(nodes);
            match self {
                Self::Karger => members + 12 * u64::from(room.points(KARGER)),
                Self::Ketama => members + 12 * u64::from(room.points(KETAMA)),
                Self::MultiProbe => 36 * u64::from(room.points(1)),
                Self::Rendezvous => members,
                Self::Maglev => 2 * members + 8 * u64::from(room.entries()),
                Self::Anchor => 40 * u64::from(room.buckets()),
                Self::JumpBack => members + 4 * u64::from(nodes),
            }
        }
    }

    /// What a ring must have room for.
    struct Room {
        nodes: u32,
        weight: u32,
    }

    impl Room {
        /// Nodes without weight take up room as well where nodes and their weights share it.
        fn new(nodes: u32, weight: u32) -> Self {
            Self { nodes, weight: weight.max(nodes) }
        }

        fn points(&self, each: u32) -> u32 {
            self.weight.saturating_mul(each).min(MOST)
        }

        fn entries(&self) -> u32 {
            let most = self.nodes.saturating_mul(ENTRIES).max(AMPLE);
            let entries = self.weight.saturating_mul(ENTRIES).min(most).max(2);
            table_size(entries).unwrap_or(16_777_213)
        }

        fn buckets(&self) -> u32 {
            self.weight.saturating_mul(2).min(u16::MAX.into())
        }
    }

    /// The same on whichever ring it is.
    macro_rules! on {
        ($any:expr, $ring:ident => $do:expr) => {
            match $any {
                Any::Karger($ring) => $do,
                Any::Ketama($ring) => $do,
                Any::MultiProbe($ring) => $do,
                Any::Rendezvous($ring) => $do,
                Any::Maglev($ring) => $do,
                Any::Anchor($ring) => $do,
                Any::JumpBack($ring) => $do,
            }
        };
    }

    impl Any {
        /// Which algorithm it is.
        #[must_use]
        pub const fn algorithm(&self) -> Algorithm {
            match self {
                Self::Karger(_) => Algorithm::Karger,
                Self::Ketama(_) => Algorithm::Ketama,
                Self::MultiProbe(_) => Algorithm::MultiProbe,
                Self::Rendezvous(_) => Algorithm::Rendezvous,
                Self::Maglev(_) => Algorithm::Maglev,
                Self::Anchor(_) => Algorithm::Anchor,
                Self::JumpBack(_) => Algorithm::JumpBack,
            }
        }
    }

    impl Ring for Any {
        fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
            on!(self, ring => ring.extend(nodes))
        }

        fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
            on!(self, ring => ring.insert(node))
        }

        fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
            on!(self, ring => ring.remove(id))
        }

        fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
            on!(self, ring => ring.set_weight(id, weight))
        }

        fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
            on!(self, ring => ring.drain(id))
        }

        fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
            on!(self, ring => ring.resume(id))
        }

        fn nodes(&self) -> &[Node] {
            on!(self, ring => ring.nodes())
        }

        fn total_weight(&self) -> u64 {
            on!(self, ring => ring.total_weight())
        }

        fn common_weight(&self) -> Option<u32> {
            on!(self, ring => ring.common_weight())
        }

        fn hash(&self, key: &[u8]) -> u64 {
            on!(self, ring => ring.hash(key))
        }

        #[inline]
        fn owner(&self, hash: u64) -> Option<u32> {
            on!(self, ring => ring.owner(hash))
        }

        fn walk(&self, hash: u64, visit: impl FnMut(u32) -> ControlFlow<()>) {
            on!(self, ring => ring.walk(hash, visit));
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::super::Ring;
    use super::*;
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn every_algorithm_is_found_by_its_name_and_no_other() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        for name in ["", "Karger", "maglev ", "all"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm));
        }
        assert_eq!(
            UnknownAlgorithm.to_string(),
            "no ring algorithm has this name; there are karger, ketama, multi-probe, rendezvous, maglev, anchor and \
             jump-back"
        );
        assert_eq!(format!("[{:<8}]", Algorithm::Karger), "[karger  ]");
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn every_ring_has_the_room_that_was_asked_for() {
        let weights = [3, 0, 1, 5];
        for algorithm in Algorithm::ALL {
            let nodes: Vec<Node> = (0..)
                .zip(weights)
                .map(|(id, weight)| algorithm.node(id, format!("n{id}:80").as_bytes()).weight(weight))
                .collect();
            let mut ring = algorithm.ring(4, 9);
            assert_eq!(ring.algorithm(), algorithm);
            ring.extend(&nodes).expect("room for all");
            assert_eq!((ring.nodes(), ring.total_weight()), (&nodes[..], 9), "{algorithm}");
            assert!(algorithm.bytes(4, 9) >= 4 * 24);
            let owners: Vec<u32> = (0..500u32).filter_map(|key| ring.owner_of(&key.to_le_bytes())).collect();
            assert_eq!(owners.len(), 500);
            assert!([0, 2, 3].iter().all(|id| owners.contains(id)) && !owners.contains(&1), "{algorithm}");
            // One more of the same name: what was added before it goes again.
            let more = [algorithm.node(8, b"x:80").weight(0), algorithm.node(9, b"n0:80").weight(0)];
            assert!(ring.extend(&more).is_err());
            assert_eq!(ring.nodes(), &nodes[..], "{algorithm}");
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn room_for_more_than_there_can_be_is_bounded() {
        for algorithm in [Algorithm::Anchor, Algorithm::Maglev, Algorithm::Rendezvous] {
            let ring = algorithm.ring(1, u32::MAX);
            assert_eq!(ring.owner(0), None);
            assert!(algorithm.bytes(1, u32::MAX) < 4 << 20, "{algorithm}");
        }
        assert!(Algorithm::Karger.bytes(u32::MAX, u32::MAX) < 1 << 38);
    }
}
