//! A network as text: overview, MAC layers, nodes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use network::{Graph, LayerId, MacLayer, Network, Value, WindowAxis};
use runner::WeightStatistics;

use super::number::{grouped, one_line, tail, telling_width};
use super::table::{render, table};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;

/// The network in a few lines: its size, inputs, outputs, and the operators of its file.
pub fn network_overview(network: &Network, layers: &[Option<WeightStatistics>]) -> String {
    let graph = network.graph();
    let macs: u128 = network.layers().iter().map(|layer| layer.geometry.macs()).sum();
    let (weights, of_macs) = match effective(network, layers) {
        Some([weights, macs]) => {
            (format!(" ({} effective)", grouped(weights)), format!(" ({} effective)", grouped(macs)))
        }
        None => (" (without values)".to_string(), String::new()),
    };
    let mut text = format!(
        "{}\n  {} MAC layers, {} weights{weights}, {} MACs an image{of_macs}, batch {}\n",
        one_line(&network.path().display().to_string()),
        network.layers().len(),
        grouped(network.parameter_count()),
        grouped(macs),
        network.batch()
    );
    for (what, ids) in [("input", graph.inputs()), ("output", graph.outputs())] {
        for &id in ids {
            let _ = writeln!(text, "  {what} {}", value_line(graph.value(id)));
        }
    }
    let in_file: usize = network.file_operators().iter().map(|(_, count)| count).sum();
    match in_file {
        0 => {
            text +=
                &format!("  no operators in the file; {} nodes of the graph: {}\n\n", graph.nodes().len(), nodes(graph))
        }
        _ => {
            let operators = network.file_operators().iter().map(|(op, n)| format!("{n} {}", one_line(op)));
            let operators = operators.collect::<Vec<_>>().join(", ");
            text += &format!("  {in_file} operators in the file: {operators}\n\n");
        }
    }
    text
}

/// Weights that are not 0, and their MACs; none where the file lacks values of some.
fn effective(network: &Network, layers: &[Option<WeightStatistics>]) -> Option<[u128; 2]> {
    let mut sums = [0; 2];
    for (id, (layer, statistics)) in network.layers().iter().zip(layers).enumerate() {
        let statistics = statistics.as_ref()?;
        let weights = u128::from(statistics.weights - statistics.zeros);
        if network.shares_weights_with(LayerId(id)).is_none() {
            sums[0] += weights;
        }
        sums[1] += weights * u128::from(layer.geometry.positions());
    }
    Some(sums)
}

/// How many nodes there are of each operator.
fn nodes(graph: &Graph) -> String {
    let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
    graph.nodes().iter().for_each(|node| *operators.entry(&node.op_type).or_default() += 1);
    operators.iter().map(|(op, n)| format!("{n} {}", one_line(op))).collect::<Vec<_>>().join(", ")
}

fn value_line(value: &Value) -> String {
    let shape = value.shape.as_ref().map_or("unknown shape".to_string(), |shape| format!("{shape:?}"));
    let data_type = value.data_type.map_or("?".to_string(), |t| format!("{t:?}").to_lowercase());
    format!("{} {data_type} {shape}", one_line(&value.name))
}

/// Every MAC layer: its geometry and what its weights look like.
pub fn layer_table(network: &Network, layers: &[Option<WeightStatistics>]) -> String {
    let header = [
        "layer", "op", "input", "kernel", "stride", "pads", "dil", "groups", "output", "weights", "MACs", "zeros",
        "min", "max", "mean", "std",
    ];
    let mut table = table(&header, 2);
    let width = telling_width(network.layers().iter().map(|layer| layer.name.as_str()), NAME_WIDTH);
    for (layer, statistics) in network.layers().iter().zip(layers) {
        table.add_row(row(layer, statistics.as_ref(), width));
    }
    render(&table)
}

fn row(layer: &MacLayer, statistics: Option<&WeightStatistics>, name_width: usize) -> [String; 16] {
    let spec = layer.geometry.spec();
    let window = layer.window();
    // A depth is shown where there is one.
    let axes = if window[0] == WindowAxis::ONE { &window[1..] } else { &window };
    let all = |of: fn(&WindowAxis) -> usize, between: &str| {
        axes.iter().map(|axis| of(axis).to_string()).collect::<Vec<_>>().join(between)
    };
    let pads = [all(|axis| axis.pads[0], ","), all(|axis| axis.pads[1], ",")].join(",");
    let number = |of: fn(&WeightStatistics) -> f64| statistics.map_or("–".to_string(), |s| format!("{:.4}", of(s)));
    let quantized = if layer.weights.quantization.is_some() { " (int)" } else { "" };
    [
        tail(&layer.name, name_width),
        format!("{}{quantized}", layer.op.name()),
        format!("{}×{}", layer.in_channels(), all(|axis| axis.size, "×")),
        all(|axis| axis.kernel, "×"),
        all(|axis| axis.stride, "×"),
        pads,
        all(|axis| axis.dilation, "×"),
        spec.groups.to_string(),
        format!("{}×{}", layer.out_channels(), all(|axis| axis.out, "×")),
        grouped(spec.filters as u128 * layer.geometry.rows() as u128),
        grouped(layer.geometry.macs()),
        statistics.map_or("–".to_string(), |statistics| grouped(u128::from(statistics.zeros))),
        number(|statistics| statistics.min),
        number(|statistics| statistics.max),
        number(|statistics| statistics.mean),
        number(|statistics| statistics.std),
    ]
}

/// Every node of the graph, in order of execution.
pub fn node_list(graph: &Graph) -> String {
    let mut text = format!(
        "\nthe graph that is run, whose nodes may be others than the operators of the file: {}\n{} nodes, in order of \
         execution\n",
        nodes(graph),
        graph.nodes().len()
    );
    for node in graph.nodes() {
        let outputs: Vec<String> = node.outputs.iter().map(|&id| value_line(graph.value(id))).collect();
        let _ = writeln!(text, "  {} {} -> {}", one_line(&node.op_type), one_line(&node.name), outputs.join(", "));
    }
    text
}
