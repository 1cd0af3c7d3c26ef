//! Probes in the background, under change, with the usual parameters and with a small pool.

use super::drive::drive;
use crate::Digest;
use divvy::balance::{Prequal, PrequalConfig};
use divvy::fixed::Q32;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, || const { Prequal::new() }, 0x93E9, 3_000);
    let few = Q32::from_ratio(3, 2)
        .map(|probes| PrequalConfig::new().pool(5).probes(probes))
        .filter(|config| Prequal::with(*config).is_ok());
    if let Some(config) = few {
        drive(&mut digest, || Prequal::with(config).expect("it was valid just now"), 0x93EA, 3_000);
    }
    digest.finish()
}
