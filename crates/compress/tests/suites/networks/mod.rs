//! Networks for tests: small ones made here, and real ones from beside the repository.

// Every test binary uses its own part of this.
#![allow(dead_code)]

use std::path::PathBuf;

use esn::CodeTensor;
use formats::ReadOptions;
use network::{
    Bias, DataType, Geometry, GeometrySpec, LayerId, LayerWeights, MacLayer, MacOp, Network, NetworkBuilder, Node, Op,
    Operand, Unary, Value, ValueId, WeightSource, WeightValues,
};

/// A file beside the repository, or a note that it is not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: {} is not there", file.display());
    None
}

pub fn read_shared(path: &str) -> Option<Network> {
    Some(formats::read(&shared(path)?, &ReadOptions::default()).expect("a valid network"))
}

/// Numbers that look like trained weights: a sum of uniform ones, with a few large. The same on every machine.
pub fn weights(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count).map(|i| (0..4).map(|_| uniform()).sum::<f32>() * if i % 17 == 0 { 3.0 } else { 1.0 } * 0.1).collect()
}

/// A network under construction, of one image `[1, channels, height, width]`.
pub struct Builder {
    pub network: NetworkBuilder,
}

impl Builder {
    pub fn new(input: [usize; 4]) -> Self {
        let mut builder = Self { network: NetworkBuilder::new("test.onnx") };
        builder.network.set_batch(input[0]);
        let id = builder.value("x", input.to_vec());
        builder.network.set_inputs(vec![id]);
        builder
    }

    pub fn input(&self) -> ValueId {
        self.network.inputs()[0]
    }

    pub fn shape(&self, id: ValueId) -> Vec<usize> {
        self.network.value(id).shape.clone().expect("every shape is known")
    }

    fn value(&mut self, name: &str, shape: Vec<usize>) -> ValueId {
        self.network.add_value(Value::new(name, Some(DataType::F32), Some(shape)))
    }

    pub fn constant(&mut self, name: &str, values: &[f32]) -> ValueId {
        self.network.add_constant(name, network::Tensor::from_f32(vec![values.len()], values))
    }

    pub fn node(&mut self, op: Op, inputs: &[ValueId], shape: Vec<usize>) -> ValueId {
        let name = format!("n{}", self.network.nodes().len());
        let output = self.value(&format!("{name}_out"), shape);
        let inputs = inputs.iter().map(|&id| Some(id)).collect();
        self.network.add_node(Node { name, op_type: "op".to_string(), op, inputs, outputs: vec![output] });
        output
    }

    /// A convolution of `kernel × kernel` with `kernel / 2` padding.
    pub fn conv(&mut self, x: ValueId, filters: usize, kernel: usize, values: &[f32], bias: Option<&[f32]>) -> ValueId {
        let shape = self.shape(x);
        let spec = GeometrySpec {
            pads: [kernel / 2; 4],
            ..GeometrySpec::convolution(shape[1], filters, [kernel; 2], [shape[2], shape[3]])
        };
        let geometry = Geometry::new(spec).expect("a valid geometry");
        let [height, width] = geometry.out_size();
        let id = LayerId(self.network.layers().len());
        let output = self.node(Op::Mac(id), &[x], vec![self.network.batch(), filters, height, width]);
        self.network.add_layer(MacLayer {
            name: format!("layer{}", id.0),
            op: MacOp::Conv,
            geometry,
            operand: Operand::ChannelsFirst,
            weights: WeightSource::from_f32(&format!("w{}", id.0), [filters, shape[1], kernel, kernel], values),
            bias: bias.map(|bias| Bias::Float(bias.to_vec())),
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input: x,
            output,
        });
        output
    }

    pub fn relu(&mut self, x: ValueId) -> ValueId {
        let shape = self.shape(x);
        self.node(Op::Unary(Unary::Relu), &[x], shape)
    }

    pub fn build(mut self, output: ValueId) -> Network {
        self.network.set_outputs(vec![output]);
        self.network.finish().expect("a network that holds together")
    }
}

/// A chain of 1×1 convolutions, one for each list of weights, each of `filters` filters.
pub fn chain(layers: &[(usize, Vec<f32>)]) -> Network {
    let first = layers[0].1.len() / layers[0].0;
    let mut builder = Builder::new([1, first, 2, 3]);
    let mut x = builder.input();
    for (filters, values) in layers {
        x = builder.conv(x, *filters, 1, values, None);
    }
    builder.build(x)
}

pub fn real(network: &Network, layer: usize) -> Vec<f32> {
    match network.weights(LayerId(layer)).expect("valid weights") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected real weights, found {other:?}"),
    }
}

pub fn codes(network: &Network, layer: usize) -> (CodeTensor, Vec<f32>) {
    match network.weights(LayerId(layer)).expect("valid weights") {
        LayerWeights::Quantized { codes, scales } => (codes, scales),
        other => panic!("expected codes, found {other:?}"),
    }
}
