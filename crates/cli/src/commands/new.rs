//! `esnsim new`: a network of the literature with random weights.

use esnsim::WriteFormat;
use network::Network;
use network::architectures::build;
use report::text::{grouped, one_line};

use crate::args::NewOptions;
use crate::terminal::print;

/// Runs the command.
pub fn run(options: &NewOptions) -> anyhow::Result<()> {
    let request = options.request();
    let architecture = request.architecture()?;
    esnsim::check_outputs(&[Some(&options.output)], std::iter::empty())?;
    let network = build(&architecture)?;
    let provenance = request.provenance(&architecture);
    esnsim::write(&network, &options.output, WriteFormat::Onnx, &provenance, false)?;
    print(&summary(options, &network))
}

fn summary(options: &NewOptions, network: &Network) -> String {
    let layers = network.layers();
    let macs = layers.iter().map(|layer| layer.geometry.macs()).sum();
    format!(
        "{}\n  {}, {} MAC layers, {} weights, {} MACs an image; random weights\n",
        one_line(&options.output.display().to_string()),
        options.network,
        layers.len(),
        grouped(network.parameter_count()),
        grouped(macs)
    )
}
