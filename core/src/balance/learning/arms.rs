//! What each member costs, by all that was seen of it, the older the less.

use crate::balance::outcome::{Ended, Outcome};
use crate::balance::policy::{Choice, Refusal, View, Why};
use crate::balance::request::Request;
use crate::fixed::{Q32, exp2};
use crate::storage::{Inline, List, Storage};
use crate::time::saturating_nanos;
use core::fmt;

/// The weight of the first observation. The weight of each one after it is higher instead of those before it becoming
/// lower, so that one observation changes one member.
const UNIT: u64 = 1 << 32;
/// When an observation's weight gets here, all are divided by 2⁸.
const HEAVY: u64 = 1 << 40;
/// When all weights together get here, they are halved.
const FULL: u64 = 1 << 62;
/// Bits of an observation's share.
const SHARE: u32 = 24;
/// An observation counts half after so many others at most: more could not be told from never.
const LONGEST: u32 = 1 << 20;
/// The largest cost that is told from larger ones: 13 days in nanoseconds, so that squares and products fit.
const LARGEST: u64 = 1 << 50;

#[derive(Clone, Copy, Debug)]
struct Arm {
    generation: u32,
    /// The sum of the weights of its observations.
    weight: u64,
    /// Their weighted mean, in 2⁻⁸ ns.
    mean: u64,
}

/// The discounted mean cost of each member, and how far costs are from their member's mean.
pub(super) struct Arms<S: Storage> {
    list: S::List<Arm>,
    /// The next observation's weight.
    unit: u64,
    /// How much more each observation weighs than the one before: ln 2 ÷ half-life.
    growth: Q32,
    /// The sum of all weights.
    total: u64,
    /// The weighted mean of squared distances from the members' means, in ns².
    variance: u128,
}

/// What is known of one member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Its mean cost in 2⁻⁸ ns.
    pub(super) mean: u64,
    /// How many observations its own are worth, the latest counting as one.
    pub(super) count: Q32,
}

impl<const N: usize> Arms<Inline<N>> {
    pub(super) const fn new() -> Self {
        Self { list: heapless::Vec::new(), unit: UNIT, growth: Q32::ZERO, total: 0, variance: 0 }
    }
}

#[cfg(feature = "alloc")]
impl Arms<crate::storage::Heap> {
    pub(super) fn with_capacity(members: u32) -> Self {
        let list = crate::storage::HeapList::with_capacity(members as usize);
        Self { list, unit: UNIT, growth: Q32::ZERO, total: 0, variance: 0 }
    }
}

impl<S: Storage> Arms<S> {
    /// An observation counts half after so many others; 0: it always counts.
    pub(super) fn half_life(&mut self, observations: u32) {
        // 2^(1 ÷ observations) − 1, which for one observation is 1.
        let step = Q32::from_ratio(1, observations.min(LONGEST).into()).and_then(exp2);
        self.growth = step.map_or(Q32::ZERO, |factor| factor.saturating_sub(Q32::ONE));
    }

    /// The candidate with the lowest score; one of which nothing is known and that has no call first. With `with_load`
    /// the score counts once for each call that the candidate has and once for the new one.
    pub(super) fn lowest<M: Storage, L: Storage>(
        &self,
        view: View<'_, M, L>,
        request: &Request<'_>,
        with_load: bool,
        mut score: impl FnMut(Known, u32) -> i128,
    ) -> Result<Choice, Refusal> {
        if view.slots().last().is_some_and(|slot| *slot as usize >= self.list.capacity()) {
            return Err(Refusal::PolicyTooSmall);
        }
        let fleet = view.fleet();
        let mut untested: Option<(u32, u32)> = None;
        let mut best: Option<(i128, u32)> = None;
        let mut cheapest: Option<(u64, u32)> = None;
        for &slot in view.slots().iter().filter(|slot| !request.avoids(**slot)) {
            let Some(known) = self.known(view, slot) else {
                let in_flight = fleet.in_flight(slot);
                if untested.is_none_or(|(least, _)| in_flight < least) {
                    untested = Some((in_flight, slot));
                }
                continue;
            };
            let mut score = score(known, slot);
            if with_load {
                // Something is left of the cost, or load would not count.
                score = score.max((known.mean >> 3).into()) * (i128::from(fleet.load(slot)) + 1);
            }
            if best.is_none_or(|(least, _)| score < least) {
                best = Some((score, slot));
            }
            if cheapest.is_none_or(|(least, _)| known.mean < least) {
                cheapest = Some((known.mean, slot));
            }
        }
        match (untested, best) {
            (Some((in_flight, slot)), best) if in_flight == 0 || best.is_none() => {
                Ok(Choice { slot, why: Why::Untested })
            }
            (_, Some((_, slot))) => {
                let expected = with_load || cheapest.is_some_and(|(_, cheapest)| cheapest == slot);
                Ok(Choice { slot, why: if expected { Why::Score } else { Why::Explore } })
            }
            _ => Err(view.refusal()),
        }
    }

