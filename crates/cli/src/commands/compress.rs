//! `esnsim compress`: prune, quantize, re-estimate statistics, and write the result: a standard ONNX file, or weights alone.

use std::time::Instant;

use anyhow::bail;
use esnsim::{CompressRequest, Compressed, CompressionCosts, NetworkImages, OpenOptions};
use network::{Mend, Network};
use report::text::{counted, found_steps, seconds};

use crate::args::CompressOptions;
use crate::commands;
use crate::terminal::{Bars, image_notes, notes, print};

/// Runs the command.
pub fn run(options: &CompressOptions) -> anyhow::Result<()> {
    options.check_needed()?;
    esnsim::check_outputs(
        &[Some(options.output.as_path()), options.json.as_deref()],
        options
            .network
            .iter()
            .chain(&options.quantization.target_profile)
            .chain(&options.quantization.layer_options)
            .chain(&options.statistics.calibrate)
            .chain(&options.graph.operators)
            .chain(options.preprocessing.files()),
    )?;
    let request = options.request()?;
    let open = OpenOptions { read: request.read.clone(), ..OpenOptions::default() };
    let original = commands::open_network(options.network.as_deref(), &open)?.network;
    // What a search for steps would find is about to be looked for.
    notes(original.notes().iter().filter(|note| !request.find_steps || note.mend() != Some(Mend::FindSteps)));
    let format = esnsim::write_format(&options.output, &original)?;
    let images = images(&request, &original, options.network.is_none())?;
    let bars = Bars::default();
    let plan = request.options(&original, images.as_ref(), &bars)?;
    let started = Instant::now();
    let compressed = esnsim::compress(&original, plan)?;
    if let Some(report) = &compressed.reestimate {
        let images = counted(report.images as u128, "image");
        eprintln!("{images} in {}", seconds(started.elapsed().as_secs_f64()));
    }
    if let Some(steps) = &compressed.find_step {
        if steps.found().next().is_some() {
            print(&found_steps(steps))?;
        }
        notes(steps.refusal().iter());
    }
    let (network, provenance) = (&compressed.network, compressed.provenance());
    notes(&esnsim::write(network, &options.output, format, &provenance, false)?);
    if let Some(own) = esnsim::own_preprocessing(&original, options.network.is_none())? {
        notes(&esnsim::write_preprocessing(&own, &options.output)?);
    }
    let costs = request.costs(&original, &compressed)?;
    if let Some(path) = &options.json {
        compressed.write_json(path, &costs)?;
    }
    notes(compressed.notes());
    print(&text(&compressed, &costs))
}

/// The images whose statistics the compressed network is to have, if it is to have any.
fn images(request: &CompressRequest, network: &Network, embedded: bool) -> anyhow::Result<Option<NetworkImages>> {
    let images = request.images(network, embedded)?;
    if images.is_none() && (request.reestimate.is_some() || request.allocate.is_some()) {
        let option = if request.reestimate.is_some() { "--reestimate-bn" } else { "--allocate" };
        bail!("{option} needs images: --calibrate PATH");
    }
    image_notes(images.iter().flat_map(|images| &images.notes));
    Ok(images)
}

fn text(compressed: &Compressed, costs: &CompressionCosts) -> String {
    let mut text = compressed.text(costs);
    if let Some(bits) = costs.baseline {
        text += &format!("real weights are costed at {bits} bits (--baseline), mid-rise, step from max|W|\n");
    }
    text
}
