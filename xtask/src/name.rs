//! What the steps of `cargo xtask test` are called.

pub(crate) const FMT: &str = "fmt";
pub(crate) const DENY: &str = "deny";
pub(crate) const CLIPPY: &str = "clippy";
pub(crate) const RUSTDOC: &str = "rustdoc";
pub(crate) const TEST: &str = "test";
pub(crate) const DOCTEST: &str = "doctest";
pub(crate) const BENCH: &str = "bench";
pub(crate) const LOOM: &str = "loom";
pub(crate) const TSAN: &str = "tsan";
pub(crate) const DIGESTS: &str = "digests";
pub(crate) const EXAMPLE: &str = "example";
pub(crate) const DOCS: &str = "docs";
pub(crate) const SCORE: &str = "score";
pub(crate) const THUMBV6M: &str = "thumbv6m";
pub(crate) const THUMBV7EM: &str = "thumbv7em";
pub(crate) const THUMBV8M: &str = "thumbv8m";
pub(crate) const RISCV32IMAC: &str = "riscv32imac";
pub(crate) const WASM32: &str = "wasm32";
pub(crate) const MPS2_AN521: &str = "mps2-an521";
pub(crate) const VIRT: &str = "virt";
pub(crate) const PLAYGROUND: &str = "playground";
pub(crate) const BROWSER: &str = "browser";
pub(crate) const CONFORMANCE: &str = "conformance";
