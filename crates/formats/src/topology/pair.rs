//! Which row belongs to which layer.

use std::collections::{HashMap, HashSet};

use network::{MacLayer, NetworkError};

use super::{Topology, cell_name};
use crate::names::{common_prefix, few};

/// The rows by layer.
pub(super) struct Pairs {
    /// Index of the row of each layer.
    pub(super) rows: Vec<usize>,
    /// Whether rows and layers were paired by name. Otherwise they were paired in order, and only shapes can show a
    /// mistake.
    pub(super) by_name: bool,
}

/// Pairs rows and layers. They belong together by name, where the names are equal, or equal behind the modules that all
/// names share. Otherwise they belong together in order, where there are as many rows as layers and no row has the name
/// of a layer at another place.
pub(super) fn pair(topology: &Topology, layers: &[MacLayer]) -> Result<Pairs, NetworkError> {
    let rows: Vec<String> = topology.rows.iter().map(|row| cell_name(&row.name)).collect();
    let names: Vec<String> = layers.iter().map(|layer| cell_name(&layer.name)).collect();
    let (short_rows, short_names) = (behind_prefix(&rows), behind_prefix(&names));
    let (rows, names) = (as_slices(&rows), as_slices(&names));
    for (rows, names) in [(&rows, &names), (&short_rows, &names), (&rows, &short_names), (&short_rows, &short_names)] {
        if let Some(rows) = by_name(rows, names) {
            return Ok(Pairs { rows, by_name: true });
        }
    }
    if rows.len() == names.len() && !contradict(&rows, &names) {
        return Ok(Pairs { rows: (0..rows.len()).collect(), by_name: false });
    }
    Err(topology.invalid("its layers".to_string(), difference(&rows, &names)))
}

fn as_slices(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Names without the modules that all of them share.
fn behind_prefix(names: &[String]) -> Vec<&str> {
    let prefix = common_prefix(names.iter().map(String::as_str));
    names.iter().map(|name| &name[prefix..]).collect()
}

/// The row of every layer, if names are unique and the same on both sides.
fn by_name(rows: &[&str], names: &[&str]) -> Option<Vec<usize>> {
    let by_row: HashMap<&str, usize> = rows.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let unique: HashSet<&&str> = names.iter().collect();
    if by_row.len() != rows.len() || unique.len() != names.len() || rows.len() != names.len() {
        return None;
    }
    names.iter().map(|name| by_row.get(name).copied()).collect()
}

/// Whether a row has the name of a layer at another place.
fn contradict(rows: &[&str], names: &[&str]) -> bool {
    let known: HashSet<&&str> = names.iter().collect();
    rows.iter().zip(names).any(|(row, name)| row != name && known.contains(row))
}

/// The names that only one side has, as a message.
fn difference(rows: &[&str], names: &[&str]) -> String {
    let without = |these: &[&str], those: &[&str]| -> Vec<String> {
        let those: HashSet<&&str> = those.iter().collect();
        these.iter().filter(|name| !those.contains(name)).map(|name| name.to_string()).collect()
    };
    let (no_weights, no_row) = (without(rows, names), without(names, rows));
    let counts = format!("{} rows for {} tensors of weights", rows.len(), names.len());
    let lists = [("rows without weights", no_weights), ("weights without a row", no_row)];
    let lists: Vec<String> = lists
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(what, list)| format!("{what}: {}", few(list)))
        .collect();
    match lists.is_empty() {
        true => format!("{counts}; several have the same name"),
        false => format!("{counts}; {}", lists.join("; ")),
    }
}