    /// What is known of the member in `slot`; `None`: nothing, or what there was has lost its weight.
    pub(super) fn known<M: Storage, L: Storage>(&self, view: View<'_, M, L>, slot: u32) -> Option<Known> {
        let generation = view.fleet().id(slot)?.generation();
        let arm = self.list.get(slot as usize).filter(|arm| arm.generation == generation)?;
        // Less than a 64th of an observation is none.
        let count = quotient(arm.weight, self.unit);
        (count >= Q32::from_bits(1 << 26)).then_some(Known { mean: arm.mean, count })
    }

    /// Takes in what a call cost.
    pub(super) fn note<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, ended: &Ended) {
        if ended.outcome == Outcome::Ignored {
            return;
        }
        let Some(id) = view.fleet().id(ended.slot) else { return };
        let fresh = Arm { generation: id.generation(), weight: 0, mean: 0 };
        while self.list.len() <= ended.slot as usize {
            if self.list.push(Arm { generation: id.generation().wrapping_sub(1), ..fresh }).is_err() {
                return;
            }
        }
        let unit = self.unit;
        let arm = &mut self.list[ended.slot as usize];
        if arm.generation != id.generation() {
            self.total -= arm.weight;
            *arm = fresh;
        }
        let cost = saturating_nanos(view.fleet().cost(ended)).min(LARGEST) << 8;
        let before = arm.mean.abs_diff(cost);
        arm.weight += unit;
        // The mean moves by the observation's share of the weight: with the sum this is the weighted mean.
        let step = part(before, (unit << SHARE) / arm.weight);
        arm.mean = if cost >= arm.mean { arm.mean + step } else { arm.mean - step };
        let after = arm.mean.abs_diff(cost);
        let first = arm.weight == unit;
        self.total += unit;
        if self.total == unit {
            // Of the first cost alone the spread is not known: half of it, for now.
            self.variance = u128::from(cost >> 9).pow(2);
        } else if !first {
            // Distance from the mean before times distance from the mean after: Welford's sum of squares.
            let square = u128::from(before >> 8) * u128::from(after >> 8);
            let share = u128::from((unit << SHARE) / self.total);
            let step = |distance: u128| {
                (distance >> SHARE) * share + (((distance & ((1 << SHARE) - 1)) * share) >> SHARE)
            };
            self.variance = if square >= self.variance {
                self.variance + step(square - self.variance)
            } else {
                self.variance - step(self.variance - square)
            };
        }
        self.unit += self.growth.mul_int(unit);
        if self.unit >= HEAVY {
            self.unit >>= 8;
            self.lighten(8);
        } else if self.total >= FULL {
            self.lighten(1);
        }
    }

    fn lighten(&mut self, bits: u32) {
        self.total = 0;
        for arm in self.list.iter_mut() {
            arm.weight >>= bits;
            self.total += arm.weight;
        }
    }

    /// All observations together, the latest counting as one.
    pub(super) fn count(&self) -> Q32 {
        quotient(self.total, self.unit)
    }

    /// The standard deviation of a cost from its member's mean, in ns.
    pub(super) fn deviation(&self) -> u64 {
        // In 64 bits, which is many times quicker: what does not fit loses an even number of bits before.
        let over = (64u32.saturating_sub(self.variance.leading_zeros()) + 1) & !1;
        ((self.variance >> over) as u64).isqrt() << (over / 2)
    }
}

impl<S: Storage> fmt::Debug for Arms<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arms").field("arms", &&*self.list).field("total", &self.total).finish_non_exhaustive()
    }
}

/// `n` × `share` ÷ 2^SHARE.
fn part(n: u64, share: u64) -> u64 {
    ((u128::from(n) * u128::from(share)) >> SHARE) as u64
}

/// `n` ÷ `over` to 30 bits at least, or [`Q32::MAX`] from 2³² on. One 64-bit division, where the exact ratio takes 32
/// steps.
pub(super) const fn quotient(n: u64, over: u64) -> Q32 {
    if n == 0 {
        return Q32::ZERO;
    }
    if over == 0 {
        return Q32::MAX;
    }
    // As many bits as fit of the one, 32 of the other.
    let up = n.leading_zeros();
    let down = 32u32.saturating_sub(over.leading_zeros());
    let ratio = (n << up) / (over >> down);
    // What is to be undone, of which the point's place is part.
    match (up + down).checked_sub(32) {
        Some(0) => Q32::from_bits(ratio),
        Some(back) if back < 64 => Q32::from_bits(ratio >> back),
        Some(_) => Q32::ZERO,
        None => {
            let more = 32 - up - down;
            if ratio.leading_zeros() < more { Q32::MAX } else { Q32::from_bits(ratio << more) }
        }
    }
}

/// √`x`, off by less than 2⁻³¹ of it (2⁻³² at least).
pub(super) const fn root(x: Q32) -> Q32 {
    if x.to_bits() == 0 {
        return Q32::ZERO;
    }
    // As many bits as fit are shifted in before, and half as many out after.
    let shift = x.to_bits().leading_zeros() & !1;
    let root = (x.to_bits() << shift).isqrt();
    // √(bits × 2³²) = √(bits << shift) × 2^(16 − shift/2)
    let half = shift / 2;
    Q32::from_bits(if half <= 16 { root << (16 - half) } else { root >> (half - 16) })
}
