//! Pruning, quantization and re-estimation of BatchNorm statistics: each takes a network and returns another.
//!
//! The main functions are [`prune()`], [`quantize()`] and [`reestimate()`], the paper's method in its order. Every result is a
//! whole [`network::Network`] that can be costed, run and written like one out of a file; what was done to it, and what
//! could not be, comes back as a report. No labels, no gradients.

mod error;
mod executor;
mod find_step;
mod prune;
mod quantize;
mod rebuild;
mod reestimate;

pub use error::CompressError;
pub use executor::KernelExecutor;
pub use find_step::{FindStepOptions, FindStepReport, FoundStep, LayerFinding, find_steps};
pub use prune::{
    Budget, DeadFilter, FilterAmount, LayerPruning, PruneOptions, PruneReport, Pruning, Scope, Why, prune,
};
pub use quantize::{
    Allocation, Granularity, LayerQuantization, QuantizeOptions, QuantizeReport, StepRule, esn_a_profile, esn_a_trace,
    quantize,
};
pub use reestimate::{ReestimateOptions, ReestimateReport, reestimate};
