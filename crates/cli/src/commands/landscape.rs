//! `esnsim landscape`: what hardware makes of fewer bits and of pruning.

use explore::landscape::{LandscapePlan, landscape};
use report::figures::write_landscape_svg;
use report::text::landscape_table;
use report::{write_file, write_landscape_csv};

use crate::args::LandscapeOptions;
use crate::commands;
use crate::terminal::print;

/// Runs the command.
pub fn run(options: &LandscapeOptions) -> anyhow::Result<()> {
    esnsim::check_outputs(&[options.csv.as_deref(), options.svg.as_deref()], options.hardware.descriptions.iter())?;
    let hardware = commands::hardware(esnsim::landscape_hardware, &options.hardware.descriptions)?;
    let LandscapeOptions { pruned: pruned_percent, seed, .. } = *options;
    let bits = options.bits.get();
    let points = landscape(&LandscapePlan { hardware: &hardware, bits, pruned_percent, seed })?;
    if let Some(path) = &options.csv {
        write_file(path, |writer| write_landscape_csv(writer, &points))?;
    }
    if let Some(path) = &options.svg {
        write_landscape_svg(path, &points)?;
    }
    print(&landscape_table(&hardware, &points, bits))
}
