//! Four work-stealing deques under one interleaving, which the seed chooses: owners of both orders push, pop and share, at
//! once or on demand; thieves take one item, half of them or a block, also from themselves. After a while other owners
//! take over.

use crate::Digest;
use divvy::queue::deque::{Deque, Order, Sharing, Steal, Worker};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

type Small = Deque<u32, Inline<16>>;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x57EA1);
    let deques = [const { Small::new() }; 4];
    for round in 0..6 {
        let (lifo, fifo) = deques.split_at(round % 5);
        let newest_first = [0, 1, 2, 3].map(|index| lifo.get(index).and_then(Deque::worker));
        let oldest_first = [0, 1, 2, 3].map(|index| fifo.get(index).and_then(Deque::fifo_worker));
        // Each deque has one owner at a time.
        digest.feed(deques.iter().filter(|deque| deque.worker().is_some()).count() as u64);
        for item in 0..1_000 {
            let [who, whom] = [rng.below(4), rng.below(4)];
            digest.feed((who << 2 | whom).into());
            let victim = &deques[whom as usize];
            if let Some(Some(owner)) = newest_first.get(who as usize) {
                step(&mut digest, &mut rng, owner, victim, item);
            }
            if let Some(Some(owner)) =
                (who as usize).checked_sub(lifo.len()).map(|index| &oldest_first[index])
            {
                step(&mut digest, &mut rng, owner, victim, item);
            }
        }
    }
    digest.finish()
}

/// One thing that an owner does.
fn step<O: Order>(
    digest: &mut Digest,
    rng: &mut Xoshiro256PlusPlus,
    owner: &Worker<'_, u32, Inline<16>, O>,
    victim: &Small,
    item: u32,
) {
    let victim = victim.stealer();
    match rng.below(15) {
        0..5 => digest.feed_option(owner.push(item).err().map(|full| full.0.into())),
        5..8 => digest.feed_option(owner.pop().map(u64::from)),
        8 => owner.share(),
        9 => feed(digest, one(victim.steal_one())),
        10 => feed(digest, victim.steal_block(owner, 1 + item % 5)),
        11 => digest.feed(u64::from(victim.is_empty())),
        12 => owner.set_sharing(if item.is_multiple_of(3) { Sharing::AtOnce } else { Sharing::OnDemand }),
        _ => feed(digest, victim.steal_half(owner)),
    }
    digest.feed(owner.len() as u64);
    digest.feed(victim.len() as u64);
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
