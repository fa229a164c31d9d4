//! A network: graph, layers, and what is known of where it comes from.

mod builder;

use std::path::{Path, PathBuf};

pub use self::builder::{Mark, NetworkBuilder};

use crate::error::NetworkError;
use crate::failure::Mend;
use crate::graph::Graph;
use crate::ids::{LayerId, ValueId};
use crate::layer::{LayerWeights, MacLayer};
use crate::mapping::Mapping;
use crate::note::{Note, NoteKind, and_more};
use crate::op::Op;
use crate::recurrent::RecurrentPart;
use crate::synthetic::Synthetic;
use crate::tensor::{Encoding, Tensor, TensorError};
use crate::weights;

/// Weights of a layer that are drawn at once: 4 GiB of 32-bit numbers.
const MAX_DRAWN: usize = 1 << 30;

/// A node with multiply-accumulates that no layer stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCosted {
    /// Name of the node.
    pub node: String,
    /// The operator as the file calls it: `Conv`, `com.microsoft:QGemm`.
    pub operator: String,
    /// Why it is no layer.
    pub reason: String,
}

/// A tensor of a file that has its type and shape and no values: files are exchanged so, for the sizes of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Name of the tensor.
    pub tensor: String,
    /// Why there are none.
    pub reason: String,
}

/// A CNN with known shapes, its MAC layers in order of execution, and its weights still in the file.
#[derive(Clone, Debug)]
pub struct Network {
    graph: Graph,
    layers: Vec<MacLayer>,
    /// By layer, the first whose weights are the same tensor.
    first_uses: Vec<LayerId>,
    about: About,
}

/// What is known of a network beside its graph and its layers.
#[derive(Clone, Debug)]
struct About {
    path: PathBuf,
    batch: usize,
    batch_axis: usize,
    notes: Vec<Note>,
    not_costed: Vec<NotCosted>,
    open_batch: bool,
    metadata: Vec<(String, String)>,
    operators: Vec<(String, usize)>,
    mappings: Vec<Mapping>,
    absent: Vec<Absent>,
    synthetic: Option<Synthetic>,
}

impl About {
    /// Nothing, but for the file, and a batch of 1.
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            batch: 1,
            batch_axis: 0,
            notes: Vec::new(),
            not_costed: Vec::new(),
            open_batch: false,
            metadata: Vec::new(),
            operators: Vec::new(),
            mappings: Vec::new(),
            absent: Vec::new(),
            synthetic: None,
        }
    }
}

impl Network {
    /// The parts of this network, to be changed and put together again.
    pub fn edit(&self) -> NetworkBuilder {
        NetworkBuilder::of(self)
    }

    /// The same network with the files that its weights lie in, so that their pages can be given back after use.
    pub fn with_mappings(mut self, mappings: Vec<Mapping>) -> Self {
        self.about.mappings = mappings;
        self
    }

    /// Gives back the memory of a part of the files that weights lie in. What is read again comes from the file again.
    pub fn release(&self, part: &[u8]) {
        self.about.mappings.iter().for_each(|mapping| mapping.release(part));
    }

    /// Whether the file holds a graph, and not weights alone: layers of those are connected by nothing.
    pub fn has_graph(&self) -> bool {
        !self.graph.inputs().is_empty()
    }

    /// The same network with these nodes that no layer stands for.
    pub fn with_not_costed(mut self, nodes: Vec<NotCosted>) -> Self {
        self.about.not_costed = nodes;
        self
    }

    /// The same network, with its batch left open by the file (which is then read as 1) or not.
    pub fn with_open_batch(mut self, open: bool) -> Self {
        self.about.open_batch = open;
        self
    }

    /// The same network, with these tensors of its file without values. A note says so.
    pub fn with_absent(mut self, absent: Vec<Absent>) -> Self {
        self.about.notes.extend(absent_note(&absent));
        self.about.absent = absent;
        self
    }

    /// The same network with these notes in place of its own.
    pub fn with_notes(mut self, notes: Vec<Note>) -> Self {
        self.about.notes = notes;
        self
    }

    /// The same network with this metadata, in the order of the file.
    pub fn with_metadata(mut self, metadata: Vec<(String, String)>) -> Self {
        self.about.metadata = metadata;
        self
    }

    /// The same network with the operators that its file has, by name, and how many there are of each.
    pub fn with_file_operators(mut self, operators: Vec<(String, usize)>) -> Self {
        self.about.operators = operators;
        self
    }

    /// The operators that the file has, by name, and how many there are of each; empty where it has no graph. The nodes of
    /// [`Network::graph`] may be others: a reader splits operators, computes constant ones, and adds what the file leaves
    /// to be understood.
    pub fn file_operators(&self) -> &[(String, usize)] {
        &self.about.operators
    }

    /// Whether the file leaves the batch open.
    pub fn has_open_batch(&self) -> bool {
        self.about.open_batch
    }

