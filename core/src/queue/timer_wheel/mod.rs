//! Timers: a hierarchical timing wheel.
