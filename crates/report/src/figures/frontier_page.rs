//! The page of a store: accuracy against any cost, point by point.

use std::io::{self, Write};
use std::path::Path;

use explore::pareto::{Accuracy, Cost, CostValue, Fraction, hardware_names, judge};
use explore::store::PointRow;
use explore::sweep::Method;
use serde::Serialize;

use super::{nearest_at_or_below, page};

const SCRIPT: &str = include_str!("page_files/frontier.js");
const METHODS: [Method; 3] = [Method::QuantizeOnly, Method::PruneOnly, Method::PruneThenQuantize];

/// What the script gets. Points refer to costs, accuracies, networks and methods by index.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    title: String,
    lines: Vec<String>,
    costs: Vec<String>,
    accuracies: Vec<String>,
    networks: Vec<String>,
    methods: Vec<&'static str>,
    /// What is shown first.
    cost: usize,
    accuracy: usize,
    /// Costs that the table shows beside the chosen one.
    table_costs: Vec<usize>,
    points: Vec<PointData>,
    floats: Vec<FloatData>,
    /// Points whose histograms are shown first.
    pins: Vec<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PointData {
    network: usize,
    method: usize,
    label: String,
    /// To draw with.
    costs: Vec<Option<f64>>,
    /// To read.
    exact: Vec<Option<String>>,
    /// To compare: equal ranks are equal costs.
    cost_ranks: Vec<Option<usize>>,
    accuracies: Vec<Option<f64>>,
    accuracy_texts: Vec<Option<String>>,
    /// Standard errors.
    accuracy_errors: Vec<Option<f64>>,
    accuracy_ranks: Vec<Option<usize>>,
    bits: Vec<u64>,
    facts: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct FloatData {
    network: usize,
    accuracies: Vec<Option<f64>>,
}

/// Writes the page of a store; `source` is what it calls the store. Shown first: `cost` and `accuracy`, and the
/// histograms of the points of [`nearest_at_or_below`].
///
/// # Errors
///
/// Those of the writer.
pub fn write_frontier_page(
    writer: &mut dyn Write,
    source: &str,
    rows: &[PointRow],
    cost: &Cost,
    accuracy: &Accuracy,
    histogram_at: Option<f64>,
) -> io::Result<()> {
    let data = data(source, rows, cost, accuracy, histogram_at);
    page::write_page(writer, &data.title, &data, SCRIPT)
}

fn data(source: &str, rows: &[PointRow], cost: &Cost, accuracy: &Accuracy, histogram_at: Option<f64>) -> Data {
    let done: Vec<&PointRow> = rows.iter().filter(|row| row.error.is_none() && row.costs.is_some()).collect();
    let costs = costs(rows, cost);
    let accuracies = accuracies(&done, accuracy);
    let mut networks: Vec<String> = Vec::new();
    for row in &done {
        if !networks.contains(&row.network) {
            networks.push(row.network.clone());
        }
    }
    let chosen = nearest_at_or_below(&judge(rows, cost, accuracy), histogram_at);
    let pins = chosen.iter().filter_map(|point| done.iter().position(|row| row.key == point.row.key)).collect();
    let beside = [Cost::EsnA, Cost::EsnD, Cost::EsnDFilter, Cost::Macs];
    Data {
        title: "Accuracy against cost".to_string(),
        lines: lines(source, rows, &done),
        cost: costs.iter().position(|c| c == cost).unwrap_or(0),
        accuracy: accuracies.iter().position(|a| a == accuracy).unwrap_or(0),
        table_costs: beside.iter().filter_map(|cost| costs.iter().position(|c| c == cost)).collect(),
        points: points(&done, &costs, &accuracies, &networks),
        floats: floats(&done, &accuracies, &networks),
        methods: METHODS.map(Method::name).to_vec(),
        costs: costs.iter().map(|cost| cost.label(rows)).collect(),
        accuracies: accuracies.iter().map(Accuracy::label).collect(),
        networks: short_names(&networks),
        pins,
    }
}

/// The files' names without folders and ends, if these tell the networks apart.
fn short_names(networks: &[String]) -> Vec<String> {
    let stem = |name: &String| Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stems: Vec<String> = networks.iter().map(stem).collect();
    let mut different = stems.clone();
    different.sort();
    different.dedup();
    if different.len() == networks.len() { stems } else { networks.to_vec() }
}

fn lines(source: &str, rows: &[PointRow], done: &[&PointRow]) -> Vec<String> {
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    let images = done.iter().filter_map(|row| row.accuracy.as_ref()).map(|a| a.images).max();
    let mut line = format!("{source}: {} points", done.len());
    if failed > 0 {
        line += &format!(", {failed} failed");
    }
    if let Some(images) = images {
        line += &format!("; accuracy on {} images", page::grouped(images.into()));
    }
    vec![line, "ESN counts every weight once for each output position of one image.".to_string()]
}

/// Every cost that a point may have; the one asked for among them.
fn costs(rows: &[PointRow], asked: &Cost) -> Vec<Cost> {
    let mut costs: Vec<Cost> = Cost::plain().collect();
    for name in hardware_names(rows) {
        costs.extend([Cost::Cycles(name.clone()), Cost::Energy(name)]);
    }
    if !costs.contains(asked) {
        costs.push(asked.clone());
    }
    costs
}

/// Every accuracy that some point has; the one asked for among them.
fn accuracies(done: &[&PointRow], asked: &Accuracy) -> Vec<Accuracy> {
    let mut all = vec![Accuracy::Top1, Accuracy::Top5, Accuracy::Agreement];
    let hardware = done.iter().filter_map(|row| row.costs.as_ref()).flat_map(|costs| &costs.hardware);
    for hardware in hardware.filter(|hardware| hardware.metric == "ESN_a" && hardware.score.is_some()) {
        let accuracy = Accuracy::Hardware(hardware.name.clone());
        if !all.contains(&accuracy) {
            all.push(accuracy);
        }
    }
    all.retain(|accuracy| accuracy == asked || done.iter().any(|row| accuracy.of(row).is_some()));
    if !all.contains(asked) {
        all.push(asked.clone());
    }
    all
}

fn points(done: &[&PointRow], costs: &[Cost], accuracies: &[Accuracy], networks: &[String]) -> Vec<PointData> {
    let cost_ranks: Vec<Vec<Option<usize>>> =
        costs.iter().map(|cost| ranks(&done.iter().map(|row| cost.of(row)).collect::<Vec<_>>())).collect();
    let accuracy_ranks: Vec<Vec<Option<usize>>> =
        accuracies.iter().map(|a| ranks(&done.iter().map(|row| a.of(row)).collect::<Vec<_>>())).collect();
    let column = |ranks: &[Vec<Option<usize>>], i: usize| ranks.iter().map(|ranks| ranks[i]).collect();
    let point = |(i, row): (usize, &&PointRow)| PointData {
        network: networks.iter().position(|name| *name == row.network).unwrap_or(0),
        method: METHODS.iter().position(|m| *m == row.configuration.method()).unwrap_or(0),
        label: row.configuration.label(),
        costs: costs.iter().map(|cost| cost.of(row).map(CostValue::to_f64)).collect(),
        exact: costs.iter().map(|cost| cost.of(row).map(CostValue::exact)).collect(),
        cost_ranks: column(&cost_ranks, i),
        accuracies: accuracies.iter().map(|a| a.of(row).map(Fraction::to_f64)).collect(),
        accuracy_texts: accuracies.iter().map(|a| a.of(row).map(fraction_text)).collect(),
        accuracy_errors: accuracies.iter().map(|a| a.of(row).map(Fraction::standard_error)).collect(),
        accuracy_ranks: column(&accuracy_ranks, i),
        bits: row.costs.as_ref().map_or(Vec::new(), |costs| costs.filter_bits.clone()),
        facts: facts(row),
        notes: row.notes.clone(),
    };
    done.iter().enumerate().map(point).collect()
}

/// Place of each value among the different values, from the smallest on.
fn ranks<T: Ord + Copy>(values: &[Option<T>]) -> Vec<Option<usize>> {
    let mut different: Vec<T> = values.iter().flatten().copied().collect();
    different.sort_unstable();
    different.dedup();
    values.iter().map(|value| value.and_then(|value| different.binary_search(&value).ok())).collect()
}

fn fraction_text(fraction: Fraction) -> String {
    let [accuracy, error] = [fraction.to_f64(), fraction.standard_error()].map(|x| 100.0 * x);
    format!("{accuracy:.2} ± {error:.2} % ({} of {})", fraction.count, fraction.of)
}

fn facts(row: &PointRow) -> Vec<(&'static str, String)> {
    let Some(costs) = &row.costs else { return Vec::new() };
    vec![
        ("weights", costs.weights.to_string()),
        ("live filters", costs.live_filters.to_string()),
        ("filters", costs.filters.to_string()),
        ("widest weight, bits", costs.max_bits.to_string()),
    ]
}

/// The float network's accuracy, a network.
fn floats(done: &[&PointRow], accuracies: &[Accuracy], networks: &[String]) -> Vec<FloatData> {
    let of = |(network, name): (usize, &String)| {
        let row = done.iter().find(|row| row.network == *name && row.accuracy.is_some())?;
        let accuracies = accuracies.iter().map(|a| a.of_float(row).map(Fraction::to_f64)).collect();
        Some(FloatData { network, accuracies })
    };
    networks.iter().enumerate().filter_map(of).collect()
}
