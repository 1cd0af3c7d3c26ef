//! The breaker as its callers see it.
