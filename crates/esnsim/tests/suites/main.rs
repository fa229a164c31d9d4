//! The suites of this crate, one question each, in one binary.

mod open;
mod simulation;
mod writing;
