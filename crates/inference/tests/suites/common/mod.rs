//! Networks put together by hand. Each suite uses a part.
#![allow(dead_code)]

use inference::{ExecutorError, MacExecutor};
use network::{
    DataType, Geometry, GeometrySpec, LayerId, MacLayer, MacOp, Network, NetworkBuilder, Node, Op, Operand, Tensor,
    Value, ValueId, WeightSource,
};

/// A graph in the making.
pub struct Builder(NetworkBuilder);

impl Default for Builder {
    fn default() -> Self {
        Self(NetworkBuilder::new("by-hand"))
    }
}

impl Builder {
    pub fn value(&mut self, name: &str, shape: &[usize]) -> ValueId {
        self.push(Value::new(name, Some(DataType::F32), Some(shape.to_vec())))
    }

    pub fn input(&mut self, shape: &[usize]) -> ValueId {
        let id = self.value("input", shape);
        self.0.set_inputs([self.0.inputs(), &[id]].concat());
        id
    }

    pub fn constant(&mut self, shape: &[usize], values: &[f32]) -> ValueId {
        self.0.add_constant("constant", Tensor::from_f32(shape.to_vec(), values))
    }

    pub fn push(&mut self, value: Value) -> ValueId {
        self.0.add_value(value)
    }

    /// Says that the file has this value in a form that the model has not.
    pub fn outside(&mut self, id: ValueId) {
        self.0.set_outside(vec![id]);
    }

    pub fn change(&mut self, id: ValueId, change: impl FnOnce(&mut Value)) {
        change(self.0.value_mut(id));
    }

    /// A node with one output of `shape`.
    pub fn node(&mut self, op: Op, inputs: &[ValueId], shape: &[usize]) -> ValueId {
        let name = format!("node{}", self.0.nodes().len());
        let output = self.value(&format!("{name}_out"), shape);
        let op_type = match &op {
            Op::Unary(function) => function.name().to_string(),
            Op::Binary(function) => function.name().to_string(),
            op => format!("{op:?}").split([' ', '(', '{']).next().unwrap_or_default().to_string(),
        };
        let inputs = inputs.iter().copied().map(Some).collect();
        self.0.add_node(Node { name, op_type, op, inputs, outputs: vec![output] });
        output
    }

    /// A MAC layer without bias; nobody here reads its weights from the network.
    pub fn mac(&mut self, spec: GeometrySpec, operand: Operand, input: ValueId, shape: &[usize]) -> ValueId {
        let id = LayerId(self.0.layers().len());
        let output = self.node(Op::Mac(id), &[input], shape);
        self.0.add_layer(MacLayer { input, output, operand, ..layer(spec) });
        output
    }

    pub fn finish(mut self, outputs: &[ValueId], batch: usize) -> Network {
        self.0.set_outputs(outputs.to_vec());
        self.0.set_batch(batch);
        self.0.finish().unwrap()
    }
}

/// A layer of a geometry and nothing else.
pub fn layer(spec: GeometrySpec) -> MacLayer {
    MacLayer {
        name: "layer".to_string(),
        op: MacOp::Conv,
        geometry: Geometry::new(spec).unwrap(),
        operand: Operand::ChannelsFirst,
        weights: WeightSource {
            name: "weights".to_string(),
            tensor: Tensor::from_f32(vec![0], &[]),
            transforms: vec![],
            quantization: None,
        },
        bias: None,
        alpha: 1.0,
        input_quantization: None,
        requantization: None,
        input: ValueId(0),
        output: ValueId(0),
    }
}

/// A convolution of 1×1 over `positions` positions.
pub fn pointwise(in_channels: usize, filters: usize, positions: usize, repeats: usize) -> GeometrySpec {
    GeometrySpec { repeats, ..GeometrySpec::convolution(in_channels, filters, [1, 1], [positions, 1]) }
}

/// The definition of a convolution, seven loops, in 64 bits. Weights are `[filters, channels, kernel_h, kernel_w]`.
pub fn plain_convolution(geometry: &Geometry, weights: &[f32], input: &[f32]) -> Vec<f64> {
    let spec = geometry.spec();
    let [out_h, out_w] = geometry.out_size();
    let item = spec.in_channels * spec.in_size[0] * spec.in_size[1];
    let mut output = Vec::new();
    for input in input.chunks(item) {
        for filter in 0..spec.filters {
            let group = filter / geometry.columns();
            for position in 0..out_h * out_w {
                let product = |row: usize| {
                    let index = geometry.input_index(group, row, position / out_w, position % out_w);
                    f64::from(weights[filter * geometry.rows() + row]) * index.map_or(0.0, |i| f64::from(input[i]))
                };
                output.push((0..geometry.rows()).map(product).sum());
            }
        }
    }
    output
}

/// Numbers that look random and are the same every time.
pub fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Computes by the plain definition, without bias.
pub struct Plain(pub Vec<Vec<f32>>);

impl MacExecutor for Plain {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        Ok(plain_convolution(&layer.geometry, &self.0[id.0], input).into_iter().map(|y| y as f32).collect())
    }
}
