//! Cells that come to three limiters of the same quota.

use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::VecDeque;

use divvy::Instant;
use divvy::limit::{Admit, Gcra, Quota, SlidingLog};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::Service;
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use super::choice::Coming;
use crate::number::{MAX_SEED, Wrong, count, instant, instant_millis, whole};

const MAX_CELLS: u64 = 1_000;
const MAX_LOAD: u64 = 1_000;
const MAX_PERCENT: u64 = 1_000;
/// The period of the quota, and how long cells come.
const PER: Duration = Duration::from_secs(1);
const PERIODS: u32 = 10;
/// How long a burst lasts, with the end of a period in its middle.
const BURST: Duration = Duration::from_millis(200);

/// What most people write first, and what the page warns of: a counter that starts anew with each period. It is no part
/// of the library.
#[derive(Debug)]
struct FixedWindow {
    cells: u32,
    /// The number of the current period, and how many cells went in it.
    period: u64,
    count: u32,
}

impl FixedWindow {
    fn admit(&mut self, now: Instant) -> Admit {
        self.turn(now);
        if self.count < self.cells {
            self.count += 1;
            return Admit::Yes;
        }
        let next = Duration::from_secs((self.period + 1) * PER.as_secs());
        Admit::No { retry_at: Instant::ZERO.saturating_add(next) }
    }

    fn left(&mut self, now: Instant) -> u32 {
        self.turn(now);
        self.cells.saturating_sub(self.count)
    }

    fn turn(&mut self, now: Instant) {
        let period = now.as_nanos() / PER.as_nanos() as u64;
        if period > self.period {
            (self.period, self.count) = (period, 0);
        }
    }
}

/// What one limiter did.
#[derive(Debug, Default)]
struct Tally {
    admitted: u32,
    refused: u32,
    /// The instants of the cells that went within the last period, and the most that ever did.
    recent: VecDeque<Instant>,
    most: u32,
}

impl Tally {
    fn count(&mut self, now: Instant, answer: Admit) {
        self.forget(now);
        if answer == Admit::Yes {
            self.admitted += 1;
            self.recent.push_back(now);
            self.most = self.most.max(self.recent.len() as u32);
        } else {
            self.refused += 1;
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.recent.front().is_some_and(|then| then.saturating_add(PER) <= now) {
            self.recent.pop_front();
        }
    }
}

/// The same cells at three limiters: the generic cell rate algorithm, a sliding log, and a counter in fixed windows.
/// Columns are in this order.
///
/// Every method that answers a typed array answers rows of a fixed number of columns, one after the other.
#[wasm_bindgen]
#[derive(Debug)]
pub struct LimiterSim {
    gcra: Gcra,
    log: SlidingLog<Heap>,
    fixed: FixedWindow,
    now: Instant,
    arrivals: Vec<Instant>,
    answers: Vec<[Admit; 3]>,
    tallies: [Tally; 3],
    /// The quota from half time on, until it is in force.
    then: Option<(NonZeroU32, Quota)>,
}

#[wasm_bindgen]
impl LimiterSim {
    /// A quota of `cells` (1 to 1,000) a second and, for GCRA, a `burst` (1 to 1,000) at once. Cells come for ten seconds,
    /// `load` (1 to 1,000) of 100 as many as the quota allows. From half time on the quota is `percent` (1 to 1,000) of
    /// 100 of what it was.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(
        seed: f64,
        coming: Coming,
        load: f64,
        cells: f64,
        burst: f64,
        percent: f64,
    ) -> Result<Self, Wrong> {
        let seed = whole("seed", seed, 0, MAX_SEED)?;
        let load = whole("load", load, 1, MAX_LOAD)? as u32;
        let cells = count("cells", cells, MAX_CELLS)?;
        let burst = count("burst", burst, MAX_CELLS)?;
        let percent = whole("percent", percent, 1, MAX_PERCENT)? as u32;
        let quota = |cells| {
            let quota = Quota::new(cells, PER).and_then(|quota| quota.burst(burst));
            quota.map_err(Wrong::of)
        };
        let later = NonZeroU32::new(cells.get() * percent / 100).unwrap_or(NonZeroU32::MIN);
        // The log has room for the larger of the two quotas.
        let mut log = SlidingLog::<Heap>::with_capacity(cells.max(later), PER).map_err(Wrong::of)?;
        log.set(cells, PER).map_err(Wrong::of)?;
        Ok(Self {
            gcra: Gcra::new(quota(cells)?),
            log,
            fixed: FixedWindow { cells: cells.get(), period: 0, count: 0 },
            now: Instant::ZERO,
            arrivals: arrivals(seed, coming, cells.get() * load)?,
            answers: Vec::new(),
            tallies: Default::default(),
            then: if later == cells { None } else { Some((later, quota(later)?)) },
        })
    }

