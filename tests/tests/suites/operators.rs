//! What becomes of ONNX's own tests of nodes, and does the page of operators say so?
//!
//! `reference/onnx-node-tests.json` has them; `python/onnx_node_tests.py` made it. A test that runs gives what ONNX expects.
//! The tables of `docs/operators.md` are made here; `ESNSIM_WRITE_OPERATORS=1` writes them anew.

use std::collections::BTreeMap;
use std::fs;

use esnsim_tests::executors::run;
use esnsim_tests::{Recorded, repository};
use formats::{BatchAxis, ReadOptions};
use inference::{FloatExecutor, Session};
use network::{IntegerFunction, Network, Op, Pool};

/// What is known of one operator.
#[derive(Default)]
struct Operator {
    cases: usize,
    runs: usize,
    /// Whether a node of it is a layer; whether one has products that no layer costs.
    layer: bool,
    not_costed: bool,
    /// Whether it gives on integers what it gives on real numbers.
    moves: bool,
    /// Whether a network may end with it: its input is returned in its place.
    at_end: bool,
}

fn read(case: &Recorded) -> Option<Network> {
    // The first axis of these inputs is no batch.
    let options = ReadOptions { batch_axis: BatchAxis::None, ..ReadOptions::default() };
    formats::from_bytes("case.onnx", case.file.clone().into(), &options).ok()
}

/// What a case gives that it should not; none where it is right.
fn wrong(case: &Recorded, found: &[f32]) -> Option<String> {
    // Outputs of 16 bits are rounded to them.
    let near = |a: f32, b: f32| a == b || (a - b).abs() <= 2e-3 * b.abs().max(1.0) || a.is_nan() && b.is_nan();
    let place = found.iter().zip(&case.output).position(|(&a, &b)| !near(a, b));
    let right = place.is_none() && found.len() == case.output.len();
    (!right).then(|| format!("{}: {found:?}, not {:?}", case.name, case.output))
}

/// Runs a case where it can be run.
fn tried(case: &Recorded, network: &Network) -> Option<Vec<f32>> {
    Session::new(network).ok()?;
    Some(run(network, &case.input, &FloatExecutor::from_file(network).ok()?))
}

fn operators() -> BTreeMap<String, Operator> {
    let (mut all, mut mistakes): (BTreeMap<String, Operator>, _) = (BTreeMap::new(), Vec::new());
    for (name, case) in Recorded::with_operators("onnx-node-tests.json") {
        let of = all.entry(name.clone()).or_default();
        of.cases += 1;
        let Some(network) = read(&case) else { continue };
        of.not_costed |= network.not_costed().iter().any(|left_out| left_out.operator == name);
        let nodes = || network.graph().nodes().iter().filter(|node| node.op_type == name);
        of.layer |= nodes().any(|node| matches!(node.op, Op::Mac(_)) && node.name != "layer");
        if network.notes().iter().any(|note| note.text().contains(" says by ")) {
            of.at_end = true;
        } else if let Some(found) = tried(&case, &network) {
            of.runs += 1;
            of.moves |= nodes().any(|node| node.op.moves_integers());
            mistakes.extend(wrong(&case, &found));
        }
    }
    assert!(mistakes.is_empty(), "{} cases:\n{}", mistakes.len(), mistakes.join("\n"));
    all
}

/// One of each function of integers.
fn functions() -> [IntegerFunction; 14] {
    let pool = Pool {
        kernel: [1; 2],
        stride: [1; 2],
        dilation: [1; 2],
        pads: [0; 4],
        depth: None,
        ceil_mode: false,
        count_include_pad: false,
    };
    [
        IntegerFunction::Add,
        IntegerFunction::AveragePool(pool),
        IntegerFunction::Concat { axis: 0 },
        IntegerFunction::GlobalAveragePool,
        IntegerFunction::LeakyRelu { alpha: 0.1 },
        IntegerFunction::Lookup { first: 0, table: Vec::new(), function: None },
        IntegerFunction::Mean { axes: Vec::new(), keep_dims: true },
        IntegerFunction::Mul,
        IntegerFunction::PRelu,
        IntegerFunction::Quantize,
        IntegerFunction::ResizeBilinear { align_corners: false, half_pixel: false, float: false },
        IntegerFunction::Sigmoid,
        IntegerFunction::Softmax { axis: 0, beta: 1.0 },
        IntegerFunction::Sub,
    ]
}

fn arithmetics(function: &IntegerFunction) -> String {
    function.arithmetics().iter().map(|arithmetic| arithmetic.name()).collect::<Vec<_>>().join(", ")
}

fn row(name: &str, of: &Operator) -> String {
    let cost = match (of.layer, of.not_costed) {
        (true, _) => "a layer",
        (false, true) => "named, not costed",
        (false, false) => "has none",
    };
    let images = match of.runs {
        0 if of.at_end => "at the end alone".to_string(),
        0 => "no".to_string(),
        runs => format!("{runs} of {}", of.cases),
    };
    let own = functions().into_iter().find(|function| function.name() == name).map(|function| arithmetics(&function));
    let integers = match own {
        _ if of.layer && of.runs > 0 => "summed exactly".to_string(),
        Some(own) => own,
        None if of.moves => "as they are".to_string(),
        None => "–".to_string(),
    };
    format!("| {name} | {cost} | {images} | {integers} |")
}

/// The page with this table in the place of the one that has the same header.
fn with_table(page: &str, header: &str, rows: &[String]) -> String {
    let start = page.find(header).unwrap_or_else(|| panic!("no table {header:?}"));
    let rule = page[start..].lines().nth(1).expect("a table has a rule");
    let end = page[start..].find("\n\n").map_or(page.len(), |len| start + len + 1);
    format!("{}{header}\n{rule}\n{}\n{}", &page[..start], rows.join("\n"), &page[end..])
}

#[test]
fn the_page_of_operators_is_made_from_what_runs() {
    let operators = operators();
    let rows: Vec<String> = operators.iter().map(|(name, of)| row(name, of)).collect();
    let of_integers: Vec<String> =
        functions().iter().map(|function| format!("| {} | {} |", function.name(), arithmetics(function))).collect();
    let file = repository("docs/operators.md");
    let page = fs::read_to_string(&file).expect("it is in the repository");
    let made = with_table(&page, "| operator | MACs | images | on integers |", &rows);
    let made = with_table(&made, "| function | arithmetic |", &of_integers);
    if std::env::var_os("ESNSIM_WRITE_OPERATORS").is_some() {
        fs::write(&file, &made).expect("the folder is writable");
    }
    let changed = made.lines().zip(page.lines()).find(|(now, before)| now != before);
    let written = fs::read_to_string(&file).expect("it is in the repository");
    assert!(made == written, "ESNSIM_WRITE_OPERATORS=1 writes the tables anew; first change: {changed:?}");
}
