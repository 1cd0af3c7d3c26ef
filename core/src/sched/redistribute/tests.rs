use super::*;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

/// Whether `a` items at weight `v` are a higher level than `b` items at weight `w`.
fn is_higher((a, v): (u32, u32), (b, w): (u32, u32)) -> bool {
    u64::from(a) * u64::from(w) > u64::from(b) * u64::from(v)
}

/// The worker with the highest level: its items and its weight.
fn highest(lengths: &[u32], weights: &[u32]) -> (u32, u32) {
    let pairs = lengths.iter().copied().zip(weights.iter().copied());
    pairs.reduce(|top, pair| if is_higher(pair, top) { pair } else { top }).unwrap()
}

/// Calls `f` with every way to distribute `total` items to the workers after `fixed`.
fn distributions(workers: usize, total: u32, fixed: &mut Vec<u32>, f: &mut impl FnMut(&[u32])) {
    if fixed.len() + 1 == workers {
        fixed.push(total);
        f(fixed);
        fixed.pop();
        return;
    }
    for items in 0..=total {
        fixed.push(items);
        distributions(workers, total - items, fixed, f);
        fixed.pop();
    }
}

/// What `moves` make of `lengths`.
fn apply(lengths: &[u32], moves: impl Iterator<Item = Move>) -> Vec<u32> {
    let mut after = lengths.to_vec();
    for step in moves {
        assert!(step.count > 0 && step.from != step.to);
        after[step.from as usize] -= step.count;
        after[step.to as usize] += step.count;
    }
    after
}

fn spent(before: &[u32], after: &[u32], costs: &[u32]) -> (u64, u64) {
    let gives = before.iter().zip(after).map(|(before, after)| u64::from(before.saturating_sub(*after)));
    (gives.clone().sum(), gives.zip(costs).map(|(gives, cost)| gives * u64::from(*cost)).sum())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    /// Against every distribution there is: no lower highest level within the budget, and no fewer moves for it.
    #[test]
    fn no_other_distribution_is_better(
        workers in prop::collection::vec((0u32..7, 1u32..4, 0u32..3), 1..5),
        moves in 0u64..12, cost in 0u64..16, quarters in 4u64..8,
    ) {
        let lengths: Vec<u32> = workers.iter().map(|worker| worker.0).collect();
        let weights: Vec<u32> = workers.iter().map(|worker| worker.1).collect();
        let costs: Vec<u32> = workers.iter().map(|worker| worker.2).collect();
        let rules = Rules::new().weights(&weights).costs(&costs).max_moves(moves).max_cost(cost)
            .tolerance(Q32::from_ratio(quarters, 4).unwrap());
        let mut plan = Plan::<Inline<4>>::new();
        let summary = plan.plan(&lengths, rules).unwrap();
        let after = apply(&lengths, plan.moves());
        prop_assert!(plan.moves().len() < workers.len());
        prop_assert_eq!((summary.moved, summary.cost), spent(&lengths, &after, &costs));
        prop_assert!(summary.moved <= moves && summary.cost <= cost);

        let (total, weight) = (lengths.iter().sum::<u32>(), weights.iter().sum::<u32>());
        // No level above the aim counts: items × 4 × weight of all <= total × quarters × weight.
        let reaches_aim = |(items, own): (u32, u32)|
            u64::from(items) * 4 * u64::from(weight) <= u64::from(total) * quarters * u64::from(own);
        let ours = highest(&after, &weights);
        let (mut best, mut fewest) = (highest(&lengths, &weights), u64::MAX);
        distributions(workers.len(), total, &mut Vec::new(), &mut |other| {
            let (moved, costs) = spent(&lengths, other, &costs);
            let top = highest(other, &weights);
            if moved <= moves && costs <= cost && is_higher(best, top) {
                best = top;
            }
            if !is_higher(top, ours) || (reaches_aim(top) && reaches_aim(ours)) {
                fewest = fewest.min(moved);
            }
        });
        prop_assert!(reaches_aim(ours) || !is_higher(ours, best), "{after:?} is worse than {best:?}");
        prop_assert_eq!(summary.end == End::Reached, reaches_aim(ours));
        if summary.end == End::Budget {
            // What the budget has left is spent on lowering some of the next.
            prop_assert!(summary.moved >= fewest);
        } else {
            prop_assert_eq!(summary.moved, fewest, "{:?} to {:?}", lengths, after);
        }
    }

    /// Whole fleets: items are kept, givers only give, and repeating the plan under a small budget comes to the same
    /// highest level as without one.
    #[test]
    fn small_steps_come_to_the_same_level(
        lengths in prop::collection::vec(0u32..5_000, 1..40), seed in any::<u32>(), step in 1u64..400,
    ) {
        let weights: Vec<u32> = (0..lengths.len() as u32).map(|i| 1 + (seed.rotate_left(i) & 0xFF)).collect();
        let rules = Rules::new().weights(&weights);
        let mut plan = Plan::<Inline<40>>::new();
        let goal = plan.plan(&lengths, rules).unwrap();
        let at_once = apply(&lengths, plan.moves());
        prop_assert_ne!(goal.end, End::Budget);
        prop_assert!(goal.after <= goal.before);
        prop_assert_eq!(at_once.iter().sum::<u32>(), lengths.iter().sum::<u32>());
        let mut now = lengths.clone();
        let mut steps = 0;
        loop {
            let summary = plan.plan(&now, rules.max_moves(step)).unwrap();
            now = apply(&now, plan.moves());
            steps += 1;
            prop_assert!(steps <= goal.moved / step + 2 + lengths.len() as u64, "no end in sight");
            if summary.moved == 0 {
                break;
            }
        }
        prop_assert_eq!(highest(&now, &weights), highest(&at_once, &weights));
    }
}

