//! A trace as a table and as a waveform.

mod table;
mod waveform;

pub use table::{TRACE_COLUMNS, write_csv};
pub use waveform::write_vcd;
