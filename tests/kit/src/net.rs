//! Networks put together by hand.

use esn::CodeTensor;
use network::{
    Bias, DataType, Geometry, GeometrySpec, LayerId, LayerWeights, MacLayer, MacOp, Network, NetworkBuilder, Node,
    Note, Op, Operand, Tensor, Unary, Value, ValueId, WeightSource, WeightValues,
};

use crate::random::Random;

/// A network under construction. Weights that nobody names are numbers from −1 to 1, the same in each run.
#[derive(Clone, Debug)]
pub struct Net {
    /// What no method adds is added by hand.
    pub network: NetworkBuilder,
    random: Random,
}

impl Default for Net {
    fn default() -> Self {
        Self { network: NetworkBuilder::new("by-hand"), random: Random::new(1) }
    }
}

impl Net {
    /// A network with one input, batch first, and that input.
    pub fn new(input: &[usize]) -> (Self, ValueId) {
        let mut net = Self::default();
        let x = net.input(input);
        (net, x)
    }

    /// A further input: `input0`, `input1`, …
    pub fn input(&mut self, shape: &[usize]) -> ValueId {
        let name = format!("input{}", self.network.inputs().len());
        let id = self.value(&name, shape);
        self.network.set_inputs([self.network.inputs(), &[id]].concat());
        id
    }

    /// A float32 value.
    pub fn value(&mut self, name: &str, shape: &[usize]) -> ValueId {
        self.network.add_value(Value::new(name, Some(DataType::F32), Some(shape.to_vec())))
    }

    /// A float32 constant.
    pub fn constant(&mut self, shape: &[usize], values: &[f32]) -> ValueId {
        let name = format!("c{}", self.network.values().len());
        self.network.add_constant(name, Tensor::from_f32(shape.to_vec(), values))
    }

    /// The shape of a value.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn shape(&self, id: ValueId) -> Vec<usize> {
        self.network.value(id).shape.clone().expect("built with a shape")
    }

    /// The next numbers from −1 to 1.
    pub fn random(&mut self, count: usize) -> Vec<f32> {
        self.random.reals(count)
    }

    /// A node `node0`, `node1`, … of one output of this shape, `node0_out`.
    pub fn node(&mut self, op: Op, inputs: &[ValueId], shape: &[usize]) -> ValueId {
        let name = format!("node{}", self.network.nodes().len());
        let output = self.value(&format!("{name}_out"), shape);
        let op_type = match &op {
            Op::Unary(function) => function.name().to_string(),
            Op::Binary(function) => function.name().to_string(),
            op => format!("{op:?}").chars().take_while(|c| c.is_alphanumeric()).collect(),
        };
        let inputs = inputs.iter().copied().map(Some).collect();
        self.network.add_node(Node { name, op_type, op, inputs, outputs: vec![output] });
        output
    }

    /// A node that keeps the shape of its first input.
    pub fn same(&mut self, op: Op, inputs: &[ValueId]) -> ValueId {
        let shape = self.shape(inputs[0]);
        self.node(op, inputs, &shape)
    }

    /// A MAC layer `layer0`, `layer1`, … whose output, `layer0_out`, has this shape.
    pub fn mac(&mut self, x: ValueId, layer: MacLayer, shape: &[usize]) -> ValueId {
        let name = format!("layer{}", self.network.layers().len());
        let output = self.value(&format!("{name}_out"), shape);
        self.network.add_mac("Conv", MacLayer { name, input: x, output, ..layer });
        output
    }

    /// A convolution of `kernel × kernel` with `kernel / 2` padding on each side, of these weights,
    /// `[filters, channels, kernel, kernel]`, and this bias.
    pub fn conv_of(
        &mut self,
        x: ValueId,
        filters: usize,
        kernel: usize,
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> ValueId {
        let shape = self.shape(x);
        let spec = GeometrySpec {
            pads: [kernel / 2; 4],
            ..GeometrySpec::convolution(shape[1], filters, [kernel; 2], [shape[2], shape[3]])
        };
        let layer = MacLayer { bias: bias.map(|bias| Bias::Float(bias.to_vec())), ..layer_of(spec, weights) };
        let [height, width] = layer.geometry.out_size();
        self.mac(x, layer, &[shape[0], filters, height, width])
    }

    /// A 3×3 convolution with padding 1, of these weights, and with a bias.
    pub fn conv_with(&mut self, x: ValueId, filters: usize, groups: usize, weights: &[f32]) -> ValueId {
        let shape = self.shape(x);
        let spec = GeometrySpec {
            groups,
            pads: [1; 4],
            ..GeometrySpec::convolution(shape[1], filters, [3, 3], [shape[2], shape[3]])
        };
        let bias = Some(Bias::Float(self.random(filters)));
        self.mac(x, MacLayer { bias, ..layer_of(spec, weights) }, &[shape[0], filters, shape[2], shape[3]])
    }

    /// A 3×3 convolution with padding 1 and a bias.
    pub fn conv(&mut self, x: ValueId, filters: usize, groups: usize) -> ValueId {
        let channels = self.shape(x)[1] / groups;
        let weights = self.random(filters * channels * 9);
        self.conv_with(x, filters, groups, &weights)
    }

    /// A fully connected layer on the last axis, with a bias.
    pub fn dense(&mut self, x: ValueId, filters: usize) -> ValueId {
        let mut shape = self.shape(x);
        let depth = shape.pop().expect("a layer has an axis to add over");
        let spec = GeometrySpec::convolution(depth, filters, [1, 1], [shape.iter().product(), 1]);
        let weights = self.random(filters * depth);
        let bias = Some(Bias::Float(self.random(filters)));
        shape.push(filters);
        let layer = MacLayer { op: MacOp::Gemm, operand: Operand::ChannelsLast, bias, ..layer_of(spec, &weights) };
        self.mac(x, layer, &shape)
    }

    /// A batch normalization whose factors are near 1.
    pub fn batch_norm(&mut self, x: ValueId) -> ValueId {
        let channels = self.shape(x)[1];
        let mut parameter = |offset: f32| {
            let values: Vec<f32> = self.random(channels).iter().map(|v| v * 0.5 + offset).collect();
            self.constant(&[channels], &values)
        };
        let (scale, shift, mean, variance) = (parameter(1.0), parameter(0.6), parameter(0.2), parameter(1.0));
        self.same(Op::BatchNormalization { epsilon: 1e-5 }, &[x, scale, shift, mean, variance])
    }

    /// A ReLU.
    pub fn relu(&mut self, x: ValueId) -> ValueId {
        self.same(Op::Unary(Unary::Relu), &[x])
    }

    /// A 3×3 convolution, a batch normalization and a ReLU.
    pub fn conv_bn_relu(&mut self, x: ValueId, filters: usize, groups: usize) -> ValueId {
        let y = self.conv(x, filters, groups);
        let y = self.batch_norm(y);
        self.relu(y)
    }

    /// A concatenation.
    pub fn concat(&mut self, inputs: &[ValueId], axis: usize) -> ValueId {
        let mut shape = self.shape(inputs[0]);
        shape[axis] = inputs.iter().map(|&id| self.shape(id)[axis]).sum();
        self.node(Op::Concat { axis }, inputs, &shape)
    }

    /// An average over each plane.
    pub fn pool(&mut self, x: ValueId) -> ValueId {
        let shape = self.shape(x);
        self.node(Op::GlobalAveragePool, &[x], &[shape[0], shape[1], 1, 1])
    }

    /// All axes behind the batch made one.
    pub fn flatten(&mut self, x: ValueId) -> ValueId {
        let shape = self.shape(x);
        self.node(Op::Reshape, &[x], &[shape[0], shape[1..].iter().product()])
    }

    /// The network, with pooling and a fully connected layer of three classes behind `x`.
    pub fn classify(mut self, x: ValueId) -> Network {
        let pooled = self.pool(x);
        let flat = self.flatten(pooled);
        let y = self.dense(flat, 3);
        self.finish(y)
    }

    /// The network, of one output and the batch of its first input.
    ///
    /// # Panics
    ///
    /// If the parts are no network.
    pub fn finish(self, output: ValueId) -> Network {
        let batch = self.network.inputs().first().and_then(|&x| self.network.value(x).shape.as_ref()?.first().copied());
        self.finish_with(&[output], batch.unwrap_or(1))
    }

    /// The network, of these outputs and this batch.
    ///
    /// # Panics
    ///
    /// If the parts are no network.
    pub fn finish_with(mut self, outputs: &[ValueId], batch: usize) -> Network {
        self.network.set_outputs(outputs.to_vec());
        self.network.set_batch(batch);
        self.network.finish().expect("a network that holds together")
    }
}

