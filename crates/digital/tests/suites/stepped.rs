//! Does the array that steps cycle by cycle agree with the one that counts, and with a plain seven-loop reference?

use digital::{Granularity, idle};
use engine::{Activations, EngineError, Event, Layer, MacEngine, Observer, Outputs, Silent, SteppedEngine};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use proptest::prelude::*;
use testkit::check_all;

use crate::common::departures::departed_arrays;
use crate::common::{self, Case, array, arrays, cases, seven_loops, with_zeros};

fn layer(case: &Case) -> Layer<'_> {
    Layer::new("test", &case.geometry, &case.codes).expect("the shapes agree")
}

#[derive(Default)]
struct Tally {
    cycles: u128,
    active: u128,
    count: u128,
}

impl Observer for Tally {
    fn cycle(&mut self, cycle: u128, active: u64, count: u128) {
        assert_eq!(cycle, self.cycles, "cycles are seen once, in order, from 0");
        self.cycles += 1;
        self.active += u128::from(active);
        self.count += count;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn stepped_and_counted_runs_are_equal(case in cases(), array in arrays()) {
        let counted = array.run(&layer(&case)).unwrap();
        let stepped = array.step(&layer(&case), Activations::Integer(&case.input)).unwrap();
        prop_assert_eq!(&stepped.run, &counted);
        let idle: u128 = counted.idle.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(counted.occupancy.offered - counted.occupancy.used, idle);
        let offered = counted.cycles.0 * array.spec().rows as u128 * array.spec().pes_per_row as u128;
        prop_assert_eq!(counted.occupancy.offered, offered);
        prop_assert_eq!(counted.occupancy.used, counted.ledger.count(Event::MAC));
        prop_assert!(!array.is_ideal() || idle == 0);
    }

    #[test]
    fn sums_are_those_of_seven_loops(case in cases(), array in arrays()) {
        let expected = Outputs::Integer(seven_loops(&case));
        let input = Activations::Integer(&case.input);
        prop_assert_eq!(&array.step(&layer(&case), input).unwrap().outputs, &expected);
        prop_assert_eq!(&array.prepare(&layer(&case)).unwrap().forward(input).unwrap(), &expected);
    }

    /// An array that nobody watches takes the cycles of its rows in another order. Neither that nor where it is left to
    /// itself shows.
    #[test]
    fn an_observer_sees_every_cycle_and_changes_nothing(
        case in cases(), pattern in any::<u64>(), array in departed_arrays(), alone in 0u32..200,
    ) {
        let case = with_zeros(case, pattern);
        let load = || array.load(&layer(&case), Activations::Integer(&case.input)).unwrap();
        let mut tally = Tally::default();
        let watched = load().run(&mut tally);
        prop_assert_eq!(tally.cycles, watched.run.cycles.0);
        prop_assert_eq!(tally.active, watched.run.occupancy.used);
        prop_assert_eq!(tally.count, watched.run.ledger.count(Event::MAC));
        prop_assert_eq!(&load().run_unobserved(), &watched);
        let mut machine = load();
        for _ in 0..alone {
            machine.step(&mut Silent);
        }
        prop_assert_eq!(&machine.run_unobserved(), &watched);
    }

    /// Energy is spent by work alone, so it does not depend on the shape of the array.
    #[test]
    fn the_shape_of_the_array_costs_no_energy(case in cases(), array in arrays()) {
        let ideal = common::array(1, 1, array.spec().granularity).run(&layer(&case)).unwrap();
        let run = array.run(&layer(&case)).unwrap();
        prop_assert_eq!(&run.ledger, &ideal.ledger);
        prop_assert_eq!(ideal.cycles.0, ideal.ledger.count(Event::MAC));
        prop_assert!(run.cycles <= ideal.cycles);
    }

    /// A pruned weight never adds a cycle or energy.
    #[test]
    fn pruning_never_costs(case in cases(), array in arrays(), at in any::<proptest::sample::Index>()) {
        let mut pruned = case.codes.codes().to_vec();
        let at = at.index(pruned.len());
        pruned[at] = 0;
        let pruned = CodeTensor::new(case.codes.grid(), case.codes.shape(), pruned).unwrap();
        let before = array.run(&layer(&case)).unwrap();
        let after = array.run(&layer(&Case { codes: pruned, ..case })).unwrap();
        prop_assert!(after.cycles <= before.cycles);
        prop_assert!(after.ledger.count(Event::MAC) <= before.ledger.count(Event::MAC));
    }
}

/// A 1×1 convolution over a line of `positions`.
fn line(filters: usize, channels: usize, positions: usize, codes: &[i32]) -> Case {
    let spec = GeometrySpec::convolution(channels, filters, [1, 1], [positions, 1]);
    let geometry = Geometry::new(spec).unwrap();
    let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), codes.to_vec()).unwrap();
    let input = (1..).take(geometry.input_len()).collect();
    Case { geometry, codes, input }
}

