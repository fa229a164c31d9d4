//! Do metric and engines agree with figures that an independent program computed from the equations alone?
//!
//! `reference/README.md` says where the figures come from. Those of the embedded network are compared always, those of
//! the networks beside the project where they are present.

use std::collections::BTreeMap;

use esn::{BitConvention, BitWidth};
use esnsim_tests::repository;
use formats::ReadOptions;
use network::Network;
use runner::{CostPlan, Hardware, LayerCost, NetworkCost, Quantization, Verdict, cost, embedded_network};
use testkit::{check_all, shared};

/// One row of a CSV of `reference/`.
struct Row(BTreeMap<String, String>);

impl Row {
    fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("there is no column {column}"))
    }

    fn int(&self, column: &str) -> u128 {
        self.text(column).parse().unwrap_or_else(|_| panic!("{column} of {} is no integer", self.text("layer")))
    }

    /// A real number; none where the cell is empty.
    fn real(&self, column: &str) -> Option<f64> {
        (!self.text(column).is_empty()).then(|| self.text(column).parse().expect("reals are written by Python"))
    }
}

/// The rows of one network by width; 0 stands for a network whose file holds integers.
fn reference(name: &str) -> BTreeMap<u32, Vec<Row>> {
    let path = repository(&format!("tests/reference/{name}.csv"));
    let mut csv = csv::Reader::from_path(&path).expect("the reference is in the repository");
    let mut by_bits: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for row in csv.deserialize::<BTreeMap<String, String>>() {
        let row = Row(row.expect("the reference is valid CSV"));
        by_bits.entry(row.text("bits").parse().expect("a width")).or_default().push(row);
    }
    by_bits
}

fn costs(network: &Network, bits: u32, convention: BitConvention) -> NetworkCost {
    let requested = (bits > 0).then(|| BitWidth::new(bits).expect("the reference has widths from 1 to 16"));
    let hardware = Hardware::ideal();
    let plan = CostPlan { network, hardware: &hardware, quantization: Quantization::new(requested), convention };
    cost(&plan).unwrap_or_else(|error| panic!("{error}"))
}

