//! Does the check catch an engine that counts wrongly? Each engine here counts by plain loops, every MAC on its own, with
//! one deliberate error; the check must fail on it, and pass without the error. It only counts, so that what else an
//! engine may offer is unsupported.

use engine::{
    Arithmetic, Cycles, EngineError, Event, Joules, Layer, LayerRun, Ledger, MacEngine, Occupancy, PreparedLayer,
    WeightFormat, WeightMemory,
};
use esn::BitConvention;
use network::{LayerId, Network};
use runner::trace::{TracePlan, trace};
use runner::{CostPlan, Hardware, Metric, NetworkCost, Quantization, Verdict, cost, step_all};
use testkit::{check_all, int, int_list, model};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    UnitFree,
    PowerOfTwoOneBitShort,
    PaddingDropped,
    PrunedCharged,
    GroupsDense,
    PositionLost,
}

/// Counts every MAC of every position by itself.
struct PlainEngine {
    metric: Metric,
    mutation: Mutation,
}

impl PlainEngine {
    fn planes(&self, code: i32) -> u128 {
        let magnitude = code.unsigned_abs();
        if magnitude == 1 && self.mutation == Mutation::UnitFree {
            return 0;
        }
        let bits = (1..).find(|&n| 1u32 << n >= magnitude).expect("codes have at most 17 bits");
        let short = magnitude > 1 && magnitude.is_power_of_two() && self.mutation == Mutation::PowerOfTwoOneBitShort;
        bits - u128::from(short)
    }

    fn mac(&self, code: i32) -> u128 {
        match (code, self.metric) {
            (0, _) => u128::from(self.mutation == Mutation::PrunedCharged),
            (_, Metric::EsnA) => u128::from(code.unsigned_abs()).pow(2),
            (_, Metric::EsnD | Metric::EsnDFilter) => self.planes(code),
        }
    }

    fn count(&self, layer: &Layer<'_>) -> u128 {
        let (geometry, weights) = (layer.geometry(), layer.weights());
        let [height, width] = geometry.out_size();
        let mut positions: Vec<(usize, usize)> = (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).collect();
        if self.mutation == Mutation::PositionLost {
            positions.pop();
        }
        let dense = if self.mutation == Mutation::GroupsDense { geometry.spec().groups as u128 } else { 1 };
        let mut count = 0;
        for filter in 0..geometry.spec().filters {
            for (row, &code) in weights.filter(filter).iter().enumerate() {
                for &(y, x) in &positions {
                    let padding = geometry.input_index(filter / geometry.columns(), row, y, x).is_none();
                    let dropped = padding && self.mutation == Mutation::PaddingDropped;
                    count += if dropped { 0 } else { dense * self.mac(code) };
                }
            }
        }
        count
    }
}

impl MacEngine for PlainEngine {
    fn name(&self) -> &str {
        "plain"
    }

    fn arithmetic(&self) -> Arithmetic {
        match self.metric {
            Metric::EsnA => Arithmetic::Real,
            Metric::EsnD | Metric::EsnDFilter => Arithmetic::Integer,
        }
    }

    fn weight_format(&self) -> WeightFormat {
        WeightFormat::Dense
    }

    fn run(&self, layer: &Layer<'_>) -> Result<LayerRun, EngineError> {
        let count = self.count(layer);
        let mut ledger = Ledger::new();
        ledger.add(Event::MAC, count, Joules(1.0));
        let cycles = match self.metric {
            Metric::EsnA => u128::from(layer.geometry().positions()),
            Metric::EsnD | Metric::EsnDFilter => count,
        };
        Ok(LayerRun {
            cycles: Cycles(cycles),
            ledger,
            occupancy: Occupancy::default(),
            idle: Vec::new(),
            memory: WeightMemory::default(),
        })
    }

    fn prepare(&self, layer: &Layer<'_>) -> Result<Box<dyn PreparedLayer>, EngineError> {
        Err(EngineError::Unsupported {
            layer: layer.name().to_string(),
            problem: "this engine only counts".to_string(),
        })
    }
}

