//! Which tensors a file gets, and their elements.

use bytes::Bytes;
use esn::Grid;
use network::rearrange::transpose;
use network::{
    Bias, DataType, Encoding, LayerId, LayerWeights, MacLayer, MacOp, Mend, Names, Network, NetworkError, Note,
    NoteKind, Op, Tensor, WeightQuantization, WeightTransform, WeightValues,
};

use super::{WeightFormat, WeightList};
use crate::names::{is_harmless, listed, tamed, weight_name};
use crate::reading::fault::unsupported;
use crate::reading::grid::{self, GRID_KEY};
use crate::reading::tied::{self, TIED_KEY, Tied};

/// One tensor of a file.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    pub data_type: DataType,
    pub shape: Vec<usize>,
    content: Content,
}

/// Where its elements come from.
#[derive(Debug)]
enum Content {
    /// The weights of a layer.
    Weights(LayerId),
    /// A tensor whose stored bytes are the elements, row-major.
    Stored(Tensor),
}

impl Entry {
    /// Bytes of all elements.
    pub fn len(&self) -> u64 {
        self.shape.iter().fold(self.data_type.size() as u64, |product, &extent| product * extent as u64)
    }

    /// The elements, little-endian and row-major, as slices one after another.
    pub fn elements(&self, network: &Network) -> Result<Vec<Bytes>, NetworkError> {
        match &self.content {
            Content::Stored(tensor) => Ok(tensor.chunks.clone()),
            Content::Weights(id) => Ok(vec![weights(network, *id, self.data_type)?.into()]),
        }
    }
}

/// The weights of a layer as elements of this type.
fn weights(network: &Network, id: LayerId, data_type: DataType) -> Result<Vec<u8>, NetworkError> {
    let layer = &network.layers()[id.0];
    Ok(match network.weights(id)? {
        LayerWeights::Float(WeightValues::F32(values)) => in_order(layer, values).flat_map(f32::to_le_bytes).collect(),
        LayerWeights::Float(WeightValues::F64(values)) => in_order(layer, values).flat_map(f64::to_le_bytes).collect(),
        LayerWeights::Quantized { codes, .. } => {
            let quantization = layer.weights.quantization.as_ref().expect("codes come with a quantization");
            let per_integer = if codes.grid() == Grid::MidRise { 1 } else { 2 };
            let rows = layer.geometry.rows();
            let integer = |(i, &code): (usize, &i32)| code / per_integer + quantization.of(i / rows).1;
            let integers = codes.codes().iter().enumerate().map(integer).collect();
            in_order(layer, integers).flat_map(|q: i32| q.to_le_bytes().into_iter().take(data_type.size())).collect()
        }
    })
}

/// Weights in the order of the file: those of a transposed convolution by input channel.
fn in_order<T: Copy>(layer: &MacLayer, values: Vec<T>) -> impl Iterator<Item = T> {
    let geometry = &layer.geometry;
    let ordered = match layer.scatter() {
        Some(_) => transpose(&values, &[geometry.spec().groups, geometry.columns(), geometry.rows()], &[0, 2, 1]),
        None => values,
    };
    ordered.into_iter()
}

/// A list under construction.
struct Builder<'a> {
    network: &'a Network,
    format: WeightFormat,
    entries: Vec<Entry>,
    names: Names,
    losses: Vec<Note>,
    /// Tensors whose half precision is widened.
    widened: usize,
    /// The names of the layers so far.
    stems: Vec<String>,
    /// Layers whose weights are those of an earlier one.
    tied: Tied,
    /// Layers of which the file cannot say whose weights they have.
    without: Vec<String>,
}

pub(super) fn list<'a>(
    network: &'a Network,
    format: WeightFormat,
    metadata: &[(String, String)],
) -> Result<WeightList<'a>, NetworkError> {
    let grid =
        grid::of_all(network.layers()).map_err(|fault| fault.at(network.path(), "writing its weights".to_string()))?;
    let mut builder = Builder {
        network,
        format,
        entries: Vec::new(),
        names: Names::default(),
        losses: Vec::new(),
        widened: 0,
        stems: Vec::new(),
        tied: Tied::new(),
        without: Vec::new(),
    };
    for (index, layer) in network.layers().iter().enumerate() {
        builder.add_layer(LayerId(index), layer)?;
    }
    builder.add_parameters();
    builder.note_losses(grid);
    let grid = grid.map(|grid| (GRID_KEY.to_string(), grid.name().to_string()));
    let own = metadata.iter().filter(|(key, _)| key != GRID_KEY && key != TIED_KEY);
    let metadata = without_repeats(own.cloned().chain(grid).chain(tied::entry(&builder.tied)));
    Ok(WeightList { network, entries: builder.entries, metadata, losses: builder.losses })
}

/// The name of a layer, of the name of its weights.
fn stem_of(weight: &str) -> String {
    weight.strip_suffix(".weight").unwrap_or(weight).to_string()
}

