//! What the suites ask a network that was read.

use network::{Geometry, LayerId, LayerWeights, MacLayer, Network};

/// The only layer of a network.
pub fn layer(network: &Network) -> &MacLayer {
    assert_eq!(network.layers().len(), 1, "{:?}", network.notes());
    &network.layers()[0]
}

/// The geometry of the only layer.
pub fn geometry(network: &Network) -> &Geometry {
    &layer(network).geometry
}

/// Codes and scales of a layer.
pub fn codes(network: &Network, index: usize) -> (Vec<i32>, Vec<f32>) {
    match network.weights(LayerId(index)).expect("valid weights") {
        LayerWeights::Quantized { codes, scales } => (codes.codes().to_vec(), scales),
        other => panic!("expected quantized weights, found {other:?}"),
    }
}

/// The shape of the first output of the graph.
pub fn output_shape(network: &Network) -> Vec<usize> {
    network.graph().value(network.graph().outputs()[0]).shape.clone().expect("a known shape")
}
