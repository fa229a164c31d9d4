//! The page of one run: every layer on every hardware, bit widths, the check, accuracy.

use std::io::{self, Write};

use engine::Event;
use esn::{BitHistogram, Quarters};
use network::Network;
use runner::{
    Evaluation, Hardware, LayerCost, LayerDetail, Merit, Metric, NetworkCost, RunRecord, Score, Verdict,
    energy_by_entry,
};
use serde::Serialize;

use super::page::{self, grouped};
use crate::text::{activations, energy, grouped_quarters, seconds, synthetic_line, synthetic_mark};

const SCRIPT: &str = include_str!("page_files/run.js");

/// Everything that the page of a run shows.
#[derive(Clone, Copy)]
pub struct RunFigures<'a> {
    /// The network.
    pub network: &'a Network,
    /// How its weights came to be integers, in one line.
    pub quantization: &'a str,
    /// The hardware.
    pub hardware: &'a [Hardware],
    /// What it counted.
    pub cost: &'a NetworkCost,
    /// Bit widths of every layer.
    pub details: &'a [LayerDetail],
    /// How it did on images.
    pub evaluation: Option<&'a Evaluation>,
    /// What it takes to run again.
    pub record: &'a RunRecord,
}

#[derive(Serialize)]
struct Data {
    title: String,
    lines: Vec<String>,
    hardware: Vec<HardwareData>,
    layers: Vec<LayerData>,
    /// Those of all tensors.
    bits: BitsData,
    checks: Vec<CheckData>,
    /// One row a hardware.
    merits: Vec<MeritData>,
    accuracy: Option<AccuracyData>,
    /// What it takes to run again: what a line is, and the line.
    record: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct MeritData {
    /// Name, what bounds it, energy of compute, conversion and memory, ratio, cycle ratio, latency, TOPS/W, the same without
    /// pruned MACs, weights in bits.
    cells: [String; 11],
    /// Every entry of the ledger.
    entries: String,
}

#[derive(Serialize)]
struct HardwareData {
    name: String,
    unit: &'static str,
}

/// Lists go by hardware, bits from 0 on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerData {
    name: String,
    text: String,
    energy: Vec<f64>,
    cycles: Vec<f64>,
    checks: Vec<&'static str>,
    bits: BitsData,
}

/// How many weights and filters have each width.
#[derive(Serialize)]
struct BitsData {
    weights: Vec<u64>,
    filters: Vec<u64>,
}

