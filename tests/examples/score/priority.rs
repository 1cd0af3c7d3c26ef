//! The starvation bound of the priority queue, under an adversary who arrives as late as still helps.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::queue::PriorityQueue;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const AGING: u64 = 1_000_000;
const BOUND: &str = "only by levels q > p pushed before t + (q − p) × aging: `queue::PriorityQueue`";

#[derive(Clone, Copy)]
struct Item {
    order: u32,
    level: u8,
    pushed: u64,
}

pub(crate) fn figures() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(0x57A7);
    let mut queue = PriorityQueue::<Item, Inline<64>>::new(Duration::from_nanos(AGING));
    let mut waiting: Vec<Item> = Vec::new();
    let (mut now, mut order) = (0, 0);
    let (mut overtakings, mut against, mut latest) = (0u64, 0u64, 0f64);
    for _ in 0..40_000 {
        // The adversary aims at the item that has waited longest, and comes with a higher level a nanosecond before it
        // would be too late, or at that moment.
        let victim = waiting.iter().min_by_key(|item| item.order);
        let aimed = victim.and_then(|victim| {
            let higher = u8::MAX - victim.level;
            let by = 1 + rng.below(u32::from(higher).min(12)) as u8;
            let moment = victim.pushed + u64::from(by) * AGING - u64::from(rng.below(2));
            (by <= higher && moment >= now).then_some((victim.level + by, moment))
        });
        let (level, moment) = match aimed {
            Some(aimed) if rng.below(3) > 0 => aimed,
            _ => (rng.below(200) as u8, now + u64::from(rng.below(AGING as u32 / 2))),
        };
        now = moment;
        let item = Item { order, level, pushed: now };
        order += 1;
        if queue.push(Instant::from_nanos(now), level, item).is_ok() {
            waiting.push(item);
        }
        // Emptied as quickly as it fills, so that there is always somebody to overtake.
        if waiting.len() > 8 + rng.below(40) as usize {
            let first = queue.pop().expect("some wait");
            waiting.retain(|item| item.order != first.order);
            for overtaken in waiting.iter().filter(|item| item.order < first.order) {
                overtakings += 1;
                let levels = i64::from(first.level) - i64::from(overtaken.level);
                let allowed = levels.max(0) as u64 * AGING;
                let late = first.pushed - overtaken.pushed;
                if late >= allowed {
                    against += 1;
                }
                latest = latest.max(late as f64 / allowed.max(1) as f64);
            }
        }
    }
    vec![
        Figure::new(
            format!("priority queue: overtakings against the bound, of {overtakings}"),
            against as f64,
            Bound::Exactly(0.0),
            BOUND,
        ),
        Figure::new(
            "priority queue: latest overtaking, as a share of the time that the bound gives it",
            latest,
            Bound::AtMost(1.0),
            BOUND,
        ),
    ]
}
