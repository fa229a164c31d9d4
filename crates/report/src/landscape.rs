//! The landscape as CSV.

use std::io::{self, Write};

use explore::landscape::LandscapePoint;
use runner::energy_unit;

/// Columns of the CSV of `landscape`.
pub const LANDSCAPE_COLUMNS: [&str; 15] = [
    "hardware",
    "sweep",
    "bits",
    "pruned_percent",
    "macs",
    "nonzero_macs",
    "cycles",
    "energy_j",
    "energy_per_mac_j",
    "relative",
    "energy_unit",
    "compute_j",
    "conversion_j",
    "memory_j",
    "relative_without_memory",
];

/// Writes one row for each form of the layer on each hardware.
///
/// # Errors
///
/// Those of the writer.
pub fn write_landscape_csv(writer: &mut dyn Write, points: &[LandscapePoint]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(LANDSCAPE_COLUMNS)?;
    for point in points {
        let real = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:?}"));
        let cost = point.cost;
        csv.write_record([
            point.hardware.clone(),
            point.sweep.name().to_string(),
            point.bits.to_string(),
            point.pruned_percent.to_string(),
            point.macs.to_string(),
            point.nonzero_macs.to_string(),
            cost.map_or(String::new(), |cost| cost.cycles.to_string()),
            real(cost.map(|cost| cost.energy_j)),
            real(cost.map(|cost| cost.energy_per_mac_j)),
            real(cost.and_then(|cost| cost.relative)),
            energy_unit(point.normalized).to_string(),
            real(cost.map(|cost| cost.energy_by_group_j[0])),
            real(cost.map(|cost| cost.energy_by_group_j[1])),
            real(cost.map(|cost| cost.energy_by_group_j[2])),
            real(cost.and_then(|cost| cost.relative_without_memory)),
        ])?;
    }
    csv.flush()
}