    /// Lets everything up to `time` happen, in milliseconds.
    pub fn advance(&mut self, time: f64) {
        let until = instant(time);
        while let Some(now) = self.arrivals.get(self.answers.len()).copied().filter(|now| *now <= until) {
            self.change(now);
            let answers = [self.gcra.admit(now), self.log.admit(now), self.fixed.admit(now)];
            for (tally, answer) in self.tallies.iter_mut().zip(answers) {
                tally.count(now, answer);
            }
            self.answers.push(answers);
        }
        self.change(until);
        self.now = self.now.max(until);
        for tally in &mut self.tallies {
            tally.forget(self.now);
        }
    }

    /// A row for each cell that came: when, and for each limiter 0 if it went, or else when it may, in milliseconds.
    pub fn cells(&self) -> Vec<f64> {
        let answer = |answer: &Admit| {
            if let Admit::No { retry_at } = answer { instant_millis(*retry_at) } else { 0.0 }
        };
        let row = |(at, answers): (&Instant, &[Admit; 3])| {
            let [gcra, log, fixed] = answers.each_ref().map(answer);
            [instant_millis(*at), gcra, log, fixed]
        };
        self.arrivals.iter().zip(&self.answers).flat_map(row).collect()
    }

    /// A row for each limiter: how many cells would go at once now, how many went in the last second, the most that went
    /// in any second, and in all how many went and were refused.
    pub fn limiters(&mut self) -> Vec<f64> {
        let free = [
            self.gcra.available(self.now),
            self.log.cells().saturating_sub(self.log.len(self.now)),
            self.fixed.left(self.now),
        ];
        let row = |(free, tally): (u32, &Tally)| {
            [free, tally.recent.len() as u32, tally.most, tally.admitted, tally.refused].map(f64::from)
        };
        free.into_iter().zip(&self.tallies).flat_map(row).collect()
    }
}

impl LimiterSim {
    /// Puts the second quota in force if it is time.
    fn change(&mut self, now: Instant) {
        let half = Instant::ZERO.saturating_add(PER * PERIODS / 2);
        let Some((cells, quota)) = self.then.take_if(|_| now >= half) else { return };
        self.gcra.set_quota(half, quota);
        // It has as many slots.
        let _ = self.log.set(cells, PER);
        self.fixed.cells = cells.get();
    }
}

