//! Scenarios that every target must answer alike, and the scoreboard of divvy's quality figures.
#![no_std]
