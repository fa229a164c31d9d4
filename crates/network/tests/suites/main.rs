//! The suites of this crate, one question each, in one binary.

mod model;
mod synthetic;
