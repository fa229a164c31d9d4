//! Do departures from the ideal cost what they should, on both machines, and nothing where they are none?

use analog::{
    Adc, AnalogArray, Bias, Coding, Columns, Dac, Departures, Law, Memory, Noise, Pulses, Reference, Resolution,
    StepEnergy, WeightLaw, event, idle,
};
use engine::{
    Activations, Conversions, EnergyGroup, EngineError, Event, Joules, Layer, LayerRun, MacEngine, Outputs,
    SteppedEngine,
};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use proptest::prelude::*;
use testkit::check_all;

use crate::common::{self, bits, layers};

fn joules() -> impl Strategy<Value = Joules> {
    prop_oneof![Just(Joules(0.0)), Just(Joules(2e-13))]
}

fn dacs() -> impl Strategy<Value = Dac> {
    let steps = (1u32..=6).prop_flat_map(|bits| (Just(bits), 1..=bits));
    (steps, joules(), 0u64..=3, 1usize..=5, prop_oneof![Just(None), Just(Some(4.0))]).prop_map(
        |((bits, bits_per_step), energy, cycles, rows_per_converter, full_scale)| Dac {
            bits,
            bits_per_step,
            energy,
            cycles,
            rows_per_converter,
            full_scale,
        },
    )
}

fn adcs() -> impl Strategy<Value = Adc> {
    let resolution = prop_oneof![
        Just(Resolution::Exact),
        (2u32..=9).prop_map(|bits| Resolution::MaxSum { bits }),
        (2u32..=9, 0.1f64..100.0).prop_map(|(bits, full_scale)| Resolution::Fixed { bits, full_scale }),
    ];
    (resolution, any::<bool>(), joules(), 0u64..=3, 1usize..=5).prop_map(
        |(resolution, unipolar, energy, cycles, columns_per_converter)| Adc {
            resolution,
            unipolar,
            energy,
            cycles,
            columns_per_converter,
        },
    )
}

fn laws() -> impl Strategy<Value = Law> {
    let weight =
        prop_oneof![Just(WeightLaw::AmplitudeSquared), Just(WeightLaw::FixedSupply), Just(WeightLaw::Conductance)];
    (weight, any::<bool>()).prop_map(|(weight, input_dependent)| Law {
        weight,
        input_dependent: input_dependent || weight == WeightLaw::Conductance,
        assumed_mean_square: None,
    })
}

fn biases() -> impl Strategy<Value = Bias> {
    let reference = prop_oneof![Just(Reference::Layer), Just(Reference::Column), Just(Reference::Array)];
    let quiescent = prop_oneof![Just(0.0), Just(1.0), 0.0f64..=1.0];
    (quiescent, reference).prop_map(|(quiescent, reference)| Bias { quiescent, reference })
}

/// Errors of the cells that are the same in every read.
fn errors() -> impl Strategy<Value = Noise> {
    let part = || prop_oneof![Just(0.0), Just(0.2)];
    (any::<u64>(), part(), any::<bool>(), part(), part()).prop_map(
        |(seed, programming, programming_of_weight, ir_drop_rows, ir_drop_columns)| Noise {
            seed,
            programming,
            programming_of_weight,
            ir_drop_rows,
            ir_drop_columns,
            ..Noise::default()
        },
    )
}

fn memories() -> impl Strategy<Value = Memory> {
    (prop::option::of(1u64..2000), 1u64..=16, 1u64..=32, joules(), joules()).prop_map(
        |(activation_bits, bits_per_activation, bits_per_partial_sum, activation_bit, partial_sum_bit)| Memory {
            activation_bits,
            bits_per_activation,
            bits_per_partial_sum,
            activation_bit,
            partial_sum_bit,
        },
    )
}

fn columns() -> impl Strategy<Value = Columns> {
    (prop::option::of(1u32..=6), any::<bool>(), 0u32..=3).prop_map(|(bits, joined, accumulators)| Columns {
        bits,
        joined: joined && bits.is_some(),
        accumulators,
    })
}

