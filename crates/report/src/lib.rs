//! Results as files: CSV and JSON for programs, pages of HTML and SVG for people, waveforms for viewers.
//!
//! Every function takes what `runner` or `explore` found and a writer. None computes a figure of its own but for those
//! that a reader of a table would compute: shares, ratios and means. [`write_file`] makes a file appear whole or not at
//! all. `docs/output.md` documents every file.

mod csv;
pub mod figures;
mod file;
mod frontier;
mod json;
mod landscape;
pub mod trace;

pub use csv::{
    ESN_COLUMNS, INSPECT_COLUMNS, SIMULATE_COLUMNS, metric_value, write_esn as write_esn_csv, write_inspect_csv,
    write_simulate as write_simulate_csv,
};
pub use file::{OutputError, write_file};
pub use frontier::write_csv as write_frontier_csv;
pub use json::{Report, convention_name, mean_bits};
pub use landscape::{LANDSCAPE_COLUMNS, write_landscape_csv};
