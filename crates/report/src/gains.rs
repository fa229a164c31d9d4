//! What networks gain over the one that they were made of, as a table of files.

use std::io::{self, Write};

use runner::{CountGain, Gains, Hardware, HardwareGain, energy_unit};

use crate::csv::{optional, real};

/// Columns of the CSV of gains.
pub const GAIN_COLUMNS: [&str; 12] = [
    "network", "over", "hardware", "quantity", "part", "unit", "before", "after", "gain", "promised", "lost_to", "loss",
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
/// cause, and of its cycles. Networks that cannot be compared have none. `over` is the network before.
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
        let rows = quantity_rows(gains)
            .chain(hardware.iter().zip(&gains.hardware).flat_map(|(hardware, gain)| hardware_rows(hardware, gain)));
        for row in rows {
            csv.write_record([network.name, over].into_iter().chain(row.iter().map(String::as_str)))?;
        }
    }
    csv.flush()
}

/// A row without its networks.
type Row = [String; 10];

fn quantity_rows(gains: &Gains) -> impl Iterator<Item = Row> {
    gains.quantities.iter().map(|&(quantity, count)| {
        let CountGain { before, after } = count;
        let none = String::new;
        [
            none(),
            quantity.name().to_string(),
            none(),
            none(),
            quantity.text(before),
            quantity.text(after),
            optional(count.factor()),
            none(),
            none(),
            none(),
        ]
    })
}

fn hardware_rows(hardware: &Hardware, gain: &HardwareGain) -> Vec<Row> {
    let (name, none) = (|| hardware.engine.name().to_string(), String::new);
    let unit = || energy_unit(hardware.normalized).to_string();
    let [before, after] = gain.energy_j;
    let energy = [
        name(),
        "energy".to_string(),
        none(),
        unit(),
        real(before),
        real(after),
        optional(gain.energy()),
        optional(gain.promised),
        gain.energy_loss.map_or(none(), |loss| format!("{}: {}", loss.cause.name(), loss.event)),
        optional(gain.energy_loss.map(|loss| loss.share)),
    ];
    let parts = gain.energy_parts.iter().map(|part| {
        let [before, after] = part.joules;
        let over = (before > 0.0 && after > 0.0).then(|| before / after);
        let what = format!("{}: {}", part.cause.name(), part.event);
        let (before, after) = (real(before), real(after));
        [name(), "energy".to_string(), what, unit(), before, after, optional(over), none(), none(), none()]
    });
    let [before, after] = gain.cycles;
    let cycles = [
        name(),
        "cycles".to_string(),
        none(),
        "cycles".to_string(),
        before.to_string(),
        after.to_string(),
        optional(gain.in_cycles()),
        optional(gain.promised_cycles),
        gain.cycle_loss.map_or(none(), |loss| loss.cause.name().to_string()),
        optional(gain.cycle_loss.map(|loss| loss.factor)),
    ];
    std::iter::once(energy).chain(parts).chain([cycles]).collect()
}
