//! Does the cost follow the rules of the array? Each case pins one that a mistake could break.

use Granularity::{Filter, Weight};
use Grid::{MidRise, MidTread};
use digital::{DigitalArray, Granularity, event, idle};
use engine::{Event, Layer, LayerRun, MacEngine};
use esn::{CodeTensor, Grid, WeightShape};
use network::{Geometry, GeometrySpec};
use testkit::check_all;

use crate::common::array;

/// A 1×1 convolution of one group over a line of positions.
fn line(filters: usize, in_channels: usize, positions: usize) -> GeometrySpec {
    GeometrySpec::convolution(in_channels, filters, [1, 1], [positions, 1])
}

fn run(array: &DigitalArray, spec: GeometrySpec, grid: Grid, codes: &[i32]) -> LayerRun {
    let geometry = Geometry::new(spec).expect("a valid geometry");
    let codes = CodeTensor::new(grid, geometry.weight_shape(), codes.to_vec()).expect("valid codes");
    array.run(&Layer::new("test", &geometry, &codes).expect("the shapes agree")).expect("small counts")
}

/// Busy PE-cycles of one element, which are its cycles.
fn ideal(granularity: Granularity, spec: GeometrySpec, grid: Grid, codes: &[i32]) -> u128 {
    let run = run(&array(1, 1, granularity), spec, grid, codes);
    assert_eq!(run.cycles.0, run.ledger.count(Event::MAC));
    run.cycles.0
}

#[test]
fn one_weight_takes_its_planes() {
    let cases = [Weight, Filter].into_iter().flat_map(|granularity| [1, -1].map(move |sign| (granularity, sign)));
    check_all(cases, |&(granularity, sign)| {
        assert_eq!(ideal(granularity, line(1, 1, 1), MidRise, &[sign]), 1, "|code| = 1 is not free");
        assert_eq!(ideal(granularity, line(1, 1, 1), MidTread, &[2 * sign]), 1);
        check_all(1..=16u32, |&n| {
            let cost = |grid, code: i32| ideal(granularity, line(1, 1, 1), grid, &[sign * code]);
            assert_eq!(cost(MidRise, (1 << n) - 1), u128::from(n), "the top of {n} bits");
            assert_eq!(cost(MidRise, (1 << n) + 1), u128::from(n) + 1, "above {n} bits");
            assert_eq!(cost(MidTread, 1 << n), u128::from(n), "the end of {n} bits");
            assert_eq!(cost(MidTread, (1 << n) + 2), u128::from(n) + 1, "above {n} bits");
        });
    });
}

#[test]
fn a_pruned_weight_is_free() {
    assert_eq!(ideal(Weight, line(1, 4, 10), MidRise, &[3, 0, 1, 0]), 10 * 3);
    assert_eq!(ideal(Weight, line(1, 4, 10), MidRise, &[0; 4]), 0);
    assert_eq!(ideal(Filter, line(1, 4, 10), MidRise, &[0; 4]), 0);
}

#[test]
fn at_filter_granularity_zeros_take_the_width_but_pruned_filters_and_channels_do_not() {
    // Filter 1 is pruned, and channel 2 in every filter.
    let codes = [7, 0, 0, 1, 0, 0, 0, 0, 1, -1, 0, 1];
    assert_eq!(ideal(Filter, line(3, 4, 10), MidRise, &codes), 10 * (3 * 3 + 3));
    assert_eq!(ideal(Weight, line(3, 4, 10), MidRise, &codes), 10 * (3 + 1 + 3));
}

#[test]
fn a_channel_is_pruned_within_its_group() {
    let spec = GeometrySpec { in_channels: 4, filters: 2, groups: 2, ..line(2, 2, 10) };
    // Each filter sees two channels of its own: channel 0 of group 0 and channel 1 of group 1 are pruned.
    assert_eq!(ideal(Filter, spec, MidRise, &[0, 3, 1, 0]), 10 * (2 + 1));
    assert_eq!(ideal(Filter, line(2, 2, 10), MidRise, &[0, 3, 1, 0]), 10 * (2 * 2 + 2));
}

#[test]
fn a_channel_with_one_live_tap_is_computed_whole() {
    let spec = GeometrySpec { kernel: [3, 1], in_size: [3, 1], ..line(1, 2, 1) };
    assert_eq!(ideal(Filter, spec, MidRise, &[0, 3, 0, 0, 0, 0]), 3 * 2);
}

#[test]
fn groups_are_not_dense() {
    let depthwise = GeometrySpec { in_channels: 8, filters: 8, groups: 8, ..line(8, 8, 5) };
    assert_eq!(ideal(Weight, depthwise, MidRise, &[1; 8]), 8 * 5);
    assert_eq!(ideal(Filter, depthwise, MidRise, &[1; 8]), 8 * 5);
    assert_eq!(ideal(Weight, line(8, 8, 5), MidRise, &[1; 64]), 64 * 5);
}

