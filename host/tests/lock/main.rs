//! `divvy_host::lock`: what is refused and what is not, poison, and threads that would wait for each other in a circle.

mod circles;
mod levels;
mod poison;
mod refused;
