//! An assignment made better by simulated quantum annealing.

use super::assignment::{AssignError, Assignment};
use crate::rng::Rng;
use crate::storage::{Inline, List, Storage};

/// What annealing made of an assignment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Gain {
    /// The makespan before.
    pub before: u64,
    /// The makespan after: never more.
    pub after: u64,
    /// Whether no assignment can be better, because `after` is the lower bound.
    pub optimal: bool,
}

/// Where an item is in each replica, and in the best assignment seen.
#[derive(Clone, Copy, Debug)]
struct Cell<const REPLICAS: usize> {
    parts: [u32; REPLICAS],
    best: u32,
    /// The cost in the unit of the search.
    cost: u32,
}

/// Simulated quantum annealing: takes an [`Assignment`] and looks for a better one.
///
/// `REPLICAS` copies of the assignment (the Trotter slices of path-integral Monte Carlo) change at random, in favour of
/// even loads, and each is drawn towards its two neighbours. The transverse field lets them disagree freely at first; as
/// it is turned down they have to agree, on what most of them found good. The copies start from the assignment given,
/// the best one seen is kept, and the outcome is never worse than the start.
///
/// *When not to use it:* with many items per part (the longest-first rule is within a fraction of a percent there),
/// or when an answer is needed within microseconds. Beyond some hundred items one
/// replica (plain annealing, without a field) comes further in the same time; the scoreboard has both.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::partition::{Annealer, AssignError, Assignment};
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::storage::Inline;
///
/// let mut jobs = Assignment::<Inline<7>>::new();
/// jobs.longest_first(&[5, 5, 4, 4, 3, 3, 3], NonZeroU32::new(3).expect("three is not zero"))?;
/// assert_eq!(jobs.makespan(), 11);
/// let gain = Annealer::<Inline<7>>::new().anneal(&mut jobs, 200, &mut Xoshiro256PlusPlus::seed(1))?;
/// assert_eq!((gain.before, gain.after, gain.optimal), (11, 9, true));
/// # Ok::<(), AssignError>(())
/// ```
///
/// # Complexity
///
/// *O*(sweeps × `REPLICAS` × (items + parts)), less if the lower bound is reached earlier. 4 × `REPLICAS` + 8 bytes an
/// item, 4 × `REPLICAS` a part.
///
/// # References
///
/// Kadowaki, Nishimori: *Quantum annealing in the transverse Ising model*, Physical Review E 58, 1998. Martoňák,
/// Santoro, Tosatti: *Quantum annealing by the path-integral Monte Carlo method*, Physical Review B 66, 2002.
#[derive(Debug)]
pub struct Annealer<S: Storage, const REPLICAS: usize = 8> {
    cells: S::List<Cell<REPLICAS>>,
    loads: S::List<[u32; REPLICAS]>,
}

impl<const N: usize, const REPLICAS: usize> Default for Annealer<Inline<N>, REPLICAS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const REPLICAS: usize> Annealer<Inline<N>, REPLICAS> {
    /// Room for up to `N` items and `N` parts.
    #[must_use]
    pub const fn new() -> Self {
        Self { cells: heapless::Vec::new(), loads: heapless::Vec::new() }
    }
}

#[cfg(feature = "alloc")]
impl<const REPLICAS: usize> Annealer<crate::storage::Heap, REPLICAS> {
    /// Room for up to `items` items and `parts` parts, allocated now.
    #[must_use]
    pub fn with_capacity(items: usize, parts: usize) -> Self {
        use crate::storage::HeapList;
        Self { cells: HeapList::with_capacity(items), loads: HeapList::with_capacity(parts) }
    }
}

/// How one step of the schedule weighs things, in the unit of energy.
#[derive(Clone, Copy)]
struct Step {
    /// How much energy a change by a factor of two in probability is worth.
    temperature: u64,
    /// What it costs to disagree with a neighbour.
    coupling: i64,
}

