//! Streams the layers of a network through engines, checks them against ESN, runs inference on the same engines, and
//! writes reports.
//!
//! The main functions are [`cost`], what a network costs on any number of engines, and [`evaluate`], how well it does on
//! images. This is the only crate in which engines and metric meet. It reads hardware descriptions and writes files; it
//! touches no argument, no terminal and no exit code.

mod calibrate;
mod check;
mod cost;
mod csv_output;
mod detail;
mod embedded;
mod error;
mod evaluate;
mod executor;
pub mod figures;
mod hardware;
pub mod landscape;
mod measured;
mod merit;
mod output;
pub mod pareto;
mod prepare;
mod report;
mod seeds;
mod statistics;
mod stepped;
mod storage;
pub mod store;
mod stream;
pub mod sweep;
pub mod trace;

pub use check::{Check, Verdict, check};
pub use cost::{CostPlan, HardwareRun, LayerCost, NetworkCost, cost, cost_measured};
pub use csv_output::{
    ESN_COLUMNS, INSPECT_COLUMNS, SIMULATE_COLUMNS, metric_value, write_esn as write_esn_csv, write_inspect_csv,
    write_simulate as write_simulate_csv,
};
pub use detail::{LayerDetail, details};
pub use embedded::{embedded_images, embedded_network};
pub use error::RunnerError;
pub use evaluate::{EngineEvaluation, Evaluation, EvaluationPlan, Score, evaluate};
pub use executor::{EngineExecutor, quantize_activations};
pub use hardware::{Hardware, HardwareFile, Metric};
pub use measured::MeasuredRuns;
pub use merit::{Merit, energy_by_entry};
pub use output::write_file;
pub use prepare::{DEFAULT_BITS, PreparedWeights, Quantization, is_quantized, prepare};
pub use report::{Report, convention_name, mean_bits};
pub use seeds::{SeedStatistics, evaluate_seeds};
pub use statistics::{WeightStatistics, weight_statistics};
pub use stepped::{SteppedLayer, step_all};
pub use storage::{StorageFormat, WIDTH_FIELD_BITS, WeightStorage};
