//! One run as a document: what was run, on what, and every figure. `docs/output.md` documents the JSON.

use std::io::{self, Write};

use engine::{Entry, Event, IdleCause};
use esn::BitConvention;
use network::{Network, NotCosted};
use runner::{
    Check, Evaluation, Hardware, HardwareFile, HardwareRun, LayerCost, Merit, NetworkCost, PerImage, Quantization,
    RunRecord, SyntheticRecord, energy_by_entry, energy_unit,
};
use serde::Serialize;

use crate::gain_json::GainReport;
use crate::values::{convention_name, mean_bits, metric_value};

/// Layout version of the JSON: raised when a field changes its meaning or goes.
const SCHEMA: u32 = 2;

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    schema: u32,
    program: &'static str,
    version: &'static str,
    /// Left out where nobody asked for it: it takes the digests of all weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a RunRecord>,
    network: NetworkReport<'a>,
    quantization: QuantizationReport,
    hardware: Vec<&'a HardwareFile>,
    layers: Vec<LayerReport<'a>>,
    total: LayerReport<'a>,
    inference: Option<&'a Evaluation>,
    /// What the network gains over the first of several; left out of the first, and of a network alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    gains: Option<GainReport<'a>>,
}

/// The network of a run.
#[derive(Debug, Serialize)]
struct NetworkReport<'a> {
    file: String,
    /// How the weights were drawn that the file has no values of; none where they are those of the file.
    synthetic_weights: Option<SyntheticRecord>,
    layers: usize,
    notes: Vec<String>,
    not_costed: Vec<NotCostedReport<'a>>,
}

/// A node that the total leaves out.
#[derive(Debug, Serialize)]
struct NotCostedReport<'a> {
    node: &'a str,
    operator: &'a str,
    reason: &'a str,
    macs: Option<u128>,
}

/// How weights were put on the grid.
#[derive(Debug, Serialize)]
struct QuantizationReport {
    /// Width of weights quantized here; none where the file quantizes all.
    bits: Option<u32>,
    /// Whether the user named the width.
    requested: bool,
    /// Layers whose integers are taken from the file.
    layers_quantized_in_file: usize,
    bit_convention: &'static str,
}

/// Weights, MACs and ESN of a layer or a network, under their names in JSON.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EsnFigures {
    weights: u128,
    effective_weights: u128,
    macs: u128,
    effective_macs: u128,
    esn_a: f64,
    esn_d: u128,
    esn_a_macs: f64,
    esn_d_macs: u128,
    esn_d_filter: u128,
}

impl EsnFigures {
    /// Those of a layer, or of [`NetworkCost::total_row`].
    pub fn of(layer: &LayerCost) -> Self {
        let esn = &layer.esn;
        Self {
            weights: esn.weights,
            effective_weights: esn.nonzero,
            macs: esn.macs,
            effective_macs: layer.nonzero_macs,
            esn_a: esn.esn_a().to_f64(),
            esn_d: esn.esn_d,
            esn_a_macs: esn.esn_a_macs().to_f64(),
            esn_d_macs: esn.esn_d_macs,
            esn_d_filter: esn.esn_d_filter,
        }
    }
}

/// One layer, or the sum of all.
#[derive(Debug, Serialize)]
struct LayerReport<'a> {
    layer: &'a str,
    /// `layer` or `total`, as in the CSV.
    row: &'static str,
    /// Width of weights quantized here; none where the file quantizes them.
    bits: Option<u32>,
    op: &'a str,
    filters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    positions: Option<u64>,
    /// The earlier layer that has the same tensor of weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    weights_of: Option<&'a str>,
    nonzero: u128,
    #[serde(flatten)]
    figures: EsnFigures,
    esn_d_filter_weights: u128,
    mean_bits: Option<f64>,
    max_bits: u32,
    snr: Option<f64>,
    esn_a_from_snr: Option<f64>,
    esn_a_from_snr_macs: Option<f64>,
    runs: Vec<RunReport<'a>>,
}

