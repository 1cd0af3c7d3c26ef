//! Interleaved rounds, medians, and the table they end in.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

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

/// The samples of one contender, in seconds, in the order of the rounds; no number where a round did not count.
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
    let mut sorted: Vec<f64> = samples.filter(|sample| !sample.is_nan()).collect();
    if sorted.is_empty() {
        return f64::NAN;
    }
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// Runs all contenders `rounds` times, one after the other in each round, after one round that is thrown away. What a
/// contender leaves behind (caches, threads still awake) meets another one in the next round: each round begins one
/// further, and every other one goes backwards.
pub(crate) fn interleave(rounds: u32, contenders: &mut [Contender<'_>]) -> Vec<Samples> {
    let count = contenders.len();
    let mut seconds = vec![Vec::new(); count];
    for round in 0..=rounds as usize {
        for turn in 0..count {
            let at = (round + if round % 2 == 0 { turn } else { count - turn }) % count;
            let sample = (contenders[at].sample)();
            if round > 0 {
                seconds[at].push(sample);
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

/// Repeats a measurement with several threads until none of them was without a core for more than a twentieth of the
/// time, ten times at most: the seconds of one operation, or no number if the machine was too busy.
///
/// `measure` answers the wall time, and the least [`cpu_time`] that any of the threads spent in it.
pub(crate) fn undisturbed(operations: u64, mut measure: impl FnMut() -> (Duration, Duration)) -> f64 {
    for _ in 0..10 {
        let (wall, cpu) = measure();
        if cpu.as_secs_f64() >= 0.95 * wall.as_secs_f64() {
            return wall.as_secs_f64() / operations as f64;
        }
    }
    f64::NAN
}

/// Lets threads start together without sleeping, so that each of them has a core when they do.
pub(crate) struct StartingLine(AtomicU32);

impl StartingLine {
    pub(crate) fn new(threads: u32) -> Self {
        Self(AtomicU32::new(threads))
    }

    pub(crate) fn wait(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
        while self.0.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
        }
    }
}

/// How long this thread has run.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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
        .filter(|samples| !samples.median().is_nan())
        .min_by(|a, b| a.median().total_cmp(&b.median()));
    let mut table =
        format!("| {operation} | ns, median | min … max | ratio to the best peer |\n|---|---:|---:|---:|\n");
    for (index, (contender, samples)) in contenders.iter().zip(&samples).enumerate() {
        if samples.median().is_nan() {
            table += &format!("| {} | no round undisturbed | | |\n", contender.name);
            continue;
        }
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
    fn each_round_asks_everyone_once_and_neighbours_change() {
        let asked = std::cell::RefCell::new(Vec::new());
        let contender = |name: usize| {
            let asked = &asked;
            Contender::new(name.to_string(), move || {
                asked.borrow_mut().push(name);
                name as f64
            })
        };
        let samples = interleave(2, &mut [contender(0), contender(1), contender(2)]);
        assert_eq!(*asked.borrow(), [0, 1, 2, 1, 0, 2, 2, 0, 1]);
        assert_eq!(samples.iter().map(Samples::median).collect::<Vec<_>>(), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([f64::NAN, 1.0, f64::NAN].into_iter()), 1.0);
        assert!(median([f64::NAN].into_iter()).is_nan());
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
