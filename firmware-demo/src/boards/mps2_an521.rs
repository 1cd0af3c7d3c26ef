//! QEMU's `mps2-an521`: Arm's SSE-200 subsystem with two Cortex-M33 cores, both in the secure state.
//!
//! Core 0 starts at reset. Core 1 is held until its vector table is named and its `CPUWAIT` bit cleared.
#![allow(unsafe_code)]

use ::core::cell::UnsafeCell;
use ::core::hint::spin_loop;
use ::core::ops::Range;
use ::core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use cortex_m::asm;
use cortex_m::register::{msp, primask};

/// How the log calls this board.
pub(crate) const NAME: &str = "mps2-an521";
/// Its processor.
pub(crate) const CPU: &str = "Cortex-M33";
/// How many of them.
pub(crate) const CORES: usize = 2;

/// The system control block of the SSE-200: where core 1's vector table is, and which cores are held.
const INITSVTOR1: *mut u32 = 0x5002_1114 as *mut u32;
const CPUWAIT: *mut u32 = 0x5002_1118 as *mut u32;
/// Reads as the number of the core that reads it.
const CPU_IDENTITY: *const u32 = 0x5001_F000 as *const u32;

/// The dual timer's first half: counts down from the top, once in 16 cycles of the 20 MHz clock, and begins again.
const TIMER_LOAD: *mut u32 = 0x5000_2000 as *mut u32;
const TIMER_VALUE: *const u32 = 0x5000_2004 as *const u32;
const TIMER_CONTROL: *mut u32 = 0x5000_2008 as *mut u32;
const CYCLES_PER_TICK: u32 = 16;
const TIMER_ENABLED_32_BITS_BY_16: u32 = 1 << 7 | 1 << 1 | 1 << 2;
/// How fast `ticks` counts.
pub(crate) const TICKS_PER_MILLISECOND: u32 = 20_000 / CYCLES_PER_TICK;

/// Whether `wait` must spin: see there.
static SPIN: AtomicBool = AtomicBool::new(false);

const STACK: usize = 16 * 1024;

/// Core 1's stack; core 0's is the end of RAM.
#[repr(C, align(8))]
struct Stack(UnsafeCell<[u8; STACK]>);
// SAFETY: no Rust code makes a reference to the inside; it is core 1's stack, and only `stack` tells its address.
unsafe impl Sync for Stack {}
static STACK_1: Stack = Stack(UnsafeCell::new([0; STACK]));

/// What a Cortex-M reads at reset: the stack pointer, where to start, then its fault handlers.
#[repr(C, align(128))]
struct Vectors {
    stack: *mut u8,
    reset: unsafe extern "C" fn() -> !,
    faults: [unsafe extern "C" fn() -> !; 14],
}
// SAFETY: it is never written, and the pointer is only ever read by the core's reset.
unsafe impl Sync for Vectors {}
static VECTORS_1: Vectors = Vectors {
    // SAFETY: one past the end of an array is inside its allocation.
    stack: unsafe { STACK_1.0.get().cast::<u8>().add(STACK) },
    reset: start_core_1,
    faults: [fault; 14],
};

unsafe extern "C" {
    /// The lowest address of core 0's stack, and the first above it: `boards/mps2-an521.x`.
    static _stack_end: u8;
    static _stack_start: u8;
}

#[cortex_m_rt::entry]
fn start_core_0() -> ! {
    // SAFETY: the timer is this module's alone, and nobody reads it yet.
    unsafe {
        TIMER_LOAD.write_volatile(u32::MAX);
        TIMER_CONTROL.write_volatile(TIMER_ENABLED_32_BITS_BY_16);
    }
    crate::demo::run()
}

unsafe extern "C" fn start_core_1() -> ! {
    // SAFETY: this is the lowest address of the stack that this core runs on.
    unsafe { cortex_m::register::msplim::write(stack().start as u32) };
    crate::demo::run()
}

/// A fault of core 1.
unsafe extern "C" fn fault() -> ! {
    report_fault()
}

/// A fault of core 0.
#[cortex_m_rt::exception(trampoline = false)]
unsafe fn HardFault() -> ! {
    report_fault()
}

/// Says what happened and ends the run.
fn report_fault() -> ! {
    const CONFIGURABLE_FAULT_STATUS: *const u32 = 0xE000_ED28 as *const u32;
    const STACK_OVERFLOW: u32 = 1 << 20;
    // SAFETY: the stack may be at its limit; what lies below it no longer matters, as this core runs nothing but the
    // report from here on. The register has no side effects on reading.
    let status = unsafe {
        cortex_m::register::msplim::write(0);
        CONFIGURABLE_FAULT_STATUS.read_volatile()
    };
    if status & STACK_OVERFLOW != 0 {
        panic!(
            "stack overflow: raise _stack_size in boards/mps2-an521.x (core 0) or STACK in {} (core 1)",
            file!()
        );
    }
    panic!("a fault, its status register is {status:#010x}");
}

