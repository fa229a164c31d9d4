//! The suites of this crate, one question each, in one binary.

mod messages;
mod open;
mod simulation;
mod writing;
