//! `divvy run`: a pipeline of commands as a graph, durable and resumable.
//!
//! `parse` and `check` make a [`pipeline::Pipeline`] of a file; `work` expands it into tasks; `key` decides which of
//! them must run; `plan` shows that; `engine` runs it and tells `event`s to a `report`.

mod check;
pub(crate) mod engine;
pub(crate) mod event;
pub(crate) mod expand;
pub(crate) mod explain;
pub(crate) mod files;
mod glob;
mod key;
mod launch;
pub(crate) mod live;
mod parse;
pub(crate) mod pipeline;
pub(crate) mod plan;
mod ready;
pub(crate) mod report;
mod text;
pub(crate) mod work;
