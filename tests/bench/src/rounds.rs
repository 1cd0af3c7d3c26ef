//! Interleaved rounds, medians, and the table they end in.

use std::hint::black_box;
use std::time::Instant;

/// One thing measured beside others.
pub(crate) struct Contender<'a> {
    pub(crate) name: String,
    /// Takes one sample: the seconds that one operation took.
    pub(crate) sample: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: impl Into<String>, sample: impl FnMut() -> f64 + 'a) -> Self {
        Self { name: name.into(), sample: Box::new(sample) }
    }
}

/// The samples of one contender, in seconds, in the order of the rounds.
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn median(&self) -> f64 {
        median(self.0.iter().copied())
    }

    /// The median over the rounds of what `compare` makes of this contender's sample and the other's in the same round.
    pub(crate) fn beside(&self, other: &Self, compare: fn(f64, f64) -> f64) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(mine, theirs)| compare(*mine, *theirs)))
    }

    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = samples.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// Runs all contenders `rounds` times, one after the other in each round, after one round that is thrown away.
pub(crate) fn interleave(rounds: u32, contenders: &mut [Contender<'_>]) -> Vec<Samples> {
    let mut seconds = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (contender, seconds) in contenders.iter_mut().zip(&mut seconds) {
            let sample = (contender.sample)();
            if round > 0 {
                seconds.push(sample);
            }
        }
    }
    seconds.into_iter().map(Samples).collect()
}

/// The seconds that one of `count` calls of `operation` took. Each call gets a number that the compiler cannot know.
pub(crate) fn time_each(count: u64, mut operation: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    for i in 0..count {
        operation(black_box(i));
    }
    start.elapsed().as_secs_f64() / count as f64
}

/// Measures the contenders and prints a Markdown table in nanoseconds. The first is the baseline; ratios are to the best
/// peer, which is the quickest that is neither the baseline nor divvy.
pub(crate) fn nanosecond_table(operation: &str, rounds: u32, mut contenders: Vec<Contender<'_>>) -> String {
    let samples = interleave(rounds, &mut contenders);
    let best = contenders
        .iter()
        .zip(&samples)
        .skip(1)
        .filter(|(contender, _)| !contender.name.starts_with("divvy"))
        .map(|(_, samples)| samples)
        .min_by(|a, b| a.median().total_cmp(&b.median()));
    let mut table =
        format!("| {operation} | ns, median | min … max | ratio to the best peer |\n|---|---:|---:|---:|\n");
    for (index, (contender, samples)) in contenders.iter().zip(&samples).enumerate() {
        let ratio = match best {
            Some(best) if index > 0 => format!("{:.2}", samples.beside(best, |mine, theirs| mine / theirs)),
            _ => String::new(),
        };
        let [median, min, max] =
            [samples.median(), samples.min(), samples.max()].map(|seconds| seconds * 1e9);
        table += &format!("| {} | {median:.2} | {min:.2} … {max:.2} | {ratio} |\n", contender.name);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }

    #[test]
    fn contenders_are_compared_round_by_round() {
        let (mine, theirs) = (Samples(vec![2.0, 20.0, 6.0]), Samples(vec![1.0, 10.0, 2.0]));
        assert_eq!(mine.beside(&theirs, |mine, theirs| mine / theirs), 2.0);
    }

    #[test]
    fn contenders_take_turns_and_the_first_round_does_not_count() {
        let order = std::cell::RefCell::new(Vec::new());
        let sample = |name: char, seconds: f64| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push(name);
                if order.borrow().len() < 3 { 1000.0 } else { seconds }
            })
        };
        let samples = interleave(2, &mut [sample('a', 1.0), sample('b', 2.0)]);
        assert_eq!(order.borrow().iter().collect::<String>(), "ababab");
        assert_eq!((samples[0].max(), samples[1].max()), (1.0, 2.0));
    }
}
