//! The summary of a run: a table of totals, a row for each hardware, and one of layers, with a column for each hardware.

use std::ops::Range;

use runner::{Hardware, HardwareRun, LayerCost, Merit, NetworkCost};

use super::gain::times;
use super::number::{fraction, grouped, short, tail, telling_width};
use super::run::{energy, name_width, verdict, what, width_word};
use super::table::{render, table};
use crate::CostedNetwork;
use crate::values::metric_number;

/// Names of network files are cut to this many characters.
const NETWORK_WIDTH: usize = 28;

/// Columns of the table of totals.
const TOTALS: [&str; 12] = [
    "total",
    "cycles",
    "util",
    "bound by",
    "energy",
    "compute",
    "conversion",
    "memory",
    "metric",
    "",
    "ratio",
    "check",
];

/// Those that a narrow terminal goes without, in the order in which they go.
const DISPENSABLE: [&str; 5] = ["conversion", "compute", "memory", "bound by", "util"];

/// The totals of all hardware. Columns that do not fit are left out, the parts of the energy first.
pub(super) fn totals(hardware: &[Hardware], cost: &NetworkCost, width: usize) -> String {
    let row = cost.total_row();
    let rows: Vec<Vec<String>> = hardware.iter().zip(&cost.totals).map(|(h, run)| total_row(h, &row, run)).collect();
    fitted(&TOTALS, 1, &rows, &DISPENSABLE, width)
}

/// A table whose lines fit `width`, as far as leaving out dispensable columns, one after another, makes them.
fn fitted(columns: &[&str], text_columns: usize, rows: &[Vec<String>], dispensable: &[&str], width: usize) -> String {
    let without = |left_out: &[&str]| {
        let shown: Vec<usize> = (0..columns.len()).filter(|&column| !left_out.contains(&columns[column])).collect();
        let names: Vec<&str> = shown.iter().map(|&column| columns[column]).collect();
        let mut table = table(&names, text_columns);
        rows.iter().for_each(|row| {
            table.add_row(shown.iter().map(|&column| row[column].clone()));
        });
        render(&table)
    };
    let mut text = without(&[]);
    for left_out in 1..=dispensable.len() {
        if widest_line(&text) <= width {
            break;
        }
        text = without(&dispensable[..left_out]);
    }
    text
}

/// Columns of networks side by side; those behind `check` need images.
const SIDE_BY_SIDE: [&str; 17] = [
    "hardware",
    "network",
    "bits",
    "eff. weights",
    "eff. MACs",
    "cycles",
    "cycles gain",
    "energy",
    "energy gain",
    "compute",
    "conversion",
    "memory",
    "metric",
    "",
    "check",
    "top-1",
    "± s.e.",
];

/// Those that a narrow terminal goes without, in the order in which they go.
const DISPENSABLE_SIDE_BY_SIDE: [&str; 8] =
    ["conversion", "compute", "memory", "± s.e.", "eff. weights", "eff. MACs", "cycles", "energy"];

