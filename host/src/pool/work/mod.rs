//! What a worker does: it finds a job (`find`), executes it (`context`), makes forks public (`publish`), and goes on until what
//! it waits for is there (`until`). `current` tells which seats a thread occupies.

pub(super) mod context;
pub(super) mod current;
mod find;
mod publish;
pub(super) mod until;
