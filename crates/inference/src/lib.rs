//! Runs a network on images, its MAC layers handed in as a trait object.
//!
//! The accuracy of compressed weights is that of the hardware that computes with them. So this crate runs everything of
//! a network but its MAC layers, and whoever runs the network says who computes those: an engine, or a float kernel.
//!
//! The main types are [`Session`], a network made ready to run, and the trait [`MacExecutor`], who computes MAC layers.
//! [`FloatExecutor`] is the executor that others are compared with.
//!
//! ```
//! use inference::{FloatExecutor, Session};
//! use network::architectures::{Architecture, Family, Shortcut, build};
//!
//! let resnet = build(&Architecture::new(Family::CifarResNet { depth: 8, shortcut: Shortcut::A }))?;
//! let (session, float) = (Session::new(&resnet)?, FloatExecutor::from_file(&resnet)?);
//! assert_eq!(session.input_shape(), [1, 3, 32, 32]);
//! let logits = session.run(&[0.5; 3 * 32 * 32], &float, None)?;
//! assert_eq!(logits.len(), 10);
//! // A new network has no offset anywhere: twice the image gives twice the logits, to the last bit.
//! let doubled: Vec<f32> = logits.iter().map(|logit| 2.0 * logit).collect();
//! assert_eq!(session.run(&[1.0; 3 * 32 * 32], &float, None)?, doubled);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: an operator is computed here, on the calling thread and in a fixed order, unless a
//! library gives the same numbers at any number of threads. Two operators come from the library rten, behind `adapter`:
//! float convolution, and the product of two activations. No other crate knows that library. Operators on integers follow
//! the runtime that the file comes from, to the last bit ([`network::IntegerOp`]).
//!
//! What is left out: training, control flow, and choosing the images ([`Samples`] is a trait).
//!
//! The files, each resting on those above it:
//!
//! ```text
//! array.rs, error.rs            arrays of 32-bit float with buffers that are used again; what can go wrong
//! adapter.rs                    what comes from rten
//! codes.rs                      activations of 8 bits as bytes
//! executor.rs, samples.rs       the traits of who computes layers and who has images
//! ops/                          every operator that is no MAC layer; ops/integer/ those on integers
//! plan.rs                       checks a graph and decides how long each value lives
//! tables.rs                     operators on activations of 8 bits as tables
//! coded/                        the same run on bytes, as far as a graph is one of 8-bit integers
//! arrangement.rs, float.rs      inputs as layers take them; layers in 32-bit float
//! session.rs                    one network, run image by image or batch by batch
//! moments.rs, lockstep.rs       all images through the network together, node by node
//! ```

#![forbid(unsafe_code)]
// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod adapter;
mod arrangement;
mod array;
mod coded;
mod codes;
mod error;
mod executor;
mod float;
mod lockstep;
mod moments;
mod ops;
mod plan;
mod samples;
mod session;
mod tables;

pub use arrangement::node_output;
pub use codes::{CodeOutput, NEAR_BLOCK, NearCodes};
pub use error::InferenceError;
pub use executor::{CodedInput, ExecutorError, MacExecutor};
pub use float::{FloatExecutor, dequantize, scale_and_add};
pub use lockstep::{Lockstep, mac_output_moments};
pub use moments::Moments;
pub use samples::{Sample, SampleError, Samples, gather};
pub use session::{Observe, Session};
