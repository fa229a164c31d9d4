//! Tables of layers as CSV: the cost of a run, the metric alone, and what a network is made of.
//!
//! Integers are written in full, and real numbers in the shortest form that reads back exactly. `docs/output.md`
//! documents every column.

use std::io::{self, Write};

use network::{LayerId, MacLayer, Network};
use runner::{
    Evaluation, Hardware, HardwareRun, LayerCost, Merit, NetworkCost, WeightStatistics, energy_by_entry, energy_unit,
};

use crate::values::{mean_bits, metric_value};

/// Columns of the CSV of `simulate`.
pub const SIMULATE_COLUMNS: [&str; 44] = [
    "layer",
    "op",
    "hardware",
    "filters",
    "weights",
    "nonzero",
    "macs",
    "cycles",
    "utilization",
    "energy_count",
    "energy_j",
    "esn",
    "esn_energy_j",
    "ratio",
    "metric",
    "check",
    "positions",
    "mean_bits",
    "sqnr_db",
    "images",
    "energy_by_entry",
    "idle_by_cause",
    "cycle_ratio",
    "latency_s",
    "energy_delay_js",
    "tops_per_w",
    "effective_tops_per_w",
    "weight_format",
    "weight_bits",
    "effective_weights",
    "effective_macs",
    "energy_unit",
    "compute_j",
    "conversion_j",
    "memory_j",
    "bound_by",
    "clipped",
    "cycles_all_images",
    "energy_count_all_images",
    "idle_by_cause_all_images",
    "network",
    "row",
    "weights_of",
    "bits",
];

/// Columns of the CSV of `esn`.
pub const ESN_COLUMNS: [&str; 24] = [
    "layer",
    "op",
    "weights",
    "nonzero",
    "macs",
    "esn_a",
    "esn_d",
    "esn_a_macs",
    "esn_d_macs",
    "esn_d_filter",
    "snr",
    "esn_a_from_snr",
    "max_bits",
    "filters",
    "positions",
    "mean_bits",
    "esn_d_filter_weights",
    "esn_a_from_snr_macs",
    "network",
    "effective_weights",
    "effective_macs",
    "row",
    "weights_of",
    "bits",
];

/// What one network costs on hardware, and how it did on images.
#[derive(Clone, Copy, Debug)]
pub struct CostedNetwork<'a> {
    /// Its file.
    pub name: &'a str,
    /// What it costs.
    pub cost: &'a NetworkCost,
    /// How it did, where images have run.
    pub evaluation: Option<&'a Evaluation>,
}

/// Writes one row per layer and hardware, and a row `TOTAL` per hardware, for each network.
///
/// # Errors
///
/// Those of the writer.
pub fn write_simulate<'a>(
    writer: &mut dyn Write,
    hardware: &[Hardware],
    networks: impl IntoIterator<Item = CostedNetwork<'a>>,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(SIMULATE_COLUMNS)?;
    for network in networks {
        write_network(&mut csv, hardware, network)?;
    }
    csv.flush()
}

fn write_network(
    csv: &mut csv::Writer<&mut dyn Write>,
    hardware: &[Hardware],
    CostedNetwork { name, cost, evaluation }: CostedNetwork<'_>,
) -> io::Result<()> {
    for (h, hardware) in hardware.iter().enumerate() {
        let engine = evaluation.and_then(|e| e.engine_of(h));
        for (l, layer) in cost.layers.iter().enumerate() {
            let of_layer = |all: &[Option<f64>]| all.get(l).copied().flatten();
            let sqnr_db = engine.and_then(|engine| of_layer(&engine.sqnr_db));
            let clipped = engine.and_then(|engine| of_layer(&engine.clipped));
            csv.write_record(simulate_row(hardware, layer, &layer.runs[h], (sqnr_db, clipped), name))?;
        }
        csv.write_record(simulate_row(hardware, &cost.total_row(), &cost.totals[h], (None, None), name))?;
    }
    Ok(())
}

