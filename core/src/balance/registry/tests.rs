use super::*;
use std::string::ToString;

#[test]
fn every_name_leads_back_to_its_policy() {
    let listed = UnknownKind.to_string();
    for kind in Kind::ALL {
        assert_eq!(kind.name().parse(), Ok(*kind));
        assert_eq!(kind.to_string().parse(), Ok(*kind));
        assert!(listed.contains(kind.name()), "{listed}");
    }
    for (at, kind) in Kind::ALL.iter().enumerate() {
        assert!(Kind::ALL[..at].iter().all(|other| other.name() != kind.name()), "{kind}");
    }
    for ring in Algorithm::ALL {
        assert!(Kind::ALL.contains(&Kind::ring(ring)), "{}", ring.name());
    }
    for wrong in ["", "p3c", "round-robin ", "Round-Robin", "p2c:1.25", "maglev:", ":1.25"] {
        assert_eq!(wrong.parse::<Kind>(), Err(UnknownKind), "{wrong}");
    }
}

#[test]
fn a_bound_is_a_decimal_number_from_one_on() {
    for (text, numerator, denominator) in [
        ("maglev:1", 1, 1),
        ("anchor:1.25", 5, 4),
        ("karger:1.05", 105, 100),
        ("rendezvous:12.000001", 12_000_001, 1_000_000),
    ] {
        let kind: Kind = text.parse().expect(text);
        assert_eq!(kind.to_string(), text);
        let Kind::Consistent { slack: Some(slack), .. } = kind else { panic!("{kind:?}") };
        let exact = Q32::from_ratio(numerator, denominator).expect("it fits");
        assert!(slack.to_bits().abs_diff(exact.to_bits()) <= 1, "{text}");
    }
    for wrong in ["0.99", "-1", "1.", ".5", "1.0000001", "1e3", "4294967296", "+2", "1,5", "nan"] {
        assert_eq!(std::format!("maglev:{wrong}").parse::<Kind>(), Err(UnknownKind), "{wrong}");
    }
}

#[cfg(feature = "alloc")]
mod any {
    use super::*;
    use crate::balance::{Balancer, Fleet, Member, Outcome, Pick, Refusal, Report, Request};
    use crate::rng::{Rng, SplitMix64};
    use crate::storage::Heap;
    use crate::time::Instant;
    use core::time::Duration;
    use std::vec::Vec;

    /// Calls, answers, probes and changes of membership by chance; who got what.
    fn history(kind: Kind, seed: u64) -> Vec<Option<u32>> {
        let fleet = Fleet::<Heap, Heap>::with_capacity(Duration::from_secs(5), 6, 24);
        let mut balancer = Balancer::new(fleet, kind.policy(6));
        let mut rng = SplitMix64::seed(seed);
        let (mut members, mut leases, mut picks) = (Vec::new(), Vec::new(), Vec::new());
        let mut now = Instant::ZERO;
        for _ in 0..400 {
            now = now.saturating_add(Duration::from_millis(u64::from(rng.below(200))));
            match rng.below(12) {
                0 => {
                    let who = rng.below(9) as u8;
                    let member = Member::new(&[who]).weight(rng.below(4)).zone(u16::from(who % 2));
                    members.extend(balancer.fleet_mut().insert(now, member));
                }
                1 if members.len() > 2 => {
                    let id = members.swap_remove(rng.below(members.len() as u32) as usize);
                    balancer.fleet_mut().remove(now, id).expect("it is a member");
                }
                2 if !members.is_empty() => {
                    let id = members[rng.below(members.len() as u32) as usize];
                    if rng.below(3) == 0 {
                        balancer.fleet_mut().drain(id)
                    } else {
                        balancer.fleet_mut().resume(id)
                    }
                    .expect("it is a member");
                }
                3..=5 if !leases.is_empty() => {
                    let lease = leases.swap_remove(rng.below(leases.len() as u32) as usize);
                    let outcome =
                        [Outcome::Success, Outcome::Failure, Outcome::Ignored][rng.below(3) as usize];
                    let _ = balancer.complete(now, lease, outcome);
                }
                _ => {
                    while let Some(id) = balancer.probe(now, &mut rng) {
                        let report = Report { in_flight: rng.below(9), latency: Duration::from_millis(5) };
                        balancer.report(now, id, &report).expect("it is a member");
                    }
                    let (avoid, features) = ([rng.below(6)], [rng.below(50), 3]);
                    let mut request = Request::new().zone(rng.below(3) as u16).features(&features);
                    if rng.below(2) == 0 {
                        request = request.avoid(&avoid);
                    }
                    if rng.below(3) > 0 {
                        request = request.key_hash(rng.next_u64());
                    }
                    let free = balancer.fleet().ready().iter().any(|slot| !request.avoids(*slot));
                    picks.push(match balancer.pick(now, &request, &mut rng) {
                        Pick::Member { member, lease, .. } => {
                            assert!(balancer.fleet().ready().contains(&member.slot()), "{kind}");
                            assert!(!request.avoids(member.slot()), "{kind}");
                            leases.push(lease);
                            Some(member.slot())
                        }
                        Pick::None { why: Refusal::TooManyCalls, .. } => None,
                        // A subset has nobody beyond itself for a request that avoids all of it.
                        Pick::None { why: Refusal::Avoided, .. } if kind == Kind::Subset => None,
                        Pick::None { why, .. } => {
                            assert!(!free, "{kind}: {why}");
                            None
                        }
                    });
                }
            }
        }
        picks
    }

    #[test]
    fn every_policy_chooses_where_one_may_and_the_same_again() {
        let bounded = "maglev:1.25".parse().expect("it is a name");
        for kind in Kind::ALL.iter().copied().chain([bounded]) {
            for seed in 0..10 {
                let picks = history(kind, seed);
                assert!(picks.iter().flatten().count() > 100, "{kind}");
                assert_eq!(picks, history(kind, seed), "{kind}");
            }
        }
    }
}