    /// What the file says about itself by key.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.about.metadata
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.about.path
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The MAC layers, in order of execution.
    pub fn layers(&self) -> &[MacLayer] {
        &self.layers
    }

    /// The earlier layer whose weights are one tensor with those of this one; none where they are its own. Of several it
    /// is the first. The tensor is stored once, and each of its weights counts once wherever weights are counted; MACs
    /// count for each layer.
    ///
    /// # Panics
    ///
    /// If `layer` comes from another network.
    pub fn shares_weights_with(&self, layer: LayerId) -> Option<LayerId> {
        Some(self.first_uses[layer.0]).filter(|first| *first != layer)
    }

    /// Whether a layer multiplies the states of a recurrent operator, which come step by step.
    ///
    /// # Panics
    ///
    /// If `layer` comes from another network.
    pub fn multiplies_states(&self, layer: LayerId) -> bool {
        let producer = self.graph.producer(self.layers[layer.0].input).map(|node| &self.graph.node(node).op);
        matches!(producer, Some(Op::Recurrent(recurrent)) if recurrent.part == RecurrentPart::States)
    }

    /// Weights of all layers, pruned ones among them; those of one tensor once.
    pub fn parameter_count(&self) -> u128 {
        let own = (0..self.layers.len()).filter(|&id| self.shares_weights_with(LayerId(id)).is_none());
        own.map(|id| &self.layers[id].geometry)
            .map(|geometry| (geometry.spec().filters * geometry.rows()) as u128)
            .sum()
    }

    /// The axis of the first input on which the images of a batch lie: the first, but for networks whose sequences run side
    /// by side.
    pub fn batch_axis(&self) -> usize {
        self.about.batch_axis
    }

    /// Images in one run of the graph: 1, or the batch that the file fixes.
    pub fn batch(&self) -> usize {
        self.about.batch
    }

    /// Nodes whose multiply-accumulates are in no layer, in order of execution: sums over the layers leave them out.
    pub fn not_costed(&self) -> &[NotCosted] {
        &self.about.not_costed
    }

    /// Multiply-accumulates of one image in a node that is not costed: those of the product of two matrices whose shapes are
    /// known. None where the node is another, for nothing is known of it.
    pub fn macs_not_costed(&self, left_out: &NotCosted) -> Option<u128> {
        let nodes = self.graph.nodes();
        let node = nodes.iter().find(|node| node.name == left_out.node && node.op == Op::MatMul)?;
        let shape = |id: ValueId| self.graph.value(id).shape.as_deref();
        let products = shape(*node.outputs.first()?)?.iter().map(|&extent| extent as u128).product::<u128>();
        let terms = *shape((*node.inputs.first()?)?)?.last()? as u128;
        Some(products.checked_mul(terms)? / self.batch() as u128)
    }

    /// What a user should know about the reading: operators that are not run, products that are not costed. One line for
    /// each operator and reason.
    pub fn notes(&self) -> &[Note] {
        &self.about.notes
    }

    /// Tensors of the file that have no values: weights, biases, whatever was left out. Sizes are known, and so are
    /// costs, once the weights have values ([`Network::with_synthetic_weights`]). Answers are not: a bias that is absent
    /// stands in its layer as 0.
    pub fn absent(&self) -> &[Absent] {
        &self.about.absent
    }

