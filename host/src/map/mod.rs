//! `divvy map`: one command for each item, many at a time.
//!
//! `items` says what there is to do, `template` what to do with it; `engine` makes jobs of both and runs them, `output`
//! keeps apart what they print, `joblog` records what ended. `report` tells it.

pub(crate) mod engine;
pub(crate) mod event;
pub(crate) mod halt;
pub(crate) mod items;
pub(crate) mod joblog;
mod output;
pub(crate) mod pipe;
pub(crate) mod pressure;
pub(crate) mod report;
mod results;
pub(crate) mod template;
pub(crate) mod timeout;
