//! The suites of this crate, one question each, in one binary.

mod find_step;
mod prune_coupling;
mod prune_files;
mod prune_properties;
mod prune_support;
mod quantize;
mod reestimate;
mod sensitivity;
mod ties;
mod transposed;
