//! `esnsim compress`: prune, quantize, re-estimate statistics, and write the result: a standard ONNX file, or weights alone.

use std::path::Path;

use anyhow::{Context, bail};
use compress::{
    Allocation, Budget, FilterAmount, FindStepReport, Granularity, PruneOptions, PruneReport, Pruning, QuantizeOptions,
    QuantizeReport, ReestimateOptions, ReestimateReport, Scope, StepRule,
};
use formats::onnx::write::{WriteOptions, to_bytes};
use formats::weight_writer::WeightFormat;
use network::Network;
use report::write_file;
use runner::{CostPlan, NetworkCost, Quantization, cost};
use serde::Serialize;

use crate::args::{Clip, CompressOptions, GranularityWord, KernelsName, ReadingOptions, ScopeWord};
use crate::convert::{Format, weight_list};
use crate::format::{fraction, grouped, one_line, short, tail};
use crate::table::{render, table};
use crate::{find_step, input, print};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;

/// What was asked for and what came of it; also the JSON report.
#[derive(Serialize)]
struct Outcome {
    prune: Option<(PruneOptions, PruneReport)>,
    find_step: Option<FindStepReport>,
    quantize: Option<(QuantizeOptions, QuantizeReport)>,
    reestimate: Option<ReestimateReport>,
}

/// Runs the command. There is no check here, so it never returns `false`.
pub fn run(options: &CompressOptions) -> anyhow::Result<bool> {
    input::check_outputs(
        &[Some(options.output.as_path()), options.json.as_deref()],
        options.network.iter().chain(&options.calibrate),
    )?;
    let original = input::network(options.network.as_deref(), &reading(options))?;
    input::show_notes(&original);
    let format = output_format(options, &original)?;
    if options.reestimate_bn {
        input::check_graph(&original, "--reestimate-bn")?;
    }
    let (pruning, quantization) = (prune_options(options)?, quantize_options(options)?);
    if pruning.is_none() && quantization.is_none() && !options.reestimate_bn && !options.find_step {
        bail!("nothing to do: ask for --prune, --bits, a step rule, --find-step or --reestimate-bn");
    }
    let in_file = |error: compress::CompressError| anyhow::Error::new(error).context(place(&original));
    let mut network = original.clone();
    let mut outcome = Outcome { prune: None, find_step: None, quantize: None, reestimate: None };
    if let Some(pruning) = pruning {
        let (pruned, report) = compress::prune(&network, &pruning).map_err(in_file)?;
        network = pruned;
        outcome.prune = Some((pruning, report));
    }
    if options.find_step {
        let (found, report) = find_step::apply(&network, None)?;
        network = found;
        outcome.find_step = Some(report);
    }
    if let Some(quantization) = quantization {
        let (quantized, report) = compress::quantize(&network, &quantization).map_err(in_file)?;
        network = quantized;
        outcome.quantize = Some((quantization, report));
    }
    if options.reestimate_bn {
        let (reestimated, report) = reestimate(options, &network, &original)?;
        network = reestimated;
        outcome.reestimate = Some(report);
    }
    write(options, format, &network, &outcome)?;
    show(options, &original, &network, &outcome)?;
    Ok(true)
}

/// How files are read: what their integers stand for is theirs to say, `--grid` is what is made.
fn reading(options: &CompressOptions) -> ReadingOptions {
    let architecture = options.architecture.clone();
    ReadingOptions {
        input_shape: options.input_shape.clone(),
        grid: None,
        find_step: false,
        architecture,
        topology: None,
        tflite_kernels: KernelsName::Optimized,
    }
}

/// What is written, by the end of the name: ONNX unless it says otherwise.
fn output_format(options: &CompressOptions, network: &Network) -> anyhow::Result<Format> {
    const READ_ONLY: [&str; 6] = ["pt", "pth", "th", "bin", "npy", "tflite"];
    let output = options.output.display();
    let extension = options.output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if READ_ONLY.contains(&extension.as_str()) {
        bail!("{output}: unsupported: .{extension} is read, not written; .onnx, .safetensors and .npz are");
    }
    let format = Format::of_name(&options.output).unwrap_or(Format::Onnx);
    if format == Format::Onnx && !network.has_graph() {
        bail!(
            "{}: it holds weights without a graph, and ONNX needs one: --architecture names it; a name that ends in \
             .safetensors or .npz takes the weights alone",
            place(network)
        );
    }
    Ok(format)
}

