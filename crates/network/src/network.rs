//! A network read from a file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use esn::Grid;

use crate::architectures::Family;
use crate::error::NetworkError;
use crate::graph::{Graph, ValueId};
use crate::layer::{LayerId, LayerWeights, MacLayer};
use crate::mapping::Mapping;
use crate::tensor::{Tensor, TensorError};
use crate::topology::Topology;
use crate::weight_file::{self, WeightFile};
use crate::{onnx, tflite, weights};

/// What a reader needs to be told.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Shapes of inputs by name, where the file leaves extents other than the batch open.
    pub input_shapes: Vec<(String, Vec<usize>)>,
    /// What the integers of quantized weights stand for; otherwise the file's metadata says, else they are mid-tread.
    pub grid: Option<Grid>,
    /// The graph that the weights of a file without one belong to.
    pub architecture: Option<Family>,
    /// A table of the geometry of layers, for weights without a graph: see [`Topology`].
    pub topology: Option<PathBuf>,
    /// How layers of TFLite files round.
    pub tflite_kernels: TfliteKernels,
}

/// The kernels of TFLite whose rounding integer layers follow: its two sets differ by a step at times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TfliteKernels {
    /// Those that LiteRT runs unless it is told otherwise (XNNPACK): sums are scaled in 32-bit float,
    /// [`RequantizationRule::Float`](crate::RequantizationRule::Float).
    #[default]
    Optimized,
    /// The reference kernels: fixed-point multipliers.
    Reference,
}

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

/// A CNN with known shapes, its MAC layers in order of execution, and its weights still in the file.
#[derive(Clone, Debug)]
pub struct Network {
    path: PathBuf,
    graph: Graph,
    layers: Vec<MacLayer>,
    batch: usize,
    notes: Vec<String>,
    not_costed: Vec<NotCosted>,
    open_batch: bool,
    metadata: Vec<(String, String)>,
    mappings: Vec<Mapping>,
}

impl Network {
    /// Reads and checks a network file.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] names the file, the place, what was expected and what was found.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, NetworkError> {
        let mapping = Mapping::open(path).map_err(|source| NetworkError::Io { path: path.to_path_buf(), source })?;
        let bytes = mapping.bytes();
        if weight_file::is_weight_file(&bytes) {
            return Self::from_weights(&WeightFile::parse(path, bytes, vec![mapping])?, options);
        }
        if let Some(problem) = needless(options) {
            let problem = problem.to_string();
            return Err(NetworkError::Unsupported { path: path.to_path_buf(), place: "file".to_string(), problem });
        }
        let network = match tflite::is_tflite(&bytes) {
            true => tflite::read(path, bytes, options)?,
            false => onnx::read_mapped(path, bytes, options)?,
        };
        Ok(network.with_mappings(vec![mapping]))
    }

    fn from_weights(file: &WeightFile, options: &ReadOptions) -> Result<Self, NetworkError> {
        match (options.architecture, &options.topology) {
            (Some(_), Some(topology)) => {
                let problem = "an architecture has its own geometry; a topology is for weights without one".to_string();
                Err(NetworkError::Unsupported { path: topology.clone(), place: "file".to_string(), problem })
            }
            (Some(family), None) => file.in_architecture(family, options),
            (None, Some(topology)) => Topology::read(topology)?.give(file.to_network(options)?),
            (None, None) => file.to_network(options),
        }
    }

    /// Reads a network from memory; `name` stands for the file in messages.
    ///
    /// # Errors
    ///
    /// As [`Network::read`]. External data is refused: there is no folder to look in.
    pub fn from_bytes(name: &str, bytes: Bytes, options: &ReadOptions) -> Result<Self, NetworkError> {
        if weight_file::is_weight_file(&bytes) {
            return Self::from_weights(&WeightFile::from_bytes(name, bytes)?, options);
        }
        match tflite::is_tflite(&bytes) {
            true => tflite::read(Path::new(name), bytes, options),
            false => onnx::read_bytes(Path::new(name), bytes, options),
        }
    }

    /// Puts a network together from parts that a reader (or a test) made.
    pub fn from_parts(path: PathBuf, graph: Graph, layers: Vec<MacLayer>, batch: usize, notes: Vec<String>) -> Self {
        Self {
            path,
            graph,
            layers,
            batch,
            notes,
            not_costed: Vec::new(),
            open_batch: false,
            metadata: Vec::new(),
            mappings: Vec::new(),
        }
    }

    /// The same network with the files that its weights lie in, so that their pages can be given back after use.
    pub(crate) fn with_mappings(mut self, mappings: Vec<Mapping>) -> Self {
        self.mappings = mappings;
        self
    }

    /// The same network with these layers in this graph.
    pub(crate) fn with_layers(mut self, graph: Graph, layers: Vec<MacLayer>) -> Self {
        self.graph = graph;
        self.layers = layers;
        self
    }

    /// Gives back the pages of a part of the file.
    pub(crate) fn release(&self, part: &[u8]) {
        self.mappings.iter().for_each(|mapping| mapping.release(part));
    }

    /// Whether the file holds a graph, and not weights alone: layers of those are connected by nothing.
    pub fn has_graph(&self) -> bool {
        !self.graph.inputs.is_empty()
    }

    /// The same network with these nodes that no layer stands for.
    pub fn with_not_costed(mut self, nodes: Vec<NotCosted>) -> Self {
        self.not_costed = nodes;
        self
    }

    /// The same network, with its batch left open by the file (which is then read as 1) or not.
    pub fn with_open_batch(mut self, open: bool) -> Self {
        self.open_batch = open;
        self
    }

    /// The same network with these notes in place of its own.
    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    /// The same network with this metadata, in the order of the file.
    pub fn with_metadata(mut self, metadata: Vec<(String, String)>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Whether the file leaves the batch open.
    pub fn has_open_batch(&self) -> bool {
        self.open_batch
    }

    /// What the file says about itself by key.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The MAC layers, in order of execution.
    pub fn layers(&self) -> &[MacLayer] {
        &self.layers
    }

    /// Images in one run of the graph: 1, or the batch that the file fixes.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Nodes whose multiply-accumulates are in no layer, in order of execution: sums over the layers leave them out.
    pub fn not_costed(&self) -> &[NotCosted] {
        &self.not_costed
    }

    /// What a user should know about the reading: operators that are not run, products that are not costed. One line for
    /// each operator and reason.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads the weights of one layer out of the file.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] if a weight is NaN or infinite, or the stored integers are garbled; names file and layer.
    ///
    /// # Panics
    ///
    /// If `layer` comes from another network.
    pub fn weights(&self, layer: LayerId) -> Result<LayerWeights, NetworkError> {
        let layer = &self.layers[layer.0];
        weights::load(layer).map_err(|problem| self.invalid(format!("layer {:?}", layer.name), problem))
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

    fn invalid(&self, place: String, problem: String) -> NetworkError {
        NetworkError::Invalid { path: self.path.clone(), place, problem }
    }
}

/// What is said of options that only weights without a graph can use.
fn needless(options: &ReadOptions) -> Option<&'static str> {
    match (&options.architecture, &options.topology) {
        (Some(_), _) => Some("it is no weight file; an architecture is for weights without a graph"),
        (None, Some(_)) => Some("it is no weight file; a topology is for weights without a graph"),
        (None, None) => None,
    }
}