    /// Layers whose weights have no values.
    pub fn layers_without_weights(&self) -> impl Iterator<Item = LayerId> + '_ {
        let absent = |id: &LayerId| self.layers[id.0].weights.tensor.is_absent();
        (0..self.layers.len()).map(LayerId).filter(absent)
    }

    /// How the weights were drawn that the file has no values of; none where nothing was drawn.
    pub fn synthetic(&self) -> Option<Synthetic> {
        self.about.synthetic
    }

    /// The same network with weights where the file has no values of them. They are drawn where they are read, so that
    /// they take no memory before. A note says that they are synthetic, and takes the place of the one that they are
    /// absent. A network that has all its weights stays as it is.
    pub fn with_synthetic_weights(&self, synthetic: Synthetic) -> Self {
        let mut drawn = self.clone();
        let absent: Vec<LayerId> = self.layers_without_weights().collect();
        for &id in &absent {
            // One tensor has one content, whatever layers it is in.
            let first = self.first_uses[id.0];
            let of_first = synthetic.weights_of(&self.layers[first.0]);
            drawn.layers[id.0].weights.tensor = of_first.tensor;
            drawn.layers[id.0].weights.quantization = of_first.quantization;
        }
        if !absent.is_empty() {
            drawn.about.synthetic = Some(synthetic);
            drawn.about.notes.retain(|note| note.mend() != Some(Mend::DrawWeights));
            drawn.about.notes.insert(0, synthetic_note(synthetic, absent.len(), self.layers.len()));
        }
        drawn
    }

    /// Refuses a network whose answers would mean nothing: values of it are absent, or its weights are synthetic.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Unsupported`] names what is absent, or the seed.
    pub fn check_complete(&self) -> Result<(), NetworkError> {
        let problem = match (self.about.synthetic, self.about.absent.first()) {
            (Some(synthetic), _) => {
                format!("they are synthetic (seed {}), which have costs and no answers worth having", synthetic.seed())
            }
            (None, Some(first)) => {
                let more = and_more(self.about.absent.len() - 1);
                format!("the file has no values of tensor {:?}{more}: {}", first.tensor, first.reason)
            }
            (None, None) => return Ok(()),
        };
        let (path, place) = (self.about.path.clone(), "weights".to_string());
        Err(NetworkError::Unsupported { path, place, problem, mend: None })
    }

    /// Reads the weights of one layer out of the file.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] if a weight is NaN or infinite, if the stored integers are garbled, or if the file has no values;
    /// names file and layer.
    ///
    /// # Panics
    ///
    /// If `layer` comes from another network.
    pub fn weights(&self, layer: LayerId) -> Result<LayerWeights, NetworkError> {
        let layer = &self.layers[layer.0];
        match layer.weights.tensor.encoding {
            Encoding::Absent => return Err(self.no_values(layer)),
            Encoding::Drawn(_) => self.check_drawn_size(layer)?,
            Encoding::Raw | Encoding::Varint => {}
        }
        let loaded = weights::load(layer);
        // They are in memory now; nobody reads the file for them again soon.
        layer.weights.tensor.chunks.iter().for_each(|chunk| self.release(chunk));
        loaded.map_err(|problem| self.invalid(format!("layer {:?}", layer.name), problem))
    }

    /// The elements of a constant value as real numbers, row-major; `None` where the value is no constant.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] if the constant holds integers; names the value.
    ///
    /// # Panics
    ///
    /// If `id` comes from another graph.
    pub fn constant_f32(&self, id: ValueId) -> Result<Option<Vec<f32>>, NetworkError> {
        self.constant(id, Tensor::to_f32)
    }

    /// The elements of a constant value as integers, row-major; `None` where the value is no constant.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] if the constant holds real numbers or is garbled; names the value.
    ///
    /// # Panics
    ///
    /// If `id` comes from another graph.
    pub fn constant_i64(&self, id: ValueId) -> Result<Option<Vec<i64>>, NetworkError> {
        self.constant(id, Tensor::to_i64)
    }

    fn constant<T>(
        &self,
        id: ValueId,
        read: fn(&Tensor) -> Result<Vec<T>, TensorError>,
    ) -> Result<Option<Vec<T>>, NetworkError> {
        let value = self.graph.value(id);
        let elements = value.constant.as_ref().map(read).transpose();
        elements.map_err(|e| self.invalid(format!("tensor {:?}", value.name), e.to_string()))
    }

    /// Refuses weights that a small file could fill memory with. [`Network::weight_stream`] needs no memory for them.
    fn check_drawn_size(&self, layer: &MacLayer) -> Result<(), NetworkError> {
        let count = layer.weights.tensor.element_count();
        if count <= MAX_DRAWN {
            return Ok(());
        }
        let problem = format!("{count} synthetic weights at once; {MAX_DRAWN} of a layer at most are drawn");
        let (path, place) = (self.about.path.clone(), format!("layer {:?}", layer.name));
        Err(NetworkError::Unsupported { path, place, problem, mend: None })
    }

    fn no_values(&self, layer: &MacLayer) -> NetworkError {
        let name = &layer.weights.name;
        let reason = self.about.absent.iter().find(|absent| absent.tensor == *name).map(|absent| &absent.reason);
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        let problem = format!("the file has no values of tensor {name:?}{reason}");
        let (path, place) = (self.about.path.clone(), format!("layer {:?}", layer.name));
        NetworkError::Unsupported { path, place, problem, mend: Some(Mend::DrawWeights) }
    }

    fn invalid(&self, place: String, problem: String) -> NetworkError {
        NetworkError::Invalid { path: self.about.path.clone(), place, problem }
    }
}

/// Says that a file has no values of some tensors; none where it has those of all.
fn absent_note(absent: &[Absent]) -> Option<Note> {
    let first = absent.first()?;
    let more = and_more(absent.len() - 1);
    let text = format!(
        "the file has no values of tensor {:?}{more} ({}): sizes and MACs are those of the network, and neither statistics of \
         weights nor images are to be had",
        first.tensor, first.reason
    );
    Some(Note::new(NoteKind::LeftOut, text).mended_by(Mend::DrawWeights))
}

fn synthetic_note(synthetic: Synthetic, drawn: usize, layers: usize) -> Note {
    let zeros = match synthetic.sparsity() {
        0.0 => String::new(),
        sparsity => format!(", each 0 with probability {sparsity}"),
    };
    let text = format!(
        "SYNTHETIC WEIGHTS: those of {drawn} of {layers} layers are drawn at random from seed {}{zeros}, for the file has no \
         values of them; figures that depend on weights are those of no trained network",
        synthetic.seed()
    );
    Note::new(NoteKind::Assumed, text)
}
