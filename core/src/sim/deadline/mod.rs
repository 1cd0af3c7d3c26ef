//! Periodic and sporadic tasks with deadlines on one or several cores, on a virtual clock.
