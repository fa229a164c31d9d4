//! What an engine is given.

use esn::CodeTensor;
use network::Geometry;

use crate::error::EngineError;

/// One quantized layer as hardware sees it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    name: &'a str,
    geometry: &'a Geometry,
    weights: &'a CodeTensor,
}

impl<'a> Layer<'a> {
    /// Pairs weights with their geometry.
    ///
    /// # Errors
    ///
    /// [`EngineError::Weights`] if the weights do not have the geometry's shape.
    pub fn new(name: &'a str, geometry: &'a Geometry, weights: &'a CodeTensor) -> Result<Self, EngineError> {
        if weights.shape() != geometry.weight_shape() {
            let (expected, found) = (geometry.weight_shape(), weights.shape());
            return Err(EngineError::Weights { layer: name.to_string(), expected, found });
        }
        Ok(Self { name, geometry, weights })
    }

    /// Name of the layer, for messages.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Sizes of the layer: how its weights meet its input.
    pub fn geometry(&self) -> &'a Geometry {
        self.geometry
    }

    /// Its weights, `[filters, in_channels / groups, kernel_h, kernel_w]`.
    pub fn weights(&self) -> &'a CodeTensor {
        self.weights
    }
}
