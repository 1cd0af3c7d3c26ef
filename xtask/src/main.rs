//! `cargo xtask`: the only place that knows about toolchains and other programs.
fn main() {}
