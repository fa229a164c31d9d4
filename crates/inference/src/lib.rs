//! Runs a network on images, its MAC layers handed in as a trait object.
//!
//! The main types are [`Session`], a network made ready to run, and the trait [`MacExecutor`], who computes its MAC
//! layers. Everything else (BatchNorm, activation functions, pooling, residual additions …) runs here in 32-bit float.
//! [`FloatExecutor`] is the executor that others are compared with; its convolutions are those of a library behind one
//! adapter, and no other crate knows that library.
//!
//! The operators are written out here rather than taken from that library because a result must not depend on the number
//! of threads, and quantization must round as ONNX says; the library does neither.

mod adapter;
mod arrangement;
mod array;
mod error;
mod executor;
mod float;
mod lockstep;
mod moments;
mod ops;
mod plan;
mod samples;
mod session;

pub use error::InferenceError;
pub use executor::{ExecutorError, MacExecutor};
pub use float::{FloatExecutor, dequantize};
pub use lockstep::{Lockstep, mac_output_moments};
pub use moments::Moments;
pub use samples::{Sample, SampleError, Samples, gather};
pub use session::{Observe, Session};
