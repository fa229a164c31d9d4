//! The points of a store as CSV. `docs/sweep.md` documents the columns.

use std::collections::HashMap;
use std::io::{self, Write};

use explore::pareto::{Accuracy, Cost, Judged, hardware_names, judge};
use explore::store::{HardwareRow, PointRow};

/// Columns that every store has. Two columns for each hardware follow them, and then [`JUDGEMENT`].
const COLUMNS: [&str; 24] = [
    "key",
    "status",
    "error",
    "network",
    "method",
    "configuration",
    "weights",
    "nonzero",
    "filters",
    "live_filters",
    "weights_alive",
    "macs_alive",
    "esn_a",
    "esn_d",
    "esn_a_macs",
    "esn_d_macs",
    "esn_d_filter",
    "max_bits",
    "images",
    "top1",
    "top5",
    "agreement",
    "float_top1",
    "float_top5",
];

/// Columns of what was judged: whether a point is on the frontier; how exact its accuracy is; and what came later.
const JUDGEMENT: [&str; 5] = ["frontier", "standard_error", "within_noise", "effective_macs", "notes"];

/// Writes one row a point, accuracies as numbers from 0 to 1. `frontier` is `true` for the points on the frontier of
/// this cost and accuracy.
///
/// # Errors
///
/// Those of the writer.
pub fn write_csv(writer: &mut dyn Write, rows: &[PointRow], cost: &Cost, accuracy: &Accuracy) -> io::Result<()> {
    let hardware = hardware_names(rows);
    let judged = judge(rows, cost, accuracy);
    let judged: HashMap<&str, &Judged<'_>> = judged.iter().map(|point| (point.row.key.as_str(), point)).collect();
    let mut csv = csv::Writer::from_writer(writer);
    let mut header: Vec<String> = COLUMNS.iter().map(ToString::to_string).collect();
    header.extend(hardware.iter().flat_map(|name| [format!("cycles:{name}"), format!("energy_j:{name}")]));
    header.extend(JUDGEMENT.map(str::to_string));
    csv.write_record(header)?;
    for row in rows {
        let mut record = fields(row);
        record.extend(hardware.iter().flat_map(|name| hardware_fields(row, name)));
        record.extend(judgement(row, judged.get(row.key.as_str()).copied()));
        csv.write_record(record)?;
    }
    csv.flush()
}

fn judgement(row: &PointRow, judged: Option<&Judged<'_>>) -> [String; 5] {
    let effective_macs = row.costs.as_ref().and_then(|costs| costs.effective_macs);
    [
        judged.is_some_and(|point| point.frontier).to_string(),
        judged.map(|point| format!("{:?}", point.accuracy.standard_error())).unwrap_or_default(),
        judged.map(|point| point.within_noise.to_string()).unwrap_or_default(),
        effective_macs.map(|macs| macs.to_string()).unwrap_or_default(),
        row.notes.join("; "),
    ]
}

fn fields(row: &PointRow) -> Vec<String> {
    let costs = row.costs.as_ref();
    let cost = |of: fn(&explore::store::PointCosts) -> String| costs.map(of).unwrap_or_default();
    let accuracy = |of: Accuracy| of.of(row).map(|x| format!("{:?}", x.to_f64())).unwrap_or_default();
    let float = |of: Accuracy| of.of_float(row).map(|x| format!("{:?}", x.to_f64())).unwrap_or_default();
    vec![
        row.key.clone(),
        row.status().name().to_string(),
        row.error.clone().unwrap_or_default(),
        row.network.clone(),
        row.configuration.method().name().to_string(),
        row.configuration.label(),
        cost(|c| c.weights.to_string()),
        cost(|c| c.nonzero.to_string()),
        cost(|c| c.filters.to_string()),
        cost(|c| c.live_filters.to_string()),
        cost(|c| c.weights_alive.to_string()),
        cost(|c| c.macs_alive.to_string()),
        cost(|c| c.esn_a.to_string()),
        cost(|c| c.esn_d.to_string()),
        cost(|c| c.esn_a_macs.to_string()),
        cost(|c| c.esn_d_macs.to_string()),
        cost(|c| c.esn_d_filter.to_string()),
        cost(|c| c.max_bits.to_string()),
        row.accuracy.as_ref().map(|a| a.images.to_string()).unwrap_or_default(),
        accuracy(Accuracy::Top1),
        accuracy(Accuracy::Top5),
        accuracy(Accuracy::Agreement),
        float(Accuracy::Top1),
        float(Accuracy::Top5),
    ]
}

fn hardware_fields(row: &PointRow, name: &str) -> [String; 2] {
    let hardware = row.costs.iter().flat_map(|costs| &costs.hardware).find(|hardware| hardware.name == name);
    let field = |of: fn(&HardwareRow) -> String| hardware.map(of).unwrap_or_default();
    [field(|h| h.cycles.to_string()), field(|h| format!("{:?}", h.energy_j))]
}
