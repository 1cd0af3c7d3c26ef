//! Tasks with deadlines: fixed priorities and earliest deadline first, admission tests, and an account of misses.
