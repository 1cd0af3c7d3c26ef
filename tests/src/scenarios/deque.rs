//! Four work-stealing deques of different sizes under one interleaving, which the seed chooses: owners push and pop,
//! thieves take one item or half of them, also from themselves.

use crate::Digest;
use divvy::queue::deque::{Deque, Steal};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x57EA1);
    let deques = [const { Deque::<u32, Inline<16>>::new() }; 4];
    let owners = deques.each_ref().map(Deque::worker);
    // Each deque has one owner at a time.
    digest.feed(deques.iter().filter(|deque| deque.worker().is_some()).count() as u64);
    for item in 0..6_000 {
        let [who, whom] = [rng.below(4), rng.below(4)];
        let Some(owner) = &owners[who as usize] else { continue };
        let victim = deques[whom as usize].stealer();
        digest.feed((who << 2 | whom).into());
        match rng.below(12) {
            0..5 => digest.feed_option(owner.push(item).err().map(|full| full.0.into())),
            5..8 => digest.feed_option(owner.pop().map(u64::from)),
            8 | 9 => feed(&mut digest, one(victim.steal_one())),
            _ => feed(&mut digest, victim.steal_half(owner)),
        }
        digest.feed(owner.len() as u64);
    }
    digest.finish()
}

/// What was stolen, and how many came along.
fn feed(digest: &mut Digest, stolen: Steal<(u32, u32)>) {
    match stolen {
        Steal::Success((item, moved)) => {
            digest.feed(item.into());
            digest.feed(moved.into());
        }
        Steal::Empty => digest.feed(u64::MAX),
        Steal::Retry => digest.feed(u64::MAX - 1),
    }
}

fn one(stolen: Steal<u32>) -> Steal<(u32, u32)> {
    match stolen {
        Steal::Success(item) => Steal::Success((item, 0)),
        Steal::Empty => Steal::Empty,
        Steal::Retry => Steal::Retry,
    }
}