fn place(network: &Network) -> String {
    network.path().display().to_string()
}

fn prune_options(options: &CompressOptions) -> anyhow::Result<Option<PruneOptions>> {
    if options.prune.is_empty() && options.prune_below.is_none() && !options.compact {
        return Ok(None);
    }
    Ok(Some(PruneOptions {
        prunings: options.prune.clone(),
        scope: match options.prune_scope {
            ScopeWord::Global => Scope::Global,
            ScopeWord::Layer => Scope::Layer,
        },
        below: options.prune_below,
        compact: options.compact,
        bits: options.bits.map(|bits| bits.get()),
    }))
}

/// One way of pruning as the command line writes it: `filters=0.5`, `width=0.5`, `weights=0.7`, `2:4`, or down to a budget:
/// `esn-a=…`, `esn-d=…`, `macs=…`, `parameters=…`.
pub fn pruning(text: &str) -> Result<Pruning, String> {
    let expected = || {
        format!("expected filters=F, width=F, weights=F, N:M, esn-a=X, esn-d=X, macs=X or parameters=X, not {text:?}")
    };
    if let Some((keep, of)) = text.split_once(':') {
        let count = |n: &str| n.parse().map_err(|_| expected());
        return Ok(Pruning::Pattern { keep: count(keep)?, of: count(of)? });
    }
    let (word, number) = text.split_once('=').ok_or_else(expected)?;
    let number: f64 = number.parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(expected)?;
    Ok(match word {
        "filters" => Pruning::Filters(FilterAmount::Fraction(number)),
        "width" => Pruning::Filters(FilterAmount::Width(number)),
        "weights" => Pruning::Weights(number),
        "esn-a" => Pruning::Filters(FilterAmount::Budget(Budget::EsnA(number))),
        "esn-d" => Pruning::Filters(FilterAmount::Budget(Budget::EsnD(number))),
        "macs" => Pruning::Filters(FilterAmount::Budget(Budget::Macs(number))),
        "parameters" => Pruning::Filters(FilterAmount::Budget(Budget::Parameters(number))),
        _ => return Err(expected()),
    })
}

fn quantize_options(options: &CompressOptions) -> anyhow::Result<Option<QuantizeOptions>> {
    let rule = step_rule(options)?;
    let allocation = match (options.average_bits, options.esn_d_filter_budget) {
        (Some(bits), None) => Some(Allocation::AverageBits(bits)),
        (None, Some(budget)) => Some(Allocation::EsnDFilter(budget)),
        _ => None,
    };
    let asked = options.bits.is_some() || rule.is_some() || allocation.is_some() || options.bias_correction;
    if !asked {
        return Ok(None);
    }
    let default = QuantizeOptions::default();
    let widest = if allocation.is_some() || targets_cost(&rule) { 16 } else { default.bits };
    Ok(Some(QuantizeOptions {
        bits: options.bits.map_or(widest, |bits| bits.get()),
        mid_rise: options.grid.grid() == esn::Grid::MidRise,
        granularity: match (options.granularity, allocation) {
            (Some(GranularityWord::Layer), _) | (None, None) => Granularity::Layer,
            (Some(GranularityWord::Filter), _) | (None, Some(_)) => Granularity::Filter,
        },
        step: rule.unwrap_or_default(),
        allocation,
        bias_correction: options.bias_correction,
        first_bits: options.first_bits.map(|bits| bits.get()),
        last_bits: options.last_bits.map(|bits| bits.get()),
    }))
}

/// Whether a rule asks for a cost, so that the width only bounds it.
fn targets_cost(rule: &Option<StepRule>) -> bool {
    matches!(rule, Some(StepRule::EsnA(_) | StepRule::EsnAProfile(_) | StepRule::Snr(_)))
}

