//! `esnsim hardware`: the descriptions that come along.

use report::text::hardware_that_comes_along;
use runner::Hardware;

use crate::args::HardwareNameOptions;
use crate::terminal::print;

/// Runs the command.
pub fn run(options: &HardwareNameOptions) -> anyhow::Result<()> {
    match &options.name {
        Some(name) => print(Hardware::description(name)?),
        None => print(&hardware_that_comes_along()),
    }
}
