//! By the key alone.

use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::rng::SplitMix64;
use crate::storage::Storage;
use crate::{Instant, Rng};

/// Each key to one candidate, by its hash modulo their number, so to speak; nothing is kept.
///
/// A request that avoids its key's member goes to the key's next choice, which is another one for other keys of that
/// member: a retry does not load one neighbour. A request without a key goes to a candidate drawn by chance. Weights
/// and loads do not count.
///
/// *When not to use it:* where members come and go and moving a key is dear: with another number of candidates nearly
/// every key moves. [`Consistent`](super::Consistent) moves only those that must.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, HashKey, Member, Pick, Refusal, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<8>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, HashKey::new());
/// for name in [b"a", b"b"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// let request = Request::new().key(b"user:17");
/// let Pick::Member { member, why: Why::Key, .. } = balancer.pick(now, &request, &mut rng) else { panic!() };
/// let again = balancer.pick(now, &request, &mut rng);
/// assert!(matches!(again, Pick::Member { member: same, .. } if same == member));
/// // With every member avoided there is nobody left:
/// let none = balancer.pick(now, &request.avoid(&[0, 1]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(1), with avoided slots *O*(avoided); when chance is unkind to a request that avoids most of them, *O*(candidates ×
/// avoided). No bytes but a seed: 8.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HashKey {
    seed: u64,
}

/// How many choices of its own a key has before the next candidate in order is taken.
const CHOICES: u32 = 8;

impl HashKey {
    /// Placement by the key's hash as it is.
    #[must_use]
    pub const fn new() -> Self {
        Self { seed: 0 }
    }

    /// Another placement for each `seed`: where two tiers place the same keys, give them different seeds, or each
    /// member of the second tier hears only from some of the first.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl Policy for HashKey {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        match request.hash() {
            Some(hash) => place(view, request, hash, self.seed),
            None => {
                let start = rng.below(view.slots().len() as u32);
                let slot = next_from(view, request, start).ok_or_else(|| view.refusal())?;
                Ok(Choice { slot, why: Why::Chance })
            }
        }
    }
}

/// The candidate of the key with this `hash`, or the next one that `request` does not avoid.
fn place<M: Storage, L: Storage>(
    view: View<'_, M, L>,
    request: &Request<'_>,
    hash: u64,
    seed: u64,
) -> Result<Choice, Refusal> {
    let slots = view.slots();
    // What the choices after the first are drawn from; with a seed, the first as well.
    let mut draws = SplitMix64::seed(hash ^ seed);
    let mut draw = if seed == 0 { hash } else { draws.next_u64() };
    for nth in 0..CHOICES {
        let at = scale(draw, slots.len() as u32);
        match slots.get(at as usize) {
            Some(&slot) if !request.avoids(slot) => {
                return Ok(Choice { slot, why: if nth == 0 { Why::Key } else { Why::Successor } });
            }
            Some(_) => draw = draws.next_u64(),
            None => break,
        }
    }
    let slot = next_from(view, request, scale(draw, slots.len() as u32)).ok_or_else(|| view.refusal())?;
    Ok(Choice { slot, why: Why::Successor })
}

/// `draw` × `n` ÷ 2⁶⁴, by its upper half.
const fn scale(draw: u64, n: u32) -> u32 {
    (((draw >> 32) * n as u64) >> 32) as u32
}

