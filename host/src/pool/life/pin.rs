//! Which core a thread runs on.

use crate::pool::error::PoolError;

/// The cores that this process may use.
#[cfg(target_os = "linux")]
pub(in crate::pool) fn cores() -> Result<Vec<usize>, PoolError> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let set = sched_getaffinity(None).map_err(|error| PoolError::Pin(std::io::Error::from(error).kind()))?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Keeps the current thread on one core.
#[cfg(target_os = "linux")]
pub(in crate::pool) fn pin_to(core: usize) -> Result<(), PoolError> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|error| PoolError::Pin(std::io::Error::from(error).kind()))
}

#[cfg(not(target_os = "linux"))]
pub(in crate::pool) fn cores() -> Result<Vec<usize>, PoolError> {
    Err(PoolError::PinUnsupported)
}

#[cfg(not(target_os = "linux"))]
pub(in crate::pool) fn pin_to(_: usize) -> Result<(), PoolError> {
    Err(PoolError::PinUnsupported)
}
