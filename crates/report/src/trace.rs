//! A trace as a table and as a waveform.

use std::io::{self, Write};

use runner::trace::{LaneSample, Sum, Trace};
use vcd::{IdCode, TimescaleUnit, Value, VarType, Writer};

/// Columns of the CSV of `trace`.
pub const TRACE_COLUMNS: [&str; 4] = ["cycle", "active", "mac_count", "mac_energy_j"];

/// Length of a cycle without a clock, in picoseconds.
const UNCLOCKED_PS: u64 = 1000;

/// Bits of every integer of a waveform.
const WIDTH: u32 = 64;

/// Writes one row a cycle.
///
/// # Errors
///
/// Those of the writer.
pub fn write_csv(writer: &mut dyn Write, trace: &Trace) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(TRACE_COLUMNS)?;
    for sample in &trace.samples {
        let energy = format!("{:?}", trace.mac_energy_j(sample));
        csv.write_record([sample.cycle.to_string(), sample.active.to_string(), sample.count.to_string(), energy])?;
    }
    csv.flush()
}

/// Writes the trace as a value change dump (IEEE 1364-2005, clause 18). Time 0 is the layer's first cycle; a cycle is 1
/// ns where there is no clock. A lane without work has `busy` 0. Its other signals are undefined; real numbers have no
/// such state and are NaN.
///
/// # Errors
///
/// Those of the writer, and one for a trace whose end has no number of picoseconds.
pub fn write_vcd(writer: &mut dyn Write, trace: &Trace) -> io::Result<()> {
    let mut vcd = Writer::new(writer);
    vcd.comment(&format!("{} on {}", word(&trace.layer), word(&trace.hardware)))?;
    vcd.timescale(1, TimescaleUnit::PS)?;
    vcd.add_module(&word(&trace.hardware))?;
    let signals = declare(&mut vcd, trace)?;
    vcd.upscope()?;
    vcd.enddefinitions()?;
    let mut last = Shown::default();
    for sample in &trace.samples {
        vcd.timestamp(time_ps(trace, sample.cycle)?)?;
        let energy = trace.mac_energy_j(sample);
        last.show(&mut vcd, signals.active, Shape::Integer(sample.active))?;
        last.show(&mut vcd, signals.count, Shape::Integer(u64::try_from(sample.count).unwrap_or(u64::MAX)))?;
        last.show(&mut vcd, signals.energy, Shape::Real(energy.to_bits()))?;
        for (signals, lane) in signals.lanes.iter().zip(&sample.lanes) {
            show_lane(&mut vcd, &mut last, signals, lane.as_ref())?;
        }
    }
    if let Some(sample) = trace.samples.last() {
        vcd.timestamp(time_ps(trace, sample.cycle + 1)?)?;
    }
    vcd.flush()
}

/// Identifiers of the signals.
struct Signals {
    active: IdCode,
    count: IdCode,
    energy: IdCode,
    lanes: Vec<LaneSignals>,
}

struct LaneSignals {
    busy: IdCode,
    fields: [IdCode; 4],
    sums: Vec<IdCode>,
    /// Whether the sums are real numbers.
    real: bool,
}

impl LaneSignals {
    /// What fields and sums show of a lane without work.
    fn undefined(&self) -> impl Iterator<Item = Shape> {
        let sum = self.undefined_sum();
        self.fields.iter().map(|_| Shape::Undefined).chain(self.sums.iter().map(move |_| sum))
    }

    fn undefined_sum(&self) -> Shape {
        if self.real { Shape::Real(f64::NAN.to_bits()) } else { Shape::Undefined }
    }
}

fn declare<W: Write>(vcd: &mut Writer<W>, trace: &Trace) -> io::Result<Signals> {
    let active = vcd.add_wire(WIDTH, "active")?;
    let count = vcd.add_wire(WIDTH, "mac_count")?;
    let energy = vcd.add_var(VarType::Real, 64, "mac_energy_j", None)?;
    let real = trace.samples.iter().flat_map(|sample| sample.lanes.iter().flatten()).flat_map(|lane| &lane.sums);
    let real = real.take(1).any(|sum| matches!(sum, Sum::Real(_)));
    let mut lanes = Vec::with_capacity(trace.lanes);
    for index in 0..trace.lanes {
        vcd.add_module(&format!("lane{index}"))?;
        let busy = vcd.add_wire(1, "busy")?;
        let fields = ["filter", "position", "weight", "plane"];
        let fields = [
            vcd.add_wire(WIDTH, fields[0])?,
            vcd.add_wire(WIDTH, fields[1])?,
            vcd.add_wire(WIDTH, fields[2])?,
            vcd.add_wire(WIDTH, fields[3])?,
        ];
        let kind = if real { VarType::Real } else { VarType::Integer };
        let sum = |i: usize| vcd.add_var(kind, WIDTH, &format!("accumulator{i}"), None);
        let sums = (0..trace.accumulators).map(sum).collect::<io::Result<_>>()?;
        vcd.upscope()?;
        lanes.push(LaneSignals { busy, fields, sums, real });
    }
    Ok(Signals { active, count, energy, lanes })
}

fn show_lane<W: Write>(
    vcd: &mut Writer<W>,
    last: &mut Shown,
    signals: &LaneSignals,
    lane: Option<&LaneSample>,
) -> io::Result<()> {
    last.show(vcd, signals.busy, Shape::Bit(lane.is_some()))?;
    let Some(lane) = lane else {
        let undefined = signals.fields.iter().chain(&signals.sums);
        return undefined.zip(signals.undefined()).try_for_each(|(&id, shape)| last.show(vcd, id, shape));
    };
    for (&id, value) in signals.fields.iter().zip([lane.filter, lane.position, lane.weight, lane.plane]) {
        last.show(vcd, id, Shape::Integer(value))?;
    }
    for (i, &id) in signals.sums.iter().enumerate() {
        let shape = match lane.sums.get(i) {
            Some(&Sum::Integer(sum)) => Shape::Integer(sum as u64),
            Some(&Sum::Real(sum)) => Shape::Real(f64::from(sum).to_bits()),
            None => signals.undefined_sum(),
        };
        last.show(vcd, id, shape)?;
    }
    Ok(())
}

/// A value as a waveform has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bit(bool),
    Integer(u64),
    /// The bits of the number.
    Real(u64),
    Undefined,
}

/// What each signal shows, so that only changes are written.
#[derive(Default)]
struct Shown(std::collections::HashMap<IdCode, Shape>);

impl Shown {
    fn show<W: Write>(&mut self, vcd: &mut Writer<W>, id: IdCode, shape: Shape) -> io::Result<()> {
        let before = self.0.insert(id, shape);
        if before == Some(shape) {
            return Ok(());
        }
        match shape {
            Shape::Bit(bit) => vcd.change_scalar(id, bit),
            Shape::Integer(value) => vcd.change_vector(id, bits(value)),
            Shape::Real(bits) => vcd.change_real(id, f64::from_bits(bits)),
            Shape::Undefined => vcd.change_vector(id, [Value::X; WIDTH as usize]),
        }
    }
}

/// The bits of an integer, the highest first.
fn bits(value: u64) -> impl Iterator<Item = Value> {
    (0..WIDTH).rev().map(move |bit| Value::from(value >> bit & 1 == 1))
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