fn read(relative: &str) -> Option<Network> {
    let path = shared(relative)?;
    Some(formats::read(&path, &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}")))
}

/// Compares every layer and the total at every width, under both conventions.
fn compare(network: &Network, name: &str, widths: &[u32]) {
    let reference = reference(name);
    assert_eq!(reference.keys().copied().collect::<Vec<_>>(), widths, "{name}");
    check_all(reference.keys(), |&&bits| {
        let rows = &reference[&bits];
        let floored = costs(network, bits, BitConvention::NonzeroAtLeastOne);
        let printed = costs(network, bits, BitConvention::AsPrinted);
        assert_eq!(floored.layers.len() + 1, rows.len(), "{name} at {bits} bits");
        let pairs = |cost: &NetworkCost| [cost.layers.clone(), vec![cost.total_row()]].concat();
        for ((floored, printed), row) in pairs(&floored).iter().zip(&pairs(&printed)).zip(rows) {
            let at = format!("{name} at {bits} bits, {}", row.text("layer"));
            compare_metric(floored, printed, row, &at);
            compare_engines(floored, row, &at);
            compare_gap(printed, row, &at);
        }
        let total = rows.last().expect("there is a row TOTAL");
        close(floored.esn_a_from_snr, total.real("esn_a_from_snr"), name);
        close(floored.esn_a_from_snr_macs, total.real("esn_a_from_snr_macs"), name);
    });
}

fn compare_metric(floored: &LayerCost, printed: &LayerCost, row: &Row, at: &str) {
    let (esn, as_printed) = (&floored.esn, &printed.esn);
    assert_eq!(floored.name, row.text("layer"), "{at}");
    assert_eq!(floored.op, row.text("op"), "{at}");
    if floored.name != "TOTAL" {
        assert_eq!(u128::from(floored.positions), row.int("positions"), "{at}");
        close(floored.esn_a_from_snr(), row.real("esn_a_from_snr"), at);
        close(floored.esn_a_from_snr_macs(), row.real("esn_a_from_snr_macs"), at);
    }
    close(floored.snr.and_then(|snr| snr.ratio()), row.real("snr"), at);
    let figures = [
        ("filters", esn.filters),
        ("weights", esn.weights),
        ("nonzero", esn.nonzero),
        ("macs", esn.macs),
        ("sum_code2", esn.esn_a_quarters),
        ("sum_code2_macs", esn.esn_a_quarters_macs),
        ("esn_d", esn.esn_d),
        ("esn_d_macs", esn.esn_d_macs),
        ("esn_d_filter", esn.esn_d_filter),
        ("esn_d_printed", as_printed.esn_d),
        ("esn_d_printed_macs", as_printed.esn_d_macs),
        ("esn_d_filter_printed", as_printed.esn_d_filter),
        ("units", esn.units),
        ("max_bits", u128::from(esn.max_bits)),
    ];
    for (column, found) in figures {
        assert_eq!(found, row.int(column), "{at}, {column}");
    }
}

/// What the three ideal engines counted, and how long they took.
fn compare_engines(layer: &LayerCost, row: &Row, at: &str) {
    let counts = ["sum_code2_macs", "esn_d_macs", "esn_d_filter"].map(|column| row.int(column));
    assert_eq!(layer.runs.len(), counts.len(), "{at}");
    for (run, expected) in layer.runs.iter().zip(counts) {
        assert_eq!(run.run.ledger.count(engine::Event::MAC), expected, "{at}");
        assert_eq!((run.check.counted, run.check.expected, run.check.gap), (Some(expected), expected, 0), "{at}");
        assert_eq!(run.check.verdict, Verdict::Pass, "{at}");
    }
    assert_eq!(layer.runs[1].run.cycles.0, counts[1], "{at}");
    assert_eq!(layer.runs[2].run.cycles.0, counts[2], "{at}");
    if layer.name != "TOTAL" {
        assert_eq!(layer.runs[0].run.cycles.0, row.int("positions"), "{at}");
    }
}

/// Under the convention as printed the engines count the same, and the check finds exactly the bits that are left out.
fn compare_gap(printed: &LayerCost, row: &Row, at: &str) {
    let gaps = [
        0,
        row.int("esn_d_macs") - row.int("esn_d_printed_macs"),
        row.int("esn_d_filter") - row.int("esn_d_filter_printed"),
    ];
    let counts = ["sum_code2_macs", "esn_d_macs", "esn_d_filter"].map(|column| row.int(column));
    for ((run, gap), count) in printed.runs.iter().zip(gaps).zip(counts) {
        assert_eq!((run.check.counted, run.check.gap, run.check.expected), (Some(count), gap, count - gap), "{at}");
        assert_eq!(run.check.verdict, if gap == 0 { Verdict::Pass } else { Verdict::Gap }, "{at}");
    }
}

fn close(found: Option<f64>, expected: Option<f64>, at: &str) {
    match (found, expected) {
        (Some(found), Some(expected)) => {
            assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{at}: {found}, not {expected}");
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}

const WIDTHS: [u32; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16];

#[test]
fn the_embedded_network_costs_what_the_equations_say() {
    compare(&embedded_network().expect("it is valid"), "digits-resnet", &WIDTHS);
}

#[test]
fn real_networks_cost_what_the_equations_say() {
    check_all(["resnet20-cifar10-bn", "resnet20-cifar10"], |&name| {
        if let Some(network) = read(&format!("models/{name}.onnx")) {
            compare(&network, name, &WIDTHS);
        }
    });
}

#[test]
fn integers_of_a_file_cost_what_the_equations_say() {
    let name = "resnet20-cifar10-int8-qdq-perchannel";
    if let Some(network) = read(&format!("models/{name}.onnx")) {
        compare(&network, name, &[0]);
    }
}

/// The table of `models/README.md` beside the project, to the letter; it rounds ESN_a to whole numbers.
#[test]
fn the_published_rows_are_met() {
    let rows = [
        (
            "resnet20-cifar10-bn",
            4,
            [268_336, 268_336, 40_551_040, 588_618, 433_157, 78_335_736, 62_046_401, 144_186_880],
        ),
        (
            "resnet20-cifar10-int8-qdq-perchannel",
            0,
            [268_336, 260_820, 40_551_040, 372_380_943, 1_496_283, 58_507_446_810, 221_462_421, 324_408_320],
        ),
    ];
    check_all(rows, |&(name, bits, expected)| {
        let Some(network) = read(&format!("models/{name}.onnx")) else { return };
        let esn = costs(&network, bits, BitConvention::NonzeroAtLeastOne).esn;
        let rounded = |quarters: u128| (quarters + 2) / 4;
        let found = [
            esn.weights,
            esn.nonzero,
            esn.macs,
            rounded(esn.esn_a_quarters),
            esn.esn_d,
            rounded(esn.esn_a_quarters_macs),
            esn.esn_d_macs,
            esn.esn_d_filter,
        ];
        assert_eq!(found, expected, "{name}");
    });
}

/// How far equation (4) is from equation (2) over ResNet-20, as the notes on the paper give it.
#[test]
fn the_estimate_from_noise_falls_short_as_published() {
    let Some(network) = read("models/resnet20-cifar10-bn.onnx") else { return };
    check_all([(8, 0.98), (4, 0.89), (3, 0.77), (2, 0.40), (1, 0.08)], |&(bits, expected)| {
        let cost = costs(&network, bits, BitConvention::NonzeroAtLeastOne);
        let ratio = cost.esn_a_from_snr.expect("every layer has noise") / cost.esn.esn_a().to_f64();
        assert!((ratio - expected).abs() <= 0.005, "{bits} bits: {ratio}, not {expected}");
    });
}
