//! The model of a CNN: its graph, its MAC layers, their geometry and weights, and networks made from nothing
//! ([`architectures`]).
//!
//! The main type is [`Network`]. It knows no file format: the crate `formats` reads files into it and writes files from
//! it. Every shape that inference can know is a number, and every Conv, Gemm and MatMul with constant weights is a
//! [`MacLayer`]. Weights stay where they are stored, usually in a mapped file, until [`Network::weights`] is asked for
//! those of one layer.
//!
//! A symbolic batch is taken as 1; a file with a fixed batch keeps it ([`Network::batch`]) and is costed per image. What
//! a reader understood but nothing here can run stays in the graph as [`Op::Unsupported`], by name.

mod activation;
pub mod architectures;
mod error;
mod geometry;
mod graph;
mod ids;
mod integer_op;
mod layer;
mod mapping;
mod network;
mod op;
mod pool;
mod quant;
pub mod rearrange;
mod requantization;
mod stream;
mod tensor;
mod weights;

pub use activation::ActivationQuantization;
pub use error::{NetworkError, chain};
pub use geometry::{Geometry, GeometryError, GeometrySpec};
pub use graph::{Graph, Node, Value};
pub use ids::{LayerId, ValueId};
pub use integer_op::{IntegerArithmetic, IntegerFunction, IntegerOp};
pub use layer::{
    Bias, LayerWeights, MacLayer, MacOp, Operand, WeightQuantization, WeightSource, WeightTransform, WeightValues,
};
pub use mapping::{Mapping, map_file};
pub use network::{Network, NotCosted};
pub use op::{Binary, BinaryKind, Coordinates, Nearest, Op, Reduction, Unary};
pub use pool::{PadMode, Pool};
pub use quant::{Quant, Rounding};
pub use requantization::{Requantization, RequantizationRule, fixed_point_multiplier, multiply_fixed_point};
pub use stream::WeightStream;
pub use tensor::{DataType, Encoding, Tensor, TensorError};
pub use weights::load as load_weights;
