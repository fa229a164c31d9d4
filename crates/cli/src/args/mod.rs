//! What a user can ask for. Commands use these types; no type here knows a command.

mod compress;
mod convert;
mod esn;
mod inspect;
mod landscape;
mod new;
mod pareto;
mod parse;
mod shared;
mod simulate;
mod sweep;
mod trace;
mod words;

use clap::{Parser, Subcommand};

pub use self::compress::CompressOptions;
pub use self::convert::ConvertOptions;
pub use self::esn::EsnOptions;
pub use self::inspect::InspectOptions;
pub use self::landscape::LandscapeOptions;
pub use self::new::NewOptions;
pub use self::pareto::ParetoOptions;
pub use self::shared::{InferenceOptions, ReadingOptions};
pub use self::simulate::SimulateOptions;
pub use self::sweep::SweepOptions;
pub use self::trace::TraceOptions;

/// Cycle-level simulator of ideal analog and digital MAC hardware for pruned and quantized CNNs, checked against the
/// effective signal norm (ESN).
#[derive(Parser)]
#[command(name = "esnsim", bin_name = "esnsim", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Stream every layer through engines: cycles, energy, the check against ESN, and accuracy on images.
    Simulate(SimulateOptions),
    /// The metric alone, of one network by layer or of several side by side.
    Esn(EsnOptions),
    /// Prune, quantize and re-estimate BatchNorm statistics; write the result as a standard file.
    Compress(CompressOptions),
    /// What is in a network file: graph, MAC layers, geometry, weight statistics.
    Inspect(InspectOptions),
    /// Run every point of a plan of networks, prunings, quantizations, hardware and images into a store.
    Sweep(SweepOptions),
    /// Write a network, or its weights, in another format, and say what that loses.
    Convert(ConvertOptions),
    /// Make a network of the literature with random weights, as ONNX.
    New(NewOptions),
    /// Energy against bits, pruned weights and pruned filters, on every hardware that comes along: table, CSV, figure.
    Landscape(LandscapeOptions),
    /// A stepped machine cycle by cycle: waveforms (VCD) of its rows or columns, and energy and activity as CSV.
    Trace(TraceOptions),
    /// The frontier of accuracy against a cost over the points of a store: table, CSV, SVG and a page.
    Pareto(ParetoOptions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
