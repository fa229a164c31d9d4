//! Does an observer see what the rows multiply, and why they do not?

use digital::{Barrier, Departures, DigitalArray, Element, Granularity, ZeroActivations, idle};
use engine::{Activations, Elements, IdleCause, Lane, Layer, Parts, SteppedEngine};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use proptest::prelude::*;
use testkit::{Seen, Watch};

use crate::common::departures::departed_arrays;
use crate::common::{Case, array, cases, seven_loops};

fn layer(case: &Case) -> Layer<'_> {
    Layer::new("test", &case.geometry, &case.codes).expect("the shapes agree")
}

fn watch(array: &DigitalArray, case: &Case) -> Watch {
    let mut watch = Watch::default();
    array.trace(&layer(case), Activations::Integer(&case.input), &mut watch).expect("the input is valid");
    watch
}

/// A 1×1 convolution over a line of `positions`.
fn line(filters: usize, input: &[i32], codes: &[i32]) -> Case {
    let channels = codes.len() / filters;
    let spec = GeometrySpec::convolution(channels, filters, [1, 1], [input.len() / channels, 1]);
    let geometry = Geometry::new(spec).expect("the geometry is valid");
    let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), codes.to_vec()).expect("codes are on the grid");
    Case { geometry, codes, input: input.to_vec() }
}

/// Cycles of lane 0, from the first on: weight, code, weights, plane, its value, and of every element the activation, the product
/// and the accumulator.
type Step = (usize, i32, u32, u32, i64, Vec<(i32, i64, i64)>);

fn steps(watch: &Watch) -> Vec<Step> {
    let of_lane = |seen: &Seen| {
        let work = seen.lanes[0].1.work().expect("the row has work in every cycle");
        let Elements::OneWeight { code, weights, plane, plane_value, elements } = &work.elements else {
            panic!("the elements of a row share a weight")
        };
        let elements = elements.iter().map(|pe| (pe.activation, pe.product, pe.accumulator)).collect();
        (work.weight, *code, *weights, *plane, *plane_value, elements)
    };
    watch.cycles.iter().map(of_lane).collect()
}

#[test]
fn a_row_shows_weight_plane_activations_products_and_sums() {
    // 5 = −1 + 2 + 4 times 1 and 2; −3 = −1 − 2 times 3 and 4.
    let watch = watch(&array(1, 2, Granularity::Weight), &line(1, &[1, 2, 3, 4], &[5, -3]));
    let expected: [Step; 5] = [
        (0, 5, 1, 0, -1, vec![(1, -1, 0), (2, -2, 0)]),
        (0, 5, 1, 1, 2, vec![(1, 2, -1), (2, 4, -2)]),
        (0, 5, 1, 2, 4, vec![(1, 4, 1), (2, 8, 2)]),
        (1, -3, 1, 0, -1, vec![(3, -3, 5), (4, -4, 10)]),
        (1, -3, 1, 1, -2, vec![(3, -6, 2), (4, -8, 6)]),
    ];
    assert_eq!(steps(&watch), expected);
    assert!(watch.cycles.iter().flat_map(|seen| &seen.lanes).all(|(index, lane)| *index == 0 && lane.is_busy()));
}

#[test]
fn a_cycle_of_several_weights_adds_all_their_products() {
    // Elements of 4 planes take two weights of 2 planes a cycle: 3 · 10 − 1 · 20, then 3 · 30.
    let departures = Departures { element: Element { planes_per_cycle: 4, splits: true }, ..Departures::default() };
    let wide = array(1, 1, Granularity::Filter).with_departures(departures).expect("they are valid");
    let watch = watch(&wide, &line(1, &[10, 20, 30], &[3, -1, 3]));
    assert_eq!(steps(&watch), [(0, 3, 2, 0, 3, vec![(10, 10, 0)]), (2, 3, 1, 0, 3, vec![(30, 90, 10)])]);
}

