//! Choices that JavaScript makes by name.
#![allow(missing_docs, reason = "the macro adds a hidden variant for unknown names, and cannot document it")]

use wasm_bindgen::prelude::wasm_bindgen;

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
