//! Whom an idle worker steals from, and how much.

use core::fmt;
use core::ops::ControlFlow;

use crate::rng::Rng;

/// How many levels [`Groups`] can have.
const LEVELS: usize = 4;

/// How much a successful steal takes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Take {
    /// The oldest task of the victim: for few and long tasks, or for tasks that must not move twice.
    One,
    /// The older half of the victim's tasks. The others go to the thief's own deque, so the next steal is far away.
    #[default]
    Half,
}

/// Whom an idle worker turns to.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Victim {
    /// All others, one after another, beginning with a random one: nothing to look up, and thieves spread.
    #[default]
    Random,
    /// The one with the longest deque, the lowest number among equals. Fewest steals; every thief reads every deque's
    /// ends, and all turn to the same victim.
    Busiest,
    /// Workers of the same group before those of others, beginning with a random one in each ring: tasks stay near the
    /// cache or the memory that they are in.
    Near(Groups),
}

/// Groups of workers, each level around the one before: cores that share a cache, a cluster, a socket.
///
/// Given as group sizes, the smallest first. With `[2, 8]`, worker 5 first asks worker 4, then 0 to 3, 6 and 7, then all
/// the others. A worker's number says where it is, so number them along the machine. The last group of a level may have
/// fewer members.
///
/// # Examples
///
/// ```
/// use divvy::sched::{Groups, GroupsError, StealPolicy, Victim};
///
/// let groups = Groups::new(&[2, 8])?;
/// let policy = StealPolicy::new().victim(Victim::Near(groups));
/// assert_eq!(Groups::new(&[4, 6]), Err(GroupsError::NotNested));
/// # Ok::<(), GroupsError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Groups {
    /// The sizes; those past the last level are 0.
    sizes: [u32; LEVELS],
}

/// Why group sizes were refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GroupsError {
    /// A group has no member. Remedy: sizes from 1 on.
    Empty,
    /// A size is not a multiple of the one before, so a group would lie in two. Remedy: multiples, the smallest first.
    NotNested,
    /// There are more than four levels. Remedy: leave out those that matter least.
    TooManyLevels,
}

impl fmt::Display for GroupsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a group of no workers; give every level a size of at least 1",
            Self::NotNested => {
                "a group would lie in two others; let each size be a multiple of the one before"
            }
            Self::TooManyLevels => "more than four levels of groups; leave out those that matter least",
        })
    }
}

impl core::error::Error for GroupsError {}

impl Groups {
    /// Groups of these `sizes`, the smallest first.
    ///
    /// # Errors
    ///
    /// [`GroupsError`].
    pub const fn new(sizes: &[u32]) -> Result<Self, GroupsError> {
        if sizes.len() > LEVELS {
            return Err(GroupsError::TooManyLevels);
        }
        let mut kept = [0; LEVELS];
        let mut level = 0;
        while level < sizes.len() {
            if sizes[level] == 0 {
                return Err(GroupsError::Empty);
            }
            if level > 0 && !sizes[level].is_multiple_of(sizes[level - 1]) {
                return Err(GroupsError::NotNested);
            }
            kept[level] = sizes[level];
            level += 1;
        }
        Ok(Self { sizes: kept })
    }
}

/// What an idle worker does: by default it takes half of a random other worker's tasks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StealPolicy {
    victim: Victim,
    take: Take,
}

impl StealPolicy {
    /// Half of a random other worker's tasks.
    #[must_use]
    pub const fn new() -> Self {
        Self { victim: Victim::Random, take: Take::Half }
    }

    /// Turns to `victim` instead.
    #[must_use]
    pub const fn victim(self, victim: Victim) -> Self {
        Self { victim, ..self }
    }

    /// Takes `take` instead.
    #[must_use]
    pub const fn take(self, take: Take) -> Self {
        Self { take, ..self }
    }

    pub(super) const fn takes(&self) -> Take {
        self.take
    }

