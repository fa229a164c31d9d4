//! Does the cost of a layer follow its equation where every figure can be computed by hand?
//!
//! Weights are integers of the file with scale 1 (`code = 2·q`) unless a test is about quantizing. Bits of `q`: 1 → 1,
//! 2 → 2, 3 → 3, 4 → 3, 5…8 → 4.

use digital::idle;
use engine::{Event, LayerRun};
use esn::{BitConvention, BitWidth, Quarters};
use esnsim_tests::{analog_toml, digital_toml, hardware};
use network::LayerId;
use runner::{CostPlan, Hardware, LayerCost, NetworkCost, Quantization, Verdict, cost, prepare};
use testkit::{Model, check_all, int, int_list, model, uint16s};

fn costs(model: &Model, hardware: &[Hardware], bits: Option<u32>) -> NetworkCost {
    let width = bits.map(|bits| BitWidth::new(bits).expect("a width from 1 to 16"));
    let network = model.read();
    let plan = CostPlan {
        network: &network,
        hardware,
        quantization: Quantization::new(width),
        convention: BitConvention::NonzeroAtLeastOne,
    };
    cost(&plan).unwrap_or_else(|error| panic!("{error}"))
}

/// The only layer of a model on the three ideal engines.
fn ideal(model: &Model, bits: Option<u32>) -> LayerCost {
    let mut cost = costs(model, &Hardware::ideal(), bits);
    assert_eq!(cost.layers.len(), 1);
    cost.layers.remove(0)
}

/// The only layer of a model on one engine.
fn run_on(model: &Model, toml: &str) -> LayerRun {
    costs(model, &[hardware(toml)], None).layers[0].runs[0].run.clone()
}

/// Counts and cycles of every engine.
fn counts(layer: &LayerCost) -> Vec<(u128, u128)> {
    layer.runs.iter().map(|run| (run.run.ledger.count(Event::MAC), run.run.cycles.0)).collect()
}

fn assert_all_pass(layer: &LayerCost) {
    assert!(layer.runs.iter().all(|run| run.check.verdict == Verdict::Pass), "{:?}", layer.runs);
}

/// Adds the initializer `w`, made of the integers of `w_q`.
fn integers(model: Model, shape: &[i64], q: &[i8]) -> Model {
    let model = model.int8s("w_q", shape, q).floats("one", &[], &[1.0]).int8s("zero", &[], &[0]);
    model.node("DequantizeLinear", &["w_q", "one", "zero"], &["w"])
}

/// A network whose input has these extents behind an open batch.
fn input(extents: &[i64]) -> Model {
    model().input("x", &[&[0], extents].concat())
}

fn conv(model: Model, shape: &[i64], q: &[i8], group: i64) -> Model {
    integers(model, shape, q).node_with("Conv", &["x", "w"], &["y"], vec![int("group", group)])
}

#[test]
fn pruned_filters_and_channels_are_skipped_group_by_group_and_other_zeros_are_not() {
    // Channel 1 is dead in the first group only, filter 2 is dead.
    let q = [2, 0, 0, 0, 0, -3, 0, 0, 0, 5, 1, 8];
    let layer = ideal(&conv(input(&[6, 2, 5]), &[4, 3, 1, 1], &q, 2), None);
    assert_eq!((layer.positions, layer.esn.weights, layer.esn.nonzero, layer.esn.macs), (10, 12, 5, 120));
    assert_eq!((layer.esn.filters, layer.esn.live_filters), (4, 3));
    assert_eq!(layer.esn.esn_a(), Quarters(16 + 36 + 100 + 4 + 256));
    assert_eq!(layer.esn.esn_d, 2 + 3 + 4 + 1 + 4);
    assert_eq!(layer.esn.esn_d_filter_weights, 2 * 2 + 2 * 3 + 3 * 4);
    assert_eq!(counts(&layer), [(4120, 10), (140, 140), (220, 220)]);
    assert_all_pass(&layer);
}

#[test]
fn every_tap_of_a_live_channel_takes_the_width_of_its_filter() {
    // Two channels of 1×2 taps; channel 1 is dead. Output: 1×4 of a 1×5 input.
    let layer = ideal(&conv(input(&[2, 1, 5]), &[2, 2, 1, 2], &[0, 4, 0, 0, 1, 0, 0, 0], 1), None);
    assert_eq!(layer.esn.esn_d, 3 + 1);
    assert_eq!(layer.esn.esn_d_filter, 4 * (2 * 3 + 2));
    assert_all_pass(&layer);
}

