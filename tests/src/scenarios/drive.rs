//! A fleet under a policy: picks, completions, reports, probes, and members that come, go and change.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{Balancer, Fleet, Member, Outcome, Pick, Policy, Report, Request};
use divvy::lease::Lease;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

/// How many members there may be: what the policy must hold.
pub(super) const MEMBERS: usize = 7;
const CALLS: usize = 10;

type Served<P> = Balancer<P, Inline<MEMBERS>, Inline<CALLS>>;

/// A function of its own, as `serve` is, so that each has the stack without what the other needs; the
/// fleet is a constant, as the larger policies are, and so is only copied to its place.
#[inline(never)]
fn build<P: Policy>(policy: impl FnOnce() -> P) -> Served<P> {
    Balancer::new(const { Fleet::new(Duration::from_millis(40)) }, policy())
}

/// Feeds `digest` every decision of the policy over `steps`. Never inlined: the stack of one policy at a time.
#[inline(never)]
pub(super) fn drive<P: Policy>(digest: &mut Digest, policy: impl FnOnce() -> P, seed: u64, steps: u32) {
    serve(digest, &mut build(policy), seed, steps);
}

#[inline(never)]
fn serve<P: Policy>(digest: &mut Digest, balancer: &mut Served<P>, seed: u64, steps: u32) {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut now = Instant::from_secs(1);
    let mut leases: [Option<Lease>; CALLS] = [None; CALLS];
    let mut names = 0u32;
    for step in 0..steps {
        match rng.below(32) {
            0..14 => {
                let avoid = [rng.below(16), rng.below(16)];
                let mut request = Request::new().avoid(&avoid[..rng.below(3) as usize]);
                if rng.below(2) == 0 {
                    request = request.key_hash(rng.next_u64());
                }
                if rng.below(2) == 0 {
                    request = request.zone(rng.below(4) as u16);
                }
                match balancer.pick(now, &request, &mut rng) {
                    Pick::Member { member, lease, .. } => {
                        digest.feed(u64::from(member.slot()) << 32 | u64::from(member.generation()));
                        if let Some(free) = leases.iter_mut().find(|lease| lease.is_none()) {
                            *free = Some(lease);
                        }
                    }
                    Pick::None { retry_at, .. } => digest.feed_option(retry_at.map(Instant::as_nanos)),
                }
            }
            14..24 => {
                let lease = leases[rng.below(CALLS as u32) as usize].take();
                let outcome = if rng.below(8) == 0 { Outcome::Failure } else { Outcome::Success };
                let ended = lease.is_some_and(|lease| balancer.complete(now, lease, outcome).is_ok());
                digest.feed(u64::from(ended));
            }
            24..27 => {
                let asked = balancer.probe(now, &mut rng);
                digest.feed_option(asked.map(|member| u64::from(member.slot())));
                let slot = asked.map_or(rng.below(MEMBERS as u32), |member| member.slot());
                let latency = Duration::from_micros(u64::from(100 + rng.below(20_000)));
                let report = Report { in_flight: rng.below(12), latency };
                let known = balancer.fleet().id(slot);
                let told = known.is_some_and(|member| balancer.report(now, member, &report).is_ok());
                digest.feed(u64::from(told));
            }
            27..30 => now = now.saturating_add(Duration::from_micros(u64::from(rng.below(9_000)))),
            // Changes are rarer than a round, but not by much.
            _ if step % 4 > 0 => {}
            _ => {
                let fleet = balancer.fleet_mut();
                let some = fleet.id(rng.below(MEMBERS as u32));
                let done = match (rng.below(8), some) {
                    (0 | 1, _) | (_, None) => {
                        names += 1;
                        let member = Member::new(&names.to_le_bytes()).zone(rng.below(3) as u16);
                        fleet.insert(now, member.weight(1 + rng.below(9))).is_ok()
                    }
                    (2, Some(id)) => fleet.remove(now, id).is_ok(),
                    (3, Some(id)) => fleet.set_weight(id, rng.below(20)).is_ok(),
                    (4, Some(id)) => fleet.mark_down(id).is_ok(),
                    (5, Some(id)) => fleet.drain(id).is_ok(),
                    (_, Some(id)) => fleet.resume(id).is_ok(),
                };
                digest.feed(u64::from(done));
            }
        }
    }
    for slot in 0..MEMBERS as u32 {
        digest.feed(u64::from(balancer.fleet().picks(slot)));
    }
}
