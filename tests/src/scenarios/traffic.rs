//! What the scenarios of policies share: a small fleet whose calls begin, end and are lost while its members change.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{Balancer, Fleet, Member, Outcome, Pick, Policy, Report, Request};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

/// How many members there may be, and how many calls.
pub(super) const MEMBERS: usize = 5;
pub(super) const CALLS: usize = 6;

type Served<P> = Balancer<P, Inline<MEMBERS>, Inline<CALLS>>;

/// A function of its own, as `serve` is, so that each has the stack without what the other needs; the
/// fleet is a constant, as the larger policies are, and so is only copied to its place.
#[inline(never)]
fn build<P: Policy>(policy: impl FnOnce() -> P) -> Served<P> {
    Balancer::new(const { Fleet::new(Duration::from_secs(3)) }, policy())
}

/// Drives the policy from `seed` and feeds every decision. Never inlined: the stack of one policy at a time.
#[inline(never)]
pub(super) fn drive<P: Policy>(digest: &mut Digest, policy: impl FnOnce() -> P, seed: u64, steps: u32) {
    serve(digest, &mut build(policy), seed, steps);
}

#[inline(never)]
fn serve<P: Policy>(digest: &mut Digest, balancer: &mut Served<P>, seed: u64, steps: u32) {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut leases = [None; CALLS];
    let mut now = Instant::ZERO;
    for step in 0..steps {
        now = now.saturating_add(Duration::from_micros(u64::from(rng.below(100_000))));
        let any = rng.below(CALLS as u32) as usize;
        // The first steps fill the fleet.
        match if step < 4 { 0 } else { rng.below(16) } {
            0 => {
                let who = if step < 4 { step } else { rng.below(7) };
                let member = Member::new(&[who as u8]).weight(1 + rng.below(3)).zone((who % 2) as u16);
                digest.feed(balancer.fleet_mut().insert(now, member).is_ok().into());
            }
            1 => {
                let name = [rng.below(7) as u8];
                if let Some(id) = balancer.fleet().find_name(&name) {
                    let fleet = balancer.fleet_mut();
                    let changed = match rng.below(5) {
                        0 => fleet.remove(now, id),
                        1 => fleet.drain(id),
                        2 => fleet.set_weight(id, rng.below(4)),
                        _ => fleet.resume(id),
                    };
                    digest.feed(changed.is_ok().into());
                }
            }
            2..=6 => {
                if let Some(lease) = leases[any].take() {
                    let outcome = if rng.below(5) == 0 { Outcome::Failure } else { Outcome::Success };
                    digest.feed(balancer.complete(now, lease, outcome).is_ok().into());
                }
            }
            _ => {
                if let Some(id) = balancer.probe(now, &mut rng) {
                    let report = Report {
                        in_flight: rng.below(6),
                        latency: Duration::from_micros(u64::from(rng.below(90_000))),
                    };
                    digest.feed(id.slot().into());
                    digest.feed(balancer.report(now, id, &report).is_ok().into());
                }
                let (avoid, features) = ([rng.below(MEMBERS as u32)], [rng.below(1_000), rng.below(3)]);
                let mut request = Request::new().features(&features).zone(rng.below(3) as u16);
                if rng.below(4) > 0 {
                    request = request.key_hash(u64::from(rng.below(20)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                }
                if rng.below(3) == 0 {
                    request = request.avoid(&avoid);
                }
                match balancer.pick(now, &request, &mut rng) {
                    Pick::Member { member, lease, .. } => {
                        digest.feed_option(Some(member.slot().into()));
                        digest.feed(member.generation().into());
                        leases[any] = Some(lease);
                    }
                    Pick::None { retry_at, why } => {
                        digest.feed_option(None);
                        digest.feed_option(retry_at.map(Instant::as_nanos));
                        digest.feed((why == divvy::balance::Refusal::Avoided).into());
                    }
                }
            }
        }
    }
    for slot in 0..MEMBERS as u32 {
        digest.feed(balancer.fleet().load(slot).into());
        digest.feed(balancer.fleet().picks(slot).into());
    }
}
