//! How evenly full jitter spreads, and that it never passes the cap.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::retry::{Backoff, Retry};
use divvy::rng::Xoshiro256PlusPlus;

const DRAWS: u32 = 100_000;
const SOURCE: &str = "uniform in [0, min(cap, base × 2ⁿ⁻¹)]: Brooker, Exponential Backoff And Jitter, 2015";

pub(crate) fn figures() -> Vec<Figure> {
    let cap = Duration::from_secs(60);
    let backoff = Backoff::new(Duration::from_millis(100), cap).expect("the base is below the cap");
    let mut rng = Xoshiro256PlusPlus::seed(0xB0FF);
    let now = Instant::from_secs(1);
    let mut wait = |attempt| match backoff.next(now, attempt, &mut rng) {
        Retry::At(when) => when.saturating_duration_since(now).as_secs_f64(),
        Retry::GiveUp => f64::NAN,
    };
    // The fourth ceiling is 800 ms.
    let fourth: Vec<f64> = (0..DRAWS).map(|_| wait(4) / 0.8).collect();
    let mean = fourth.iter().sum::<f64>() / f64::from(DRAWS);
    let square = fourth.iter().map(|share| share * share).sum::<f64>() / f64::from(DRAWS);
    let longest = (0..DRAWS).map(|draw| wait(1 + draw % 100)).fold(0.0, f64::max);
    // A uniform share has the variance 1/12, and its square 4/45: five standard deviations of the means.
    let five = |variance: f64| 5.0 * (variance / f64::from(DRAWS)).sqrt();
    vec![
        Figure::new(
            "retry: mean wait, as a share of the ceiling",
            mean,
            Bound::Within(0.5, five(1.0 / 12.0)),
            SOURCE,
        ),
        Figure::new(
            "retry: mean square of that share",
            square,
            Bound::Within(1.0 / 3.0, five(4.0 / 45.0)),
            SOURCE,
        ),
        Figure::new(
            "retry: longest wait of attempts 1 to 100, as a share of the cap",
            longest / 60.0,
            Bound::AtMost(1.0),
            SOURCE,
        ),
    ]
}