#[test]
fn a_worker_without_weight_is_emptied_as_far_as_the_budget_goes() {
    let mut plan = Plan::<Inline<3>>::default();
    let rules = Rules::new().weights(&[0, 1, 3]);
    let summary = plan.plan(&[8, 0, 0], rules).unwrap();
    assert_eq!(apply(&[8, 0, 0], plan.moves()), [0, 2, 6]);
    assert_eq!((summary.before, summary.after, summary.end), (Q32::MAX, Q32::from_int(2), End::Reached));
    let summary = plan.plan(&[8, 0, 0], rules.max_moves(3)).unwrap();
    assert_eq!((summary.moved, summary.end), (3, End::Budget));
    assert_eq!(apply(&[8, 0, 0], plan.moves())[0], 5);
}

#[test]
fn what_is_even_enough_stays() {
    let mut plan = Plan::<Inline<4>>::new();
    let summary =
        plan.plan(&[11, 10, 9, 10], Rules::new().tolerance(Q32::from_ratio(5, 4).unwrap())).unwrap();
    assert_eq!((summary.moved, summary.end, plan.moves().len()), (0, End::Reached, 0));
    for lengths in [&[][..], &[0, 0], &[3]] {
        assert_eq!(plan.plan(lengths, Rules::new()).unwrap().moved, 0);
    }
    // Whole items: nobody can have 1.5.
    assert_eq!(plan.plan(&[2, 1], Rules::new()).unwrap().end, End::Best);
}

#[test]
fn what_cannot_be_planned_is_refused_and_changes_nothing() {
    let mut plan = Plan::<Inline<2>>::new();
    plan.plan(&[4, 0], Rules::new()).unwrap();
    for (lengths, rules, error) in [
        (&[1, 2, 3][..], Rules::new(), PlanError::TooManyWorkers),
        (&[1, 2], Rules::new().weights(&[1]), PlanError::WrongLength),
        (&[1, 2], Rules::new().costs(&[1, 2, 3]), PlanError::WrongLength),
        (&[1, 2], Rules::new().weights(&[1, MAX_WEIGHT + 1]), PlanError::WeightTooLarge),
        (&[1, 2], Rules::new().weights(&[0, 0]), PlanError::NoWeight),
    ] {
        assert_eq!(plan.plan(lengths, rules), Err(error));
    }
    assert!(plan.moves().eq([Move { from: 0, to: 1, count: 2 }]));
    let largest = plan.plan(&[u32::MAX, 0], Rules::new().weights(&[MAX_WEIGHT, 1])).unwrap();
    assert!(largest.after < largest.before && largest.end != End::Budget);
}

#[test]
fn moves_are_carried_out_and_what_nobody_takes_comes_back() {
    let mut plan = Plan::<Inline<3>>::new();
    plan.plan(&[6, 0, 0], Rules::new()).unwrap();
    let lists = core::cell::RefCell::new([vec![1, 2, 3, 4, 5, 6], vec![], vec![]]);
    let room = |worker: u32| [6, 1, 9][worker as usize];
    let moved = plan.carry_out(
        |from| lists.borrow_mut()[from as usize].pop(),
        |to, item| {
            let list = &mut lists.borrow_mut()[to as usize];
            if list.len() == room(to) {
                return Err(Full(item));
            }
            list.push(item);
            Ok(())
        },
    );
    assert_eq!(moved, Ok(3));
    assert_eq!(lists.into_inner(), [vec![1, 2, 3], vec![6], vec![5, 4]]);
    assert_eq!(plan.carry_out(|_| Some(7), |_, item| Err(Full(item))), Err(Full(7)));
    assert_eq!(plan.carry_out(|_| None::<u8>, |_, _| unreachable!()), Ok(0));
}

#[cfg(feature = "alloc")]
#[test]
fn a_heap_plan_has_room_for_as_many_as_were_asked_for() {
    let mut plan = Plan::<crate::storage::Heap>::with_capacity(3);
    assert_eq!(plan.plan(&[9, 0, 0], Rules::new()).unwrap().moved, 6);
    assert_eq!(plan.plan(&[0; 4], Rules::new()), Err(PlanError::TooManyWorkers));
}

#[test]
fn sizes_are_as_documented() {
    let each = (size_of::<Plan<Inline<120>>>() - size_of::<Plan<Inline<20>>>()) / 100;
    assert_eq!(each, 20);
}