impl<S: Storage, const REPLICAS: usize> Annealer<S, REPLICAS> {
    /// Looks for a better assignment for `sweeps` sweeps; in each, every item of every replica gets one chance to change.
    ///
    /// # Errors
    ///
    /// [`AssignError::TooManyItems`] or [`AssignError::TooManyParts`] if the assignment does not fit; nothing changed.
    pub fn anneal<T: Storage>(
        &mut self,
        assignment: &mut Assignment<T>,
        sweeps: u32,
        rng: &mut impl Rng,
    ) -> Result<Gain, AssignError> {
        const { assert!(REPLICAS > 0, "at least one replica is needed") };
        let lower = assignment.lower_bound();
        let before = assignment.makespan();
        let total: u64 = assignment.loads().sum();
        // In this unit all loads together fit 31 bits, and so every difference of energies fits 63.
        let shift = (u64::BITS - total.leading_zeros()).saturating_sub(31);
        self.start(assignment, shift)?;
        let goal = (lower >> shift) as u32;
        let mut best = self.largest(0);
        let mut sweep = 0;
        while sweep < sweeps && best > goal && !self.cells.is_empty() {
            let step = self.step(sweep, sweeps, total >> shift);
            for replica in 0..REPLICAS {
                self.sweep(replica, step, rng);
                let largest = self.largest(replica);
                if largest < best {
                    best = largest;
                    for cell in self.cells.iter_mut() {
                        cell.best = cell.parts[replica];
                    }
                }
            }
            sweep += 1;
        }
        self.finish(assignment);
        let after = assignment.makespan();
        Ok(Gain { before, after, optimal: after <= lower })
    }

    fn start<T: Storage>(&mut self, assignment: &Assignment<T>, shift: u32) -> Result<(), AssignError> {
        if assignment.items.len() > self.cells.capacity() {
            return Err(AssignError::TooManyItems);
        }
        if assignment.parts.len() > self.loads.capacity() {
            return Err(AssignError::TooManyParts);
        }
        self.cells.clear();
        self.loads.clear();
        for _ in assignment.parts.iter() {
            // There is room for all: it was checked.
            let _ = self.loads.push([0; REPLICAS]);
        }
        for item in assignment.items.iter() {
            let (cost, part) = ((item.cost >> shift) as u32, assignment.items[item.number as usize].part);
            let _ = self.cells.push(Cell { parts: [part; REPLICAS], best: part, cost });
            for load in &mut self.loads[part as usize] {
                *load += cost;
            }
        }
        Ok(())
    }

    /// Temperature and field fall together: the temperature by the same factor each sweep, from a fraction of the
    /// squared mean cost, the amplitude of tunnelling between replicas by the same amount, from 1.
    fn step(&self, sweep: u32, sweeps: u32, total: u64) -> Step {
        let mean = total / (self.cells.len() as u64).max(1);
        let hot = (mean * mean / 32).max(1);
        // So many times a half, and what is left of a half in a straight line.
        let halvings = u64::from(sweep) * (HALVINGS << 16) / u64::from(sweeps);
        let halved = hot >> (halvings >> 16);
        let temperature = (halved - scale(halved / 2, halvings as u32 & 0xFFFF)).max(1);
        let amplitude = u64::from(sweeps - sweep) * u64::from(u32::MAX) / u64::from(sweeps);
        let coupling = if REPLICAS > 1 {
            scale(temperature, neg_log2((amplitude as u32).max(1))).min(1 << 60) as i64
        } else {
            0
        };
        Step { temperature, coupling }
    }

    fn sweep(&mut self, replica: usize, step: Step, rng: &mut impl Rng) {
        let (items, parts) = (self.cells.len() as u32, self.loads.len() as u32);
        for _ in 0..items {
            let chance = rng.next_u64();
            let item = reduce(chance as u32, items);
            let a = self.cells[item].parts[replica];
            // One bit says whether another item comes back in exchange, the rest which part or item.
            let other = (chance >> 33) as u32;
            let back = if chance >> 32 & 1 == 0 { Some(reduce(other << 1, items)) } else { None };
            let b = match back {
                Some(back) => self.cells[back].parts[replica],
                None => reduce(other << 1, parts) as u32,
            };
            if a == b {
                continue;
            }
            let moved =
                i64::from(self.cells[item].cost) - back.map_or(0, |back| i64::from(self.cells[back].cost));
            let gap = i64::from(self.loads[b as usize][replica]) - i64::from(self.loads[a as usize][replica]);
            let mut energy = moved * (gap + moved);
            if step.coupling > 0 {
                let mut broken = self.bonds_broken(item, replica, a, b);
                if let Some(back) = back {
                    broken += self.bonds_broken(back, replica, b, a);
                }
                energy = energy.saturating_add(step.coupling * broken);
            }
            if energy > 0
                && energy as u64 > scale(step.temperature, neg_log2((rng.next_u64() >> 32) as u32 | 1))
            {
                continue;
            }
            self.cells[item].parts[replica] = b;
            if let Some(back) = back {
                self.cells[back].parts[replica] = a;
            }
            let load = |load: u32, by: i64| (i64::from(load) + by) as u32;
            self.loads[a as usize][replica] = load(self.loads[a as usize][replica], -moved);
            self.loads[b as usize][replica] = load(self.loads[b as usize][replica], moved);
        }
    }

