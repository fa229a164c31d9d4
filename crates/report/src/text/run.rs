//! One run as text: costs, the check against ESN, accuracy, and what the stepped machines found.

use engine::{EnergyGroup, Event};
use esn::Quarters;
use network::Network;
use runner::{
    Hardware, HardwareRun, LayerCost, Merit, Metric, NetworkCost, Quantization, SteppedLayer, Verdict, energy_by_entry,
};

use super::number::{
    factor, fraction, grouped, grouped_quarters, joules, one_line, seconds, short, tail, telling_width, with_unit,
};
use super::summary::{energies, totals};
use super::table::{render, table};
use crate::values::{mean_bits, metric_number};

/// Layer names are cut to this many characters.
const NAME_WIDTH: usize = 32;

/// Names that a line lists; of further ones it only says that there are some.
const NAMED: usize = 4;

/// How the costs of a run are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A table of totals, a row for each hardware; then a table of layers, with a column of energy for each hardware. Where
    /// lines may have so many characters alone, columns of little weight are left out, and hardware goes to further tables.
    Summary {
        /// Characters of a line; none for as many as it takes.
        width: Option<usize>,
    },
    /// A table of layers for each hardware, and lines that say where its time and its energy go.
    ByHardware,
}

/// What a run costs: how the weights were quantized (in the words of [`quantization_line`]), totals and layers, and the
/// check.
pub fn costs(
    network: &Network,
    hardware: &[Hardware],
    cost: &NetworkCost,
    quantization: &str,
    layout: Layout,
) -> String {
    let text = heading(network, cost, quantization);
    let tables = match layout {
        Layout::Summary { width } => {
            let width = width.unwrap_or(usize::MAX);
            let left_out = left_out(network);
            format!("\n{}\n{}{left_out}", totals(hardware, cost, width), energies(hardware, cost, width))
        }
        Layout::ByHardware => by_hardware(network, hardware, cost),
    };
    text + &tables + &check_lines(hardware, cost)
}

/// Characters that it takes to tell the names of all layers apart.
pub(super) fn name_width(cost: &NetworkCost) -> usize {
    telling_width(cost.layers.iter().map(|layer| layer.name.as_str()), NAME_WIDTH)
}

/// What a layer is: its name, operator, MACs, density and mean bits.
pub(super) fn what(layer: &LayerCost, name_width: usize) -> [String; 5] {
    [
        tail(&layer.name, name_width),
        layer.op.to_string(),
        short(layer.esn.macs as f64),
        format!("{:.3}", layer.esn.nonzero as f64 / layer.esn.weights as f64),
        mean_bits(&layer.esn).map_or("–".to_string(), |bits| format!("{bits:.2}")),
    ]
}

fn by_hardware(network: &Network, hardware: &[Hardware], cost: &NetworkCost) -> String {
    let mut text = String::new();
    for (h, hardware) in hardware.iter().enumerate() {
        text += &format!("\n{}\n", hardware_line(hardware));
        text += &layer_table(hardware, cost, h);
        text += &left_out(network);
        text += &idle_line(hardware, &cost.totals[h]);
        text += &merit_lines(hardware, cost, h);
    }
    text
}

/// The network as tables and files name it: its file, and that its weights are synthetic where they are.
pub fn network_name(network: &Network) -> String {
    format!("{}{}", network.path().display(), synthetic_mark(network))
}

/// What stands behind the name of a file whose weights are synthetic.
pub(crate) fn synthetic_mark(network: &Network) -> String {
    let Some(synthetic) = network.synthetic() else { return String::new() };
    let sparsity = match synthetic.sparsity() {
        0.0 => String::new(),
        sparsity => format!(", sparsity {sparsity}"),
    };
    format!(" (synthetic weights, seed {}{sparsity})", synthetic.seed())
}

/// The name in tables side by side, where there is no room for more than a mark.
pub fn marked_name(network: &Network) -> String {
    let mark = match (network.synthetic().is_some(), network.has_graph()) {
        (true, _) => " (synthetic)",
        // Each weight counts as one MAC, which is not comparable with networks of which positions are known.
        (false, false) => " (no graph)",
        (false, true) => "",
    };
    format!("{}{mark}", network.path().display())
}

