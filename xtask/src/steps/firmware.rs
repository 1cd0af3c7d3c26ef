//! The two boards in QEMU.

use std::time::Duration;

use super::host::keep_digests;
use super::{Outcome, Work, name, no_warnings};
use crate::layout::Layout;
use crate::run::Run;
use crate::toolchain::{Library, RISCV32, THUMBV8M, Toolchain};

/// One machine that QEMU stands in for.
#[derive(Debug)]
pub(crate) struct Board {
    /// Its name, which is its binary's in `firmware-demo`, and its step's.
    pub(crate) name: &'static str,
    target: &'static str,
}

/// Both of them.
pub(crate) static BOARDS: [Board; 2] =
    [Board { name: name::MPS2_AN521, target: THUMBV8M }, Board { name: name::VIRT, target: RISCV32 }];

/// Builds the firmware and runs it. The runner in `firmware-demo/.cargo/config.toml` starts QEMU with a time limit and
/// decodes the log; its exit code is the firmware's.
pub(crate) fn run_board(layout: &Layout, toolchain: &Toolchain, board: &Board) -> Result<Run, String> {
    let run = toolchain.cargo(layout, "run", board.target, Library::Core)?;
    Ok(run.args(["--release", "--bin", board.name]).dir(layout.firmware()))
}

pub(super) fn mps2_an521(work: &Work<'_>) -> Outcome {
    twice(work, &BOARDS[0])
}

pub(super) fn virt(work: &Work<'_>) -> Outcome {
    twice(work, &BOARDS[1])
}

/// Once by QEMU's instruction counter, where the cores interleave the same way every time and each must get a share of
/// the work; once with a host thread for each core, where they really race and only the results can be asserted.
fn twice(work: &Work<'_>, board: &Board) -> Outcome {
    let run =
        || Ok::<_, String>(run_board(work.layout, work.toolchain, board)?.limit(Duration::from_secs(900)));
    let counted = work.run(run()?.env("DIVVY_ICOUNT", "1"))?;
    no_warnings(&counted)?;
    let racing = work.run(run()?)?;
    keep_digests(work, &format!("{counted}\n{racing}"))
}
