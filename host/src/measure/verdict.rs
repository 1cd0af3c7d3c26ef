//! Whether distributing is worth it, how many workers are, and why no more.

use super::Point;
use super::fit::Law;
use std::time::Duration;

/// What a further worker must gain to be worth it, as a share of the time.
const WORTH: f64 = 0.05;

/// What is advised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// The number of workers that is advised; 1: do not distribute.
    pub(crate) workers: u32,
    /// How many times as fast as one worker that was measured to be.
    pub(crate) speedup: f64,
    /// Why there should not be more.
    pub(crate) why: Why,
}

/// What holds more workers up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    /// What was gained is within the spread of the rounds, or less than a twentieth.
    NothingGained,
    /// All cores of the machine are busy.
    CoresBusy { busy: f64, cores: u32 },
    /// Workers make work for each other: the processor time of the fastest number over that of one.
    Crosstalk { cpu: f64 },
    /// More workers were slower, though the processor time did not grow: they wait for each other.
    Contended,
    /// A part that only one of them does at a time.
    Serial { share: f64 },
    /// It still got faster with the most workers that were tried.
    NotReached { tried: u32 },
}

/// What follows from the points (ascending by workers, the first with one worker) and the law found in them.
pub(crate) fn judge(points: &[Point], law: Option<&Law>, cores: u32) -> Option<Verdict> {
    let one = points.first()?;
    let seconds = |point: &Point| point.wall().as_secs_f64().max(1e-9);
    let fastest = points.iter().min_by(|a, b| seconds(a).total_cmp(&seconds(b)))?;
    // The fewest workers that come within a twentieth of the fastest.
    let advised = points.iter().find(|point| seconds(point) <= seconds(fastest) * (1.0 + WORTH))?;
    let speedup = seconds(one) / seconds(advised);
    let noise = one.spread().max(advised.spread()) / 2.0;
    if advised.workers == 1 || speedup < 1.0 + WORTH.max(noise) {
        let why = match why_not_more(points, one, law, cores) {
            why @ (Why::Crosstalk { .. } | Why::Serial { .. } | Why::CoresBusy { .. }) => why,
            _ => Why::NothingGained,
        };
        return Some(Verdict { workers: 1, speedup: 1.0, why });
    }
    Some(Verdict { workers: advised.workers, speedup, why: why_not_more(points, advised, law, cores) })
}

fn why_not_more(points: &[Point], advised: &Point, law: Option<&Law>, cores: u32) -> Why {
    let (one, most) = (&points[0], &points[points.len() - 1]);
    if advised.workers == most.workers && most.workers > 1 {
        return match most.busy() {
            Some(busy) if busy >= 0.9 * f64::from(cores) => Why::CoresBusy { busy, cores },
            _ => Why::NotReached { tried: most.workers },
        };
    }
    // Processor time comes in hundredths of a second: of less than a tenth it says nothing.
    let counted = one.cpu.filter(|cpu| *cpu >= Duration::from_millis(100));
    let grown = most.cpu.zip(counted).map(|(most, one)| most.as_secs_f64() / one.as_secs_f64());
    if let Some(cpu) = grown.filter(|grown| *grown > 1.25) {
        return Why::Crosstalk { cpu };
    }
    if let Some(busy) = advised.busy().filter(|busy| *busy >= 0.9 * f64::from(cores)) {
        return Why::CoresBusy { busy, cores };
    }
    match law {
        Some(law) if law.crosstalk * f64::from(most.workers) > law.contention => Why::Contended,
        Some(law) if law.contention > 0.02 => Why::Serial { share: law.contention.min(1.0) },
        _ => Why::NothingGained,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fit;
    use super::*;

    /// Points from milliseconds of wall and processor time.
    fn points(measured: &[(u32, u64, u64)]) -> Vec<Point> {
        let point = |&(workers, wall, cpu): &(u32, u64, u64)| Point {
            workers,
            walls: vec![Duration::from_millis(wall); 3],
            cpu: Some(Duration::from_millis(cpu)),
        };
        measured.iter().map(point).collect()
    }

    fn verdict(measured: &[(u32, u64, u64)], cores: u32) -> Verdict {
        let points = points(measured);
        let pairs: Vec<_> =
            points.iter().map(|point| (f64::from(point.workers), point.wall().as_secs_f64())).collect();
        judge(&points, fit::universal(&pairs).as_ref(), cores).unwrap()
    }

    #[test]
    fn work_for_the_processor_ends_at_the_cores() {
        let found = verdict(&[(1, 1000, 1000), (2, 505, 1000), (3, 500, 1010), (4, 503, 1020)], 2);
        assert_eq!(found.workers, 2);
        assert!(matches!(found.why, Why::CoresBusy { cores: 2, .. }), "{found:?}");
    }

    #[test]
    fn work_that_waits_pays_beyond_the_cores() {
        let found = verdict(&[(1, 1000, 10), (2, 500, 10), (4, 250, 10), (8, 125, 10)], 2);
        assert_eq!((found.workers, found.why), (8, Why::NotReached { tried: 8 }));
    }

    #[test]
    fn a_serial_part_is_named() {
        let found =
            verdict(&[(1, 1000, 1000), (2, 750, 1000), (4, 640, 1000), (8, 620, 1000), (16, 610, 1010)], 16);
        assert_eq!(found.workers, 4);
        assert!(matches!(found.why, Why::Serial { share } if (0.4..0.7).contains(&share)), "{found:?}");
    }

    #[test]
    fn workers_in_each_others_way_are_named() {
        let found = verdict(&[(1, 1000, 1000), (2, 600, 1190), (3, 560, 1600), (4, 600, 2300)], 8);
        assert!(found.workers <= 3 && matches!(found.why, Why::Crosstalk { .. }), "{found:?}");
    }

    #[test]
    fn what_gains_nothing_should_stay_alone() {
        let found = verdict(&[(1, 100, 100), (2, 99, 101), (4, 101, 100)], 4);
        assert_eq!((found.workers, found.speedup), (1, 1.0));
        // Three hundredths of a second of processor time instead of none are no crosstalk.
        let found = verdict(&[(1, 100, 0), (2, 120, 10), (3, 150, 30)], 4);
        assert!(!matches!(found.why, Why::Crosstalk { .. }), "{found:?}");
        // A gain that is within the spread of the rounds is none.
        let mut noisy = points(&[(1, 100, 50), (2, 92, 50), (4, 92, 50)]);
        noisy[0].walls = [80, 100, 140].map(Duration::from_millis).to_vec();
        assert_eq!(judge(&noisy, None, 4).unwrap().workers, 1);
    }

    #[test]
    fn nothing_follows_from_nothing() {
        assert_eq!(judge(&[], None, 2), None);
    }
}
