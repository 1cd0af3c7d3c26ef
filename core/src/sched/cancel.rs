//! Asking tasks to stop.
