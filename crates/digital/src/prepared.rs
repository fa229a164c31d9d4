//! The outputs of a layer without its cycles, for speed.

use engine::kernel::{CodeSums, IntegerConv};
use engine::{Activations, EngineError, Layer, Outputs, PreparedLayer};
use network::Geometry;

use crate::input::integers;

/// A layer in the array. The elements add integers exactly, so the order of additions does not matter, and the exact
/// kernel computes the same sums.
pub(crate) struct Prepared {
    name: String,
    geometry: Geometry,
    kernel: IntegerConv,
}

impl Prepared {
    pub(crate) fn new(layer: &Layer<'_>) -> Result<Self, EngineError> {
        crate::input::check_accumulators(layer)?;
        let kernel = IntegerConv::new(layer)?;
        Ok(Self { name: layer.name().to_string(), geometry: *layer.geometry(), kernel })
    }
}

impl PreparedLayer for Prepared {
    fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError> {
        let input = integers(&self.name, &self.geometry, input)?;
        Ok(Outputs::Integer(self.kernel.forward(input)?))
    }

    fn codes(&self, zero_point: i32) -> Option<CodeSums<'_>> {
        self.kernel.codes(zero_point)
    }
}
