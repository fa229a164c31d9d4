//! Puts a network together, layer by layer.

use super::{Architecture, ArchitectureError, Fan, MAX_WEIGHTS};
use crate::geometry::{Geometry, GeometrySpec};
use crate::graph::{Node, Value};
use crate::ids::ValueId;
use crate::layer::{Bias, MacLayer, MacOp, Operand, WeightSource};
use crate::network::{Network, NetworkBuilder};
use crate::op::{Binary, Op, Unary};
use crate::pool::{PadMode, Pool};
use crate::random::Random;
use crate::tensor::{DataType, Tensor};

/// An activation, `[1, channels, size, size]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feature {
    id: ValueId,
    pub(super) channels: usize,
    size: usize,
}

/// A square convolution without bias.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv {
    pub(super) filters: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
}

/// A network under construction. Every node has the name of its module and makes a value of that name.
pub(super) struct Builder<'a> {
    architecture: &'a Architecture,
    /// What weights are made from; none where they are left out.
    random: Option<Random>,
    network: NetworkBuilder,
    weights: usize,
}

impl<'a> Builder<'a> {
    /// Nothing yet of the network of this name.
    pub(super) fn new(architecture: &'a Architecture, name: &str, with_weights: bool) -> Self {
        let random = with_weights.then(|| Random::new(architecture.seed));
        Self { architecture, random, network: NetworkBuilder::new(name), weights: 0 }
    }

    /// So many channels at width 1.
    pub(super) fn width(&self, channels: usize) -> usize {
        ((channels as f64 * self.architecture.width).round() as usize).max(1)
    }

    /// The image.
    pub(super) fn input(&mut self) -> Feature {
        let size = self.architecture.input_size;
        let id = self.value("image", vec![1, 3, size, size]);
        self.network.set_inputs(vec![id]);
        Feature { id, channels: 3, size }
    }

    /// A convolution padded so that stride 1 keeps the size.
    pub(super) fn conv(&mut self, name: &str, x: Feature, conv: Conv) -> Result<Feature, ArchitectureError> {
        let Conv { filters, kernel, stride } = conv;
        let spec = GeometrySpec {
            stride: [stride; 2],
            pads: [kernel / 2; 4],
            ..GeometrySpec::convolution(x.channels, filters, [kernel; 2], [x.size; 2])
        };
        let geometry = geometry(name, spec)?;
        let [size, _] = geometry.out_size();
        let output = self.value(name, vec![1, filters, size, size]);
        self.layer(name, geometry, x.id, output, None)?;
        Ok(Feature { id: output, channels: filters, size })
    }

    /// The last layer: fully connected, over all elements of its input, its bias 0.
    pub(super) fn linear(&mut self, name: &str, x: Feature) -> Result<(), ArchitectureError> {
        let (depth, classes) = (x.channels * x.size * x.size, self.architecture.classes);
        let flat = self.value("flatten", vec![1, depth]);
        self.push("flatten", "Flatten", Op::Reshape, vec![x.id], flat);
        let spec = GeometrySpec::convolution(depth, classes, [1; 2], [1; 2]);
        let output = self.value("logits", vec![1, classes]);
        self.layer(name, geometry(name, spec)?, flat, output, Some(Bias::Float(vec![0.0; classes])))?;
        self.network.set_outputs(vec![output]);
        Ok(())
    }

