//! `esnsim esn`: the metric alone, of one network by layer or of several side by side.

use std::path::Path;

use esnsim::Opened;
use network::Network;
use report::text::{esn_by_layer, esn_side_by_side, heading, left_out, marked_name, network_name, quantization_line};
use report::{write_esn_csv, write_file};
use runner::{NetworkCost, Quantization};

use crate::args::EsnOptions;
use crate::commands;
use crate::commands::DEFAULT_BITS_HINT;
use crate::terminal::{notes, print};

/// Runs the command.
pub fn run(options: &EsnOptions) -> anyhow::Result<()> {
    let inputs = options.networks.iter().chain(options.reading.files());
    esnsim::check_outputs(&[options.table.csv.as_deref()], inputs)?;
    let files: Vec<Option<&Path>> = match options.networks.as_slice() {
        [] => vec![None],
        paths => paths.iter().map(|path| Some(path.as_path())).collect(),
    };
    let opened = files.into_iter().map(|file| open(options, file)).collect::<anyhow::Result<Vec<_>>>()?;
    let (widths, beside) = (options.metric.bits.as_slice(), opened.len() > 1);
    esnsim::check_widths(&opened.iter().collect::<Vec<_>>(), widths)?;
    let mut costs = Vec::new();
    for opened in &opened {
        for quantization in opened.quantizations(widths, beside) {
            costs.push(Costed::new(options, &opened.network, quantization)?);
        }
    }
    match costs.as_slice() {
        [one] => print(&format!("{}\n{}", one.heading, esn_by_layer(&one.cost, &one.left_out)))?,
        several => {
            let rows = several.iter().map(|one| (one.marked_name.as_str(), &one.cost, one.left_out.as_str()));
            print(&esn_side_by_side(&rows.collect::<Vec<_>>()))?;
        }
    }
    if let Some(path) = &options.table.csv {
        let rows = costs.iter().map(|costed| (costed.name.as_str(), &costed.cost));
        write_file(path, |writer| write_esn_csv(writer, rows))?;
    }
    Ok(())
}

fn open(options: &EsnOptions, file: Option<&Path>) -> anyhow::Result<Opened> {
    let opened = commands::open(file, &options.open_options())?;
    opened.check_steps(options.metric.bits.first().copied())?;
    notes(opened.network.notes());
    Ok(opened)
}

/// One network at one width, and what is said of it.
struct Costed {
    /// In files.
    name: String,
    /// In tables.
    marked_name: String,
    heading: String,
    /// What its totals leave out.
    left_out: String,
    cost: NetworkCost,
}

impl Costed {
    fn new(options: &EsnOptions, network: &Network, quantization: Quantization) -> anyhow::Result<Self> {
        let cost = esnsim::esn(network, quantization, options.metric.bit_convention)?;
        let quantized = quantization_line(&cost, quantization, DEFAULT_BITS_HINT);
        Ok(Self {
            name: network_name(network),
            marked_name: marked_name(network),
            heading: heading(network, &cost, &quantized),
            left_out: left_out(network),
            cost,
        })
    }
}
