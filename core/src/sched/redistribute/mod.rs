//! Finding an imbalance between workers, and planning moves under a budget.

use core::fmt;

use crate::fixed::Q32;
use crate::storage::{Full, Inline, List, Storage};

/// The largest weight: two levels of load of different workers then differ by at least 2⁻³², so that [`Q32`] tells them
/// apart.
pub const MAX_WEIGHT: u32 = u16::MAX as u32;

/// Why there is no plan. The plan is as it was.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PlanError {
    /// There are more workers than fit. Remedy: a larger capacity.
    TooManyWorkers,
    /// There are not as many weights or costs as workers. Remedy: one for each, or none at all.
    WrongLength,
    /// A weight is larger than [`MAX_WEIGHT`]. Remedy: a coarser scale.
    WeightTooLarge,
    /// Every weight is 0, so nobody can have the items. Remedy: give at least one worker a weight.
    NoWeight,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyWorkers => "there are more workers than fit; choose a larger capacity",
            Self::WrongLength => "there must be one weight and one cost for each worker, or none at all",
            Self::WeightTooLarge => "a weight is above 65535; use a coarser scale",
            Self::NoWeight => "every weight is 0; give at least one worker a weight",
        })
    }
}

impl core::error::Error for PlanError {}

/// What a plan aims at and what it may spend.
///
/// Without further calls: all workers are alike, no worker shall have more than the mean (rounded up), and moves cost
/// nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rules<'a> {
    weights: &'a [u32],
    costs: &'a [u32],
    tolerance: Q32,
    max_moves: u64,
    max_cost: u64,
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Rules<'a> {
    /// Equal workers, no tolerance, no budget.
    #[must_use]
    pub const fn new() -> Self {
        Self { weights: &[], costs: &[], tolerance: Q32::ONE, max_moves: u64::MAX, max_cost: u64::MAX }
    }

    /// How much each worker gets done, up to [`MAX_WEIGHT`]; a worker with weight 0 gives all that it has away.
    /// [`CapacityEstimator`](super::capacity::CapacityEstimator) estimates them.
    #[must_use]
    pub const fn weights(self, weights: &'a [u32]) -> Self {
        Self { weights, ..self }
    }

    /// What moving one item away from each worker costs, for [`max_cost`](Self::max_cost). Without it, 1.
    #[must_use]
    pub const fn costs(self, costs: &'a [u32]) -> Self {
        Self { costs, ..self }
    }

    /// Leaves workers alone that have at most `tolerance` times the mean for their weight: 5/4 keeps small differences
    /// from causing moves. Below 1 it counts as 1.
    #[must_use]
    pub const fn tolerance(self, tolerance: Q32) -> Self {
        Self { tolerance, ..self }
    }

    /// Moves at most this many items.
    #[must_use]
    pub const fn max_moves(self, items: u64) -> Self {
        Self { max_moves: items, ..self }
    }

    /// Spends at most this much.
    #[must_use]
    pub const fn max_cost(self, cost: u64) -> Self {
        Self { max_cost: cost, ..self }
    }
}

/// One step of a plan.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Move {
    /// The worker that gives.
    pub from: u32,
    /// The worker that gets.
    pub to: u32,
    /// How many items, at least one.
    pub count: u32,
}

/// What a plan comes to. A level is a worker's items over its weight; the highest one is when all are done.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Summary {
    /// Items that move.
    pub moved: u64,
    /// What that costs.
    pub cost: u64,
    /// The highest level now, rounded up.
    pub before: Q32,
    /// The highest level afterwards, rounded up.
    pub after: Q32,
    /// What kept the plan from going further.
    pub end: End,
}

/// What kept a plan from going further.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum End {
    /// Nobody has more than was aimed at.
    Reached,
    /// Items are whole: no other distribution has a lower highest level.
    Best,
    /// The budget is spent, or what is left of it is not enough for one more item.
    Budget,
}

