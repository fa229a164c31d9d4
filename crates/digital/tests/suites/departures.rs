//! Do departures from the ideal cost what they say, in both engines, and nothing where they vanish?

use Shown::{Idle, Spent};
use digital::{
    Barrier, Buffers, DepartureEnergies, Departures, DigitalArray, Element, Granularity, PlaneSkipping, Schedule,
    ZeroActivations, ZeroSkipping, event, idle,
};
use engine::{Activations, Event, IdleCause, Joules, Layer, LayerRun, MacEngine, Outputs, SteppedEngine};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use proptest::prelude::*;
use testkit::check_all;

use crate::common::departures::departed_arrays;
use crate::common::{self, Case, array, arrays, cases, seven_loops, with_zeros};

fn layer(case: &Case) -> Layer<'_> {
    Layer::new("test", &case.geometry, &case.codes).expect("the shapes agree")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_machine_and_the_counts_agree(case in cases(), pattern in any::<u64>(), array in departed_arrays()) {
        let case = with_zeros(case, pattern);
        let input = Activations::Integer(&case.input);
        let stepped = array.step(&layer(&case), input).unwrap();
        let counted = array.run_on(&layer(&case), input).unwrap();
        prop_assert_eq!(&stepped.run, &counted);
        prop_assert_eq!(&stepped.outputs, &Outputs::Integer(seven_loops(&case)));
        let idle: u128 = counted.idle.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(counted.occupancy.offered - counted.occupancy.used, idle);
        let offered = counted.cycles.0 * array.spec().rows as u128 * array.spec().pes_per_row as u128;
        prop_assert_eq!(counted.occupancy.offered, offered);
        let dense = array.run(&layer(&case)).unwrap();
        if array.cost_depends_on_input() {
            prop_assert!(counted.occupancy.used <= dense.occupancy.used);
            let [counted, dense] = [&counted, &dense].map(|run| run.ledger.count(Event::MAC));
            prop_assert!(counted <= dense);
        } else {
            prop_assert_eq!(&counted, &dense);
        }
    }

    /// What the ideal counts is all there: executed, skipped, or saved on a zero activation.
    #[test]
    fn the_ideal_is_part_of_every_ledger(case in cases(), pattern in any::<u64>(), array in departed_arrays()) {
        let case = with_zeros(case, pattern);
        let ideal = common::array(1, 1, array.useful_granularity()).run(&layer(&case)).unwrap();
        let input = Activations::Integer(&case.input);
        for run in [array.run(&layer(&case)).unwrap(), array.run_on(&layer(&case), input).unwrap()] {
            let parts = [Event::MAC, event::SKIPPED_PLANES, event::ON_ZERO_ACTIVATIONS].map(|event| run.ledger.count(event));
            prop_assert_eq!(parts.iter().sum::<u128>(), ideal.ledger.count(Event::MAC));
        }
    }

    /// Departures that are spelled out at zero change nothing.
    #[test]
    fn departures_that_vanish_leave_the_ideal(case in cases(), array in arrays(), tile in 1u64..100) {
        let natural = match array.spec().granularity {
            Granularity::Weight => ZeroSkipping::Weights,
            Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => ZeroSkipping::Filters,
        };
        let departures = Departures {
            supported_widths: (1..=17).collect(),
            zero_skipping: Some(natural),
            buffers: Buffers { weight_bits_per_row: Some(tile), ..Buffers::default() },
            ..Departures::default()
        };
        let same = array.clone().with_departures(departures).unwrap();
        prop_assert_eq!(same.is_ideal(), array.is_ideal());
        prop_assert_eq!(same.run(&layer(&case)).unwrap(), array.run(&layer(&case)).unwrap());
    }

    /// One element waits for no other, so the order of filters changes nothing.
    #[test]
    fn one_element_has_no_schedule(case in cases(), filter in any::<bool>(), barrier in any::<bool>()) {
        let granularity = if filter { Granularity::Filter } else { Granularity::Weight };
        let barrier = if barrier { Barrier::Filter } else { Barrier::Position };
        let departures = Departures { schedule: Schedule::LongestFirst, barrier, ..Departures::default() };
        let ideal = array(1, 1, granularity);
        let same = ideal.clone().with_departures(departures).unwrap();
        prop_assert!(same.is_ideal());
        let [a, b] = [&ideal, &same].map(|array| array.run(&layer(&case)).unwrap());
        prop_assert_eq!((a.cycles, a.ledger, a.occupancy), (b.cycles, b.ledger, b.occupancy));
    }
}

