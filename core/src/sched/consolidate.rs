//! Energy: as few workers awake as the work needs.