    /// With how many more of its two neighbours the replica disagrees when `item` moves from part `a` to `b`.
    fn bonds_broken(&self, item: usize, replica: usize, a: u32, b: u32) -> i64 {
        let parts = &self.cells[item].parts;
        let neighbours = [parts[(replica + 1) % REPLICAS], parts[(replica + REPLICAS - 1) % REPLICAS]];
        neighbours.iter().map(|part| i64::from(*part == a) - i64::from(*part == b)).sum()
    }

    fn largest(&self, replica: usize) -> u32 {
        self.loads.iter().map(|loads| loads[replica]).max().unwrap_or(0)
    }

    /// Takes the best one over if it is better in the costs as they were given.
    fn finish<T: Storage>(&mut self, assignment: &mut Assignment<T>) {
        let before = assignment.makespan();
        self.exchange(assignment);
        if assignment.makespan() > before {
            self.exchange(assignment);
        }
    }

    /// Lets the best one and the assignment change places.
    fn exchange<T: Storage>(&mut self, assignment: &mut Assignment<T>) {
        let Assignment { items, parts } = assignment;
        for part in parts.iter_mut() {
            part.load = 0;
        }
        for (place, cell) in self.cells.iter_mut().enumerate() {
            let item = items[place];
            core::mem::swap(&mut items[item.number as usize].part, &mut cell.best);
            parts[items[item.number as usize].part as usize].load += item.cost;
        }
    }
}

/// How often the temperature is halved from the first sweep to the last.
const HALVINGS: u64 = 16;

/// `value` × `factor` / 2¹⁶.
fn scale(value: u64, factor: u32) -> u64 {
    let (high, low) = (value >> 16, value & 0xFFFF);
    high.saturating_mul(factor.into()).saturating_add((low * u64::from(factor)) >> 16)
}

/// A number below `n` from 32 random bits; the bias of `n / 2³²` does not matter to a search.
fn reduce(bits: u32, n: u32) -> usize {
    ((u64::from(bits) * u64::from(n)) >> 32) as usize
}