/// Starts core 1.
pub(crate) fn start_others() {
    SPIN.store(crate::boards::is_counted(), Ordering::Relaxed);
    asm::dsb();
    // SAFETY: core 1 is held at reset, so nothing of it runs yet; the table is aligned as the register asks.
    unsafe {
        INITSVTOR1.write_volatile(&raw const VECTORS_1 as u32);
        asm::dsb();
        CPUWAIT.write_volatile(0);
    }
}

/// The core that asks.
pub(crate) fn core() -> usize {
    // SAFETY: a read-only register without side effects.
    unsafe { CPU_IDENTITY.read_volatile() as usize }
}

/// The board's timer; wraps after 57 minutes.
pub(crate) fn ticks() -> u32 {
    // SAFETY: a register without side effects on reading.
    u32::MAX - unsafe { TIMER_VALUE.read_volatile() }
}

/// Sleeps until an event. An event that came before is kept by the core, so it is never missed.
///
/// QEMU takes `wfe` as a hint to run the other core. While it counts instructions (`-icount`), a core that sleeps gets no
/// further turn until the other one sleeps too, so it would never get to steal: there, spin. `yield`, by which a core that
/// lost a race for a word lets others go first, is such a hint too: so whoever spins for longer than anything here takes
/// gives one as well.
pub(crate) fn wait() {
    const LONG: u32 = 1 << 25;
    static SPINS: AtomicU32 = AtomicU32::new(0);
    // Ordering: relaxed, for it is written before core 1 starts; how often is a number like any other.
    if !takes_turns() {
        asm::wfe();
    } else if SPINS.fetch_add(1, Ordering::Relaxed) % LONG == LONG - 1 {
        spin_loop();
    }
}

/// Sleeps until the timer has counted so far.
///
/// Each core has a SysTick of its own. Its exception is masked: it becomes pending, which ends `wfi`, and is never taken.
pub(crate) fn wait_until(tick: u32) {
    const CONTROL: *mut u32 = 0xE000_E010 as *mut u32;
    const RELOAD: *mut u32 = 0xE000_E014 as *mut u32;
    const VALUE: *mut u32 = 0xE000_E018 as *mut u32;
    const ENABLED_INTERRUPT_BY_CORE_CLOCK: u32 = 1 | 1 << 1 | 1 << 2;
    const INTERRUPT_STATE: *mut u32 = 0xE000_ED04 as *mut u32;
    const PENDING_SYSTICK_CLEAR: u32 = 1 << 25;
    const LONGEST: u32 = (1 << 24) - 1;

    let left = tick.wrapping_sub(ticks());
    if left.cast_signed() <= 0 {
        return;
    }
    let enabled = mask_interrupts();
    // SAFETY: these are this core's own registers, and nothing else uses its SysTick. Its exception is not taken: the
    // interrupts are masked until it is neither enabled nor pending.
    unsafe {
        RELOAD.write_volatile(left.saturating_mul(CYCLES_PER_TICK).min(LONGEST));
        VALUE.write_volatile(0);
        CONTROL.write_volatile(ENABLED_INTERRUPT_BY_CORE_CLOCK);
        asm::dsb();
        asm::wfi();
        CONTROL.write_volatile(0);
        INTERRUPT_STATE.write_volatile(PENDING_SYSTICK_CLEAR);
        if enabled {
            restore_interrupts();
        }
    }
}

/// Whether the cores take turns.
pub(crate) fn takes_turns() -> bool {
    // Ordering: relaxed, as in `wait`.
    SPIN.load(Ordering::Relaxed)
}

/// Lets the other core go on while QEMU counts instructions: `yield` ends this one's turn.
pub(crate) fn turn() {
    if takes_turns() {
        spin_loop();
    }
}

/// Ends the `wait` of core `core`. The event goes to both cores; the other one goes back to sleep.
pub(crate) fn wake(_core: u32) {
    // What was written before must be seen by whoever wakes.
    asm::dsb();
    asm::sev();
}

/// Masks this core's interrupts; whether they were enabled.
pub(super) fn mask_interrupts() -> bool {
    let enabled = primask::read().is_active();
    cortex_m::interrupt::disable();
    enabled
}

/// Enables this core's interrupts.
///
/// # Safety
///
/// Not inside a critical section.
pub(super) unsafe fn restore_interrupts() {
    // SAFETY: the caller's promise.
    unsafe { cortex_m::interrupt::enable() };
}

/// The addresses of this core's stack.
pub(super) fn stack() -> Range<usize> {
    if core() == 0 {
        (&raw const _stack_end) as usize..(&raw const _stack_start) as usize
    } else {
        let start = STACK_1.0.get() as usize;
        start..start + STACK
    }
}

/// Where this core's stack pointer is.
pub(super) fn stack_pointer() -> usize {
    msp::read() as usize
}
