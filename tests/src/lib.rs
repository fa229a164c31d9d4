//! What the suites share: small ONNX files built in memory, real files where they are present, damaged copies of them and a
//! second reading, hardware descriptions, and a way to run the `esnsim` command.

mod command;
pub mod fuzz;
pub mod garble;
mod hardware;
pub mod independent;
mod model;
mod shared;
mod tool;

pub use command::{binary, esnsim, repository};
pub use hardware::{analog_toml, digital_toml, hardware};
pub use model::{Attribute, ModelBuilder};
pub use shared::{shared, shared_or_skip};
pub use tool::tool_or_skip;