    /// BatchNorm that passes its input on.
    pub(super) fn batch_norm(&mut self, name: &str, x: Feature) -> Feature {
        let parts = [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)];
        let parameters = parts.map(|(part, fill)| {
            let tensor = Tensor::from_f32(vec![x.channels], &vec![fill; x.channels]);
            self.network.add_constant(format!("{name}.{part}"), tensor)
        });
        let inputs = [&[x.id], parameters.as_slice()].concat();
        self.same(name, "BatchNormalization", Op::BatchNormalization { epsilon: 1e-5 }, inputs, x)
    }

    pub(super) fn relu(&mut self, name: &str, x: Feature) -> Feature {
        self.same(name, "Relu", Op::Unary(Unary::Relu), vec![x.id], x)
    }

    pub(super) fn add(&mut self, name: &str, a: Feature, b: Feature) -> Feature {
        self.same(name, "Add", Op::Binary(Binary::Add), vec![a.id, b.id], a)
    }

    /// `a`'s channels, then `b`'s.
    pub(super) fn concat(&mut self, name: &str, a: Feature, b: Feature) -> Feature {
        let out = Feature { channels: a.channels + b.channels, ..a };
        self.same(name, "Concat", Op::Concat { axis: 1 }, vec![a.id, b.id], out)
    }

    /// Maximum over windows of 2×2, or of 3×3 padded by 1; every second is kept.
    pub(super) fn max_pool(&mut self, name: &str, x: Feature, kernel: usize) -> Feature {
        let pads = (kernel - 1) / 2;
        let out = Feature { size: (x.size + 2 * pads - kernel) / 2 + 1, ..x };
        self.same(name, "MaxPool", Op::MaxPool(pool(kernel, pads)), vec![x.id], out)
    }

    /// Mean over windows of 2×2.
    pub(super) fn average_pool(&mut self, name: &str, x: Feature) -> Feature {
        let out = Feature { size: x.size / 2, ..x };
        self.same(name, "AveragePool", Op::AveragePool(pool(2, 0)), vec![x.id], out)
    }

    pub(super) fn global_average_pool(&mut self, name: &str, x: Feature) -> Feature {
        self.same(name, "GlobalAveragePool", Op::GlobalAveragePool, vec![x.id], Feature { size: 1, ..x })
    }

    /// The shortcut without weights: every `stride`-th pixel, and channels of 0 on both sides up to `channels`.
    pub(super) fn pad_shortcut(&mut self, name: &str, x: Feature, channels: usize, stride: usize) -> Feature {
        let mut shortcut = x;
        if stride > 1 {
            let size = x.size as i64;
            let op =
                Op::Slice { starts: vec![0; 2], ends: vec![size; 2], axes: vec![2, 3], steps: vec![stride as i64; 2] };
            let out = Feature { size: x.size.div_ceil(stride), ..x };
            shortcut = self.same(&format!("{name}.slice"), "Slice", op, vec![x.id], out);
        }
        let missing = channels.saturating_sub(x.channels);
        if missing == 0 {
            return shortcut;
        }
        let (before, after) = ((missing / 2) as i64, missing.div_ceil(2) as i64);
        let op = Op::Pad { pads: vec![0, before, 0, 0, 0, after, 0, 0], mode: PadMode::Constant, value: 0.0 };
        self.same(&format!("{name}.pad"), "Pad", op, vec![shortcut.id], Feature { channels, ..shortcut })
    }

    /// The finished network.
    pub(super) fn finish(self) -> Network {
        let network = self.network.finish().expect("every module reads what modules before it have made");
        network.with_open_batch(true)
    }

    fn layer(
        &mut self,
        name: &str,
        geometry: Geometry,
        input: ValueId,
        output: ValueId,
        bias: Option<Bias>,
    ) -> Result<(), ArchitectureError> {
        let spec = geometry.spec();
        let shape = [spec.filters, spec.in_channels, spec.kernel[0], spec.kernel[1]];
        let weights = self.he(name, shape)?;
        let is_conv = bias.is_none();
        let op = if is_conv { MacOp::Conv } else { MacOp::Gemm };
        let layer = MacLayer {
            name: name.to_string(),
            op,
            geometry,
            operand: if is_conv { Operand::ChannelsFirst } else { Operand::ChannelsLast },
            weights: WeightSource::from_f32(&format!("{name}.weight"), shape, &weights),
            bias,
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input,
            output,
        };
        self.network.add_mac(op.name(), layer);
        Ok(())
    }

    /// Weights of mean 0 and variance 2 / fan.
    fn he(&mut self, layer: &str, shape: [usize; 4]) -> Result<Vec<f32>, ArchitectureError> {
        let [filters, channels, kernel_h, kernel_w] = shape;
        let count: usize = shape.iter().product();
        self.weights = self.weights.saturating_add(count);
        if self.weights > MAX_WEIGHTS {
            return Err(ArchitectureError::TooLarge { layer: layer.to_string() });
        }
        let units = match self.architecture.fan {
            Fan::In => channels,
            Fan::Out => filters,
        };
        let deviation = (2.0 / (units * kernel_h * kernel_w) as f64).sqrt();
        Ok(match &mut self.random {
            Some(random) => (0..count).map(|_| (random.normal() * deviation) as f32).collect(),
            None => Vec::new(),
        })
    }

    /// A node whose output is `out` in all but its value.
    fn same(&mut self, name: &str, op_type: &str, op: Op, inputs: Vec<ValueId>, out: Feature) -> Feature {
        let id = self.value(name, vec![1, out.channels, out.size, out.size]);
        self.push(name, op_type, op, inputs, id);
        Feature { id, ..out }
    }

    fn value(&mut self, name: &str, shape: Vec<usize>) -> ValueId {
        self.network.add_value(Value::new(name, Some(DataType::F32), Some(shape)))
    }

    fn push(&mut self, name: &str, op_type: &str, op: Op, inputs: Vec<ValueId>, output: ValueId) {
        let (name, op_type) = (name.to_string(), op_type.to_string());
        let inputs = inputs.into_iter().map(Some).collect();
        self.network.add_node(Node { name, op_type, op, inputs, outputs: vec![output] });
    }
}

fn geometry(layer: &str, spec: GeometrySpec) -> Result<Geometry, ArchitectureError> {
    Geometry::new(spec).map_err(|source| ArchitectureError::Geometry { layer: layer.to_string(), source })
}

fn pool(kernel: usize, pads: usize) -> Pool {
    Pool {
        kernel: [kernel; 2],
        stride: [2; 2],
        dilation: [1; 2],
        pads: [pads; 4],
        depth: None,
        ceil_mode: false,
        count_include_pad: false,
    }
}
