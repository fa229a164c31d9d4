//! A trace as a table, as a waveform, and as a timeline.

mod perfetto;
mod table;
mod waveform;

pub use perfetto::write_perfetto;
pub use table::{TRACE_COLUMNS, write_csv};
pub use waveform::write_vcd;