/// The order of work, cycle by cycle: two rows of two elements, three filters of two weights, three positions.
#[test]
fn rows_work_through_filters_groups_weights_and_planes() {
    let case = line(3, 2, 3, &[1, 3, 5, 0, 0, -1]);
    let mut machine = array(2, 2, Granularity::Weight).load(&layer(&case), Activations::Integer(&case.input)).unwrap();
    let state = |row: Option<&digital::Row>| row.map(|r| (r.filter(), r.positions(), r.weight(), r.plane()));
    // Row 0: filter 0 (weights of 1 and 2 planes) for positions 0-1 and 2, then filter 2 (its second weight alone).
    let row_0 = [
        (0, 0..2, 0, 0),
        (0, 0..2, 1, 0),
        (0, 0..2, 1, 1),
        (0, 2..3, 0, 0),
        (0, 2..3, 1, 0),
        (0, 2..3, 1, 1),
        (2, 0..2, 1, 0),
        (2, 2..3, 1, 0),
    ];
    // Row 1: the first weight of filter 1 alone, of 3 planes.
    let row_1 = [(1, 0..2, 0, 0), (1, 0..2, 0, 1), (1, 0..2, 0, 2), (1, 2..3, 0, 0), (1, 2..3, 0, 1), (1, 2..3, 0, 2)];
    for cycle in 0..8 {
        assert_eq!(state(machine.row(0)), row_0.get(cycle).cloned(), "row 0, cycle {cycle}");
        assert_eq!(state(machine.row(1)), row_1.get(cycle).cloned(), "row 1, cycle {cycle}");
        assert!(machine.row(2).is_none());
        assert!(machine.step(&mut Silent));
    }
    assert!(machine.row(0).is_none() && machine.row(1).is_none());
    assert!(!machine.step(&mut Silent), "the layer is done");
    assert_eq!(machine.cycles().0, 8);
    let stepped = machine.run(&mut Silent);
    assert_eq!(stepped.run.cycles.0, 8);
    assert_eq!(stepped.run.idle, [(idle::POSITION_TAIL, 3 + 1 + 3), (idle::ROW_FINISHED_EARLY, 2 * 2)]);
    assert_eq!(stepped.outputs, Outputs::Integer(seven_loops(&case)));
}

#[test]
fn accumulators_hold_the_planes_so_far() {
    let case = line(1, 2, 2, &[5, -3]);
    let mut machine = array(1, 2, Granularity::Weight).load(&layer(&case), Activations::Integer(&case.input)).unwrap();
    // Inputs 1 and 2, then 3 and 4. 5 = −1 + 2 + 4; −3 = −1 − 2.
    for expected in [[-1, -2], [1, 2], [5, 10], [2, 6]] {
        machine.step(&mut Silent);
        let elements = machine.row(0).expect("at work").elements();
        assert_eq!(elements.iter().map(|element| element.accumulator()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn wrong_activations_are_refused() {
    let case = line(1, 1, 3, &[1]);
    let array = array(1, 1, Granularity::Weight);
    let layer = layer(&case);
    let table: [(Activations<'_>, &str); 4] = [
        (Activations::Real(&[0.0; 3]), "layer test: this engine computes on integer activations"),
        (Activations::Integer(&[0; 2]), "layer test: input should have 3 elements, not 2"),
        (Activations::Integer(&[0, 65537, 0]), "layer test: activation 1 is 65537; activations reach ±65536 at most"),
        (
            Activations::Integer(&[0, 0, i32::MIN]),
            "layer test: activation 2 is -2147483648; activations reach ±65536 at most",
        ),
    ];
    let prepared = array.prepare(&layer).unwrap();
    check_all(table, |&(input, message)| {
        assert_eq!(array.step(&layer, input).unwrap_err().to_string(), message);
        assert_eq!(prepared.forward(input).unwrap_err().to_string(), message);
    });
    assert!(array.step(&layer, Activations::Integer(&[65536, -65536, 0])).is_ok());
}

#[test]
fn an_input_that_padding_makes_too_large_is_unsupported() {
    let spec = *line(1, 1, 1, &[1]).geometry.spec();
    let geometry = Geometry::new(GeometrySpec { pads: [1 << 20; 4], stride: [1 << 20; 2], ..spec }).unwrap();
    let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![1]).unwrap();
    let case = Case { geometry, codes, input: vec![1] };
    let error = array(1, 1, Granularity::Weight).step(&layer(&case), Activations::Integer(&case.input)).unwrap_err();
    assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
}
