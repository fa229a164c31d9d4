//! Does the cost follow from the size of the layer and of the arrays?

use analog::{AnalogArray, AnalogError, Departures, StepEnergy, event, idle};
use engine::{
    Activations, Arithmetic, Cycles, EngineError, Event, Joules, Layer, LayerRun, MacEngine, Occupancy, SteppedEngine,
};
use esn::{CodeTensor, Grid};
use network::Geometry;
use testkit::check_all;

use crate::common;

/// 4 → 6 channels in 2 groups, 3 × 3, on 5 × 4 pixels twice: 18 rows and 3 columns a group, 40 positions.
fn geometry() -> Geometry {
    common::two_groups([5, 4], 2)
}

fn weights(code: i32) -> CodeTensor {
    let mut codes = vec![code; 108];
    codes[17] = 0;
    CodeTensor::new(Grid::MidRise, geometry().weight_shape(), codes).expect("codes are on the grid")
}

fn array(rows: Option<usize>, columns: Option<usize>, arrays: usize) -> AnalogArray {
    AnalogArray::new("array", rows, columns, arrays, Joules(0.5)).expect("the description is valid")
}

fn run(array: &AnalogArray, code: i32) -> LayerRun {
    let (geometry, weights) = (geometry(), weights(code));
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    array.run(&layer).expect("an analog array holds every layer")
}

#[test]
fn the_ideal_array_takes_a_cycle_a_position_and_wastes_no_cell() {
    let run = run(&array(None, None, 1), 3);
    assert_eq!(run.cycles, Cycles(40));
    assert_eq!(run.occupancy, Occupancy { used: 40 * 108, offered: 40 * 108 });
    assert_eq!(run.idle, [(idle::ROW_EDGE, 0), (idle::COLUMN_EDGE, 0), (idle::NO_WORK, 0)]);
    assert_eq!(run.ledger.count(Event::MAC), 40 * 107 * 9);
    assert_eq!(run.ledger.energy(), Joules(0.5 * 40.0 * 107.0 * 9.0));
}

#[test]
fn tiles_and_arrays_change_time_and_occupancy_but_not_energy() {
    // rows, columns, arrays; cycles; cells of an array, and of all tiles at a row edge and at a column edge
    let cases = [
        (None, None, 7, 6, 108, 0, 0),
        (Some(18), Some(3), 1, 80, 54, 0, 0),
        (Some(16), Some(2), 1, 40 * 2 * 2 * 2, 32, 2 * (32 - 18) * 4, 2 * 18),
        (Some(16), Some(2), 3, 107, 32, 112, 36),
        (Some(16), None, 1, 40 * 2 * 2, 48, 2 * 14 * 3, 0),
        (None, Some(2), 1, 40 * 2 * 2, 36, 0, 36),
        (Some(64), Some(64), 1, 80, 4096, 2 * 46 * 64, 2 * 18 * 61),
        (Some(1), Some(1), 1, 40 * 108, 1, 0, 0),
    ];
    check_all(cases, |&(rows, columns, arrays, cycles, cells, row_edge, column_edge)| {
        let run = run(&array(rows, columns, arrays), -5);
        assert_eq!(run.cycles, Cycles(cycles), "{rows:?} x {columns:?}, {arrays}");
        let offered = cycles * arrays as u128 * cells;
        let edges = 40 * (row_edge + column_edge);
        assert_eq!(run.occupancy, Occupancy { used: 40 * 108, offered }, "{rows:?} x {columns:?}");
        let idle = [
            (idle::ROW_EDGE, 40 * row_edge),
            (idle::COLUMN_EDGE, 40 * column_edge),
            (idle::NO_WORK, offered - 40 * 108 - edges),
        ];
        assert_eq!(run.idle, idle, "{rows:?} x {columns:?}");
        assert_eq!(run.ledger.count(Event::MAC), 40 * 107 * 25);
    });
}

#[test]
fn descriptions_of_nothing_are_refused() {
    let new = |rows, columns, arrays, joules| AnalogArray::new("array", rows, columns, arrays, Joules(joules));
    assert_eq!(new(Some(0), None, 1, 1.0), Err(AnalogError::Zero("rows")));
    assert_eq!(new(None, Some(0), 1, 1.0), Err(AnalogError::Zero("columns")));
    assert_eq!(new(None, None, 0, 1.0), Err(AnalogError::Zero("arrays")));
    let found = (1 << 31) + 1;
    assert_eq!(new(Some(found), None, 1, 1.0), Err(AnalogError::TooLarge { what: "rows", found }));
    assert_eq!(new(None, None, 1, 0.0), Err(AnalogError::Energy(0.0)));
    assert_eq!(new(None, None, 1, f64::INFINITY), Err(AnalogError::Energy(f64::INFINITY)));
}

/// 40 positions, each a step of the one array; no weight adds to it.
#[test]
fn equal_cells_spend_by_the_array_and_are_never_ideal() {
    let bare = AnalogArray::of_equal_cells("array", None, None, 1).expect("the description is valid");
    assert!(!bare.is_ideal());
    let step = StepEnergy { array: Joules(2.0), ..StepEnergy::default() };
    let array = bare.with(Departures { step, ..Departures::default() }).expect("no contradiction");
    for code in [1, 7] {
        assert_eq!(run(&array, code).ledger.energy(), Joules(2.0 * 40.0));
    }
    assert_eq!(AnalogArray::of_equal_cells("array", Some(0), None, 1), Err(AnalogError::Zero("rows")));
}

#[test]
fn both_machines_refuse_the_same_inputs() {
    let (geometry, weights) = (geometry(), weights(1));
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let array = array(Some(8), Some(8), 1);
    let held = array.prepare(&layer).expect("an analog array holds every layer");
    let mut nan = [0.0f32; 160];
    nan[3] = f32::NAN;
    let name = || "layer".to_string();
    let cases = [
        (Activations::Integer(&[0; 160]), EngineError::Arithmetic { layer: name(), expected: Arithmetic::Real }),
        (Activations::Real(&[0.0; 80]), EngineError::Shape { layer: name(), what: "input", expected: 160, found: 80 }),
        (
            Activations::Real(&nan),
            EngineError::Activation {
                layer: name(),
                index: 3,
                value: "NaN".to_string(),
                expected: "real activations must be finite",
            },
        ),
    ];
    check_all(cases, |(input, error)| {
        assert_eq!(held.forward(*input), Err(error.clone()));
        assert_eq!(array.step(&layer, *input), Err(error.clone()));
    });
}

/// Files have these words, in columns and objects that are read by name.
#[test]
fn events_and_causes_have_the_names_of_reports() {
    let events = [event::BIAS, event::DAC, event::ADC, event::ADDITION].map(|event| event.name());
    assert_eq!(events, ["bias", "dac", "adc", "addition"]);
    assert_eq!([idle::ROW_EDGE, idle::COLUMN_EDGE].map(|cause| cause.name()), ["row edge", "column edge"]);
}
