//! Two laws of scaling, found in measured times by least squares.
//!
//! The universal scalability law (Gunther, *A simple capacity model of massively parallel transaction systems*, 1993) says
//! that `n` workers get done X(n) = λ n / (1 + σ (n − 1) + κ n (n − 1)): σ is what they wait for each other, κ what
//! they do because of each other. Amdahl's law (1967) is the same without κ. For work of a fixed size
//! n × T(n) = a + b (n − 1) + c n (n − 1) with σ = b / a and κ = c / a, which is linear in a, b and c.

/// A law with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Law {
    /// Seconds with one worker, as fitted.
    pub(crate) one: f64,
    /// σ: the share that is serial.
    pub(crate) contention: f64,
    /// κ: what each worker costs each other one.
    pub(crate) crosstalk: f64,
    /// How far the measured times are from the law, root mean square, as a share of each.
    pub(crate) error: f64,
}

impl Law {
    /// Seconds that `workers` take.
    pub(crate) fn seconds(&self, workers: f64) -> f64 {
        let others = workers - 1.0;
        self.one * (1.0 + self.contention * others + self.crosstalk * workers * others) / workers
    }

    /// How many times as fast as one worker.
    pub(crate) fn speedup(&self, workers: f64) -> f64 {
        self.one / self.seconds(workers)
    }

    /// The number of workers that is fastest; none where more are always faster, or nothing is gained at all.
    pub(crate) fn peak(&self) -> Option<f64> {
        (self.crosstalk > 1e-9).then(|| ((1.0 - self.contention).max(0.0) / self.crosstalk).sqrt().max(1.0))
    }

    /// What no number of workers exceeds without crosstalk.
    pub(crate) fn limit(&self) -> Option<f64> {
        (self.contention > 1e-9).then(|| 1.0 / self.contention)
    }
}

/// Amdahl's law through `(workers, seconds)`: at least two different numbers of workers.
pub(crate) fn amdahl(points: &[(f64, f64)]) -> Option<Law> {
    let law = best(points, &[&[0, 1], &[0]])?;
    if law.contention <= 1.0 {
        return Some(law);
    }
    // It gets slower, which this law cannot say: all of it is serial, T(n) = a.
    let (over, under) =
        points.iter().fold((0.0, 0.0), |(over, under), (_, t)| (over + 1.0 / t, under + 1.0 / (t * t)));
    let law = Law { one: over / under, contention: 1.0, crosstalk: 0.0, error: 0.0 };
    Some(Law { error: error(points, &law), ..law })
}

/// The universal scalability law through `(workers, seconds)`: at least three different numbers of workers.
pub(crate) fn universal(points: &[(f64, f64)]) -> Option<Law> {
    if distinct(points) < 3 {
        return None;
    }
    best(points, &[&[0, 1, 2], &[0, 1], &[0, 2], &[0]])
}

fn distinct(points: &[(f64, f64)]) -> usize {
    let mut workers: Vec<f64> = points.iter().map(|point| point.0).collect();
    workers.sort_by(f64::total_cmp);
    workers.dedup();
    workers.len()
}

/// Of the sets of terms, all of whose coefficients come out as they may be, the one that is nearest: least squares with
/// σ and κ not negative. (With three unknowns the constraint can be solved by trying which of them are 0.)
fn best(points: &[(f64, f64)], sets: &[&[usize]]) -> Option<Law> {
    if distinct(points) < 2 {
        return None;
    }
    let laws = sets.iter().filter_map(|terms| {
        let [a, b, c] = least_squares(points, terms)?;
        let sane = a > 0.0 && b >= 0.0 && c >= 0.0;
        let law = Law { one: a, contention: b / a, crosstalk: c / a, error: 0.0 };
        sane.then(|| (squares(points, &law), law))
    });
    let (_, law) = laws.min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Law { error: error(points, &law), ..law })
}

fn error(points: &[(f64, f64)], law: &Law) -> f64 {
    (squares(points, law) / points.len() as f64).sqrt()
}

/// Weighted as in [`least_squares`].
fn squares(points: &[(f64, f64)], law: &Law) -> f64 {
    points.iter().map(|(n, t)| (law.seconds(*n) / t - 1.0).powi(2)).sum()
}

