//! What the suites share: small ONNX files built in memory, real files where they are present, and a way to run the
//! `esnsim` command.

mod model;
mod shared;

pub use model::{Attribute, ModelBuilder};
pub use shared::{shared, shared_or_skip};
