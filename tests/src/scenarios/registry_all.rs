//! Every policy that has a name, over the same traffic.

use super::traffic::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::{
    Affinity, C3, Consistent, EnergyAware, EnergyConfig, HashKey, Hierarchical, JoinIdleQueue, Kind,
    LeastLoaded, LeastResponseTime, LowDiscrepancy, P2c, Prequal, Random, Regression, RoundRobin,
    SmoothWeighted, Subset, Thompson, Ucb, WeightedLeastLoaded, ZoneAware,
};
use divvy::hash::xxh3_64;
use divvy::ring::{Algorithm, Anchor, JumpBack, Karger, Ketama, Maglev, MultiProbe, Rendezvous};
use divvy::storage::Inline;

const SEED: u64 = 0x4E65;
const STEPS: u32 = 150;

type M = Inline<MEMBERS>;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    for kind in Kind::ALL {
        digest.feed(xxh3_64(kind.name().as_bytes()));
        one(&mut digest, *kind);
    }
    digest.finish()
}

/// With storage in itself, as a chip has it.
fn one(digest: &mut Digest, kind: Kind) {
    match kind {
        Kind::RoundRobin => drive(digest, RoundRobin::new, SEED, STEPS),
        Kind::Random => drive(digest, Random::new, SEED, STEPS),
        Kind::Hash => drive(digest, HashKey::new, SEED, STEPS),
        Kind::Smooth => drive(digest, || const { SmoothWeighted::<M>::new() }, SEED, STEPS),
        Kind::LowDiscrepancy => drive(digest, || const { LowDiscrepancy::<M>::new() }, SEED, STEPS),
        Kind::LeastLoaded => drive(digest, LeastLoaded::<M>::new, SEED, STEPS),
        Kind::WeightedLeastLoaded => drive(digest, WeightedLeastLoaded::<M>::new, SEED, STEPS),
        Kind::P2c => drive(digest, P2c::new, SEED, STEPS),
        Kind::P2cPeak => drive(digest, P2c::peak, SEED, STEPS),
        Kind::LeastResponseTime => drive(digest, LeastResponseTime::new, SEED, STEPS),
        Kind::JoinIdleQueue => drive(digest, JoinIdleQueue::<M>::new, SEED, STEPS),
        Kind::Prequal => drive(digest, || const { Prequal::new() }, SEED, STEPS),
        Kind::C3 => drive(digest, C3::<M>::new, SEED, STEPS),
        Kind::Hierarchical => drive(digest, || Hierarchical::<M>::new(2), SEED, STEPS),
        Kind::Affinity => {
            drive(digest, || Affinity::<_, Inline<8>>::new(LeastLoaded::<M>::new()), SEED, STEPS)
        }
        Kind::Ucb => drive(digest, || Ucb::<M>::new().with_load(), SEED, STEPS),
        Kind::Thompson => drive(digest, || Thompson::<M>::new().with_load(), SEED, STEPS),
        Kind::Regression => drive(digest, || const { Regression::<Inline<2>>::new() }, SEED, STEPS),
        Kind::Energy => {
            drive(digest, || EnergyAware::new(LeastLoaded::<M>::new(), EnergyConfig::new(2)), SEED, STEPS);
        }
        Kind::Zone => drive(digest, || const { ZoneAware::<_, M>::new(0, P2c::new()) }, SEED, STEPS),
        Kind::Subset => drive(digest, || Subset::<_, M>::even(0, 3, P2c::new()), SEED, STEPS),
        Kind::Consistent { ring, .. } => ring_of(digest, ring),
        // A kind that is new here: its name is in the digest.
        _ => {}
    }
}

fn ring_of(digest: &mut Digest, ring: Algorithm) {
    match ring {
        Algorithm::Karger => {
            drive(digest, || const { Consistent::new(Karger::<M, Inline<40>>::new()) }, SEED, STEPS)
        }
        Algorithm::Ketama => {
            drive(digest, || const { Consistent::new(Ketama::<M, Inline<40>>::new()) }, SEED, STEPS)
        }
        Algorithm::MultiProbe => {
            drive(digest, || const { Consistent::new(MultiProbe::<Inline<15>>::new()) }, SEED, STEPS)
        }
        Algorithm::Rendezvous => {
            drive(digest, || const { Consistent::new(Rendezvous::<M>::new()) }, SEED, STEPS)
        }
        Algorithm::Maglev => {
            drive(digest, || const { Consistent::new(Maglev::<M, Inline<31>>::new()) }, SEED, STEPS)
        }
        Algorithm::Anchor => {
            drive(digest, || const { Consistent::new(Anchor::<Inline<20>>::new()) }, SEED, STEPS)
        }
        Algorithm::JumpBack => drive(digest, || const { Consistent::new(JumpBack::<M>::new()) }, SEED, STEPS),
        _ => {}
    }
}
