//! What the core refuses to have: threads, disk, network, and the `divvy` command.