impl From<BitHistogram> for BitsData {
    fn from(bits: BitHistogram) -> Self {
        Self { weights: bits.weights.to_vec(), filters: bits.filters.to_vec() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckData {
    hardware: String,
    metric: &'static str,
    expected: String,
    counted: String,
    expected_cycles: String,
    cycles: String,
    energy: f64,
    unit: &'static str,
    verdict: &'static str,
    /// Class of the cell.
    kind: &'static str,
}

#[derive(Serialize)]
struct AccuracyData {
    images: usize,
    /// Name, activations, top-1, its standard error, top-5, agreement with the network in float, and with the reference.
    rows: Vec<[String; 7]>,
}

/// Writes the page of one run.
///
/// # Errors
///
/// Those of the writer.
pub fn write_run_page(writer: &mut dyn Write, figures: &RunFigures<'_>) -> io::Result<()> {
    let data = data(figures);
    page::write_page(writer, &data.title, &data, SCRIPT)
}

fn data(figures: &RunFigures<'_>) -> Data {
    let RunFigures { network, hardware, cost, details, .. } = *figures;
    let file = network.path().file_name().unwrap_or(network.path().as_os_str());
    let esn = &cost.esn;
    let layers = cost.layers.len();
    let counts = format!(
        "{layers} MAC layers, {} weights ({} nonzero), {} MACs an image",
        grouped(esn.weights),
        grouped(esn.nonzero),
        grouped(esn.macs)
    );
    Data {
        title: format!("{}{}: costs, layer by layer", file.to_string_lossy(), synthetic_mark(network)),
        lines: [synthetic_line(network).map(str::to_string), Some(counts), Some(figures.quantization.to_string())]
            .into_iter()
            .flatten()
            .collect(),
        hardware: hardware.iter().map(|h| HardwareData { name: h.engine.name().to_string(), unit: unit(h) }).collect(),
        layers: cost.layers.iter().zip(details).map(|(layer, detail)| layer_data(hardware, layer, detail)).collect(),
        bits: details.iter().copied().sum::<LayerDetail>().bits.into(),
        checks: hardware.iter().zip(&cost.totals).map(|(h, total)| check_data(h, total)).collect(),
        merits: hardware.iter().zip(&cost.totals).map(|(h, total)| merit_data(h, &cost.total_row(), total)).collect(),
        accuracy: figures.evaluation.map(|evaluation| accuracy_data(network, evaluation)),
        record: figures.record.lines(),
    }
}

fn layer_data(hardware: &[Hardware], layer: &LayerCost, detail: &LayerDetail) -> LayerData {
    let esn = &layer.esn;
    LayerData {
        name: layer.name.clone(),
        text: format!(
            "{}, {} filters, {} of {} weights, {} MACs",
            layer.op, layer.filters, esn.nonzero, esn.weights, esn.macs
        ),
        energy: layer.runs.iter().zip(hardware).map(|(run, h)| in_unit(h, run.energy_j())).collect(),
        cycles: layer.runs.iter().map(|run| run.cycles().to_f64()).collect(),
        checks: layer.runs.iter().map(|run| verdict(run.check.verdict).0).collect(),
        bits: detail.bits.into(),
    }
}

fn check_data(hardware: &Hardware, total: &runner::HardwareRun) -> CheckData {
    let check = &total.check;
    let (words, kind) = verdict(check.verdict);
    CheckData {
        hardware: hardware.engine.name().to_string(),
        metric: hardware.metric.name(),
        expected: match hardware.metric {
            Metric::EsnA => format!("4 · {}", grouped_quarters(Quarters(check.expected))),
            Metric::EsnD | Metric::EsnDFilter => grouped(check.expected),
        },
        counted: check.counted.map_or("–".to_string(), |count| count.to_string()),
        expected_cycles: check.expected_cycles.to_string(),
        cycles: total.cycles().to_string(),
        energy: in_unit(hardware, total.energy_j()),
        unit: unit(hardware),
        verdict: words,
        kind,
    }
}

/// The unit of energies: joules, or that of a MAC where they are normalized.
fn unit(hardware: &Hardware) -> &'static str {
    if hardware.normalized { "u" } else { "J" }
}

/// An energy in that unit.
fn in_unit(hardware: &Hardware, energy_j: f64) -> f64 {
    if hardware.normalized { energy_j / hardware.unit.0 } else { energy_j }
}

fn merit_data(hardware: &Hardware, row: &LayerCost, total: &runner::HardwareRun) -> MeritData {
    let merit = Merit::new(hardware, row, total);
    let none = || "–".to_string();
    let number = |x: Option<f64>| x.map_or_else(none, |x| format!("{x:.4}"));
    let [compute, conversion, memory] =
        merit.energy_by_group_j.map(|part| if part > 0.0 { energy(hardware, part) } else { none() });
    let entry = |(event, of_event): (Event, f64)| format!("{event} {}", energy(hardware, of_event));
    MeritData {
        cells: [
            hardware.engine.name().to_string(),
            total.bound_by().map_or_else(none, str::to_string),
            compute,
            conversion,
            memory,
            number(merit.ratio),
            number(merit.cycle_ratio),
            merit.latency_s.map_or_else(none, seconds),
            number(merit.tops_per_w),
            number(merit.effective_tops_per_w),
            format!("{} ({})", grouped(total.weight_bits()), hardware.engine.weight_format()),
        ],
        entries: energy_by_entry(total).into_iter().map(entry).collect::<Vec<_>>().join(", "),
    }
}

/// Words, and the class of the cell they stand in.
fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("PASS", "pass"),
        Verdict::Gap => ("PASS but for the gap", "pass"),
        Verdict::Fail => ("FAIL", "fail"),
        Verdict::NotIdeal => ("not ideal", ""),
    }
}

fn accuracy_data(network: &Network, evaluation: &Evaluation) -> AccuracyData {
    let text = |x: Option<f64>| x.map_or("–".to_string(), |x| format!("{:.2} %", 100.0 * x));
    let share = |equal: Option<u64>| text(equal.map(|equal| equal as f64 / evaluation.images as f64));
    let row = |name: String, activations: &str, score: &Score, agreements: [Option<u64>; 2]| {
        let [with_float, with_reference] = agreements.map(share);
        let (top1, error) = (text(score.top1_accuracy()), text(score.top1_standard_error()));
        [name, activations.to_string(), top1, error, text(score.top5_accuracy()), with_float, with_reference]
    };
    let mut rows = Vec::new();
    if let Some(reference) = &evaluation.reference {
        rows.push(row(format!("{} in float (reference)", reference.file), "float32", &reference.score, [None; 2]));
    }
    if let Some(float) = &evaluation.float {
        let agreement = evaluation.reference.as_ref().and_then(|reference| reference.agreement);
        rows.push(row(format!("{} in float", network.path().display()), "float32", float, [None, agreement]));
    }
    for engine in &evaluation.engines {
        let agreements = [engine.agreement, engine.reference_agreement];
        rows.push(row(engine.hardware.join(", "), &activations(evaluation, engine), &engine.score, agreements));
    }
    AccuracyData { images: evaluation.images, rows }
}