/// The line that stands where figures are shown whose weights are synthetic.
pub fn synthetic_line(network: &Network) -> Option<&'static str> {
    const LINE: &str = "SYNTHETIC WEIGHTS: drawn at random, for the file has no values of them; figures that depend on weights \
                        are those of no trained network";
    network.synthetic().map(|_| LINE)
}

/// The network and how its weights were put on the grid, in the words of [`quantization_line`].
pub fn heading(network: &Network, cost: &NetworkCost, quantization: &str) -> String {
    let esn = &cost.esn;
    let synthetic = synthetic_line(network).map_or(String::new(), |line| format!("{line}\n"));
    format!(
        "{}: {} MAC layers, {} weights ({} nonzero), {} MACs an image\n{synthetic}{quantization}\n",
        one_line(&network_name(network)),
        cost.layers.len(),
        grouped(esn.weights),
        grouped(esn.nonzero),
        grouped(esn.macs),
    )
}

/// The width of the weights in a word: what real ones were quantized to, and `file` for integers of the file.
pub(super) fn width_word(cost: &NetworkCost) -> String {
    let of_file = cost.layers.iter().any(|layer| layer.quantized_to.is_none());
    match (cost.layers.iter().find_map(|layer| layer.quantized_to), of_file) {
        (None, _) => "file".to_string(),
        (Some(bits), false) => bits.to_string(),
        (Some(bits), true) => format!("{bits}, file"),
    }
}

/// How the weights came to be integers, in one line. Where the user chose no width, `hint` says behind it that this is
/// the default, and how to choose another.
pub fn quantization_line(cost: &NetworkCost, quantization: Quantization, hint: &str) -> String {
    let in_file = cost.layers.iter().filter(|layer| layer.quantized_to.is_none()).count();
    let bits = quantization.bits().get();
    let chosen = if quantization.is_requested() { String::new() } else { format!(" ({hint})") };
    let grid = format!("{bits} bits{chosen}, per layer, mid-rise, step = max|W| / {}", 1u32 << (bits - 1));
    match (in_file, cost.layers.len() - in_file) {
        (_, 0) => "weights: integers, nothing is quantized here".to_string(),
        (0, _) => format!("weights: quantized to {grid}"),
        (n, m) => format!("weights: {n} layers are integers, {m} are quantized to {grid}"),
    }
}

/// Hardware that a name stands for.
pub fn hardware_that_comes_along() -> String {
    let mut text = String::new();
    for hardware in Hardware::all() {
        text += &format!("{:<22}{}\n", hardware.engine.name(), hardware.summary());
    }
    text
}

fn hardware_line(hardware: &Hardware) -> String {
    let kind = if hardware.ideal { "ideal, " } else { "" };
    let (name, counted) = (hardware.engine.name(), counted_in(hardware.metric));
    match hardware.normalized {
        true => format!("{name} ({kind}normalized energy: 1 u a {counted}, no joules)"),
        false if hardware.unit.0 == 0.0 => format!("{name} ({kind}cells spend the same whatever they hold)"),
        false => format!("{name} ({kind}{} a {counted})", joules(hardware.unit.0)),
    }
}

/// An energy in joules, or in units of a MAC where the hardware has no others.
pub(crate) fn energy(hardware: &Hardware, energy_j: f64) -> String {
    if hardware.normalized { format!("{} u", short(energy_j / hardware.unit.0)) } else { joules(energy_j) }
}

/// What an engine counts that is held against the metric.
fn counted_in(metric: Metric) -> &'static str {
    match metric {
        Metric::EsnA => "squared half-step",
        Metric::EsnD | Metric::EsnDFilter => "bit plane",
    }
}

fn layer_table(hardware: &Hardware, cost: &NetworkCost, h: usize) -> String {
    let metric = hardware.metric.name();
    let header = ["layer", "op", "MACs", "density", "mean bits", "cycles", "util", "energy", metric, "ratio", "check"];
    let mut table = table(&header, 2);
    let width = name_width(cost);
    for layer in &cost.layers {
        table.add_row(row(hardware, layer, &layer.runs[h], width));
    }
    table.add_row(row(hardware, &cost.total_row(), &cost.totals[h], width));
    render(&table)
}