/// `measured` is what inference found of the layer: its signal-to-noise ratio and the part of its conversions that
/// clipped.
fn simulate_row(
    hardware: &Hardware,
    layer: &LayerCost,
    run: &HardwareRun,
    (sqnr_db, clipped): (Option<f64>, Option<f64>),
    network: &str,
) -> [String; 44] {
    let merit = Merit::new(hardware, layer, run);
    let [compute_j, conversion_j, memory_j] = merit.energy_by_group_j;
    [
        layer.name.clone(),
        layer.op.to_string(),
        hardware.engine.name().to_string(),
        layer.filters.to_string(),
        layer.esn.weights.to_string(),
        layer.esn.nonzero.to_string(),
        layer.esn.macs.to_string(),
        run.cycles().to_string(),
        real(run.run.occupancy.utilization()),
        run.energy_count().to_string(),
        real(merit.energy_j),
        metric_value(hardware.metric, run.check.expected),
        real(merit.esn_energy_j),
        optional(merit.ratio),
        hardware.metric.name().to_string(),
        run.check.verdict.name().to_string(),
        if layer.positions == 0 { String::new() } else { layer.positions.to_string() },
        optional(mean_bits(&layer.esn)),
        optional(sqnr_db),
        run.images.to_string(),
        pairs(energy_by_entry(run).into_iter().map(|(event, energy)| (event.name(), real(energy)))),
        pairs(run.idle().map(|(cause, count)| (cause.name(), count.to_string()))),
        optional(merit.cycle_ratio),
        optional(merit.latency_s),
        optional(merit.energy_delay_js),
        optional(merit.tops_per_w),
        optional(merit.effective_tops_per_w),
        hardware.engine.weight_format().to_string(),
        run.weight_bits().to_string(),
        layer.esn.nonzero.to_string(),
        layer.nonzero_macs.to_string(),
        energy_unit(hardware.normalized).to_string(),
        real(compute_j),
        real(conversion_j),
        real(memory_j),
        run.bound_by().unwrap_or_default().to_string(),
        optional(clipped),
        run.cycles().sum.to_string(),
        run.energy_count().sum.to_string(),
        pairs(run.idle().map(|(cause, count)| (cause.name(), count.sum.to_string()))),
        network.to_string(),
        row(layer).to_string(),
        layer.weights_of.clone().unwrap_or_default(),
        layer.quantized_to.map(|bits| bits.to_string()).unwrap_or_default(),
    ]
}

/// Whether a row is that of a layer or of their sum, which alone has no number of positions: a layer may be named `TOTAL`.
fn row(layer: &LayerCost) -> &'static str {
    if layer.positions == 0 { "total" } else { "layer" }
}

/// `name=value;name=value`.
fn pairs(pairs: impl Iterator<Item = (&'static str, String)>) -> String {
    pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";")
}

/// Writes one row per layer and a row `TOTAL`, for each network.
///
/// # Errors
///
/// Those of the writer.
pub fn write_esn<'a>(
    writer: &mut dyn Write,
    networks: impl IntoIterator<Item = (&'a str, &'a NetworkCost)>,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(ESN_COLUMNS)?;
    for (network, cost) in networks {
        for layer in &cost.layers {
            csv.write_record(esn_row(network, layer, layer.esn_a_from_snr(), layer.esn_a_from_snr_macs()))?;
        }
        let total = cost.total_row();
        csv.write_record(esn_row(network, &total, cost.esn_a_from_snr, cost.esn_a_from_snr_macs))?;
    }
    csv.flush()
}

fn esn_row(network: &str, layer: &LayerCost, from_snr: Option<f64>, from_snr_macs: Option<f64>) -> [String; 24] {
    let esn = &layer.esn;
    [
        layer.name.clone(),
        layer.op.to_string(),
        esn.weights.to_string(),
        esn.nonzero.to_string(),
        esn.macs.to_string(),
        esn.esn_a().to_string(),
        esn.esn_d.to_string(),
        esn.esn_a_macs().to_string(),
        esn.esn_d_macs.to_string(),
        esn.esn_d_filter.to_string(),
        optional(layer.snr.and_then(|snr| snr.ratio())),
        optional(from_snr),
        esn.max_bits.to_string(),
        layer.filters.to_string(),
        if layer.positions == 0 { String::new() } else { layer.positions.to_string() },
        optional(mean_bits(esn)),
        esn.esn_d_filter_weights.to_string(),
        optional(from_snr_macs),
        network.to_string(),
        esn.nonzero.to_string(),
        layer.nonzero_macs.to_string(),
        row(layer).to_string(),
        layer.weights_of.clone().unwrap_or_default(),
        layer.quantized_to.map(|bits| bits.to_string()).unwrap_or_default(),
    ]
}

/// A number in the shortest form that reads back as the same `f64`.
pub(crate) fn real(value: f64) -> String {
    format!("{value:?}")
}

pub(crate) fn optional(value: Option<f64>) -> String {
    value.filter(|v| v.is_finite()).map(real).unwrap_or_default()
}