#[test]
fn only_rows_and_elements_that_have_work_are_there() {
    // Eight rows of four elements; the second of three filters is pruned, and there are two positions.
    let watch = watch(&array(8, 4, Granularity::Weight), &line(3, &[7, 9], &[3, 0, 1]));
    assert_eq!(watch.parts, Parts { lanes: vec![0, 2], elements: 2, stages: Vec::new() });
    let last = &watch.cycles[1].lanes;
    assert!(last[0].1.is_busy(), "3 has two planes");
    assert_eq!(last[1], (2, Lane::Free(Some(idle::ROW_FINISHED_EARLY))), "1 has one");
}

/// The causes of a row, cycle by cycle; none where it is busy.
fn causes(departures: Departures, case: &Case, row: usize) -> Vec<Option<IdleCause>> {
    let rows = case.geometry.spec().filters;
    let array = array(rows, 2, Granularity::Weight).with_departures(departures).expect("they are valid");
    watch(&array, case).cycles.iter().map(|seen| seen.lanes[row].1.idle_cause()).collect()
}

#[test]
fn a_row_says_why_it_does_no_work() {
    let [fill, decoding, waiting, zero, early] = [
        idle::PIPELINE_FILL,
        idle::INDEX_DECODING,
        idle::SYNCHRONIZATION,
        idle::ZERO_ACTIVATION,
        idle::ROW_FINISHED_EARLY,
    ]
    .map(Some);
    let plain = Departures::default;
    // Filters of 1 and of 2 planes, at positions 0 and 1, then 2.
    let two_rows = line(2, &[1, 2, 3], &[1, 3]);
    let filled = Departures { fill_cycles_per_group: 1, ..plain() };
    assert_eq!(causes(filled, &two_rows, 0), [fill, None, fill, None, early, early]);
    let decoded = Departures { index_bits_per_nonzero: 1, index_cycles_per_nonzero: 2, ..plain() };
    assert_eq!(causes(decoded, &two_rows, 1), [decoding, decoding, None, None, decoding, decoding, None, None]);
    let barrier = Departures { barrier: Barrier::Position, ..plain() };
    assert_eq!(causes(barrier, &two_rows, 0), [None, waiting, None, early]);
    // Positions 0 and 1 of the first channel are 0.
    let zeros = line(1, &[0, 0, 5, 1, 1, 1], &[1, 1]);
    let gated = Departures { zero_activations: ZeroActivations::Gate, ..plain() };
    assert_eq!(causes(gated, &zeros, 0), [zero, None, None, None]);
}

proptest! {
    /// What the lanes show as products, added up, is the convolution; what they show as accumulators is their sum so far.
    #[test]
    fn products_add_up_to_the_convolution(mut case in cases(), array in departed_arrays()) {
        case.input.iter_mut().step_by(3).for_each(|x| *x = 0);
        let spec = *case.geometry.spec();
        let per_repeat = case.geometry.positions_per_repeat();
        let mut sums = vec![0i64; case.geometry.output_len()];
        let watch = watch(&array, &case);
        for (index, lane) in watch.cycles.iter().flat_map(|seen| &seen.lanes) {
            prop_assert!(watch.parts.lanes.contains(index));
            let Some(work) = lane.work() else { continue };
            let Elements::OneWeight { code, elements, .. } = &work.elements else { panic!("rows share a weight") };
            prop_assert_eq!(*code, case.codes.filter(work.filter)[work.weight]);
            prop_assert!(lane.is_busy() || elements.iter().all(|pe| pe.product == 0));
            prop_assert!(elements.len() <= watch.parts.elements);
            for (position, pe) in (work.position..).zip(elements) {
                let (repeat, in_repeat) = (position / per_repeat, position % per_repeat);
                let sum = &mut sums[(repeat * spec.filters + work.filter) * per_repeat + in_repeat];
                prop_assert_eq!(pe.accumulator, *sum);
                let place = [in_repeat / case.geometry.out_size()[1], in_repeat % case.geometry.out_size()[1]];
                let group = work.filter / case.geometry.columns();
                let read = case.geometry.input_index(group, work.weight, place[0], place[1]);
                let of_repeat = repeat * (case.geometry.input_len() / spec.repeats);
                prop_assert_eq!(pe.activation, read.map_or(0, |index| case.input[of_repeat + index]));
                *sum += pe.product;
            }
        }
        prop_assert_eq!(sums, seven_loops(&case));
    }
}
