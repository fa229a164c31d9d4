//! Makes networks cheaper: pruning, quantization, and the statistics that both of them disturb.
//!
//! Each function takes a [`network::Network`] and returns another one, with a report of what was done and what could
//! not be done:
//!
//! - [`prune()`] sets weights to 0, or whole filters;
//! - [`find_steps`] finds the grid that real weights of a file already lie on;
//! - [`quantize()`] puts real weights on a grid of few bits;
//! - [`reestimate()`] gives BatchNorm the mean and variance of the compressed network.
//!
//! [`sensitivity()`] measures which layers bear few bits, and shares out a budget among them.
//!
//! ```
//! use compress::{PruneOptions, Pruning, QuantizeOptions, prune, quantize};
//! use network::architectures::{Architecture, Family, Shortcut, build};
//!
//! let network = build(&Architecture::new(Family::CifarResNet { depth: 8, shortcut: Shortcut::A }))?;
//! let half = PruneOptions { prunings: vec![Pruning::Weights(0.5)], ..PruneOptions::default() };
//! let (pruned, report) = prune(&network, &half)?;
//! let (weights, zeros) = report.layers.iter().fold((0, 0), |(w, z), l| (w + l.weights, z + l.weights_pruned));
//! assert_eq!((weights, zeros), (74_800, 37_400));
//!
//! let three_bits = QuantizeOptions { bits: 3, ..QuantizeOptions::default() };
//! let (quantized, report) = quantize(&pruned, &three_bits)?;
//! assert_eq!(report.layers[0].bits, 3.0);
//! assert!(quantized.layers().iter().all(|layer| layer.weights.quantization.is_some()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: every result is a whole network. A compressed network can be costed, run and written
//! like one that came out of a file, and the four functions can follow one another in any order that makes sense.
//!
//! What is left out: labels, gradients and training. Re-estimation looks at images, but not at what they show.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! error.rs        what can go wrong
//! rebuild.rs      a network with some of its parts replaced
//! ties.rs         layers whose weights are one tensor
//! executor.rs     MAC layers in float32, quickly and alike on every machine
//! prune/          channels through the graph, what is pruned, what dies with it, the network written anew
//! quantize/       grid, step rule, bits by filter, bias correction
//! find_step/      the largest step that explains every weight of a layer
//! reestimate/     BatchNorms, and the outputs of MAC layers that BatchNorm is folded into
//! sensitivity/    ways to quantize a layer, how far each moves the output, a budget shared out by that
//! ```

#![forbid(unsafe_code)]
// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod error;
mod executor;
mod find_step;
mod notes;
mod prune;
mod quantize;
mod rebuild;
mod reestimate;
mod sensitivity;
mod ties;

pub use error::CompressError;
pub use executor::KernelExecutor;
pub use find_step::{FindStepOptions, FindStepReport, FoundStep, LayerFinding, find_steps, find_steps_watched};
pub use prune::{
    Budget, DeadFilter, FilterAmount, LayerPruning, PruneOptions, PruneReport, PrunedUnit, Pruning, PruningOutcome,
    Scope, Why, prune, prune_watched,
};
pub use quantize::{
    Allocation, ApartLayer, ApartLayers, Granularity, LayerOptions, LayerQuantization, LayerSaid, LayerWay,
    QuantizeOptions, QuantizeReport, StepRule, esn_a_profile, esn_a_trace, notes_of_layers, quantize, quantize_watched,
};
pub use reestimate::{Original, ReestimateOptions, ReestimateReport, reestimate};
pub use sensitivity::{
    Allotment, AllottedLayer, Choice, LayerSensitivity, MeasuredChoice, Sensitivity, SensitivityPlan, costs_of_choices,
    sensitivity,
};

/// Called often while work goes on, from any thread. It may unwind, which stops the work: networks do not change, so that nothing
/// is left half done.
pub type Watch<'a> = &'a (dyn Fn() + Sync);