#[test]
fn positions_are_counted_exactly() {
    let base = GeometrySpec { kernel: [3, 3], in_size: [8, 10], ..line(1, 1, 1) };
    // (change of geometry, output positions)
    let table = [
        (base, 6 * 8),
        (GeometrySpec { pads: [1; 4], ..base }, 8 * 10),
        (GeometrySpec { pads: [0, 1, 0, 0], ..base }, 6 * 9),
        (GeometrySpec { stride: [2, 2], ..base }, 3 * 4),
        (GeometrySpec { stride: [2, 3], pads: [1; 4], ..base }, 4 * 4),
        (GeometrySpec { dilation: [2, 3], ..base }, 4 * 4),
        (GeometrySpec { repeats: 7, ..base }, 7 * 6 * 8),
        (GeometrySpec { kernel: [8, 10], ..base }, 1),
    ];
    check_all(table, |&(spec, positions)| {
        let taps = spec.kernel[0] * spec.kernel[1];
        let cost = ideal(Weight, spec, MidRise, &vec![1; taps]);
        assert_eq!(cost, (taps * positions) as u128, "multiply-accumulates on padding count: {spec:?}");
    });
}

#[test]
fn the_layer_ends_with_its_last_row() {
    // Row 0 has filters 0 and 2, row 1 filter 1; three positions for two elements leave one idle in every second group.
    let run = run(&array(2, 2, Weight), line(3, 1, 3), MidRise, &[1, 7, 3]);
    assert_eq!(run.cycles.0, 2 * 3, "rows take 2·(1 + 2) and 2·3 cycles");
    assert_eq!(run.occupancy.used, 3 * (1 + 3 + 2));
    assert_eq!(run.occupancy.offered, 6 * 4);
    assert_eq!(run.idle, [(idle::POSITION_TAIL, 6), (idle::ROW_FINISHED_EARLY, 0)]);
    assert_eq!(run.occupancy.utilization(), 0.75);
}

#[test]
fn rows_without_filters_wait() {
    let run = run(&array(4, 1, Weight), line(2, 1, 1), MidRise, &[1, 7]);
    assert_eq!(run.cycles.0, 3);
    assert_eq!(run.idle, [(idle::POSITION_TAIL, 0), (idle::ROW_FINISHED_EARLY, 2 + 3 + 3)]);
}

#[test]
fn a_layer_of_zeros_takes_no_cycle_and_is_in_the_ledger() {
    let run = run(&array(3, 4, Filter), line(2, 2, 5), MidTread, &[0; 4]);
    assert_eq!((run.cycles.0, run.occupancy.offered), (0, 0));
    assert_eq!(run.ledger.entries().len(), 1);
    assert_eq!(run.ledger.energy().0, 0.0);
}

#[test]
fn energy_is_busy_pe_cycles() {
    let run = run(&array(2, 4, Weight), line(1, 1, 5), MidRise, &[7]);
    assert_eq!(run.ledger.energy().0, 3e-15 * 15.0);
}

#[test]
fn the_largest_layers_are_counted_exactly() {
    // As many positions as a geometry admits, on the largest array.
    let positions = (1usize << 62) - 1;
    let run = run(&array(1 << 16, 1 << 16, Weight), line(1, 1, positions), MidRise, &[65535]);
    assert_eq!(run.occupancy.used, 16 * positions as u128);
    assert_eq!(run.cycles.0, 16 * (positions as u128).div_ceil(1 << 16));
}

#[test]
fn weights_of_another_shape_are_refused() {
    let geometry = Geometry::new(line(2, 2, 1)).unwrap();
    let shape = WeightShape { filters: 4, groups: 1, channels: 1, taps: 1 };
    let codes = CodeTensor::new(MidRise, shape, vec![1; 4]).unwrap();
    assert!(Layer::new("test", &geometry, &codes).is_err());
}

/// Files have these words, in columns and objects that are read by name.
#[test]
fn events_and_causes_have_the_names_of_reports() {
    let events = [
        (event::WIDTH_ROUNDING, "width rounding"),
        (event::COMPUTED_ZEROS, "computed zeros"),
        (event::SKIPPED_PLANES, "skipped planes"),
        (event::ON_ZERO_ACTIVATIONS, "planes on zero activations"),
        (event::IDLE, "idle"),
        (event::INDEX, "index"),
        (event::ARRAY_CONTROL, "array control"),
        (event::ROW_CONTROL, "row control"),
        (event::WEIGHT_FETCH, "weight fetch"),
        (event::ACTIVATION_FETCH, "activation fetch"),
        (event::PARTIAL_SUMS, "partial sums"),
    ];
    check_all(events, |&(event, name)| assert_eq!(event.name(), name));
    let causes = [
        (idle::POSITION_TAIL, "position tail"),
        (idle::ROW_FINISHED_EARLY, "row finished early"),
        (idle::SYNCHRONIZATION, "synchronization"),
        (idle::PIPELINE_FILL, "pipeline fill"),
        (idle::INDEX_DECODING, "index decoding"),
        (idle::ZERO_ACTIVATION, "zero activation"),
    ];
    check_all(causes, |&(cause, name)| assert_eq!(cause.name(), name));
}