#[test]
fn padding_and_stride_change_only_how_often_a_weight_is_used() {
    let attributes = [int_list("pads", &[1, 2, 1, 0]), int_list("strides", &[2, 1]), int_list("dilations", &[1, 2])];
    let model = integers(input(&[1, 5, 6]), &[1, 1, 3, 2], &[1, 2, 3, 4, 5, 6]);
    let layer = ideal(&model.node_with("Conv", &["x", "w"], &["y"], attributes.to_vec()), None);
    // Height: (5 + 2 − 3) / 2 + 1 = 3. Width: 6 + 2 − 3 + 1 = 6.
    assert_eq!((layer.positions, layer.esn.macs), (18, 108));
    assert_eq!(layer.esn.esn_a_quarters_macs, 18 * 4 * (1 + 4 + 9 + 16 + 25 + 36));
    assert_eq!(layer.esn.esn_d_macs, 18 * (1 + 2 + 3 + 3 + 4 + 4));
    assert_all_pass(&layer);
}

#[test]
fn a_finite_analog_engine_takes_its_tiles_one_after_another() {
    // 27 rows and 5 columns in each of 2 groups, at 16 positions; each MAC counts 4.
    let pads = int_list("pads", &[1, 1, 1, 1]);
    let model = integers(input(&[6, 4, 4]), &[10, 3, 3, 3], &[1; 270]).node_with(
        "Conv",
        &["x", "w"],
        &["y"],
        vec![int("group", 2), pads],
    );
    let table = [
        // rows, columns, arrays, cycles, cells of an array
        ("8", "4", 1, 16 * 2 * 4 * 2, 8 * 4),
        ("8", "4", 3, 86, 8 * 4), // 256 / 3
        ("8", "4", 256, 1, 8 * 4),
        ("8", "4", 1000, 1, 8 * 4),
        ("27", "5", 1, 16 * 2, 27 * 5),
        ("64", "64", 1, 16 * 2, 64 * 64),
        ("\"unbounded\"", "4", 1, 16 * 2 * 2, 27 * 4),
        ("8", "\"unbounded\"", 1, 16 * 2 * 4, 8 * 5),
        ("\"unbounded\"", "\"unbounded\"", 1, 16, 270),
        ("\"unbounded\"", "\"unbounded\"", 5, 4, 270), // 16 / 5
    ];
    check_all(table, |&(rows, columns, arrays, cycles, cells)| {
        let run = run_on(&model, &analog_toml("made", rows, columns, arrays));
        let at = format!("{arrays} arrays of {rows} × {columns}");
        assert_eq!(run.cycles.0, cycles, "{at}");
        let (used, offered) = (16 * 270, cycles * arrays as u128 * cells);
        assert_eq!((run.occupancy.used, run.occupancy.offered), (used, offered), "{at}");
        assert_eq!(run.occupancy.utilization(), used as f64 / offered as f64, "{at}");
        assert_eq!(run.ledger.count(Event::MAC), 16 * 4 * 270, "{at}");
        assert_eq!(run.ledger.energy().0, 17_280.0 * 1e-15, "{at}");
        assert_eq!(run.idle.iter().map(|(_, count)| count).sum::<u128>(), offered - used, "{at}");
    });
}

/// Five filters of two weights at seven positions. Planes of the filters, weight by weight: 2, 5, 0, 3, 5; with the width
/// of the filter: 2, 6, 0, 6, 8.
fn five_filters() -> Model {
    conv(input(&[2, 7, 1]), &[5, 2, 1, 1], &[1, 1, 2, -3, 0, 0, 4, 0, 8, 1], 1)
}

#[test]
fn a_digital_array_lasts_as_long_as_its_last_row() {
    let table = [
        // rows, PEs, granularity, planes of the last row, groups of positions, all planes
        (1, 1, "weight", 15, 7, 15),
        (1, 1, "filter", 22, 7, 22),
        (2, 4, "weight", 8, 2, 15),  // filters 0, 2, 4: 7; filters 1, 3: 8
        (2, 4, "filter", 12, 2, 22), // 10 and 12
        (3, 2, "weight", 10, 4, 15), // filters 0, 3: 5; 1, 4: 10; 2: 0
        (3, 7, "filter", 14, 1, 22), // 8, 14, 0
        (8, 1, "weight", 5, 7, 15),  // three rows have no filter
        (4, 100, "filter", 10, 1, 22),
    ];
    check_all(table, |&(rows, pes, granularity, longest, groups, planes)| {
        let run = run_on(&five_filters(), &digital_toml("made", rows, pes, granularity));
        let at = format!("{rows} × {pes}, {granularity}");
        let (rows, pes) = (u128::from(rows), u128::from(pes));
        assert_eq!(run.cycles.0, longest * groups, "{at}");
        assert_eq!(run.ledger.count(Event::MAC), planes * 7, "{at}");
        assert_eq!(run.occupancy.used, planes * 7, "{at}");
        assert_eq!(run.occupancy.offered, longest * groups * rows * pes, "{at}");
        let share = (planes * 7) as f64 / (longest * groups * rows * pes) as f64;
        assert_eq!(run.occupancy.utilization(), share, "{at}");
    });
}

