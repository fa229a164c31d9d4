//! `esnsim convert`: a network, or its weights, in another format.

use network::{Network, NoteKind};
use report::text::{grouped, one_line};

use crate::args::ConvertOptions;
use crate::commands;
use crate::terminal::{notes, print};

/// Runs the command.
pub fn run(options: &ConvertOptions) -> anyhow::Result<()> {
    let inputs = std::iter::once(&options.input).chain(options.reading.files());
    esnsim::check_outputs(&[Some(options.output.as_path())], inputs)?;
    let format = options.format()?;
    let network = commands::open(Some(&options.input), &options.reading.request(false))?.network;
    notes(network.notes());
    let losses = esnsim::write(&network, &options.output, format, &esnsim::provenance(), options.strict)?;
    notes(&losses);
    if let Some(own) = esnsim::own_preprocessing(&network, false)? {
        notes(&esnsim::write_preprocessing(&own, &options.output)?);
    }
    let left_out = network.notes().iter().filter(|note| note.kind() == NoteKind::LeftOut).count();
    print(&summary(options, &network, left_out + losses.len()))
}

fn summary(options: &ConvertOptions, network: &Network, losses: usize) -> String {
    let layers = network.layers();
    let integers = layers.iter().filter(|layer| runner::is_quantized(layer)).count();
    let size = std::fs::metadata(&options.output).map_or(0, |file| file.len());
    format!(
        "{}\n  {} layers ({integers} of integers), {} weights, {} bytes; {}\n",
        one_line(&options.output.display().to_string()),
        layers.len(),
        grouped(network.parameter_count()),
        grouped(u128::from(size)),
        match losses {
            0 => "nothing is lost".to_string(),
            1 => "1 thing is lost, see the note".to_string(),
            _ => format!("{losses} things are lost, see the notes"),
        }
    )
}
