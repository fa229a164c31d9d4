//! Are weights that a file computes from constants those that its operators make, and integers where a quantizer is among
//! them?

use network::{LayerId, LayerWeights, Network, WeightValues};

use testkit::*;

use crate::questions::*;

/// The nodes that make weights `w` of real ones.
type Nodes = fn(Model) -> Model;

const FILTERS: usize = 2;
const LENGTH: usize = 6;

/// Weights of two filters of six, none of which lies halfway between two steps of 0.03.
const REAL: [f32; 12] = [0.031, -0.174, 0.266, -0.008, 0.5, 0.122, -0.31, 0.047, -0.066, 0.009, 0.201, -0.14];

/// A convolution whose weights `w` are computed from [`REAL`], called `r`.
fn conv(nodes: impl FnOnce(Model) -> Model) -> Model {
    let model = model()
        .input("x", &[0, 3, 1, 2])
        .floats("r", &[2, 3, 1, 2], &REAL)
        .floats("s", &[], &[0.03])
        .floats("each", &[2, 1, 1, 1], &[0.03, 0.05])
        .floats("low", &[], &[-8.0])
        .floats("high", &[], &[7.0])
        .floats("one", &[], &[1.0])
        .floats("two", &[], &[2.0])
        .floats("half", &[], &[0.5])
        .floats("none", &[], &[0.0])
        .floats("fifteen", &[], &[15.0])
        .floats("mask", &[2, 3, 1, 2], &[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
        .ints("inner", &[1, 2, 3]);
    nodes(model).node("Conv", &["x", "w"], &["y"])
}

/// Attributes of a reduction over all axes but that of filters.
fn inner_axes() -> Vec<formats::onnx::proto::AttributeProto> {
    vec![int_list("axes", &[1, 2, 3]), int("keepdims", 1)]
}

/// The mean magnitude of each filter as `m`.
fn mean_magnitude(model: Model) -> Model {
    model.node("Abs", &["r"], &["abs"]).node_with("ReduceMean", &["abs"], &["m"], inner_axes())
}

/// The mean magnitude of a filter, by a plain loop.
fn mean_of(filter: usize) -> f32 {
    let part = &REAL[filter * LENGTH..][..LENGTH];
    (part.iter().map(|w| f64::from(w.abs())).sum::<f64>() / LENGTH as f64) as f32
}

fn real(network: &Network) -> Vec<f32> {
    match network.weights(LayerId(0)).expect("readable") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected real weights, found {other:?}"),
    }
}

/// Codes are `2 · q`, or `q` for half-steps; `of` gives the integer of a weight and its filter.
fn each(of: impl Fn(f32, usize) -> i32) -> Vec<i32> {
    REAL.iter().enumerate().map(|(i, &w)| of(w, i / LENGTH)).collect()
}

fn rounded(w: f32, step: f32) -> i32 {
    (w / step).clamp(-8.0, 7.0).round_ties_even() as i32
}

/// Where codes and steps are close to the expected ones: steps within a rounding of float32.
fn check(model: &Model, expected: (&[i32], &[f32])) {
    let network = model.read();
    let (codes, steps) = codes(&network, 0);
    assert_eq!(codes, expected.0);
    assert_eq!(steps.len(), expected.1.len());
    let near = |(found, expected): (&f32, &f32)| (found - expected).abs() <= 2.0 * f32::EPSILON * expected.abs();
    assert!(steps.iter().zip(expected.1).all(near), "{steps:?} are not {:?}", expected.1);
    assert!(network.notes().is_empty(), "{:?}", network.notes());
}

#[test]
fn division_clip_rounding_and_product_are_a_quantizer() {
    let one = each(|w, _| 2 * rounded(w, 0.03));
    let cases: [(&str, Nodes); 7] = [
        ("LSQ", |m| {
            let m = m.node("Div", &["r", "s"], &["d"]).node("Clip", &["d", "low", "high"], &["c"]);
            m.node("Round", &["c"], &["q"]).node("Mul", &["q", "s"], &["w"])
        }),
        ("rounded first", |m| {
            let m = m.node("Div", &["r", "s"], &["d"]).node("Round", &["d"], &["q"]);
            m.node("Clip", &["q", "low", "high"], &["c"]).node("Mul", &["s", "c"], &["w"])
        }),
        ("Min and Max, and the opposite twice", |m| {
            let m = m.node("Div", &["r", "s"], &["d"]).node("Max", &["d", "low"], &["a"]);
            let m = m.node("Min", &["a", "high"], &["c"]).node("Round", &["c"], &["q"]).node("Neg", &["q"], &["n"]);
            m.node("Mul", &["n", "s"], &["p"]).node("Neg", &["p"], &["w"])
        }),
        ("an estimator of gradients around the rounding", |m| {
            let m = m.node("Div", &["r", "s"], &["d"]).node("Clip", &["d", "low", "high"], &["c"]);
            let m = m.node("Round", &["c"], &["q"]).node("Sub", &["q", "c"], &["e"]).node("Add", &["e", "c"], &["f"]);
            m.node("Mul", &["f", "s"], &["w"])
        }),
        ("an estimator of gradients around it all", |m| {
            let m = m.node("Div", &["r", "s"], &["d"]).node("Clip", &["d", "low", "high"], &["c"]);
            let m = m.node("Round", &["c"], &["q"]).node("Mul", &["q", "s"], &["p"]);
            m.node("Sub", &["p", "r"], &["e"]).node("Add", &["r", "e"], &["w"])
        }),
        ("the nearest integer by Floor", |m| {
            let m = m.node("Div", &["r", "s"], &["d"]).node("Add", &["d", "half"], &["e"]);
            let m = m.node("Floor", &["e"], &["q"]).node("Clip", &["q", "low", "high"], &["c"]);
            m.node("Mul", &["c", "s"], &["w"])
        }),
        ("flat, turned and back", |m| {
            let m = m.node("Div", &["r", "s"], &["d"]).ints("flat", &[2, 6]).ints("four", &[2, 3, 1, 2]);
            let m = m.node("Reshape", &["d", "flat"], &["f"]).node("Clip", &["f", "low", "high"], &["c"]);
            let m = m.node("Round", &["c"], &["q"]).node("Transpose", &["q"], &["t"]);
            let m = m.node("Mul", &["t", "s"], &["p"]).node("Transpose", &["p"], &["u"]);
            m.node("Reshape", &["u", "four"], &["w"])
        }),
    ];
    check_all(cases, |(_, nodes)| check(&conv(nodes), (&one, &[0.03])));
}

#[test]
fn each_filter_may_have_its_step() {
    let steps = [0.03, 0.05];
    let two = each(|w, filter| 2 * rounded(w, steps[filter]));
    let plain = |m: Model| {
        let m = m.node("Div", &["r", "each"], &["d"]).node("Clip", &["d", "low", "high"], &["c"]);
        m.node("Round", &["c"], &["q"])
    };
    check(&conv(|m| plain(m).node("Mul", &["q", "each"], &["w"])), (&two, &steps));
    // Scales that were expanded to all weights, on weights of two axes.
    let spread = |m: Model| m.ints("flat", &[2, 6]).ints("four", &[2, 3, 1, 2]).ints("all", &[2, 3, 1, 2]);
    let expanded = conv(|m| {
        let m = spread(plain(m)).node("Expand", &["each", "all"], &["e"]).node("Reshape", &["e", "flat"], &["f"]);
        let m = m.node("Reshape", &["q", "flat"], &["p"]).node("Mul", &["p", "f"], &["o"]);
        m.node("Reshape", &["o", "four"], &["w"])
    });
    check(&expanded, (&two, &steps));
    // A filter that is pruned has a step of 0, which says nothing.
    let pruned = conv(|m| plain(m).floats("kept", &[2, 1, 1, 1], &[0.03, 0.0]).node("Mul", &["q", "kept"], &["w"]));
    let first = each(|w, filter| if filter == 0 { 2 * rounded(w, 0.03) } else { 0 });
    check(&pruned, (&first, &[0.03, 0.03]));
}

#[test]
fn zeros_of_a_mask_are_levels_or_pruned() {
    let mask = [1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0];
    let masked = |codes: Vec<i32>| codes.iter().zip(mask).map(|(code, kept)| code * kept).collect::<Vec<i32>>();
    let lsq = conv(|m| {
        let m = m.node("Div", &["r", "s"], &["d"]).node("Clip", &["d", "low", "high"], &["c"]);
        m.node("Round", &["c"], &["q"]).node("Mul", &["q", "s"], &["p"]).node("Mul", &["p", "mask"], &["w"])
    });
    check(&lsq, (&masked(each(|w, _| 2 * rounded(w, 0.03))), &[0.03]));
    // (⌊w / s⌋ + 1/2) · s: half-steps.
    let halves = conv(|m| {
        let m = m.node("Div", &["r", "s"], &["d"]).node("Floor", &["d"], &["q"]).node("Add", &["q", "half"], &["h"]);
        let m = m.node("Mul", &["h", "s"], &["p"]).node_with("Cast", &["mask"], &["b"], vec![int("to", 9)]);
        m.node("Where", &["b", "p", "none"], &["w"])
    });
    check(&halves, (&masked(each(|w, _| 2 * (w / 0.03).floor() as i32 + 1)), &[0.03]));
    // Signs with zeros between them are whole steps.
    let signs =
        conv(|m| m.node("Sign", &["r"], &["q"]).node("Mul", &["q", "s"], &["p"]).node("Mul", &["p", "mask"], &["w"]));
    check(&signs, (&masked(each(|w, _| 2 * w.signum() as i32)), &[0.03]));
}

#[test]
fn signs_are_half_steps() {
    let signs = each(|w, _| w.signum() as i32);
    let steps = [0, 1].map(|filter| 2.0 * mean_of(filter));
    let cases: [Nodes; 5] = [
        |m| mean_magnitude(m).node("Sign", &["r"], &["q"]).node("Mul", &["q", "m"], &["w"]),
        |m| {
            // ReduceL1 / n, and the two levels of a comparison.
            let m = m.floats("count", &[], &[6.0]).node_with("ReduceL1", &["r"], &["sum"], inner_axes());
            let m = m.node("Div", &["sum", "count"], &["m"]).node("Neg", &["m"], &["n"]);
            m.node("GreaterOrEqual", &["r", "none"], &["b"]).node("Where", &["b", "m", "n"], &["w"])
        },
        |m| {
            let m = mean_magnitude(m).node("Greater", &["r", "none"], &["b"]);
            let m = m.node_with("Cast", &["b"], &["q"], vec![int("to", 1)]).node("Mul", &["q", "two"], &["t"]);
            m.node("Sub", &["t", "one"], &["u"]).node("Mul", &["u", "m"], &["w"])
        },
        |m| {
            let m = mean_magnitude(m).node("Less", &["r", "none"], &["b"]).floats("minus", &[], &[-1.0]);
            m.node("Where", &["b", "minus", "one"], &["u"]).node("Mul", &["m", "u"], &["w"])
        },
        |m| {
            // b − clip(w) + clip(w), as binary networks train.
            let m = mean_magnitude(m).node("Sign", &["r"], &["q"]).node("Mul", &["q", "m"], &["p"]);
            let m = m.floats("minus", &[], &[-1.0]).node("Clip", &["r", "minus", "one"], &["c"]);
            m.node("Sub", &["p", "c"], &["e"]).node("Add", &["e", "c"], &["w"])
        },
    ];
    check_all(cases, |nodes| check(&conv(nodes), (&signs, &steps)));
}

#[test]
fn three_levels_are_whole_steps() {
    let three = each(|w, _| {
        if w > 0.1 {
            2
        } else if w < -0.1 {
            -2
        } else {
            0
        }
    });
    let cases: [Nodes; 2] = [
        |m| {
            let m = m.floats("up", &[], &[0.1]).floats("down", &[], &[-0.1]).floats("minus", &[], &[-0.03]);
            let m = m.node("Less", &["r", "down"], &["a"]).node("Where", &["a", "minus", "none"], &["n"]);
            m.node("Greater", &["r", "up"], &["b"]).node("Where", &["b", "s", "n"], &["w"])
        },
        |m| {
            let m = m.floats("up", &[], &[0.1]).node("Abs", &["r"], &["abs"]).node("Greater", &["abs", "up"], &["b"]);
            let m = m.node_with("Cast", &["b"], &["k"], vec![int("to", 1)]).node("Sign", &["r"], &["q"]);
            m.node("Mul", &["q", "k"], &["t"]).node("Mul", &["t", "s"], &["w"])
        },
    ];
    check_all(cases, |nodes| check(&conv(nodes), (&three, &[0.03])));
}

#[test]
fn dorefa_is_half_steps() {
    // 2 · round(15 · (tanh w / (2 max|tanh w|) + 1/2)) / 15 − 1
    let most = REAL.iter().fold(0.0f32, |most, w| most.max(w.tanh().abs()));
    let codes = each(|w, _| 2 * ((w.tanh() / (2.0 * most) + 0.5) * 15.0).round_ties_even() as i32 - 15);
    let dorefa = conv(|m| {
        let m = m.node("Tanh", &["r"], &["t"]).node("Abs", &["t"], &["a"]);
        let m = m.node_with("ReduceMax", &["a"], &["most"], vec![int("keepdims", 0)]);
        let m = m.node("Mul", &["most", "two"], &["b"]).node("Div", &["t", "b"], &["c"]).node(
            "Add",
            &["c", "half"],
            &["d"],
        );
        let m = m.node("Mul", &["d", "fifteen"], &["e"]).node("Round", &["e"], &["q"]).node(
            "Div",
            &["q", "fifteen"],
            &["f"],
        );
        m.node("Mul", &["f", "two"], &["g"]).node("Sub", &["g", "one"], &["w"])
    });
    check(&dorefa, (&codes, &[2.0 / 15.0]));
}

#[test]
fn a_zero_point_is_an_integer() {
    // s = (max − min) / 15 and z = round(−min / s): (clip(round(w / s) + z, 0, 15) − z) · s.
    let (low, high) = REAL.iter().fold((0.0f32, 0.0f32), |(low, high), &w| (low.min(w), high.max(w)));
    let step = (high - low) / 15.0;
    let zero = (-low / step).round_ties_even();
    let codes = each(|w, _| 2 * (((w / step).round_ties_even() + zero).clamp(0.0, 15.0) - zero) as i32);
    let bounds = |m: Model| {
        let none = || vec![int("keepdims", 0)];
        let m = m.node_with("ReduceMin", &["r"], &["min"], none()).node_with("ReduceMax", &["r"], &["max"], none());
        m.node("Sub", &["max", "min"], &["span"]).node("Div", &["span", "fifteen"], &["step"])
    };
    let asymmetric = conv(|m| {
        let m =
            bounds(m).node("Neg", &["min"], &["n"]).node("Div", &["n", "step"], &["zz"]).node("Round", &["zz"], &["z"]);
        let m = m.node("Div", &["r", "step"], &["d"]).node("Round", &["d"], &["q"]).node("Add", &["q", "z"], &["a"]);
        let m = m.node("Clip", &["a", "none", "fifteen"], &["c"]).node("Sub", &["c", "z"], &["e"]);
        m.node("Mul", &["e", "step"], &["w"])
    });
    check(&asymmetric, (&codes, &[step]));
    // round((w − min) / s) · s + min: 0 is no level, and lies nowhere between two either.
    let shifted = conv(|m| {
        let m = bounds(m).node("Sub", &["r", "min"], &["a"]).node("Div", &["a", "step"], &["d"]);
        let m = m.node("Round", &["d"], &["q"]).node("Mul", &["q", "step"], &["p"]);
        m.node("Add", &["p", "min"], &["w"])
    });
    let network = shifted.read();
    let expected: Vec<f32> = REAL.iter().map(|w| ((w - low) / step).round_ties_even() * step + low).collect();
    assert_eq!(real(&network), expected);
    assert!(network.notes()[0].to_string().contains("computed from integers"), "{:?}", network.notes());
}

#[test]
fn a_step_for_each_channel_makes_real_numbers() {
    let network = conv(|m| {
        let m = m.floats("channels", &[3, 1, 1], &[0.03, 0.05, 0.02]).node("Div", &["r", "channels"], &["d"]);
        m.node("Round", &["d"], &["q"]).node("Mul", &["q", "channels"], &["w"])
    });
    let network = network.read();
    let step = |i: usize| [0.03f32, 0.05, 0.02][i / 2 % 3];
    let expected: Vec<f32> = REAL.iter().enumerate().map(|(i, w)| (w / step(i)).round_ties_even() * step(i)).collect();
    assert_eq!(real(&network), expected);
    assert!(network.notes()[0].to_string().contains("computed from integers"), "{:?}", network.notes());
}

#[test]
fn layers_that_share_a_constant_share_its_integers() {
    let network = conv(|m| {
        let m = m.node("Div", &["r", "s"], &["d"]).node("Round", &["d"], &["q"]).node("Mul", &["q", "s"], &["w"]);
        m.node("Conv", &["x", "w"], &["other"]).returning_all(&["y", "other"])
    });
    let network = network.read();
    assert_eq!(network.shares_weights_with(LayerId(1)), Some(LayerId(0)));
}

/// What a plain loop makes of the weights of each filter.
fn per_filter(of: impl Fn(&[f32]) -> Vec<f32>) -> Vec<f32> {
    (0..FILTERS).flat_map(|filter| of(&REAL[filter * LENGTH..][..LENGTH])).collect()
}

/// The root of the sum of squares.
fn norm(part: &[f32]) -> f32 {
    part.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt() as f32
}

/// A name, the nodes that make the weights `w` of `r`, and the weights.
type RealCase = (&'static str, Nodes, Vec<f32>);

fn check_real(cases: [RealCase; 4]) {
    check_all(cases, |(_, nodes, expected)| {
        let found = real(&conv(nodes).read());
        assert_eq!(&found, expected);
    });
}

/// A filter less its mean, over its deviation.
fn standard(part: &[f32]) -> Vec<f32> {
    let mean = (part.iter().map(|&w| f64::from(w)).sum::<f64>() / LENGTH as f64) as f32;
    let off: Vec<f32> = part.iter().map(|w| w - mean).collect();
    let squares: Vec<f32> = off.iter().map(|w| w * w).collect();
    let variance = (squares.iter().map(|&w| f64::from(w)).sum::<f64>() / LENGTH as f64) as f32;
    off.iter().map(|w| w / (variance + 1e-5).sqrt()).collect()
}

#[test]
fn normalized_weights_are_computed_in_float32() {
    check_real([
        (
            "weight standardization",
            |m| {
                let m = m.floats("eps", &[], &[1e-5]).node_with("ReduceMean", &["r"], &["mean"], inner_axes());
                let m = m.node("Sub", &["r", "mean"], &["c"]).node("Mul", &["c", "c"], &["cc"]);
                let m = m.node_with("ReduceMean", &["cc"], &["var"], inner_axes()).node("Add", &["var", "eps"], &["e"]);
                m.node("Sqrt", &["e"], &["d"]).node("Div", &["c", "d"], &["w"])
            },
            per_filter(standard),
        ),
        (
            "weight normalization",
            |m| {
                let m = m.node_with("ReduceL2", &["r"], &["norm"], inner_axes());
                m.node("Div", &["r", "norm"], &["u"]).node("Mul", &["u", "each"], &["w"])
            },
            [0.03f32, 0.05]
                .iter()
                .enumerate()
                .flat_map(|(i, g)| {
                    let part = &REAL[i * LENGTH..][..LENGTH];
                    part.iter().map(move |w| w / norm(part) * g)
                })
                .collect(),
        ),
        (
            "ReduceSumSquare and Pow",
            |m| {
                let m = m.node_with("ReduceSumSquare", &["r"], &["ss"], inner_axes());
                m.node("Pow", &["ss", "half"], &["norm"]).node("Div", &["r", "norm"], &["w"])
            },
            per_filter(|part| {
                let squares = part.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>() as f32;
                part.iter().map(|w| w / f64::from(squares).sqrt() as f32).collect()
            }),
        ),
        (
            "spectral norm: w / (uᵀ W v)",
            |m| {
                let m = m.floats("u", &[2], &[0.6, 0.8]).floats("v", &[6], &[0.1, 0.2, -0.3, 0.4, 0.5, -0.6]);
                let m = m.ints("flat", &[2, -1]).node("Reshape", &["r", "flat"], &["f"]);
                let m = m.node("MatMul", &["f", "v"], &["wv"]).node("MatMul", &["u", "wv"], &["sigma"]);
                m.node("Div", &["r", "sigma"], &["w"])
            },
            {
                let v = [0.1f32, 0.2, -0.3, 0.4, 0.5, -0.6];
                let product = |filter: usize| {
                    let terms = (0..LENGTH).map(|i| f64::from(REAL[filter * LENGTH + i]) * f64::from(v[i]));
                    terms.sum::<f64>() as f32
                };
                let sigma =
                    (f64::from(0.6f32) * f64::from(product(0)) + f64::from(0.8f32) * f64::from(product(1))) as f32;
                REAL.iter().map(|w| w / sigma).collect()
            },
        ),
    ]);
}

#[test]
fn functions_of_weights_are_computed_in_float32() {
    let single = |of: fn(f32) -> f32| REAL.iter().map(|&w| of(w)).collect::<Vec<f32>>();
    check_real([
        ("Clip", |m| m.node("Clip", &["r", "none", "s"], &["w"]), single(|w| w.clamp(0.0, 0.03))),
        ("Sigmoid", |m| m.node("Sigmoid", &["r"], &["w"]), single(|w| (1.0 / (1.0 + (-f64::from(w)).exp())) as f32)),
        (
            "a power of 2",
            |m| {
                let m = m.node("Abs", &["r"], &["a"]).node("Log", &["a"], &["l"]).node("Exp", &["l"], &["e"]);
                m.node("Sign", &["r"], &["q"]).node("Mul", &["q", "e"], &["w"])
            },
            single(|w| {
                let log = f64::from(w.abs()).ln() as f32;
                w.signum() * f64::from(log).exp() as f32
            }),
        ),
        (
            "slices joined in another order",
            |m| {
                let m = m.ints("first", &[0]).ints("second", &[1]).ints("end", &[2]).ints("axis", &[0]);
                let m = m.node("Slice", &["r", "first", "second", "axis"], &["a"]);
                let m = m.node("Slice", &["r", "second", "end", "axis"], &["b"]).node("Add", &["a", "half"], &["aa"]);
                m.node_with("Concat", &["b", "aa"], &["w"], vec![int("axis", 0)])
            },
            REAL[LENGTH..].iter().copied().chain(REAL[..LENGTH].iter().map(|w| w + 0.5)).collect(),
        ),
    ]);
}

#[test]
fn large_weights_are_computed() {
    // More than 2^20, which is the most that is made of little.
    let count = 1025 * 1024usize;
    let values: Vec<f32> = (0..count).map(|i| (i * 7919 % 1000) as f32 * 0.001 - 0.5).collect();
    let network = model()
        .input("x", &[0, 1024])
        .floats("r", &[1025, 1024], &values)
        .floats("s", &[], &[0.25])
        .node("Div", &["r", "s"], &["d"])
        .node("Round", &["d"], &["q"])
        .node("Mul", &["q", "s"], &["w"])
        .node_with("Gemm", &["x", "w"], &["y"], vec![int("transB", 1)])
        .read();
    let (codes, steps) = codes(&network, 0);
    assert_eq!(steps, [0.25]);
    let expected = values.iter().map(|w| 2 * (w / 0.25).round_ties_even() as i32);
    assert!(codes.into_iter().eq(expected));
    let made = model()
        .input("x", &[0, 1024])
        .ints("shape", &[1025, 1024])
        .floats("one", &[], &[1.0])
        .node("Expand", &["one", "shape"], &["w"])
        .node_with("Gemm", &["x", "w"], &["y"], vec![int("transB", 1)])
        .error();
    assert!(made.contains("its weights come from Expand, which is not folded"), "{made}");
}
