//! A trace as a waveform.

use std::io::{self, Write};

use runner::trace::{Signal, SignalKind, SignalValue, Trace};
use vcd::{IdCode, TimescaleUnit, Value, VarType, Writer};

/// Length of a cycle without a clock, in picoseconds.
const UNCLOCKED_PS: u64 = 1000;

/// Bits of every integer of a waveform.
const INTEGER_BITS: u32 = 64;

/// Characters of every text of a waveform, as many as the longest has at most.
const CHARACTERS: usize = 24;

/// Writes the trace as a value change dump (IEEE 1364-2005, clause 18). Time 0 is the layer's first cycle; a cycle is 1
/// ns where there is no clock. A text is a vector of 8-bit characters, with zeros before the first. A signal without a
/// value is undefined; real numbers have no such state and are NaN.
///
/// # Errors
///
/// Those of the writer, and one for a trace whose end has no number of picoseconds.
pub fn write_vcd(writer: &mut dyn Write, trace: &Trace) -> io::Result<()> {
    let mut vcd = Writer::new(writer);
    vcd.comment(&format!("{} on {}", word(&trace.layer), word(&trace.hardware)))?;
    vcd.timescale(1, TimescaleUnit::PS)?;
    vcd.add_module(&word(&trace.hardware))?;
    let mut signals = declare(&mut vcd, &trace.signals())?;
    vcd.upscope()?;
    vcd.enddefinitions()?;
    for sample in &trace.samples {
        vcd.timestamp(time_ps(trace, sample.cycle)?)?;
        for (signal, value) in signals.iter_mut().zip(trace.values(sample)) {
            signal.show(&mut vcd, value)?;
        }
    }
    if let Some(sample) = trace.samples.last() {
        vcd.timestamp(time_ps(trace, sample.cycle + 1)?)?;
    }
    vcd.flush()
}

/// A signal in the file.
struct Shown {
    id: IdCode,
    kind: SignalKind,
    /// What it shows, so that only changes are written.
    last: Option<Shape>,
}

impl Shown {
    fn show<W: Write>(&mut self, vcd: &mut Writer<W>, value: SignalValue) -> io::Result<()> {
        let shape = shape(value, self.kind);
        if self.last.replace(shape) == Some(shape) {
            return Ok(());
        }
        match shape {
            Shape::Bit(bit) => vcd.change_scalar(self.id, bit),
            Shape::Integer(value) => vcd.change_vector(self.id, bits(value, INTEGER_BITS)),
            // With an exponent where the number is small: readers have no room for forty zeros.
            Shape::Real(bits) => writeln!(vcd.writer(), "r{:?} {}", f64::from_bits(bits), self.id),
            Shape::Text(text) => vcd.change_vector(self.id, characters(text)),
            Shape::Undefined => vcd.change_vector(self.id, [Value::X; INTEGER_BITS as usize]),
        }
    }
}

/// Declares the signals, those of one module together.
fn declare<W: Write>(vcd: &mut Writer<W>, signals: &[Signal]) -> io::Result<Vec<Shown>> {
    let mut shown = Vec::with_capacity(signals.len());
    for signals in signals.chunk_by(|a, b| a.module == b.module) {
        if let Some(module) = &signals[0].module {
            vcd.add_module(module)?;
        }
        for signal in signals {
            let (kind, width) = variable(signal.kind);
            let id = vcd.add_var(kind, width, &signal.name, None)?;
            shown.push(Shown { id, kind: signal.kind, last: None });
        }
        if signals[0].module.is_some() {
            vcd.upscope()?;
        }
    }
    Ok(shown)
}

/// The kind of variable that shows a signal, and its bits.
fn variable(kind: SignalKind) -> (VarType, u32) {
    match kind {
        SignalKind::Bit => (VarType::Wire, 1),
        SignalKind::Unsigned => (VarType::Wire, INTEGER_BITS),
        SignalKind::Signed => (VarType::Integer, INTEGER_BITS),
        SignalKind::Real => (VarType::Real, INTEGER_BITS),
        SignalKind::Text => (VarType::Reg, 8 * CHARACTERS as u32),
    }
}

/// A value as a waveform has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bit(bool),
    Integer(u64),
    /// The bits of the number.
    Real(u64),
    Text(&'static str),
    Undefined,
}

fn shape(value: SignalValue, kind: SignalKind) -> Shape {
    match value {
        SignalValue::Bit(bit) => Shape::Bit(bit),
        SignalValue::Unsigned(number) => Shape::Integer(u64::try_from(number).unwrap_or(u64::MAX)),
        SignalValue::Signed(number) => Shape::Integer(number as u64),
        SignalValue::Real32(number) => Shape::Real(f64::from(number).to_bits()),
        SignalValue::Real(number) => Shape::Real(number.to_bits()),
        SignalValue::Text(text) => Shape::Text(text),
        SignalValue::Undefined if kind == SignalKind::Real => Shape::Real(f64::NAN.to_bits()),
        SignalValue::Undefined => Shape::Undefined,
    }
}

/// The bits of an integer, the highest first.
fn bits(value: u64, width: u32) -> impl Iterator<Item = Value> {
    (0..width).rev().map(move |bit| Value::from(value >> bit & 1 == 1))
}

/// The bits of a text, which is cut to [`CHARACTERS`].
fn characters(text: &'static str) -> impl Iterator<Item = Value> {
    let zeros = CHARACTERS.saturating_sub(text.len());
    std::iter::repeat_n(0, zeros).chain(text.bytes()).take(CHARACTERS).flat_map(|byte| bits(byte.into(), 8))
}

fn time_ps(trace: &Trace, cycle: u128) -> io::Result<u64> {
    let period = trace.clock_hz.map_or(UNCLOCKED_PS, |clock| (1e12 / clock).round().max(1.0) as u64);
    let time = cycle.checked_mul(u128::from(period)).and_then(|time| u64::try_from(time).ok());
    time.ok_or_else(|| io::Error::other(format!("cycle {cycle} is beyond 2^64 ps")))
}

/// A name as one word of printable ASCII, which is all that a waveform takes.
fn word(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() && c != '$' { c } else { '_' }).collect()
}
