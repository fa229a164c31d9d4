//! Builds small networks, runs them, and masks channels of them.

// Every test binary uses its own part of this.
#![allow(dead_code)]

use std::path::PathBuf;

use formats::ReadOptions;
use inference::{ExecutorError, FloatExecutor, MacExecutor, Session};
use network::{
    Bias, DataType, Geometry, GeometrySpec, LayerId, LayerWeights, MacLayer, MacOp, Network, NetworkBuilder, Node, Op,
    Operand, Tensor, Unary, Value, ValueId, WeightSource, WeightValues,
};

/// A network under construction. Weights are small numbers that differ from one another and depend on nothing else.
#[derive(Debug)]
pub struct Net {
    pub network: NetworkBuilder,
    seed: u64,
}

impl Default for Net {
    fn default() -> Self {
        Self { network: NetworkBuilder::new("test"), seed: 0 }
    }
}

impl Net {
    pub fn new(input: &[usize]) -> (Self, ValueId) {
        let mut net = Self { seed: 1, ..Self::default() };
        let x = net.value("x", input);
        net.network.set_inputs(vec![x]);
        (net, x)
    }

    pub fn finish(mut self, y: ValueId) -> Network {
        self.network.set_outputs(vec![y]);
        self.network.finish().expect("a network that holds together")
    }

    pub fn value(&mut self, name: &str, shape: &[usize]) -> ValueId {
        let name = format!("{name}{}", self.network.values().len());
        self.network.add_value(Value::new(name, Some(DataType::F32), Some(shape.to_vec())))
    }

    pub fn constant(&mut self, shape: &[usize], values: &[f32]) -> ValueId {
        let id = self.value("c", shape);
        self.network.value_mut(id).constant = Some(Tensor::from_f32(shape.to_vec(), values));
        id
    }

    pub fn shape(&self, id: ValueId) -> Vec<usize> {
        self.network.value(id).shape.clone().expect("built with a shape")
    }

    pub fn node(&mut self, op: Op, inputs: &[ValueId], shape: &[usize]) -> ValueId {
        let y = self.value("v", shape);
        let name = format!("node{}", self.network.nodes().len());
        let op_type = format!("{op:?}").chars().take_while(|c| c.is_alphanumeric()).collect();
        let inputs = inputs.iter().map(|&id| Some(id)).collect();
        self.network.add_node(Node { name, op_type, op, inputs, outputs: vec![y] });
        y
    }

    /// An operator that keeps the shape of its first input.
    pub fn same(&mut self, op: Op, inputs: &[ValueId]) -> ValueId {
        let shape = self.shape(inputs[0]);
        self.node(op, inputs, &shape)
    }

