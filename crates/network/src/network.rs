//! A network read from a file.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::NetworkError;
use crate::graph::Graph;
use crate::layer::{LayerId, LayerWeights, MacLayer};

/// What a reader needs to be told.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Shapes of inputs by name, where the file leaves extents other than the batch open.
    pub input_shapes: Vec<(String, Vec<usize>)>,
}

/// A CNN with known shapes, its MAC layers in order of execution, and its weights still in the file.
#[derive(Clone, Debug)]
pub struct Network {
    path: PathBuf,
    graph: Graph,
    layers: Vec<MacLayer>,
    batch: usize,
    notes: Vec<String>,
}

impl Network {
    /// Reads and checks a network file.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] names the file, the place, what was expected and what was found.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, NetworkError> {
        let _ = options;
        Err(no_reader(path))
    }

    /// Reads a network from memory; `name` stands for the file in messages.
    ///
    /// # Errors
    ///
    /// As [`Network::read`]. External data is refused: there is no folder to look in.
    pub fn from_bytes(name: &str, bytes: Bytes, options: &ReadOptions) -> Result<Self, NetworkError> {
        let _ = (bytes, options);
        Err(no_reader(Path::new(name)))
    }

    /// Puts a network together from parts that a reader (or a test) made.
    pub fn from_parts(path: PathBuf, graph: Graph, layers: Vec<MacLayer>, batch: usize, notes: Vec<String>) -> Self {
        Self { path, graph, layers, batch, notes }
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

    /// What a user should know about the reading: operators that are not run, products without weights that are not
    /// costed. One line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads the weights of one layer out of the file.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] if a weight is NaN or infinite, or the stored integers are garbled; names file and layer.
    pub fn weights(&self, layer: LayerId) -> Result<LayerWeights, NetworkError> {
        let _ = layer;
        Err(no_reader(&self.path))
    }
}

fn no_reader(path: &Path) -> NetworkError {
    NetworkError::Unsupported {
        path: path.to_path_buf(),
        place: "file".to_string(),
        problem: "there is no reader for this format yet".to_string(),
    }
}
