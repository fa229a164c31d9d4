//! A cycle-level simulator of the ideal hardware that a pruned and quantized CNN could run on, and of hardware that
//! departs from the ideal. It counts cycles and energy as integers, layer by layer, and checks ideal engines against
//! the effective signal norm (ESN) of "Prune or quantize? Strategy for Pareto-optimally low-cost and accurate CNN".
//!
//! This crate is the library's face: everything that a front end needs (the `esnsim` command, a Python package, your
//! own program), and nothing else. It prints nothing and knows no option of a command line. The way through it is
//!
//! ```text
//! open -> compress -> esn / simulate (costs, check, images, stepped machines) -> CSV, JSON, HTML
//!                     sweep -> store -> frontier
//! ```
//!
//! # One run, from a file to a table
//!
//! ```
//! use esnsim::{Layout, OpenOptions, Quiet, SimulateOptions, hardware, open, simulate};
//!
//! // A file: `open(Some(Path::new("net.onnx")), …)`. Without a path, the digits network that is part of the library.
//! let opened = open(None, &OpenOptions::default())?;
//! // Presets by name, or TOML files of your own. None at all: the three ideal engines.
//! let hardware = hardware(&[])?;
//! let options = SimulateOptions { quantization: opened.quantization(None), ..SimulateOptions::default() };
//! let run = simulate(&opened.network, &hardware, options, &Quiet)?;
//!
//! // Every ideal engine counted exactly what the equations say: equality of integers.
//! assert!(run.passes());
//! let digital = &run.cost().totals[1];
//! assert_eq!(digital.check.counted, Some(run.cost().esn.esn_d_macs));
//!
//! // The table that the command prints, layer by layer.
//! let table = run.text("the default", Layout::Summary { width: None });
//! assert!(table.contains("PASS: ideal-digital counted"));
//! print!("{table}");
//! # Ok::<(), esnsim::Error>(())
//! ```
//!
//! # Compress first
//!
//! ```
//! use esnsim::{CompressOptions, OpenOptions, QuantizeRequest, compress, open, pruning};
//! # use esnsim::{BitConvention, BitWidth, PruneOptions, Quantization, esn};
//!
//! let original = open(None, &OpenOptions::default())?.network;
//! let prune = PruneOptions { prunings: vec![pruning("weights=0.5").expect("a pruning")], ..PruneOptions::default() };
//! let quantize = QuantizeRequest { bits: BitWidth::new(4).ok(), ..QuantizeRequest::default() };
//! let options = CompressOptions { prune: Some(prune), quantize: quantize.options()?, ..CompressOptions::default() };
//! let compressed = compress(&original, options)?;
//!
//! let cost = esn(&compressed.network, Quantization::new(None), BitConvention::NonzeroAtLeastOne)?;
//! assert!(cost.esn.nonzero * 2 <= cost.esn.weights + 1);
//! # Ok::<(), esnsim::Error>(())
//! ```
//!
//! # The crates behind it
//!
//! | crate | what it knows |
//! |---|---|
//! | [`esn`](mod@::esn) | the metric: the weight grid in integers and equations (1) to (7) |
//! | [`network`] | the model of a CNN |
//! | [`formats`] | readers and writers of files |
//! | [`engine`], [`analog`], [`digital`] | the contract of a MAC engine, and the two engines |
//! | [`inference`] | runs a network on images |
//! | [`compress`](mod@::compress) | pruning, quantization, re-estimation of statistics |
//! | [`runner`] | one run; the check of engines against the metric |
//! | [`explore`] | many runs: sweeps, their store, frontiers |
//! | [`report`] | results as text, CSV, JSON, HTML and SVG |

#![forbid(unsafe_code)]

mod architecture;
mod compression;
mod convert;
mod error;
mod gain;
mod images;
mod many;
mod open;
mod outputs;
mod pace;
mod progress;
mod proxies;
mod record;
mod shard;
mod simulation;
mod threads;

pub use architecture::ArchitectureRequest;
pub use compression::{
    Allocate, AllocateRequest, Allocated, CompressOptions, CompressRequest, Compressed, CompressionCosts,
    QuantizeRequest, allocation, compress, layer_options, pruning, target_profile,
};
pub use convert::{check_format, provenance, write, write_format};
pub use error::{Error, Need};
pub use gain::{Comparison, check_comparable};
pub use images::{
    ImageNote, ImageRequest, NetworkImages, images, images_of_reference, own_preprocessing, preprocessing,
    preprocessing_by_numbers, write_preprocessing,
};
pub use many::{merge, store_status, survey, sweep, sweep_status, upgrade};
pub use open::{
    OpenOptions, Opened, check_graph, check_widths, find_layer, find_steps, find_steps_watched, hardware,
    landscape_hardware, open, open_piped, traced_hardware,
};
pub use outputs::check_outputs;
pub use pace::{Pace, Pacer};
pub use progress::{Progress, Quiet, Stage};
pub use proxies::{check_subjects, compared_hardware, fitted, fitted_hardware, proxy_hardware, subject, subjects};
pub use record::run_record;
pub use shard::slurm_shard;
pub use simulation::{EvaluateOptions, Reference, SimulateOptions, Simulation, esn, simulate, write_csv, write_json};
pub use threads::on_threads;

pub use ::compress::PruneOptions;
pub use ::esn::{BitConvention, BitWidth, Grid};
pub use formats::{ReadOptions, TfliteKernels, WriteFormat};
pub use network::{Cause, ErrorKind, Failure, Mend, Network, Synthetic};
pub use report::text::Layout;
pub use runner::{Evaluation, Gains, Hardware, LayerCost, NetworkCost, Quantization, RunRecord};