fn steps() -> impl Strategy<Value = StepEnergy> {
    (joules(), joules(), joules()).prop_map(|(cell, idle_cell, array)| StepEnergy { cell, idle_cell, array })
}

fn pulses() -> impl Strategy<Value = Pulses> {
    (any::<bool>(), joules(), joules(), 1u64..=3).prop_map(|(count, pulse, integration, cycles)| Pulses {
        coding: if count { Coding::Count } else { Coding::Bits },
        pulse,
        integration: if count { Joules(0.0) } else { integration },
        cycles,
        assumed_mean: None,
    })
}

/// What goes with columns of bits and with pulses, and what does not, is decided here.
fn in_memory() -> impl Strategy<Value = Departures> {
    (columns(), steps(), prop::option::of(pulses()), joules(), any::<bool>()).prop_map(
        |(columns, step, pulses, output, bits)| {
            let law = if bits { Law { weight: WeightLaw::Bits, ..Law::default() } } else { Law::default() };
            let columns = if bits { Columns { bits: Some(1), ..columns } } else { columns };
            let step = if bits { step } else { StepEnergy { cell: Joules(0.0), ..step } };
            Departures { columns, step, pulses, output, law, ..Departures::default() }
        },
    )
}

fn departures() -> impl Strategy<Value = Departures> {
    let flags = (any::<bool>(), any::<bool>(), joules(), memories());
    let in_memory = prop_oneof![Just(Departures::default()), in_memory()];
    (flags, laws(), biases(), prop::option::of(dacs()), prop::option::of(adcs()), errors(), in_memory).prop_map(
        |((differential, sequential, addition, memory), law, bias, dac, adc, noise, in_memory)| {
            let of_bits = in_memory.law.weight == WeightLaw::Bits;
            let law = if dac.is_some() && !of_bits { law } else { in_memory.law };
            let bias = if of_bits { Bias::default() } else { bias };
            let pulses = in_memory.pulses.filter(|_| dac.is_some());
            let exact = in_memory.columns.bits.is_some() && !in_memory.columns.joined;
            let resolution = |adc: Adc| if exact { Resolution::Exact } else { adc.resolution };
            let adc = adc.map(|adc| Adc { resolution: resolution(adc), ..adc });
            let departures = Departures { differential, sequential, addition, law, bias, dac, adc, ..in_memory };
            Departures { noise, memory, pulses, ..departures }
        },
    )
}

fn arrays() -> impl Strategy<Value = AnalogArray> {
    let extent = || prop_oneof![Just(None), (1usize..=12).prop_map(Some), Just(Some(1 << 31))];
    (extent(), extent(), 1usize..=5, departures())
        .prop_map(|(rows, columns, arrays, departures)| array(rows, columns, arrays).with(departures).expect("valid"))
}

fn array(rows: Option<usize>, columns: Option<usize>, arrays: usize) -> AnalogArray {
    AnalogArray::new("array", rows, columns, arrays, Joules(1e-15)).expect("the description is valid")
}

fn ideal(departures: Departures) -> AnalogArray {
    array(None, None, 1).with(departures).expect("the description is valid")
}

fn outputs(array: &AnalogArray, layer: &Layer<'_>, input: &[f32]) -> Outputs {
    let held = array.prepare(layer).expect("an analog array holds every layer");
    held.forward(Activations::Real(input)).expect("the input is valid")
}

