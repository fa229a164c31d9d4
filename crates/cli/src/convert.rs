//! `esnsim convert`: a network, or its weights, in another format.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, ValueEnum};
use formats::onnx::write::{WriteOptions, to_bytes};
use formats::weight_writer::{WeightFormat, WeightList};
use network::Network;
use report::write_file;

use crate::args::ReadingOptions;
use crate::format::{grouped, one_line};
use crate::{input, print};

/// Options of `convert`.
#[derive(Args)]
pub struct Options {
    /// The file to read.
    pub input: PathBuf,

    /// The file to write.
    pub output: PathBuf,

    /// Its format [default: by the end of its name].
    #[arg(long, value_enum)]
    pub to: Option<Format>,

    /// Fail, and write nothing, where the new file would hold less than the old one.
    #[arg(long)]
    pub strict: bool,

    #[command(flatten)]
    pub reading: ReadingOptions,
}

/// Formats that are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The network: graph, weights, quantization.
    Onnx,
    /// The weights alone.
    Safetensors,
    /// The weights alone, as numpy arrays.
    Npz,
}

/// Runs the command. There is no check here, so it never returns `false`.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let inputs = std::iter::once(&options.input).chain(&options.reading.topology);
    input::check_outputs(&[Some(options.output.as_path())], inputs)?;
    let format = format(options)?;
    let network = input::network(Some(&options.input), &options.reading)?;
    input::show_notes(&network);
    let losses = match format {
        Format::Onnx => write_onnx(options, &network)?,
        Format::Safetensors => write_weights(options, &network, WeightFormat::Safetensors)?,
        Format::Npz => write_weights(options, &network, WeightFormat::Npz)?,
    };
    print(&summary(options, &network, losses))?;
    Ok(true)
}

fn format(options: &Options) -> anyhow::Result<Format> {
    if let Some(format) = options.to {
        return Ok(format);
    }
    match Format::of_name(&options.output) {
        Some(format) => Ok(format),
        None => bail!(
            "{}: the end of its name tells no format that is written; expected .onnx, .safetensors or .npz, or --to",
            options.output.display()
        ),
    }
}

impl Format {
    /// What the end of a name stands for.
    pub fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        Self::from_str(&extension, true).ok()
    }
}

/// The weights of a network as a file is to have them, and what it will not have.
pub fn weight_list(
    network: &Network,
    format: WeightFormat,
    provenance: Vec<(String, String)>,
) -> anyhow::Result<(WeightList<'_>, Vec<String>)> {
    let metadata: Vec<(String, String)> = network.metadata().iter().cloned().chain(provenance).collect();
    let list = WeightList::new(network, format, &metadata)?;
    let losses = list.losses().iter().map(|loss| format!("not in the new file: {loss}")).collect();
    Ok((list, losses))
}

/// Writes the network; returns how much is lost.
fn write_onnx(options: &Options, network: &Network) -> anyhow::Result<usize> {
    if network.graph().inputs.is_empty() {
        bail!("{}: unsupported: ONNX for weights without a graph; .safetensors and .npz hold them", place(network));
    }
    let written = to_bytes(network, &WriteOptions { provenance: provenance() })?;
    check_losses(options, network, &written.notes)?;
    write_file(&options.output, |writer| writer.write_all(&written.bytes))?;
    Ok(written.notes.len())
}

/// Writes the weights; returns how much is lost.
fn write_weights(options: &Options, network: &Network, format: WeightFormat) -> anyhow::Result<usize> {
    let (list, losses) = weight_list(network, format, provenance())?;
    check_losses(options, network, &losses)?;
    write_file(&options.output, |writer| list.write(format, writer))?;
    Ok(losses.len())
}

fn provenance() -> Vec<(String, String)> {
    vec![("esnsim.version".to_string(), env!("CARGO_PKG_VERSION").to_string())]
}

fn place(network: &Network) -> String {
    network.path().display().to_string()
}

/// Says what is lost, or refuses to lose it.
fn check_losses(options: &Options, network: &Network, losses: &[String]) -> anyhow::Result<()> {
    if let (true, Some(first)) = (options.strict, losses.first()) {
        let more = if losses.len() > 1 { format!(" (and {} more)", losses.len() - 1) } else { String::new() };
        bail!("{}: --strict: {first}{more}", place(network));
    }
    losses.iter().for_each(|loss| eprintln!("note: {}", one_line(loss)));
    Ok(())
}

fn summary(options: &Options, network: &Network, losses: usize) -> String {
    let layers = network.layers();
    let weights = layers.iter().map(|layer| (layer.geometry.spec().filters * layer.geometry.rows()) as u128).sum();
    let integers = layers.iter().filter(|layer| runner::is_quantized(layer)).count();
    let size = std::fs::metadata(Path::new(&options.output)).map_or(0, |file| file.len());
    format!(
        "{}\n  {} layers ({integers} of integers), {} weights, {} bytes; {}\n",
        one_line(&options.output.display().to_string()),
        layers.len(),
        grouped(weights),
        grouped(u128::from(size)),
        match losses {
            0 => "nothing is lost".to_string(),
            1 => "1 thing is lost, see the note".to_string(),
            _ => format!("{losses} things are lost, see the notes"),
        }
    )
}
