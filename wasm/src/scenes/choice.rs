//! Choices that JavaScript makes by name.
#![allow(missing_docs, reason = "the macro adds a hidden variant for unknown names, and cannot document it")]

use wasm_bindgen::prelude::wasm_bindgen;

/// How many tasks a successful steal takes.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Take {
    /// Workers never steal.
    None = "none",
    /// The oldest task of the victim.
    One = "one",
    /// The older half of the victim's tasks, rounded up.
    Half = "half",
}

/// Whom a worker without tasks turns to.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Victim {
    /// Any other worker, unseen.
    Random = "random",
    /// The worker with the longest queue.
    Busiest = "busiest",
}

/// How the run times of requests are distributed.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RunTimes {
    /// All the same.
    Constant = "constant",
    /// Many short ones, some a few times as long.
    Exponential = "exponential",
    /// Nine of ten short, the tenth 20 times as long.
    Bimodal = "bimodal",
    /// A few that are hundreds of times as long as most.
    Pareto = "pareto",
}
