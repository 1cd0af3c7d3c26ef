//! `divvy map`: one command for each item.
