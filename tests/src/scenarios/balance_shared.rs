//! The balancer that threads share, by one of them.

use crate::Digest;
use divvy::balance::{Held, Request, SharedBalancer, SharedPolicy};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const MEMBERS: usize = 9;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x54A2);
    for policy in [SharedPolicy::RoundRobin, SharedPolicy::P2c, SharedPolicy::LeastLoaded, SharedPolicy::Hash]
    {
        let balancer = SharedBalancer::<Inline<MEMBERS>>::new(policy);
        let mut held: [Option<Held<'_, Inline<MEMBERS>>>; 16] = [const { None }; 16];
        for _ in 0..2_000 {
            if rng.below(20) == 0 {
                balancer.set_ready(rng.below(MEMBERS as u32), rng.below(4) > 0);
            }
            let avoid = [rng.below(MEMBERS as u32)];
            let request = Request::new().avoid(&avoid).key_hash(rng.next_u64());
            let place = &mut held[rng.below(16) as usize];
            *place = None;
            match balancer.pick(&request, &mut rng) {
                Ok(call) => {
                    digest.feed_option(Some(call.slot().into()));
                    digest.feed(balancer.load(call.slot()).into());
                    *place = Some(call);
                }
                Err(_) => digest.feed_option(None),
            }
        }
    }
    digest.finish()
}
