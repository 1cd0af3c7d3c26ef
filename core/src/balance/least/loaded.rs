//! The one with the least load.

use super::buckets::Buckets;
use super::{Index, Least, policy};
use crate::balance::among::contains;
use crate::balance::outcome::{Ended, Report};
use crate::balance::policy::{Choice, Policy, Refusal, View};
use crate::balance::request::Request;
use crate::storage::Storage;
use crate::{Instant, Rng};

/// The candidate with the lowest [`Fleet::load`](crate::balance::Fleet::load); of several, the one that has waited longest.
///
/// *When not to use it:* with several dispatchers, which do not see each other's calls: all of them run to the same
/// member. [`P2c`](crate::balance::P2c) does not.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, LeastLoaded, Member, Outcome, Pick, Refusal, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<2>, Inline<2>>::new(Duration::from_secs(1));
/// let mut balancer = Balancer::new(fleet, LeastLoaded::<Inline<2>>::new());
/// let a = balancer.fleet_mut().insert(now, Member::new(b"a"))?;
/// let b = balancer.fleet_mut().insert(now, Member::new(b"b"))?;
/// let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_eq!(member, a);
/// let next = balancer.pick(now, &Request::new(), &mut rng);
/// assert!(matches!(next, Pick::Member { member, why: Why::LeastLoaded, .. } if member == b));
/// // The fleet accounts for two calls; a third has to wait until one ends.
/// let Pick::None { why, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
/// assert_eq!(why, Refusal::TooManyCalls);
/// balancer.complete(now, lease, Outcome::Success).expect("it is in time");
/// assert!(matches!(balancer.pick(now, &Request::new(), &mut rng), Pick::Member { member, .. } if member == a));
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// Up to 32 candidates *O*(candidates). Above, a choice is *O*(1), and a call that begins or ends is *O*(1) amortised: once
/// in as many choices as there are slots the index is put in order, in *O*(slots). It covers a window of 16 to 32
/// consecutive loads, which moves in *O*(slots) when the lowest load of all leaves it, wherever the others are: at most
/// once in a quarter as many calls or once a report. Beyond 4,096 slots add a look at one word per 4,096. A choice
/// that must avoid the least loaded is *O*(candidates). 20 bytes a slot, and about 330.
///
/// # References
///
/// Also called least connections, least request, join the shortest queue. That ties must not go to the first: Envoy pull
/// request 31146.
#[derive(Debug)]
pub struct LeastLoaded<S: Storage>(Least<Buckets<S>>);

policy!(LeastLoaded, Buckets);

impl<S: Storage> Index for Buckets<S> {
    fn capacity(&self) -> u32 {
        self.capacity()
    }

    fn rebuild<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) {
        let (fleet, candidates) = (view.fleet(), view.slots());
        self.rebuild(fleet.capacity(), |slot| contains(candidates, slot).then(|| fleet.load(slot)));
    }

    #[inline(always)]
    fn update<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, slot: u32, chosen: bool) {
        self.set(slot, view.fleet().load(slot), chosen);
    }

    #[inline(always)]
    fn first<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Option<u32> {
        if self.is_unsettled() {
            self.settle(|slot| view.fleet().load(slot));
        }
        self.lowest()
    }

    #[inline(always)]
    fn measure<M: Storage, L: Storage>(view: View<'_, M, L>, slot: u32) -> impl Ord {
        view.fleet().load(slot)
    }
}