/// −log₂(`chance` / 2³²) × 2¹⁶, to within 0.01 × 2¹⁶; 0 counts as 1.
fn neg_log2(chance: u32) -> u32 {
    let chance = chance.max(1);
    let zeros = chance.leading_zeros();
    // The bits after the first one are x of 1 + x, and log₂(1 + x) is nearly x + 0.344 x (1 − x).
    let x = u64::from((chance << zeros) << 1) >> 16;
    let log = x + ((x * (0x1_0000 - x)) >> 16) * 22_545 / 0x1_0000;
    ((zeros + 1) << 16) - log as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Xoshiro256PlusPlus;
    use core::num::NonZeroU32;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn assigned<const N: usize>(costs: &[u64], parts: u32) -> Assignment<Inline<N>> {
        let mut assignment = Assignment::new();
        assignment.longest_first(costs, NonZeroU32::new(parts).unwrap()).unwrap();
        assignment
    }

    /// Loads that are those of the items, each in one part.
    fn check<S: Storage>(assignment: &Assignment<S>, costs: &[u64]) {
        let mut loads: Vec<u64> = assignment.loads().map(|_| 0).collect();
        for (part, cost) in assignment.parts_of_items().zip(costs) {
            loads[part as usize] += cost;
        }
        assert!(assignment.loads().eq(loads));
    }

    proptest! {
        #[test]
        fn it_is_never_worse_and_the_loads_stay_true(
            costs in prop::collection::vec((any::<u32>(), 0u32..32).prop_map(|(cost, shift)| u64::from(cost >> shift)), 0..30),
            parts in 1u32..8, shift in 0u32..27, seed: u64,
        ) {
            let costs: Vec<u64> = costs.into_iter().map(|cost| cost << shift).collect();
            let mut assignment = assigned::<30>(&costs, parts);
            let before = assignment.makespan();
            let mut annealer = Annealer::<Inline<30>, 4>::new();
            let gain = annealer.anneal(&mut assignment, 10, &mut Xoshiro256PlusPlus::seed(seed)).unwrap();
            prop_assert_eq!((gain.before, gain.after), (before, assignment.makespan()));
            prop_assert!(gain.after <= before && gain.after >= assignment.lower_bound());
            prop_assert_eq!(gain.optimal, gain.after == assignment.lower_bound());
            check(&assignment, &costs);
        }
    }

    /// The costs on which the longest-first rule does worst: 2m + 1 jobs, 4m − 1 for an optimum of 3m.
    fn worst_case(parts: u32) -> Vec<u64> {
        let m = u64::from(parts);
        (m + 1..2 * m).flat_map(|cost| [cost, cost]).chain([m; 3]).collect()
    }

    #[test]
    fn the_worst_cases_of_longest_first_are_solved() {
        for parts in 2..=8 {
            let mut assignment = assigned::<17>(&worst_case(parts), parts);
            let mut annealer = Annealer::<Inline<17>>::new();
            let gain = annealer.anneal(&mut assignment, 400, &mut Xoshiro256PlusPlus::seed(9)).unwrap();
            let m = u64::from(parts);
            assert_eq!(gain, Gain { before: 4 * m - 1, after: 3 * m, optimal: true });
        }
    }

    #[test]
    fn the_field_lets_replicas_differ_and_then_makes_them_agree() {
        // Odd numbers of which four parts get seven each: the lower bound is out of reach, so no search ends early.
        let costs: Vec<u64> = (0..28).map(|i| 1_000_001 + 2 * (i * i * 7_919 % 100_000)).collect();
        let mut assignment = assigned::<28>(&costs, 4);
        let mut annealer = Annealer::<Inline<28>>::new();
        let total: u64 = costs.iter().sum();
        let (mut early, mut late) = (0, 0);
        for seed in 0..8 {
            let mut rng = Xoshiro256PlusPlus::seed(seed);
            annealer.start(&assignment, 0).unwrap();
            let mut disagreeing = |sweeps: core::ops::Range<u32>| {
                for sweep in sweeps {
                    let step = annealer.step(sweep, 400, total);
                    (0..8).for_each(|replica| annealer.sweep(replica, step, &mut rng));
                }
                let bonds = annealer
                    .cells
                    .iter()
                    .flat_map(|cell| (0..8).map(|r| (cell.parts[r], cell.parts[(r + 1) % 8])));
                bonds.filter(|(one, other)| one != other).count()
            };
            early += disagreeing(0..40);
            late += disagreeing(40..400);
        }
        // Of 1,792 bonds, three in four are broken by chance.
        assert!(early > 1_200 && 5 * late < 4 * early, "{early}, {late}");
        assert!(!annealer.anneal(&mut assignment, 20, &mut Xoshiro256PlusPlus::seed(0)).unwrap().optimal);
    }

    #[test]
    fn what_does_not_fit_and_what_is_empty_are_answers() {
        let mut assignment = assigned::<4>(&[1, 2, 3, 4], 3);
        let rng = &mut Xoshiro256PlusPlus::seed(0);
        let refused = Annealer::<Inline<3>>::new().anneal(&mut assignment, 1, rng);
        assert_eq!(refused, Err(AssignError::TooManyItems));
        let mut few = assigned::<4>(&[1, 2], 4);
        let refused = Annealer::<Inline<3>>::default().anneal(&mut few, 1, rng);
        assert_eq!(refused, Err(AssignError::TooManyParts));
        let nothing = Gain { before: 0, after: 0, optimal: true };
        assert_eq!(Annealer::<Inline<3>>::new().anneal(&mut assigned::<3>(&[], 2), 5, rng), Ok(nothing));
        assert_eq!(
            Annealer::<Inline<3>>::new().anneal(&mut Assignment::<Inline<3>>::new(), 5, rng),
            Ok(nothing)
        );
        let same = Annealer::<Inline<4>>::new().anneal(&mut assignment, 0, rng).unwrap();
        assert_eq!(same.before, same.after);
        // The largest costs there are: the search works in a coarser unit, the outcome is exact.
        let huge: Vec<u64> = [5, 5, 4, 4, 3, 3, 3].iter().map(|cost| (cost << 59) + cost).collect();
        let huge = &huge.iter().map(|cost| cost / 8).collect::<Vec<_>>();
        let gain = Annealer::<Inline<7>>::new().anneal(&mut assigned::<7>(huge, 3), 300, rng).unwrap();
        assert!(gain.after < gain.before && gain.optimal, "{gain:?}");
    }

    #[test]
    fn the_logarithm_is_as_close_as_stated() {
        for chance in [1, 2, 3, 5, 1_000, 1 << 16, 0xAAAA_AAAA, 1 << 31, u32::MAX] {
            let exact = -(f64::from(chance) / 4_294_967_296.0).log2();
            let told = f64::from(neg_log2(chance)) / 65_536.0;
            assert!((told - exact).abs() < 0.01, "{chance}: {told} for {exact}");
        }
        assert_eq!(neg_log2(0), neg_log2(1));
        assert_eq!((scale(u64::MAX, u32::MAX), scale(3 << 20, 1 << 15)), (u64::MAX, 3 << 19));
    }
}
