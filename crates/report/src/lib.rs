//! Results as text and as files: plain tables for terminals, CSV and JSON for programs, pages of HTML and SVG for
//! people, waveforms and timelines for viewers.
//!
//! Every function takes what `runner` or `explore` found and writes it to a writer. `docs/output.md` documents every
//! file.
//!
//! ```
//! use esn::BitConvention;
//! use runner::{CostPlan, Quantization, cost, embedded_network};
//!
//! let network = embedded_network()?;
//! let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
//! let cost = cost(&CostPlan { network: &network, hardware: &[], quantization, convention })?;
//! let mut csv = Vec::new();
//! report::write_esn_csv(&mut csv, [("digits", &cost)])?;
//! let csv = String::from_utf8(csv)?;
//! assert_eq!(csv.lines().count(), 1 + cost.layers.len() + 1);
//! assert!(csv.starts_with("layer,op,weights,nonzero,macs,esn_a,esn_d,"));
//! let total = "TOTAL,,77072,77072,763520,276576,145973,3387036,1535714,3052672,";
//! assert!(csv.lines().last().is_some_and(|line| line.starts_with(total)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: a report computes no figure of its own, but for what a reader of a table would
//! compute from its columns: shares, ratios and means. Numbers are written so that they read back exactly.
//!
//! What is left out: whether there is a terminal, and where text goes. That is the matter of the front end.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! file.rs                        files that appear whole or not at all
//! values.rs                      figures and names that tables and documents write alike
//! csv.rs, json.rs                one run: a table of its layers; everything as a document
//! frontier.rs, landscape.rs      a store and a landscape as tables
//! gains.rs, gain_json.rs         what networks gain over the one that they were made of
//! parquet/                       the table of a store as a Parquet file
//! proxies.rs                     numbers that stand for hardware, beside it
//! proxy_sentence.rs              what to choose by, in a sentence
//! point.rs                       one point of a store as a document
//! trace/                         a trace as a table, as a waveform and as a timeline
//! figures/                       SVG files and pages of HTML
//! text/                          headings and plain tables
//! ```

#![forbid(unsafe_code)]

mod csv;
pub mod figures;
mod file;
mod frontier;
mod gain_json;
mod gains;
mod json;
mod landscape;
mod outputs;
mod parquet;
mod point;
mod proxies;
mod proxy_sentence;
pub mod text;
pub mod trace;
mod values;

pub use csv::{
    CostedNetwork, ESN_COLUMNS, INSPECT_COLUMNS, SIMULATE_COLUMNS, write_esn as write_esn_csv, write_inspect_csv,
    write_simulate as write_simulate_csv,
};
pub use file::{OutputError, WholeFile, remove_parts, write_file};
pub use frontier::write_csv as write_frontier_csv;
pub use gain_json::GainReport;
pub use gains::{GAIN_COLUMNS, GainingNetwork, write_gain_csv};
pub use json::{EsnFigures, Report, write_reports};
pub use landscape::{LANDSCAPE_COLUMNS, write_landscape_csv};
pub use outputs::{ImageFile, OutputFiles, OutputRequest};
pub use parquet::write_frontier_parquet;
pub use point::point_json;
pub use proxies::{PROXY_COLUMNS, ProxyFigures, proxy_name, write_proxy_csv, write_proxy_json, write_subject_csv};
pub use proxy_sentence::{fit_warning, proxy_sentence};
pub use values::{convention_name, mean_bits, metric_value};
