//! A network with some of its parts replaced.

use network::{MacLayer, Network, NetworkBuilder};

use crate::error::CompressError;

/// The same network with other layers.
pub(crate) fn with_layers(network: &Network, layers: Vec<MacLayer>) -> Result<Network, CompressError> {
    let mut edited = network.edit();
    edited.layers_mut().clone_from_slice(&layers);
    rebuilt(edited, network)
}

/// The network that `original` has been edited to. All else that the file says stays.
pub(crate) fn rebuilt(mut edited: NetworkBuilder, original: &Network) -> Result<Network, CompressError> {
    if !original.has_graph() {
        // Weights alone leave in the shapes in which they came.
        for (layer, original) in edited.layers_mut().iter_mut().zip(original.layers()) {
            layer.weights = layer.weights.clone().in_file_shape_of(&original.weights);
        }
    }
    Ok(edited.finish()?)
}
