//! `divvy measure`: is it worth distributing, and where is the knee?
//!
//! [`trial`] runs the work with one worker, with two, and so on; [`fit`] finds Amdahl's law and the universal scalability
//! law in the times; [`verdict`] says what follows; [`report`] prints it.

pub(crate) mod fit;
pub(crate) mod report;
pub(crate) mod trial;
pub(crate) mod verdict;

use std::time::Duration;

/// What was measured with one number of workers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) workers: u32,
    /// One for each round, ascending; never empty.
    pub(crate) walls: Vec<Duration>,
    /// The processor time of the median round, where the system says it.
    pub(crate) cpu: Option<Duration>,
}

impl Point {
    /// The median; of an even number of rounds the quicker of the two in the middle.
    pub(crate) fn wall(&self) -> Duration {
        self.walls[(self.walls.len() - 1) / 2]
    }

    /// How far the rounds are apart, as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        let (least, most) = (self.walls[0], self.walls[self.walls.len() - 1]);
        (most - least).as_secs_f64() / self.wall().as_secs_f64().max(1e-9)
    }

    /// How many cores were busy, on average.
    pub(crate) fn busy(&self) -> Option<f64> {
        Some(self.cpu?.as_secs_f64() / self.wall().as_secs_f64().max(1e-9))
    }
}