/// A 1×1 convolution over a line of `positions`, mid-rise.
fn line(filters: usize, channels: usize, positions: usize, codes: &[i32]) -> Case {
    let spec = GeometrySpec::convolution(channels, filters, [1, 1], [positions, 1]);
    let geometry = Geometry::new(spec).unwrap();
    let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), codes.to_vec()).unwrap();
    let input = vec![1; geometry.input_len()];
    Case { geometry, codes, input }
}

fn run(array: DigitalArray, departures: Departures, case: &Case) -> LayerRun {
    let array = array.with_departures(departures).expect("no contradiction");
    assert!(!array.is_ideal());
    let run = array.run_on(&layer(case), Activations::Integer(&case.input)).unwrap();
    assert_eq!(run, array.step(&layer(case), Activations::Integer(&case.input)).unwrap().run);
    run
}

/// 8-bit multipliers that take two of four: ten positions on one element.
#[test]
fn a_pattern_halves_a_layer_that_follows_it_and_no_other() {
    let unit = Joules(1.0);
    let departures = Departures {
        element: Element { planes_per_cycle: 8, splits: false },
        zero_skipping: Some(ZeroSkipping::Pattern { keep: 2, of: 4 }),
        index_bits_per_nonzero: 2,
        energy: DepartureEnergies { weight_bit: unit, index_bit: unit, ..DepartureEnergies::default() },
        ..Departures::default()
    };
    // Codes, cycles of a position, zeros that are computed, bits of the weights and of the indices that are decoded.
    let cases = [
        ([7, 0, 0, 5, 0, 3, 0, 0], 4, 1, 4 * (8 + 2), 4 * 2),
        ([7, 0, 0, 5, 0, 3, 0, 1], 4, 0, 4 * (8 + 2), 4 * 2),
        ([7, 1, 0, 5, 0, 3, 0, 0], 8, 4, 8 * 8, 0),
    ];
    check_all(cases, |(codes, cycles, zeros, bits, index)| {
        let run = run(array(1, 1, Granularity::Fixed(8)), departures.clone(), &line(1, 8, 10, codes));
        assert_eq!(run.cycles.0, 10 * cycles);
        assert_eq!(run.ledger.count(event::COMPUTED_ZEROS), 10 * 8 * zeros);
        assert_eq!((run.ledger.count(event::WEIGHT_FETCH), run.ledger.count(event::INDEX)), (*bits, 10 * index));
    });
}

/// A granularity, a departure, the entry or cause that shows it, its count, and the cycles of the layer.
type Row = (Granularity, Departures, Shown, u128, u128);

/// Runs each departure alone, on one element. The layer has two filters of three weights of 1, 3 and 0, then 2, 0 and 0
/// planes, over four positions; without a departure it takes 24 cycles.
fn each_shows_alone(table: impl IntoIterator<Item = Row>) {
    let case = line(2, 3, 4, &[1, -7, 0, 3, 0, 0]);
    check_all(table, |&(granularity, ref departures, shown, count, cycles)| {
        let run = run(array(1, 1, granularity), departures.clone(), &case);
        assert_eq!(count_of(&run, shown), count, "{shown:?}: {departures:?}");
        assert_eq!(run.cycles.0, cycles, "{shown:?}: {departures:?}");
    });
}

#[test]
fn widths_and_planes_that_are_computed_show_alone() {
    use Granularity::{Filter, Fixed, Layer as OfLayer, Weight};
    let none = Departures::default;
    each_shows_alone([
        (Weight, Departures { supported_widths: vec![2, 4], ..none() }, Spent(event::WIDTH_ROUNDING), 8, 32),
        // The third channel is pruned; the ideal of shared widths computes 3·2 + 2·2 planes a position.
        (OfLayer, none(), Spent(event::WIDTH_ROUNDING), 4 * 2, 48),
        (Fixed(4), none(), Spent(event::WIDTH_ROUNDING), 4 * (2 + 4), 64),
        (
            Filter,
            Departures { zero_skipping: Some(ZeroSkipping::Weights), ..none() },
            Spent(event::WIDTH_ROUNDING),
            8,
            32,
        ),
        (
            Filter,
            Departures { zero_skipping: Some(ZeroSkipping::None), ..none() },
            Spent(event::COMPUTED_ZEROS),
            20,
            60,
        ),
        (
            Weight,
            Departures { zero_skipping: Some(ZeroSkipping::Filters), ..none() },
            Spent(event::COMPUTED_ZEROS),
            4,
            28,
        ),
        (
            Weight,
            Departures { zero_skipping: Some(ZeroSkipping::None), ..none() },
            Spent(event::COMPUTED_ZEROS),
            12,
            36,
        ),
        (
            Weight,
            Departures { plane_skipping: PlaneSkipping::ZeroPlanes, ..none() },
            Spent(event::SKIPPED_PLANES),
            0,
            24,
        ),
        (Weight, Departures { plane_skipping: PlaneSkipping::Csd, ..none() }, Spent(event::SKIPPED_PLANES), 4, 20),
    ]);
}

