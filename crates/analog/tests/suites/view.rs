//! Does an observer see what the cells multiply, what is in which stage, and why arrays wait?

use analog::{Adc, AnalogArray, Dac, Departures, Resolution, idle};
use engine::{Activations, Cell, Elements, IdleCause, Joules, Lane, Layer, Parts, StageWork, SteppedEngine};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use proptest::prelude::*;
use testkit::{Seen, Watch};

use crate::common::layers;

/// A 1×1 convolution over a line of positions.
fn line(filters: usize, channels: usize, positions: usize, codes: &[i32]) -> (Geometry, CodeTensor) {
    let spec = GeometrySpec::convolution(channels, filters, [1, 1], [positions, 1]);
    let geometry = Geometry::new(spec).expect("the geometry is valid");
    let weights =
        CodeTensor::new(Grid::MidRise, geometry.weight_shape(), codes.to_vec()).expect("codes are on the grid");
    (geometry, weights)
}

fn array(rows: Option<usize>, columns: Option<usize>, arrays: usize, departures: Departures) -> AnalogArray {
    let array = AnalogArray::new("array", rows, columns, arrays, Joules(1.0)).expect("the description is valid");
    array.with(departures).expect("they are valid")
}

fn watch(array: &AnalogArray, (geometry, weights): &(Geometry, CodeTensor), input: &[f32]) -> Watch {
    let layer = Layer::new("layer", geometry, weights).expect("shapes agree");
    let mut watch = Watch::default();
    array.trace(&layer, Activations::Real(input), &mut watch).expect("the input is valid");
    watch
}

/// The cells of a lane as code, activation and product, and its sum.
fn cells(lane: &Lane) -> (Vec<(i32, f32, f32)>, f32) {
    let Elements::OneSum { cells, accumulator } = &lane.work().expect("the lane has work").elements else {
        panic!("the cells of a column share a sum")
    };
    (cells.iter().map(|&Cell { code, activation, product }| (code, activation, product)).collect(), *accumulator)
}

#[test]
fn a_column_shows_codes_activations_products_and_its_sum() {
    // Tiles of two rows: weights 1.5 and −0.5 at two positions, then 2.5.
    let layer = line(1, 3, 2, &[3, -1, 5]);
    let watch = watch(&array(Some(2), Some(1), 1, Departures::default()), &layer, &[1.0, 2.0, 10.0, 20.0, 4.0, 6.0]);
    assert_eq!(watch.parts, Parts { lanes: vec![0], elements: 2, stages: vec!["array"] });
    let seen: Vec<_> = watch.cycles.iter().map(|seen| cells(&seen.lanes[0].1)).collect();
    let expected = [
        (vec![(3, 1.0, 1.5), (-1, 10.0, -5.0)], 0.0),
        (vec![(3, 2.0, 3.0), (-1, 20.0, -10.0)], 0.0),
        (vec![(5, 4.0, 10.0)], -3.5),
        (vec![(5, 6.0, 15.0)], -7.0),
    ];
    assert_eq!(seen, expected);
    let places: Vec<_> = watch.cycles.iter().filter_map(|seen| seen.lanes[0].1.work()).collect();
    let places: Vec<_> = places.iter().map(|work| (work.filter, work.position, work.weight)).collect();
    assert_eq!(places, [(0, 0, 0), (0, 1, 0), (0, 0, 2), (0, 1, 2)]);
}

