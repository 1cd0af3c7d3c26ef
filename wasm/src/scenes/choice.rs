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

/// What is done to a breaker.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    /// A call that goes well.
    Succeed = "succeed",
    /// A call that fails.
    Fail = "fail",
    /// A call that goes well, too slowly.
    Slow = "slow",
    /// A call whose caller never says how it went.
    Vanish = "vanish",
    /// A second passes.
    Wait = "wait",
    /// Time passes until it alone changes something; a second if it does not.
    Skip = "skip",
}

/// How calls come to a limiter.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coming {
    /// One after the other, evenly.
    Steady = "steady",
    /// Independently of each other.
    Poisson = "poisson",
    /// Many at once, around the end of every second period, and none between.
    Bursts = "bursts",
}
