//! Kinds of workers, from outside.

mod process;