#[test]
fn idle_pe_cycles_have_their_cause() {
    let run = run_on(&five_filters(), &digital_toml("made", 2, 4, "weight"));
    // 16 cycles of 8 elements; 7 of 8 places in the two groups of positions are taken; row 0 ends a plane early.
    assert_eq!((run.occupancy.used, run.occupancy.offered), (105, 128));
    assert_eq!(run.idle, [(idle::POSITION_TAIL, 15), (idle::ROW_FINISHED_EARLY, 8)]);
}

/// A convolution and a fully connected layer behind it, on a batch.
fn batched(batch: i64) -> Model {
    model()
        .returning("z")
        .input("x", &[batch, 2, 3, 3])
        .floats("w1", &[3, 2, 2, 2], &(0..24).map(|i| (i as f32).sin()).collect::<Vec<_>>())
        .floats("w2", &[2, 12], &(0..24).map(|i| (i as f32).cos()).collect::<Vec<_>>())
        .node("Conv", &["x", "w1"], &["y"])
        .node("Flatten", &["y"], &["flat"])
        .node_with("Gemm", &["flat", "w2"], &["z"], vec![int("transB", 1)])
}

#[test]
fn a_fixed_batch_costs_what_one_image_costs() {
    let engines = || {
        let mut all = Hardware::ideal();
        all.push(hardware(&analog_toml("finite analog", "3", "2", 2)));
        all.push(hardware(&digital_toml("finite digital", 2, 3, "filter")));
        all
    };
    let (eight, one) = (costs(&batched(8), &engines(), None), costs(&batched(0), &engines(), None));
    assert_eq!(batched(8).read().batch(), 8);
    assert_eq!(one.layers.iter().map(|layer| layer.positions).collect::<Vec<_>>(), [4, 1]);
    for (eight, one) in eight.layers.iter().zip(&one.layers) {
        assert_eq!(eight.positions, one.positions);
        assert_eq!(eight.esn, one.esn);
        for (eight, one) in eight.runs.iter().zip(&one.runs) {
            assert_eq!((&eight.run, &eight.check), (&one.run, &one.check));
        }
    }
}

#[test]
fn a_weight_that_two_nodes_use_counts_once_and_its_macs_twice() {
    let model = integers(input(&[2, 3, 3]), &[2, 2, 1, 1], &[1, 2, 0, 4])
        .node("Conv", &["x", "w"], &["y"])
        .node_with("MaxPool", &["y"], &["p"], vec![int_list("kernel_shape", &[2, 2])])
        .node("Conv", &["p", "w"], &["z"])
        .returning("z");
    let cost = costs(&model, &Hardware::ideal(), None);
    assert_eq!(cost.layers.iter().map(|layer| layer.positions).collect::<Vec<_>>(), [9, 4]);
    // Two layers, and one tensor of weights.
    assert_eq!((cost.esn.weights, cost.esn.macs), (4, 4 * 9 + 4 * 4));
    assert_eq!((cost.esn.esn_d, cost.esn.esn_d_macs), (1 + 2 + 3, (9 + 4) * (1 + 2 + 3)));
    assert!(cost.passes());
}

#[test]
fn a_product_has_its_filters_where_its_weights_say() {
    // Filters [1, 0, 0, 8] and [0, 0, 2, 0]: channel 1 is dead; 3·4 + 3·2 planes, weight by weight 1 + 4 + 2.
    let right = integers(input(&[3, 4]), &[4, 2], &[1, 0, 0, 0, 0, 2, 8, 0]).node("MatMul", &["x", "w"], &["y"]);
    let left = integers(input(&[4, 5]), &[2, 4], &[1, 0, 0, 8, 0, 0, 2, 0]).node("MatMul", &["w", "x"], &["y"]);
    check_all([(right, 3), (left, 5)], |&(ref model, positions)| {
        let layer = ideal(model, None);
        assert_eq!((layer.op, layer.filters, u128::from(layer.positions)), ("MatMul", 2, positions));
        assert_eq!(layer.esn.macs, 8 * positions);
        let expected = [(4 * (1 + 64 + 4) * positions, positions), (7 * positions, 7 * positions)];
        assert_eq!(counts(&layer)[..2], expected);
        assert_eq!(counts(&layer)[2], (18 * positions, 18 * positions));
        assert_all_pass(&layer);
    });
}

