//! LSTM, GRU and RNN: one node for two of the graph and the layers between them.

use network::{
    Bias, Cell, DataType, Direction, LayerId, LayerWeights, MacLayer, Network, NetworkError, Node, Op, Recurrent,
    RecurrentInput, RecurrentPart, Tensor, ValueId, WeightValues,
};

use super::attributes::{count, flag, float, text, texts};
use super::layer::{Scales, stored_integers};
use super::node::Draft;
use super::{Writer, tensors};
use crate::onnx::proto::AttributeProto;
use crate::reading::fault::{Fault, unsupported};

/// The weights of a layer, which are some rows of a matrix.
struct Block<'a> {
    layer: &'a MacLayer,
    weights: LayerWeights,
}

impl<'a> Block<'a> {
    fn of(network: &'a Network, id: LayerId) -> Result<Self, NetworkError> {
        Ok(Self { layer: &network.layers()[id.0], weights: network.weights(id)? })
    }
}

/// The layers of an operator, by direction those of the input and those of the states.
struct Layers {
    input: Vec<Vec<LayerId>>,
    state: Vec<Vec<LayerId>>,
}

impl Writer<'_> {
    /// Whether the product of a layer belongs to a recurrent operator, whose node has its weights. What such a node reads
    /// behind its products, as its first states, is a value like any other.
    pub(super) fn is_of_recurrent(&self, id: LayerId) -> bool {
        let (graph, product) = (self.network.graph(), self.network.layers()[id.0].output);
        graph.readers(product).iter().map(|&reader| graph.node(reader)).any(|node| {
            let Op::Recurrent(recurrent) = &node.op else { return false };
            let products = node.inputs.len() - recurrent.inputs.len();
            node.inputs[..products].contains(&Some(product))
        })
    }

    /// Adds a recurrent operator where its outputs are made.
    pub(super) fn add_recurrent(&mut self, node: &Node, recurrent: &Recurrent) -> Result<(), NetworkError> {
        if recurrent.part == RecurrentPart::States {
            return Ok(());
        }
        check_writable(recurrent).map_err(|fault| self.at(node, fault))?;
        let layers = self.layers_of(node, recurrent);
        let mut matrices = Vec::new();
        for of_directions in [&layers.input, &layers.state] {
            let mut blocks = Vec::new();
            for ids in of_directions {
                blocks.push(ids.iter().map(|&id| Block::of(self.network, id)).collect::<Result<Vec<_>, _>>()?);
            }
            matrices.push(self.matrix(&blocks, recurrent.matrices > 1).map_err(|fault| self.at(node, fault))?);
        }
        self.add_operator(node, recurrent, &layers, matrices).map_err(|fault| self.at(node, fault))
    }

    fn layers_of(&self, node: &Node, recurrent: &Recurrent) -> Layers {
        let graph = self.network.graph();
        let layer = |id: &Option<ValueId>| {
            let producer = id.and_then(|id| graph.producer(id)).map(|node| &graph.node(node).op);
            let Some(Op::Mac(id)) = producer else { panic!("a product of {} comes from no layer", node.name) };
            *id
        };
        let (directions, each) = (recurrent.directions.len(), recurrent.matrices);
        let (input, rest) = node.inputs.split_at(directions * each);
        let (state, rest) = rest.split_at(directions * each);
        let by_direction =
            |ids: &[Option<ValueId>]| ids.chunks(each).map(|ids| ids.iter().map(layer).collect()).collect();
        let mut layers = Layers { input: by_direction(input), state: by_direction(state) };
        if recurrent.cell.resets_before() {
            layers.state.iter_mut().zip(rest).for_each(|(layers, reset)| layers.push(layer(reset)));
        }
        layers
    }

    fn add_operator(
        &mut self,
        node: &Node,
        recurrent: &Recurrent,
        layers: &Layers,
        matrices: Vec<String>,
    ) -> Result<(), Fault> {
        let first = &self.network.layers()[layers.input[0][0].0];
        let units = self.network.layers()[layers.state[0][0].0].in_channels();
        let mut inputs = vec![self.value(first.input)?];
        inputs.extend(matrices);
        inputs.push(self.biases(node, recurrent, layers)?);
        inputs.push(self.lengths(node, recurrent)?);
        for input in [RecurrentInput::Hidden, RecurrentInput::Cell, RecurrentInput::Peepholes] {
            inputs.push(match read(node, recurrent, input) {
                Some(id) => self.value(id)?,
                None => String::new(),
            });
        }
        while inputs.last().is_some_and(String::is_empty) {
            inputs.pop();
        }
        let graph = self.network.graph();
        let states = self.network.layers()[layers.state[0][0].0].input;
        let name = graph.producer(states).map_or(&node.name, |states| &graph.node(states).name);
        let draft = Draft { op_type: name_of(recurrent.cell), inputs, attributes: attributes(recurrent, units) };
        let outputs: Vec<String> = node.outputs.iter().map(|&id| self.name(id)).collect();
        let rank = graph.value(node.outputs[0]).shape.as_ref().map(Vec::len);
        if rank != Some(3) {
            self.push(name, draft, outputs);
            return Ok(());
        }
        // TFLite has no axis of directions.
        let axis = if recurrent.steps_first { 1 } else { 2 };
        let all = self.values.claim(&format!("{}_all", outputs[0]));
        self.push(name, draft, vec![all.clone()]);
        let axes = self.ints(&node.name, "axes", &[axis])?;
        self.push(&node.name, Draft::new("Squeeze", vec![all, axes]), outputs);
        Ok(())
    }

    /// The name of the biases. Those of the layers are added to them.
    fn biases(&mut self, node: &Node, recurrent: &Recurrent, layers: &Layers) -> Result<String, Fault> {
        let stored = read(node, recurrent, RecurrentInput::Biases);
        let network = self.network;
        let all = layers.input.iter().zip(&layers.state).flat_map(|(input, state)| [input, state]).flatten();
        let all: Vec<&MacLayer> = all.map(|id| &network.layers()[id.0]).collect();
        let real = network.graph().value(all[0].input).data_type.unwrap_or(DataType::F32);
        if all.iter().all(|layer| layer.bias.is_none()) {
            return stored.map_or(Ok(String::new()), |id| self.value(id));
        }
        let values = stored.map(|id| network.constant_f32(id));
        let values = match values {
            Some(Ok(Some(values))) => values,
            Some(_) => return Err(unsupported!("biases of layers beside biases that are no constants")),
            None => vec![0.0; all.iter().map(|layer| layer.out_channels()).sum()],
        };
        let of_layer =
            |layer: &&MacLayer| layer.bias.as_ref().map_or_else(|| vec![0.0; layer.out_channels()], Bias::to_float);
        let of_layers = all.iter().flat_map(of_layer);
        let sums: Vec<f64> = values.iter().zip(of_layers).map(|(a, b)| f64::from(a + b)).collect();
        let shape = vec![recurrent.directions.len(), sums.len() / recurrent.directions.len()];
        let too_fine = || unsupported!("biases that {} does not hold exactly", real.name());
        let tensor = tensors::real(shape, &sums, real).ok_or_else(too_fine)?;
        self.add_tensor(&format!("{}_bias", node.name), &tensor)
    }

    fn lengths(&mut self, node: &Node, recurrent: &Recurrent) -> Result<String, Fault> {
        let Some(lengths) = &recurrent.lengths else { return Ok(String::new()) };
        let lengths: Vec<i32> = lengths
            .iter()
            .map(|&length| i32::try_from(length).map_err(|_| unsupported!("a sequence of {length} steps")))
            .collect::<Result<_, _>>()?;
        self.add_tensor(&format!("{}_lengths", node.name), &Tensor::from_i32(vec![lengths.len()], &lengths))
    }

    /// The name of a matrix `[directions, rows, depth]`, out of the layers that have its rows, by direction. Where gates are
    /// layers of their own, a reader would not know it, and would quantize real weights with one step for all.
    fn matrix(&mut self, blocks: &[Vec<Block<'_>>], gates_apart: bool) -> Result<String, Fault> {
        let all: Vec<&Block<'_>> = blocks.iter().flatten().collect();
        let first = all[0].layer;
        let rows = blocks[0].iter().map(|block| block.layer.out_channels()).sum();
        let shape = vec![blocks.len(), rows, first.in_channels()];
        let real = self.network.graph().value(first.input).data_type.unwrap_or(DataType::F32);
        let name = first.weights.name.split('[').next().unwrap_or_default().to_string();
        if all.iter().any(|block| matches!(block.weights, LayerWeights::Quantized { .. })) {
            let (integers, scales) = quantized(blocks)?;
            let data_type =
                first.weights.quantization.as_ref().map_or(DataType::I8, |quantization| quantization.data_type);
            let tensor = tensors::integer(shape, &integers, data_type);
            let tensor = tensor.ok_or_else(|| unsupported!("weights beyond {}", data_type.name()))?;
            return self.dequantized(&name, &tensor, &scales, real);
        }
        if gates_apart {
            return Err(unsupported!("real weights of gates that are layers of their own; quantized ones are written"));
        }
        let values: Vec<f64> = all.iter().flat_map(|block| reals(&block.weights)).collect();
        let too_fine = || unsupported!("weights that {} does not hold exactly", real.name());
        let tensor = tensors::real(shape, &values, real).ok_or_else(too_fine)?;
        self.add_tensor(&name, &tensor)
    }
}

