//! The graph of a CNN, its MAC layers, their geometry and weights, the reader and the writer of network files, and
//! networks made from nothing ([`architectures`]).
//!
//! The main type is [`Network`]. A reader turns a file into it once, at the edge: every shape is known and checked, every
//! constant subgraph is folded, every Conv, Gemm and MatMul with constant weights is a [`MacLayer`]. Weights stay in the
//! mapped file until [`Network::weights`] is asked for those of one layer.
//!
//! A symbolic batch is taken as 1, so that every shape is a number; a file with a fixed batch keeps it
//! ([`Network::batch`]) and is costed per image. What is read but cannot be run stays in the graph as
//! [`Op::Unsupported`], by name.

pub mod architectures;
mod error;
mod geometry;
mod graph;
mod layer;
mod mapping;
mod network;
pub mod npy;
pub mod onnx;
mod qlinear;
mod quant;
mod rearrange;
mod requantization;
mod stream;
mod tensor;
mod tflite;
mod tflite_op;
pub mod topology;
pub mod weight_file;
pub mod weight_writer;
mod weights;

pub use error::NetworkError;
pub use geometry::{Geometry, GeometryError, GeometrySpec};
pub use graph::{Graph, Node, Op, PadMode, Pool, Value, ValueId};
pub use layer::{
    ActivationQuantization, Bias, LayerId, LayerWeights, MacLayer, MacOp, Operand, WeightQuantization, WeightSource,
    WeightTransform, WeightValues,
};
pub use network::{Network, NotCosted, ReadOptions, TfliteKernels};
pub use qlinear::{QLinear, QLinearFunction};
pub use quant::{Quant, Rounding};
pub use requantization::{Requantization, RequantizationRule, fixed_point_multiplier, multiply_fixed_point};
pub use stream::WeightStream;
pub use tensor::{DataType, Encoding, Tensor, TensorError};
pub use tflite_op::TfliteOp;
