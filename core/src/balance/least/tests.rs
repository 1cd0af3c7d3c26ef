//! The buckets against a plain search.

use super::buckets::Buckets;
use crate::storage::Inline;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The first is chosen.
    Start,
    /// A call at some slot begins, whoever is first.
    StartAt(u32),
    End(u32),
    Report(u32, u32),
    Toggle(u32),
    ToggleAll(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let load = prop_oneof![3 => 0u32..40, 2 => 0u32..2_000, 1 => u32::MAX - 40..=u32::MAX];
    prop_oneof![
        120 => Just(Step::Start),
        20 => (0u32..210).prop_map(Step::StartAt),
        80 => (0u32..210).prop_map(Step::End),
        20 => (0u32..210, load).prop_map(|(slot, load)| Step::Report(slot, load)),
        4 => (0u32..210).prop_map(Step::Toggle),
        1 => any::<u64>().prop_map(Step::ToggleAll),
    ]
}

/// Load, and the turn of the last choice.
#[derive(Clone, Copy)]
struct Slot {
    load: u32,
    turn: u32,
    present: bool,
}

proptest! {
    #[test]
    fn the_first_is_who_waits_longest_of_the_least(
        slots in prop_oneof![32u32..35, 32u32..200, 60u32..69],
        level in prop_oneof![Just(0u32), 0u32..100, Just(u32::MAX - 9)],
        steps in prop::collection::vec(step(), 0..1_500),
    ) {
        let mut buckets = Buckets::<Inline<200>>::new();
        let mut model = vec![Slot { load: level, turn: 0, present: true }; slots as usize];
        // Of those that were never chosen, the order that the index documents.
        let rotation = slots.next_power_of_two() - slots;
        let order = |slot: u32| (slot + slots - rotation) % slots;
        let rebuild = |buckets: &mut Buckets<Inline<200>>, model: &[Slot]| {
            buckets.rebuild(slots, |slot| Some(model[slot as usize]).filter(|s| s.present).map(|s| s.load));
        };
        rebuild(&mut buckets, &model);
        let mut turn = 0;
        for step in steps {
            let first = (0..slots)
                .filter(|slot| model[*slot as usize].present)
                .min_by_key(|slot| (model[*slot as usize].load, model[*slot as usize].turn, order(*slot)));
            if buckets.is_unsettled() {
                buckets.settle(|slot| model[slot as usize].load);
            }
            prop_assert_eq!(buckets.lowest(), first);
            let (slot, load, chosen) = match step {
                Step::Start => match first {
                    Some(slot) => (slot, model[slot as usize].load.saturating_add(1), true),
                    None => continue,
                },
                Step::StartAt(slot) => {
                    (slot, model.get(slot as usize).map_or(0, |slot| slot.load.saturating_add(1)), true)
                }
                Step::End(slot) => {
                    (slot, model.get(slot as usize).map_or(0, |slot| slot.load.saturating_sub(1)), false)
                }
                Step::Report(slot, load) => (slot, load, false),
                Step::Toggle(_) | Step::ToggleAll(_) => {
                    let toggled: Vec<u32> = match step {
                        Step::Toggle(slot) => vec![slot],
                        Step::ToggleAll(bits) => (0..slots).filter(|slot| bits >> (slot % 61) & 1 == 1).collect(),
                        _ => vec![],
                    };
                    for slot in toggled {
                        if let Some(slot) = model.get_mut(slot as usize) {
                            // Who comes back is new.
                            *slot = Slot { present: !slot.present, turn: 0, ..*slot };
                        }
                    }
                    rebuild(&mut buckets, &model);
                    continue;
                }
            };
            buckets.set(slot, load, chosen);
            if let Some(slot) = model.get_mut(slot as usize) {
                slot.load = load;
                if slot.present && chosen {
                    turn += 1;
                    slot.turn = turn;
                }
            }
        }
    }
}
