//! Steps that were found, as text.

use compress::{FindStepReport, FoundStep, Granularity};

use super::number::{grouped, one_line, tail, telling_width};
use super::table::{render, table};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;

/// The steps that were found in fake-quantized weights, one row a layer.
pub fn found_steps(report: &FindStepReport) -> String {
    let header = ["step found", "grid", "bits", "step", "W_int", "levels", "deviation", "log10 chance"];
    let mut table = table(&header, 2);
    let width = telling_width(report.found().map(|(layer, _)| layer), NAME_WIDTH);
    for (layer, found) in report.found() {
        table.add_row(row(layer, found, width));
    }
    format!("{}\n", render(&table))
}

fn row(layer: &str, found: &FoundStep, name_width: usize) -> [String; 8] {
    let [low, high] = found.steps;
    let [lowest, highest] = found.levels;
    let steps = match found.granularity {
        Granularity::Layer => format!("{low:.4e}"),
        Granularity::Filter => format!("{low:.2e}…{high:.2e} by filter"),
    };
    let point = found.zero_point.map_or(String::new(), |point| format!(", zero point {point}"));
    [
        tail(layer, name_width),
        format!("{}{point}", one_line(found.grid)),
        found.bits.to_string(),
        steps,
        format!("{lowest}…{highest}"),
        format!("{} of {}", grouped(found.levels_seen as u128), grouped(u128::from(found.levels_possible))),
        format!("{:.1e}", found.deviation),
        format!("{:.0}", found.log10_chance),
    ]
}
