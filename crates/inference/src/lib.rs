//! Runs a network on images, its MAC layers handed in as a trait object.
//!
//! The main types are [`Session`], a network made ready to run, and the trait [`MacExecutor`], who computes its MAC
//! layers. Everything else (BatchNorm, activation functions, pooling, residual additions …) runs on a library of float
//! operators behind one adapter; no other crate knows that library.

mod executor;
pub mod images;

pub use executor::{ExecutorError, MacExecutor};