#[test]
fn departures_in_time_show_alone() {
    use Granularity::Weight;
    let none = Departures::default;
    let element = |planes_per_cycle| Element { planes_per_cycle, splits: false };
    each_shows_alone([
        (Weight, Departures { element: element(17), ..none() }, Spent(Event::MAC), 24, 12),
        (Weight, Departures { element: element(2), ..none() }, Spent(Event::MAC), 24, 16),
        (Weight, Departures { fill_cycles_per_tile: 5, ..none() }, Idle(idle::PIPELINE_FILL), 10, 34),
        (Weight, Departures { fill_cycles_per_group: 5, ..none() }, Idle(idle::PIPELINE_FILL), 40, 64),
        (Weight, Departures { index_cycles_per_nonzero: 2, ..none() }, Idle(idle::INDEX_DECODING), 24, 48),
        (Weight, Departures { zero_activations: ZeroActivations::Skip, ..none() }, Idle(idle::ZERO_ACTIVATION), 0, 24),
    ]);
}

#[test]
fn departures_in_energy_show_alone() {
    use Granularity::Weight;
    let none = Departures::default;
    let energy = |energy: DepartureEnergies| Departures { energy, ..none() };
    let unit = Joules(1e-15);
    let buffers = |weights| Buffers { bits_per_partial_sum: 10, weight_bits_per_row: weights, ..Buffers::default() };
    let sums = DepartureEnergies { partial_sum_bit: unit, ..Default::default() };
    let inputs = DepartureEnergies { activation_bit: unit, ..Default::default() };
    let of_input = |activation_bits| Buffers { bits_per_activation: 8, activation_bits, ..Buffers::default() };
    let index = DepartureEnergies { index_bit: unit, ..Default::default() };
    each_shows_alone([
        (Weight, Departures { index_bits_per_nonzero: 5, energy: index, ..none() }, Spent(event::INDEX), 60, 24),
        (
            Weight,
            energy(DepartureEnergies { array_cycle: unit, ..Default::default() }),
            Spent(event::ARRAY_CONTROL),
            24,
            24,
        ),
        (
            Weight,
            energy(DepartureEnergies { row_cycle: unit, ..Default::default() }),
            Spent(event::ROW_CONTROL),
            24,
            24,
        ),
        // A row is controlled while it works (24), fills (5 cycles in 8 groups) and decodes (2 cycles for 3 weights in 4
        // groups).
        (
            Weight,
            Departures {
                fill_cycles_per_group: 5,
                index_cycles_per_nonzero: 2,
                energy: DepartureEnergies { row_cycle: unit, ..Default::default() },
                ..none()
            },
            Spent(event::ROW_CONTROL),
            24 + 40 + 24,
            24 + 40 + 24,
        ),
        (Weight, energy(DepartureEnergies { idle_pe_cycle: unit, ..Default::default() }), Spent(event::IDLE), 0, 24),
        (
            Weight,
            energy(DepartureEnergies { weight_bit: unit, ..Default::default() }),
            Spent(event::WEIGHT_FETCH),
            // Six weights of three bits, and one bit more for a zero among them.
            24,
            24,
        ),
        (Weight, Departures { buffers: buffers(None), energy: sums, ..none() }, Spent(event::PARTIAL_SUMS), 80, 24),
        (Weight, Departures { buffers: buffers(Some(3)), energy: sums, ..none() }, Spent(event::PARTIAL_SUMS), 160, 24),
        (
            Weight,
            Departures { buffers: of_input(None), energy: inputs, ..none() },
            Spent(event::ACTIVATION_FETCH),
            64,
            24,
        ),
        (
            Weight,
            Departures { buffers: of_input(Some(64)), energy: inputs, ..none() },
            Spent(event::ACTIVATION_FETCH),
            64,
            24,
        ),
        (
            Weight,
            Departures { buffers: of_input(Some(63)), energy: inputs, ..none() },
            Spent(event::ACTIVATION_FETCH),
            128,
            24,
        ),
    ]);
}