fn row(hardware: &Hardware, layer: &LayerCost, run: &HardwareRun, name_width: usize) -> [String; 11] {
    let merit = Merit::new(hardware, layer, run);
    let [name, op, macs, density, bits] = what(layer, name_width);
    [
        name,
        op,
        macs,
        density,
        bits,
        short(run.cycles().to_f64()),
        format!("{:.3}", run.run.occupancy.utilization()),
        energy(hardware, merit.energy_j),
        short(metric_number(hardware.metric, run.check.expected)),
        fraction(merit.ratio),
        verdict(run.check.verdict).to_string(),
    ]
}

pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Gap => "gap",
        Verdict::Fail => "FAIL",
        Verdict::NotIdeal => "–",
    }
}

/// What the totals leave out; empty where they leave out nothing.
pub fn left_out(network: &Network) -> String {
    let nodes = network.not_costed();
    if nodes.is_empty() {
        return String::new();
    }
    let first = |names: &[&str]| {
        let more = if names.len() > NAMED { ", …" } else { "" };
        format!("{}{more}", one_line(&names[..names.len().min(NAMED)].join(", ")))
    };
    let mut operators: Vec<&str> = nodes.iter().map(|node| node.operator.as_str()).collect();
    operators.sort_unstable();
    operators.dedup();
    let names: Vec<&str> = nodes.iter().map(|node| node.node.as_str()).collect();
    let what = if nodes.len() == 1 { "node that is" } else { "nodes that are" };
    let macs: Vec<u128> = nodes.iter().filter_map(|node| network.macs_not_costed(node)).collect();
    let known = match macs.len() {
        0 => String::new(),
        known if known == nodes.len() => format!(", {} MACs an image", grouped(macs.iter().sum())),
        known => format!(", of which {known} have {} MACs an image", grouped(macs.iter().sum())),
    };
    format!("TOTAL leaves out {} {what} not costed: {} ({}){known}\n", nodes.len(), first(&operators), first(&names))
}

/// Where hardware that is not ideal stands idle.
fn idle_line(hardware: &Hardware, total: &HardwareRun) -> String {
    let occupancy = total.run.occupancy;
    if hardware.ideal || occupancy.offered == 0 {
        return String::new();
    }
    let share = |count: u128| 100.0 * count as f64 / occupancy.offered as f64;
    let mut text = format!("of what it offers: {:.1} % used", share(occupancy.used));
    for &(cause, count) in total.run.idle.iter().filter(|(_, count)| *count > 0) {
        text += &format!(", {:.1} % idle by {cause}", share(count));
    }
    let bound = total.bound_by().map_or(String::new(), |bound| format!(", bound by {bound}"));
    let beside = match total.check.expected_cycles {
        0 => "which the ideal engine does in no cycle".to_string(),
        ideal => format!("{} × the cycles of the ideal engine", factor(total.cycles().to_f64() / ideal as f64)),
    };
    format!("{text}{bound}; {beside}\n")
}

/// What hardware that is not ideal makes of the network: where its energy goes, how fast it is, what its memory holds.
fn merit_lines(hardware: &Hardware, cost: &NetworkCost, h: usize) -> String {
    if hardware.ideal {
        return String::new();
    }
    let (total, row) = (&cost.totals[h], cost.total_row());
    let merit = Merit::new(hardware, &row, total);
    let part = |(event, of_event): (Event, f64)| match merit.ratio {
        Some(_) => format!("{event} {:.3}", of_event / merit.esn_energy_j),
        None => format!("{event} {}", energy(hardware, of_event)),
    };
    let spent = energy_by_entry(total).into_iter().filter(|(event, joules)| *event != Event::MAC || *joules > 0.0);
    let parts: Vec<String> = spent.map(part).collect();
    let times = merit.ratio.map_or(String::new(), |ratio| format!(", {ratio:.3} × {}", hardware.metric.name()));
    let mut text = format!("energy {}{times}: {}\n", energy(hardware, merit.energy_j), parts.join(" + "));
    let groups = EnergyGroup::ALL.iter().zip(merit.energy_by_group_j).filter(|(_, of_group)| *of_group > 0.0);
    let groups = groups.map(|(group, of_group)| format!("{} {}", group.name(), energy(hardware, of_group)));
    let groups: Vec<String> = groups.collect();
    if !groups.is_empty() {
        text += &format!("of it {}\n", groups.join(", "));
    }
    let tops = |tops: Option<f64>| tops.map_or("–".to_string(), |tops| format!("{tops:.3}"));
    text += &format!(
        "{} TOPS/W counting pruned MACs, {} without; ",
        tops(merit.tops_per_w),
        tops(merit.effective_tops_per_w)
    );
    if let (Some(latency), Some(product)) = (merit.latency_s, merit.energy_delay_js) {
        text += &format!("{} an image, energy · delay {}; ", seconds(latency), with_unit(product, "J·s"));
    }
    text += &format!("weights {} bits, {}\n", grouped(total.weight_bits()), hardware.engine.weight_format());
    if total.images > 1 {
        text += &format!("cost depends on the activations: mean of {} images\n", total.images);
    }
    text
}