/// ONNX has neither an LSTM on integers nor a bound of its cells.
fn check_writable(recurrent: &Recurrent) -> Result<(), Fault> {
    if recurrent.integers.is_some() {
        return Err(unsupported!("an LSTM whose gates are integers"));
    }
    match recurrent.cell_clip {
        Some(clip) => Err(unsupported!("an LSTM whose cells are clipped to ±{clip}")),
        None => Ok(()),
    }
}

/// The integers of all layers, and scales along one axis of their matrix.
fn quantized(blocks: &[Vec<Block<'_>>]) -> Result<(Vec<i64>, Scales), Fault> {
    let (mut integers, mut by_row, mut said) = (Vec::new(), Vec::new(), false);
    let type_of = |block: &Block<'_>| block.layer.weights.quantization.as_ref().map(|q| (q.data_type, q.grid));
    for block in blocks.iter().flatten() {
        let (LayerWeights::Quantized { codes, .. }, Some(quantization)) =
            (&block.weights, &block.layer.weights.quantization)
        else {
            return Err(unsupported!("integers and real numbers in one matrix of a recurrent operator"));
        };
        if type_of(block) != type_of(&blocks[0][0]) {
            return Err(unsupported!("integers of two types in one matrix of a recurrent operator"));
        }
        integers.extend(stored_integers(block.layer, quantization, codes.codes()));
        let scales = Scales::of(quantization, codes.codes(), block.layer, 0)?;
        let points = scales.zero_points.clone().unwrap_or_else(|| vec![0; scales.scales.len()]);
        said |= scales.zero_points.is_some();
        let pairs: Vec<(f32, i64)> = scales.scales.into_iter().zip(points).collect();
        let filters = block.layer.out_channels();
        by_row.extend((0..filters).map(|filter| if pairs.len() == 1 { pairs[0] } else { pairs[filter] }));
    }
    let (kept, axis) = along_an_axis(by_row, blocks.len())?;
    let (scales, zero_points): (Vec<f32>, Vec<i64>) = kept.into_iter().unzip();
    Ok((integers, Scales { scales, zero_points: said.then_some(zero_points), axis }))
}

/// Scales and zero points along the axis that has them, out of those of all rows.
fn along_an_axis(by_row: Vec<(f32, i64)>, directions: usize) -> Result<(Vec<(f32, i64)>, usize), Fault> {
    let rows = by_row.len() / directions;
    let is_one = |pairs: &[(f32, i64)]| pairs.iter().all(|pair| *pair == pairs[0]);
    if is_one(&by_row) {
        Ok((by_row[..1].to_vec(), 0))
    } else if by_row.chunks(rows).all(is_one) {
        Ok((by_row.chunks(rows).map(|pairs| pairs[0]).collect(), 0))
    } else if directions == 1 {
        Ok((by_row, 1))
    } else {
        Err(unsupported!("steps by filter of two directions; one step a layer is written"))
    }
}

fn reals(weights: &LayerWeights) -> Vec<f64> {
    match weights {
        LayerWeights::Float(WeightValues::F32(values)) => values.iter().copied().map(f64::from).collect(),
        LayerWeights::Float(WeightValues::F64(values)) => values.clone(),
        LayerWeights::Quantized { .. } => unreachable!("the caller has looked for integers"),
    }
}

/// An input behind the products.
fn read(node: &Node, recurrent: &Recurrent, input: RecurrentInput) -> Option<ValueId> {
    let behind = node.inputs.len() - recurrent.inputs.len();
    let place = recurrent.inputs.iter().position(|&other| other == input)?;
    node.inputs[behind + place]
}

fn name_of(cell: Cell) -> &'static str {
    match cell {
        Cell::Lstm { .. } => "LSTM",
        Cell::Gru { .. } => "GRU",
        Cell::Rnn => "RNN",
    }
}

fn attributes(recurrent: &Recurrent, units: usize) -> Vec<AttributeProto> {
    let direction = match recurrent.directions.as_slice() {
        [Direction { reverse: true, .. }] => "reverse",
        [_] => "forward",
        _ => "bidirectional",
    };
    let mut attributes = vec![count("hidden_size", units), text("direction", direction)];
    let functions = recurrent.directions.iter().flat_map(|direction| &direction.functions);
    let names: Vec<&str> = functions.map(|function| function.name()).collect();
    attributes.push(texts("activations", &names));
    attributes.extend(recurrent.clip.map(|clip| float("clip", clip)));
    if !recurrent.steps_first {
        attributes.push(count("layout", 1));
    }
    match recurrent.cell {
        Cell::Lstm { coupled } => attributes.extend(coupled.then(|| flag("input_forget", true))),
        Cell::Gru { reset_behind } => attributes.push(flag("linear_before_reset", reset_behind)),
        Cell::Rnn => {}
    }
    attributes
}
