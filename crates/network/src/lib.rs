//! The model of a CNN: its graph, its operators, its MAC layers with their geometry and weights.
//!
//! Files come in many formats, and engines know none of them. Between the two stands one model, and this crate is that
//! model alone: the crate `formats` makes a [`Network`] of a file and a file of a [`Network`].
//!
//! The main type is [`Network`]: a [`Graph`] of nodes and values, and the [`MacLayer`]s among the nodes, in order of
//! execution. [`architectures`] makes networks of the literature from nothing:
//!
//! ```
//! use network::architectures::{Architecture, Family, Shortcut, build};
//!
//! let resnet = build(&Architecture::new(Family::CifarResNet { depth: 20, shortcut: Shortcut::A }))?;
//! assert_eq!(resnet.layers().len(), 20);
//! let macs: u128 = resnet.layers().iter().map(|layer| layer.geometry.macs()).sum();
//! assert_eq!(macs, 40_551_040);
//! # Ok::<(), network::architectures::ArchitectureError>(())
//! ```
//!
//! A network that contradicts itself cannot exist. [`NetworkBuilder`] is the only way to one, for readers, architectures,
//! compression and tests, and its `finish` proves what the docs of [`Graph`] and [`Network`] promise. Nobody changes a
//! network afterwards; [`Network::edit`] takes a copy of its parts, which are proved again.
//!
//! The decision behind the crate: every MAC layer is a grouped two-dimensional convolution ([`Geometry`]). A matrix
//! product is one of size 1 × 1, and so is a transposed convolution, whose sums are added up afterwards ([`Scatter`]). One
//! of three dimensions takes the planes under its kernel for channels ([`Operand::Planes`]). Engines, the metric and
//! compression know that one form. Weights stay where they are
//! stored, usually in a mapped file, until [`Network::weights`] is asked for those of one layer.
//!
//! Two things about shapes. A batch that a file leaves open is 1; a batch that the file fixes stays
//! ([`Network::batch`]), and costs are those of one image. Behind an operator that no reader understands
//! ([`Op::Unsupported`]) the shape of a value may be unknown.
//!
//! What is left out: files, arithmetic on images, costs.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! names.rs                     names of which each stands for one thing
//! random.rs, draw.rs           numbers from a seed; the elements of a tensor that no file has
//! ids.rs, pool.rs, tensor.rs   indexes of values, nodes and layers; windows; constant tensors that stay in their file
//! activation.rs                what the integers of an activation stand for
//! fixed_point.rs               sigmoid and tanh on fixed-point numbers
//! requantization.rs            how integer sums become integers of the output
//! quant.rs, recurrent.rs       operators of QONNX; LSTM, GRU and RNN
//! op.rs, integer_op.rs         every operator; those on integers name the ones on real numbers that they stand for
//! geometry.rs                  a layer as a convolution
//! window.rs                    a window along one axis
//! scatter.rs                   where a transposed convolution adds its sums
//! layer.rs, rearrange.rs       a MAC layer, and the steps from its stored tensor to its weights
//! graph.rs                     nodes and values; graph/check.rs proves that they and the layers are a model
//! failure.rs, error.rs         kinds of errors and what mends them; what can be wrong with a network file
//! weights.rs, synthetic.rs     weights of a layer, whole; weights for a network whose file has none
//! mapping.rs                   files mapped into memory: the only unsafe code of this crate
//! network.rs                   all of it together; network/builder.rs is the only way to a network
//! stream.rs                    weights of a layer, in chunks
//! architectures/               networks made from nothing
//! ```

// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod activation;
pub mod architectures;
mod draw;
mod error;
mod failure;
mod fixed_point;
mod geometry;
mod graph;
mod ids;
mod integer_op;
mod layer;
mod mapping;
mod names;
mod network;
mod note;
mod op;
mod pool;
mod quant;
mod random;
pub mod rearrange;
mod recurrent;
mod requantization;
mod scatter;
mod stream;
mod synthetic;
mod tensor;
mod ties;
mod weights;
mod window;

pub use activation::ActivationQuantization;
pub use draw::Draw;
pub use error::{NetworkError, chain};
pub use failure::{Cause, ErrorKind, Failure, Mend};
pub use fixed_point::{divide_by_power_of_two, fixed_point_sigmoid, fixed_point_tanh, high_product_16, saturated_16};
pub use geometry::{Geometry, GeometryError, GeometrySpec};
pub use graph::{Graph, ModelError, Node, Value};
pub use ids::{LayerId, NodeId, ValueId};
pub use integer_op::{IntegerArithmetic, IntegerFunction, IntegerOp};
pub use layer::{
    Bias, LayerWeights, MacLayer, MacOp, Operand, WeightQuantization, WeightSource, WeightTransform, WeightValues,
};
pub use mapping::{Mapping, map_file};
pub use names::Names;
pub use network::{Absent, Mark, Network, NetworkBuilder, NotCosted};
pub use note::{Note, NoteKind, and_more, grouped};
pub use op::{Binary, BinaryKind, Coordinates, Interpolation, Nearest, Op, Reduction, Unary};
pub use pool::{PadMode, Pool, PoolAxis};
pub use quant::{Quant, Rounding};
pub use random::Random;
pub use recurrent::{Cell, Direction, GateFunction, IntegerCell, Recurrent, RecurrentInput, RecurrentPart};
pub use requantization::{Requantization, RequantizationRule, fixed_point_multiplier, multiply_fixed_point};
pub use scatter::Scatter;
pub use stream::WeightStream;
pub use synthetic::Synthetic;
pub use tensor::{DataType, Encoding, Tensor, TensorError};
pub use weights::load as load_weights;
pub use window::WindowAxis;