fn step_rule(options: &CompressOptions) -> anyhow::Result<Option<StepRule>> {
    if let Some(snr) = options.target_snr {
        return Ok(Some(StepRule::Snr(snr)));
    }
    if let Some(esn_a) = options.target_esn_a {
        return Ok(Some(StepRule::EsnA(esn_a)));
    }
    if let Some(path) = &options.target_profile {
        return Ok(Some(StepRule::EsnAProfile(profile(options, path)?)));
    }
    Ok(options.clip.map(|clip| match clip {
        Clip::MaxAbs => StepRule::MaxAbs,
        Clip::Mse => StepRule::Mse,
        Clip::Laplace => StepRule::Laplace,
        Clip::Gauss => StepRule::Gauss,
    }))
}

/// ESN_a with c = 1 of every layer, out of a training trace in JSON or another network file.
fn profile(options: &CompressOptions, path: &Path) -> anyhow::Result<Vec<f64>> {
    if path.extension().is_some_and(|extension| extension == "json") {
        let original = input::network(options.network.as_deref(), &reading(options))?;
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        return compress::esn_a_trace(&text, &original, None).with_context(|| path.display().to_string());
    }
    let network = input::network(Some(path), &reading(options))?;
    let bits = options.bits.map_or(runner::DEFAULT_BITS, |bits| bits.get());
    compress::esn_a_profile(&network, bits).with_context(|| path.display().to_string())
}

fn metric(network: &Network, options: &CompressOptions) -> anyhow::Result<NetworkCost> {
    let quantization = Quantization::new(options.bits.filter(|_| !network.layers().iter().all(runner::is_quantized)));
    let convention = esn::BitConvention::NonzeroAtLeastOne;
    Ok(cost(&CostPlan { network, hardware: &[], quantization, convention })?)
}

fn reestimate(
    options: &CompressOptions,
    network: &Network,
    original: &Network,
) -> anyhow::Result<(Network, ReestimateReport)> {
    let Some(path) = &options.calibrate else {
        bail!("--reestimate-bn needs images: --calibrate PATH");
    };
    let images = input::calibration_images(original, path, options)?;
    let started = std::time::Instant::now();
    let result = compress::reestimate(network, original, images.as_ref(), &ReestimateOptions::default())
        .with_context(|| place(original))?;
    eprintln!("{} images in {:.2} s", result.1.images, started.elapsed().as_secs_f64());
    Ok(result)
}