/// The first candidate from place `start` on that `request` does not avoid.
pub(super) fn next_from<M: Storage, L: Storage>(
    view: View<'_, M, L>,
    request: &Request<'_>,
    start: u32,
) -> Option<u32> {
    let (before, after) = view.slots().split_at_checked(start as usize)?;
    after.iter().chain(before).copied().find(|slot| !request.avoids(*slot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Fleet, FleetError, Member};
    use crate::hash::xxh3_64;
    use crate::storage::Inline;
    use core::time::Duration;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    fn fleet(members: u32) -> Fleet<Inline<16>, Inline<4>> {
        let mut fleet = Fleet::<Inline<16>, Inline<4>>::new(Duration::from_secs(1));
        for member in 0..members {
            fleet.insert(Instant::ZERO, Member::new(&member.to_le_bytes())).expect("there is room");
        }
        fleet
    }

    fn choose(
        policy: &mut HashKey,
        fleet: &Fleet<Inline<16>, Inline<4>>,
        request: &Request<'_>,
    ) -> Result<Choice, Refusal> {
        policy.choose(Instant::ZERO, View::of(fleet), request, &mut SplitMix64::seed(1))
    }

    proptest! {
        #[test]
        fn a_key_goes_to_one_that_it_does_not_avoid(
            members in 1u32..16, key: u64, seed: u64, avoid in prop::collection::vec(0u32..16, 0..16),
        ) {
            let fleet = fleet(members);
            let mut policy = HashKey::new().seed(seed);
            let request = Request::new().key_hash(key).avoid(&avoid);
            let free = (0..members).any(|slot| !avoid.contains(&slot));
            match choose(&mut policy, &fleet, &request) {
                Ok(choice) => {
                    prop_assert!(choice.slot < members && !avoid.contains(&choice.slot));
                    prop_assert_eq!(choose(&mut policy, &fleet, &request), Ok(choice));
                    let owner = choose(&mut policy, &fleet, &Request::new().key_hash(key)).unwrap();
                    prop_assert_eq!(owner.why, Why::Key);
                    prop_assert_eq!(choice.why == Why::Key, choice.slot == owner.slot);
                }
                Err(refusal) => {
                    prop_assert!(!free);
                    prop_assert_eq!(refusal, Refusal::Avoided);
                }
            }
        }
    }

    #[test]
    fn keys_spread_evenly_and_those_of_an_avoided_member_as_well() -> Result<(), FleetError> {
        let fleet = fleet(8);
        for seed in [0, 1] {
            let mut policy = HashKey::new().seed(seed);
            let (mut all, mut moved) = ([0u32; 8], [0u32; 8]);
            for key in 0..80_000u32 {
                let request = Request::new().key_hash(xxh3_64(&key.to_le_bytes()));
                let owner = choose(&mut policy, &fleet, &request).unwrap().slot;
                all[owner as usize] += 1;
                if owner == 3 {
                    let next = choose(&mut policy, &fleet, &request.avoid(&[3])).unwrap();
                    assert_eq!(next.why, Why::Successor);
                    moved[next.slot as usize] += 1;
                }
            }
            // Four standard deviations around 10,000, and around a seventh of that.
            assert!(all.iter().all(|count| (9_600..10_400).contains(count)), "{all:?}");
            let others: Vec<_> = moved.iter().filter(|count| **count > 0).collect();
            assert_eq!(others.len(), 7);
            assert!(others.iter().all(|count| (1_280..1_580).contains(*count)), "{moved:?}");
        }
        Ok(())
    }

    #[test]
    fn without_a_key_chance_decides() {
        let fleet = fleet(4);
        let mut rng = SplitMix64::seed(7);
        let mut seen = BTreeMap::new();
        for _ in 0..400 {
            let request = Request::new().avoid(&[2]);
            let choice = HashKey::new()
                .choose(Instant::ZERO, View::of(&fleet), &request, &mut rng)
                .expect("three are left");
            assert_eq!(choice.why, Why::Chance);
            *seen.entry(choice.slot).or_insert(0) += 1;
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 1, 3]);
        let empty = Fleet::<Inline<16>, Inline<4>>::new(Duration::from_secs(1));
        assert_eq!(choose(&mut HashKey::new(), &empty, &Request::new()), Err(Refusal::Empty));
        assert_eq!(choose(&mut HashKey::new(), &empty, &Request::new().key(b"k")), Err(Refusal::Empty));
    }
}