#[test]
fn a_gemm_has_its_filters_where_trans_b_says() {
    check_all([([4, 2], [1, 0, 0, 0, 0, 2, 8, 0], 0), ([2, 4], [1, 0, 0, 8, 0, 0, 2, 0], 1)], |&(shape, q, trans)| {
        let attributes = [int("transB", trans)];
        let model = integers(input(&[4]), &shape, &q).node_with("Gemm", &["x", "w"], &["y"], attributes.to_vec());
        let layer = ideal(&model, None);
        assert_eq!((layer.op, layer.filters, layer.positions), ("Gemm", 2, 1));
        assert_eq!(counts(&layer), [(4 * 69, 1), (7, 7), (18, 18)]);
        assert_all_pass(&layer);
    });
}

#[test]
fn a_layer_without_a_nonzero_weight_is_pruned_as_a_whole() {
    let model = input(&[2, 3, 3])
        .floats("w", &[2, 2, 1, 1], &[0.0, -0.0, 0.0, 0.0])
        .floats("v", &[1, 2, 1, 1], &[1.0, 0.5])
        .node("Conv", &["x", "w"], &["y"])
        .node("Conv", &["y", "v"], &["z"])
        .returning("z");
    let cost = costs(&model, &Hardware::ideal(), None);
    let layer = &cost.layers[0];
    assert_eq!((layer.esn.nonzero, layer.esn.live_filters, layer.esn.max_bits), (0, 0, 0));
    // The analog engine still applies its inputs; the digital one has nothing to do.
    assert_eq!(counts(layer), [(0, 9), (0, 0), (0, 0)]);
    assert_all_pass(layer);
    assert_eq!(layer.snr.and_then(|snr| snr.ratio()), None);
    assert_eq!(layer.esn_a_from_snr(), Some(0.0));
    assert_eq!(cost.esn_a_from_snr, cost.layers[1].esn_a_from_snr());
    let prepared = prepare(&model.read(), LayerId(0), Quantization::new(None)).expect("zeros are weights");
    assert_eq!(prepared.steps, [0.0]);
    assert_eq!(prepared.dequantize(), [0.0; 4]);
}

#[test]
fn the_widest_codes_have_17_bits() {
    let model = input(&[4, 1, 3])
        .tensor(uint16s("w_q", &[1, 4, 1, 1], &[0, 1, 65_535, 32_768]))
        .floats("one", &[], &[1.0])
        .tensor(uint16s("zero", &[], &[0]))
        .node("DequantizeLinear", &["w_q", "one", "zero"], &["w"])
        .node("Conv", &["x", "w"], &["y"]);
    let layer = ideal(&model, None);
    assert_eq!(layer.esn.esn_a(), Quarters(4 + 131_070 * 131_070 + 65_536 * 65_536));
    assert_eq!((layer.esn.esn_d, layer.esn.max_bits), (1 + 17 + 16, 17));
    // The first channel is dead.
    assert_eq!(counts(&layer)[1..], [(3 * 34, 3 * 34), (3 * 3 * 17, 3 * 3 * 17)]);
    assert_all_pass(&layer);
}

#[test]
fn sixteen_bits_reach_the_ends_of_the_grid() {
    // step = 2^-15: codes 65535 (clamped), −65535, 1, −1, 0, 32769.
    let tiny = 2f32.powi(-16);
    let weights = [1.0, -1.0, tiny, -tiny, 0.0, 0.5];
    let model = input(&[6, 1, 1]).floats("w", &[1, 6, 1, 1], &weights).node("Conv", &["x", "w"], &["y"]);
    let layer = ideal(&model, Some(16));
    assert_eq!(layer.esn.esn_a(), Quarters(2 * 65_535 * 65_535 + 2 + 32_769 * 32_769));
    assert_eq!(layer.esn.esn_d, 16 + 16 + 1 + 1 + 16);
    assert_eq!((layer.esn.nonzero, layer.esn.max_bits, layer.esn.units), (5, 16, 2));
    assert_all_pass(&layer);
}

#[test]
fn one_bit_is_the_sign() {
    let model =
        input(&[4, 1, 1]).floats("w", &[1, 4, 1, 1], &[0.25, -1.0, 0.0, 1e-9]).node("Conv", &["x", "w"], &["y"]);
    let layer = ideal(&model, Some(1));
    assert_eq!((layer.esn.esn_a_quarters, layer.esn.esn_d, layer.esn.nonzero), (3, 3, 3));
    assert_eq!(counts(&layer), [(3, 1), (3, 3), (3, 3)]);
}