/// Which items move from which worker to which, so that nobody has too many.
///
/// [`plan`](Self::plan) lowers the highest level as far as was aimed at, as whole items allow, and as the budget goes,
/// with the fewest moves that do that: from each worker only what it has too many of, to those who have least. What the
/// budget has left, too little to lower the highest level once more for everybody, still serves some. Same input, same
/// plan.
///
/// *When not to use it:* for items that idle workers can steal one by one: that needs no plan. It is for what must be
/// told to move (connections, partitions, jobs on other machines), and where moving costs something.
///
/// # Examples
///
/// ```
/// use divvy::sched::redistribute::{End, Move, Plan, PlanError, Rules};
/// use divvy::storage::Inline;
///
/// let mut plan = Plan::<Inline<4>>::new();
/// let summary = plan.plan(&[70, 10, 10, 10], Rules::new())?;
/// assert_eq!((summary.moved, summary.end), (45, End::Reached));
/// let moves = [1, 2, 3].map(|to| Move { from: 0, to, count: 15 });
/// assert!(plan.moves().eq(moves));
///
/// // With a budget of 9 items, those who have least get them; worker 3 is twice as fast:
/// let rules = Rules::new().weights(&[1, 1, 1, 2]).max_moves(9);
/// let summary = plan.plan(&[70, 10, 10, 10], rules)?;
/// assert_eq!((summary.moved, summary.end), (9, End::Budget));
/// assert!(plan.moves().eq([Move { from: 0, to: 3, count: 9 }]));
/// assert_eq!(plan.plan(&[1; 5], Rules::new()), Err(PlanError::TooManyWorkers));
/// # Ok::<(), PlanError>(())
/// ```
///
/// # Complexity
///
/// [`plan`](Self::plan) *O*(workers × 64); 20 bytes a worker. At most one move fewer than there are workers.
///
/// # References
///
/// The fewest moves for a bound on the load: Aggarwal, Motwani, Zhu: *The load rebalancing problem*, SPAA 2003. With
/// items of one size, as here, cutting off what is above the bound is optimal.
#[derive(Debug)]
pub struct Plan<S: Storage> {
    moves: S::List<Move>,
    changes: S::List<Change>,
}

/// What a worker gives away and gets.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    gives: u32,
    gets: u32,
}

impl<const N: usize> Default for Plan<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Plan<Inline<N>> {
    /// No moves yet; for up to `N` workers.
    #[must_use]
    pub const fn new() -> Self {
        Self { moves: heapless::Vec::new(), changes: heapless::Vec::new() }
    }
}

#[cfg(feature = "alloc")]
impl Plan<crate::storage::Heap> {
    /// No moves yet; for up to `workers` workers, allocated now.
    #[must_use]
    pub fn with_capacity(workers: usize) -> Self {
        use crate::storage::HeapList;
        Self { moves: HeapList::with_capacity(workers), changes: HeapList::with_capacity(workers) }
    }
}

/// Workers with what they have, and what they may have at a level.
#[derive(Clone, Copy)]
struct Fleet<'a> {
    lengths: &'a [u32],
    rules: Rules<'a>,
}

/// What all workers together have above a level, and room for below it.
#[derive(Clone, Copy, Default)]
struct Above {
    items: u64,
    cost: u64,
    room: u64,
}

impl Fleet<'_> {
    fn weight(&self, worker: usize) -> u32 {
        self.rules.weights.get(worker).copied().unwrap_or(1)
    }

    fn cost(&self, worker: usize) -> u32 {
        self.rules.costs.get(worker).copied().unwrap_or(1)
    }

    /// How many items a worker may have at this level.
    fn most(&self, worker: usize, level: Q32) -> u64 {
        level.mul_int(self.weight(worker).into())
    }

    fn excess(&self, worker: usize, level: Q32) -> u32 {
        u64::from(self.lengths[worker]).saturating_sub(self.most(worker, level)) as u32
    }

    fn room(&self, worker: usize, level: Q32) -> u64 {
        self.most(worker, level).saturating_sub(self.lengths[worker].into())
    }

    fn above(&self, level: Q32) -> Above {
        (0..self.lengths.len()).fold(Above::default(), |sum, worker| {
            let excess = self.excess(worker, level);
            Above {
                items: sum.items + u64::from(excess),
                cost: sum.cost.saturating_add(u64::from(excess) * u64::from(self.cost(worker))),
                room: sum.room.saturating_add(self.room(worker, level)),
            }
        })
    }

    fn has_room(&self, level: Q32) -> bool {
        let above = self.above(level);
        above.items <= above.room
    }

    fn can(&self, level: Q32) -> bool {
        let above = self.above(level);
        above.items <= above.room.min(self.rules.max_moves) && above.cost <= self.rules.max_cost
    }

    /// The level of the worker whose level is highest, with the items that `items` says.
    fn highest(&self, items: impl Fn(usize) -> u64) -> Q32 {
        let level = |worker| match (items(worker), u64::from(self.weight(worker))) {
            (0, _) => Q32::ZERO,
            (items, weight) => ratio_up(items, weight),
        };
        (0..self.lengths.len()).map(level).max().unwrap_or(Q32::ZERO)
    }
}

