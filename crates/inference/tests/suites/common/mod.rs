//! Layers without weights of their own, and how they are run by the plain definition.

use inference::{ExecutorError, MacExecutor};
use network::{GeometrySpec, LayerId, MacLayer, Operand, ValueId};
use testkit::{Net, layer_of, sums};

/// A layer of a geometry and nothing else: nobody reads its weights from the network.
pub fn layer(spec: GeometrySpec) -> MacLayer {
    layer_of(spec, &vec![0.0; spec.filters * (spec.in_channels / spec.groups) * spec.kernel.iter().product::<usize>()])
}

/// Adds a [`layer`] whose output has this shape.
pub fn add_mac(net: &mut Net, spec: GeometrySpec, operand: Operand, x: ValueId, shape: &[usize]) -> ValueId {
    net.mac(x, MacLayer { operand, ..layer(spec) }, shape)
}

/// A convolution of 1×1 over `positions` positions.
pub fn pointwise(in_channels: usize, filters: usize, positions: usize, repeats: usize) -> GeometrySpec {
    GeometrySpec { repeats, ..GeometrySpec::convolution(in_channels, filters, [1, 1], [positions, 1]) }
}

/// Computes by the plain definition, without bias; weights by layer.
pub struct Plain(pub Vec<Vec<f32>>);

impl MacExecutor for Plain {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
        let wide = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
        let weights = wide(&self.0[id.0]);
        let images = input.chunks(layer.geometry.input_len());
        output.clear();
        output.extend(images.flat_map(|image| sums(&layer.geometry, &weights, &wide(image))).map(|y| y as f32));
        Ok(())
    }
}
