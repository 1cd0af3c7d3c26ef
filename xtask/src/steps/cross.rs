//! The core for targets that have no operating system, and without an allocator.
//!
//! Built from source, the standard library is `core` alone: there is no `alloc` that could be used. Where the active
//! toolchain has a ready-made library, the proof is weaker: no feature is on, and the crate is `no_std`.

use super::{Outcome, Work, no_warnings};
use crate::toolchain::{self, Compiler, Library};

pub(super) fn thumbv6m(work: &Work<'_>) -> Outcome {
    build(work, toolchain::THUMBV6M)
}

pub(super) fn thumbv7em(work: &Work<'_>) -> Outcome {
    build(work, toolchain::THUMBV7EM)
}

pub(super) fn thumbv8m(work: &Work<'_>) -> Outcome {
    build(work, toolchain::THUMBV8M)
}

pub(super) fn riscv32imac(work: &Work<'_>) -> Outcome {
    build(work, toolchain::RISCV32)
}

pub(super) fn wasm32(work: &Work<'_>) -> Outcome {
    build(work, toolchain::WASM32)
}

fn build(work: &Work<'_>, target: &str) -> Outcome {
    let run = work.toolchain.cargo(work.layout, "build", target, Library::Core)?;
    no_warnings(&work.run(run.args(["-p", "divvy", "--no-default-features"]).dir(&work.layout.root))?)?;
    Ok(match work.toolchain.compiler(target)? {
        Compiler::Active => "active toolchain".into(),
        Compiler::Debian => "Debian's compiler, core only".into(),
    })
}