/// One layer on one engine.
#[derive(Debug, Serialize)]
struct RunReport<'a> {
    hardware: &'a str,
    images: u64,
    cycles: PerImage,
    cycles_all_images: u128,
    utilization: f64,
    bound_by: Option<&'static str>,
    energy_count: PerImage,
    energy_count_all_images: u128,
    energy_unit: &'static str,
    energy_j: f64,
    compute_j: f64,
    conversion_j: f64,
    memory_j: f64,
    ledger: Vec<EntryReport>,
    idle: Vec<IdleReport>,
    metric: &'static str,
    esn: String,
    esn_energy_j: f64,
    ratio: Option<f64>,
    cycle_ratio: Option<f64>,
    latency_s: Option<f64>,
    energy_delay_js: Option<f64>,
    tops_per_w: Option<f64>,
    effective_tops_per_w: Option<f64>,
    weight_format: &'static str,
    weight_bits: u128,
    check: Check,
}

/// One kind of event that costs energy.
#[derive(Debug, Serialize)]
struct EntryReport {
    name: &'static str,
    group: &'static str,
    count: PerImage,
    count_all_images: u128,
    energy_per_count_j: f64,
    /// Of one image.
    energy_j: f64,
    /// Its share of `ratio`: what it adds to the ideal engine's 1, in units of the metric's energy.
    ratio: Option<f64>,
}

/// One cause of hardware standing idle.
#[derive(Debug, Serialize)]
struct IdleReport {
    cause: &'static str,
    count: PerImage,
    count_all_images: u128,
    /// Of all that was offered.
    share: f64,
}

impl<'a> Report<'a> {
    /// Puts a run together; without a record it has no `run`.
    pub fn new(
        network: &'a Network,
        quantization: Quantization,
        convention: BitConvention,
        hardware: &'a [Hardware],
        cost: &'a NetworkCost,
        inference: Option<&'a Evaluation>,
        run: Option<&'a RunRecord>,
    ) -> Self {
        let in_file = cost.layers.iter().filter(|layer| layer.quantized_to.is_none()).count();
        Self {
            schema: SCHEMA,
            program: "esnsim",
            version: env!("CARGO_PKG_VERSION"),
            run,
            network: NetworkReport {
                file: network.path().display().to_string(),
                synthetic_weights: network.synthetic().map(SyntheticRecord::from),
                layers: cost.layers.len(),
                notes: network.notes().iter().map(ToString::to_string).collect(),
                not_costed: network.not_costed().iter().map(|node| not_costed(network, node)).collect(),
            },
            quantization: QuantizationReport {
                bits: (in_file < cost.layers.len()).then(|| quantization.bits().get()),
                requested: quantization.is_requested(),
                layers_quantized_in_file: in_file,
                bit_convention: convention_name(convention),
            },
            hardware: hardware.iter().map(|h| &h.resolved).collect(),
            layers: cost.layers.iter().map(|layer| LayerReport::of_layer(hardware, layer)).collect(),
            total: LayerReport::of_total(hardware, cost),
            inference,
            gains: None,
        }
    }

    /// The same report with what the network gains over the first of several.
    pub fn with_gains(self, gains: Option<GainReport<'a>>) -> Self {
        Self { gains, ..self }
    }

    /// Writes the report as indented JSON.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_json(&self, writer: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *writer, self)?;
        writer.write_all(b"\n")
    }
}

/// Writes several runs as a list of reports.
///
/// # Errors
///
/// Those of the writer.
pub fn write_reports(writer: &mut dyn Write, reports: &[Report<'_>]) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *writer, reports)?;
    writer.write_all(b"\n")
}

fn not_costed<'a>(network: &Network, left_out: &'a NotCosted) -> NotCostedReport<'a> {
    let NotCosted { node, operator, reason } = left_out;
    NotCostedReport { node, operator, reason, macs: network.macs_not_costed(left_out) }
}

impl<'a> LayerReport<'a> {
    fn of_layer(hardware: &'a [Hardware], layer: &'a LayerCost) -> Self {
        let mut report = Self::new(&layer.name, layer, layer.esn_a_from_snr());
        report.op = layer.op;
        report.filters = layer.filters;
        report.positions = Some(layer.positions);
        report.weights_of = layer.weights_of.as_deref();
        report.esn_a_from_snr_macs = layer.esn_a_from_snr_macs();
        report.runs = runs(hardware, layer, &layer.runs);
        report
    }