    /// Numbers from −1 to 1.
    pub fn random(&mut self, count: usize) -> Vec<f32> {
        let mut next = || {
            self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// A 3×3 convolution with padding 1 and a bias.
    pub fn conv(&mut self, x: ValueId, filters: usize, groups: usize) -> ValueId {
        let channels = self.shape(x)[1] / groups;
        let weights = self.random(filters * channels * 9);
        self.conv_with(x, filters, groups, &weights)
    }

    pub fn conv_with(&mut self, x: ValueId, filters: usize, groups: usize, weights: &[f32]) -> ValueId {
        let shape = self.shape(x);
        let spec = GeometrySpec {
            groups,
            pads: [1; 4],
            ..GeometrySpec::convolution(shape[1], filters, [3, 3], [shape[2], shape[3]])
        };
        let out = [shape[0], filters, shape[2], shape[3]];
        self.mac(x, spec, Operand::ChannelsFirst, MacOp::Conv, &out, weights)
    }

    /// A fully connected layer on the last axis.
    pub fn dense(&mut self, x: ValueId, filters: usize) -> ValueId {
        let shape = self.shape(x);
        let (depth, positions) = (shape[shape.len() - 1], shape[..shape.len() - 1].iter().product());
        let spec = GeometrySpec::convolution(depth, filters, [1, 1], [positions, 1]);
        let out = [&shape[..shape.len() - 1], &[filters]].concat();
        let weights = self.random(filters * depth);
        self.mac(x, spec, Operand::ChannelsLast, MacOp::Gemm, &out, &weights)
    }

    fn mac(
        &mut self,
        x: ValueId,
        spec: GeometrySpec,
        operand: Operand,
        op: MacOp,
        out: &[usize],
        weights: &[f32],
    ) -> ValueId {
        let id = LayerId(self.network.layers().len());
        let y = self.node(Op::Mac(id), &[x], out);
        let name = format!("layer{}", id.0);
        let shape = [spec.filters, spec.in_channels / spec.groups, spec.kernel[0], spec.kernel[1]];
        let weights = WeightSource::from_f32(&format!("{name}.w"), shape, weights);
        let bias = Some(Bias::Float(self.random(spec.filters)));
        let geometry = Geometry::new(spec).expect("a valid geometry");
        self.network.add_layer(MacLayer {
            name,
            op,
            geometry,
            operand,
            weights,
            bias,
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input: x,
            output: y,
        });
        y
    }

    pub fn batch_norm(&mut self, x: ValueId) -> ValueId {
        let channels = self.shape(x)[1];
        let mut parameter = |offset: f32| {
            let values: Vec<f32> = self.random(channels).iter().map(|v| v * 0.5 + offset).collect();
            self.constant(&[channels], &values)
        };
        let (scale, shift, mean, variance) = (parameter(1.0), parameter(0.6), parameter(0.2), parameter(1.0));
        self.same(Op::BatchNormalization { epsilon: 1e-5 }, &[x, scale, shift, mean, variance])
    }

    pub fn relu(&mut self, x: ValueId) -> ValueId {
        self.same(Op::Unary(Unary::Relu), &[x])
    }

    pub fn conv_bn_relu(&mut self, x: ValueId, filters: usize, groups: usize) -> ValueId {
        let y = self.conv(x, filters, groups);
        let y = self.batch_norm(y);
        self.relu(y)
    }

    pub fn concat(&mut self, inputs: &[ValueId], axis: usize) -> ValueId {
        let mut shape = self.shape(inputs[0]);
        shape[axis] = inputs.iter().map(|&id| self.shape(id)[axis]).sum();
        self.node(Op::Concat { axis }, inputs, &shape)
    }

    pub fn pool(&mut self, x: ValueId) -> ValueId {
        let shape = self.shape(x);
        self.node(Op::GlobalAveragePool, &[x], &[shape[0], shape[1], 1, 1])
    }

    pub fn flatten(&mut self, x: ValueId) -> ValueId {
        let shape = self.shape(x);
        self.node(Op::Reshape, &[x], &[shape[0], shape[1..].iter().product()])
    }

    /// Pooling and a fully connected layer of three classes.
    pub fn classify(mut self, x: ValueId) -> Network {
        let pooled = self.pool(x);
        let flat = self.flatten(pooled);
        let y = self.dense(flat, 3);
        self.finish(y)
    }
}

/// A file beside the repository; none, with a word about it, where it is absent.
pub fn shared(path: &str) -> Option<Network> {
    read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path))
}

pub fn read(file: PathBuf) -> Option<Network> {
    if !file.exists() {
        println!("skipped: {} is not there", file.display());
        return None;
    }
    Some(formats::read(&file, &ReadOptions::default()).expect("a valid network"))
}

/// Real weights of a layer.
pub fn weights(network: &Network, layer: usize) -> Vec<f32> {
    match network.weights(LayerId(layer)).expect("valid weights") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected float weights, found {other:?}"),
    }
}

/// An image of numbers from −1 to 1 that depend on the seed alone.
pub fn image(network: &Network, seed: u64) -> Vec<f32> {
    let shape = network.graph().value(network.graph().inputs()[0]).shape.clone().expect("a known shape");
    Net { seed: seed + 77, ..Net::default() }.random(shape.iter().product())
}

/// The output of the network for an image, in float.
pub fn run(network: &Network, image: &[f32]) -> Vec<f32> {
    let executor = FloatExecutor::from_file(network).expect("valid weights");
    Session::new(network).expect("a network that runs").run(image, &executor, None).expect("a run")
}

/// Sets input channels of every layer to 0 before it runs, with the weights of the network as it came.
struct Masking<'a> {
    inner: FloatExecutor,
    masks: &'a [Vec<usize>],
}

impl MacExecutor for Masking<'_> {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        let spec = layer.geometry.spec();
        let plane = spec.in_size[0] * spec.in_size[1];
        let mut input = input.to_vec();
        for item in input.chunks_mut(plane * spec.in_channels) {
            self.masks[id.0].iter().for_each(|&c| item[c * plane..(c + 1) * plane].fill(0.0));
        }
        self.inner.run(id, layer, &input)
    }
}

/// The output of the network when these input channels of each layer are forced to 0.
pub fn run_masked(network: &Network, image: &[f32], masks: &[Vec<usize>]) -> Vec<f32> {
    let masking = Masking { inner: FloatExecutor::from_file(network).expect("valid weights"), masks };
    Session::new(network).expect("a network that runs").run(image, &masking, None).expect("a run")
}

/// The largest difference, relative to the largest magnitude.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(1e-30f32, |max, x| max.max(x.abs()));
    a.iter().zip(b).fold(0.0f32, |max, (x, y)| max.max((x - y).abs())) / scale
}
