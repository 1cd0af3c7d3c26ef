//! Down a tree, one decision a level.

mod tree;

#[cfg(test)]
mod tests;

use super::outcome::{Ended, Report};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};
use core::fmt;
use tree::{Load, Tree};

/// Down a tree of groups: at each level to the group with the least load for its weight, and there to such a member.
///
/// The tree is of any depth and fan-out: the caller's own (regions, racks, hosts), or a complete one over the slots,
/// which is how thousands of members are searched without looking at each. The sums of load are kept as calls come and
/// go, so nothing is added up when choosing.
///
/// Each level compares all groups ([`Select::Least`]) or two drawn at random ([`Select::LowerOfTwo`]). Among equals
/// chance decides.
///
/// *When not to use it:* for a few dozen members without a structure of their own: [`P2c`](super::P2c) costs less, and
/// full search finds the least loaded of all, where this finds the least loaded of the least loaded group.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Hierarchical, Member, Pick, Request, TreeError};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<4>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, Hierarchical::<Inline<4>>::new(2));
/// // Slot 0 alone in group 1, the others in group 2; both are in group 0, the root:
/// balancer.policy_mut().groups(&[0, 0, 0], &[1, 2, 2, 2])?;
/// for name in [b"a", b"b", b"c", b"d"] {
///     balancer.fleet_mut().insert(now, Member::new(name).weight(2))?;
/// }
/// let picks: Vec<u32> = (0..8)
///     .map(|_| match balancer.pick(now, &Request::new(), &mut rng) {
///         Pick::Member { member, .. } => member.slot(),
///         Pick::None { why, .. } => panic!("{why}"),
///     })
///     .collect();
/// // Each group has its share, by weight:
/// assert_eq!(picks.iter().filter(|slot| **slot == 0).count(), 2);
/// // A group that comes before its parent is refused:
/// assert_eq!(balancer.policy_mut().groups(&[0, 2, 0], &[]), Err(TreeError::Order));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// With *d* levels of *k* groups each: choosing *O*(*dk*), with two drawn at random *O*(*d*) unless groups are empty;
/// accounting *O*(*d*); *O*(avoided × *d*) more for a request that avoids. After a change of membership
/// *O*(slots + groups). 56 bytes per slot, of which half are a group's.
#[derive(Debug)]
pub struct Hierarchical<S: Storage> {
    tree: Tree<S>,
    select: Select,
    /// The view that the sums are for.
    epoch: Option<u32>,
}

/// What is compared at each level of a [`Hierarchical`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Select {
    /// All.
    #[default]
    Least,
    /// Two drawn at random: quicker where groups are large, and several balancers with their own counts do not all run
    /// to the same group.
    LowerOfTwo,
}

/// Why groups are no tree. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TreeError {
    /// A group's number is not above its parent's, or its parent's is below the one of the group before it. Remedy: number
    /// the groups level by level, those of one parent one after the other, the root 0 with itself as parent.
    Order,
    /// A slot is in a group that is not there. Remedy: add the group.
    Unknown,
    /// More groups or slots than the storage holds. Remedy: a larger capacity.
    TooMany,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "groups are out of order; number them level by level, the root 0, its parent 0",
            Self::Unknown => "a slot is in a group that is not there; add the group",
            Self::TooMany => "more groups or slots than the storage holds; choose a larger capacity",
        })
    }
}

impl core::error::Error for TreeError {}

impl<const N: usize> Hierarchical<Inline<N>> {
    /// A complete tree over `N` slots, in which each group has `fan_out` (2 at least) groups or slots below it.
    #[must_use]
    pub const fn new(fan_out: u32) -> Self {
        const { assert!(N < u32::MAX as usize, "slots are numbered in 32 bits") };
        Self { tree: Tree::<Inline<N>>::new(fan_out), select: Select::Least, epoch: None }
    }
}

#[cfg(feature = "alloc")]
impl Hierarchical<crate::storage::Heap> {
    /// A complete tree over `members` slots, in which each group has `fan_out` (2 at least) groups or slots below it.
    #[must_use]
    pub fn with_capacity(members: u32, fan_out: u32) -> Self {
        Self {
            tree: Tree::<crate::storage::Heap>::with_capacity(members, fan_out),
            select: Select::Least,
            epoch: None,
        }
    }
}

impl<S: Storage> Hierarchical<S> {
    /// Compares `select` at each level.
    #[must_use]
    pub fn select(mut self, select: Select) -> Self {
        self.select = select;
        self
    }

    /// Makes this the tree: `parents` has for each group its parent's number, for the root (0) 0; `group_of` has for
    /// each slot its group. Slots beyond are in group 0. A group may have groups as well as slots below it.
    ///
    /// # Errors
    ///
    /// [`TreeError`]; nothing changed.
    pub fn groups(&mut self, parents: &[u32], group_of: &[u32]) -> Result<(), TreeError> {
        self.tree.set(parents, group_of)?;
        self.epoch = None;
        Ok(())
    }

    /// Adds up for the view, unless that was done.
    fn follow<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        if self.epoch == Some(view.epoch()) {
            return Ok(());
        }
        let fleet = view.fleet();
        let loads = view
            .slots()
            .iter()
            .map(|&slot| (slot, Load { load: fleet.load(slot).into(), weight: fleet.weight(slot).into() }));
        self.epoch = None;
        self.tree.rebuild(fleet.capacity(), loads).map_err(|_| Refusal::PolicyTooSmall)?;
        self.epoch = Some(view.epoch());
        Ok(())
    }

    /// Notes what load the member in `slot` has now.
    fn update<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, slot: u32) {
        if self.epoch == Some(view.epoch()) {
            self.tree.set_load(slot, view.fleet().load(slot));
        }
    }
}

impl<S: Storage> Policy for Hierarchical<S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        self.follow(view)?;
        for slot in request.all_avoided() {
            self.tree.hide(slot);
        }
        let slot = self.tree.descend(self.select, rng);
        for slot in request.all_avoided() {
            self.tree.show(slot);
        }
        let slot = slot.ok_or_else(|| view.refusal())?;
        Ok(Choice { slot, why: Why::LeastLoaded })
    }

    fn started<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, slot: u32) {
        self.update(view, slot);
    }

    fn ended<M: Storage, L: Storage>(&mut self, _now: Instant, view: View<'_, M, L>, ended: &Ended) {
        self.update(view, ended.slot);
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        _report: &Report,
    ) {
        self.update(view, slot);
    }
}