    fn of_total(hardware: &'a [Hardware], cost: &'a NetworkCost) -> Self {
        let total = cost.total_row();
        let mut report = Self::new("TOTAL", &total, cost.esn_a_from_snr);
        report.row = "total";
        report.esn_a_from_snr_macs = cost.esn_a_from_snr_macs;
        report.filters = total.filters;
        report.runs = runs(hardware, &total, &cost.totals);
        report
    }

    fn new(name: &'a str, layer: &LayerCost, esn_a_from_snr: Option<f64>) -> Self {
        let esn = &layer.esn;
        Self {
            layer: name,
            row: "layer",
            bits: layer.quantized_to,
            op: "",
            filters: 0,
            positions: None,
            weights_of: None,
            nonzero: esn.nonzero,
            figures: EsnFigures::of(layer),
            esn_d_filter_weights: esn.esn_d_filter_weights,
            mean_bits: mean_bits(esn),
            max_bits: esn.max_bits,
            snr: layer.snr.and_then(|snr| snr.ratio()),
            esn_a_from_snr,
            esn_a_from_snr_macs: None,
            runs: Vec::new(),
        }
    }
}

fn runs<'a>(hardware: &'a [Hardware], layer: &LayerCost, runs: &[HardwareRun]) -> Vec<RunReport<'a>> {
    hardware.iter().zip(runs).map(|(hardware, run)| run_report(hardware, layer, run)).collect()
}

fn run_report<'a>(hardware: &'a Hardware, layer: &LayerCost, run: &HardwareRun) -> RunReport<'a> {
    let merit = Merit::new(hardware, layer, run);
    let [compute_j, conversion_j, memory_j] = merit.energy_by_group_j;
    RunReport {
        hardware: hardware.engine.name(),
        images: run.images,
        cycles: run.cycles(),
        cycles_all_images: run.cycles().sum,
        utilization: run.run.occupancy.utilization(),
        bound_by: run.bound_by(),
        energy_count: run.energy_count(),
        energy_count_all_images: run.energy_count().sum,
        energy_unit: energy_unit(hardware.normalized),
        energy_j: merit.energy_j,
        compute_j,
        conversion_j,
        memory_j,
        ledger: ledger(run, merit.esn_energy_j),
        idle: idle(run),
        metric: hardware.metric.name(),
        esn: metric_value(hardware.metric, run.check.expected),
        esn_energy_j: merit.esn_energy_j,
        ratio: merit.ratio,
        cycle_ratio: merit.cycle_ratio,
        latency_s: merit.latency_s,
        energy_delay_js: merit.energy_delay_js,
        tops_per_w: merit.tops_per_w,
        effective_tops_per_w: merit.effective_tops_per_w,
        weight_format: hardware.engine.weight_format().name(),
        weight_bits: run.weight_bits(),
        check: run.check,
    }
}

/// Every entry, and its part of the ratio to the metric's energy.
fn ledger(run: &HardwareRun, esn_energy_j: f64) -> Vec<EntryReport> {
    let entry = |(entry, (_, energy_j)): (&Entry, (Event, f64))| EntryReport {
        name: entry.event.name(),
        group: entry.event.group().name(),
        count: run.per_image(entry.count),
        count_all_images: entry.count,
        energy_per_count_j: entry.unit.0,
        energy_j,
        ratio: (esn_energy_j > 0.0).then(|| energy_j / esn_energy_j),
    };
    run.run.ledger.entries().iter().zip(energy_by_entry(run)).map(entry).collect()
}

fn idle(run: &HardwareRun) -> Vec<IdleReport> {
    let offered = run.run.occupancy.offered as f64;
    let share = |count: u128| if count == 0 { 0.0 } else { count as f64 / offered };
    let report = |(cause, count): (IdleCause, PerImage)| {
        let (cause, count_all_images, share) = (cause.name(), count.sum, share(count.sum));
        IdleReport { cause, count, count_all_images, share }
    };
    run.idle().map(report).collect()
}