/// The coefficients of these of the three terms 1, n − 1 and n (n − 1), the others being 0, that bring the terms nearest to
/// n × T(n), each point weighted so that equal shares count equally. Normal equations, by elimination with pivots.
fn least_squares(points: &[(f64, f64)], terms: &[usize]) -> Option<[f64; 3]> {
    let k = terms.len();
    let mut rows = [[0.0f64; 4]; 3];
    for &(n, t) in points {
        let all = [1.0, n - 1.0, n * (n - 1.0)];
        let y = n * t;
        for (row, of) in rows.iter_mut().zip(terms) {
            for (cell, with) in row.iter_mut().zip(terms) {
                *cell += all[*of] * all[*with] / (y * y);
            }
            row[3] += all[*of] * y / (y * y);
        }
    }
    for at in 0..k {
        let pivot = (at..k).max_by(|a, b| rows[*a][at].abs().total_cmp(&rows[*b][at].abs()))?;
        rows.swap(at, pivot);
        if rows[at][at].abs() < 1e-12 * rows[at].iter().map(|cell| cell.abs()).fold(1e-300, f64::max) {
            return None;
        }
        for other in 0..k {
            if other != at {
                let (factor, pivot) = (rows[other][at] / rows[at][at], rows[at]);
                for (cell, of_pivot) in rows[other].iter_mut().zip(pivot) {
                    *cell -= factor * of_pivot;
                }
            }
        }
    }
    let mut found = [0.0; 3];
    for (at, term) in terms.iter().enumerate() {
        found[*term] = rows[at][3] / rows[at][at];
    }
    found.iter().all(|coefficient| coefficient.is_finite()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(one: f64, contention: f64, crosstalk: f64, upto: u32) -> Vec<(f64, f64)> {
        let law = Law { one, contention, crosstalk, error: 0.0 };
        (1..=upto).map(|n| (f64::from(n), law.seconds(f64::from(n)))).collect()
    }

    proptest! {
        #[test]
        fn the_law_that_made_the_times_is_found(
            one in 0.001f64..1000.0, contention in 0.0f64..0.9, crosstalk in 0.0f64..0.2, upto in 4u32..17,
        ) {
            let law = universal(&exact(one, contention, crosstalk, upto)).unwrap();
            prop_assert!((law.one / one - 1.0).abs() < 1e-6, "{law:?}");
            prop_assert!((law.contention - contention).abs() < 1e-6, "{law:?}");
            prop_assert!((law.crosstalk - crosstalk).abs() < 1e-6, "{law:?}");
            prop_assert!(law.error < 1e-6);
            let serial = amdahl(&exact(one, contention, 0.0, upto)).unwrap();
            prop_assert!((serial.contention - contention).abs() < 1e-6, "{serial:?}");
        }

        /// Whatever was measured, no parameter is negative, and no fit with more freedom is worse.
        #[test]
        fn any_times_give_a_law_or_none(seconds in prop::collection::vec(0.001f64..100.0, 1..12)) {
            let points: Vec<_> = (1..).map(f64::from).zip(seconds.iter().copied()).collect();
            let (serial, both) = (amdahl(&points), universal(&points));
            prop_assert_eq!(serial.is_some(), points.len() >= 2);
            prop_assert_eq!(both.is_some(), points.len() >= 3);
            for law in [serial, both].into_iter().flatten() {
                prop_assert!(law.one > 0.0 && law.contention >= 0.0 && law.crosstalk >= 0.0, "{law:?}");
                prop_assert!(law.error.is_finite() && law.peak().is_none_or(|peak| peak >= 1.0));
            }
            if let (Some(serial), Some(both)) = (serial, both) {
                prop_assert!(both.error <= serial.error * (1.0 + 1e-9), "{serial:?} {both:?}");
            }
        }
    }

    #[test]
    fn the_peak_is_where_the_law_is_fastest() {
        let law = universal(&exact(1.0, 0.05, 0.01, 8)).unwrap();
        let peak = law.peak().unwrap();
        assert!((peak - (0.95f64 / 0.01).sqrt()).abs() < 1e-3, "{peak}");
        assert!(law.seconds(peak) < law.seconds(peak - 0.5) && law.seconds(peak) < law.seconds(peak + 0.5));
        assert!((law.limit().unwrap() - 20.0).abs() < 1e-3);
    }

    #[test]
    fn what_gets_slower_is_all_serial_to_amdahl() {
        let points = [(1.0, 1.0), (2.0, 1.5), (3.0, 2.0)];
        let law = amdahl(&points).unwrap();
        assert_eq!((law.contention, law.limit()), (1.0, Some(1.0)));
        assert!(universal(&points).unwrap().error <= law.error);
    }

    #[test]
    fn faster_than_ideal_is_taken_as_ideal() {
        let law = universal(&[(1.0, 10.0), (2.0, 4.5), (4.0, 2.2)]).unwrap();
        assert_eq!((law.contention, law.crosstalk, law.peak(), law.limit()), (0.0, 0.0, None, None));
    }
}