/// All departures, with values at which each vanishes. What else a section says then changes nothing.
fn none() -> impl Strategy<Value = Departures> {
    (departures(), any::<bool>()).prop_map(|(departures, converters)| Departures {
        differential: false,
        law: Law::default(),
        bias: Bias { quiescent: 0.0, ..departures.bias },
        dac: None,
        adc: departures.adc.filter(|_| converters).map(|adc| Adc {
            resolution: Resolution::Exact,
            energy: Joules(0.0),
            cycles: 0,
            ..adc
        }),
        noise: Noise { programming: 0.0, ir_drop_rows: 0.0, ir_drop_columns: 0.0, ..departures.noise },
        memory: Memory { activation_bit: Joules(0.0), partial_sum_bit: Joules(0.0), ..departures.memory },
        columns: Columns::default(),
        step: StepEnergy::default(),
        pulses: None,
        output: Joules(0.0),
        ..departures
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn stepped_equals_fast((geometry, weights, input) in layers(), array in arrays()) {
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let stepped = array.step(&layer, Activations::Real(&input));
        let run = array.run_on(&layer, Activations::Real(&input));
        let (stepped, run) = match (stepped, run) {
            (Ok(stepped), Ok(run)) => (stepped, run),
            // An array has too few columns for one filter.
            (stepped, run) => {
                let few = matches!(&run, Err(EngineError::Unsupported { problem, .. }) if problem.contains("columns"));
                prop_assert!(few, "{:?}", run);
                prop_assert_eq!(stepped.err(), run.err());
                return Ok(());
            }
        };
        prop_assert_eq!(&stepped.run, &run);
        prop_assert_eq!(bits(&stepped.outputs), bits(&outputs(&array, &layer, &input)));
        let idle: u128 = run.idle.iter().map(|(_, cells)| cells).sum();
        prop_assert_eq!(idle, run.occupancy.offered - run.occupancy.used);
        if !array.cost_depends_on_input() {
            prop_assert_eq!(array.run(&layer), Ok(run));
        }
    }

    #[test]
    fn departures_at_zero_are_none((geometry, weights, input) in layers(), none in none()) {
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let (ideal, none) = (array(None, None, 1), array(None, None, 1).with(none).expect("valid"));
        prop_assert!(none.is_ideal());
        prop_assert_eq!(none.run(&layer), ideal.run(&layer));
        prop_assert_eq!(bits(&outputs(&none, &layer, &input)), bits(&outputs(&ideal, &layer, &input)));
    }

    #[test]
    fn what_is_called_ideal_costs_the_same((geometry, weights, input) in layers(), departures in departures()) {
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let other = ideal(departures);
        if other.is_ideal() {
            prop_assert_eq!(other.run_on(&layer, Activations::Real(&input)), array(None, None, 1).run(&layer));
        }
    }

    #[test]
    fn errors_of_cells_cost_nothing((geometry, weights, input) in layers(), noise in errors()) {
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let array = ideal(Departures { noise: Noise { read: 0.1, ..noise }, ..Departures::default() });
        prop_assert!(array.is_ideal());
        let stepped = array.step(&layer, Activations::Real(&input)).expect("the input is valid");
        prop_assert_eq!(Ok(stepped.run), ideal(Departures::default()).run(&layer));
    }

    #[test]
    fn a_conversion_is_at_most_half_a_step_off((geometry, weights, input) in layers(), rows in 1usize..=20) {
        // Whole numbers, so that sums are exact, and without more of them than a float holds.
        let small: Vec<i32> = weights.codes().iter().map(|code| code.clamp(&-15, &15) / 2 * 2).collect();
        let weights = CodeTensor::new(Grid::MidTread, geometry.weight_shape(), small).expect("codes are even");
        let input: Vec<f32> = input.iter().map(|x| x.round()).collect();
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let top = input.iter().fold(0.0f32, |top, x| top.max(x.abs()));
        let adc = adc(Resolution::MaxSum { bits: 8 }, false);
        let rounded = array(Some(rows), None, 1).with(Departures { adc: Some(adc), ..Departures::default() });
        let Outputs::Real(rounded) = outputs(&rounded.expect("valid"), &layer, &input) else { panic!("it is analog") };
        let Outputs::Real(exact) = outputs(&array(Some(rows), None, 1), &layer, &input) else { panic!("it is analog") };
        let per_filter = geometry.positions_per_repeat();
        for (i, (rounded, exact)) in rounded.iter().zip(&exact).enumerate() {
            let codes = weights.filter(i / per_filter % geometry.spec().filters);
            let sum: f32 = codes.iter().map(|code| code.unsigned_abs() as f32 / 2.0).sum();
            prop_assert!((rounded - exact).abs() <= sum * top / 127.0 * 0.5001, "{} is not {}", rounded, exact);
        }
    }
}

fn adc(resolution: Resolution, unipolar: bool) -> Adc {
    Adc { resolution, unipolar, energy: Joules(3.0), cycles: 0, columns_per_converter: 1 }
}

fn dac(bits: u32, bits_per_step: u32) -> Dac {
    Dac { bits, bits_per_step, energy: Joules(2.0), cycles: 0, rows_per_converter: 1, full_scale: None }
}

/// 4 → 6 channels in 2 groups, 3 × 3, on 5 × 4 pixels twice: 18 rows and 3 columns a group, 40 positions.
fn geometry() -> Geometry {
    common::two_groups([5, 4], 2)
}

/// Codes of 3, and 5 in the first row of every filter; row 17 of the first filter is pruned.
fn weights() -> CodeTensor {
    let mut codes: Vec<i32> = (0..108).map(|i| if i % 18 == 0 { 5 } else { -3 }).collect();
    codes[17] = 0;
    CodeTensor::new(Grid::MidRise, geometry().weight_shape(), codes).expect("codes are on the grid")
}

fn run(array: &AnalogArray, input: f32) -> LayerRun {
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    array.run_on(&layer, Activations::Real(&[input; 160])).expect("an analog array holds every layer")
}

#[test]
fn conversions_and_additions_follow_the_tiles() {
    let departures = Departures {
        dac: Some(dac(4, 2)),
        adc: Some(adc(Resolution::MaxSum { bits: 8 }, false)),
        addition: Joules(1.0),
        ..Departures::default()
    };
    let differential = Departures { differential: true, ..departures.clone() };
    // rows, columns, departures; dac, adc, additions, cells of all tiles
    let cases = [
        (None, None, &departures, 40 * 2 * 36, 40 * 2 * 6, 240, 108),
        (Some(16), Some(2), &departures, 40 * 2 * 2 * 18 * 2, 40 * 2 * 2 * 2 * 3, 240 * 3, 256),
        (None, None, &differential, 40 * 2 * 36, 40 * 2 * 12, 240 * 3, 216),
        (Some(16), Some(4), &differential, 40 * 2 * 2 * 18 * 2, 40 * 2 * 2 * 2 * 6, 240 * 7, 512),
    ];
    check_all(cases, |&(rows, columns, departures, dac, adc, additions, cells)| {
        let run = run(&array(rows, columns, 1).with(departures.clone()).expect("valid"), 1.0);
        let counts = [event::DAC, event::ADC, event::ADDITION].map(|event| run.ledger.count(event));
        assert_eq!(counts, [dac, adc, additions], "{rows:?} x {columns:?}");
        assert_eq!(run.occupancy.offered, 40 * 2 * cells, "{rows:?} x {columns:?}");
        assert_eq!(run.ledger.count(Event::MAC), 40 * (6 * 25 + 101 * 9));
    });
}

/// By hand: 160 activations; 240 outputs; a group of 18 rows and 3 columns, or 6 columns in pairs.
#[test]
fn activations_and_partial_sums_move_as_tiles_say() {
    let memory = |activation_bits| Memory {
        activation_bits,
        bits_per_activation: 8,
        bits_per_partial_sum: 32,
        activation_bit: Joules(1.0),
        partial_sum_bit: Joules(2.0),
    };
    // rows, columns, differential, buffer; times that the input is fetched, moves of each output
    let cases = [
        (None, None, false, Some(1), 1, 1),
        (None, None, true, None, 1, 1),
        (Some(16), Some(2), false, None, 1, 3),
        (Some(16), Some(2), false, Some(160 * 8), 1, 3),
        (Some(16), Some(2), false, Some(160 * 8 - 1), 2, 3),
        (Some(4), Some(2), true, Some(1), 3, 9),
        (None, Some(1), false, Some(1), 3, 1),
    ];
    check_all(cases, |&(rows, columns, differential, buffer, fetches, moves)| {
        let departures = Departures { differential, memory: memory(buffer), ..Departures::default() };
        let array = array(rows, columns, 1).with(departures).expect("valid");
        let ledger = run(&array, 1.0).ledger;
        let counts = [event::ACTIVATION_FETCH, event::PARTIAL_SUMS].map(|event| ledger.count(event));
        assert_eq!(counts, [160 * 8 * fetches, 240 * 32 * moves], "{rows:?} x {columns:?}, {buffer:?}");
        assert_eq!(ledger.energy_of(EnergyGroup::Memory), Joules((counts[0] + 2 * counts[1]) as f64));
        assert!(!array.is_ideal());
    });
}

/// Every column has sums of −3 on inputs of 1: half of the conversions of a unipolar converter clip, those of the filters
/// whose weights are negative.
#[test]
fn conversions_that_clip_are_counted() {
    let geometry = Geometry::new(GeometrySpec::convolution(1, 2, [1, 1], [1, 4])).expect("it is a geometry");
    let weights = CodeTensor::new(Grid::MidTread, geometry.weight_shape(), vec![6, -6]).expect("codes are even");
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let cases = [
        (adc(Resolution::MaxSum { bits: 8 }, false), [8, 0]),
        (adc(Resolution::MaxSum { bits: 8 }, true), [8, 4]),
        (adc(Resolution::Fixed { bits: 8, full_scale: 3.0 }, false), [8, 0]),
        (adc(Resolution::Fixed { bits: 8, full_scale: 2.0 }, false), [8, 8]),
        (adc(Resolution::Exact, true), [0, 0]),
    ];
    check_all(cases, |&(adc, expected)| {
        let array = ideal(Departures { adc: Some(adc), ..Departures::default() });
        let held = array.prepare(&layer).expect("an analog array holds every layer");
        let mut conversions = Conversions::default();
        held.forward_counting(Activations::Real(&[1.0; 4]), &mut conversions).expect("the input is valid");
        assert_eq!([conversions.total, conversions.clipped], expected, "{adc:?}");
    });
}

#[test]
fn conversions_take_their_cycles() {
    // Cycles of a DAC and an ADC conversion, and those sharing; sequential; cycles of 40 vectors in 2 steps.
    let cases = [
        ((0, 1), (0, 1), false, 80),
        ((1, 1), (0, 1), false, 81),
        ((1, 1), (1, 1), false, 82),
        ((2, 1), (1, 1), false, 2 + 1 + 1 + 79 * 2),
        ((1, 4), (1, 8), false, 4 + 1 + 6 + 79 * 6),
        ((1, 4), (1, 8), true, 80 * 11),
        ((0, 9), (0, 9), true, 80),
        ((1, 1 << 31), (0, 1), false, 36 + 1 + 79 * 36),
    ];
    check_all(cases, |&((dac_cycles, rows), (adc_cycles, columns), sequential, cycles)| {
        let departures = Departures {
            dac: Some(Dac { cycles: dac_cycles, rows_per_converter: rows, ..dac(4, 2) }),
            adc: Some(Adc { cycles: adc_cycles, columns_per_converter: columns, ..adc(Resolution::Exact, false) }),
            sequential,
            ..Departures::default()
        };
        let run = run(&ideal(departures), 1.0);
        assert_eq!(run.cycles.0, cycles, "{dac_cycles} {rows} {adc_cycles} {columns}");
        // The unbounded array has 108 cells, which are read in 80 cycles. The slower conversion is what they wait for.
        let [dac, adc] = [dac_cycles * rows.min(36) as u64, adc_cycles * columns.min(6) as u64];
        let waits = [(dac >= adc && dac > 0, idle::DAC), (adc > dac, idle::ADC)];
        for (_, cause) in waits.iter().filter(|(waits, _)| *waits) {
            assert_eq!(
                run.idle.last(),
                Some(&(*cause, (cycles - 80) * 108)),
                "{dac_cycles} {rows} {adc_cycles} {columns}"
            );
        }
        assert_eq!(run.idle.len(), 3 + usize::from(dac + adc > 0), "{dac_cycles} {rows} {adc_cycles} {columns}");
    });
}

#[test]
fn class_a_burns_the_same_for_every_weight() {
    // What all MACs together burn, in units of the law; quarters of the amplitude of the reference.
    let macs = 40 * 108;
    let cases = [
        (Reference::Layer, None, macs * 25),
        (Reference::Column, None, macs * 25),
        // Tiles of 9 rows: the second of each filter holds no 5.
        (Reference::Column, Some(9), 40 * (54 * 25 + 54 * 9)),
        (Reference::Array, Some(9), 40 * (54 * 25 + 54 * 9)),
        (Reference::Layer, Some(9), macs * 25),
    ];
    check_all(cases, |&(reference, rows, expected)| {
        let bias = Bias { quiescent: 1.0, reference };
        let ledger =
            run(&array(rows, None, 1).with(Departures { bias, ..Departures::default() }).expect("valid"), 0.0).ledger;
        assert_eq!(
            (ledger.count(Event::MAC) << 20) + ledger.count(event::BIAS),
            expected << 20,
            "{reference:?} {rows:?}"
        );
    });
    // Class AB at half the energy of the largest amplitude: 12.5 for all but 5² = 25.
    let bias = Bias { quiescent: 0.5, reference: Reference::Layer };
    let ledger = run(&ideal(Departures { bias, ..Departures::default() }), 0.0).ledger;
    // The pruned weight burns 12.5, each of 101 weights 12.5 − 9, and each 5 nothing.
    assert_eq!(ledger.count(event::BIAS), (40 * (25 + 101 * 7)) << 19);
}

/// How often row `row` of a group reads a pixel, and not padding, in both repeats.
fn pixels_read(row: usize) -> u128 {
    let geometry = geometry();
    let read = (0..20).filter(|position| geometry.input_index(0, row, position / 4, position % 4).is_some());
    2 * read.count() as u128
}

#[test]
fn laws_of_energy_are_what_they_say() {
    type OfCode = fn(u128) -> u128;
    let cases: [(WeightLaw, OfCode); 3] = [
        (WeightLaw::AmplitudeSquared, |c| c * c),
        (WeightLaw::FixedSupply, |c| 5 * c),
        (WeightLaw::Conductance, |c| c),
    ];
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    check_all(cases, |&(weight, of_code)| {
        let law = Law { weight, input_dependent: true, assumed_mean_square: Some(0.5) };
        let array = ideal(Departures { law, dac: Some(dac(2, 2)), ..Departures::default() });
        // Every pixel drives its row at full scale, which is 3.
        let on_input = run(&array, 7.5).ledger;
        let of_cell = |(i, code): (usize, &i32)| of_code(u128::from(code.unsigned_abs())) * pixels_read(i % 18);
        let units: u128 = weights.codes().iter().enumerate().map(of_cell).sum();
        assert_eq!(on_input.count(Event::MAC), 9 * units, "{weight:?}");
        let assumed = array.run(&layer).expect("a mean square is assumed").ledger;
        let units: u128 = weights.codes().iter().map(|code| of_code(u128::from(code.unsigned_abs()))).sum();
        assert_eq!(assumed.count(Event::MAC), 40 * units * 9 / 2, "{weight:?}");
        assert_eq!(assumed.entries()[0].unit, on_input.entries()[0].unit);
        // Full scale of two bits is 3, whose square costs the unit of the description.
        assert!((assumed.entries()[0].unit.0 * 9.0 / 1e-15 - 1.0).abs() < 1e-12, "{weight:?}");
    });
}

/// In class A every cell burns the energy of the largest weight in every MAC, whatever the input is taken to be.
#[test]
fn class_a_burns_the_same_on_an_assumed_input() {
    let law = Law { input_dependent: true, assumed_mean_square: Some(0.5), ..Law::default() };
    let bias = Bias { quiescent: 1.0, reference: Reference::Layer };
    let array = ideal(Departures { law, bias, dac: Some(dac(2, 2)), ..Departures::default() });
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let ledger = array.run(&layer).expect("a mean square is assumed").ledger;
    let squares: u128 = weights.codes().iter().map(|code| u128::from(code.unsigned_abs()).pow(2)).sum();
    assert_eq!(ledger.count(Event::MAC), 40 * squares * 9 / 2);
    let whole = 40 * 108 * 25 * 9;
    assert_eq!(ledger.count(event::BIAS), (whole - ledger.count(Event::MAC)) << 20);
}

#[test]
fn energy_that_depends_on_activations_asks_for_them() {
    let law = Law { input_dependent: true, ..Law::default() };
    let array = ideal(Departures { law, dac: Some(dac(8, 8)), ..Departures::default() });
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    assert!(array.cost_depends_on_input());
    let Err(EngineError::Unsupported { problem, .. }) = array.run(&layer) else { panic!("no activations are given") };
    assert!(problem.contains("assumed_mean_square_input"), "{problem}");
    assert!(matches!(array.run_on(&layer, Activations::Real(&[0.0; 3])), Err(EngineError::Shape { .. })));
}

#[test]
fn a_count_that_does_not_fit_is_refused() {
    let law = Law { input_dependent: true, assumed_mean_square: Some(0.5), ..Law::default() };
    let bias = Bias { quiescent: 1.0, ..Bias::default() };
    let array = ideal(Departures { law, bias, dac: Some(dac(16, 16)), ..Departures::default() });
    let spec = GeometrySpec {
        in_channels: 1,
        filters: 1,
        groups: 1,
        kernel: [1, 1],
        pads: [0; 4],
        repeats: 1,
        ..*geometry().spec()
    };
    let geometry = Geometry::new(GeometrySpec { in_size: [1 << 30; 2], ..spec }).expect("it is a geometry");
    let weights = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![131_071]).expect("it has 17 bits");
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    assert!(matches!(array.run(&layer), Err(EngineError::Unsupported { .. })));
}

/// A layer of one weight, 1.5, on some inputs.
fn one_weight(departures: Departures, input: &[f32]) -> Vec<f32> {
    let geometry = Geometry::new(GeometrySpec::convolution(1, 1, [1, 1], [1, input.len()])).expect("it is a geometry");
    let weights = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![3]).expect("3 is odd");
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    match outputs(&ideal(departures), &layer, input) {
        Outputs::Real(sums) => sums,
        Outputs::Integer(_) => panic!("an analog array computes real numbers"),
    }
}

