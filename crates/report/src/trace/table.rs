//! A trace as a table.

use std::io::{self, Write};

use runner::trace::{Signal, SignalValue, Trace};

/// The first columns of the CSV of `trace`. Behind them stands a column for each signal of a stage or lane.
pub const TRACE_COLUMNS: [&str; 4] = ["cycle", "active", "mac_count", "mac_energy_j"];

/// Writes one row a cycle. A signal without a value is an empty field.
///
/// # Errors
///
/// Those of the writer.
pub fn write_csv(writer: &mut dyn Write, trace: &Trace) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(std::iter::once("cycle".to_string()).chain(trace.signals().iter().map(column)))?;
    for sample in &trace.samples {
        csv.write_record(std::iter::once(sample.cycle.to_string()).chain(trace.values(sample).iter().map(field)))?;
    }
    csv.flush()
}

fn column(signal: &Signal) -> String {
    match &signal.module {
        Some(module) => format!("{module}.{}", signal.name),
        None => signal.name.clone(),
    }
}

fn field(value: &SignalValue) -> String {
    match value {
        SignalValue::Bit(bit) => u8::from(*bit).to_string(),
        SignalValue::Unsigned(number) => number.to_string(),
        SignalValue::Signed(number) => number.to_string(),
        SignalValue::Real32(number) => format!("{number:?}"),
        SignalValue::Real(number) => format!("{number:?}"),
        SignalValue::Text(text) => text.to_string(),
        SignalValue::Undefined => String::new(),
    }
}
