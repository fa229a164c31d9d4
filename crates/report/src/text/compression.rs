//! A compression as text: what was pruned, how weights were quantized, and the costs before and after.

use compress::{Allotment, LayerQuantization, PruneReport, PruningOutcome, QuantizeReport};
use explore::pareto::{Cost, JOULES};
use runner::NetworkCost;

use super::number::{fraction, grouped, grouped_quarters, joules, short, tail, telling_width};
use super::table::{render, table};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;

/// What was pruned, one row a layer, and what was asked for, one row a pruning.
pub fn pruning_table(report: &PruneReport) -> String {
    let header =
        ["pruned", "filters", "by norm", "below", "dead before", "channels", "weights", "zero or gone", "fraction"];
    let mut table = table(&header, 1);
    let width = telling_width(report.layers.iter().map(|layer| layer.layer.as_str()), NAME_WIDTH);
    for layer in &report.layers {
        let share = layer.weights_pruned as f64 / layer.weights as f64;
        table.add_row([
            tail(&layer.layer, width),
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
    format!("{}\n{}", render(&table), outcome_table(&report.prunings))
}

/// What was asked for and what was done, one row a pruning; empty where nothing was asked for.
fn outcome_table(prunings: &[PruningOutcome]) -> String {
    if prunings.is_empty() {
        return String::new();
    }
    let mut table = table(&["asked for", "of", "asked", "done", "short because"], 1);
    for outcome in prunings {
        table.add_row([
            outcome.pruning.label(),
            format!("{} {}", grouped(u128::from(outcome.of)), outcome.unit.name()),
            outcome.asked.map_or("–".to_string(), |asked| grouped(u128::from(asked))),
            grouped(u128::from(outcome.done)),
            outcome.short_because.clone().unwrap_or("–".to_string()),
        ]);
    }
    format!("{}\n", render(&table))
}

/// What the step of a layer was chosen for: a signal-to-noise ratio or an ESN_a.
fn target(layer: &LayerQuantization) -> Option<String> {
    let snr = layer.target_snr.map(|snr| format!("S/N {}", short(snr)));
    snr.or(layer.target_esn_a.map(|esn_a| format!("ESN_a {}", short(esn_a))))
}

/// How a budget was shared out among layers, one row each: what the layer takes of it, and how far the network's outputs move
/// with this layer alone quantized.
pub fn allotment_table(cost: &Cost, budget: f64, chosen: &Allotment) -> String {
    let mut table = table(&["shared out", &cost.id(), "share", "error"], 1);
    let width = telling_width(chosen.layers.iter().map(|layer| layer.options.layer.as_str()), NAME_WIDTH);
    let told = |amount: f64| if cost.unit(&[]) == Some(JOULES) { joules(amount) } else { short(amount) };
    let mut row = |name: String, units: u128, error: f64| {
        let share = fraction(Some(cost.amount(units) / budget));
        table.add_row([name, told(cost.amount(units)), share, format!("{error:.4}")]);
    };
    for layer in &chosen.layers {
        row(tail(&layer.options.layer, width), layer.cost, layer.error);
    }
    row(format!("of {}", told(budget)), chosen.cost, chosen.error);
    format!("{}\n", render(&table))
}

/// How the weights were quantized, one row a layer.
pub fn quantization_table(report: &QuantizeReport) -> String {
    let mut table = table(&["quantized", "bits", "step", "S/N", "ESN_a", "target", "met"], 1);
    let width = telling_width(report.layers.iter().map(|layer| layer.layer.as_str()), NAME_WIDTH);
    for layer in &report.layers {
        let (low, high) = layer.steps;
        table.add_row([
            tail(&layer.layer, width),
            format!("{:.2}", layer.bits),
            if low == high { format!("{low:.3e}") } else { format!("{low:.3e}…{high:.3e}") },
            layer.snr.map_or("–".to_string(), short),
            short(layer.esn_a),
            target(layer).unwrap_or("–".to_string()),
            target(layer).map_or("–", |_| if layer.target_missed { "no" } else { "yes" }).to_string(),
        ]);
    }
    format!("{}\n", render(&table))
}

/// The costs of a network before and after compression, and their ratio. *Effective* are weights that are not pruned, and
/// their MACs.
pub fn totals_table(before: &NetworkCost, after: &NetworkCost) -> String {
    let header = ["", "weights", "eff. weights", "MACs", "eff. MACs", "ESN_a·MACs", "ESN_d·MACs", "ESN'_d"];
    let mut table = table(&header, 1);
    for (name, cost) in [("before", before), ("after", after)] {
        let esn = &cost.esn;
        table.add_row([
            name.to_string(),
            grouped(esn.weights),
            grouped(esn.nonzero),
            grouped(esn.macs),
            grouped(cost.total_row().nonzero_macs),
            grouped_quarters(esn.esn_a_macs()),
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
        share(after.total_row().nonzero_macs, before.total_row().nonzero_macs),
        share(a.esn_a_quarters_macs, b.esn_a_quarters_macs),
        share(a.esn_d_macs, b.esn_d_macs),
        share(a.esn_d_filter, b.esn_d_filter),
    ]);
    render(&table)
}