/// Columns of the CSV of `inspect`.
pub const INSPECT_COLUMNS: [&str; 35] = [
    "layer",
    "op",
    "weights",
    "macs",
    "positions",
    "in_channels",
    "in_height",
    "in_width",
    "filters",
    "out_height",
    "out_width",
    "kernel_height",
    "kernel_width",
    "stride_height",
    "stride_width",
    "pad_top",
    "pad_left",
    "pad_bottom",
    "pad_right",
    "groups",
    "zeros",
    "dead_filters",
    "min",
    "max",
    "mean",
    "std",
    "effective_weights",
    "effective_macs",
    "weights_of",
    "in_depth",
    "out_depth",
    "kernel_depth",
    "stride_depth",
    "pad_front",
    "pad_back",
];

/// Writes one row per MAC layer: geometry and weight statistics, which are empty where the file has no values.
///
/// # Errors
///
/// Those of the writer.
pub fn write_inspect_csv(
    writer: &mut dyn Write,
    network: &Network,
    layers: &[Option<WeightStatistics>],
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(INSPECT_COLUMNS)?;
    for (id, (layer, statistics)) in network.layers().iter().zip(layers).enumerate() {
        let spec = layer.geometry.spec();
        let [depth, height, width] = layer.window();
        let mut sizes = vec![layer.in_channels(), height.size, width.size, layer.out_channels(), height.out, width.out];
        sizes.extend([height.kernel, width.kernel, height.stride, width.stride]);
        sizes.extend([height.pads[0], width.pads[0], height.pads[1], width.pads[1], spec.groups]);
        let weights = spec.filters as u128 * layer.geometry.rows() as u128;
        let mut row = vec![layer.name.clone(), layer.op.name().to_string(), weights.to_string()];
        row.push(layer.geometry.macs().to_string());
        row.push(layer.geometry.positions().to_string());
        row.extend(sizes.iter().map(usize::to_string));
        match statistics {
            Some(statistics) => row.extend(statistics_cells(layer, statistics)),
            None => row.extend(std::iter::repeat_n(String::new(), 8)),
        }
        let of = network.shares_weights_with(LayerId(id)).map(|first| network.layers()[first.0].name.clone());
        row.push(of.unwrap_or_default());
        let along_depth = [depth.size, depth.out, depth.kernel, depth.stride, depth.pads[0], depth.pads[1]];
        row.extend(along_depth.map(|number| number.to_string()));
        csv.write_record(row)?;
    }
    csv.flush()
}

/// The cells from `zeros` to `effective_macs`.
fn statistics_cells(layer: &MacLayer, statistics: &WeightStatistics) -> Vec<String> {
    let effective = u128::from(statistics.weights - statistics.zeros);
    let mut cells = vec![statistics.zeros.to_string(), statistics.dead_filters.to_string()];
    cells.extend([statistics.min, statistics.max, statistics.mean, statistics.std].map(real));
    cells.extend([effective, effective * u128::from(layer.geometry.positions())].map(|count| count.to_string()));
    cells
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use esn::BitConvention;
    use runner::{CostPlan, Quantization, cost, embedded_network};
    use testkit::check_all;

    use super::*;

    #[test]
    fn the_total_of_an_ideal_array_has_the_figures_of_the_metric() {
        let (network, hardware) = (embedded_network().expect("it comes along"), Hardware::ideal());
        let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
        let plan = CostPlan { network: &network, hardware: &hardware, quantization, convention };
        let mut table = Vec::new();
        let cost = cost(&plan).expect("it can be costed");
        let network = CostedNetwork { name: "digits", cost: &cost, evaluation: None };
        write_simulate(&mut table, &hardware, [network]).expect("memory takes it");
        let mut reader = csv::Reader::from_reader(table.as_slice());
        let rows = reader.deserialize().collect::<Result<Vec<HashMap<String, String>>, _>>().expect("a table");
        let total = rows.iter().find(|row| row["layer"] == "TOTAL" && row["hardware"] == "ideal-digital");
        let total = total.expect("there is a total");
        let cases = [
            ("weights", "77072"),
            ("macs", "763520"),
            ("cycles", "1535714"),
            ("energy_count", "1535714"),
            ("esn", "1535714"),
            ("metric", "ESN_d"),
            ("check", "pass"),
            ("ratio", "1.0"),
            ("cycle_ratio", "1.0"),
            ("utilization", "1.0"),
            ("images", "1"),
            ("positions", ""),
            ("sqnr_db", ""),
            ("latency_s", ""),
        ];
        check_all(cases, |&(column, expected)| assert_eq!(total[column], expected, "{column}"));
    }
}