#[test]
fn converters_round_and_clip() {
    let fixed = |bits, unipolar| Departures {
        adc: Some(adc(Resolution::Fixed { bits, full_scale: 3.0 }, unipolar)),
        ..Departures::default()
    };
    let input = [1.0, 0.9, 5.0, -5.0, -1.0, 0.0];
    assert_eq!(one_weight(fixed(3, false), &input), [2.0, 1.0, 3.0, -3.0, -2.0, 0.0]);
    assert_eq!(one_weight(fixed(2, true), &input), [2.0, 1.0, 3.0, 0.0, 0.0, 0.0]);
    check_all(1..=3, |&bits_per_step| {
        let dac = Some(Dac { full_scale: Some(7.0), ..dac(3, bits_per_step) });
        let departures = Departures { dac, ..Departures::default() };
        assert_eq!(one_weight(departures, &[1.4, 2.5, -9.0, 6.6]), [1.5, 3.0, -10.5, 10.5]);
    });
    let dac = Departures { dac: Some(dac(1, 1)), ..Departures::default() };
    assert_eq!(one_weight(dac.clone(), &[4.0, 1.0, -3.0]), [6.0, 0.0, -6.0]);
    assert_eq!(one_weight(dac, &[0.0, 0.0]), [0.0, 0.0]);
}