/// Two layers with padding, groups and pruned weights: the first real (mid-rise), the second integer (mid-tread, with
/// powers of two).
fn network() -> Network {
    let first: Vec<f32> = (0..4 * 9).map(|i| if i % 5 == 0 { 0.0 } else { (i as f32 * 0.7).sin() }).collect();
    let second: Vec<i8> = (0..4 * 2 * 9).map(|i| [0, 1, -2, 4, -8, 3, 16][i % 7]).collect();
    let conv = |group| vec![int_list("pads", &[1, 1, 1, 1]), int("group", group)];
    model()
        .input("x", &[0, 2, 5, 4])
        .floats("w1", &[4, 1, 3, 3], &first)
        .int8s("w2", &[4, 2, 3, 3], &second)
        .floats("scale", &[], &[0.5])
        .int8s("zero", &[], &[0])
        .node_with("Conv", &["x", "w1"], &["y1"], conv(2))
        .node("DequantizeLinear", &["w2", "scale", "zero"], &["w2_real"])
        .node_with("Conv", &["y1", "w2_real"], &["y2"], conv(2))
        .returning("y2")
        .read()
}

/// The ideal hardware of a metric, with the plain engine in it.
fn plain(metric: Metric, mutation: Mutation) -> Hardware {
    let mut hardware = Hardware::ideal();
    let wanted = hardware.iter().position(|h| h.metric == metric).expect("each metric has an ideal engine");
    let mut this = hardware.swap_remove(wanted);
    this.engine = Box::new(PlainEngine { metric, mutation });
    this
}

fn cost_with(metric: Metric, mutation: Mutation) -> NetworkCost {
    let network = network();
    let plan = CostPlan {
        network: &network,
        hardware: &[plain(metric, mutation)],
        quantization: Quantization::new(None),
        convention: BitConvention::NonzeroAtLeastOne,
    };
    cost(&plan).expect("the engine counts")
}

#[test]
fn the_plain_engines_pass() {
    check_all([Metric::EsnA, Metric::EsnD], |&metric| {
        assert!(cost_with(metric, Mutation::None).passes(), "{metric:?}");
    });
}

#[test]
fn every_mutation_of_the_digital_engine_fails() {
    let cases = [
        Mutation::UnitFree,
        Mutation::PowerOfTwoOneBitShort,
        Mutation::PaddingDropped,
        Mutation::PrunedCharged,
        Mutation::GroupsDense,
        Mutation::PositionLost,
    ];
    check_all(cases, |&mutation| assert!(!cost_with(Metric::EsnD, mutation).passes(), "{mutation:?} is not caught"));
}

#[test]
fn every_mutation_of_the_analog_engine_fails() {
    let cases = [Mutation::PaddingDropped, Mutation::PrunedCharged, Mutation::GroupsDense, Mutation::PositionLost];
    check_all(cases, |&mutation| assert!(!cost_with(Metric::EsnA, mutation).passes(), "{mutation:?} is not caught"));
}

#[test]
fn the_layer_that_differs_is_named() {
    let cost = cost_with(Metric::EsnD, Mutation::PowerOfTwoOneBitShort);
    let verdicts: Vec<Verdict> = cost.layers.iter().map(|layer| layer.runs[0].check.verdict).collect();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail], "only the integer layer has powers of two");
}

#[test]
fn an_engine_without_a_stepped_machine_says_so() {
    let (network, hardware) = (network(), plain(Metric::EsnD, Mutation::None));
    let quantization = Quantization::new(None);
    let plan = TracePlan {
        network: &network,
        hardware: &hardware,
        quantization,
        layer: LayerId(0),
        cycles: Some((0, 1)),
        lanes: 1,
        elements: 1,
        image: None,
        activation_bits: 8,
        calibration_images: 1,
        progress: &|_| {},
    };
    let errors = [
        step_all(&network, std::slice::from_ref(&hardware), quantization, &|| ()).map(drop).expect_err("no machine"),
        trace(&plan).map(drop).expect_err("no machine"),
    ];
    check_all(errors, |error| {
        let message = network::chain(error);
        assert!(message.ends_with(": unsupported: this engine has no stepped machine"), "{message}");
    });
}