fn write(options: &CompressOptions, format: Format, network: &Network, outcome: &Outcome) -> anyhow::Result<()> {
    let asked = serde_json::json!({
        "prune": outcome.prune.as_ref().map(|(options, _)| options),
        "find_step": options.find_step,
        "quantize": outcome.quantize.as_ref().map(|(options, _)| options),
        "reestimated_on_images": outcome.reestimate.as_ref().map(|report| report.images),
    });
    let provenance = vec![
        ("esnsim.version".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("esnsim.compress".to_string(), asked.to_string()),
    ];
    let say = |notes: &[String]| notes.iter().for_each(|note| eprintln!("note: {}", one_line(note)));
    let weights = match format {
        Format::Onnx => None,
        Format::Safetensors => Some(WeightFormat::Safetensors),
        Format::Npz => Some(WeightFormat::Npz),
    };
    if let Some(format) = weights {
        let (list, losses) = weight_list(network, format, provenance)?;
        say(&losses);
        write_file(&options.output, |writer| list.write(format, writer))?;
    } else {
        let written = to_bytes(network, &WriteOptions { provenance })?;
        say(&written.notes);
        write_file(&options.output, |writer| writer.write_all(&written.bytes))?;
    }
    if let Some(path) = &options.json {
        write_file(path, |writer| {
            serde_json::to_writer_pretty(&mut *writer, outcome)?;
            writer.write_all(b"\n")
        })?;
    }
    Ok(())
}

fn show(options: &CompressOptions, original: &Network, network: &Network, outcome: &Outcome) -> anyhow::Result<()> {
    let mut text = String::new();
    if let Some((_, report)) = &outcome.prune {
        text += &pruning_table(report);
        report.notes.iter().for_each(|note| eprintln!("note: {}", one_line(note)));
    }
    if let Some((_, report)) = &outcome.quantize {
        text += &quantization_table(report);
        report.notes.iter().for_each(|note| eprintln!("note: {}", one_line(note)));
    }
    if let Some(report) = &outcome.reestimate {
        text += &format!(
            "statistics of {} BatchNorms re-estimated, {} layers corrected, on {} images\n\n",
            report.batch_norms, report.corrected_layers, report.images
        );
        report.notes.iter().for_each(|note| eprintln!("note: {}", one_line(note)));
    }
    text += &totals(options, original, network)?;
    print(&text)
}

fn pruning_table(report: &PruneReport) -> String {
    let header =
        ["pruned", "filters", "by norm", "below", "dead before", "channels", "weights", "zero or gone", "fraction"];
    let mut table = table(&header, 1);
    for layer in &report.layers {
        let share = layer.weights_pruned as f64 / layer.weights as f64;
        table.add_row([
            tail(&layer.layer, NAME_WIDTH),
            layer.filters.to_string(),
            layer.filters_by_norm.to_string(),
            layer.filters_below.to_string(),
            layer.filters_dead_before.to_string(),
            layer.channels_by_input.to_string(),
            grouped(u128::from(layer.weights)),
            grouped(u128::from(layer.weights_pruned)),
            format!("{share:.3}"),
        ]);
    }
    format!("{}\n", render(&table))
}

fn quantization_table(report: &QuantizeReport) -> String {
    let mut table = table(&["quantized", "bits", "step", "S/N", "ESN_a", "target", "met"], 1);
    for layer in &report.layers {
        let (low, high) = layer.steps;
        table.add_row([
            tail(&layer.layer, NAME_WIDTH),
            format!("{:.2}", layer.bits),
            if low == high { format!("{low:.3e}") } else { format!("{low:.3e}…{high:.3e}") },
            layer.snr.map_or("–".to_string(), short),
            short(layer.esn_a),
            layer.target_esn_a.map_or("–".to_string(), short),
            layer.target_esn_a.map_or("–", |_| if layer.target_missed { "no" } else { "yes" }).to_string(),
        ]);
    }
    format!("{}\n", render(&table))
}

/// The network before and after. Real weights are costed at the width asked for, or the default.
fn totals(options: &CompressOptions, original: &Network, network: &Network) -> anyhow::Result<String> {
    let header = ["", "parameters", "nonzero", "MACs", "ESN_a·MACs", "ESN_d·MACs", "ESN'_d"];
    let mut table = table(&header, 1);
    let (before, after) = (metric(original, options)?, metric(network, options)?);
    for (name, cost) in [("before", &before), ("after", &after)] {
        let esn = &cost.esn;
        table.add_row([
            name.to_string(),
            grouped(esn.weights),
            grouped(esn.nonzero),
            grouped(esn.macs),
            esn.esn_a_macs().to_string(),
            grouped(esn.esn_d_macs),
            grouped(esn.esn_d_filter),
        ]);
    }
    let share = |after: u128, before: u128| fraction((before > 0).then(|| after as f64 / before as f64));
    let (a, b) = (&after.esn, &before.esn);
    table.add_row([
        "ratio".to_string(),
        share(a.weights, b.weights),
        share(a.nonzero, b.nonzero),
        share(a.macs, b.macs),
        share(a.esn_a_quarters_macs, b.esn_a_quarters_macs),
        share(a.esn_d_macs, b.esn_d_macs),
        share(a.esn_d_filter, b.esn_d_filter),
    ]);
    let real = network.layers().iter().any(|layer| !runner::is_quantized(layer));
    let bits = options.bits.map_or(runner::DEFAULT_BITS, |bits| bits.get());
    let note = if real || original.layers().iter().any(|layer| !runner::is_quantized(layer)) {
        format!("real weights are costed at {bits} bits, mid-rise, step from max|W|\n")
    } else {
        String::new()
    };
    Ok(format!("{}{note}", render(&table)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prunings_are_read() {
        assert_eq!(pruning("filters=0.5"), Ok(Pruning::Filters(FilterAmount::Fraction(0.5))));
        assert_eq!(pruning("2:4"), Ok(Pruning::Pattern { keep: 2, of: 4 }));
        assert_eq!(pruning("esn-d=3e7"), Ok(Pruning::Filters(FilterAmount::Budget(Budget::EsnD(3e7)))));
        for wrong in ["filters", "filters=x", "filters=nan", "depth=1", "2:x"] {
            assert!(pruning(wrong).is_err(), "{wrong}");
        }
    }
}
