//! Locks that are taken in one order, so that no two threads wait for each other in a circle.
