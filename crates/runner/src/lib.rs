//! One run: streams the layers of a network through engines, checks them against ESN, and evaluates the network on images.
//!
//! The main functions are [`cost`], what a network costs on any number of engines, and [`evaluate`], how well it does on
//! images. This is the only crate in which engines and metric meet. It reads hardware descriptions; it writes no file and
//! touches no argument, no terminal and no exit code.

mod calibrate;
mod check;
mod cost;
mod detail;
pub mod embedded;
mod error;
mod evaluate;
mod executor;
mod hardware;
mod measured;
mod merit;
mod prepare;
mod samples;
mod seeds;
mod statistics;
mod stepped;
mod storage;
mod stream;
pub mod trace;

pub use check::{Check, Verdict, check};
pub use cost::{CostPlan, HardwareRun, LayerCost, NetworkCost, cost, cost_measured};
pub use detail::{LayerDetail, details};
pub use embedded::{embedded_images, embedded_network};
pub use error::RunnerError;
pub use evaluate::{EngineEvaluation, Evaluation, EvaluationPlan, Score, evaluate};
pub use executor::{EngineExecutor, quantize_activations};
pub use hardware::{Hardware, HardwareFile, Metric, toml_problem};
pub use measured::MeasuredRuns;
pub use merit::{Merit, energy_by_entry};
pub use prepare::{DEFAULT_BITS, PreparedWeights, Quantization, is_quantized, prepare};
pub use samples::{Form, ImageSamples};
pub use seeds::{SeedStatistics, evaluate_seeds};
pub use statistics::{WeightStatistics, weight_statistics};
pub use stepped::{SteppedLayer, step_all};
pub use storage::{StorageFormat, WIDTH_FIELD_BITS, WeightStorage};
