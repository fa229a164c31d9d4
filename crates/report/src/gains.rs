//! What networks gain over the one that they were made of, as a table of files.

use std::io::{self, Write};

use runner::{CycleGain, EnergyGain, Gains, Hardware, Quantity, energy_unit};

use crate::csv::{optional, real};

/// Columns of the CSV of gains.
pub const GAIN_COLUMNS: [&str; 13] = [
    "network", "over", "hardware", "quantity", "part", "unit", "before", "after", "gain", "ideal", "ideal_by",
    "lost_to", "loss",
];

/// A network that is held against the one that it was made of.
#[derive(Clone, Copy, Debug)]
pub struct GainingNetwork<'a> {
    /// Its file.
    pub name: &'a str,
    /// What it gains; otherwise why it cannot be compared.
    pub gains: Result<&'a Gains, &'a str>,
    /// What a reader of its gains has to know.
    pub note: Option<&'a str>,
}

/// Writes a row for each quantity of each network, and for each hardware rows of its energy, of each part of the energy by
/// cause, of its cycles, and of each factor of the cycles. Networks that cannot be compared have none. `over` is the network
/// before.
///
/// # Errors
///
/// Those of the writer.
pub fn write_gain_csv(
    writer: &mut dyn Write,
    hardware: &[Hardware],
    over: &str,
    networks: &[GainingNetwork<'_>],
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(GAIN_COLUMNS)?;
    for network in networks {
        let Ok(gains) = network.gains else { continue };
        let of_hardware = hardware.iter().zip(&gains.hardware).flat_map(|(hardware, gain)| {
            let rows = energy_rows(energy_unit(hardware.normalized), &gain.energy).chain(cycle_rows(&gain.cycles));
            rows.map(|row| Row { hardware: hardware.engine.name(), ..row })
        });
        let rows = quantity_rows(gains).chain(of_hardware).map(Row::cells);
        for row in rows {
            csv.write_record([network.name, over].into_iter().chain(row.iter().map(String::as_str)))?;
        }
    }
    csv.flush()
}

/// A row without its networks. What it does not have is empty.
#[derive(Default)]
struct Row<'a> {
    hardware: &'a str,
    quantity: &'static str,
    part: String,
    unit: &'static str,
    before: String,
    after: String,
    gain: Option<f64>,
    ideal: Option<f64>,
    ideal_by: String,
    lost_to: String,
    loss: Option<f64>,
}

impl Row<'_> {
    /// The cells, in the order of [`GAIN_COLUMNS`].
    fn cells(self) -> [String; 11] {
        [
            self.hardware.to_string(),
            self.quantity.to_string(),
            self.part,
            self.unit.to_string(),
            self.before,
            self.after,
            optional(self.gain),
            optional(self.ideal),
            self.ideal_by,
            self.lost_to,
            optional(self.loss),
        ]
    }
}

fn quantity_rows(gains: &Gains) -> impl Iterator<Item = Row<'_>> {
    gains.quantities.iter().map(|&(quantity, count)| Row {
        quantity: quantity.name(),
        before: quantity.text(count.before),
        after: quantity.text(count.after),
        gain: count.factor(),
        ..Row::default()
    })
}

fn energy_rows<'a>(unit: &'static str, energy: &'a EnergyGain) -> impl Iterator<Item = Row<'a>> {
    let row = move |[before, after]: [f64; 2]| Row {
        quantity: "energy",
        unit,
        before: real(before),
        after: real(after),
        ..Row::default()
    };
    let loss = energy.largest_loss();
    let whole = Row {
        gain: energy.gain(),
        ideal: energy.ideal(),
        lost_to: loss.map_or(String::new(), |(part, _)| part.name()),
        loss: loss.map(|(_, share)| share),
        ideal_by: energy.ideal_by().into_iter().map(Quantity::name).collect::<Vec<_>>().join(" and "),
        ..row(energy.joules)
    };
    let parts = energy.parts.iter().map(move |part| Row {
        part: part.name(),
        gain: part.gain(),
        ideal: part.ideal,
        loss: energy.share_of_losses(part),
        ideal_by: part.ideal_by.name().to_string(),
        ..row(part.joules)
    });
    std::iter::once(whole).chain(parts)
}

fn cycle_rows(cycles: &CycleGain) -> impl Iterator<Item = Row<'_>> {
    let [before, after] = cycles.cycles;
    let loss = cycles.largest_loss();
    let whole = Row {
        quantity: "cycles",
        unit: "cycles",
        before: before.to_string(),
        after: after.to_string(),
        gain: cycles.gain(),
        ideal: cycles.ideal,
        lost_to: loss.map_or(String::new(), |factor| factor.cause.name()),
        loss: loss.map(|factor| 1.0 / factor.gain()),
        ideal_by: cycles.ideal_by.name().to_string(),
        ..Row::default()
    };
    let factors = cycles.factors.iter().map(|factor| Row {
        quantity: "cycles",
        part: factor.cause.name(),
        before: real(factor.factor[0]),
        after: real(factor.factor[1]),
        gain: Some(factor.gain()),
        ..Row::default()
    });
    std::iter::once(whole).chain(factors)
}
