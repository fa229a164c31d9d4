//! Descriptions of analog engines.

use analog::AnalogArray;
use serde::{Deserialize, Serialize};

use super::{EngineKind, Hardware, HardwareFile, Metric, check_name, clock, count, energy};

/// Description of an analog engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogFile {
    /// Name in reports.
    pub name: String,
    /// `"analog"`.
    pub engine: EngineKind,
    /// Its arrays.
    pub array: AnalogArrayFile,
    /// Clock in hertz; left out, latency is cycles alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_hz: Option<f64>,
    /// Its energies.
    pub energy: AnalogEnergyFile,
}

/// Arrays of the analog engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogArrayFile {
    /// Cells along the input vector.
    pub rows: Extent,
    /// Cells along the filters.
    pub columns: Extent,
    /// Arrays that work at the same time.
    pub arrays: u64,
}

/// A number of cells, or `"unbounded"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Extent {
    /// So many.
    Cells(u64),
    /// As many as a layer needs.
    Word(Unbounded),
}

/// The word for an extent without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Unbounded {
    /// `"unbounded"`.
    #[serde(rename = "unbounded")]
    Unbounded,
}

impl Extent {
    fn cells(self) -> Option<u64> {
        match self {
            Extent::Cells(cells) => Some(cells),
            Extent::Word(Unbounded::Unbounded) => None,
        }
    }
}

/// Energies of the analog engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogEnergyFile {
    /// Joules of one MAC per squared half-step of its weight.
    pub mac_j_per_squared_half_step: f64,
}

impl AnalogFile {
    pub(super) fn build(self) -> Result<Hardware, String> {
        check_name(&self.name)?;
        let clock_hz = clock(self.clock_hz)?;
        let unit = energy("energy.mac_j_per_squared_half_step", self.energy.mac_j_per_squared_half_step)?;
        let (rows, columns) = (extent("array.rows", self.array.rows)?, extent("array.columns", self.array.columns)?);
        let arrays = count("array.arrays", self.array.arrays)?;
        let engine = AnalogArray::new(&self.name, rows, columns, arrays, unit).map_err(|e| e.to_string())?;
        Ok(Hardware {
            ideal: rows.is_none() && columns.is_none() && arrays == 1,
            engine: Box::new(engine),
            metric: Metric::EsnA,
            unit,
            clock_hz,
            exact: false,
            resolved: HardwareFile::Analog(self),
        })
    }
}

fn extent(key: &str, extent: Extent) -> Result<Option<usize>, String> {
    extent.cells().map(|cells| count(key, cells)).transpose()
}
