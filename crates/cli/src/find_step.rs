//! `--find-step`: real weights that already lie on a grid, put on it.

use anyhow::{Context, bail};
use compress::{FindStepOptions, FindStepReport, FoundStep, Granularity, find_steps};
use network::Network;

use crate::args::CommonOptions;
use crate::format::{grouped, one_line, tail};
use crate::print;
use crate::table::{render, table};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;

/// Looks for the steps of all layers with real weights and shows what was found.
pub fn apply(network: &Network, grid: Option<esn::Grid>) -> anyhow::Result<(Network, FindStepReport)> {
    let options = FindStepOptions { grid };
    let (network, report) = find_steps(network, &options).with_context(|| network.path().display().to_string())?;
    if report.found().next().is_some() {
        print(&found_table(&report))?;
    }
    Ok((network, report))
}

/// Refuses a network some of whose weights are real although its steps were asked for and no width was: which layers a
/// figure counts as found and which as quantized here must be the user's choice.
pub fn check(network: &Network, common: &CommonOptions) -> anyhow::Result<()> {
    if !common.reading.find_step || common.bits.is_some() {
        return Ok(());
    }
    let place = network.path().display();
    let Some(layer) = network.layers().iter().find(|layer| !runner::is_quantized(layer)) else { return Ok(()) };
    let refusal = format!("layer {}: no step found", layer.name);
    let reason = network.notes().iter().find(|note| note.starts_with(&refusal)).unwrap_or(&refusal);
    bail!("{place}: {reason}; --bits N quantizes such layers")
}

fn found_table(report: &FindStepReport) -> String {
    let header = ["step found", "grid", "bits", "step", "W_int", "levels", "deviation", "log10 chance"];
    let mut table = table(&header, 2);
    for (layer, found) in report.found() {
        table.add_row(row(layer, found));
    }
    format!("{}\n", render(&table))
}

fn row(layer: &str, found: &FoundStep) -> [String; 8] {
    let [low, high] = found.steps;
    let [lowest, highest] = found.levels;
    let steps = match found.granularity {
        Granularity::Layer => format!("{low:.4e}"),
        Granularity::Filter => format!("{low:.2e}…{high:.2e} by filter"),
    };
    let point = found.zero_point.map_or(String::new(), |point| format!(", zero point {point}"));
    [
        tail(layer, NAME_WIDTH),
        format!("{}{point}", one_line(found.grid)),
        found.bits.to_string(),
        steps,
        format!("{lowest}…{highest}"),
        format!("{} of {}", grouped(found.levels_seen as u128), grouped(u128::from(found.levels_possible))),
        format!("{:.1e}", found.deviation),
        format!("{:.0}", found.log10_chance),
    ]
}
