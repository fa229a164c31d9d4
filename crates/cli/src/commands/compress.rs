//! `esnsim compress`: prune, quantize, re-estimate statistics, and write the result: a standard ONNX file, or weights alone.

use std::time::Instant;

use anyhow::bail;
use compress::{Allocation, PruneOptions, StepRule};
use esnsim::{CompressOptions as Plan, Compressed, ImageRequest, Need, NetworkImages, OpenOptions, QuantizeRequest};
use formats::ReadOptions;
use inference::Samples;
use network::Network;
use report::text::{found_steps, pruning_table, quantization_table, totals_table};
use runner::{DEFAULT_BITS, NetworkCost, Quantization, is_quantized};

use crate::Status;
use crate::args::CompressOptions;
use crate::terminal::{image_notes, notes, print};

/// Runs the command.
pub fn run(options: &CompressOptions) -> anyhow::Result<Status> {
    esnsim::check_outputs(
        &[Some(options.output.as_path()), options.json.as_deref()],
        options.network.iter().chain(&options.calibrate),
    )?;
    let open = OpenOptions { read: reading(options), find_steps: false };
    let original = esnsim::open(options.network.as_deref(), &open)?.network;
    notes(original.notes());
    let format = esnsim::write_format(&options.output, &original)?;
    let images = calibration_images(options, &original)?;
    let plan = Plan {
        prune: prune_options(options),
        find_steps: options.find_step,
        quantize: quantize_request(options, &original)?.options(),
        reestimate: images.as_ref().map(|images| &images.samples as &dyn Samples),
    };
    let started = Instant::now();
    let compressed = esnsim::compress(&original, plan)?;
    if let Some(report) = &compressed.reestimate {
        eprintln!("{} images in {:.2} s", report.images, started.elapsed().as_secs_f64());
    }
    if let Some(steps) = compressed.find_step.as_ref().filter(|steps| steps.found().next().is_some()) {
        print(&found_steps(steps))?;
    }
    let (network, provenance) = (&compressed.network, compressed.provenance());
    notes(&esnsim::write(network, &options.output, format, &provenance, false)?);
    if let Some(path) = &options.json {
        compressed.write_json(path)?;
    }
    notes(compressed.notes());
    print(&text(options, &original, &compressed)?)?;
    Ok(Status::Done)
}

/// How files are read: what their integers stand for is theirs to say, `--grid` is what is made.
fn reading(options: &CompressOptions) -> ReadOptions {
    ReadOptions {
        input_shapes: options.input_shape.clone(),
        architecture: options.architecture,
        ..ReadOptions::default()
    }
}

/// The images whose statistics the compressed network is to have, if it is to have any.
fn calibration_images(options: &CompressOptions, network: &Network) -> anyhow::Result<Option<NetworkImages>> {
    if !options.reestimate_bn {
        return Ok(None);
    }
    esnsim::check_graph(network, Need::Reestimation)?;
    if options.calibrate.is_none() {
        bail!("--reestimate-bn needs images: --calibrate PATH");
    }
    let request = ImageRequest {
        path: options.calibrate.clone(),
        limit: Some(options.calibrate_limit),
        preprocessing: options.preprocessing.given()?,
        label_offset: Some(0),
    };
    let images = esnsim::images(network, false, &request)?;
    image_notes(images.iter().flat_map(|images| &images.notes));
    Ok(images)
}

fn prune_options(options: &CompressOptions) -> Option<PruneOptions> {
    if options.prune.is_empty() && options.prune_below.is_none() && !options.compact {
        return None;
    }
    Some(PruneOptions {
        prunings: options.prune.clone(),
        scope: options.prune_scope,
        below: options.prune_below,
        compact: options.compact,
        bits: options.bits.map(|bits| bits.get()),
    })
}

fn quantize_request(options: &CompressOptions, network: &Network) -> anyhow::Result<QuantizeRequest> {
    Ok(QuantizeRequest {
        bits: options.bits,
        grid: options.grid,
        granularity: options.granularity,
        step: step_rule(options, network)?,
        allocation: match (options.average_bits, options.esn_d_filter_budget) {
            (Some(bits), None) => Some(Allocation::AverageBits(bits)),
            (None, Some(budget)) => Some(Allocation::EsnDFilter(budget)),
            _ => None,
        },
        bias_correction: options.bias_correction,
        first_bits: options.first_bits,
        last_bits: options.last_bits,
    })
}

fn step_rule(options: &CompressOptions, network: &Network) -> anyhow::Result<Option<StepRule>> {
    if let Some(snr) = options.target_snr {
        return Ok(Some(StepRule::Snr(snr)));
    }
    if let Some(esn_a) = options.target_esn_a {
        return Ok(Some(StepRule::EsnA(esn_a)));
    }
    if let Some(path) = &options.target_profile {
        let profile = esnsim::target_profile(path, network, &reading(options), options.bits)?;
        return Ok(Some(StepRule::EsnAProfile(profile)));
    }
    Ok(options.clip.clone())
}

fn text(options: &CompressOptions, original: &Network, compressed: &Compressed) -> anyhow::Result<String> {
    let mut text = String::new();
    if let Some((_, report)) = &compressed.prune {
        text += &pruning_table(report);
    }
    if let Some((_, report)) = &compressed.quantize {
        text += &quantization_table(report);
    }
    if let Some(report) = &compressed.reestimate {
        text += &format!(
            "statistics of {} BatchNorms re-estimated, {} layers corrected, on {} images\n\n",
            report.batch_norms, report.corrected_layers, report.images
        );
    }
    text += &totals_table(&metric(options, original)?, &metric(options, &compressed.network)?);
    let mut layers = original.layers().iter().chain(compressed.network.layers());
    if layers.any(|layer| !is_quantized(layer)) {
        let bits = options.bits.map_or(DEFAULT_BITS, |bits| bits.get());
        text += &format!("real weights are costed at {bits} bits, mid-rise, step from max|W|\n");
    }
    Ok(text)
}

/// What a network costs. Real weights are costed at the width asked for, or the default.
fn metric(options: &CompressOptions, network: &Network) -> anyhow::Result<NetworkCost> {
    let quantization = Quantization::new(options.bits.filter(|_| !network.layers().iter().all(is_quantized)));
    Ok(esnsim::esn(network, quantization, esn::BitConvention::NonzeroAtLeastOne)?)
}
