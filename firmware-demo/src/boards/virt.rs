//! QEMU's `virt` with four RV32 harts in machine mode, without firmware.
//!
//! All harts start at reset. Hart 0 goes on, the others wait for a word in their software-interrupt register.
#![allow(unsafe_code)]

use ::core::arch::{asm, global_asm};
use ::core::cell::UnsafeCell;
use ::core::ops::Range;
use ::core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use riscv::register::{mhartid, mie, mstatus};

/// How the log calls this board.
pub(crate) const NAME: &str = "virt";
/// Its processor.
pub(crate) const CPU: &str = "RV32IMAC";
/// How many of them. `boards/virt.x` and `qemu.sh` say so too.
pub(crate) const CORES: usize = 4;

/// The core-local interruptor: one software-interrupt word and one alarm a hart, and the timer that all share.
const MSIP: *mut u32 = 0x0200_0000 as *mut u32;
const MTIMECMP: *mut u32 = 0x0200_4000 as *mut u32;
const MTIME_LOW: *const u32 = 0x0200_BFF8 as *const u32;
const MTIME_HIGH: *const u32 = 0x0200_BFFC as *const u32;
const TIMER_PER_TICK: u64 = 10;
/// How fast `ticks` counts.
pub(crate) const TICKS_PER_MILLISECOND: u32 = 1000;

/// Whether `wait` must spin: see there.
static SPIN: AtomicBool = AtomicBool::new(false);

/// Bytes at the end of each stack that trap. A single frame larger than this could step over them.
const GUARD: usize = 1024;

unsafe extern "C" {
    /// The first address above hart 0's stack; the others' follow below.
    static _stack_start: u8;
    /// An absolute symbol: its address is the size. `boards/virt.x`.
    static _hart_stack_size: u8;
}

// Runs before memory is initialised, with the hart's number in a0; answers whether this hart is to initialise it.
// The word is not cleared before the waiting: hart 0 may have been quicker, and it is zero at reset. Until it is set the
// hart sleeps, so that it takes no turn while hart 0 counts what it does alone: enabled in `mie`, the interrupt ends
// `wfi`, and it traps nowhere, since interrupts as a whole are disabled at reset.
global_asm!(
    ".section .init.mp_hook, \"ax\"",
    ".global _mp_hook",
    "_mp_hook:",
    "    beqz a0, 3f",
    "    li   t0, 0x02000000",
    "    slli t1, a0, 2",
    "    add  t0, t0, t1",
    "    csrsi mie, 8",
    "    j    2f",
    "1:  wfi",
    "2:  lw   t1, 0(t0)",
    "    beqz t1, 1b",
    "    sw   zero, 0(t0)",
    "    fence",
    "    li   a0, 0",
    "    ret",
    "3:  li   a0, 1",
    "    ret",
);

#[riscv_rt::entry]
fn start(_hart: usize) -> ! {
    guard_stack();
    // SAFETY: interrupts as a whole are never enabled, so this only lets a wake-up end `wfi`.
    unsafe { mie::set_msoft() };
    crate::demo::run()
}

// No interrupt is ever enabled, so every trap is a defect of the firmware. The hart's stack may be at its end: the report
// gets one of its own, and the first hart to trap gets it; what another one would say no longer matters.
global_asm!(
    ".section .trap.start, \"ax\"",
    ".balign 4",
    ".global _start_trap",
    ".option push",
    ".option arch, +a", // The assembler is not told the target's features again when it optimises across crates.
    "_start_trap:",
    "    la   t0, {taken}",
    "    li   t1, 1",
    "    amoswap.w.aq t1, t1, (t0)",
    "1:  bnez t1, 1b",
    "    la   sp, {stack}",
    "    li   t0, {size}",
    "    add  sp, sp, t0",
    "    csrr a0, mcause",
    "    csrr a1, mepc",
    "    csrr a2, mtval",
    "    j    {trapped}",
    ".option pop",
    taken = sym TRAP_TAKEN,
    stack = sym TRAP_STACK,
    size = const TRAP_STACK_SIZE,
    trapped = sym trapped,
);

const TRAP_STACK_SIZE: usize = 4096;
#[repr(C, align(16))]
struct TrapStack(UnsafeCell<[u8; TRAP_STACK_SIZE]>);
// SAFETY: no Rust code makes a reference to the inside; it is the stack of the one hart that took `TRAP_TAKEN`.
unsafe impl Sync for TrapStack {}
static TRAP_STACK: TrapStack = TrapStack(UnsafeCell::new([0; TRAP_STACK_SIZE]));
static TRAP_TAKEN: AtomicU32 = AtomicU32::new(0);

/// Says what happened and ends the run.
extern "C" fn trapped(cause: usize, at: usize, value: usize) -> ! {
    if (stack().start - GUARD..stack().start).contains(&value) {
        panic!("stack overflow at {at:#x}: raise _hart_stack_size in boards/virt.x");
    }
    panic!("trap {cause} at {at:#x}, value {value:#x}: see the privileged specification, mcause");
}