/// A convolution of this geometry and these weights, alone: no bias, and in no network.
///
/// # Panics
///
/// If the geometry cannot be.
pub fn layer_of(spec: GeometrySpec, weights: &[f32]) -> MacLayer {
    let shape = [spec.filters, spec.in_channels / spec.groups, spec.kernel[0], spec.kernel[1]];
    MacLayer {
        name: "layer".to_string(),
        op: MacOp::Conv,
        geometry: Geometry::new(spec).expect("a valid geometry"),
        operand: Operand::ChannelsFirst,
        weights: WeightSource::from_f32("weights", shape, weights),
        bias: None,
        alpha: 1.0,
        input_quantization: None,
        requantization: None,
        input: ValueId(0),
        output: ValueId(0),
    }
}

/// A chain of 1×1 convolutions on `[1, channels, 2, 3]`, one for each pair of a number of filters and the weights.
pub fn chain(layers: &[(usize, Vec<f32>)]) -> Network {
    let channels = layers[0].1.len() / layers[0].0;
    let (mut net, mut x) = Net::new(&[1, channels, 2, 3]);
    for (filters, weights) in layers {
        x = net.conv_of(x, *filters, 1, weights, None);
    }
    net.finish(x)
}

/// Notes as a user reads them.
pub fn texts(notes: &[Note]) -> Vec<String> {
    notes.iter().map(ToString::to_string).collect()
}

/// The weights of a layer that has real ones.
///
/// # Panics
///
/// If it has none.
pub fn real_weights(network: &Network, layer: usize) -> Vec<f32> {
    match network.weights(LayerId(layer)).expect("valid weights") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected real weights, found {other:?}"),
    }
}

/// Codes and steps of a layer that has integers.
///
/// # Panics
///
/// If it has none.
pub fn quantized_weights(network: &Network, layer: usize) -> (CodeTensor, Vec<f32>) {
    match network.weights(LayerId(layer)).expect("valid weights") {
        LayerWeights::Quantized { codes, scales } => (codes, scales),
        other => panic!("expected codes, found {other:?}"),
    }
}
