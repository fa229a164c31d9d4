//! `esnsim esn`: the metric alone, of one network by layer or of several side by side.

use report::{mean_bits, write_esn_csv, write_file};
use runner::{CostPlan, LayerCost, NetworkCost, cost};

use crate::args::EsnOptions;
use crate::format::{fraction, grouped, short, tail};
use crate::simulate_text::{heading, left_out};
use crate::table::{render, table};
use crate::{find_step, input, print};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;
/// File names are cut to this many characters.
const FILE_WIDTH: usize = 44;

/// Runs the command. There is no check here, so it never returns `false`.
pub fn run(options: &EsnOptions) -> anyhow::Result<bool> {
    let inputs = options.networks.iter().chain(&options.common.reading.topology);
    input::check_outputs(&[options.common.csv.as_deref()], inputs)?;
    let files: Vec<Option<&std::path::Path>> = match options.networks.as_slice() {
        [] => vec![None],
        paths => paths.iter().map(|path| Some(path.as_path())).collect(),
    };
    let mut costs = Vec::with_capacity(files.len());
    for file in files {
        let network = input::network(file, &options.common.reading)?;
        find_step::check(&network, &options.common)?;
        let (quantization, convention) = (options.common.quantization(&network), options.common.convention());
        let cost = cost(&CostPlan { network: &network, hardware: &[], quantization, convention })?;
        input::show_notes(&network);
        costs.push(Costed {
            name: network.path().display().to_string(),
            heading: heading(&network, &cost, quantization),
            left_out: left_out(network.not_costed()),
            cost,
        });
    }
    match costs.as_slice() {
        [one] => print(&format!("{}\n{}", one.heading, by_layer(&one.cost, &one.left_out)))?,
        _ => print(&side_by_side(&costs))?,
    }
    if let Some(path) = &options.common.csv {
        let rows = costs.iter().map(|costed| (costed.name.as_str(), &costed.cost));
        write_file(path, |writer| write_esn_csv(writer, rows))?;
    }
    Ok(true)
}

/// One network and what is said of it.
struct Costed {
    name: String,
    heading: String,
    /// What its totals leave out.
    left_out: String,
    cost: NetworkCost,
}

fn by_layer(cost: &NetworkCost, left_out: &str) -> String {
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
    for layer in &cost.layers {
        table.add_row(row(layer, layer.esn_a_from_snr()));
    }
    table.add_row(row(&cost.total_row(), cost.esn_a_from_snr));
    format!("{}{left_out}\n{}", render(&table), legend(cost))
}

fn row(layer: &LayerCost, from_snr: Option<f64>) -> [String; 14] {
    let esn = &layer.esn;
    let esn_a = esn.esn_a().to_f64();
    let from_snr_ratio = from_snr.filter(|_| esn_a > 0.0).map(|x| x / esn_a);
    [
        tail(&layer.name, NAME_WIDTH),
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
        esn.esn_a(),
        esn.esn_a_macs(),
        grouped(esn.esn_d),
        grouped(esn.esn_d_macs),
        grouped(esn.esn_d_filter),
    )
}

fn side_by_side(costs: &[Costed]) -> String {
    let header = [
        "network",
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
    for Costed { name, cost, .. } in costs {
        let esn = &cost.esn;
        table.add_row([
            tail(name, FILE_WIDTH),
            grouped(esn.weights),
            grouped(esn.nonzero),
            grouped(esn.macs),
            esn.esn_a().to_string(),
            grouped(esn.esn_d),
            esn.esn_a_macs().to_string(),
            grouped(esn.esn_d_macs),
            grouped(esn.esn_d_filter),
            mean_bits(esn).map_or("–".to_string(), |bits| format!("{bits:.3}")),
        ]);
    }
    let left_out: Vec<String> = costs
        .iter()
        .filter(|costed| !costed.left_out.is_empty())
        .map(|costed| format!("{}: {}", tail(&costed.name, FILE_WIDTH), costed.left_out.trim_start_matches("TOTAL ")))
        .collect();
    render(&table) + &left_out.concat()
}
