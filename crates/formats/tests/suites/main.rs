//! The suites of this crate, one question each, in one binary.

mod absent;
mod architectures;
mod arrays;
mod branches;
mod custom;
mod data_sets;
mod findings;
mod folded;
mod graph;
mod hostile;
mod images;
mod integer;
mod layers;
mod lowering;
mod opsets;
mod preprocessing;
mod qonnx;
mod quantized;
mod questions;
mod several;
mod shared_models;
mod topology;
mod torch;
mod training_state;
mod weight_files;
mod writing;
