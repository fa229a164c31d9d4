//! What the suites of the whole share: damaged copies of files and a second reading of them, hardware descriptions, and a way
//! to run the `esnsim` command. What the crates' own suites need too is in `testkit`.

mod command;
pub mod fuzz;
pub mod garble;
mod hardware;
pub mod independent;

pub use command::{binary, esnsim, repository};
pub use hardware::{analog_toml, digital_toml, hardware};
