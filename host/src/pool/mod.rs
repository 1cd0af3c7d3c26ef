//! A pool of threads that steal work from each other: fork and join, scopes, tasks, parallel loops, sorting and map-reduce.
