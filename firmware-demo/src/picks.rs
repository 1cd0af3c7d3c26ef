//! What choosing a member costs on a chip: a fleet of eight under one policy after the other.

use core::hint::black_box;
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{
    Affinity, Balancer, C3, Consistent, EnergyAware, EnergyConfig, Fleet, HashKey, Hierarchical,
    JoinIdleQueue, LeastLoaded, LeastResponseTime, LowDiscrepancy, Member, Outcome, P2c, Pick, Policy,
    Prequal, Random, Regression, Request, RoundRobin, SmoothWeighted, Thompson, Ucb, WeightedLeastLoaded,
};
use divvy::ring::{JumpBack, Rendezvous};
use divvy::rng::SplitMix64;
use divvy::storage::Inline;

/// Members of the fleet, and calls that may be out at once.
pub const MEMBERS: usize = 8;
/// See [`MEMBERS`].
pub const CALLS: usize = 8;
/// How many calls each policy places.
pub const PICKS: u32 = 1_000;

type M = Inline<MEMBERS>;

/// What one policy came to.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The policy's name in `divvy::balance::Kind`.
    pub name: &'static str,
    /// What the caller's clock counted for [`PICKS`] picks and as many completions.
    pub ticks: u32,
    /// Bytes of the fleet with its policy.
    pub bytes: u32,
    /// Calls that nobody got: none, or something is wrong.
    pub refused: u32,
}

/// Places calls under each policy and hands each row to `show`; `ticks` is read before and after.
pub fn measure(ticks: fn() -> u32, show: &mut dyn FnMut(Row)) {
    let mut row = |name, run: fn(&'static str, fn() -> u32) -> Row| show(run(name, ticks));
    row("round-robin", |name, ticks| place(name, ticks, RoundRobin::new));
    row("random", |name, ticks| place(name, ticks, Random::new));
    row("hash", |name, ticks| place(name, ticks, HashKey::new));
    row("smooth", |name, ticks| place(name, ticks, SmoothWeighted::<M>::new));
    row("low-discrepancy", |name, ticks| place(name, ticks, LowDiscrepancy::<M>::new));
    row("least-loaded", |name, ticks| place(name, ticks, LeastLoaded::<M>::new));
    row("weighted-least-loaded", |name, ticks| place(name, ticks, WeightedLeastLoaded::<M>::new));
    row("p2c", |name, ticks| place(name, ticks, P2c::new));
    row("p2c-peak", |name, ticks| place(name, ticks, P2c::peak));
    row("least-response-time", |name, ticks| place(name, ticks, LeastResponseTime::new));
    row("jiq", |name, ticks| place(name, ticks, JoinIdleQueue::<M>::new));
    row("prequal", |name, ticks| place(name, ticks, Prequal::new));
    row("c3", |name, ticks| place(name, ticks, C3::<M>::new));
    row("rendezvous", |name, ticks| place(name, ticks, || Consistent::new(Rendezvous::<M>::new())));
    row("jump-back", |name, ticks| place(name, ticks, || Consistent::new(JumpBack::<M>::new())));
    row("hierarchical", |name, ticks| place(name, ticks, || Hierarchical::<M>::new(4)));
    row("affinity", |name, ticks| place(name, ticks, || Affinity::<_, Inline<8>>::new(P2c::new())));
    row("ucb", |name, ticks| place(name, ticks, Ucb::<M>::new));
    row("thompson", |name, ticks| place(name, ticks, Thompson::<M>::new));
    row("regression", |name, ticks| place(name, ticks, Regression::<Inline<CALLS>>::new));
    row("energy", |name, ticks| place(name, ticks, || EnergyAware::new(P2c::new(), EnergyConfig::new(2))));
}

/// Half of the calls are always out, so that loads differ. Each is answered after four more.
#[inline(never)]
fn place<P: Policy>(name: &'static str, ticks: fn() -> u32, policy: fn() -> P) -> Row {
    let fleet = Fleet::<M, Inline<CALLS>>::new(Duration::from_secs(1));
    let mut balancer = Balancer::new(fleet, policy());
    let mut rng = SplitMix64::seed(1);
    for member in 0..MEMBERS as u8 {
        // Eight fit, and their names differ.
        let _ = balancer
            .fleet_mut()
            .insert(Instant::ZERO, Member::new(&[member]).weight(1 + u32::from(member % 2)));
    }
    let mut out = [None; CALLS / 2];
    let mut refused = 0;
    let began = ticks();
    for nth in 0..PICKS {
        let now = Instant::from_micros(u64::from(nth));
        let place = &mut out[nth as usize % (CALLS / 2)];
        if let Some(lease) = place.take() {
            refused += u32::from(balancer.complete(now, lease, Outcome::Success).is_err());
        }
        let key = u64::from(nth % 16).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match balancer.pick(now, black_box(&Request::new().key_hash(key)), &mut rng) {
            Pick::Member { lease, .. } => *place = Some(lease),
            Pick::None { .. } => refused += 1,
        }
    }
    let ticks = ticks().wrapping_sub(began);
    Row { name, ticks, bytes: size_of_val(&balancer) as u32, refused }
}

#[cfg(test)]
mod tests {
    use super::*;
    use divvy::balance::Kind;

    #[test]
    fn every_policy_places_every_call() {
        let mut rows = 0;
        measure(|| 0, &mut |row| {
            assert_eq!(row.refused, 0, "{}", row.name);
            assert!(row.name.parse::<Kind>().is_ok(), "{}", row.name);
            println!("{:<22} {:>5}", row.name, row.bytes);
            rows += 1;
        });
        assert_eq!(rows, 21);
    }
}
