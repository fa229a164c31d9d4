//! A network with some of its parts replaced.

use network::{Graph, MacLayer, Network};

/// The same network with other layers.
pub(crate) fn with_layers(network: &Network, layers: Vec<MacLayer>) -> Network {
    with_parts(network, network.graph().clone(), layers)
}

/// The same network with another graph and other layers. All else that the file says stays.
pub(crate) fn with_parts(network: &Network, graph: Graph, mut layers: Vec<MacLayer>) -> Network {
    if !network.has_graph() {
        // Weights alone leave in the shapes in which they came.
        for (layer, original) in layers.iter_mut().zip(network.layers()) {
            layer.weights = layer.weights.clone().in_file_shape_of(&original.weights);
        }
    }
    let (path, notes) = (network.path().to_path_buf(), network.notes().to_vec());
    Network::from_parts(path, graph, layers, network.batch(), notes)
        .with_not_costed(network.not_costed().to_vec())
        .with_open_batch(network.has_open_batch())
        .with_metadata(network.metadata().to_vec())
}
