//! Steps that several algorithms share: a number below `n` from a hash, and a round over all nodes.

use core::ops::ControlFlow;

/// The number below `n` (0 if `n` is 0) that the upper half of `hash` stands for: each gets its share of the hashes to
/// within `n / 2³²`. One 32 × 32 → 64 bit product, which a 32-bit chip has in hardware.
#[inline]
pub(super) const fn below(hash: u64, n: u32) -> u32 {
    (((hash >> 32) * n as u64) >> 32) as u32
}

/// Visits each of `len` places once, from one that the lower half of `hash` chooses, until `visit` breaks.
pub(super) fn sweep(hash: u64, len: usize, mut visit: impl FnMut(usize) -> ControlFlow<()>) {
    let start = below(hash << 32, u32::try_from(len).unwrap_or(u32::MAX)) as usize;
    for at in (start..len).chain(0..start) {
        if visit(at).is_break() {
            return;
        }
    }
}