/// Several networks side by side, or one at several widths: for each hardware a row for each network. Cycles and energy stand
/// beside what the network gains in them over another one, whose place `over` tells for its own. Columns that do not fit `width`
/// are left out.
pub fn side_by_side(
    hardware: &[Hardware],
    networks: &[CostedNetwork<'_>],
    over: &dyn Fn(usize) -> Option<usize>,
    width: Option<usize>,
) -> String {
    let name_width = telling_width(networks.iter().map(|network| network.name), NETWORK_WIDTH);
    let of_hardware = |hardware: (usize, &Hardware)| {
        let row = |(i, network): (usize, &CostedNetwork<'_>)| {
            network_row(hardware, network, over(i).map(|before| &networks[before]), name_width)
        };
        networks.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = hardware.iter().enumerate().flat_map(of_hardware).collect();
    let with_images = networks.iter().any(|network| network.evaluation.is_some());
    let shown = SIDE_BY_SIDE.len() - if with_images { 0 } else { 2 };
    rows.iter_mut().for_each(|row| row.truncate(shown));
    fitted(&SIDE_BY_SIDE[..shown], 2, &rows, &DISPENSABLE_SIDE_BY_SIDE, width.unwrap_or(usize::MAX))
}

fn network_row(
    (h, hardware): (usize, &Hardware),
    network: &CostedNetwork<'_>,
    before: Option<&CostedNetwork<'_>>,
    name_width: usize,
) -> Vec<String> {
    let (run, row) = (&network.cost.totals[h], network.cost.total_row());
    let [compute, conversion, memory] = parts(hardware, &row, run);
    let gain = |cost: &dyn Fn(&HardwareRun) -> f64| {
        let costs = before.map(|before| (cost(&before.cost.totals[h]), cost(run)));
        times(costs.filter(|(before, after)| *before > 0.0 && *after > 0.0).map(|(before, after)| before / after))
    };
    let score = network.evaluation.and_then(|evaluation| evaluation.engine_of(h)).map(|engine| &engine.score);
    vec![
        hardware.engine.name().to_string(),
        tail(network.name, name_width),
        width_word(network.cost),
        grouped(row.esn.nonzero),
        short(row.nonzero_macs as f64),
        short(run.cycles().to_f64()),
        gain(&|run| run.cycles().to_f64()),
        energy(hardware, run.energy_j()),
        gain(&|run| run.energy_j()),
        compute,
        conversion,
        memory,
        hardware.metric.name().to_string(),
        short(metric_number(hardware.metric, run.check.expected)),
        verdict(run.check.verdict).to_string(),
        fraction(score.and_then(|score| score.top1_accuracy())),
        fraction(score.and_then(|score| score.top1_standard_error())),
    ]
}

/// The energy of compute, conversion and memory; a dash where there is none.
fn parts(hardware: &Hardware, row: &LayerCost, run: &HardwareRun) -> [String; 3] {
    let part = |of_part: f64| if of_part > 0.0 { energy(hardware, of_part) } else { "–".to_string() };
    Merit::new(hardware, row, run).energy_by_group_j.map(part)
}

fn total_row(hardware: &Hardware, row: &LayerCost, run: &HardwareRun) -> Vec<String> {
    let merit = Merit::new(hardware, row, run);
    let [compute, conversion, memory] = parts(hardware, row, run);
    vec![
        hardware.engine.name().to_string(),
        short(run.cycles().to_f64()),
        format!("{:.3}", run.run.occupancy.utilization()),
        run.bound_by().unwrap_or("–").to_string(),
        energy(hardware, merit.energy_j),
        compute,
        conversion,
        memory,
        hardware.metric.name().to_string(),
        short(metric_number(hardware.metric, run.check.expected)),
        fraction(merit.ratio),
        verdict(run.check.verdict).to_string(),
    ]
}

/// The energy of every layer on every hardware; several tables where they do not fit one.
pub(super) fn energies(hardware: &[Hardware], cost: &NetworkCost, width: usize) -> String {
    let mut text = String::new();
    let mut first = 0;
    while first < hardware.len() {
        let all = (first + 1..=hardware.len()).rev();
        let tables = all.map(|end| (end, energy_table(hardware, cost, first..end)));
        // One hardware is shown in any case.
        let fits = |(end, table): &(usize, String)| *end == first + 1 || widest_line(table) <= width;
        let Some((end, table)) = tables.into_iter().find(fits) else { break };
        let gap = if first > 0 { "\n" } else { "" };
        text += &format!("{gap}{table}");
        first = end;
    }
    text
}

/// One table of energies. The first of them says what the layers are, too.
fn energy_table(hardware: &[Hardware], cost: &NetworkCost, shown: Range<usize>) -> String {
    let header = ["layer", "op", "MACs", "density", "bits"];
    let of_layers = if shown.start == 0 { header.len() } else { 1 };
    let names = shown.clone().map(|h| hardware[h].engine.name());
    let mut table = table(&header[..of_layers].iter().copied().chain(names).collect::<Vec<_>>(), of_layers.min(2));
    let width = name_width(cost);
    for layer in cost.layers.iter().chain([&cost.total_row()]) {
        let energies = shown.clone().map(|h| energy(&hardware[h], layer.runs[h].energy_j()));
        table.add_row(what(layer, width).into_iter().take(of_layers).chain(energies));
    }
    render(&table)
}

/// Characters of the widest line.
fn widest_line(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use esn::BitConvention;
    use runner::{CostPlan, Quantization, cost, embedded_network};
    use testkit::check_all;

    use super::*;

    #[test]
    fn networks_side_by_side_have_the_parts_of_energy_that_one_has() {
        let network = embedded_network().expect("it comes along");
        let hardware: Vec<Hardware> = Hardware::presets().into_iter().filter(|h| !h.needs_images()).collect();
        let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
        let plan = CostPlan { network: &network, hardware: &hardware, quantization, convention };
        let cost = cost(&plan).expect("it can be costed");
        let alone = totals(&hardware, &cost, usize::MAX);
        let networks = ["a", "b"].map(|name| CostedNetwork { name, cost: &cost, evaluation: None });
        let beside = side_by_side(&hardware, &networks, &|_| Some(0), None);
        let row = cost.total_row();
        for (hardware, run) in hardware.iter().zip(&cost.totals) {
            let parts = parts(hardware, &row, run);
            let name = format!("{} ", hardware.engine.name());
            let lines: Vec<&str> = alone.lines().chain(beside.lines()).filter(|line| line.starts_with(&name)).collect();
            assert_eq!(lines.len(), 1 + networks.len(), "{beside}");
            assert!(lines.iter().all(|line| parts.iter().all(|part| line.contains(part))), "{parts:?}: {lines:?}");
        }
        let header = beside.lines().next().expect("a header");
        assert!(["compute", "conversion", "memory"].iter().all(|part| header.contains(part)), "{header}");
    }

    #[test]
    fn tables_fit_the_lines_of_a_terminal() {
        let network = embedded_network().expect("it comes along");
        let mut hardware = Hardware::ideal();
        hardware.extend(Hardware::presets().into_iter().filter(|hardware| !hardware.needs_images()));
        let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
        let plan = CostPlan { network: &network, hardware: &hardware, quantization, convention };
        let cost = cost(&plan).expect("it can be costed");
        check_all([80, 100, 160, usize::MAX], |&width| {
            let (totals, layers) = (totals(&hardware, &cost, width), energies(&hardware, &cost, width));
            assert!(widest_line(&totals) <= width && widest_line(&layers) <= width, "{width}:\n{totals}\n{layers}");
            for hardware in &hardware {
                let name = hardware.engine.name();
                assert!(totals.contains(name) && layers.contains(name), "{width}: {name}");
            }
        });
        let whole = energies(&hardware, &cost, usize::MAX);
        assert_eq!(whole.lines().count(), 1 + 10 + 1, "one table: a header, ten layers and their sum");
    }
}
