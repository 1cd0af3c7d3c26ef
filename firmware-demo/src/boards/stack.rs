//! How much of its stack each core used: the unused part keeps the pattern it was painted with.
#![allow(unsafe_code)]

use super::board;
use core::ops::Range;

const PAINT: u32 = 0xD1CE_57AC;
/// Bytes below the stack pointer that are left alone: the frames of the painting itself.
const MARGIN: usize = 256;

/// Paints what this core's stack does not hold now. Call it first thing on each core, and before a part whose own depth
/// is asked for.
pub(crate) fn paint() {
    let Range { start, .. } = board::stack();
    let end = board::stack_pointer().saturating_sub(MARGIN) & !3;
    for address in (start..end).step_by(4) {
        // SAFETY: the word lies in this core's own stack, more than the margin below the stack pointer: nothing lives
        // there, and volatile keeps the compiler from reasoning about it.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
    }
}

/// How many bytes this core's stack holds now.
pub(crate) fn depth() -> usize {
    board::stack().end - board::stack_pointer()
}

/// The most bytes that this core's stack held since it was painted.
pub(crate) fn used() -> usize {
    let Range { start, end } = board::stack();
    // SAFETY: the words lie in this core's own stack, which is readable memory.
    let untouched = (start..end)
        .step_by(4)
        .take_while(|&address| unsafe { (address as *const u32).read_volatile() } == PAINT);
    end - start - 4 * untouched.count()
}

/// How many bytes this core's stack has.
pub(crate) fn size() -> usize {
    board::stack().len()
}