/// `a / b` rounded up; [`Q32::MAX`] where that does not fit.
fn ratio_up(a: u64, b: u64) -> Q32 {
    let bits = (u128::from(a) << 32).div_ceil(u128::from(b.max(1)));
    if b == 0 { Q32::MAX } else { Q32::from_bits(u64::try_from(bits).unwrap_or(u64::MAX)) }
}

/// The lowest level from `from` to [`Q32::MAX`] for which `holds`; [`Q32::MAX`] if there is none. What holds for a level
/// must hold for those above it.
fn lowest(from: Q32, holds: impl Fn(Q32) -> bool) -> Q32 {
    let (mut low, mut high) = (from.to_bits(), u64::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(Q32::from_bits(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Q32::from_bits(low)
}

const fn just_below(level: Q32) -> Q32 {
    level.saturating_sub(Q32::from_bits(1))
}

impl<S: Storage> Plan<S> {
    /// Plans anew for workers that have `lengths` items each (or any other unit of load that can be moved one by one).
    ///
    /// # Errors
    ///
    /// [`PlanError`]; the plan is as it was.
    pub fn plan(&mut self, lengths: &[u32], rules: Rules<'_>) -> Result<Summary, PlanError> {
        let fleet = Fleet { lengths, rules };
        let workers = lengths.len();
        if workers > self.moves.capacity().min(self.changes.capacity()) || workers > u32::MAX as usize {
            return Err(PlanError::TooManyWorkers);
        }
        let fits = |values: &[u32]| values.is_empty() || values.len() == workers;
        if !fits(rules.weights) || !fits(rules.costs) {
            return Err(PlanError::WrongLength);
        }
        if rules.weights.iter().any(|weight| *weight > MAX_WEIGHT) {
            return Err(PlanError::WeightTooLarge);
        }
        let weight: u64 = (0..workers).map(|worker| u64::from(fleet.weight(worker))).sum();
        if weight == 0 && workers > 0 {
            return Err(PlanError::NoWeight);
        }
        let total: u64 = lengths.iter().copied().map(u64::from).sum();
        let aim = ratio_up(total, weight.max(1)).saturating_mul(rules.tolerance.max(Q32::ONE));
        let end = self.cut(&fleet, aim);
        self.pair();
        let moved = self.changes.iter().map(|change| u64::from(change.gives)).sum();
        let cost = self.changes.iter().enumerate().fold(0u64, |sum, (worker, change)| {
            sum.saturating_add(u64::from(change.gives) * u64::from(fleet.cost(worker)))
        });
        let items = |worker: usize| u64::from(lengths[worker]);
        let before = fleet.highest(items);
        let change = |worker: usize| self.changes[worker];
        let after = fleet.highest(|worker| {
            items(worker) + u64::from(change(worker).gets) - u64::from(change(worker).gives)
        });
        Ok(Summary { moved, cost, before, after, end })
    }

    /// Decides how much each worker gives and gets.
    fn cut(&mut self, fleet: &Fleet<'_>, aim: Q32) -> End {
        let workers = fleet.lengths.len();
        let rules = fleet.rules;
        self.changes.clear();
        for _ in 0..workers {
            // There is room: it was checked.
            let _ = self.changes.push(Change::default());
        }
        let level = lowest(aim, |level| fleet.can(level));
        // Not even the items of those without weight can all move where the budget is too small for that.
        let is_possible = fleet.can(level);
        let (mut items, mut cost) = (0, 0);
        if is_possible {
            for worker in 0..workers {
                self.changes[worker].gives = fleet.excess(worker, level);
            }
            let above = fleet.above(level);
            (items, cost) = (above.items, above.cost);
        }
        let next = if is_possible { just_below(level) } else { level };
        let end = match (is_possible && level == aim, fleet.has_room(next)) {
            (true, _) => End::Reached,
            (false, false) => End::Best,
            (false, true) => End::Budget,
        };
        let mut fill_up_to = level;
        if end == End::Budget {
            // It is the budget that ends here: what is left of it serves some of those who are next.
            fill_up_to = next;
            for worker in 0..workers {
                let wants = fleet.excess(worker, next) - self.changes[worker].gives;
                let affordable =
                    (rules.max_cost - cost).checked_div(fleet.cost(worker).into()).unwrap_or(u64::MAX);
                let more = u64::from(wants).min(rules.max_moves - items).min(affordable);
                self.changes[worker].gives += more as u32;
                items += more;
                cost += more * u64::from(fleet.cost(worker));
            }
        }
        self.fill(fleet, items, fill_up_to);
        end
    }

    /// Gives `items` to those with the lowest levels. Nobody gets above `level`, at which there is room for all of them.
    fn fill(&mut self, fleet: &Fleet<'_>, items: u64, level: Q32) {
        if items == 0 {
            return;
        }
        let workers = fleet.lengths.len();
        let rooms =
            |level| (0..workers).fold(0u64, |sum, worker| sum.saturating_add(fleet.room(worker, level)));
        let full = lowest(Q32::ZERO, |level| rooms(level) >= items).min(level);
        let mut left = items;
        for worker in 0..workers {
            let gets = fleet.room(worker, just_below(full)) as u32;
            self.changes[worker].gets = gets;
            left -= u64::from(gets);
        }
        // At the last level more would fit than there is: one each, in order.
        for worker in 0..workers {
            let more = (fleet.room(worker, full) - u64::from(self.changes[worker].gets)).min(left);
            self.changes[worker].gets += more as u32;
            left -= more;
        }
    }

    /// Who gives to whom: both in order of their numbers, so each move ends what one side has to give or to get.
    fn pair(&mut self) {
        self.moves.clear();
        let (mut to, mut got) = (0, 0);
        for from in 0..self.changes.len() {
            let mut left = self.changes[from].gives;
            while left > 0 && to < self.changes.len() {
                let count = left.min(self.changes[to].gets - got);
                if count > 0 {
                    // There are fewer moves than workers, for which there is room.
                    let _ = self.moves.push(Move { from: from as u32, to: to as u32, count });
                }
                left -= count;
                got += count;
                if got == self.changes[to].gets {
                    (to, got) = (to + 1, 0);
                }
            }
        }
    }

    /// The moves, in the order of those who give.
    pub fn moves(&self) -> impl ExactSizeIterator<Item = Move> {
        self.moves.iter().copied()
    }

    /// Carries the plan out: takes item after item from who gives, by `take`, and hands it to who gets, by `give`. Goes on
    /// to the next move where `take` has none left. How many items moved.
    ///
    /// For the deques of a [`Scheduler`](super::Scheduler), in which only a worker itself can put tasks, let each worker
    /// [pull](super::Worker::pull) what the moves to it say.
    ///
    /// # Errors
    ///
    /// [`Full`] with the item that who gets it refused, and who gave it refused as well. What moved before stays moved.
    pub fn carry_out<T>(
        &self,
        mut take: impl FnMut(u32) -> Option<T>,
        mut give: impl FnMut(u32, T) -> Result<(), Full<T>>,
    ) -> Result<u64, Full<T>> {
        let mut moved = 0;
        for step in self.moves() {
            for _ in 0..step.count {
                let Some(item) = take(step.from) else { break };
                if let Err(Full(item)) = give(step.to, item) {
                    // Back where it was, and no more of this move.
                    give(step.from, item)?;
                    break;
                }
                moved += 1;
            }
        }
        Ok(moved)
    }
}

#[cfg(test)]
mod tests;
