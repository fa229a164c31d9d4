//! One run: what a network costs on hardware, whether that equals ESN, and how well the network still does on images.
//!
//! This is the only crate in which engines and metric meet. [`cost`] streams every layer through any number of engines,
//! computes the effective signal norm of the same weights, and compares the two as integers. [`evaluate`] runs images
//! through the same engines and counts right answers.
//!
//! ```
//! use esn::BitConvention;
//! use runner::{CostPlan, Hardware, Quantization, cost, embedded_network};
//!
//! let (network, hardware) = (embedded_network()?, Hardware::ideal());
//! let quantization = Quantization::new(None); // 4 bits, the default
//! let convention = BitConvention::NonzeroAtLeastOne;
//! let cost = cost(&CostPlan { network: &network, hardware: &hardware, quantization, convention })?;
//! assert!(cost.passes());
//! let counted: Vec<u128> = cost.totals.iter().filter_map(|total| total.check.counted).collect();
//! // The ideal engines count ESN_a in quarters, ESN_d and ESN'_d.
//! assert_eq!(counted, [13_548_144, 1_535_714, 3_052_672]);
//! assert_eq!(counted, [cost.esn.esn_a_quarters_macs, cost.esn.esn_d_macs, cost.esn.esn_d_filter]);
//! # Ok::<(), runner::RunnerError>(())
//! ```
//!
//! The decision behind the crate: engines never see the formulas of `esn`, and `esn` never sees an engine, so that
//! their agreement proves something. A disagreement is a [`Verdict`], not an error.
//!
//! What is left out: the crate reads hardware descriptions, but writes no file, and knows no argument, no terminal and
//! no exit code. Many runs are the matter of the crate `explore`.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! error.rs                    what can go wrong
//! hardware/                   descriptions in TOML -> engines; those that come with the program
//! threshold.rs, answer.rs     where class 1 begins; which output is scored, and how
//! embedded.rs, samples.rs     the embedded network and its images; images in the form that a network takes
//! identity.rs, record.rs      hashes of files; everything that it takes to run again
//! stream.rs                   one layer's weights chunk by chunk: their metric, and their codes
//! prepare.rs                  one layer's weights out of the file and onto the grid
//! statistics.rs, detail.rs    what weights and their bit widths look like
//! runs.rs                     counts added up, over layers or images
//! check.rs                    engine against metric, as integers
//! bounded.rs                  as many layers at work as memory allows
//! cost.rs, merit.rs           every layer on every hardware; figures of merit
//! gain/                       two networks on the same hardware: what compression gains, and what eats the rest
//! bits.rs                     bits that a network holds, multiplies and moves
//! finish.rs                   sums to activations and activations to codes, many at a time
//! executor.rs                 MAC layers of inference on an engine
//! stepped.rs                  the stepped machines against the fast engines
//! evaluate/                   images through the engines: accuracy, noise, costs that depend on activations
//! trace/                      one layer in slow motion, cycle by cycle
//! ```

#![forbid(unsafe_code)]
// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod answer;
mod bits;
mod bounded;
mod check;
mod cost;
mod detail;
pub mod embedded;
mod error;
mod evaluate;
mod executor;
mod finish;
mod gain;
mod hardware;
pub mod identity;
mod merit;
mod prepare;
mod record;
mod runs;
mod samples;
mod statistics;
mod stepped;
mod stream;
mod threshold;
pub mod trace;

pub use answer::{Answer, AnswerRequest, Decision};
pub use bits::BitCounts;
pub use check::{Check, Verdict, check};
pub use cost::{CostPlan, HardwareRun, LayerCost, NetworkCost, cost, cost_measured, cost_of_codes, cost_watched};
pub use detail::{LayerDetail, details};
pub use embedded::{embedded_images, embedded_network, embedded_preprocessing};
pub use error::RunnerError;
pub use evaluate::{
    Clipping, EngineEvaluation, Evaluation, EvaluationPlan, ImageOutputs, OutputForm, OutputSink, Reference,
    RunOutputs, Score, SeedStatistics, evaluate, evaluate_into, evaluate_seeds, standard_error,
};
pub use executor::EngineExecutor;
pub use finish::quantize_activations;
pub use gain::{
    Cause, ComparedNetwork, CountGain, CycleCause, CycleFactor, CycleGain, EnergyGain, EnergyPart, Gains, HardwareGain,
    Quantity, SAME, gains,
};
pub use hardware::{Hardware, HardwareFile, Metric, WidthGranularity, ZeroSkippingWord};
pub use merit::{Merit, energy_by_entry, energy_unit};
pub use prepare::{DEFAULT_BITS, DEFAULT_BITS_COMPARED, PreparedWeights, Quantization, is_quantized, prepare};
pub use record::{ImageRecord, NetworkRecord, ReadRecord, RunRecord, SyntheticRecord};
pub use runs::{MeasuredRuns, PerImage};
pub use samples::{Form, ImageSamples};
pub use statistics::{WeightStatistics, weight_statistics};
pub use stepped::{SteppedLayer, step_all};