/// One array of 18 rows and 24 columns. The layer has 18 rows, 3 columns a group, 40 positions; its codes take 3 bits.
#[test]
fn columns_of_bits_are_whole_numbers_and_all_cells_are_paid() {
    let step = StepEnergy { cell: Joules(1.0), idle_cell: Joules(1.0), array: Joules(1.0) };
    let bits = |accumulators, joined| Departures {
        columns: Columns { bits: Some(1), joined, accumulators },
        law: Law { weight: WeightLaw::Bits, ..Law::default() },
        dac: Some(dac(4, 2)),
        adc: Some(adc(Resolution::Exact, false)),
        step,
        ..Departures::default()
    };
    // Columns, accumulators, joined; tiles, other cells of filters, idle cells, conversions of columns; each of these once for
    // each position and step. The 107 nonzero weights have 2 bits in 90 cases, 3 bits in 6, and 11 more of 2.
    let ones: u128 = 6 * 3 + 101 * 2;
    let cases = [
        (24, 0, false, 2, 108 * 3 - ones, 2 * 18 * (24 - 9), 18),
        (24, 0, true, 2, 108 * 3 - ones, 2 * 18 * (24 - 9), 6),
        (24, 7, false, 4, 108 * 10 - ones, 4 * 18 * 24 - 108 * 10, 18),
        (10, 7, false, 6, 108 * 10 - ones, 0, 18),
    ];
    check_all(cases, |&(columns, accumulators, joined, tiles, other, idle, conversions)| {
        let array = array(Some(18), Some(columns), 1).with(bits(accumulators, joined)).expect("valid");
        let run = run(&array, 1.0);
        let count = |event| run.ledger.count(event);
        assert_eq!(count(Event::MAC), 40 * ones);
        let counts = [count(event::ARRAY), count(event::OTHER_CELLS), count(event::IDLE_CELLS), count(event::ADC)];
        assert_eq!(counts, [tiles, other, idle, conversions].map(|n| n * 40 * 2));
    });
}

