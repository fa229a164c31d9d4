//! What a reader needs to be told.

use std::path::PathBuf;

use esn::Grid;
use network::architectures::Family;

/// What a reader needs to be told.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Shapes of inputs by name, where the file leaves extents other than the batch open.
    pub input_shapes: Vec<(String, Vec<usize>)>,
    /// What the first axis of the first input is.
    pub batch_axis: BatchAxis,
    /// What the integers of quantized weights stand for; otherwise the file's metadata says, else they are mid-tread.
    pub grid: Option<Grid>,
    /// The graph that the weights of a file without one belong to.
    pub architecture: Option<Family>,
    /// A table of the geometry of layers, for weights without a graph: see [`Topology`](crate::topology::Topology).
    pub topology: Option<PathBuf>,
    /// A table of operators that no reader knows, for ONNX files: which layer is in each. `docs/networks.md` describes it.
    pub operators: Option<PathBuf>,
    /// Whether a file with a graph passes over an architecture or a topology; else it refuses them. For several networks that are
    /// read in one go.
    pub passes_over_needless: bool,
    /// Which of several networks in a file of weights is meant: the name of the module or key that its tensors stand
    /// under. Otherwise copies of one network are left out.
    pub state: Option<String>,
    /// Which tensors of weights without a graph are layers: patterns of their names, with `*` for any text and `?` for
    /// any character. Where there are none, name and shape decide.
    pub layers: Vec<String>,
    /// How layers of TFLite files round.
    pub tflite_kernels: TfliteKernels,
}

/// The kernels of TFLite whose rounding integer layers follow: its two sets differ by a step at times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TfliteKernels {
    /// Those that LiteRT runs unless it is told otherwise (XNNPACK): sums are scaled in 32-bit float,
    /// [`RequantizationRule::Float`](network::RequantizationRule::Float).
    #[default]
    Optimized,
    /// The reference kernels: fixed-point multipliers.
    Reference,
}

/// What the first axis of a network's first input is, or the one that a recurrent operator reads as its batch. Costs are
/// those of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchAxis {
    /// The batch: an extent of `n` are `n` images.
    #[default]
    First,
    /// No batch, but a part of the one input: tokens, frames, rows. What one run of the graph costs is the cost.
    None,
}
