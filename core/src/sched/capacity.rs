//! How much each worker gets done: estimates from what it did.
