//! Kinds of workers, from outside.

mod monitored;
mod process;
mod tasks;
