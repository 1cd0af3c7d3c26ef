//! Finding an imbalance between workers, and planning moves under a budget.