/// What shows a departure.
#[derive(Clone, Copy, Debug)]
enum Shown {
    Spent(Event),
    Idle(IdleCause),
}

/// The count of a ledger entry or an idle cause that is there.
fn count_of(run: &LayerRun, shown: Shown) -> u128 {
    let count = match shown {
        Spent(event) => run.ledger.entry(event).map(|entry| entry.count),
        Idle(cause) => run.idle.iter().find(|(known, _)| *known == cause).map(|(_, count)| *count),
    };
    count.unwrap_or_else(|| panic!("{shown:?} is neither in {:?} nor in {:?}", run.ledger, run.idle))
}

#[test]
fn rows_wait_at_barriers() {
    // Rows take 1 then 3, and 3 then 1 cycles.
    let case = line(4, 1, 1, &[1, 7, 7, 1]);
    let cases = [
        (Barrier::None, Schedule::LongestFirst, 4, None, 0),
        (Barrier::Filter, Schedule::InOrder, 6, Some(2), 2),
        (Barrier::Position, Schedule::InOrder, 6, Some(2), 2),
        (Barrier::Filter, Schedule::LongestFirst, 4, Some(0), 0),
    ];
    check_all(cases, |&(barrier, schedule, cycles, waiting, early)| {
        let departures = Departures { barrier, schedule, ..Departures::default() };
        let run = run(array(2, 1, Granularity::Weight), departures, &case);
        assert_eq!(
            (run.cycles.0, count_of(&run, Idle(idle::ROW_FINISHED_EARLY))),
            (cycles, early),
            "{barrier:?} {schedule:?}"
        );
        assert_eq!(waiting, (barrier != Barrier::None).then(|| count_of(&run, Idle(idle::SYNCHRONIZATION))));
    });
}

#[test]
fn wide_elements_split() {
    let case = line(1, 5, 1, &[3, 1, 3, -1, 3]);
    let with = |planes_per_cycle, supported_widths: &[u32]| Departures {
        element: Element { planes_per_cycle, splits: true },
        supported_widths: supported_widths.to_vec(),
        ..Departures::default()
    };
    let cases = [(with(8, &[]), 2, 0), (with(4, &[]), 3, 0), (with(3, &[]), 5, 0), (with(8, &[4, 8]), 3, 10)];
    check_all(cases, |&(ref departures, cycles, rounding)| {
        let run = run(array(1, 1, Granularity::Filter), departures.clone(), &case);
        assert_eq!((run.cycles.0, run.ledger.count(Event::MAC)), (cycles, 10));
        assert_eq!(run.ledger.count(event::WIDTH_ROUNDING), rounding);
    });
}

#[test]
fn zero_activations_are_gated_and_skipped() {
    // Two channels over four positions, two elements: the first group of channel 0 is all zeros, its second half.
    let mut case = line(1, 2, 4, &[7, 1]);
    case.input = vec![0, 0, 0, 5, 1, 1, 1, 1];
    check_all([(ZeroActivations::Gate, 8, 9), (ZeroActivations::Skip, 5, 3)], |&(zero_activations, cycles, idling)| {
        let departures = Departures { zero_activations, ..Departures::default() };
        let array = array(1, 2, Granularity::Weight).with_departures(departures.clone()).unwrap();
        assert!(array.cost_depends_on_input());
        let run = run(array, departures, &case);
        assert_eq!((run.cycles.0, count_of(&run, Idle(idle::ZERO_ACTIVATION))), (cycles, idling));
        assert_eq!((run.ledger.count(Event::MAC), run.ledger.count(event::ON_ZERO_ACTIVATIONS)), (3 + 4, 9));
    });
}

#[test]
fn weights_wider_than_the_array_are_refused() {
    let case = line(2, 4, 1, &[1, 1, 1, 1, 1, 1, 1, 31]);
    let supported = Departures { supported_widths: vec![2, 4], ..Departures::default() };
    let arrays = [
        (array(1, 1, Granularity::Fixed(4)), "fixed_width_bits"),
        (array(1, 1, Granularity::Weight).with_departures(supported).unwrap(), "supported_widths_bits"),
    ];
    check_all(arrays, |(array, key)| {
        let message = format!("layer test: unsupported: weight 3 of filter 1 needs 5 planes; {key} allows 4 at most");
        let layer = layer(&case);
        assert_eq!(array.run(&layer).unwrap_err().to_string(), message);
        assert_eq!(array.step(&layer, Activations::Integer(&case.input)).unwrap_err().to_string(), message);
        assert_eq!(array.prepare(&layer).map(drop).unwrap_err().to_string(), message);
    });
}