#[test]
fn the_bits_of_an_input_are_its_steps() {
    // A DAC of 3 bits, one bit a step, the lowest first: 5 is 1, 0, 1, and 3 is 1, 1, 0.
    let dac =
        Dac { bits: 3, bits_per_step: 1, energy: Joules(0.0), cycles: 0, rows_per_converter: 1, full_scale: Some(7.0) };
    let departures = Departures { dac: Some(dac), ..Departures::default() };
    let watch = watch(&array(None, None, 1, departures), &line(1, 2, 1, &[5, -3]), &[5.0, 3.0]);
    let seen: Vec<_> = watch.cycles.iter().map(|seen| (cells(&seen.lanes[0].1).0, seen.stages.clone())).collect();
    let step = |step| vec![Some(StageWork { position: 0, step, waits: false })];
    let expected = [
        (vec![(5, 1.0, 2.5), (-3, 1.0, -1.5)], step(0)),
        (vec![(5, 0.0, 0.0), (-3, 1.0, -1.5)], step(1)),
        (vec![(5, 1.0, 2.5), (-3, 0.0, 0.0)], step(2)),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn stages_hold_one_vector_each_and_arrays_say_what_they_wait_for() {
    let dac =
        Dac { bits: 8, bits_per_step: 8, energy: Joules(0.0), cycles: 2, rows_per_converter: 1, full_scale: None };
    let adc = |cycles| Adc {
        resolution: Resolution::Exact,
        unipolar: false,
        energy: Joules(0.0),
        cycles,
        columns_per_converter: 1,
    };
    // Conversions of 2 and of 3 cycles, two positions: each as the position that a stage holds, ! where it waits.
    let departures = Departures { dac: Some(dac), adc: Some(adc(3)), ..Departures::default() };
    let watch = watch(&array(None, None, 1, departures), &line(1, 1, 2, &[3]), &[1.0, 2.0]);
    assert_eq!(watch.parts.stages, ["dac", "array", "adc"]);
    let drawn = |stage: &Option<StageWork>| match stage {
        None => "-".to_string(),
        Some(work) => format!("{}{}", work.position, if work.waits { "!" } else { "" }),
    };
    let seen: Vec<String> =
        watch.cycles.iter().map(|seen| seen.stages.iter().map(drawn).collect::<Vec<_>>().join(" ")).collect();
    let expected = ["0 - -", "0 - -", "1 0 -", "1 - 0", "- 1 0", "- 1! 0", "- - 1", "- - 1", "- - 1"];
    assert_eq!(seen, expected);
    let causes: Vec<Option<IdleCause>> = watch.cycles.iter().map(|seen| seen.lanes[0].1.idle_cause()).collect();
    let wait = Some(idle::ADC);
    assert_eq!(causes, [wait, wait, None, wait, None, wait, wait, wait, wait]);
    assert!(
        matches!(watch.cycles[8].lanes[0].1, Lane::Free(Some(cause)) if cause == idle::ADC),
        "nothing is left to drive"
    );
}

#[test]
fn only_filters_of_the_first_array_are_there() {
    // Three tiles of two columns at two positions, dealt to four arrays: the first has pair 0, tile 0, and pair 4, tile 2.
    let layer = line(6, 1, 2, &[1; 6]);
    let watch = watch(&array(None, Some(2), 4, Departures::default()), &layer, &[1.0, 1.0]);
    assert_eq!(watch.parts.lanes, [0, 1, 4, 5]);
    assert!(watch.cycles[0].lanes[0].1.is_busy() && watch.cycles[0].lanes[2].1 == Lane::Free(None));
    assert!(watch.cycles[1].lanes[0].1 == Lane::Free(None) && watch.cycles[1].lanes[2].1.is_busy());
}

proptest! {
    /// What the first and only array shows as products, added up, is the convolution, differential or not.
    #[test]
    fn products_add_up_to_the_convolution(
        (geometry, weights, input) in layers(),
        rows in 1usize..=20,
        differential in any::<bool>(),
    ) {
        // Small whole numbers, so that no sum is rounded.
        let input: Vec<f32> = input.iter().enumerate().map(|(i, _)| (i % 7) as f32 - 3.0).collect();
        let numbers: Vec<f32> = weights.codes().iter().map(|&code| code as f32 / 2.0).collect();
        let per_repeat = geometry.positions_per_repeat();
        let mut sums = vec![0.0f32; geometry.output_len()];
        let departures = Departures { differential, ..Departures::default() };
        let layer = (geometry, weights);
        for Seen { lanes, .. } in watch(&array(Some(rows), None, 1, departures), &layer, &input).cycles {
            for work in lanes.iter().filter_map(|(_, lane)| lane.work()) {
                let Elements::OneSum { cells, .. } = &work.elements else { panic!("columns have one sum") };
                let (repeat, position) = (work.position / per_repeat, work.position % per_repeat);
                let index = (repeat * geometry.spec().filters + work.filter) * per_repeat + position;
                sums[index] += cells.iter().map(|cell| cell.product).sum::<f32>();
                let codes = layer.1.filter(work.filter)[work.weight..].iter();
                prop_assert!(cells.iter().zip(codes).all(|(cell, &code)| cell.code == code));
            }
        }
        prop_assert_eq!(sums, testkit::sums(&geometry, &numbers, &input));
    }
}
