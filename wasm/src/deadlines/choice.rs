//! Choices that JavaScript makes by name.
#![allow(missing_docs, reason = "the macro adds a hidden variant for unknown names, and cannot document it")]

use wasm_bindgen::prelude::wasm_bindgen;

/// Which job goes first.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// The one with the earliest deadline.
    Edf = "edf",
    /// The one of the task with the shortest period.
    Rm = "rm",
    /// The one of the task with the shortest relative deadline.
    Dm = "dm",
}