/// Every key once, at its first place with its last value.
fn without_repeats(entries: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (key, value) in entries {
        match kept.iter_mut().find(|(other, _)| *other == key) {
            Some(entry) => entry.1 = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

impl Builder<'_> {
    fn add_layer(&mut self, id: LayerId, layer: &MacLayer) -> Result<(), NetworkError> {
        // Whatever is wrong with the weights is said now, not in the middle of a file.
        self.network.weights(id)?;
        let shape = self.shape(layer);
        let stem = match self.network.shares_weights_with(id) {
            Some(first) => self.tie(layer, first, &shape),
            None => {
                let (data_type, content) = self.weights(id, layer);
                let stem = stem_of(&self.add(&weight_name(self.network, layer), data_type, shape, content));
                if let Some(quantization) = &layer.weights.quantization {
                    self.check_scales(layer, quantization)?;
                    self.add_quantization(&stem, quantization);
                }
                stem
            }
        };
        self.stems.push(stem.clone());
        match &layer.bias {
            Some(Bias::Integer { values, scales }) => {
                let narrow: Option<Vec<i32>> = values.iter().map(|&value| i32::try_from(value).ok()).collect();
                let shape = vec![values.len()];
                let tensor = match narrow {
                    Some(narrow) => Tensor::from_i32(shape, &narrow),
                    None => Tensor::from_i64(shape, values),
                };
                self.add_tensor(&format!("{stem}.bias"), tensor);
                self.add_tensor(&format!("{stem}.bias_scale"), Tensor::from_f32(vec![scales.len()], scales));
            }
            Some(Bias::Float(values)) => {
                self.add_tensor(&format!("{stem}.bias"), Tensor::from_f32(vec![values.len()], values));
            }
            None => {}
        }
        Ok(())
    }

    /// Leaves out weights that an earlier layer has. The metadata says so, where there is some and the shape is the same.
    /// Returns the name of the layer.
    fn tie(&mut self, layer: &MacLayer, first: LayerId, shape: &[usize]) -> String {
        let stem = stem_of(&self.names.claim_tensor(&weight_name(self.network, layer)));
        let is_alike = self.shape(&self.network.layers()[first.0]) == shape;
        match self.format {
            WeightFormat::Safetensors if is_alike => _ = self.tied.insert(stem.clone(), self.stems[first.0].clone()),
            WeightFormat::Safetensors | WeightFormat::Npz => self.without.push(layer.name.clone()),
        }
        stem
    }

    /// The type of a layer's weights in the new file, and where they come from: the stored bytes, or the weights as
    /// they are read.
    fn weights(&mut self, id: LayerId, layer: &MacLayer) -> (DataType, Content) {
        let (tensor, weights) = (&layer.weights.tensor, Content::Weights(id));
        if let Some(quantization) = &layer.weights.quantization {
            return (quantization.data_type, weights);
        }
        let is_in_order = layer.scatter().is_none()
            && layer.weights.transforms.iter().all(|step| matches!(step, WeightTransform::Reshape(_)));
        let holds = self.format == WeightFormat::Safetensors || tensor.data_type != DataType::Bf16;
        let is_half = matches!(tensor.data_type, DataType::F16 | DataType::Bf16);
        if is_half && is_in_order && holds && tensor.encoding == Encoding::Raw {
            return (tensor.data_type, Content::Stored(tensor.clone()));
        }
        if matches!(tensor.data_type, DataType::F32 | DataType::F64) {
            return (tensor.data_type, weights);
        }
        self.widened += 1;
        (DataType::F32, weights)
    }

    /// A scale for each of a file's tensor is one for each of its first axis, which are the input channels of a transposed
    /// convolution.
    fn check_scales(&self, layer: &MacLayer, quantization: &WeightQuantization) -> Result<(), NetworkError> {
        if layer.scatter().is_none() || quantization.scales.len().max(quantization.zero_points.len()) == 1 {
            return Ok(());
        }
        let fault = unsupported!("a scale for each output channel of a transposed convolution");
        Err(fault.at(self.network.path(), format!("layer {:?}", layer.name)))
    }

    fn add_quantization(&mut self, stem: &str, quantization: &WeightQuantization) {
        let list = |len: usize| if len == 1 { Vec::new() } else { vec![len] };
        let scales = &quantization.scales;
        self.add_tensor(&format!("{stem}.weight_scale"), Tensor::from_f32(list(scales.len()), scales));
        let points = &quantization.zero_points;
        if points.iter().any(|&point| point != 0) {
            self.add_tensor(&format!("{stem}.weight_zero_point"), Tensor::from_i32(list(points.len()), points));
        }
    }

    /// Adds the parameters of BatchNorm under their names in the graph. Without a graph, adds every tensor that no
    /// layer has.
    fn add_parameters(&mut self) {
        let graph = self.network.graph();
        if !self.network.has_graph() {
            let constants = graph.values().iter().filter_map(|value| Some((&value.name, value.constant.as_ref()?)));
            constants.for_each(|(name, tensor)| self.add_aside(name, tensor));
            return;
        }
        let nodes = graph.nodes().iter().filter(|node| matches!(node.op, Op::BatchNormalization { .. }));
        for id in nodes.flat_map(|node| node.inputs.iter().flatten()) {
            let value = graph.value(*id);
            let Some(tensor) = value.constant.as_ref().filter(|_| !self.names.is_taken(&value.name)) else { continue };
            if let Ok(values) = tensor.to_f32() {
                self.add_tensor(&value.name, Tensor::from_f32(tensor.shape.clone(), &values));
            }
        }
    }

    /// Adds a tensor that no layer has, as it is. Only bfloat16 is widened for numpy, which has no such type.
    fn add_aside(&mut self, name: &str, tensor: &Tensor) {
        // A dash, for a dot might make of it what readers take for a scale.
        let name = if is_harmless(name) { name.to_string() } else { tamed(name, '-') };
        let wide = tensor.data_type == DataType::Bf16 && self.format == WeightFormat::Npz;
        match tensor.to_f32().ok().filter(|_| wide) {
            Some(values) => {
                self.widened += 1;
                self.add_tensor(&name, Tensor::from_f32(tensor.shape.clone(), &values));
            }
            None => self.add_tensor(&name, tensor.clone()),
        }
    }

    /// `[filters, channels, kernel_h, kernel_w]` of a convolution, `[filters, inputs]` of a product; without a graph
    /// the shape that the file has.
    fn shape(&self, layer: &MacLayer) -> Vec<usize> {
        let spec = layer.geometry.spec();
        match layer.op {
            _ if !self.network.has_graph() => layer.weights.file_shape(),
            // As PyTorch has them.
            MacOp::Conv | MacOp::ConvTranspose(_) => {
                let rank = self.network.graph().value(layer.input).shape.as_ref().map_or(4, Vec::len);
                let is_conv = layer.op == MacOp::Conv;
                // A convolution along the width alone has a height of 1.
                let first = if is_conv { (5 - rank).min(1) } else { 5 - rank };
                let [ins, outs] = [layer.in_channels(), layer.out_channels()];
                let ends = if is_conv { [outs, ins / spec.groups] } else { [ins, outs / spec.groups] };
                ends.into_iter().chain(layer.window()[first..].iter().map(|axis| axis.kernel)).collect()
            }
            MacOp::Gemm | MacOp::MatMul => vec![spec.filters, layer.geometry.rows()],
        }
    }

    fn add_tensor(&mut self, name: &str, tensor: Tensor) {
        let (data_type, shape) = (tensor.data_type, tensor.shape.clone());
        self.add(name, data_type, shape, Content::Stored(tensor));
    }

    /// Says that the file has no place for something.
    fn lose(&mut self, what: String) {
        self.losses.push(loss(&what));
    }

    /// Adds a tensor under a name that no other has, and returns it.
    fn add(&mut self, name: &str, data_type: DataType, shape: Vec<usize>, content: Content) -> String {
        let name = self.names.claim_tensor(name);
        self.entries.push(Entry { name: name.clone(), data_type, shape, content });
        name
    }

    fn note_losses(&mut self, grid: Option<Grid>) {
        let network = self.network;
        // Layers that nothing connects, one output position each, come from a file without a graph.
        let connected = network.graph().nodes().iter().any(|node| !matches!(node.op, Op::Mac(_)));
        let positions = network.layers().iter().any(|layer| layer.geometry.positions() > 1);
        if connected || positions {
            let count = network.graph().nodes().len();
            self.lose(format!("the graph of {count} nodes: strides, pads and output positions with it"));
        }
        let count = |matches: fn(&MacLayer) -> bool| network.layers().iter().filter(|layer| matches(layer)).count();
        let inputs = count(|layer| layer.input_quantization.is_some());
        if inputs > 0 {
            self.lose(format!("the quantization of the activations that {inputs} layers read"));
        }
        let scaled = count(|layer| layer.alpha != 1.0);
        if scaled > 0 {
            self.lose(format!("the factor alpha of the products of {scaled} layers"));
        }
        if !self.without.is_empty() {
            self.lose(format!("that layers have the weights of an earlier one: {}", listed(&self.without)));
        }
        if self.widened > 0 {
            let count = self.widened;
            self.lose(format!("the half precision of {count} tensors: they are widened, exactly, to float32"));
        }
        if grid == Some(Grid::MidRise) && self.format == WeightFormat::Npz {
            self.losses.push(loss("that integers count half-steps").mended_by(Mend::NameGrid));
        }
        if !network.metadata().is_empty() && self.format == WeightFormat::Npz {
            self.lose("the metadata of the file".to_string());
        }
    }
}

/// The note of something that the file has no place for.
fn loss(what: &str) -> Note {
    Note::new(NoteKind::LeftOut, format!("not in the new file: {what}"))
}