    /// Visits the victims of worker `thief` of `workers` in turn, until `steal` breaks. `len` says how long a worker's
    /// deque is.
    pub(super) fn visit<B>(
        &self,
        thief: u32,
        workers: u32,
        rng: &mut impl Rng,
        len: impl Fn(u32) -> usize,
        mut steal: impl FnMut(u32) -> ControlFlow<B>,
    ) -> Option<B> {
        let groups = match self.victim {
            Victim::Random => [0; LEVELS],
            Victim::Near(groups) => groups.sizes,
            Victim::Busiest => {
                let others = (0..workers).filter(|&other| other != thief);
                let (longest, busiest) = others.map(|other| (len(other), !other)).max()?;
                return if longest == 0 { None } else { steal(!busiest).break_value() };
            }
        };
        // Those from `from` to `to` have been visited; `from` and `to` grow with each level.
        let (mut from, mut to) = (thief, thief + 1);
        let levels = groups.into_iter().take_while(|&size| size > 0).chain([workers]);
        for size in levels {
            let first = thief / size * size;
            let group = size.min(workers - first);
            let ring = group.saturating_sub(to - from);
            if ring == 0 {
                continue;
            }
            let start = rng.below(ring);
            for i in 0..ring {
                // From the end of what was visited on, around the end of the group.
                let victim = first + (to - first + (start + i) % ring) % group;
                if let ControlFlow::Break(value) = steal(victim) {
                    return Some(value);
                }
            }
            (from, to) = (first, first + group);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Xoshiro256PlusPlus};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn order(victim: Victim, thief: u32, workers: u32, rng: &mut impl Rng) -> Vec<u32> {
        let mut seen = Vec::new();
        let end = StealPolicy::new().victim(victim).visit(
            thief,
            workers,
            rng,
            |_| 1,
            |victim| {
                seen.push(victim);
                ControlFlow::<()>::Continue(())
            },
        );
        assert_eq!(end, None);
        seen
    }

    proptest! {
        /// Everybody else is visited once, and nobody before somebody nearer.
        #[test]
        fn the_near_come_first_and_nobody_is_left_out(
            workers in 1u32..40, thief in 0u32..40, factors in prop::collection::vec(1u32..5, 0..=4), seed: u64,
        ) {
            let thief = thief % workers;
            let sizes: Vec<u32> = factors.iter().scan(1, |size, factor| { *size *= factor; Some(*size) }).collect();
            let near = Victim::Near(Groups::new(&sizes).unwrap());
            let distance = |other: u32| sizes.iter().position(|size| other / size == thief / size).unwrap_or(sizes.len());
            let mut rng = Xoshiro256PlusPlus::seed(seed);
            for victim in [Victim::Random, near] {
                let order = order(victim, thief, workers, &mut rng);
                let mut sorted = order.clone();
                sorted.sort_unstable();
                prop_assert!(sorted.into_iter().eq((0..workers).filter(|other| *other != thief)));
                prop_assert!(victim == Victim::Random || order.is_sorted_by_key(|other| distance(*other)), "{order:?}");
            }
        }
    }

    #[test]
    fn each_member_of_a_ring_is_the_first_equally_often() {
        let near = Victim::Near(Groups::new(&[4]).unwrap());
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let mut firsts = [0u32; 8];
        for _ in 0..3_000 {
            firsts[order(near, 5, 8, &mut rng)[0] as usize] += 1;
        }
        assert_eq!(firsts.iter().filter(|times| **times > 0).count(), 3, "4, 6 and 7");
        assert!(firsts.iter().all(|times| *times == 0 || (900..=1_100).contains(times)), "{firsts:?}");
    }

    #[test]
    fn the_busiest_is_the_longest_and_of_equals_the_first() {
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let choose = |thief, lens: [usize; 4], rng: &mut Xoshiro256PlusPlus| {
            let policy = StealPolicy::new().victim(Victim::Busiest);
            policy.visit(thief, 4, rng, |worker| lens[worker as usize], ControlFlow::Break)
        };
        assert_eq!(choose(0, [9, 1, 3, 3], &mut rng), Some(2), "not the thief itself");
        assert_eq!(choose(3, [1, 1, 0, 9], &mut rng), Some(0));
        assert_eq!(choose(3, [0, 0, 0, 9], &mut rng), None);
    }

    #[test]
    fn groups_that_are_none_are_refused() {
        assert_eq!(Groups::new(&[0]), Err(GroupsError::Empty));
        assert_eq!(Groups::new(&[2, 3]), Err(GroupsError::NotNested));
        assert_eq!(Groups::new(&[8, 4]), Err(GroupsError::NotNested));
        assert_eq!(Groups::new(&[1; 5]), Err(GroupsError::TooManyLevels));
        assert!(Groups::new(&[]).is_ok() && Groups::new(&[1, 1, 7, 14]).is_ok());
    }
}
