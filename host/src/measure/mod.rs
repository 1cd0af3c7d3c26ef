//! `divvy measure`: is it worth distributing, and where is the knee?
