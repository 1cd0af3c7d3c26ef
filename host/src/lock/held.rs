//! What this thread holds.

use super::{HeldLock, LockError};
use std::cell::RefCell;

thread_local! {
    static HELD: RefCell<Vec<(Id, HeldLock)>> = const { RefCell::new(Vec::new()) };
}

/// The place of a lock in the order of all: by rank, then by address. A lock that somebody holds or waits for is
/// borrowed, so its address stays.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Id {
    pub(super) rank: u32,
    pub(super) address: usize,
}

/// Refuses what ranks no higher than a lock that this thread holds.
///
/// A thread that is ending may take locks in the destructors of its thread-locals after this list is gone. It then
/// holds none that it could have taken before, and is not checked.
pub(super) fn check(id: Id, wanted: HeldLock) -> Result<(), LockError> {
    HELD.try_with(|held| {
        let held = held.borrow();
        if let Some((_, held)) = held.iter().find(|(other, _)| *other == id) {
            return Err(LockError::Twice { held: *held, wanted });
        }
        match held.iter().max_by_key(|(other, _)| other.rank) {
            Some((other, held)) if other.rank >= id.rank => Err(LockError::Order { held: *held, wanted }),
            _ => Ok(()),
        }
    })
    .unwrap_or(Ok(()))
}

pub(super) fn push(id: Id, lock: HeldLock) {
    let _ = HELD.try_with(|held| held.borrow_mut().push((id, lock)));
}

pub(super) fn remove(id: Id) {
    let _ = HELD.try_with(|held| {
        let mut held = held.borrow_mut();
        // The last one taken is most often the first one given back.
        if let Some(index) = held.iter().rposition(|(other, _)| *other == id) {
            held.remove(index);
        }
    });
}
