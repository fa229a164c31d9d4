//! Does the cycle-by-cycle machine agree with the fast one?

use analog::AnalogArray;
use engine::{Activations, Event, Joules, Layer, MacEngine, Observer, Outputs, SteppedEngine};
use esn::CodeTensor;
use network::Geometry;
use proptest::prelude::*;

use crate::common::{bits, layers};

fn arrays() -> impl Strategy<Value = AnalogArray> {
    let extent = || prop_oneof![Just(None), (1usize..=40).prop_map(Some), Just(Some(1 << 31))];
    (extent(), extent(), 1usize..=9).prop_map(|(rows, columns, arrays)| {
        AnalogArray::new("array", rows, columns, arrays, Joules(1e-15)).expect("the description is valid")
    })
}

/// An observer that adds up what it sees.
#[derive(Default)]
struct Sum {
    cycles: u128,
    active: u128,
    count: u128,
}

impl Observer for Sum {
    fn cycle(&mut self, cycle: u128, active: u64, count: u128) {
        assert_eq!(cycle, self.cycles, "cycles come one after another");
        self.cycles += 1;
        self.active += u128::from(active);
        self.count += count;
    }
}

/// Sums in twice the precision, and the sum of their terms' magnitudes.
fn reference(geometry: &Geometry, weights: &CodeTensor, input: &[f32]) -> Vec<(f64, f64)> {
    let weights: Vec<f64> = weights.codes().iter().map(|&code| f64::from(code) / 2.0).collect();
    let input: Vec<f64> = input.iter().map(|&x| f64::from(x)).collect();
    let magnitudes = |numbers: &[f64]| numbers.iter().map(|x| x.abs()).collect::<Vec<f64>>();
    let sums = testkit::sums(geometry, &weights, &input);
    sums.into_iter().zip(testkit::sums(geometry, &magnitudes(&weights), &magnitudes(&input))).collect()
}

proptest! {
    #[test]
    fn stepped_equals_fast((geometry, weights, input) in layers(), array in arrays()) {
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let input = Activations::Real(&input);
        let stepped = array.step(&layer, input).expect("the input is valid");
        let run = array.run(&layer).expect("an analog array holds every layer");
        prop_assert_eq!(&stepped.run, &run);
        let idle: u128 = run.idle.iter().map(|(_, cells)| cells).sum();
        prop_assert_eq!(idle, run.occupancy.offered - run.occupancy.used);
        let held = array.prepare(&layer).expect("an analog array holds every layer");
        let outputs = held.forward(input).expect("the input is valid");
        prop_assert_eq!(bits(&stepped.outputs), bits(&outputs));
    }

    #[test]
    fn an_observer_sees_every_cycle_and_every_unit((geometry, weights, input) in layers(), array in arrays()) {
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let mut machine = array.load(&layer, Activations::Real(&input)).expect("the input is valid");
        let mut seen = Sum::default();
        while machine.advance(&mut seen) {
            prop_assert_eq!((machine.cycle(), machine.count()), (seen.cycles, seen.count));
        }
        let run = machine.finish().run;
        prop_assert_eq!((seen.cycles, seen.count), (run.cycles.0, run.ledger.count(Event::MAC)));
        let live = weights.codes().iter().filter(|&&code| code != 0).count() as u128;
        prop_assert_eq!(seen.active, live * u128::from(geometry.positions()));
    }

    #[test]
    fn outputs_are_close_to_double_precision((geometry, weights, input) in layers(), array in arrays()) {
        let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
        let held = array.prepare(&layer).expect("an analog array holds every layer");
        let Ok(Outputs::Real(outputs)) = held.forward(Activations::Real(&input)) else { panic!("the input is valid") };
        let expected = reference(&geometry, &weights, &input);
        prop_assert_eq!(outputs.len(), expected.len());
        for (sum, (expected, magnitude)) in outputs.iter().zip(expected) {
            let tolerance = 2.0 * geometry.rows() as f64 * f64::from(f32::EPSILON) * magnitude;
            prop_assert!((f64::from(*sum) - expected).abs() <= tolerance, "{} is not {}", sum, expected);
        }
    }
}
