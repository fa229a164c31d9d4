//! The metric as text: one network by layer, or several side by side.

use runner::{LayerCost, NetworkCost};

use super::number::{fraction, grouped, grouped_quarters, short, tail, telling_width};
use super::run::width_word;
use super::table::{render, table};
use crate::mean_bits;

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;
/// File names are cut to this many characters.
const FILE_WIDTH: usize = 44;

/// One network by layer: every metric, and the sum. `left_out` is what [`left_out`](super::left_out) says.
pub fn esn_by_layer(cost: &NetworkCost, left_out: &str) -> String {
    let header = [
        "layer",
        "op",
        "weights",
        "density",
        "mean bits",
        "max bits",
        "MACs",
        "ESN_a",
        "ESN_d",
        "ESN_a·MACs",
        "ESN_d·MACs",
        "ESN'_d",
        "S/N",
        "(4)/(2)",
    ];
    let mut table = table(&header, 2);
    let width = telling_width(cost.layers.iter().map(|layer| layer.name.as_str()), NAME_WIDTH);
    for layer in &cost.layers {
        table.add_row(row(layer, layer.esn_a_from_snr(), width));
    }
    table.add_row(row(&cost.total_row(), cost.esn_a_from_snr, width));
    format!("{}{left_out}\n{}", render(&table), legend(cost))
}

fn row(layer: &LayerCost, from_snr: Option<f64>, name_width: usize) -> [String; 14] {
    let esn = &layer.esn;
    let esn_a = esn.esn_a().to_f64();
    let from_snr_ratio = from_snr.filter(|_| esn_a > 0.0).map(|x| x / esn_a);
    [
        tail(&layer.name, name_width),
        layer.op.to_string(),
        grouped(esn.weights),
        format!("{:.3}", esn.nonzero as f64 / esn.weights as f64),
        mean_bits(esn).map_or("–".to_string(), |bits| format!("{bits:.2}")),
        esn.max_bits.to_string(),
        short(esn.macs as f64),
        short(esn_a),
        short(esn.esn_d as f64),
        short(esn.esn_a_macs().to_f64()),
        short(esn.esn_d_macs as f64),
        short(esn.esn_d_filter as f64),
        layer.snr.and_then(|snr| snr.ratio()).map_or("–".to_string(), short),
        fraction(from_snr_ratio),
    ]
}

fn legend(cost: &NetworkCost) -> String {
    let esn = &cost.esn;
    format!(
        "TOTAL  ESN_a {} (c = 1), {} (c = MACs); ESN_d {} bits (c = 1), {} (c = MACs); ESN'_d {}\n\
         c = 1 counts every weight once, c = MACs once for each output position; (4)/(2) is ESN_a estimated from the\n\
         signal-to-noise ratio over the exact ESN_a\n",
        grouped_quarters(esn.esn_a()),
        grouped_quarters(esn.esn_a_macs()),
        grouped(esn.esn_d),
        grouped(esn.esn_d_macs),
        grouped(esn.esn_d_filter),
    )
}

/// Several networks side by side, or one at several widths, one row each: its name, its width, its costs, and what its totals leave out.
pub fn esn_side_by_side(networks: &[(&str, &NetworkCost, &str)]) -> String {
    let header = [
        "network",
        "bits",
        "parameters",
        "nonzero",
        "MACs",
        "ESN_a",
        "ESN_d",
        "ESN_a·MACs",
        "ESN_d·MACs",
        "ESN'_d",
        "mean bits",
    ];
    let mut table = table(&header, 1);
    let width = telling_width(networks.iter().map(|(name, ..)| *name), FILE_WIDTH);
    for (name, cost, _) in networks {
        let esn = &cost.esn;
        table.add_row([
            tail(name, width),
            width_word(cost),
            grouped(esn.weights),
            grouped(esn.nonzero),
            grouped(esn.macs),
            grouped_quarters(esn.esn_a()),
            grouped(esn.esn_d),
            grouped_quarters(esn.esn_a_macs()),
            grouped(esn.esn_d_macs),
            grouped(esn.esn_d_filter),
            mean_bits(esn).map_or("–".to_string(), |bits| format!("{bits:.3}")),
        ]);
    }
    let mut left_out: Vec<String> = networks
        .iter()
        .filter(|(_, _, left_out)| !left_out.is_empty())
        .map(|(name, _, left_out)| format!("{}: {}", tail(name, width), left_out.trim_start_matches("TOTAL ")))
        .collect();
    // A network has a row for each width.
    left_out.dedup();
    render(&table) + &left_out.concat()
}
