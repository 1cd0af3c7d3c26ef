//! The divvy core for browsers.
