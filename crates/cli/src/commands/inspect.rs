//! `esnsim inspect`: what is in a network file.

use std::path::Path;

use formats::topology;
use network::{LayerId, Network};
use report::text::{layer_table, network_overview, node_list};
use report::{write_file, write_inspect_csv};
use runner::weight_statistics;

use crate::args::InspectOptions;
use crate::commands;
use crate::terminal::{notes, print};

/// Runs the command.
pub fn run(options: &InspectOptions) -> anyhow::Result<()> {
    esnsim::check_outputs(
        &[options.table.csv.as_deref(), options.topology_csv.as_deref()],
        options.network.iter().chain(options.reading.files()),
    )?;
    let network = commands::open(options.network.as_deref(), &options.reading.request(false))?.network;
    let layers =
        (0..network.layers().len()).map(|i| weight_statistics(&network, LayerId(i))).collect::<Result<Vec<_>, _>>()?;
    let mut text = network_overview(&network, &layers);
    text += &layer_table(&network, &layers);
    if options.nodes {
        text += &node_list(network.graph());
    }
    notes(network.notes());
    print(&text)?;
    if let Some(path) = &options.table.csv {
        write_file(path, |writer| write_inspect_csv(writer, &network, &layers))?;
    }
    if let Some(path) = &options.topology_csv {
        write_topology(path, &network)?;
    }
    Ok(())
}

/// Writes the layers as a topology file and says what it cannot hold.
fn write_topology(path: &Path, network: &Network) -> anyhow::Result<()> {
    let topology = topology::write(network);
    notes(&topology.notes);
    write_file(path, |writer| writer.write_all(topology.text.as_bytes()))?;
    Ok(())
}