/// The check of every ideal engine, in integers.
fn check_lines(hardware: &[Hardware], cost: &NetworkCost) -> String {
    let mut text = String::new();
    for (hardware, total) in hardware.iter().zip(&cost.totals).filter(|(hardware, _)| hardware.ideal) {
        let check = &total.check;
        let (Some(counted), Some(cycles)) = (check.counted, check.cycles) else { continue };
        let expected = match hardware.metric {
            Metric::EsnA => format!("4 · {}", grouped_quarters(Quarters(check.expected))),
            Metric::EsnD | Metric::EsnDFilter => grouped(check.expected),
        };
        text += &format!(
            "  {}: {} counted {} {}s, {} cycles; {} = {expected}\n",
            verdict_word(check.verdict),
            hardware.engine.name(),
            grouped(counted),
            counted_in(hardware.metric),
            grouped(cycles),
            hardware.metric.name()
        );
        if check.verdict == Verdict::Gap {
            let of = match hardware.metric {
                Metric::EsnDFilter => "filters whose largest |code| is 1",
                Metric::EsnA | Metric::EsnD => "weights with |code| = 1",
            };
            text +=
                &format!("    gap: {} bits of {of}, which equation (3) as printed leaves out\n", grouped(check.gap));
        }
    }
    let failures = failures(hardware, cost);
    if text.is_empty() { text } else { format!("\nESN check\n{text}{failures}") }
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Gap => "PASS but for the gap",
        other => self::verdict(other),
    }
}

/// Every layer on which an ideal engine and its metric differ.
fn failures(hardware: &[Hardware], cost: &NetworkCost) -> String {
    let mut text = String::new();
    for layer in &cost.layers {
        for (hardware, run) in hardware.iter().zip(&layer.runs).filter(|(_, run)| run.check.verdict == Verdict::Fail) {
            let check = &run.check;
            text += &format!(
                "  {} differs at layer {}: counted {}, metric {}; {} cycles, metric {}\n",
                hardware.engine.name(),
                one_line(&layer.name),
                run.run.ledger.count(Event::MAC),
                check.expected + check.gap,
                run.run.cycles.0,
                check.expected_cycles
            );
        }
    }
    text
}

/// What the stepped machines found, one line a hardware.
pub fn stepped(hardware: &[Hardware], layers: &[SteppedLayer]) -> String {
    let mut text = "\nstepped machines, every layer, cycle by cycle\n".to_string();
    for hardware in hardware {
        let of_this = || layers.iter().filter(|layer| layer.hardware == hardware.engine.name());
        let pass = of_this().all(SteppedLayer::passes);
        text += &format!(
            "  {}: {} stepped {} cycles and counted {}; outputs {} the reference, counts {} the fast engine's\n",
            if pass { "PASS" } else { "FAIL" },
            hardware.engine.name(),
            grouped(of_this().map(|layer| layer.cycles).sum()),
            grouped(of_this().map(|layer| layer.count).sum()),
            if of_this().all(|layer| layer.same_outputs) { "equal" } else { "differ from" },
            if of_this().all(|layer| layer.same_run) { "equal" } else { "differ from" },
        );
    }
    text
}