/// Takes the lowest bytes of this hart's stack out of its reach, so that an overflow traps before it meets the next
/// hart's stack.
fn guard_stack() {
    const LOCKED_NATURALLY_ALIGNED_NO_ACCESS: usize = 1 << 7 | 3 << 3;
    const { assert!(GUARD.is_power_of_two() && GUARD >= 8) };
    let guard = stack().start - GUARD;
    // SAFETY: the first entry of the physical memory protection forbids a region that nothing else uses: it lies in this
    // hart's stack, below what `stack` gives out.
    unsafe {
        asm!("csrw pmpaddr0, {}", in(reg) guard >> 2 | (GUARD - 1) >> 3, options(nomem, nostack));
        asm!("csrw pmpcfg0, {}", in(reg) LOCKED_NATURALLY_ALIGNED_NO_ACCESS, options(nostack));
    }
}

/// Starts harts 1 to 3.
pub(crate) fn start_others() {
    SPIN.store(crate::boards::is_counted(), Ordering::Relaxed);
    for hart in 1..CORES {
        wake(hart as u32);
    }
}

/// The hart that asks.
pub(crate) fn core() -> usize {
    mhartid::read()
}

/// The board's timer; wraps after 71 minutes.
pub(crate) fn ticks() -> u32 {
    (time() / TIMER_PER_TICK) as u32
}

fn time() -> u64 {
    loop {
        // SAFETY: registers without side effects on reading.
        let (high, low, again) =
            unsafe { (MTIME_HIGH.read_volatile(), MTIME_LOW.read_volatile(), MTIME_HIGH.read_volatile()) };
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Sleeps until this hart is woken. A wake-up that came before is a pending interrupt, so it is never missed.
///
/// The interrupt is enabled but interrupts as a whole are not: it ends `wfi` and traps nowhere. While QEMU counts
/// instructions (`-icount`), a hart that sleeps may get no further turn until the others sleep too: there, spin.
pub(crate) fn wait() {
    if !takes_turns() {
        sleep();
    }
}

fn sleep() {
    // SAFETY: the hart's own software-interrupt word. It is cleared before the caller looks for what it waits for, hence
    // the fence: whoever made that so and then set the word again, sets it for the next `wfi`.
    unsafe {
        asm!("wfi", options(nostack));
        MSIP.add(core()).write_volatile(0);
        asm!("fence", options(nostack));
    }
}

/// Sleeps until the timer has counted so far, or until this hart is woken: the hart's alarm is enabled for that time, and
/// ends `wfi` as a wake-up does.
pub(crate) fn wait_until(tick: u32) {
    let left = tick.wrapping_sub(ticks());
    if left.cast_signed() <= 0 {
        return;
    }
    let at = time() + u64::from(left) * TIMER_PER_TICK;
    let alarm = MTIMECMP.wrapping_add(2 * core());
    // SAFETY: the hart's own alarm, which nothing else uses. Its halves are written so that it is never too early;
    // interrupts as a whole are not enabled, so it traps nowhere.
    unsafe {
        alarm.write_volatile(u32::MAX);
        alarm.add(1).write_volatile((at >> 32) as u32);
        alarm.write_volatile(at as u32);
        mie::set_mtimer();
        sleep();
        mie::clear_mtimer();
    }
}

/// Whether the harts take turns.
pub(crate) fn takes_turns() -> bool {
    // Ordering: relaxed, for it is written before the other harts go on.
    SPIN.load(Ordering::Relaxed)
}

/// Lets the other harts go on while QEMU counts instructions: `wfi` ends this one's turn, and that it is woken already
/// gives it the next one.
pub(crate) fn turn() {
    if takes_turns() {
        wake(core() as u32);
        sleep();
    }
}

/// Ends the `wait` of hart `core`, or its next one.
pub(crate) fn wake(core: u32) {
    // SAFETY: a hart's software-interrupt word. What was written before is seen by whoever wakes, hence the fence.
    unsafe {
        asm!("fence", options(nostack));
        MSIP.add(core as usize).write_volatile(1);
    }
}

/// Masks this hart's interrupts; whether they were enabled.
pub(super) fn mask_interrupts() -> bool {
    let enabled = mstatus::read().mie();
    riscv::interrupt::disable();
    enabled
}

/// Enables this hart's interrupts.
///
/// # Safety
///
/// Not inside a critical section.
pub(super) unsafe fn restore_interrupts() {
    // SAFETY: the caller's promise.
    unsafe { riscv::interrupt::enable() };
}

/// The addresses of this hart's stack, without the guard below it.
pub(super) fn stack() -> Range<usize> {
    let size = (&raw const _hart_stack_size) as usize;
    let end = (&raw const _stack_start) as usize - core() * size;
    end - size + GUARD..end
}

/// Where this hart's stack pointer is.
pub(super) fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register.
    unsafe { asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}
