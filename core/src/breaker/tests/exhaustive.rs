//! Every state that a small breaker can reach, whatever its callers and their clock do.

use super::*;
use crate::breaker::plain::search::Alike;
use std::collections::{HashMap, HashSet, VecDeque};
use std::{println, vec};

type Small = Breaker<CountWindow<Inline<1>>, Inline<2>>;

/// A breaker and the passes that its callers still know of and that still count.
#[derive(Clone)]
struct World {
    breaker: Small,
    passes: Vec<Pass>,
}

/// What makes two worlds behave alike: of a pass, whether it probes, and its age as far as it matters.
type Key = (Alike, Vec<(bool, u64)>);

#[derive(Clone, Copy, Debug)]
enum Action {
    Admit,
    Complete(usize, Outcome),
    Lose(usize),
    Advance,
    ForceOpen,
    ForceClosed,
    Disable,
    Reset,
}

struct Search {
    rules: Rules,
    probes: usize,
    timeout: u64,
    /// The longest open time.
    cap: u64,
    /// Calls that callers keep under way while it is closed.
    most: usize,
    /// From this age on a pass is slow, expired, or both for good.
    old: u64,
}

/// How the clock reads at an action, relative to the latest time seen.
const READINGS: [i64; 4] = [-2, 0, 1, 5];

impl Search {
    fn key(&self, world: &World) -> Key {
        let latest = world.breaker.latest();
        let age = |pass: &Pass| {
            latest.saturating_duration_since(pass.began()).as_nanos().min(self.old.into()) as u64
        };
        let mut passes: Vec<_> = world.passes.iter().map(|pass| (pass.is_probe(), age(pass))).collect();
        passes.sort_unstable();
        (world.breaker.alike(2, 3), passes)
    }

    fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions =
            vec![Action::Advance, Action::ForceOpen, Action::ForceClosed, Action::Disable, Action::Reset];
        if world.passes.len() < self.most || matches!(world.breaker.state(Instant::ZERO), State::HalfOpen) {
            actions.push(Action::Admit);
        }
        for which in 0..world.passes.len() {
            actions.push(Action::Lose(which));
            for outcome in [Outcome::Success, Outcome::Failure, Outcome::Slow, Outcome::Ignored] {
                actions.push(Action::Complete(which, outcome));
            }
        }
        actions
    }

    /// Does it, and checks what must hold whatever happened before.
    fn step(&self, world: &World, action: Action, reading: i64) -> World {
        let mut next = world.clone();
        let World { breaker, passes } = &mut next;
        let latest = breaker.latest();
        let now = at(latest.as_nanos().saturating_add_signed(reading));
        let foreseen = breaker.state(now);
        match action {
            Action::Admit => match breaker.admit(now) {
                Admit::Yes(pass) => {
                    assert_eq!(pass.is_probe(), foreseen == State::HalfOpen);
                    assert!(!matches!(foreseen, State::Open { .. } | State::ForcedOpen));
                    passes.push(pass);
                }
                Admit::No { retry_at, why } => {
                    assert!(retry_at > breaker.latest(), "a refusal says when");
                    match why {
                        Rejection::Open => {
                            assert!(matches!(foreseen, State::Open { until } if until == retry_at))
                        }
                        Rejection::Forced => assert_eq!(foreseen, State::ForcedOpen),
                        Rejection::Probing => assert_eq!(breaker.stats(now).probes as usize, self.probes),
                    }
                }
            },
            Action::Complete(which, outcome) => {
                let pass = passes.swap_remove(which);
                if breaker.complete(now, pass, outcome).is_ok() && pass.is_probe() {
                    assert_eq!(
                        breaker.complete(now, pass, outcome),
                        Err(Stale::Unknown),
                        "a probe counts once"
                    );
                }
            }
            Action::Lose(which) => {
                let _lost = passes.swap_remove(which);
            }
            Action::Advance => {
                breaker.advance(now);
                assert_eq!(breaker.state(now), foreseen, "looking foresees what time does");
            }
            Action::ForceOpen => drop(breaker.force_open(now)),
            Action::ForceClosed => drop(breaker.force_closed(now)),
            Action::Disable => drop(breaker.disable(now)),
            Action::Reset => drop(breaker.reset(now)),
        }
        assert!(breaker.latest() >= latest, "time does not go back");
        // What no longer counts never will: told so at once, without an effect, and forgotten.
        let gone: Vec<Pass> = passes.iter().copied().filter(|pass| !breaker.holds(*pass)).collect();
        passes.retain(|pass| breaker.holds(*pass));
        for pass in gone {
            let before = breaker.alike(9, 9);
            assert!(breaker.complete(Instant::ZERO, pass, Outcome::Failure).is_err());
            assert_eq!(breaker.alike(9, 9), before);
        }
        self.check(&next);
        next
    }

    fn check(&self, World { breaker, passes }: &World) {
        let now = breaker.latest();
        let stats = breaker.stats(now);
        let known = passes.iter().filter(|pass| pass.is_probe()).count();
        assert!(known <= stats.probes as usize && stats.probes as usize <= self.probes, "{stats:?}");
        let ahead = breaker.next_deadline().map(|next| next.saturating_duration_since(now).as_nanos() as u64);
        match stats.state {
            State::Open { .. } => assert!(ahead.is_some_and(|ahead| (1..=self.cap).contains(&ahead))),
            State::HalfOpen if stats.probes > 0 => {
                assert!(ahead.is_some_and(|ahead| (1..=self.timeout).contains(&ahead)));
            }
            _ => assert_eq!((ahead, stats.probes), (None, 0)),
        }
    }

    /// One careful caller, after all others have vanished: it does what it is told and succeeds. How long until the
    /// breaker is closed.
    fn recover(&self, mut breaker: Small) -> u64 {
        let start = breaker.latest();
        if breaker.state(start) == State::ForcedOpen {
            breaker.reset(start);
        }
        let mut now = start;
        for _ in 0..20 {
            if !matches!(breaker.state(now), State::Open { .. } | State::HalfOpen) {
                return now.saturating_duration_since(start).as_nanos() as u64;
            }
            match breaker.admit(now) {
                Admit::Yes(pass) => {
                    let _ = breaker.complete(now, pass, Outcome::Success);
                }
                Admit::No { retry_at, .. } => now = retry_at,
            }
        }
        panic!("wedged: {breaker:?}");
    }

    /// The number of states, and the longest recovery among them.
    fn run(&self) -> (usize, u64) {
        let window = CountWindow::new().last(3).expect("three fit");
        let start = World { breaker: Small::new(self.rules, window), passes: Vec::new() };
        let mut seen = HashSet::from([self.key(&start)]);
        let mut queue = VecDeque::from([start]);
        let mut longest = 0;
        let mut states = HashMap::new();
        while let Some(world) = queue.pop_front() {
            let latest = world.breaker.latest();
            let state = world.breaker.state(latest);
            *states.entry(core::mem::discriminant(&state)).or_insert(0) += 1;
            let took = self.recover(world.breaker.clone());
            match state {
                // The end of the open time is enough: no probe of before is in the way.
                State::Open { until } => {
                    assert_eq!(u128::from(took), until.saturating_duration_since(latest).as_nanos());
                }
                // Vanished probes end at their deadline, at worst with another open time.
                State::HalfOpen => assert!(took <= self.timeout + self.cap),
                _ => assert_eq!(took, 0),
            }
            longest = longest.max(took);
            for action in self.actions(&world) {
                for reading in READINGS {
                    let next = self.step(&world, action, reading);
                    if seen.insert(self.key(&next)) {
                        queue.push_back(next);
                    }
                }
            }
        }
        assert_eq!(states.len(), 6, "every state is reached");
        (seen.len(), longest)
    }
}

#[test]
fn no_reachable_state_is_wedged_or_admits_too_many_probes() {
    let mut total = 0;
    for (probes, close_after, reopen_after) in [(1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2)] {
        let (timeout, cap, slow_after) = (2, 4, 1);
        let nanos = Duration::from_nanos;
        let rules = Config::new()
            .failure_rate(share(2, 3))
            .slow_rate(nanos(slow_after), Q32::ONE)
            .minimum(2)
            .consecutive(count(3))
            .open(nanos(2), nanos(cap), Q32::from_int(2))
            .jitter(Q32::ZERO)
            .probes(count(probes))
            .close_after(count(close_after))
            .reopen_after(count(reopen_after))
            .probe_timeout(nanos(timeout))
            .build()
            .expect("valid rules");
        let search = Search {
            rules,
            probes: probes as usize,
            timeout,
            cap,
            most: 2,
            old: timeout.max(slow_after + 1),
        };
        let (states, longest) = search.run();
        println!(
            "{probes} probes at once, {close_after} close and {reopen_after} open it: {states} states, none wedged, \
             closed again {longest} ns after all callers vanished ({timeout} ns a probe, {cap} ns open)"
        );
        total += states;
    }
    assert!(total > 10_000, "{total} states");
}