#[test]
fn a_filter_that_an_array_cannot_hold_is_unsupported() {
    let columns = Columns { bits: Some(1), joined: false, accumulators: 7 };
    let array = array(Some(18), Some(9), 1).with(Departures { columns, ..Departures::default() }).expect("valid");
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let problem = array.run(&layer).expect_err("10 columns").to_string();
    assert!(problem.contains("a filter of 3 bits needs 10 columns, more than array.columns"), "{problem}");
    assert_eq!(array.prepare(&layer).err().map(|error| error.to_string()), Some(problem));
}

/// Inputs of 5 of 15: 4 bits, or 5 pulses; a step of 4 bits takes 15 times as long as one of 1.
#[test]
fn pulses_follow_the_coding() {
    let pulses = |coding, assumed_mean| Pulses {
        coding,
        pulse: Joules(1.0),
        integration: Joules(if coding == Coding::Bits { 1.0 } else { 0.0 }),
        cycles: 1,
        assumed_mean,
    };
    let array = |coding, mean| {
        let dac = Some(Dac { full_scale: Some(15.0), ..dac(4, 4) });
        let adc = Some(adc(Resolution::Exact, false));
        ideal(Departures { dac, adc, pulses: Some(pulses(coding, mean)), ..Departures::default() })
    };
    let (bits, count) = (run(&array(Coding::Bits, None), 5.0), run(&array(Coding::Count, None), 5.0));
    assert_eq!((bits.cycles.0, count.cycles.0), (40 * 15, 40 * 15));
    let counts = |run: &LayerRun| [run.ledger.count(event::PULSES), run.ledger.count(event::INTEGRATION)];
    assert_eq!(counts(&bits), [40 * 36 * 4, 40 * 6 * 4]);
    // Padding is not driven.
    let inside: u128 = 2 * 36 / 9 * (3 * 5 - 2) * (3 * 4 - 2);
    assert_eq!(counts(&count), [inside * 5, 0]);
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let assumed = array(Coding::Count, Some(0.2)).run(&layer).expect("a mean is assumed");
    assert_eq!(counts(&assumed), [40 * 36 * 3, 0]);
    assert!(array(Coding::Count, None).cost_depends_on_input());
    let problem = array(Coding::Count, None).run(&layer).expect_err("nothing is assumed").to_string();
    assert!(problem.contains("pulses.assumed_mean_input"), "{problem}");
}