/// When cells come, `hundredths` of a hundred of them each period.
fn arrivals(seed: u64, coming: Coming, hundredths: u32) -> Result<Vec<Instant>, Wrong> {
    let end = PER * PERIODS;
    let spaced = |from: Duration, gap: Duration, until: Duration| {
        let times = core::iter::successors(Some(from + gap / 2), move |time| Some(*time + gap));
        times.take_while(move |time| *time < until).map(|time| Instant::ZERO.saturating_add(time))
    };
    let gap = (PER * 100 / hundredths).max(Duration::from_nanos(1));
    Ok(match coming {
        Coming::Steady => spaced(Duration::ZERO, gap, end).collect(),
        Coming::Poisson => {
            let mut rng = Xoshiro256PlusPlus::seed(seed);
            let gaps = Service::exponential(gap);
            let next = |time: &Duration| Some(*time + gaps.sample(&mut rng));
            let times = core::iter::successors(Some(Duration::ZERO), next).skip(1);
            times.take_while(|time| *time < end).map(|time| Instant::ZERO.saturating_add(time)).collect()
        }
        Coming::Bursts => {
            // What comes in two periods comes in one burst.
            let gap = BURST * 50 / hundredths;
            let middles = (1..PERIODS).step_by(2).map(|period| PER * period);
            middles.flat_map(|middle| spaced(middle - BURST / 2, gap, middle + BURST / 2)).collect()
        }
        _ => return Err(r#"coming is unknown; give "steady", "poisson" or "bursts""#.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(coming: Coming, load: f64, percent: f64) -> LimiterSim {
        let mut sim = LimiterSim::new(1.0, coming, load, 20.0, 5.0, percent).unwrap();
        sim.advance(10_000.0);
        sim
    }

    /// Of each limiter, the most in a second.
    fn most(sim: &mut LimiterSim) -> Vec<f64> {
        sim.limiters().chunks(5).map(|row| row[2]).collect()
    }

    #[test]
    fn a_burst_over_the_edge_doubles_a_fixed_window_only() {
        let mut sim = run(Coming::Bursts, 100.0, 100.0);
        assert_eq!(sim.cells().len() / 4, 200);
        // Five at once and three in the 195 ms; never more than 20 in any second; twenty in each of two windows.
        assert_eq!(most(&mut sim), [8.0, 20.0, 40.0]);
        let refused: Vec<f64> = sim.limiters().chunks(5).map(|row| row[4]).collect();
        assert_eq!(refused[2], 0.0);
        assert!(refused[0] > 100.0 && refused[1] == 100.0, "{refused:?}");
    }

    #[test]
    fn what_comes_at_the_rate_goes() {
        let mut sim = run(Coming::Steady, 100.0, 100.0);
        let sums: Vec<f64> = sim.limiters().chunks(5).flat_map(|row| [row[3], row[4]]).collect();
        assert_eq!(sums, [200.0, 0.0, 200.0, 0.0, 200.0, 0.0]);
    }

    #[test]
    fn no_second_exceeds_its_bound() {
        for load in [50.0, 150.0, 400.0] {
            let mut sim = run(Coming::Poisson, load, 100.0);
            let most = most(&mut sim);
            assert!(most[0] <= 25.0 && most[1] <= 20.0 && most[2] <= 40.0, "{most:?}");
            let came = sim.cells().len() as f64 / 4.0;
            let expected = 200.0 * load / 100.0;
            assert!((came - expected).abs() < 5.0 * expected.sqrt(), "{came} of {expected}");
        }
    }

    #[test]
    fn retrying_when_told_is_in_time() {
        let sim = run(Coming::Bursts, 300.0, 100.0);
        for row in sim.cells().chunks(4) {
            assert!(row[1..].iter().all(|retry_at| *retry_at == 0.0 || *retry_at > row[0]), "{row:?}");
        }
    }

    #[test]
    fn a_new_quota_holds_from_half_time_on() {
        let mut sim = LimiterSim::new(1.0, Coming::Steady, 1_000.0, 20.0, 5.0, 50.0).unwrap();
        sim.advance(5_000.0);
        let before: Vec<f64> = sim.limiters().chunks(5).map(|row| row[3]).collect();
        sim.advance(10_000.0);
        let after = sim.limiters();
        for (i, before) in before.into_iter().enumerate() {
            assert!((99.0..=105.0).contains(&before), "{i}: {before}");
            let later = after[i * 5 + 3] - before;
            assert!((40.0..=55.0).contains(&later), "{i}: {later}");
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        let refused = |load, cells, burst, percent| {
            LimiterSim::new(0.0, Coming::Steady, load, cells, burst, percent).unwrap_err()
        };
        assert!(refused(0.0, 20.0, 5.0, 100.0).starts_with("load is 0;"));
        assert!(refused(100.0, 0.0, 5.0, 100.0).starts_with("cells is 0;"));
        assert!(refused(100.0, 20.0, 1_001.0, 100.0).starts_with("burst is 1001;"));
        assert!(refused(100.0, 20.0, 5.0, f64::NAN).starts_with("percent is not a whole number"));
    }
}
