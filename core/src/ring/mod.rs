//! Consistent hashing: which node does a key belong to, so that few keys move when nodes come and go?
//!
//! Every algorithm here answers through one trait, [`Ring`]: the owner of a key, the distinct nodes to try after it,
//! and the owner under a bound on load.

mod anchor;
pub mod audit;
mod circle;
mod guide;
mod jump_back;
mod karger;
mod ketama;
mod maglev;
mod mix;
mod multi_probe;
mod node;
mod registry;
mod rendezvous;
mod spread;

pub use anchor::Anchor;
pub use jump_back::{JumpBack, jump_back};
pub use karger::Karger;
pub use ketama::Ketama;
pub use maglev::{Later, Maglev, Progress, TableError, table_size};
pub use multi_probe::MultiProbe;
pub use node::{ChangeError, Node};
#[cfg(feature = "alloc")]
pub use registry::Any;
pub use registry::{Algorithm, UnknownAlgorithm};
pub use rendezvous::Rendezvous;

use crate::fixed::Q32;
use crate::hash::xxh3_64;
use core::ops::ControlFlow;

/// A placement of keys on nodes.
///
/// Nodes are known by the number that the caller gave them ([`Node::id`]); keys by their hash, which
/// [`hash`](Self::hash) computes. An algorithm's own docs say what it cannot do: such a change is refused with
/// [`ChangeError::Unsupported`].
pub trait Ring {
    /// Adds `node`.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    fn insert(&mut self, node: Node) -> Result<(), ChangeError>;

    /// Adds all of `nodes`; an algorithm that builds something for each change builds it once.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if one of them cannot be added; then none is.
    fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        for (added, node) in nodes.iter().enumerate() {
            if let Err(refusal) = self.insert(*node) {
                // The last one first: every ring can undo that.
                for node in nodes[..added].iter().rev() {
                    self.remove(node.id())?;
                }
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// Takes node `id` out, and says what it was.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    fn remove(&mut self, id: u32) -> Result<Node, ChangeError>;

    /// Gives node `id` another weight. 0: it stays a member and owns nothing.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError>;

    /// Takes its keys from node `id`, which stays a member: after [`resume`](Self::resume) it owns exactly what it
    /// owned before.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    fn drain(&mut self, id: u32) -> Result<(), ChangeError>;

    /// Ends what [`drain`](Self::drain) began.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    fn resume(&mut self, id: u32) -> Result<(), ChangeError>;

    /// The nodes, in the order of their insertion.
    fn nodes(&self) -> &[Node];

    /// The sum of the weights that count: those of nodes that do not drain.
    fn total_weight(&self) -> u64 {
        self.nodes().iter().map(|node| u64::from(node.share())).sum()
    }

    /// What every node with weight weighs, or `None` if they differ or there is none.
    fn common_weight(&self) -> Option<u32> {
        let mut shares = self.nodes().iter().map(Node::share).filter(|share| *share > 0);
        let first = shares.next()?;
        shares.all(|share| share == first).then_some(first)
    }

    /// The node that the key with this hash belongs to, or `None` while no node has weight.
    fn owner(&self, hash: u64) -> Option<u32>;

    /// Offers the nodes with weight to `visit`, the owner first and then in the order in which the key would move
    /// were those before them gone, until `visit` breaks. Each of them is offered at least once; one may be offered
    /// again.
    fn walk(&self, hash: u64, visit: impl FnMut(u32) -> ControlFlow<()>);

    /// The hash by which this ring knows `key`: XXH3-64 unless the algorithm's docs say otherwise.
    fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64(key)
    }

    /// The node that `key` belongs to, or `None` while no node has weight.
    fn owner_of(&self, key: &[u8]) -> Option<u32> {
        self.owner(self.hash(key))
    }

    /// Fills `out` with distinct nodes for the key, the owner first, and returns the filled part. It is shorter than
    /// `out` when there are fewer nodes with weight. *O*(walk + `out.len()`²).
    fn successors<'a>(&self, hash: u64, out: &'a mut [u32]) -> &'a [u32] {
        let mut filled = 0;
        if !out.is_empty() {
            self.walk(hash, |node| {
                if !out[..filled].contains(&node) {
                    out[filled] = node;
                    filled += 1;
                }
                if filled == out.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        &out[..filled]
    }

    /// The first node for the key that `accepts` takes, or `None` if it takes none.
    fn owner_where(&self, hash: u64, mut accepts: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut found = None;
        self.walk(hash, |node| {
            if accepts(node) {
                found = Some(node);
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        found
    }

    /// The first node for the key whose load is below its bound: `slack` (at least 1) times its fair share of
    /// `total` + 1, rounded up. `total` is the load of all nodes together, `load` that of one.
    ///
    /// With every placement made this way no node ever holds more than `ceil(slack × fair share)`, and there is
    /// always a node that may take one more.
    ///
    /// Reference: Mirrokni, Thorup, Zadimoghaddam, *Consistent Hashing with Bounded Loads*, SODA 2018.
    fn owner_bounded(&self, hash: u64, slack: Q32, total: u64, load: impl Fn(u32) -> u64) -> Option<u32> {
        let weights = self.total_weight();
        if let Some(weight) = self.common_weight() {
            let most = capacity(slack, total, weight, weights);
            return self.owner_where(hash, |id| load(id) < most);
        }
        let weight_of = |id| self.nodes().iter().find(|node| node.id() == id).map_or(0, Node::share);
        self.owner_where(hash, |id| load(id) < capacity(slack, total, weight_of(id), weights))
    }
}

/// How much a node of `weight` may hold when `total` and one more are spread over `weights`: rounded up.
fn capacity(slack: Q32, total: u64, weight: u32, weights: u64) -> u64 {
    let (slack, weights) = (slack.max(Q32::ONE).to_bits(), weights.max(1));
    // slack × (total + 1) × weight / weights × 2⁻³², rounded up, in 128 bits: the quotient first.
    let scaled = (u128::from(total) + 1) * u128::from(weight);
    let (fair, rest) = (scaled / u128::from(weights), scaled % u128::from(weights));
    // No node weighs more than all, so `fair` is at most 2⁶⁴, and weights fit 32 bits.
    let bits = (fair * u128::from(slack)).saturating_add((rest * u128::from(slack)).div_ceil(weights.into()));
    u64::try_from(bits.div_ceil(1 << 32)).unwrap_or(u64::MAX)
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
