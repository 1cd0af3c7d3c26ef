//! May it go now: not to somebody who fails.
