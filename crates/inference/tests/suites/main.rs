//! The suites of this crate, one question each, in one binary.

mod common;
mod float_executor;
mod operators;
mod session;
mod shared_models;
