//! Is a layer only what its geometry says, and is every error one clear line?

use engine::{Arithmetic, EngineError, Layer};
use esn::{CodeTensor, Grid, WeightShape};
use network::{Geometry, GeometrySpec};
use testkit::check_all;

fn geometry(groups: usize) -> Geometry {
    Geometry::new(GeometrySpec { groups, ..GeometrySpec::convolution(2, 4, [1, 3], [2, 3]) }).expect("it is a geometry")
}

fn weights(shape: WeightShape) -> CodeTensor {
    let len = shape.len().expect("it is small");
    CodeTensor::new(Grid::MidRise, shape, vec![1; len]).expect("codes are on the grid")
}

#[test]
fn a_layer_has_the_weights_of_its_geometry() {
    let (geometry, other) = (geometry(1), geometry(2));
    let fitting = weights(geometry.weight_shape());
    let layer = Layer::new("conv1", &geometry, &fitting).expect("shapes agree");
    assert_eq!((layer.name(), layer.geometry(), layer.weights()), ("conv1", &geometry, &fitting));
    let error = Layer::new("conv1", &other, &fitting).expect_err("groups differ");
    assert_eq!(error.to_string(), "layer conv1: its weights should be [4, 1, 3] in 2 groups, not [4, 2, 3] in 1 group");
}

#[test]
fn a_layer_of_the_same_length_and_another_shape_is_refused() {
    let weights = weights(WeightShape { filters: 8, groups: 1, channels: 1, taps: 3 });
    let error = Layer::new("conv1", &geometry(1), &weights).expect_err("filters differ");
    assert_eq!(error.to_string(), "layer conv1: its weights should be [4, 2, 3] in 1 group, not [8, 1, 3] in 1 group");
}

#[test]
fn errors_are_one_line_that_names_the_layer() {
    let layer = || "conv1".to_string();
    let cases = [
        (
            EngineError::Arithmetic { layer: layer(), expected: Arithmetic::Integer },
            "layer conv1: this engine computes on integer activations",
        ),
        (
            EngineError::Activation {
                layer: layer(),
                index: 3,
                value: "NaN".to_string(),
                expected: "it must be finite",
            },
            "layer conv1: activation 3 is NaN; it must be finite",
        ),
        (
            EngineError::Unsupported { layer: layer(), problem: "18-bit weights".to_string() },
            "layer conv1: unsupported: 18-bit weights",
        ),
    ];
    check_all(cases, |&(ref error, message)| assert_eq!(error.to_string(), message));
}
